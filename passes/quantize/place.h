// Where Q/DQ pairs go. Planning needs no data: it names the values whose ranges calibration must collect; inserting
// then takes the ranges. The plan follows the operators' Quant column so that a convolutional network has no float
// island:
//   * Conv, Gemm and MatMul with constant weights take int8 operands;
//   * a pair stands behind the activation, never between a contraction and its activation (the accumulator is exact
// there);
//   * elementwise chains between feature maps stay in float registers: a pair only where a value is stored;
//   * operators that move or select values keep the scale of their operand;
//   * results that nothing in int8 reads stay float: the last Gemm has int8 operands and a float output.
#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "ir/graph.h"
#include "passes/quantize/calibrate.h"
#include "passes/quantize/params.h"

namespace lapis {

struct PlacementOptions {
  std::vector<std::string> exclude_nodes;            // names
  std::vector<std::string> exclude_patterns;         // regular expressions (ECMAScript) for whole names
  std::vector<std::string> exclude_types;            // "Conv"
  bool quantize_first = true, quantize_last = true;  // of the contractions, in execution order
  bool per_channel = true;                           // of weights
  double share_limit = 8;  // operands of Concat share a scale only if their ranges differ by no more than this factor
};

struct NodeDecision {
  std::string node, op;
  bool quantized = false;
  std::string note;  // how, or why not
};

struct Placement {
  std::vector<NodeDecision> decisions;  // one per node, in order
  std::vector<Value*> values;           // that get a pair, in order of definition
  std::unordered_set<const Node*> quantized;
  std::vector<std::string> value_names() const;
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
  Diagnostics warnings;
  size_t quantized_count() const;
};

// Decides for a simplified float model. Fails on a bad pattern, an unknown node name, or a model that is quantized
// already.
Result<Placement> plan_qdq(const Graph& graph, const PlacementOptions& options = {});

// Inserts what was planned for this very graph. `ranges` holds every value of the plan.
QuantizeReport insert_qdq(Graph& graph, const Placement& placement, const Ranges& ranges,
                          const PlacementOptions& options = {});

// The values that any placement of this model may want, whatever is excluded: one calibration of these serves a whole
// search.
std::vector<std::string> values_to_calibrate(const Graph& graph);

}  // namespace lapis
