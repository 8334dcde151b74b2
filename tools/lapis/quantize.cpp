// lapis quantize M.onnx --calibration DATA [--samples N] -o Q.onnx
#include "passes/quantize/quantize.h"
#include "base/printable.h"
#include "base/suggest.h"
#include "frontends/onnx/export.h"
#include "ir/op.h"
#include "passes/pipeline.h"
#include "tools/lapis/options.h"
#include "tools/lapis/output.h"

namespace lapis::cli {
namespace {

struct Flags {
  ModelFlags model;
  std::string calibration, output, method = "percentile";
  QuantizeOptions options;
  bool keep_first = false, keep_last = false, per_tensor = false;
};

nlohmann::ordered_json as_json(const QuantizeReport& report) {
  nlohmann::ordered_json json;
  json["quantized_nodes"] = report.quantized_count();
  for (const NodeDecision& d : report.decisions)
    json["nodes"].push_back({{"node", d.node}, {"operator", d.op}, {"quantized", d.quantized}, {"note", d.note}});
  for (const QuantizedValue& v : report.values)
    json["values"].push_back({{"value", v.value}, {"low", v.range.low}, {"high", v.range.high}});
  for (const std::string& note : report.notes) json["notes"].push_back(note);
  return json;
}

std::string as_text(const QuantizeReport& report, const std::string& output) {
  std::string text = output + ": " + std::to_string(report.quantized_count()) + " of " +
                     std::to_string(report.decisions.size()) + " nodes in int8\n";
  for (const NodeDecision& d : report.decisions)
    if (!d.quantized) text += "  float: " + d.op + " '" + printable(d.node) + "': " + printable(d.note) + "\n";
  for (const std::string& note : report.notes) text += "  " + printable(note) + "\n";
  return text + to_string(report.warnings);
}

SampleSource source_of(const Dataset& data) {
  return [data, next = int64_t{0}]() mutable -> Result<std::optional<Feeds>> {
    if (next == data.size()) return std::optional<Feeds>();
    LAPIS_TRY(Feeds feeds, data.sample(next++));
    return std::optional<Feeds>(std::move(feeds));
  };
}

// A type that no operator has would exclude nothing.
Status check_types(const std::vector<std::string>& excluded) {
  std::vector<std::string> known;
  for (const OpDef* op : all_ops()) known.emplace_back(op->name);
  Diagnostics found;
  for (const std::string& type : excluded)
    if (std::find(known.begin(), known.end(), type) == known.end())
      found.push_back(
          error(ErrorKind::Usage, "--exclude-type: there is no operator '" + type + "'").help(suggestion(type, known)));
  return status_of(std::move(found));
}

Result<Report> quantize(const Flags& flags) {
  LAPIS_CHECK(check_types(flags.options.placement.exclude_types));
  LAPIS_TRY(const ModelOptions model, flags.model.model_options());
  LAPIS_TRY(const Output output, Output::open(flags.output, flags.model.model));
  LAPIS_TRY(const std::unique_ptr<Graph> graph, flags.model.import(flags.model.model, model));
  LAPIS_TRY(const Dataset whole,
            load_dataset(flags.calibration, graph->inputs().empty() ? "" : graph->inputs()[0]->name()));
  const Dataset data = whole.calibration().limited_to(flags.options.calibrate.samples);
  PassRunnerOptions run;
  PassContext context;
  use_onnx_writers(run);
  LAPIS_TRY(const Pipeline simplify, parse_pipeline("simplify"));
  LAPIS_TRY(const std::vector<PassReport> reports, PassRunner(run).run(*graph, simplify, context));
  static_cast<void>(reports);

  QuantizeOptions options = flags.options;
  options.range.method = flags.method == "minmax" ? RangeMethod::MinMax : RangeMethod::Percentile;
  options.placement.quantize_first = !flags.keep_first;
  options.placement.quantize_last = !flags.keep_last;
  options.placement.per_channel = !flags.per_tensor;
  options.calibrate.samples = data.size();
  options.calibrate.progress = progress_bar("calibrating");
  const std::unique_ptr<Evaluator> evaluator =
      flags.model.backend == "reference" ? reference_evaluator() : jit_evaluator(flags.model.threads);
  Result<QuantizeReport> result = quantize_static(*graph, *evaluator, source_of(data), options);
  if (!result.ok()) return in_file(std::move(result).diagnostics(), flags.model.model, graph->name());
  const QuantizeReport& report = *result;
  LAPIS_CHECK(output.write_model(*graph));
  return Report{as_text(report, flags.output), as_json(report), kOk, output.is_stdout()};
}

}  // namespace

Action declare_quantize(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.add_model(app);
  app.add_option("--calibration", flags->calibration,
                 "Samples: a dataset file (docs/datasets.md), or a .npy array for a model with one input")
      ->required()
      ->type_name("DATA");
  app.add_option("--samples", flags->options.calibrate.samples, "Calibration samples, evenly spread over the data")
      ->capture_default_str()
      ->check(at_least(1));
  app.add_option("-o,--output", flags->output, "Where to write the quantized model; - for standard output")
      ->required()
      ->type_name("Q.onnx");
  app.add_option("--method", flags->method, "How a range follows from the values seen")
      ->capture_default_str()
      ->check(CLI::IsMember({"minmax", "percentile"}));
  app.add_option("--percentile", flags->options.range.percentile, "Share of all values inside of the range, in percent")
      ->capture_default_str()
      ->check(number_between(50, 100));
  app.add_option("--exclude", flags->options.placement.exclude_nodes, "Node to keep float, repeatable")
      ->type_name("NODE");
  app.add_option("--exclude-pattern", flags->options.placement.exclude_patterns,
                 "Nodes to keep float, by regular expression")
      ->type_name("REGEX");
  app.add_option("--exclude-type", flags->options.placement.exclude_types, "Operators to keep float")->type_name("OP");
  app.add_option("--share-limit", flags->options.placement.share_limit,
                 "Operands of Concat share a scale only if their ranges differ by at most this factor")
      ->capture_default_str()
      ->check(number_between(1, 1e30));
  app.add_flag("--keep-first", flags->keep_first, "Keep the first Conv, Gemm or MatMul float");
  app.add_flag("--keep-last", flags->keep_last, "Keep the last one float");
  app.add_flag("--per-tensor", flags->per_tensor, "One weight scale a tensor instead of one a channel");
  app.add_option("--threads", flags->model.threads, "Threads for calibration; 0: one per core")
      ->capture_default_str()
      ->check(CLI::Range(0, 1024));
  app.add_option("--backend", flags->model.backend, "What runs the model during calibration")
      ->capture_default_str()
      ->check(CLI::IsMember({"jit", "reference"}));
  return [flags] { return quantize(*flags); };
}

}  // namespace lapis::cli
