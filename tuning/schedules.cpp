#include "tuning/schedules.h"

#include <algorithm>
#include <limits>

#include "codegen/kernels/schedule.h"
#include "codegen/kernels/table.h"
#include "runtime/executable.h"

namespace lapis {
namespace {

// The model with one row for all contractions that it fits.
struct Candidate {
  codegen::Schedules schedules;                       // of these, complete
  std::vector<std::pair<size_t, std::string>> steps;  // of the program: contractions
  Session session;
};

Result<Candidate> make_candidate(const Graph& graph, const CompileOptions& options, int threads) {
  LAPIS_TRY(const Compiled compiled, compile(graph, options));
  LAPIS_TRY(const Executable executable, Executable::from(compiled.program));
  LAPIS_TRY(Session session, executable.session({.threads = threads, .profile = true}));
  Candidate candidate{codegen::schedules_of(compiled.plan), {}, std::move(session)};
  for (size_t s = 0; s < compiled.plan.steps.size(); ++s)
    if (const auto* c = std::get_if<Contraction>(&compiled.plan.steps[s].region))
      candidate.steps.emplace_back(s, c->name);
  return candidate;
}

// Contractions of the plan that the row fits and that nobody has given a schedule.
codegen::Schedules fitting(const Plan& plan, int row, const codegen::Schedules& given) {
  codegen::Schedules fit;
  for (const Step& step : plan.steps) {
    const auto* c = std::get_if<Contraction>(&step.region);
    if (!c || given.contains(c->name) || c->schedule.row == row) continue;
    if (kernels::choose(*c, plan.target, {.row = row}).ok()) fit[c->name] = {.row = row};
  }
  return fit;
}

class Measurement {
 public:
  explicit Measurement(const MeasureOptions& options) : options_(options) {}

  Result<ScheduleTrials> run(const Graph& graph, const InputsFor& inputs_for) {
    LAPIS_CHECK(add_candidates(graph));
    LAPIS_TRY(const std::vector<Tensor> inputs, inputs_for(candidates_.front().session.program().inputs));
    for (int round = 0; round <= options_.rounds; ++round) {  // the first one warms up
      for (size_t i = 0; i < candidates_.size(); ++i) LAPIS_CHECK(time(i, inputs, round > 0));
      if (options_.progress) options_.progress(round, options_.rounds);
    }
    return std::move(trials_);
  }

 private:
  Status add_candidates(const Graph& graph) {
    CompileOptions options = options_.compile;
    LAPIS_TRY(const Plan plan, lower_model(graph, options));
    LAPIS_CHECK(add(graph, options));
    const auto table = kernels::table();
    for (size_t row = 0; row < table.size(); ++row) {
      if (table[row].library() && !options_.libraries) continue;
      const codegen::Schedules fit = fitting(plan, static_cast<int>(row), options_.compile.schedules);
      if (fit.empty()) continue;
      options.schedules = options_.compile.schedules;
      options.schedules.insert(fit.begin(), fit.end());
      LAPIS_CHECK(add(graph, options));
    }
    return ok();
  }

  // The first candidate is the cost model's; of the others, what it has computed otherwise is tried.
  Status add(const Graph& graph, const CompileOptions& options) {
    LAPIS_TRY(Candidate candidate, make_candidate(graph, options, options_.threads));
    if (candidates_.empty())
      for (const auto& [step, name] : candidate.steps) trials_.contractions.push_back({name, {}});
    std::vector<ScheduleTrial*>& slots = slots_.emplace_back();
    LAPIS_ASSERT(candidate.steps.size() == trials_.contractions.size(), "schedules change the steps of a plan");
    for (size_t i = 0; i < candidate.steps.size(); ++i) {
      const Schedule& schedule = candidate.schedules.at(candidate.steps[i].second);
      std::vector<ScheduleTrial>& tried = trials_.contractions[i].tried;
      tried.reserve(kernels::table().size() + 1);  // slots stay where they are
      const bool is_new = tried.empty() || schedule != tried.front().schedule;
      if (is_new) tried.push_back({schedule, std::numeric_limits<double>::infinity()});
      slots.push_back(is_new ? &tried.back() : nullptr);
    }
    candidates_.push_back(std::move(candidate));
    return ok();
  }

  Status time(size_t index, const std::vector<Tensor>& inputs, bool counts) {
    Candidate& c = candidates_[index];
    c.session.reset_profile();
    LAPIS_CHECK(c.session.run(inputs));
    for (size_t i = 0; counts && i < c.steps.size(); ++i)
      if (ScheduleTrial* trial = slots_[index][i])
        trial->microseconds = std::min(trial->microseconds, c.session.step_nanoseconds()[c.steps[i].first] / 1e3);
    return ok();
  }

  const MeasureOptions& options_;
  ScheduleTrials trials_;
  std::vector<Candidate> candidates_;
  std::vector<std::vector<ScheduleTrial*>> slots_;  // of each candidate, its trial of each contraction, or none
};

}  // namespace

const ScheduleTrial& ContractionTrials::best() const {
  constexpr double kGain = 0.98;
  const auto fastest = std::ranges::min_element(tried, {}, &ScheduleTrial::microseconds);
  return fastest->microseconds < kGain * tried.front().microseconds ? *fastest : tried.front();
}

codegen::Schedules ScheduleTrials::best() const {
  codegen::Schedules schedules;
  for (const ContractionTrials& c : contractions) schedules.emplace(c.name, c.best().schedule);
  return schedules;
}

Result<ScheduleTrials> measure_schedules(const Graph& graph, const InputsFor& inputs_for,
                                         const MeasureOptions& options) {
  return Measurement(options).run(graph, inputs_for);
}

}  // namespace lapis
