// lapis explain M: one line a generated function: time, share, kernel, precision, and the nodes in it.
#include <numeric>

#include "base/suggest.h"
#include "tools/lapis/inputs.h"
#include "tools/lapis/options.h"

namespace lapis::cli {
namespace {

struct Flags {
  ModelFlags model;
  int runs = 20;
  bool wide = false;
};

// Median microseconds of every step over `runs` runs, after three that warm up.
Result<std::vector<double>> step_medians(Runner& runner, int runs) {
  Session& session = *runner.session();
  LAPIS_TRY(const std::vector<Tensor> inputs, random_inputs(runner.inputs()));
  std::vector<std::vector<double>> samples(session.program().steps.size());
  for (int i = -3; i < runs; ++i) {
    session.reset_profile();
    LAPIS_TRY(const std::vector<Tensor> outputs, runner.run(inputs));
    static_cast<void>(outputs);
    for (size_t s = 0; i >= 0 && s < samples.size(); ++s) samples[s].push_back(session.step_nanoseconds()[s] / 1e3);
  }
  std::vector<double> medians;
  for (const std::vector<double>& sample : samples) medians.push_back(percentile(sample, 50));
  return medians;
}

// What decides comes first; the nodes, which may be many, are cut last.
constexpr size_t kWidth = 100;

std::vector<std::string> row_of(const StepInfo& s, size_t number, double us, double total) {
  const double gmacs = s.macs && us > 0 ? static_cast<double>(s.macs) / us / 1e3 : 0;
  return {fixed(us, 1),
          fixed(total > 0 ? 100 * us / total : 0, 1),
          s.kernel,
          s.precision,
          s.macs ? fixed(gmacs, 1) : "",
          std::to_string(number),
          s.op,
          joined(s.nodes, " + ") + (s.note.empty() ? "" : "  (" + s.note + ")")};
}

nlohmann::ordered_json json_of(const StepInfo& s, double us) {
  return {{"op", s.op},         {"precision", s.precision},
          {"kernel", s.kernel}, {"nodes", s.nodes},
          {"microseconds", us}, {"gmac_per_second", s.macs && us > 0 ? static_cast<double>(s.macs) / us / 1e3 : 0},
          {"units", s.units},   {"note", s.note}};
}

Result<Report> explain(const Flags& flags) {
  LAPIS_TRY(RunnerOptions options, flags.model.runner_options());
  options.profile = true;
  LAPIS_TRY(const std::unique_ptr<Runner> runner, flags.model.open(flags.model.model, options));
  Session* session = runner->session();
  if (!session)
    return error(ErrorKind::Usage, "explain shows generated code; the reference backend generates none")
        .help("leave out --backend");
  LAPIS_TRY(const std::vector<double> microseconds, step_medians(*runner, flags.runs));
  const double total = std::accumulate(microseconds.begin(), microseconds.end(), 0.0);
  Report report;
  report.json["steps"] = nlohmann::ordered_json::array();
  std::vector<std::vector<std::string>> rows = {{"us", "%", "kernel", "type", "GMAC/s", "step", "operator", "nodes"}};
  const Program& program = session->program();
  for (size_t i = 0; i < program.steps.size(); ++i) {
    rows.push_back(row_of(program.steps[i], i, microseconds[i], total));
    report.json["steps"].push_back(json_of(program.steps[i], microseconds[i]));
  }
  report.json["target"] = program.target;
  report.json["total_microseconds"] = total;
  report.text = table(rows, flags.wide ? 0 : kWidth) + "total " + fixed(total, 1) + " us, arena " +
                std::to_string(program.arena_bytes) + " bytes, target " + program.target + "\n";
  return report;
}

}  // namespace

Action declare_explain(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.add_model(app, ModelFlags::Takes::ArtifactsToo);
  flags->model.add_running(app);
  flags->model.add_schedules(app);
  app.add_option("--runs", flags->runs, "Runs; times are medians over them")
      ->capture_default_str()
      ->check(CLI::Range(1, 100000));
  app.add_flag("--wide", flags->wide, "Every node of every step, however long the lines become");
  return [flags] { return explain(*flags); };
}

}  // namespace lapis::cli
