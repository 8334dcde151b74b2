// lapis tune CONFIG.yaml: the fastest quantized model within an accuracy target.
#include "tuning/tune.h"

#include <algorithm>
#include <cmath>

#include "base/printable.h"
#include "tools/lapis/options.h"
#include "tools/lapis/output.h"

namespace lapis::cli {
namespace {

struct Flags {
  std::string config, workspace, tensorboard;
  bool resume = false, restart = false, quiet = false;
  std::optional<int> max_trials;
};

// "Conv 18+1, Gemm 0+1": int8 + fp32 of the operators that are int8 somewhere.
std::string precisions_of(const Trial& t) {
  std::string text;
  for (const auto& [op, n] : t.precisions)
    if (n.int8 + n.bf16 > 0)
      text += (text.empty() ? "" : ", ") + op + " " + std::to_string(n.int8) + "+" + std::to_string(n.fp32) +
              (n.bf16 ? " and " + std::to_string(n.bf16) + " bf16" : "");
  return text.empty() ? "all fp32" : text;
}

std::string samples_of(const Trial& t) { return std::to_string(t.samples) + (t.early ? " (clear early)" : ""); }

// One line as soon as a trial is done.
std::string line_of(const Trial& t) {
  const std::string head = t.number == 0 ? "fp32" : "trial " + std::to_string(t.number);
  if (!t.measured()) return head + ": failed: " + t.failure + "\n";
  return head + ": " + (t.passes ? "passes" : "misses") + ", " + fixed(t.accuracy, 4) + " on " + samples_of(t) +
         " samples, " + fixed(t.costs.milliseconds, 3) + " ms, " + fixed(t.improvement, 2) + "x; " +
         (t.on_top.empty() ? "" : t.on_top + "; ") + "int8+fp32: " + precisions_of(t) + "\n";
}

std::vector<std::string> row_of(const Trial& t, const History& history) {
  return {std::to_string(t.number),
          fixed(t.accuracy, 4),
          fixed(t.gain, 4) + (t.early ? " [" + fixed(t.gain_low, 4) + ", " + fixed(t.gain_high, 4) + "]" : ""),
          samples_of(t),
          fixed(t.costs.milliseconds, 3),
          fixed(t.improvement, 2),
          fixed(t.costs.size_bytes / 1e6, 2),
          std::to_string(t.int8_nodes()),
          t.on_top,
          std::string(t.passes ? "yes" : "no") + (history.best()->number == t.number ? ", best" : "")};
}

std::string front_table(const TuneResult& result) {
  std::vector<std::vector<std::string>> rows = {{"trial", result.metric, "change", "samples", "ms", "times better",
                                                 "MB", "int8 nodes", "on top", "meets the target"}};
  const std::vector<const Trial*> front = result.history.front();
  for (const Trial* t : front) rows.push_back(row_of(*t, result.history));
  const Trial* best = result.history.best();
  if (std::find(front.begin(), front.end(), best) == front.end()) rows.push_back(row_of(*best, result.history));
  return "Pareto front (no other trial is more accurate and better by the objective):\n" + table(rows);
}

std::string precision_table(const Trial& best) {
  std::vector<std::vector<std::string>> rows = {{"operator", "total", "int8", "bf16", "fp32"}};
  for (const auto& [op, n] : best.precisions)
    rows.push_back({op, std::to_string(n.int8 + n.bf16 + n.fp32), std::to_string(n.int8), std::to_string(n.bf16),
                    std::to_string(n.fp32)});
  return "Precision statistics of trial " + std::to_string(best.number) + ":\n" + table(rows);
}

std::string worst_table(const TuneResult& result) {
  constexpr size_t kShown = 5;
  const Attribution& a = *result.history.attribution;
  const Configuration& best = result.history.best()->configuration;
  std::vector<std::vector<std::string>> rows = {{"dB alone", "ms saved", "in the best model", "operator", "node"}};
  for (const size_t u : a.worst(kShown))
    rows.push_back({fixed(decibels(a.units[u].noise), 1), fixed(a.units[u].milliseconds, 3),
                    best.fp32[u] ? "fp32" : "int8", result.space.units[u].op, result.space.units[u].name});
  return "What int8 disturbs most (signal to noise of the outputs with this node alone in int8; all of them: " +
         fixed(decibels(a.noise), 1) + " dB):\n" + table(rows, 100);
}

std::string decibel_cell(double db) { return std::isnan(db) ? "" : print_sqnr(db); }

// Those in which most noise arises, and what to do about them.
std::string diagnosis_text(const Diagnosis& d) {
  constexpr size_t kShown = 10;
  if (!d.problem.empty()) return "There is no diagnosis of trial " + std::to_string(d.trial) + ": " + d.problem + "\n";
  std::vector<std::vector<std::string>> rows = {{"gives", "reads", "precision", "operator", "node"}};
  std::string advice;
  for (size_t i = 0; i < std::min(kShown, d.units.size()); ++i) {
    const UnitDiagnosis& u = d.units[i];
    rows.push_back({decibel_cell(u.sqnr), decibel_cell(u.operands), u.int8 ? "int8" : "fp32", u.op, printable(u.node)});
    if (!u.advice.empty()) advice += "  " + printable(u.node) + ": " + printable(u.advice) + "\n";
  }
  return "Diagnosis of trial " + std::to_string(d.trial) + " (signal to noise of what nodes give and read):\n" +
         table(rows, 100) + advice + to_string(d.warnings);
}

nlohmann::ordered_json json_of(const Trial& t) {
  nlohmann::ordered_json json = {{"trial", t.number},
                                 {"accuracy", t.accuracy},
                                 {"gain", t.gain},
                                 {"samples", t.samples},
                                 {"early", t.early},
                                 {"milliseconds", t.costs.milliseconds},
                                 {"improvement", t.improvement},
                                 {"size_bytes", t.costs.size_bytes},
                                 {"meets_target", t.passes}};
  if (!t.on_top.empty()) json["on_top"] = t.on_top;
  for (const auto& [op, n] : t.precisions)
    json["precisions"][op] = {{"int8", n.int8}, {"bf16", n.bf16}, {"fp32", n.fp32}};
  return json;
}

nlohmann::ordered_json json_of(const TuneResult& r) {
  nlohmann::ordered_json json = {{"met", r.history.met()},
                                 {"verdict", r.verdict},
                                 {"metric", r.metric},
                                 {"allowed_loss", r.allowed_loss},
                                 {"trials", r.history.trials.size() - 1},
                                 {"best_model", r.best.string()},
                                 {"history", r.history_file.string()}};
  json["fp32"] = json_of(r.history.trials.front());
  json["best"] = json_of(*r.history.best());
  if (r.diagnosis) json["diagnosis"] = nlohmann::ordered_json::parse(to_json(*r.diagnosis));
  for (const Trial* t : r.history.front()) json["front"].push_back(json_of(*t));
  const Attribution& a = *r.history.attribution;
  for (const size_t u : a.worst(a.units.size()))
    json["nodes"].push_back({{"node", r.space.units[u].name},
                             {"operator", r.space.units[u].op},
                             {"sqnr_db", decibels(a.units[u].noise)},
                             {"milliseconds", a.units[u].milliseconds},
                             {"precision", r.history.best()->configuration.fp32[u] ? "fp32" : "int8"}});
  return json;
}

// One bar at a time: a new one where the work has another name.
TuneObserver observer_of(bool quiet) {
  struct State {
    std::string what;
    Progress bar;
  };
  TuneObserver observer;
  const auto state = std::make_shared<State>();
  observer.progress = [state](const std::string& what, int64_t done, int64_t total) {
    if (what != state->what) *state = {what, progress_bar(what)};
    if (state->bar) state->bar(done, total);
  };
  if (quiet) return observer;
  observer.trial = [state](const Trial& t) {
    *state = {};
    std::fputs(line_of(t).c_str(), stderr);
  };
  return observer;
}

void move_to(const Path& workspace, TuneConfig& config) {
  if (config.tensorboard == config.workspace / "tensorboard") config.tensorboard = workspace / "tensorboard";
  config.workspace = workspace;
}

Result<Report> tune(const Flags& flags) {
  LAPIS_TRY(TuneConfig config, read_tune_config(flags.config));
  if (!flags.workspace.empty()) move_to(flags.workspace, config);
  if (!flags.tensorboard.empty()) config.tensorboard = flags.tensorboard;
  config.exit.max_trials = flags.max_trials.value_or(config.exit.max_trials);
  LAPIS_CHECK(check_folder(config.workspace));
  if (!config.tensorboard.empty()) LAPIS_CHECK(check_folder(config.tensorboard));
  TuneOptions options;
  options.begin = flags.resume    ? Workspace::Begin::Resume
                  : flags.restart ? Workspace::Begin::Restart
                                  : Workspace::Begin::Fresh;
  options.observer = observer_of(flags.quiet);
  LAPIS_TRY(const TuneResult result, lapis::tune(config, options));
  if (result.speaks) std::fputs(to_string(result.warnings).c_str(), stderr);
  Report report;
  report.exit_code = result.history.met() ? kOk : kCheckFailed;
  if (!result.speaks) return report;
  report.json = json_of(result);
  report.text = front_table(result) + precision_table(*result.history.best()) + worst_table(result) +
                (result.diagnosis ? diagnosis_text(*result.diagnosis) : "") + result.best.string() + ": " +
                result.verdict + "\n";
  return report;
}

}  // namespace

Action declare_tune(Arguments& app) {
  auto flags = std::make_shared<Flags>();
  app.add_option("config", flags->config, "The configuration: `lapis init MODEL` writes one (docs/tuning.md)")
      .required()
      .type_name("CONFIG.yaml");
  app.add_option("--workspace", flags->workspace, "Where results go, instead of what the configuration says")
      .type_name("DIR");
  app.add_option("--tensorboard", flags->tensorboard, "Also write event files for TensorBoard there").type_name("DIR");
  app.add_option("--max-trials", flags->max_trials, "Trials at most, instead of what the configuration says")
      .check(integer_between(1, 1000000));
  const Argument resume = app.add_flag("--resume", flags->resume, "Go on with the run that the workspace holds");
  app.add_flag("--restart", flags->restart, "Replace the run that the workspace holds").excludes(resume);
  app.add_flag("--quiet", flags->quiet, "No line for each trial");
  app.footer(
      "After every trial the workspace holds everything that was found: history.json, best.onnx with its recipe, and "
      "the Pareto\n"
      "front. Exit code 0: a quantized model meets the target; 1: none does, and the best one is in the workspace all "
      "the same.");
  return [flags] { return tune(*flags); };
}

}  // namespace lapis::cli
