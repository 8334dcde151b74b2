// What verbs that make a model of a model have in common:
// they import one, run it on samples if there are any, and write another.
//
//   LAPIS_TRY(const Conversion conversion,
//             Conversion::begin(flags.model, flags.output, flags.calibration, flags.samples));
//   LAPIS_TRY(const Pipeline pipeline, parse_pipeline("simplify"));
//   LAPIS_CHECK(conversion.run(pipeline, PassContext()));
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tools/lapis/calibrating.h"
#include "tools/lapis/output.h"
#include "tools/lapis/verb.h"

namespace lapis::cli {

class Conversion {
 public:
  // `flags` must outlive it. Without a name of data in `calibration` there are no samples.
  static Result<Conversion> begin(const ModelFlags& flags, const std::string& output, const std::string& calibration,
                                  int64_t samples);

  const Graph& graph() const { return *graph_; }
  int64_t samples() const { return calibrating_ ? calibrating_->samples() : 0; }
  bool is_stdout() const { return output_.is_stdout(); }
  // Says which inputs the model has lost because the data fixes them,
  // and what no pass has touched because it stands in branches.
  void add_notes(Report& report) const;
  // Runs the passes, which find samples and an evaluator in their context, and writes the model.
  Status run(const Pipeline& pipeline, PassContext context, const ExportOptions& file = {}) const;

 private:
  Conversion(const ModelFlags& flags, Output output, std::unique_ptr<Graph> graph)
      : flags_(&flags), output_(std::move(output)), graph_(std::move(graph)) {}

  const ModelFlags* flags_;
  Output output_;
  std::unique_ptr<Graph> graph_;
  std::optional<Calibrating> calibrating_;
};

}  // namespace lapis::cli
