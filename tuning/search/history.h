// What a tuning run has found so far: every trial with what was measured, which of them is best, and which no other one
// beats in both accuracy and cost. It is saved after every trial and read again by a run that goes on
// (tuning/search/workspace.h).
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "tuning/search/goal.h"
#include "tuning/search/space.h"

namespace lapis {

// Nodes of one operator.
struct Precisions {
  int int8 = 0, fp32 = 0, bf16 = 0;
};

struct Trial {
  int number = 0;  // 0: the fp32 model
  Configuration configuration;
  std::string failure;  // why nothing could be measured; empty: it was
  std::string on_top;   // of quantization: "25 % pruned, bf16"; empty: nothing

  double accuracy = 0;  // the metric on all samples; an estimate where `early`
  double gain = 0;      // of accuracy over the fp32 model, whichever sign is the better one: negative values are losses
  double gain_low = 0, gain_high = 0;
  int64_t samples = 0;   // that were evaluated
  bool early = false;    // the answer was clear before the last sample
  int64_t unusable = 0;  // of them had NaN in the output
  Costs costs;
  double improvement = 0;                        // by the objectives; the fp32 model has 1
  std::map<std::string, Precisions> precisions;  // by operator

  bool passes = false;
  double score = 0;  // orders trials that pass, and those that do not, among themselves
  double seconds = 0;

  bool measured() const { return failure.empty(); }
  size_t int8_nodes() const;
};

// One that passes before one that does not, then by score, then by accuracy.
bool better(const Trial& a, const Trial& b);

// What one unit does to the model.
struct UnitEffect {
  double noise =
      0;  // noise to signal of the outputs when nothing else is int8 (on calibration samples, without labels)
  double milliseconds = 0;  // that int8 saves, measured in the model that is int8 otherwise
  double gain = 0;          // of improvement, by the objectives
  bool measured = true;     // false: its time was up, and it counts as one that neither hurts nor saves anything
};

struct Attribution {
  size_t candidate = 0;
  double noise = 0;  // when all units are int8
  std::vector<UnitEffect> units;
  double seconds = 0;  // that measuring took
  // Those that hurt most, first; no more than `most` of those that hurt at all.
  std::vector<size_t> worst(size_t most) const;
  size_t measured() const;  // units
};

double decibels(double noise);  // SQNR; 200 where there is no noise

struct History {
  std::string fingerprint;  // of everything that decides what is measured and in which order
  std::optional<Attribution> attribution;
  std::deque<Trial> trials;  // the fp32 model first, as the search saw them; they stay where they are
  std::deque<Trial> whole;   // of them, those that were measured again on all samples

  // As measured on all samples, if it was.
  const Trial& confirmed(const Trial& trial) const;
  const Trial* best_quantized() const;  // null: there is none
  // The best quantized model; the fp32 model where it is better than the best one that passes, or there is no other.
  const Trial* best() const;
  // Trials that no other one beats in accuracy without losing improvement, most accurate first.
  std::vector<const Trial*> front() const;
  bool met() const;  // a quantized model passes
};

std::string to_json(const History& history, const SearchSpace& space);
// One trial, and back.
std::string to_json(const Trial& trial);
Result<Trial> parse_trial(const std::string& text, const SearchSpace& space, const std::string& where);
// Reads what to_json wrote for the same space.
Result<History> parse_history(const std::string& text, const SearchSpace& space, const std::string& where);

}  // namespace lapis
