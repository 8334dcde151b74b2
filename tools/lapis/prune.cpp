// lapis prune M.onnx --sparsity 0.5 [--pattern 2:4] [--calibration DATA --compensate] -o P.onnx
#include "passes/prune/prune.h"

#include "passes/pipeline.h"
#include "tools/lapis/compression.h"
#include "tools/lapis/conversion.h"
#include "tuning/recipe.h"

namespace lapis::cli {
namespace {

struct Flags {
  ModelFlags model;
  std::string calibration, output, recipe;
  int64_t samples = 100, damage_samples = 16;
  // What changes the recipe.
  std::optional<double> sparsity;
  std::optional<std::string> pattern, scope;
  std::vector<std::string> exclude_nodes, exclude_patterns, exclude_types;
  bool compensate = false;
};

// The file's recipe, or one that leaves all weights whole, and what the other flags say on top of it.
Result<Recipe> recipe_of(const Flags& flags) {
  Recipe recipe;
  if (!flags.recipe.empty()) {
    LAPIS_TRY(recipe, read_recipe(flags.recipe));
  } else if (!flags.sparsity && !flags.pattern) {
    return error(ErrorKind::Usage, "nothing says how much is pruned")
        .help("give --sparsity 0.3, --pattern 2:4 or --recipe R.yaml");
  }
  SparsitySettings settings{flags.sparsity, {}, {}, flags.compensate ? std::optional(true) : std::nullopt};
  if (flags.pattern) settings.pattern = sparsity_pattern_from_name(*flags.pattern);
  if (flags.scope) settings.scope = sparsity_scope_from_name(*flags.scope);
  recipe.defaults.sparsity = settings.applied_to(recipe.defaults.sparsity);
  if (!recipe.defaults.sparsity.on() && flags.recipe.empty())
    return error(ErrorKind::Usage, "nothing is pruned").help("give --sparsity a number above 0");
  const auto spare = [&](Selector::By by, const std::vector<std::string>& texts, const char* flag) {
    for (const std::string& text : texts) {
      recipe.set({by, text}, {.sparsity = {.ratio = 0.0}});
      recipe.rules.back().where = flag;
    }
  };
  spare(Selector::By::Name, flags.exclude_nodes, "--exclude");
  spare(Selector::By::Pattern, flags.exclude_patterns, "--exclude-pattern");
  spare(Selector::By::Type, flags.exclude_types, "--exclude-type");
  return recipe;
}

Result<Report> prune(const Flags& flags) {
  LAPIS_TRY(Recipe recipe, recipe_of(flags));
  LAPIS_TRY(const Conversion conversion,
            Conversion::begin(flags.model, flags.output, flags.calibration, flags.samples));
  PruneReport done;
  PassContext context;
  const PruneOptions options{std::move(recipe), Target::host(), flags.samples, flags.damage_samples};
  const auto prune_it = [&](Graph& g, PassContext& c) -> Status {
    LAPIS_TRY(done, lapis::prune(g, options, c.evaluator, c.samples));
    return ok();
  };
  LAPIS_TRY(Pipeline pipeline, parse_pipeline("simplify,expand-equations"));
  pipeline.push_back({"prune", "the recipe's `sparsity` holds", prune_it});
  LAPIS_CHECK(conversion.run(pipeline, std::move(context)));
  Report report{as_text(done) + (done.damage ? as_text(*done.damage, "pruning") : ""), as_json(done), kOk,
                conversion.is_stdout()};
  report.json["output"] = flags.output;
  conversion.add_notes(report);
  return report;
}

Check is_pattern() {
  return {"PATTERN", [](const std::string& text) {
            return sparsity_pattern_from_name(text)
                       ? std::string()
                       : "there is no pattern '" + text + "'; patterns are " + std::string(kSparsityPatterns);
          }};
}

}  // namespace

Action declare_prune(Arguments& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.add_model(app);
  add_calibration(app, flags->calibration, flags->model);
  app.add_option("--sparsity", flags->sparsity, "Share of the weights, or of the channels, that is pruned")
      .check(number_between(0, 0.99));
  app.add_option("--pattern", flags->pattern,
                 "What is pruned together: unstructured (default), N:M as 2:4, ROWSxCOLUMNS as 4x1, or channel")
      .check(is_pattern());
  app.add_option("--scope", flags->scope, "Among which weights the smallest are looked for (default: tensor)")
      .check(one_of(sparsity_scope_names()));
  app.add_flag("--compensate", flags->compensate,
               "Adjust the weights that stay, so that they make good on the samples what is lost");
  app.add_option("--recipe", flags->recipe, "What is pruned of each node (docs/pruning.md); the other flags change it")
      .type_name("R.yaml");
  app.add_option("--exclude", flags->exclude_nodes, "Node to leave whole, repeatable").type_name("NODE");
  app.add_option("--exclude-pattern", flags->exclude_patterns, "Nodes to leave whole, by regular expression")
      .type_name("REGEX");
  app.add_option("--exclude-type", flags->exclude_types, "Operators to leave whole").type_name("OP");
  app.add_option("--samples", flags->samples, "Samples to compensate with, evenly spread over the data")
      .capture_default_str()
      .check(at_least(1));
  app.add_option("--damage-samples", flags->damage_samples,
                 "Samples of those on which the distance to the model before is measured; 0: it is not")
      .capture_default_str()
      .check(at_least(0));
  app.add_option("-o,--output", flags->output, "Where to write the pruned model; - for standard output")
      .required()
      .type_name("P.onnx");
  return [flags] { return prune(*flags); };
}

}  // namespace lapis::cli
