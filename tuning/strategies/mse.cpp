// Units to fp32 in the order of the error of their values: of each one's own values between the fp32 and the quantized
// model, relative to the signal (strategy mse of Intel Neural Compressor, which scales both tensors to [0, 1] instead).
// No trial is spent on the order.
#include "tuning/strategies/moves.h"
#include "tuning/strategies/strategies.h"

namespace lapis::strategies {
namespace {

std::string last_value(const Graph& graph, const NodeGroup& unit) {
  for (const Node* node : graph.nodes())
    if (node->name() == unit.nodes.back() && node->output()->dtype() == DType::Float32) return node->output()->name();
  return "";
}

Result<std::vector<double>> value_errors(Trials& trials, const Configuration& configuration) {
  Workbench& bench = trials.bench();
  std::vector<std::string> names, watched;
  for (const NodeGroup& unit : trials.space().units) names.push_back(last_value(bench.graph(), unit));
  for (const std::string& name : names)
    if (!name.empty()) watched.push_back(name);
  LAPIS_TRY(const Built built, bench.build(configuration));
  LAPIS_TRY(const std::vector<Feeds> wanted, bench.values(bench.graph(), watched));
  LAPIS_TRY(const std::vector<Feeds> got, bench.values(*built.graph, watched));
  std::vector<double> errors;
  for (const std::string& name : names) {
    Powers powers;
    for (size_t s = 0; s < wanted.size() && !name.empty(); ++s) powers.add(wanted[s].at(name), got[s].at(name));
    errors.push_back(powers.ratio());
  }
  return errors;
}

}  // namespace

Status mse(Trials& trials) {
  const Trial* best = try_candidates(trials);
  if (!best || !best->measured()) return ok();
  LAPIS_TRY(const std::vector<double> errors, value_errors(trials, best->configuration));
  const std::vector<size_t> order = descending(errors);
  const Trial* const whole = best;
  accumulate_twice(trials, whole, order);
  return ok();
}

}  // namespace lapis::strategies
