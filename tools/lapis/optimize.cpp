// lapis optimize M.onnx [--precision bf16] [--target T] [--calibration DATA --min-sqnr 30] -o N.onnx
#include <algorithm>

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
  std::string calibration, output, precision = "fp32", recipe;
  int64_t samples = 16, min_sqnr = 0;
  std::vector<std::string> exclude_nodes, exclude_types;
};

Result<Recipe> recipe_of(const Flags& flags) {
  Recipe recipe;
  if (!flags.recipe.empty()) {
    LAPIS_TRY(recipe, read_recipe(flags.recipe));
  }
  recipe.defaults.precision = Precision::Float32;
  if (flags.precision == "bf16") recipe.defaults.floats = DType::BFloat16;
  const auto keep = [&](Selector::By by, const std::vector<std::string>& texts, const char* flag) {
    for (const std::string& text : texts) {
      recipe.set({by, text}, {.floats = DType::Float32});
      recipe.rules.back().where = flag;
    }
  };
  keep(Selector::By::Name, flags.exclude_nodes, "--exclude");
  keep(Selector::By::Type, flags.exclude_types, "--exclude-type");
  return recipe;
}

bool asks_for_bf16(const Recipe& recipe) {
  return recipe.defaults.floats == DType::BFloat16 ||
         std::ranges::any_of(recipe.rules, [](const RecipeRule& r) { return r.settings.floats == DType::BFloat16; });
}

Result<Report> optimize(const Flags& flags) {
  LAPIS_TRY(Recipe recipe, recipe_of(flags));
  if (flags.min_sqnr > 0 && !asks_for_bf16(recipe))
    return error(ErrorKind::Usage, "--min-sqnr bounds what bf16 costs, and nothing is to compute in it")
        .help("add --precision bf16, or a recipe with `floats: bf16`");
  LAPIS_TRY(const Conversion conversion,
            Conversion::begin(flags.model, flags.output, flags.calibration, flags.samples));
  Bf16Report mixed;
  PassContext context;
  LAPIS_TRY(context.target, Target::parse(flags.model.target));
  const std::string passes = asks_for_bf16(recipe) ? "simplify,expand-equations" : "simplify";
  const Bf16Options options{std::move(recipe), context.target, static_cast<double>(flags.min_sqnr), flags.samples};
  const auto convert = [&](Graph& g, PassContext& c) -> Status {
    LAPIS_TRY(mixed, to_bf16(g, options, c.evaluator, c.samples));
    return ok();
  };
  LAPIS_TRY(Pipeline pipeline, parse_pipeline(passes));
  pipeline.push_back({"bf16", "what the recipe asks for, and can be, is computed in bfloat16", convert});
  const size_t before = conversion.graph().node_count();
  LAPIS_CHECK(conversion.run(pipeline, std::move(context)));
  Report report;
  report.on_stderr = conversion.is_stdout();
  report.text = printable(flags.output) + ": " + std::to_string(before) + " nodes before, " +
                std::to_string(conversion.graph().node_count()) + " now\n" + as_text(mixed);
  report.json = {{"output", flags.output}, {"nodes_before", before}, {"nodes", conversion.graph().node_count()}};
  if (!mixed.decisions.empty()) report.json["bf16"] = as_json(mixed);
  conversion.add_notes(report);
  return report;
}

}  // namespace

Action declare_optimize(Arguments& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.add_model(app);
  app.add_option("--precision", flags->precision, "Floats to compute in; bf16 where the node and the target can")
      .capture_default_str()
      .check(one_of({"fp32", "bf16"}));
  app.add_option("--target", flags->model.target, "Machine that the model is made for").capture_default_str();
  add_calibration(app, flags->calibration, flags->model);
  app.add_option("--samples", flags->samples, "Samples to measure the distance to the fp32 model on, evenly spread")
      .capture_default_str()
      .check(at_least(1));
  app.add_option("--min-sqnr", flags->min_sqnr,
                 "dB that every output keeps of its signal: nodes that cost most stay fp32 until it does; 0: no bound")
      .capture_default_str()
      .check(integer_between(0, 200));
  app.add_option("--recipe", flags->recipe, "Which nodes compute in bf16 (docs/mixed_precision.md)")
      .type_name("R.yaml");
  app.add_option("--exclude", flags->exclude_nodes, "Node to keep fp32, repeatable").type_name("NODE");
  app.add_option("--exclude-type", flags->exclude_types, "Operators to keep fp32").type_name("OP");
  app.add_option("-o,--output", flags->output, "Where to write the model; - for standard output")
      .required()
      .type_name("N.onnx");
  return [flags] { return optimize(*flags); };
}

}  // namespace lapis::cli
