#include "tools/lapis/sensitivity.h"

#include "base/printable.h"
#include "tuning/search/attribution.h"

namespace lapis::cli {
namespace {

struct Measured {
  SearchSpace space;
  Attribution attribution;
  Diagnostics warnings;
};

Result<Measured> measured(const SensitivityFlags& flags, const ModelFlags& model, const Recipe& recipe) {
  LAPIS_TRY(ModelOptions options, model.model_options());
  options.all_free = true;
  LAPIS_TRY(std::unique_ptr<Graph> graph, model.import(model.model, options));
  LAPIS_TRY(const Dataset data, load_dataset(flags.data, graph->inputs().empty() ? "" : graph->inputs()[0]->name()));
  TuneConfig config;
  config.model = model.model;
  config.target = model.target;
  config.threads = model.threads;
  config.candidates = {{"recipe", recipe}};
  config.sensitivity_samples = flags.samples;
  TuneObserver observer;
  observer.progress = [bar = progress_bar("measuring")](const std::string&, int64_t done, int64_t total) {
    if (bar) bar(done, total);
  };
  Team alone;
  LAPIS_TRY(const std::unique_ptr<Workbench> bench,
            Workbench::for_effects(std::move(graph), data, config, observer, alone));
  LAPIS_TRY(Attribution attribution, measure_attribution(*bench, config, observer));
  return Measured{bench->space(), std::move(attribution), bench->warnings()};
}

std::string as_text(const Measured& m) {
  std::vector<std::vector<std::string>> rows = {{"dB alone", "ms saved", "operator", "node"}};
  for (const size_t u : m.attribution.worst(m.space.units.size()))
    rows.push_back({fixed(decibels(m.attribution.units[u].noise), 1), fixed(m.attribution.units[u].milliseconds, 3),
                    m.space.units[u].op, printable(m.space.units[u].name)});
  return "\nwhat int8 disturbs (signal to noise of the outputs with this node alone in int8; all of them: " +
         fixed(decibels(m.attribution.noise), 1) + " dB)\n" + table(rows, 100) + to_string(m.warnings);
}

nlohmann::ordered_json as_json(const Measured& m) {
  nlohmann::ordered_json json = {{"all_int8_db", decibels(m.attribution.noise)}};
  for (const size_t u : m.attribution.worst(m.space.units.size()))
    json["nodes"].push_back({{"node", m.space.units[u].name},
                             {"operator", m.space.units[u].op},
                             {"with", m.space.units[u].nodes},
                             {"sqnr_db", decibels(m.attribution.units[u].noise)},
                             {"milliseconds", m.attribution.units[u].milliseconds}});
  return json;
}

}  // namespace

void add_sensitivity(Arguments& app, SensitivityFlags& flags) {
  app.add_option("--sensitivity", flags.data,
                 "Which node hurts: what each does to the outputs when it alone is int8, on the samples of a dataset "
                 "file or a .npy array")
      .type_name("DATA");
  app.add_option("--sensitivity-samples", flags.samples, "Samples that it is measured on")
      .capture_default_str()
      .check(at_least(1));
}

Status add_sensitivity_table(const SensitivityFlags& flags, const ModelFlags& model, const Recipe& recipe,
                             Report& report) {
  LAPIS_TRY(const Measured found, measured(flags, model, recipe));
  report.text += as_text(found);
  report.json["sensitivity"] = as_json(found);
  return ok();
}

}  // namespace lapis::cli
