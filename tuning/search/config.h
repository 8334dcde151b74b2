// The configuration of `lapis tune` (docs/tuning.md describes the file): read strictly, with every finding at its line;
// what nothing implements is refused with the reason, never ignored. A program that tunes fills in the struct instead.
//
//   LAPIS_TRY(TuneConfig config, read_tune_config("tune.yaml"));
//   config.exit.max_trials = 20;
//   LAPIS_TRY(const TuneResult result, tune(config));
#pragma once

#include "driver/compile.h"
#include "tuning/search/goal.h"
#include "tuning/search/space.h"

namespace lapis {

struct DiagnosisConfig {
  std::vector<std::string> nodes;  // expressions, one of which the whole name of a node matches; none: all nodes
};

struct TuneConfig {
  Path model;
  ModelOptions shapes;  // dims, shapes and values

  std::string target = "host";
  int threads = 1;  // that latency is measured with; evaluation uses all cores

  Path calibration;  // a dataset file; empty: that of the evaluation
  int64_t calibration_samples = 100;
  std::vector<Candidate> candidates;  // empty: default_candidates()
  bool trained = false;               // `approach: qat`: the model must bring ranges of its own
  Variants variants;                  // on top of them

  Path data;            // a dataset file with a metric
  int64_t samples = 0;  // of it, evenly spread; 0: all
  int rounds = 5;       // of timing each trial and the fp32 model in turn; the least time counts
  double round_seconds = 0.01;

  std::string strategy = "pareto";
  AccuracyCriterion criterion;
  std::optional<bool> higher_is_better;  // absent: as the metric says
  Objectives objectives;
  ExitPolicy exit;
  uint64_t seed = 1978;
  int64_t sensitivity_samples = 16;          // calibration samples that the effect of each unit is measured on
  std::optional<DiagnosisConfig> diagnosis;  // of the best quantized model, node by node
  Path workspace;
  Path tensorboard;  // where event files for TensorBoard go; empty: there are none
};

// Every way to find ranges, with its usual settings.
std::vector<Candidate> default_candidates();
// For a model with ranges of its own: what it leaves open is calibrated, or found during inference.
std::vector<Candidate> trained_candidates();
// Products of matrices with their weights alone in fewer bits:
// int8 for each channel, int4 in blocks of 32 by each algorithm.
std::vector<Candidate> weights_alone_candidates();

// Relative paths in the file are relative to its folder.
Result<TuneConfig> parse_tune_config(const std::string& text, const Path& file);
Result<TuneConfig> read_tune_config(const Path& file);

// A commented configuration for a model of this file, with every key: what `lapis init` writes.
std::string tune_config_template(const Graph& graph, const std::string& model, const std::string& data);

}  // namespace lapis
