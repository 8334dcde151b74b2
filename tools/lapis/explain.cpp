// lapis explain M: one line a generated function: precision, kernel, the nodes in it, its share of the time.
#include <numeric>

#include "tools/lapis/options.h"

namespace lapis::cli {
namespace {

struct Flags {
  ModelFlags model;
  int runs = 20;
};

std::string joined(const std::vector<std::string>& nodes) {
  std::string text;
  for (const std::string& n : nodes) text += (text.empty() ? "" : " + ") + n;
  return text;
}

// Median microseconds of every step over `runs` runs, after three that warm up.
Result<std::vector<double>> step_medians(Runner& runner, int runs) {
  Session& session = *runner.session();
  const std::vector<Tensor> inputs = random_inputs(runner.inputs());
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

Result<Report> explain(const Flags& flags) {
  LAPIS_TRY(RunnerOptions options, flags.model.runner_options());
  options.profile = true;
  LAPIS_TRY(const std::unique_ptr<Runner> runner, open_model(flags.model.model, options));
  Session* session = runner->session();
  if (!session) return error(ErrorKind::Usage, "explain shows generated code; the reference backend generates none");
  LAPIS_TRY(const std::vector<double> microseconds, step_medians(*runner, flags.runs));
  const double total = std::accumulate(microseconds.begin(), microseconds.end(), 0.0);
  Report report;
  std::vector<std::vector<std::string>> rows = {{"#", "operator", "precision", "kernel", "us", "%", "GMAC/s", "nodes"}};
  const Program& program = session->program();
  for (size_t i = 0; i < program.steps.size(); ++i) {
    const StepInfo& s = program.steps[i];
    const double us = microseconds[i];
    const double gmacs = s.macs ? static_cast<double>(s.macs) / us / 1e3 : 0;
    rows.push_back({std::to_string(i), s.op, s.precision, s.kernel, fixed(us, 1), fixed(100 * us / total, 1),
                    s.macs ? fixed(gmacs, 1) : "", joined(s.nodes) + (s.note.empty() ? "" : "  (" + s.note + ")")});
    report.json["steps"].push_back({{"op", s.op},
                                    {"precision", s.precision},
                                    {"kernel", s.kernel},
                                    {"nodes", s.nodes},
                                    {"microseconds", us},
                                    {"gmac_per_second", gmacs},
                                    {"units", s.units},
                                    {"note", s.note}});
  }
  report.json["target"] = program.target;
  report.json["total_microseconds"] = total;
  report.text = table(rows) + "total " + fixed(total, 1) + " us, arena " + std::to_string(program.arena_bytes) +
                " bytes, target " + program.target + "\n";
  return report;
}

}  // namespace

Action declare_explain(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.add_model(app);
  flags->model.add_running(app);
  app.add_option("--runs", flags->runs, "Runs; times are medians over them")
      ->capture_default_str()
      ->check(CLI::Range(1, 100000));
  return [flags] { return explain(*flags); };
}

}  // namespace lapis::cli
