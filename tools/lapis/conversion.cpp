#include "tools/lapis/conversion.h"

#include "base/printable.h"
#include "tuning/fixed_inputs.h"

namespace lapis::cli {

Result<Conversion> Conversion::begin(const ModelFlags& flags, const std::string& output, const std::string& calibration,
                                     int64_t samples) {
  LAPIS_TRY(const ModelOptions model, flags.model_options());
  LAPIS_TRY(Output file, Output::open(output, flags.model));
  LAPIS_TRY(std::unique_ptr<Graph> graph, flags.import(flags.model, model));
  Conversion conversion(flags, std::move(file), std::move(graph));
  if (!calibration.empty()) {
    LAPIS_TRY(conversion.calibrating_, Calibrating::with(calibration, samples, *conversion.graph_, flags));
  }
  return conversion;
}

Status Conversion::run(const Pipeline& pipeline, PassContext context, const ExportOptions& file) const {
  if (calibrating_) calibrating_->serve(context);
  PassRunnerOptions options;
  use_onnx_writers(options);
  LAPIS_CHECK(in_file(PassRunner(options).run(*graph_, pipeline, context), flags_->model, graph_->name()));
  return output_.write_model(*graph_, file);
}

void Conversion::add_notes(Report& report) const {
  std::vector<std::string> notes = calibrating_ ? calibrating_->notes() : std::vector<std::string>();
  const std::string undecided = undecided_branches(*graph_, "--value INPUT=NUMBER makes the model for one of them");
  if (!undecided.empty()) notes.push_back(undecided);
  for (const std::string& note : notes) report.text += printable(note) + "\n";
  if (!notes.empty()) report.json["about_inputs"] = notes;
}

}  // namespace lapis::cli
