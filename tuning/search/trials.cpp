#include <chrono>

#include "tuning/search/attribution.h"
#include "tuning/search/strategy.h"

namespace lapis {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Trials::Trials(Workbench& bench, const TuneConfig& config, const TuneObserver& observer, Workspace& workspace,
               History recorded)
    : bench_(bench), config_(config), observer_(observer), workspace_(workspace), random_(config.seed) {
  history_.fingerprint = recorded.fingerprint;
  history_.attribution = std::move(recorded.attribution);
  for (Trial& t : recorded.trials) recorded_.emplace(t.configuration.key(), std::move(t));
}

Status Trials::begin() {
  const Configuration fp32 = space().float32();
  const auto at = recorded_.find(fp32.key());
  keep(at != recorded_.end() ? at->second : measure(fp32), at == recorded_.end());
  LAPIS_CHECK(status_);
  if (!baseline().measured()) return error(ErrorKind::Mismatch, "the fp32 model: " + baseline().failure);
  if (history_.attribution) return ok();
  LAPIS_TRY(history_.attribution, measure_attribution(bench_, config_, observer_));
  return recorded_.empty() ? save() : ok();
}

const Trial* Trials::find(const Configuration& configuration) const {
  const auto at = known_.find(configuration.key());
  return at == known_.end() ? nullptr : at->second;
}

// Time is that of the trials, wherever they ran, so that a run that goes on has what is left of it.
bool Trials::spent() const {
  if (static_cast<int>(history_.trials.size()) > config_.exit.max_trials) return true;
  double seconds = 0;
  for (const Trial& t : history_.trials) seconds += t.seconds;
  return config_.exit.timeout_seconds > 0 && seconds >= config_.exit.timeout_seconds;
}

const Trial* Trials::run(const Configuration& configuration) {
  if (over_) return nullptr;
  if (const Trial* trial = find(configuration)) return trial;
  over_ = spent();
  if (over_) return nullptr;
  const auto at = recorded_.find(configuration.key());
  return at != recorded_.end() ? keep(at->second, false) : keep(measure(configuration), true);
}

const Trial* Trials::keep(Trial trial, bool is_new) {
  trial.number = static_cast<int>(history_.trials.size());
  history_.trials.push_back(std::move(trial));
  const Trial* kept = &history_.trials.back();
  known_[kept->configuration.key()] = kept;
  if (is_new) status_ = save();
  if (observer_.trial) observer_.trial(*kept);
  const bool first_pass = config_.exit.stop == ExitPolicy::Stop::FirstPass && kept->number > 0 && kept->passes;
  over_ = over_ || first_pass || !status_.ok();
  return kept;
}

Status Trials::save() { return workspace_.save(history_, bench_); }

Trial Trials::measure(const Configuration& configuration) {
  Trial trial;
  trial.number = static_cast<int>(history_.trials.size());
  trial.configuration = configuration;
  const auto start = std::chrono::steady_clock::now();
  if (const Status filled = fill_in(trial); !filled.ok()) {
    trial.failure = filled.diagnostics()[0].message;
    trial.passes = false;
    trial.score = trial.gain = trial.accuracy = 0;
  }
  trial.seconds = seconds_since(start);
  return trial;
}

Status Trials::fill_in(Trial& trial) {
  LAPIS_TRY(const Built built, bench_.build(trial.configuration));
  for (const NodeDecision& d : built.report.decisions) {
    Precisions& p = trial.precisions[d.op];
    ++(d.quantized ? p.int8 : p.fp32);
  }
  LAPIS_TRY(Runners runners, bench_.open(*built.graph));
  Answer answer = Answer::Passes;
  if (trial.configuration.all_fp32()) {
    trial.accuracy = bench_.baseline().value;
    trial.samples = static_cast<int64_t>(bench_.baseline().milliseconds.size());
    trial.unusable = bench_.baseline().unusable;
    const double allowed = config_.exit.latency_milliseconds
                               ? 0
                               : config_.criterion.allowed_loss(trial.accuracy, bench_.higher_is_better());
    answer = allowed >= 0 ? Answer::Passes : Answer::Fails;
  } else {
    LAPIS_CHECK(bench_.accuracy(runners, trial, answer));
  }
  LAPIS_TRY(const Workbench::Measured costs, bench_.costs(*built.graph, runners));
  trial.costs = costs.costs;
  trial.improvement = trial.configuration.all_fp32() ? 1 : config_.objectives.improvement(costs.costs, costs.baseline);
  judge(trial, answer);
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

}  // namespace lapis
