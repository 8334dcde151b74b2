// lapis quantize M.onnx [--calibration DATA] [--recipe R.yaml] [--save-recipe R.yaml] -o Q.onnx
#include "passes/quantize/quantize.h"

#include "base/printable.h"
#include "passes/pipeline.h"
#include "passes/precision/bf16.h"
#include "tools/lapis/compression.h"
#include "tools/lapis/conversion.h"
#include "tuning/recipe.h"

namespace lapis::cli {
namespace {

struct Flags {
  ModelFlags model;
  std::string calibration, output, recipe, save_recipe;
  int64_t samples = 100, damage_samples = 16;
  // What changes the recipe.
  std::optional<std::string> method, runtime;
  bool matmul_nbits = false;
  std::optional<double> percentile, share_limit;
  std::vector<std::string> exclude_nodes, exclude_patterns, exclude_types;
  bool keep_first = false, keep_last = false, per_tensor = false;
};

nlohmann::ordered_json report_json(const QuantizeReport& report) {
  nlohmann::ordered_json json;
  json["quantized_nodes"] = report.quantized_count();
  for (const NodeDecision& d : report.decisions)
    json["nodes"].push_back({{"node", d.node}, {"operator", d.op}, {"quantized", d.quantized}, {"note", d.note}});
  for (const QuantizedValue& v : report.values)
    json["values"].push_back({{"value", v.value}, {"low", v.range.low}, {"high", v.range.high}});
  for (const std::string& note : report.notes) json["notes"].push_back(note);
  if (report.pruned) json["pruned"] = as_json(*report.pruned);
  if (report.damage) json["damage"] = as_json(*report.damage);
  for (const Diagnostic& d : report.warnings)
    json["warnings"].push_back({{"location", d.location}, {"message", d.message}, {"hint", d.hint}});
  return json;
}

std::string report_text(const QuantizeReport& report, const std::string& output) {
  std::string text = printable(output) + ": " + std::to_string(report.quantized_count()) + " of " +
                     std::to_string(report.decisions.size()) + " nodes in int8\n";
  for (const NodeDecision& d : report.decisions)
    if (!d.quantized) text += "  float: " + d.op + " '" + printable(d.node) + "': " + printable(d.note) + "\n";
  for (const std::string& note : report.notes) text += "  " + printable(note) + "\n";
  if (report.pruned) text += as_text(*report.pruned);
  if (report.damage) text += as_text(*report.damage, "quantization");
  return text + to_string(report.warnings);
}

// The file's recipe, or the default one, and what the other flags say on top of it.
Result<Recipe> recipe_of(const Flags& flags) {
  Recipe recipe;
  if (!flags.recipe.empty()) {
    LAPIS_TRY(recipe, read_recipe(flags.recipe));
  }
  NodeSettings range;
  if (flags.method) range.method = range_method_from_name(*flags.method);
  range.percentile = flags.percentile;
  if (range.percentile && range.method.value_or(RangeMethod::Percentile) != RangeMethod::Percentile)
    return error(ErrorKind::Usage, "--percentile is for --method percentile; " + *flags.method + " has none")
        .help("leave one of them out");
  recipe.defaults.range = range.applied_to(recipe.defaults.range);
  if (flags.runtime) recipe.runtime = *runtime_from_name(*flags.runtime);
  recipe.share_limit = flags.share_limit.value_or(recipe.share_limit);
  if (flags.per_tensor) recipe.defaults.weights.granularity = Granularity::Tensor;
  const auto keep = [&](Selector::By by, const std::string& text, const char* flag) {
    recipe.keep_float({by, text});
    recipe.rules.back().where = flag;
  };
  for (const std::string& name : flags.exclude_nodes) keep(Selector::By::Name, name, "--exclude");
  for (const std::string& pattern : flags.exclude_patterns) keep(Selector::By::Pattern, pattern, "--exclude-pattern");
  for (const std::string& type : flags.exclude_types) keep(Selector::By::Type, type, "--exclude-type");
  if (flags.keep_first) keep(Selector::By::First, "", "--keep-first");
  if (flags.keep_last) keep(Selector::By::Last, "", "--keep-last");
  return recipe;
}

// What was done, with the reason beside each node.
Status save_recipe(const QuantizeReport& report, const Output& file) {
  std::unordered_map<std::string, std::string> comments;
  for (const NodeDecision& d : report.decisions) comments[d.node] = d.op + ": " + d.note;
  return file.write(to_yaml(report.recipe, comments));
}

Result<Report> quantize(const Flags& flags) {
  LAPIS_TRY(Recipe recipe, recipe_of(flags));
  LAPIS_TRY(const Conversion conversion,
            Conversion::begin(flags.model, flags.output, flags.calibration, flags.samples));
  LAPIS_TRY(const auto saved, Output::beside(flags.save_recipe, {flags.output, flags.output + ".data"}));
  QuantizeReport report;
  PassContext context;
  LAPIS_TRY(context.target, Target::parse(flags.model.target));
  context.recipe = std::make_shared<Recipe>(std::move(recipe));
  Bf16Report mixed;
  const auto convert = [&](Graph& g, PassContext& c) -> Status {
    LAPIS_TRY(mixed, to_bf16(g, {for_nodes_of(g, *c.recipe), c.target}));
    return ok();
  };
  context.quantized = [&](const QuantizeReport& done) { report = done; };
  const std::string samples = std::to_string(std::max<int64_t>(conversion.samples(), 1));
  LAPIS_TRY(Pipeline pipeline, parse_pipeline("simplify,expand,quantize{samples=" + samples +
                                              ",damage=" + std::to_string(flags.damage_samples) + "}"));
  pipeline.push_back({"bf16", "what the recipe asks for, and can be, is computed in bfloat16", convert});
  LAPIS_CHECK(conversion.run(pipeline, std::move(context), {.matmul_nbits = flags.matmul_nbits}));
  if (saved) LAPIS_CHECK(save_recipe(report, *saved));
  Report said{report_text(report, flags.output) + as_text(mixed), report_json(report), kOk,
              conversion.is_stdout() || (saved && saved->is_stdout())};
  if (!mixed.decisions.empty()) said.json["bf16"] = as_json(mixed);
  conversion.add_notes(said);
  return said;
}

}  // namespace

Action declare_quantize(Arguments& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.add_model(app);
  add_calibration(app, flags->calibration, flags->model);
  app.add_option("--target", flags->model.target, "Machine that the model is made for").capture_default_str();
  app.add_option("--samples", flags->samples, "Calibration samples, evenly spread over the data")
      .capture_default_str()
      .check(at_least(1));
  app.add_option("--damage-samples", flags->damage_samples,
                 "Samples of those on which the distance to the float model is measured; 0: it is not")
      .capture_default_str()
      .check(at_least(0));
  app.add_option("-o,--output", flags->output, "Where to write the quantized model; - for standard output")
      .required()
      .type_name("Q.onnx");
  app.add_option("--recipe", flags->recipe,
                 "How each node is to compute (docs/quantization.md); the flags below change it")
      .type_name("R.yaml");
  app.add_option("--save-recipe", flags->save_recipe, "Where to write what was done, as a recipe").type_name("R.yaml");
  app.add_option("--method", flags->method, "How a range follows from the values seen (default: mse)")
      .check(one_of(range_method_names()));
  app.add_option("--for", flags->runtime, "The runtime that is to run the model fast (default: lapis)")
      .check(one_of(runtime_names()));
  app.add_flag("--matmul-nbits", flags->matmul_nbits,
               "Write products with weights in blocks of few bits as ONNX Runtime's MatMulNBits, not as "
               "DequantizeLinear and MatMul");
  app.add_option("--percentile", flags->percentile, "Range of that share of all values, in percent (99.999)")
      .check(number_between(50, 100));
  app.add_option("--exclude", flags->exclude_nodes, "Node to keep float, repeatable").type_name("NODE");
  app.add_option("--exclude-pattern", flags->exclude_patterns, "Nodes to keep float, by regular expression")
      .type_name("REGEX");
  app.add_option("--exclude-type", flags->exclude_types, "Operators to keep float").type_name("OP");
  app.add_option("--share-limit", flags->share_limit,
                 "Operands of Concat share a scale only if their ranges differ by at most this factor (8)")
      .check(number_between(1, 1e30));
  app.add_flag("--keep-first", flags->keep_first, "Keep the first Conv, Gemm or MatMul float");
  app.add_flag("--keep-last", flags->keep_last, "Keep the last one float");
  app.add_flag("--per-tensor", flags->per_tensor, "One weight scale a tensor instead of one a channel");
  return [flags] { return quantize(*flags); };
}

}  // namespace lapis::cli
