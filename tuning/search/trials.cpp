#include <set>

#include "base/stopwatch.h"
#include "tuning/search/attribution.h"
#include "tuning/search/strategy.h"

namespace lapis {
namespace {

void fail(Trial& trial, const Status& why) {
  trial.failure = why.diagnostics()[0].message;
  trial.passes = trial.early = false;
  trial.score = trial.gain = trial.accuracy = 0;
}

std::map<std::string, Precisions> precisions_of(const Built& built) {
  std::set<std::string_view> bf16;
  for (const Bf16Decision& d : built.mixed.decisions)
    if (d.bf16) bf16.insert(d.node);
  std::map<std::string, Precisions> found;
  for (const NodeDecision& d : built.report.decisions) {
    Precisions& p = found[d.op];
    ++(d.quantized ? p.int8 : bf16.contains(d.node) ? p.bf16 : p.fp32);
  }
  return found;
}

// Of the time that there is for all: what nodes do to the model may take so much of what is left,
// so that trials have the rest.
constexpr double kShareOfAttribution = 0.5;

// What ranks know a trial by.
std::string name_of(const Configuration& configuration) { return "trial " + configuration.key(); }

}  // namespace

Trials::Trials(Workbench& bench, const TuneConfig& config, const TuneObserver& observer, Workspace& workspace,
               History recorded, double seconds_before)
    : bench_(bench),
      config_(config),
      observer_(observer),
      workspace_(workspace),
      seconds_before_(seconds_before),
      random_(config.seed) {
  history_.fingerprint = recorded.fingerprint;
  history_.attribution = std::move(recorded.attribution);
  for (Trial& t : recorded.trials) recorded_.emplace(t.configuration.key(), std::move(t));
  for (Trial& t : recorded.whole) recorded_whole_.emplace(t.configuration.key(), std::move(t));
}

Status Trials::begin() {
  const Configuration fp32 = space().float32();
  const auto at = recorded_.find(fp32.key());
  keep(at != recorded_.end() ? at->second : measure(fp32), at == recorded_.end());
  LAPIS_CHECK(status_);
  if (!baseline().measured()) return error(ErrorKind::Mismatch, "the fp32 model: " + baseline().failure);
  if (history_.attribution) return ok();
  std::optional<double> limit;
  if (config_.exit.timeout_seconds > 0) limit = kShareOfAttribution * (config_.exit.timeout_seconds - seconds());
  LAPIS_TRY(history_.attribution, measure_attribution(bench_, config_, observer_, limit));
  return recorded_.empty() ? save() : ok();
}

const Trial* Trials::find(const Configuration& configuration) const {
  const auto at = known_.find(configuration.key());
  return at == known_.end() ? nullptr : at->second;
}

// Everything that this run or one that it goes on from has measured, wherever it ran, and what this run did before.
double Trials::seconds() const {
  double sum = seconds_before_ + (history_.attribution ? history_.attribution->seconds : 0);
  for (const auto& trials : {&history_.trials, &history_.whole})
    for (const Trial& t : *trials) sum += t.seconds;
  return sum;
}

// However little time there is, it gives one quantized model.
bool Trials::spent() const {
  if (static_cast<int>(history_.trials.size()) > config_.exit.max_trials) return true;
  return history_.trials.size() > 1 && config_.exit.timeout_seconds > 0 && seconds() >= config_.exit.timeout_seconds;
}

const Trial* Trials::run(const Configuration& configuration) {
  if (over_) return nullptr;
  if (const Trial* trial = find(configuration)) return trial;
  over_ = spent();
  if (over_) return nullptr;
  const auto at = recorded_.find(configuration.key());
  return at != recorded_.end() ? keep(at->second, false) : keep(measure(configuration), true);
}

void Trials::run_ahead(const std::vector<Configuration>& configurations) {
  if (bench_.team().alone() || over_ || spent()) return;
  const size_t room = static_cast<size_t>(config_.exit.max_trials) + 1 - history_.trials.size();
  std::vector<Configuration> wanted;
  std::vector<std::string> names;
  for (const Configuration& c : configurations) {
    if (space().is_untouched(c) || known(c) || recorded_.contains(c.key()) || wanted.size() == room) continue;
    wanted.push_back(c);
    names.push_back(name_of(c));
  }
  for (size_t i = 0; i < wanted.size(); ++i) {
    const auto made = bench_.team().piece(
        names, i, [&](size_t k) -> Result<std::string> { return to_json(measured(wanted[k], By::ThisRank)); });
    if (!made.ok()) return;  // run() says so, if it comes to that
  }
}

const Trial* Trials::keep(Trial trial, bool is_new) {
  trial.number = static_cast<int>(history_.trials.size());
  history_.trials.push_back(std::move(trial));
  const Trial* kept = &history_.trials.back();
  known_[kept->configuration.key()] = kept;
  if (is_new && status_.ok()) status_ = save();
  if (observer_.trial) observer_.trial(*kept);
  const bool first_pass = config_.exit.stop == ExitPolicy::Stop::FirstPass && kept->number > 0 && kept->passes;
  over_ = over_ || !status_.ok() || (first_pass && confirm(*kept).passes);
  return kept;
}

Status Trials::save() { return bench_.team().speaks() ? workspace_.save(history_, bench_) : ok(); }

Status Trials::save_last() {
  return bench_.team().conclude([&] { return workspace_.save(history_, bench_); });
}

// ---- measuring ------------------------------------------------------------------------------------------------------

// What one rank has measured, for all of them.
Trial Trials::agreed(const std::string& name, const std::function<Trial()>& measure) {
  if (bench_.team().alone()) return measure();
  const auto shared = [&]() -> Result<Trial> {
    LAPIS_TRY(const std::string text,
              bench_.team().once(name, [&]() -> Result<std::string> { return to_json(measure()); }));
    return parse_trial(text, space(), name);
  }();
  if (shared.ok()) return *shared;
  status_ = shared.diagnostics();
  Trial failed;
  fail(failed, status_);
  return failed;
}

Trial Trials::measure(const Configuration& configuration) { return measured(configuration, By::AllRanks); }

// Ranks evaluate a trial together; what a clock or the memory says is measured by one of them.
Trial Trials::measured(const Configuration& configuration, By by) {
  Trial trial;
  trial.number = static_cast<int>(history_.trials.size());
  trial.configuration = configuration;
  trial.on_top = space().candidates[configuration.candidate].on_top;
  const Stopwatch watch;
  const std::string name = by == By::AllRanks ? name_of(configuration) : "";
  Opened opened;
  Status done = bench_.team().has(name) ? ok() : evaluate(trial, opened, name);
  const auto finished = [&] {
    if (done.ok()) done = weigh(trial, opened);
    if (!done.ok()) fail(trial, done);
    trial.seconds = watch.seconds();
    return trial;
  };
  return by == By::AllRanks ? agreed(name, finished) : finished();
}

Status Trials::open(const Trial& trial, Opened& opened) {
  LAPIS_TRY(opened.built, bench_.build(trial.configuration));
  LAPIS_TRY(opened.runners, bench_.open(*opened.built.graph));
  return ok();
}

Status Trials::evaluate(Trial& trial, Opened& opened, const std::string& name) {
  LAPIS_CHECK(open(trial, opened));
  trial.precisions = precisions_of(opened.built);
  if (!space().is_untouched(trial.configuration))
    return bench_.accuracy(opened.runners, trial, opened.answer, Workbench::Samples::Enough, name);
  trial.accuracy = bench_.baseline().value;
  trial.samples = static_cast<int64_t>(bench_.baseline().milliseconds.size());
  trial.unusable = bench_.baseline().unusable;
  const double allowed =
      config_.exit.latency_milliseconds ? 0 : config_.criterion.allowed_loss(trial.accuracy, bench_.higher_is_better());
  opened.answer = allowed >= 0 ? Answer::Passes : Answer::Fails;
  return ok();
}

Status Trials::weigh(Trial& trial, Opened& opened) {
  LAPIS_TRY(const Workbench::Measured costs, bench_.costs(*opened.built.graph, opened.runners));
  trial.costs = costs.costs;
  trial.improvement =
      space().is_untouched(trial.configuration) ? 1 : config_.objectives.improvement(costs.costs, costs.baseline);
  judge(trial, opened.answer);
  return ok();
}

void Trials::judge(Trial& trial, Answer answer) const {
  if (const auto limit = config_.exit.latency_milliseconds) {
    trial.passes = trial.costs.milliseconds <= *limit;
    trial.score = trial.passes ? trial.gain : -trial.costs.milliseconds;
  } else {
    trial.passes = answer == Answer::Passes;
    trial.score = trial.passes ? trial.improvement : trial.gain;
  }
}

// ---- on all samples -------------------------------------------------------------------------------------------------

Trial Trials::measure_whole(const Trial& trial) {
  Trial whole = trial;
  const Stopwatch watch;
  const std::string name = "whole " + trial.configuration.key();
  const Status done = [&]() -> Status {
    Opened opened;
    LAPIS_CHECK(open(trial, opened));
    LAPIS_CHECK(bench_.accuracy(opened.runners, whole, opened.answer, Workbench::Samples::All, name));
    judge(whole, opened.answer);
    return ok();
  }();
  if (!done.ok()) fail(whole, done);
  whole.seconds = watch.seconds();
  return agreed(name, [&] { return whole; });
}

const Trial& Trials::confirm(const Trial& trial) {
  if (!trial.early) return trial;
  const auto at = recorded_whole_.find(trial.configuration.key());
  Trial whole = at != recorded_whole_.end() ? at->second : measure_whole(trial);
  whole.number = trial.number;
  history_.whole.push_back(std::move(whole));
  if (status_.ok()) status_ = save();
  if (observer_.trial) observer_.trial(history_.whole.back());
  return history_.whole.back();
}

Status Trials::confirm_best() {
  while (status_.ok()) {
    const Trial* best = history_.best();
    if (!best || !best->early) break;
    confirm(*best);
  }
  return status_;
}

}  // namespace lapis
