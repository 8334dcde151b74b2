// What a tuning run is to achieve: how much accuracy may be lost, what is to get better, and when the search ends.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace lapis {

// Exactly one of the three is given.
struct AccuracyCriterion {
  std::optional<double> relative;  // may be lost, as a share of the fp32 model's value
  std::optional<double> absolute;  // may be lost, in the metric's own unit
  std::optional<double> value;     // must be reached, whatever the fp32 model reaches
  double confidence = 0.95;        // of answers before the last sample; 1: every trial sees all samples

  // What may be lost against a baseline of this value; negative where more than it is asked for.
  double allowed_loss(double baseline, bool higher_is_better) const;
};

// What one run of a model costs.
struct Costs {
  double milliseconds = 0;
  double throughput = 0;    // runs a second, one model a core; 0: not measured
  double size_bytes = 0;    // of the weights in the model file
  double memory_bytes = 0;  // while it runs: code, weights and working memory; 0: not measured
};

enum class Objective { Latency, Throughput, ModelSize, MemoryFootprint };
std::string_view name_of(Objective objective);
std::optional<Objective> objective_from_name(std::string_view name);
std::vector<std::string> objective_names();

// How many times better than the baseline, by each objective, and their weighted mean. It depends on the trial alone,
// not on what else was tried, so that an order of trials never changes, and no failing trial can come level with a
// passing one by a common scale.
struct Objectives {
  struct Weighted {
    Objective objective;
    double weight;
  };
  std::vector<Weighted> of = {{Objective::Latency, 1}};

  bool contain(Objective objective) const;
  double improvement(const Costs& costs, const Costs& baseline) const;
};

struct ExitPolicy {
  enum class Stop {
    Budget,
    FirstPass
  };  // "budget": the best of what time and trials allow; "first_pass": the first that is good enough
  Stop stop = Stop::Budget;
  int max_trials = 100;
  double timeout_seconds = 0;  // 0: none
  std::optional<double>
      latency_milliseconds;  // the most accurate model within this latency, instead of the best within an accuracy
};

}  // namespace lapis
