// Where Q/DQ pairs go. Planning needs no data: it names the values whose ranges calibration must collect; inserting
// then takes the ranges. The plan follows the operators' Quant column so that a convolutional network has no float
// island:
//   * Conv, Gemm and MatMul with constant weights take int8 operands;
//   * a pair stands behind the activation, never between a contraction and its activation (the accumulator is exact
// there), even if the activation is written out and reads it several times: x * Sigmoid(x);
//   * elementwise chains between feature maps stay in float registers: a pair only where a value is stored;
//   * operators that move or select values keep the scale of their operand;
//   * results that nothing in int8 reads stay float: the last Gemm has int8 operands and a float output;
//   * a contraction whose range is found during inference stands alone: it takes floats and gives floats (dynamic.h);
//   * pairs that the model has already stay as they are, and count as such:
//     only what they leave open is planned (own_scales.h).
#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "ir/graph.h"
#include "passes/quantize/calibrate.h"
#include "passes/quantize/damage.h"
#include "passes/quantize/own_scales.h"
#include "passes/quantize/params.h"
#include "passes/quantize/recipe.h"

namespace lapis {

struct PruneReport;  // passes/prune/prune.h

struct NodeDecision {
  std::string node, op;
  bool quantized = false;
  std::string note;    // how, or why not
  bool given = false;  // the model has it so: an operator on integers, which no recipe is about
};

struct Placement {
  std::vector<NodeDecision> decisions;  // one per node that computes, in order
  std::vector<Value*> values;           // that get a pair, in order of definition
  std::vector<RangeOptions> ranges;     // how the range of each of them is found
  std::vector<Scheme> schemes;          // and how they are stored
  std::unordered_set<const Node*> quantized;
  std::unordered_set<const Node*>
      dynamic;  // contractions whose data becomes bytes during inference; none of them in `quantized`
  std::unordered_set<const Node*>
      weights_alone;  // products of matrices whose data stays float; none of them in the two others
  NodeRecipes recipes;
  OwnScales own;         // that the model has
  Diagnostics warnings;  // nodes that the recipe names, but that cannot be int8 here
  std::vector<std::string> value_names() const;
  bool is_int8(const Node& node) const { return quantized.contains(&node) || dynamic.contains(&node); }
  bool in_fewer_bits(const Node& node) const { return is_int8(node) || weights_alone.contains(&node); }
};

struct QuantizedValue {
  std::string value;
  Range range;  // that the scale represents
  QuantParams params;
};

struct QuantizeReport {
  std::vector<NodeDecision> decisions;
  std::vector<QuantizedValue> values;
  std::vector<std::string> notes;  // scales that were not shared, and why
  Recipe recipe;                   // what was done: every node with its precision; quantizing by it does the same again
  std::optional<Damage> damage;    // on some of the samples; none: not measured
  std::shared_ptr<const PruneReport> pruned;  // what the recipe's `sparsity` did; null: it asks for none
  Diagnostics warnings;
  size_t quantized_count() const;
};

// What there is to calibrate with. Without it, what lacks a range in the model stays float.
enum class Calibrated : bool { No, Yes };

// Decides for a simplified model what of the recipe takes place. Fails on a recipe that does not fit the model or the
// target (resolve in recipe.h), and on readers of one value that want different ranges for it.
Result<Placement> plan_qdq(const Graph& graph, const Recipe& recipe = {}, const Target& target = Target::host(),
                           Calibrated calibrated = Calibrated::Yes);

// Weights of nodes that are not simply rounded to the nearest (rounded_weights.h).
struct IntegerTensors {
  Tensor values,
      scales;  // integers of the weight's shape; scales one for each output channel, or [inputs, outputs] of blocks
               // like the weight
  Tensor zero_points;  // like the scales; undefined if the scheme is symmetric
};
using RoundedOf = std::unordered_map<const Node*, IntegerTensors>;

// Inserts what was planned for this very graph. `ranges` holds every value of the plan.
QuantizeReport insert_qdq(Graph& graph, const Placement& placement, const Ranges& ranges, const Recipe& recipe = {},
                          const RoundedOf& rounded = {});

// The values that any placement of this model may want, whatever is excluded: one calibration of these serves a whole
// search.
std::vector<std::string> values_to_calibrate(const Graph& graph);

}  // namespace lapis
