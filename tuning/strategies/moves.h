// Moves that several strategies make. Each gives null, or stops early, where the search is over.
#pragma once

#include "tuning/search/strategy.h"

namespace lapis {

// The model all in int8 by each candidate; the best of them.
const Trial* try_candidates(Trials& trials);
// The best trial with everything on top that there is; the best of all.
const Trial* try_variants(Trials& trials, const Trial* best);

// Units go to fp32 in this order, each on top of what is kept so far:
// all are kept, or only those that make a better trial.
enum class Keep { All, IfBetter };
const Trial* accumulate(Trials& trials, const Trial* from, const std::vector<size_t>& order, Keep keep);
// Keeping what is better, then, from the beginning again, all.
void accumulate_twice(Trials& trials, const Trial* from, const std::vector<size_t>& order);

// Changes single units of the best trial, in this order, and keeps what is better.
const Trial* toggle_each(Trials& trials, const Trial* best, const std::vector<size_t>& order);

// Indices 0 .. values.size(), the largest value first; equal ones in their order.
std::vector<size_t> descending(const std::vector<double>& values);

uint64_t below(std::mt19937_64& random, uint64_t limit);
double unit_interval(std::mt19937_64& random);
// Any candidate, and as many units in fp32 as comes, from none to all but one.
Configuration random_configuration(Trials& trials);
// One that was not tried and is none of these; nullopt if a thousand draws find none.
std::optional<Configuration> new_configuration(Trials& trials, const std::vector<Configuration>& but = {});

}  // namespace lapis
