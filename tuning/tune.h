// Tuning: the fastest quantized model that loses no more accuracy than is allowed.
// The C++ side of `lapis tune` (docs/tuning.md).
//
//   LAPIS_TRY(TuneConfig config, read_tune_config("tune.yaml"));
//   LAPIS_TRY(const TuneResult result, tune(config));
//   if (result.history.met()) deploy(config.workspace / "best.onnx");
//
// Or without a file:
//
//   TuneConfig config;
//   config.model = "resnet20.onnx";
//   config.data = "cifar10.yaml";
//   config.criterion.relative = 0.01;
//   config.workspace = "tuned";
#pragma once

#include "tuning/search/strategy.h"

namespace lapis {

struct TuneOptions {
  Workspace::Begin begin = Workspace::Begin::Fresh;
  TuneObserver observer = {};
  std::shared_ptr<Strategy> strategy = nullptr;  // instead of the one that the configuration names
};

struct TuneResult {
  History history;
  SearchSpace space;
  std::string metric;
  bool higher_is_better = true;
  int64_t samples = 0;      // of the data set
  double allowed_loss = 0;  // of the metric, against the fp32 model
  Path best, history_file;
  std::optional<Diagnosis> diagnosis;  // of the best quantized model, where the configuration asks for it
  bool speaks = true;                  // false: this is a rank that leaves it to another one to say so
  Diagnostics warnings;
  // In one sentence: what the best model is, or why the target was missed.
  std::string verdict;
};

// Ends with the search's exit policy. A target that was missed is no failure: `history.met()` says so. Errors: a model,
// data or configuration that do not fit (ErrorKind::Input, Mismatch, Unsupported), a workspace that is taken (Usage) or
// cannot be written (Io). A configuration that cannot be quantized or run is a failed trial, not an error.
Result<TuneResult> tune(const TuneConfig& config, const TuneOptions& options = {});

}  // namespace lapis
