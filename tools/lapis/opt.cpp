// lapis opt M --passes "a,b{option=value}" --dump-each DIR -o N.onnx
#include <limits>

#include "base/printable.h"
#include "base/suggest.h"
#include "frontends/onnx/export.h"
#include "passes/pipeline.h"
#include "tools/lapis/calibrating.h"
#include "tools/lapis/output.h"
#include "tuning/recipe.h"

namespace lapis::cli {
namespace {

struct Flags {
  ModelFlags model;
  std::string passes = "simplify", output, dump_each, stop_after, reproducer, recipe, calibration;
  std::vector<std::string> disabled_rules;
  bool print_on_change = false, explain = false, list = false;
};

Report list_passes() {
  Report report;
  std::vector<std::vector<std::string>> rows = {{"pass", "contract"}};
  for (const Pass& pass : all_passes()) {
    rows.push_back({pass.name, pass.contract});
    nlohmann::ordered_json options = nlohmann::ordered_json::array();
    for (const OptionDef& option : pass.options) {
      rows.push_back({"  {" + option.name + "=" + option.fallback + "}", option.doc});
      options.push_back({{"name", option.name}, {"default", option.fallback}, {"doc", option.doc}});
    }
    report.json.push_back({{"name", pass.name}, {"contract", pass.contract}, {"options", options}});
  }
  report.text = table(rows);
  return report;
}

Report describe(const std::vector<PassReport>& passes, const std::vector<Explanation>& explanations) {
  Report report;
  std::vector<std::vector<std::string>> rows = {{"pass", "ms", "nodes before", "after", "changed"}};
  report.json["passes"] = nlohmann::ordered_json::array();
  for (const PassReport& p : passes) {
    rows.push_back({p.name, fixed(p.seconds * 1e3, 1), std::to_string(p.nodes_before), std::to_string(p.nodes_after),
                    p.changed ? "yes" : "no"});
    report.json["passes"].push_back({{"name", p.name},
                                     {"milliseconds", p.seconds * 1e3},
                                     {"nodes_before", p.nodes_before},
                                     {"nodes_after", p.nodes_after},
                                     {"changed", p.changed}});
  }
  report.text = table(rows);
  for (const Explanation& e : explanations) {
    report.text += printable(e.rule + (e.applied ? " applied at " : " skipped at ") + e.where + ": " + e.text) + "\n";
    report.json["explanations"].push_back(
        {{"rule", e.rule}, {"where", e.where}, {"applied", e.applied}, {"text", e.text}});
  }
  return report;
}

// A rule that does not exist would be disabled without effect, and the one that was meant would stay.
Status check_rules(const std::vector<std::string>& disabled) {
  const std::vector<std::string> known = rule_names();
  Diagnostics found;
  for (const std::string& name : disabled)
    if (std::find(known.begin(), known.end(), name) == known.end())
      found.push_back(
          error(ErrorKind::Usage, "--disable-rule: there is no rule '" + name + "'").help(suggestion(name, known)));
  return status_of(std::move(found));
}

// What passes ask for that need more than the graph.
Result<std::optional<Calibrating>> serve(const Flags& flags, Graph& graph, PassContext& context) {
  LAPIS_TRY(context.target, Target::parse(flags.model.target));
  if (!flags.recipe.empty()) {
    LAPIS_TRY(Recipe recipe, read_recipe(flags.recipe));
    context.recipe = std::make_shared<Recipe>(std::move(recipe));
  }
  if (flags.calibration.empty()) return std::optional<Calibrating>();
  LAPIS_TRY(Calibrating calibrating,
            Calibrating::with(flags.calibration, std::numeric_limits<int64_t>::max(), graph, flags.model));
  return std::optional<Calibrating>(std::move(calibrating));
}

// Findings about the graph name its file; those about flags and folders have places of their own.
Result<std::vector<PassReport>> run_passes(const PassRunnerOptions& options, const Pipeline& pipeline, const Path& file,
                                           Graph& graph, PassContext& context) {
  auto ran = PassRunner(options).run(graph, pipeline, context);
  if (ran.ok()) return ran;
  const ErrorKind kind = ran.diagnostics()[0].kind;
  if (kind == ErrorKind::Usage || kind == ErrorKind::Io) return ran;
  return in_file(std::move(ran), file, graph.name());
}

Result<Report> opt(const Flags& flags) {
  if (flags.list) return list_passes();
  if (flags.model.model.empty())
    return error(ErrorKind::Usage, "no model given").help("lapis opt MODEL --passes a,b -o OUT.onnx");
  LAPIS_TRY(const Pipeline pipeline, parse_pipeline(flags.passes));
  if (pipeline.empty()) return error(ErrorKind::Usage, "--passes names no pass").help("`lapis opt --list` shows them");
  std::optional<Output> output;
  if (!flags.output.empty()) {
    LAPIS_TRY(output, Output::open(flags.output, flags.model.model));
  }
  LAPIS_TRY(const ModelOptions options, flags.model.model_options());
  LAPIS_CHECK(check_rules(flags.disabled_rules));
  LAPIS_TRY(const std::unique_ptr<Graph> graph, flags.model.import(flags.model.model, options));
  PassRunnerOptions run;
  use_onnx_writers(run);
  run.dump_directory = flags.dump_each;
  run.stop_after = flags.stop_after;
  run.print_on_change = flags.print_on_change;
  run.keep_model = true;
  PassContext context;
  context.disabled_rules.insert(flags.disabled_rules.begin(), flags.disabled_rules.end());
  std::vector<Explanation> explanations;
  if (flags.explain) context.explain = [&](const Explanation& e) { explanations.push_back(e); };
  LAPIS_TRY(const std::optional<Calibrating> calibrating, serve(flags, *graph, context));
  if (calibrating) calibrating->serve(context);
  LAPIS_TRY(const std::vector<PassReport> reports, run_passes(run, pipeline, flags.model.model, *graph, context));
  if (output) LAPIS_CHECK(output->write_model(*graph));
  Report report = describe(reports, explanations);
  report.on_stderr = output && output->is_stdout();
  return report;
}

}  // namespace

Action declare_opt(Arguments& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.add_model(app).optional();
  app.add_option("--passes", flags->passes, "Passes in order, comma separated (--list shows them)")
      .capture_default_str()
      .type_name("A,B{OPTION=VALUE}");
  app.add_option("--target", flags->model.target, "Machine that the model is made for").capture_default_str();
  app.add_option("--recipe", flags->recipe, "How each node is to compute, for `quantize` (docs/quantization.md)")
      .type_name("R.yaml");
  add_calibration(app, flags->calibration, flags->model);
  app.add_option("-o,--output", flags->output, "Where to write the model; - for standard output").type_name("N.onnx");
  app.add_option("--dump-each", flags->dump_each, "Write the model after every pass into this folder").type_name("DIR");
  app.add_option("--stop-after", flags->stop_after, "Last pass to run").type_name("PASS");
  app.add_option("--disable-rule", flags->disabled_rules, "Rewrite rule not to apply, repeatable").type_name("RULE");
  app.add_option("--reproducer", flags->reproducer,
                 "Folder below which a bug in Lapis leaves lapis-crash-...: the model before the pass, the command, "
                 "the message")
      .type_name("DIR");
  app.add_flag("--print-on-change", flags->print_on_change, "Print the model on stderr whenever a pass changed it");
  app.add_flag("--explain", flags->explain, "Say which rules applied where, and which did not and why");
  app.add_flag("--list", flags->list, "List the passes");
  return [flags] { return opt(*flags); };
}

}  // namespace lapis::cli
