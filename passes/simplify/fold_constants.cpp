// fold-constants: what can be computed now is. Two sources of knowledge:
//   constant operands    Add(c1, c2) => c3, by the reference evaluator
//   known shapes         Shape(x: float[1,64]) => {1, 64}; Gather(Shape(x: float[N,64]), 1) => 64, by the records'
//   propagation
// Left alone: DequantizeLinear (int8 weights shall stay int8), operators that are not pure, and results that need more
// memory than their operands beyond FoldOptions::growth (Expand, ConstantOfShape, Tile, Cast of large constants), or
// beyond kMostForReader where a reader is of no use without a constant.
#include <algorithm>
#include <unordered_set>

#include "ir/infer.h"
#include "ir/ops/ops.h"
#include "passes/simplify/simplify.h"

namespace lapis {
namespace {

// What the worklist may add for each node: what a model may ask for in all is kept by the pass,
// which sees the whole graph.
constexpr int64_t kGrowthOfRule = 256;  // bytes
// What a model may ask for in all, since a few bytes of a file can say "256 KB of ones" or "the sum of that, a million
// times" (docs/security.md).
constexpr int64_t kMostGrowth = int64_t{256} << 20;  // bytes, in one run of the pass
constexpr int64_t kMostForReader = int64_t{1} << 28;
// Terms of all sums of one node, and for matrix products more for each byte of the factors.
constexpr double kMostTerms = 1 << 26, kTermsPerByte = 1024;
constexpr std::string_view kRule = "fold.constants", kPartsRule = "fold.parts";
// Bytes of a constant of which parts are constants of their own by another rule: who binds one model to many shapes
// (driver/family.h) keeps the whole, which all of them share.
constexpr int64_t kShared = 64 << 10;

// An integer tensor with the given contents, if all of them are numbers.
std::optional<Tensor> tensor_of(const Dims& contents, const Type& type) {
  if (!type.is_static() || element_count(type.shape()) != static_cast<int64_t>(contents.size())) return std::nullopt;
  std::vector<int64_t> values;
  for (const Dim& d : contents) {
    if (!d.is_constant()) return std::nullopt;
    values.push_back(d.value());
  }
  if (type.dtype == DType::Int64) return Tensor::of<int64_t>(type.shape(), std::move(values));
  if (type.dtype == DType::Int32) return Tensor::of<int32_t>(type.shape(), {values.begin(), values.end()});
  return std::nullopt;
}

// ---- time -----------------------------------------------------------------------------------------------------------

// How many terms each result of a node on constants sums up, and how many of them are fine. Other nodes take as long as
// their operands and results are large.
struct Sums {
  double terms = 1, allowed = kMostTerms;
};

Sums sums_of(const Node& node) {
  const auto* window = node.attribute_as<std::vector<int64_t>>("kernel_shape");
  if (!node.op().has(Trait::Contraction)) return {window ? static_cast<double>(element_count(*window)) : 1};
  const bool convolves = node.is(ops::Conv) || node.is(ops::ConvInteger) || node.is(ops::ConvTranspose);
  const Tensor& factor = node.input(convolves ? 1 : node.is(ops::QLinearConv) ? 3 : 0)->constant();
  if (factor.rank() == 0 || factor.size() == 0) return {};
  const int64_t of_one_channel = factor.size() / factor.dim(0);
  if (convolves || node.is(ops::QLinearConv)) return {static_cast<double>(of_one_channel)};
  return {static_cast<double>(std::max(factor.dim(0), factor.dim(-1))),
          kMostTerms + kTermsPerByte * static_cast<double>(factor.bytes())};
}

// ---- growth ---------------------------------------------------------------------------------------------------------

// Operands that are parameters: code for these operators is made from their values.
bool is_parameter(const Use& use) {
  const Node& node = *use.node;
  if (node.op().has(Trait::Contraction) || node.is(ops::QuantizeLinear) || node.is(ops::DequantizeLinear))
    return use.index > 0 || node.is(ops::MatMul);
  return use.index > 0 && (node.is(ops::BatchNormalization) || node.is(ops::LayerNormalization));
}

// Somewhere below, through operators that will be folded as well, a reader takes the value as a parameter.
bool reaches_parameter(const Value& value) {
  constexpr size_t kFar = 64;
  std::vector<const Value*> reached = {&value};
  std::unordered_set<const Value*> seen = {&value};
  for (size_t i = 0; i < reached.size() && i < kFar; ++i)
    for (const Use& use : reached[i]->uses()) {
      if (is_parameter(use)) return true;
      if (!use.node->op().has(Trait::Pure)) continue;
      for (const Value* y : use.node->outputs())
        if (y && seen.insert(y).second) reached.push_back(y);
    }
  return false;
}

// Sizes that are not known before evaluation depend on data, and are never larger than data.
struct Growth {
  int64_t before = 0, after = 0;
};
Growth growth_of(const Node& node) {
  Growth growth;
  for (const Value* input : node.inputs())
    if (input) growth.before += input->constant().bytes();
  for (const Value* output : node.outputs())
    if (output && output->type().is_static())
      growth.after += byte_size(output->dtype(), element_count(output->type().shape()));
  return growth;
}

// The results are too large to keep: by more than `growth_allowed` bytes larger than the operands.
bool grows_too_much(const Growth& growth, Value& y, Rewriter& rw, int64_t growth_allowed) {
  if (growth.after <= std::max(growth.before, growth_allowed)) return false;
  rw.skip(y, "the constant would grow from " + std::to_string(growth.before) + " to " + std::to_string(growth.after) +
                 " bytes");
  return true;
}

bool takes_long(const Node& node, Value& y, Rewriter& rw) {
  if (!y.type().is_static()) return false;
  const Sums sums = sums_of(node);
  if (static_cast<double>(element_count(y.type().shape())) * sums.terms <= sums.allowed) return false;
  rw.skip(y, "the result would take long to compute");
  return true;
}

// ---- constant operands ----------------------------------------------------------------------------------------------

// An Identity gives a constant the name of an output.
bool may_fold(const Node& node) {
  return node.op().has(Trait::Pure) && node.op().evaluate && node.subgraphs().empty() && !node.is(ops::Identity) &&
         !node.is(ops::DequantizeLinear) &&
         std::all_of(node.inputs().begin(), node.inputs().end(), [](const Value* v) { return !v || v->is_constant(); });
}

// For nodes that may fold.
bool fold_within(Value& y, Rewriter& rw, const Growth& growth, int64_t growth_allowed) {
  const Node& node = *y.producer();
  if (grows_too_much(growth, y, rw, growth_allowed) || takes_long(node, y, rw)) return false;
  std::vector<const Tensor*> inputs;
  for (const Value* input : node.inputs()) inputs.push_back(input ? &input->constant() : nullptr);
  Result<std::vector<Tensor>> results = evaluate_node(node, inputs);
  if (!results.ok()) return rw.skip(y, results.diagnostics()[0].message);
  std::vector<Rewriter::Replacement> replacements;
  for (size_t i = 0; i < node.outputs().size(); ++i)
    if (node.output(i) && !node.output(i)->unused())
      replacements.push_back({node.output(i), rw.constant(std::move((*results)[i]))});
  return rw.replace(replacements);
}

// Somebody takes the value as a parameter, or what is computed from it and constants alone.
bool feeds_parameter(const Value& value, int depth = 8) {
  const auto folds_with = [&](const Node& node) {
    return depth > 0 && node.op().has(Trait::Pure) && node.output() &&
           std::ranges::all_of(node.inputs(), [&](const Value* v) { return !v || v == &value || v->is_constant(); });
  };
  return std::ranges::any_of(value.uses(), [&](const Use& use) {
    return is_parameter(use) || (folds_with(*use.node) && feeds_parameter(*use.node->output(), depth - 1));
  });
}

// For nodes that may fold. Who needs a constant gets one.
bool takes_part(const Node& node) {
  return (node.is(ops::Slice) || node.is(ops::Gather)) && node.input(0)->constant().bytes() >= kShared &&
         !feeds_parameter(*node.output());
}

// f(c1, c2, ...)  =>  c
bool fold_operands(Value& y, Rewriter& rw) {
  const Node& node = *y.producer();
  return may_fold(node) && !takes_part(node) && fold_within(y, rw, growth_of(node), kGrowthOfRule);
}

// Slice(large c, c2, ...)  =>  c
bool fold_part(Value& y, Rewriter& rw) {
  const Node& node = *y.producer();
  return may_fold(node) && takes_part(node) && fold_within(y, rw, growth_of(node), kGrowthOfRule);
}

constexpr Rule kRules[] = {{kRule, fold_operands}, {kPartsRule, fold_part}};

// ---- known contents -------------------------------------------------------------------------------------------------

class Folder {
 public:
  Folder(const FoldOptions& options, PassContext& context, int64_t& growth)
      : options_(options), context_(context), growth_(growth) {}

