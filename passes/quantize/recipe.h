// Recipe: how each node of a model is to compute. A default for all nodes, and rules that change it for some of them,
// the later ones winning. It reads and prints as YAML (tuning/recipe.h, docs/quantization.md).
//
//   Recipe recipe;
//   recipe.defaults.range.method = RangeMethod::MinMax;
//   recipe.keep_float({Selector::By::Pattern, "encoder/.*"});
//   recipe.set({Selector::By::Type, "Conv"}, {.weights = {.granularity = Granularity::Tensor}});
//
// What an operator cannot do on the target (its `quant` column) is an error that names the setting:
// nothing is dropped in silence.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "ir/graph.h"
#include "ir/quant.h"
#include "passes/prune/sparsity.h"

namespace lapis {

// (ranges.h)
enum class RangeMethod : uint8_t {
  MinMax,         // "minmax": everything seen
  Percentile,     // "percentile": that share of all values, the rest cut off evenly at both ends
  MovingAverage,  // "moving_average": of the extremes of each sample
  Entropy,        // "entropy": the least Kullback-Leibler divergence between the values and their bytes
  Mse,            // "mse": the least mean squared error of the values' bytes
  Dynamic,        // "dynamic": of the values of this very inference, found in it; for Conv, Gemm and MatMul
};

// How the range of a value follows from the values that calibration saw.
struct RangeOptions {
  RangeMethod method = RangeMethod::Mse;
  double percentile = 99.999;
  bool operator==(const RangeOptions&) const = default;
};

// How weights become integers.
enum class WeightAlgorithm : uint8_t {
  Round,     // "round": to the nearest step
  Awq,       // "awq": with input channels scaled up by how large their data is (smooth.h); of weights alone
  Gptq,      // "gptq": so that later weights make good what rounding earlier ones loses (rounding.h)
  AdaRound,  // "adaround": up or down as changes the products least (adaround.h)
};

// Whether the channels of the data of a Gemm or MatMul are evened out at the expense of its weights (smooth.h).
struct Smoothing {
  double alpha = 0;                 // 0: not at all; 1: the weights take all
  bool automatic = false;           // the alpha with the least error on the samples, for each value
  std::vector<double> alphas = {};  // which of them are tried; empty: 0, 0.1, ..., 1
  bool operator==(const Smoothing&) const = default;
  bool on() const { return automatic || alpha > 0; }
};

inline const Smoothing kUsualSmoothing{0.75};

struct NodeRecipe {
  Precision precision = Precision::Int8;  // fp32, or int8 where the node and its neighbours can
  DType floats = DType::Float32;          // of what is not int8: or BFloat16, where the node can (passes/precision)
  Scheme data{DType::UInt8, false, Granularity::Tensor, 0};
  Scheme weights{DType::Int8, true, Granularity::Channel, 0};
  RangeOptions range;  // of its data
  WeightAlgorithm algorithm = WeightAlgorithm::Round;
  std::optional<Smoothing> smooth;  // of the data of Gemm and MatMul; unset: kUsualSmoothing where smooth.h says so
  bool equalize = false;            // channels between two contractions (equalize.h)
  bool correct_weights = false;     // restores the mean and the deviation of rounded weights (rounding.h)
  std::optional<bool>
      correct_bias;  // of what rounding weights shifts the mean of a channel by (bias_correction.h); unset: of Conv
  Sparsity sparsity = {};  // of its weights, whatever the precision (passes/prune)
  bool operator==(const NodeRecipe&) const = default;
  bool weights_alone() const { return data.type == DType::Float32; }  // only they are stored in fewer bits
};

// Part of a Scheme or NodeRecipe: what is given replaces what holds so far.
struct SchemeSettings {
  std::optional<DType> type = {};
  std::optional<bool> symmetric = {};
  std::optional<Granularity> granularity = {};
  std::optional<int64_t> block = {};
  bool operator==(const SchemeSettings&) const = default;
  bool empty() const { return *this == SchemeSettings(); }
  Scheme applied_to(Scheme scheme) const;
};
struct NodeSettings {
  std::optional<Precision> precision = {};
  std::optional<DType> floats = {};
  SchemeSettings data = {}, weights = {};
  std::optional<RangeMethod> method = {};
  std::optional<double> percentile = {};
  std::optional<WeightAlgorithm> algorithm = {};
  std::optional<Smoothing> smooth = {};
  std::optional<bool> equalize = {}, correct_bias = {}, correct_weights = {};
  SparsitySettings sparsity = {};
  bool operator==(const NodeSettings&) const = default;
  bool empty() const { return *this == NodeSettings(); }
  NodeRecipe applied_to(NodeRecipe recipe) const;
  RangeOptions applied_to(RangeOptions range) const;
};

// Which nodes a rule is about.
struct Selector {
  enum class By : uint8_t {
    Name,     // the node with this name
    Pattern,  // whole names that match this regular expression (ECMAScript)
    Type,     // nodes of this operator
    First,    // the first Conv, Gemm or MatMul in execution order
    Last,     // the last one
  };
  By by = By::Name;
  std::string text = {};
};

struct RecipeRule {
  Selector nodes;
  NodeSettings settings;
  std::string where = {};  // "recipe.yaml:7", for messages
};

// Who runs the model: where a placement is fast with one and slow with another.
enum class Runtime : uint8_t {
  Lapis,        // "lapis"
  OnnxRuntime,  // "onnxruntime": products of float sequences find their ranges during inference, for which it has fused
                // kernels; it has none of floats between pairs
  OpenVino,     // "openvino": as Lapis
};

struct Recipe {
  NodeRecipe defaults;
  Runtime runtime = Runtime::Lapis;
  double share_limit = 8;  // operands of Concat share a scale only if their ranges differ by no more than this factor
  std::vector<RecipeRule> rules;
  std::string where = {};  // of the defaults

