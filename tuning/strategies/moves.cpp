#include "tuning/strategies/moves.h"

#include <algorithm>
#include <numeric>

namespace lapis {

static const Trial* best_of(Trials& trials, const Trial* best, const std::vector<Configuration>& all) {
  trials.run_ahead(all);
  for (const Configuration& c : all) {
    const Trial* trial = trials.run(c);
    if (!trial) return best;
    if (!best || better(*trial, *best)) best = trial;
  }
  return best;
}

const Trial* try_candidates(Trials& trials) {
  const Trial* best = nullptr;
  std::vector<Configuration> all;
  for (const size_t c : trials.space().bases()) all.push_back(trials.space().int8(c));
  return best_of(trials, best, all);
}

const Trial* try_variants(Trials& trials, const Trial* best) {
  return best_of(trials, best, trials.space().variants_of(best->configuration));
}

static void run_prefixes_ahead(Trials& trials, Configuration so_far, const std::vector<size_t>& order) {
  std::vector<Configuration> all;
  for (const size_t unit : order) all.push_back(so_far = so_far.with(unit, true));
  trials.run_ahead(all);
}

const Trial* accumulate(Trials& trials, const Trial* from, const std::vector<size_t>& order, Keep keep) {
  const Trial* best = from;
  Configuration so_far = from->configuration;
  if (keep == Keep::All) run_prefixes_ahead(trials, so_far, order);
  for (const size_t unit : order) {
    const Configuration next = so_far.with(unit, true);
    if (next == so_far || next.all_fp32()) continue;
    const Trial* trial = trials.run(next);
    if (!trial) return best;
    if (better(*trial, *best)) best = trial;
    if (keep == Keep::All || best == trial) so_far = next;
  }
  return best;
}

void accumulate_twice(Trials& trials, const Trial* from, const std::vector<size_t>& order) {
  for (const Keep keep : {Keep::IfBetter, Keep::All}) accumulate(trials, from, order, keep);
}

static Configuration toggled(const Configuration& c, size_t unit) { return c.with(unit, !c.fp32[unit]); }

const Trial* toggle_each(Trials& trials, const Trial* best, const std::vector<size_t>& order) {
  for (size_t i = 0; i < order.size(); ++i) {
    std::vector<Configuration> likely;  // unless one of them is better
    for (size_t k = i; k < std::min(i + trials.width(), order.size()); ++k)
      likely.push_back(toggled(best->configuration, order[k]));
    trials.run_ahead(likely);
    const Configuration next = likely.front();
    if (next.all_fp32()) continue;
    const Trial* trial = trials.run(next);
    if (!trial) return best;
    if (better(*trial, *best)) best = trial;
  }
  return best;
}

std::vector<size_t> descending(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] > values[b]; });
  return order;
}

uint64_t below(std::mt19937_64& random, uint64_t limit) { return random() % limit; }

double unit_interval(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }

Configuration random_configuration(Trials& trials) {
  const SearchSpace& space = trials.space();
  const size_t units = space.units.size();
  Configuration c = space.int8(below(trials.random(), space.candidates.size()));
  std::vector<size_t> order(units);
  std::iota(order.begin(), order.end(), size_t{0});
  const size_t in_fp32 = below(trials.random(), units);
  for (size_t i = 0; i < in_fp32; ++i) {
    std::swap(order[i], order[i + below(trials.random(), units - i)]);
    c.fp32[order[i]] = true;
  }
  return c;
}

std::optional<Configuration> new_configuration(Trials& trials, const std::vector<Configuration>& but) {
  constexpr int kDraws = 1000;
  for (int i = 0; i < kDraws; ++i) {
    const Configuration c = random_configuration(trials);
    if (!trials.known(c) && std::find(but.begin(), but.end(), c) == but.end()) return c;
  }
  return std::nullopt;
}

}  // namespace lapis