  // Contents are collected before anything changes: a Value that is freed must not lend its address, and contents, to
  // a new one.
  bool fold(Graph& graph) {
    collect_contents(graph);
    fold_nodes(graph);
    return folded_;
  }

 private:
  void collect_contents(const Graph& graph) {
    for (const Node* node : graph.nodes()) {
      for (const Graph* subgraph : node->subgraphs()) collect_contents(*subgraph);
      if (!node->op().has(Trait::Pure)) continue;
      if (auto contents = computed_contents(InferContext(*node, contents_)))
        contents_.emplace(node->output(0), *std::move(contents));
    }
  }

  void fold_nodes(Graph& graph) {
    for (Node* node : graph.nodes()) {
      for (Graph* subgraph : node->subgraphs()) fold_nodes(*subgraph);
      Value* y = first_output(*node);
      if (!y || node->is(ops::Identity)) continue;
      Rewriter rewriter(*node, kRule, &context_.explain);
      folded_ |= fold_contents(*y, rewriter) || (!rewriter.changed() && fold_growing(*y, rewriter));
    }
    graph.erase_unused_constants();
  }

  static Value* first_output(const Node& node) {
    for (Value* y : node.outputs())
      if (y && !y->unused()) return y;
    return nullptr;
  }

  bool fold_growing(Value& y, Rewriter& rw) {
    if (!may_fold(*y.producer())) return false;
    if (takes_part(*y.producer()) && context_.disabled_rules.contains(kPartsRule)) return false;
    const Growth growth = growth_of(*y.producer());
    const int64_t more = std::max<int64_t>(growth.after - growth.before, 0);
    const int64_t allowed = more > options_.growth && reaches_parameter(y) ? kMostForReader : options_.growth;
    if (!fold_within(y, rw, growth, growth_ + more <= kMostGrowth ? allowed : 0)) return false;
    growth_ += more;
    return true;
  }

  // Shape(x: float[1,64])  =>  {1, 64}
  bool fold_contents(Value& y, Rewriter& rw) {
    const auto contents = contents_.find(&y);
    if (contents == contents_.end()) return false;
    const auto tensor = tensor_of(contents->second, y.type());
    return tensor && rw.replace(y, rw.constant(*tensor));
  }

  const FoldOptions& options_;
  PassContext& context_;
  int64_t& growth_;  // bytes that constants have grown by
  InferContext::Contents contents_;
  bool folded_ = false;
};

}  // namespace

std::span<const Rule> folding_rules() { return kRules; }

Status fold_constants(Graph& graph, const FoldOptions& options, PassContext& context) {
  if (context.disabled_rules.contains(kRule)) return ok();
  int64_t growth = 0;
  while (Folder(options, context, growth).fold(graph)) {
  }  // every round removes a node; a folded operand may tell a record more
  return ok();
}

}  // namespace lapis
