// lapis schedule M -o SCHEDULES: times the kernels that fit each contraction and writes the fastest of each.
#include "codegen/kernels/schedule.h"
#include "base/printable.h"
#include "tools/lapis/inputs.h"
#include "tools/lapis/options.h"
#include "tools/lapis/output.h"
#include "tuning/schedules.h"

namespace lapis::cli {
namespace {

struct Flags {
  ModelFlags model;
  std::string output;
  int threads = 1, rounds = 15;
  bool code_only = false;
};

std::string row_name(const Schedule& s) { return std::string(kernels::name_of_row(s.row)); }

nlohmann::ordered_json json_of(const ContractionTrials& c) {
  nlohmann::ordered_json json = {{"contraction", c.name}, {"chosen", kernels::to_string(c.best().schedule)}};
  for (const ScheduleTrial& t : c.tried)
    json["tried"].push_back({{"schedule", kernels::to_string(t.schedule)}, {"microseconds", t.microseconds}});
  return json;
}

// A line for each contraction: the cost model's kernel, the fastest of the others, and the ratio of their times.
Report describe(const ScheduleTrials& trials, const std::string& output) {
  Report report;
  std::vector<std::vector<std::string>> rows = {{"us", "kernel", "best other us", "kernel", "ratio", "contraction"}};
  double before = 0, after = 0;
  int changed = 0;
  for (const ContractionTrials& c : trials.contractions) {
    const ScheduleTrial &own = c.tried.front(), &best = c.best();
    const auto other = std::ranges::min_element(c.tried.begin() + 1, c.tried.end(), {}, &ScheduleTrial::microseconds);
    before += own.microseconds;
    after += best.microseconds;
    changed += best.schedule != own.schedule;
    const bool any = other != c.tried.end();
    rows.push_back({fixed(own.microseconds, 1), row_name(own.schedule), any ? fixed(other->microseconds, 1) : "",
                    any ? row_name(other->schedule) : "", any ? fixed(own.microseconds / other->microseconds, 2) : "",
                    c.name});
    report.json["contractions"].push_back(json_of(c));
  }
  report.json["output"] = output;
  report.json["microseconds"] = before;
  report.json["tuned_microseconds"] = after;
  report.text = table(rows) + printable(output) + ": " + std::to_string(changed) + " of " +
                std::to_string(trials.contractions.size()) + " contractions changed, " + fixed(before, 1) + " us -> " +
                fixed(after, 1) + " us\n";
  return report;
}

Result<Report> schedule(const Flags& flags) {
  LAPIS_TRY(const Output output, Output::open(flags.output, ""));  // schedules replace no model
  LAPIS_TRY(const ModelOptions model, flags.model.model_options());
  LAPIS_TRY(const std::unique_ptr<Graph> graph, flags.model.load(flags.model.model, model));
  LAPIS_CHECK(spare_sources({flags.output}));
  MeasureOptions options;
  options.threads = flags.threads;
  options.rounds = flags.rounds;
  options.libraries = !flags.code_only;
  options.compile.host_calls = true;
  options.progress = progress_bar("measuring");
  const auto inputs_for = [&](const std::vector<IoInfo>& inputs) { return random_inputs(inputs, 1, graph.get()); };
  LAPIS_TRY(const ScheduleTrials trials,
            in_file(measure_schedules(*graph, inputs_for, options), flags.model.model, graph->name()));
  const std::string text = codegen::to_text(trials.best());
  LAPIS_CHECK(output.write(text));
  Report report = describe(trials, flags.output);
  report.on_stderr = output.is_stdout();
  return report;
}

}  // namespace

Action declare_schedule(Arguments& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.add_model(app);
  app.add_option("-o,--output", flags->output, "The schedules, for --schedules (- for standard output)")
      .required()
      .type_name("FILE");
  app.add_option("--threads", flags->threads, "Threads to measure with; 0: one per core")
      .capture_default_str()
      .check(integer_between(0, 1024));
  app.add_option("--rounds", flags->rounds, "Runs of each candidate, in turn; the least time counts")
      .capture_default_str()
      .check(integer_between(1, 10000));
  app.add_flag("--code-only", flags->code_only, "Try no kernel that is a library, which artifacts and objects refuse");
  return [flags] { return schedule(*flags); };
}

}  // namespace lapis::cli
