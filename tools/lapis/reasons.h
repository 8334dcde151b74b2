// Why nodes of a model do not compute in int8: the predicate that failed, by the names of the model's nodes.
//
//   LAPIS_TRY(const Reasons reasons, Reasons::of(*graph, recipe, target));
//   reasons.why("/encoder/Softmax");   // "there is no int8 form of Softmax"
#pragma once

#include "passes/pass.h"
#include "passes/quantize/recipe.h"

namespace lapis::cli {

class Reasons {
 public:
  // Of a float model, what quantization by the recipe would say;
  // of a quantized one, what is missing, or what the integer form refused.
  static Result<Reasons> of(const Graph& model, const Recipe& recipe, const Target& target);

  // "" of what is unknown here: nodes that passes made, or took away.
  std::string why(const std::string& node) const;
  // The operator that the node had in the model, or null.
  const OpDef* op(const std::string& node) const;
  bool quantized() const { return quantized_; }

 private:
  Status plan(const Graph& model, const Recipe& recipe, const Target& target);
  Status look_behind(const Graph& model, const Target& target);
  void note(const Node& node, const std::string& reason);

  bool quantized_ = false;
  std::unordered_map<std::string, std::string> reasons_;
  std::unordered_map<std::string, const OpDef*> ops_;
};

// A value with a Q/DQ pair: what its integers stand for.
struct QuantizedRange {
  std::string value, type;  // "uint8"
  double scale = 0;
  int64_t zero_point = 0;
  double low = 0, high = 0;
};
// Those with one scale, in order.
std::vector<QuantizedRange> ranges_of(const Graph& model);

}  // namespace lapis::cli
