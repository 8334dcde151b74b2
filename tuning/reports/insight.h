// What goes on inside of a model of a tuning run, beside the fp32 model:
// how its values and weights are distributed, and where its time goes.
// For the report and for TensorBoard.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "ir/graph.h"
#include "passes/quantize/damage.h"
#include "passes/quantize/histogram.h"
#include "tuning/search/history.h"

namespace lapis {

class Workbench;

// A stream of values, in constant memory.
struct Seen {
  Histogram histogram;
  double sum = 0, squares = 0;     // of the finite ones
  void add(const Tensor& values);  // of float32; others are passed over
  bool empty() const { return histogram.empty(); }
};

// One tensor in both models.
struct Distribution {
  std::string name;  // of the unit
  Seen fp32, trial;
};

// Milliseconds of one run that go to a unit, or to a step that belongs to none.
struct UnitTime {
  std::string name;
  double fp32 = 0, trial = 0;
};

struct Insight {
  int trial = -1;  // its number
  std::shared_ptr<const Graph> graph;
  std::unordered_set<std::string> int8;  // its nodes that compute in int8
  std::vector<Distribution> values,
      weights;                   // of units, in their order: what readers of their results see; their constant weights
  std::vector<UnitTime> times;   // the longest first
  std::optional<Damage> damage;  // of a quantized model against fp32, where the configuration asks for a diagnosis
  std::string problem;           // why there is less than that; empty: there is not
};

// Looks into one model after the other; what it finds in the fp32 model is found once.
class Insights {
 public:
  // On the samples that the effects of nodes are measured on.
  // Values are counted as they are computed, at most kAtOnce of a sample in memory.
  const Insight& of(const Trial& trial, Workbench& bench);

 private:
  static constexpr size_t kAtOnce = 64;
  Status look(const Trial& trial, Workbench& bench);
  Status watch_fp32(Workbench& bench);
  Status watch_trial(Workbench& bench);
  Status compare_times(Workbench& bench);

  Insight insight_;
  std::vector<std::string> watched_;  // the value of each unit in the fp32 model
  std::vector<Seen> fp32_;
  std::map<std::string, double> fp32_times_;
};

}  // namespace lapis
