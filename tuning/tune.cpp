#include "tuning/tune.h"

#include <algorithm>
#include <cstdio>

#include "base/content_hash.h"
#include "base/stopwatch.h"
#include "tuning/strategies/moves.h"

namespace lapis {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

// Of everything that decides what is measured and in which order.
Result<std::string> fingerprint_of(const TuneConfig& config, const SearchSpace& space) {
  Hasher hash;
  for (const Path& file : {config.model, config.data, config.calibration}) {
    if (file.empty()) continue;
    LAPIS_TRY(const MappedFile bytes, map_file(file));
    hash.add(content_hash(bytes.bytes()));
  }
  for (const Candidate& c : space.candidates) hash.add(to_yaml(c.recipe));
  for (const NodeGroup& u : space.units)
    for (const std::string& node : u.nodes) hash.add(node);
  for (const auto& [symbol, extent] : config.shapes.dims) hash.add(symbol + "=" + std::to_string(extent));
  for (const auto& [input, shape] : config.shapes.shapes) hash.add(input + to_string(shape));
  for (const auto& [input, value] : config.shapes.values) hash.add(input + "=" + value.to_string());
  hash.add(config.strategy);
  hash.add(config.target);
  for (const int64_t n :
       {int64_t{config.threads}, config.calibration_samples, config.samples, config.sensitivity_samples,
        static_cast<int64_t>(config.seed), int64_t{config.higher_is_better.value_or(true)}})
    hash.add(static_cast<uint64_t>(n));
  const AccuracyCriterion& c = config.criterion;
  for (const std::optional<double>& v :
       {c.relative, c.absolute, c.value, std::optional(c.confidence), config.exit.latency_milliseconds})
    hash.add(v ? number(*v) : "none");
  for (const Objectives::Weighted& w : config.objectives.of)
    hash.add(std::string(name_of(w.objective)) + number(w.weight));
  return hex(hash.value());
}

std::string target_of(const TuneConfig& config, const TuneResult& result) {
  if (const auto limit = config.exit.latency_milliseconds) return "at most " + number(*limit) + " ms";
  const double fp32 = result.history.trials.front().accuracy;
  return result.metric + (result.higher_is_better ? " of at least " : " of at most ") +
         number(result.higher_is_better ? fp32 - result.allowed_loss : fp32 + result.allowed_loss);
}

// Of trials that gave no number, and why the first of them did not.
std::string failures(const std::deque<Trial>& trials) {
  const auto failed = [](const Trial& t) { return !t.measured(); };
  const auto first = std::find_if(trials.begin(), trials.end(), failed);
  if (first == trials.end()) return "";
  return "; " + std::to_string(std::count_if(trials.begin(), trials.end(), failed)) +
         " of them could not be measured, trial " + std::to_string(first->number) + ": " + first->failure;
}

std::string missed(const TuneConfig& config, const TuneResult& result) {
  const Trial &fp32 = result.history.trials.front(), &best = *result.history.best();
  const std::string target = target_of(config, result), trials = std::to_string(result.history.trials.size() - 1);
  if (!fp32.passes)
    return "the target is out of reach: " + target + " is asked for, and the fp32 model itself has " +
           (config.exit.latency_milliseconds ? number(fp32.costs.milliseconds) + " ms" : number(fp32.accuracy)) +
           "; of " + trials + " trials the nearest is trial " + std::to_string(best.number) + " with " +
           number(best.accuracy) + " in " + number(best.costs.milliseconds) + " ms" + failures(result.history.trials);
  return "no quantized model of " + trials + " trials meets the target of " + target +
         ", only fp32 does; the nearest is trial " + std::to_string(best.number) + " with " + number(best.accuracy) +
         failures(result.history.trials);
}

std::string verdict_of(const TuneConfig& config, const TuneResult& result) {
  if (!result.history.met()) return missed(config, result);
  const Trial& best = *result.history.best();
  if (best.number == 0)
    return "quantized models meet the target of " + target_of(config, result) +
           ", but none is better than fp32 by the objective: the best model is fp32";
  return "trial " + std::to_string(best.number) + " meets the target of " + target_of(config, result) + ": " +
         result.metric + " " + number(best.accuracy) + " against " + number(result.history.trials.front().accuracy) +
         " in fp32, " + number(best.costs.milliseconds) + " ms, " + number(best.improvement) +
         " times better by the objective";
}

Status check(const TuneConfig& config) {
  const AccuracyCriterion& c = config.criterion;
  const int given = c.relative.has_value() + c.absolute.has_value() + c.value.has_value();
  if (given == (config.exit.latency_milliseconds ? 0 : 1)) return ok();
  return error(ErrorKind::Usage,
               "exactly one of `relative`, `absolute`, `value` and a latency limit says what is to be reached")
      .help("fill in TuneConfig::criterion, or exit.latency_milliseconds");
}

TuneResult result_of(const TuneConfig& config, const Workbench& bench, const Trials& trials,
                     const Workspace& workspace) {
  TuneResult result;
  result.history = trials.history();
  result.space = bench.space();
  result.metric = bench.baseline().metric;
  result.higher_is_better = bench.higher_is_better();
  result.samples = trials.baseline().samples;
  result.allowed_loss = config.exit.latency_milliseconds
                            ? 0
                            : config.criterion.allowed_loss(trials.baseline().accuracy, bench.higher_is_better());
  result.best = workspace.best_file();
  result.history_file = workspace.history_file();
  result.diagnosis = workspace.diagnosis();
  result.warnings = bench.warnings();
  const Attribution& a = *trials.history().attribution;
  if (const size_t measured = a.measured(); measured < a.units.size())
    result.warnings.push_back(warning("there was time to measure the effects of " + std::to_string(measured) + " of " +
                                      std::to_string(a.units.size()) +
                                      " nodes; the others count as ones that neither hurt nor save anything")
                                  .at(config.model.filename().string())
                                  .help("give the run more time: `exit_policy: {timeout: ...}`"));
  result.verdict = verdict_of(config, result);
  return result;
}

}  // namespace

Result<TuneResult> tune(const TuneConfig& config, const TuneOptions& options) {
  const Stopwatch watch;
  LAPIS_CHECK(check(config));
  LAPIS_TRY(Team team, Team::from_environment(config.workspace));
  const TuneObserver observer = team.speaks() ? options.observer : TuneObserver();
  LAPIS_TRY(Workspace workspace, Workspace::open(config.workspace, options.begin, config.tensorboard, team));
  LAPIS_TRY(const std::unique_ptr<Workbench> bench, Workbench::make(config, observer, team));
  LAPIS_TRY(const std::string fingerprint, fingerprint_of(config, bench->space()));
  LAPIS_TRY(History recorded, workspace.recorded(bench->space(), fingerprint, team));
  LAPIS_TRY(const double before, team.agreed("seconds before trials", watch.seconds()));
  Trials trials(*bench, config, observer, workspace, std::move(recorded), before);
  LAPIS_CHECK(trials.begin());
  const std::shared_ptr<Strategy> strategy = options.strategy ? options.strategy : make_strategy(config.strategy);
  LAPIS_CHECK(strategy->search(trials));
  if (const Trial* best = trials.history().best()) try_variants(trials, best);
  LAPIS_CHECK(trials.status());
  LAPIS_CHECK(trials.confirm_best());
  LAPIS_CHECK(trials.save_last());
  TuneResult result = result_of(config, *bench, trials, workspace);
  result.speaks = team.speaks();
  return result;
}

}  // namespace lapis