  void set(Selector nodes, NodeSettings settings) { rules.push_back({std::move(nodes), std::move(settings)}); }
  void keep_float(Selector nodes) { set(std::move(nodes), {.precision = Precision::Float32}); }
};

inline constexpr std::string_view kDynamicOperators =
    "Conv, Gemm and MatMul";  // whose data RangeMethod::Dynamic is for

std::string_view name_of(RangeMethod method);
std::string_view name_of(WeightAlgorithm algorithm);
std::string_view name_of(Runtime runtime);
std::optional<RangeMethod> range_method_from_name(std::string_view name);
std::optional<WeightAlgorithm> weight_algorithm_from_name(std::string_view name);
std::vector<std::string> range_method_names();
std::vector<std::string> weight_algorithm_names();
std::optional<Runtime> runtime_from_name(std::string_view name);
std::vector<std::string> runtime_names();

// The operator can have its weights in fewer bits while its data stays float.
bool has_weights_alone(const OpDef& op);

// A recipe for the nodes of one graph.
class NodeRecipes {
 public:
  const NodeRecipe& of(const Node& node) const { return nodes_.at(&node).recipe; }
  // Why the recipe keeps the node in fp32; nullopt if it does not.
  std::optional<std::string> keeps_float(const Node& node) const;
  // Some rule asks for int8 by the node's own name.
  bool asked_by_name(const Node& node) const;
  // Some rule about the node says how its range follows: it is not just the default.
  bool asks_for_range(const Node& node) const { return nodes_.at(&node).range_asked; }

 private:
  friend class RecipeResolver;
  struct Resolved {
    NodeRecipe recipe;
    const RecipeRule* decides = nullptr;  // about the precision; null: the defaults
    bool range_asked = false;
  };
  std::unordered_map<const Node*, Resolved> nodes_;
};

// What the recipe says about each node. All findings at once: names, patterns and operators that do not exist, and
// settings that an operator's capabilities on the target do not hold. `recipe` must outlive the result.
Result<NodeRecipes> resolve(const Recipe& recipe, const Graph& graph, const Target& target);

// Without the rules whose names or patterns no node of the graph has: quantizing replaced them, or added them.
Recipe for_nodes_of(const Graph& graph, Recipe recipe);

// The recipe as a YAML file. `comments`: said beside the entry of the node with that name.
std::string to_yaml(const Recipe& recipe, const std::unordered_map<std::string, std::string>& comments = {});

}  // namespace lapis
