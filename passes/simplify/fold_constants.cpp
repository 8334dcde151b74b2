// fold-constants: what can be computed now is. Two sources of knowledge:
//   constant operands    Add(c1, c2) => c3, by the reference evaluator
//   known shapes         Shape(x: float[1,64]) => {1, 64}; Gather(Shape(x: float[N,64]), 1) => 64, by the records'
//   propagation
// Left alone: DequantizeLinear (int8 weights shall stay int8), operators that are not pure, and results that need more
// memory than
// their operands beyond kGrowth (Expand, ConstantOfShape, Tile, Cast of large constants).
#include <algorithm>

#include "ir/infer.h"
#include "ir/ops/ops.h"
#include "passes/simplify/simplify.h"

namespace lapis {
namespace {

constexpr int64_t kGrowth = 256 * 1024;  // bytes; embeddings of positions still fold, broadcast weights do not
// What a model may ask for in all, since a few bytes of a file can say "256 KB of ones" or "the sum of that, a million times"
// (docs/security.md).
constexpr int64_t kMostGrowth = int64_t{256} << 20;  // bytes, in one run of the pass
// Terms of all sums of one node, and for matrix products more for each byte of the factors.
constexpr double kMostTerms = 1 << 26, kTermsPerByte = 1024;
constexpr std::string_view kRule = "fold.constants";

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

// How many terms each result of a node on constants sums up, and how many of them are fine. Other nodes take as long as their operands
// and results are large.
struct Sums {
  double terms = 1, allowed = kMostTerms;
};

Sums sums_of(const Node& node) {
  const auto* window = node.attribute_as<std::vector<int64_t>>("kernel_shape");
  if (!node.op().has(Trait::Contraction)) return {window ? static_cast<double>(element_count(*window)) : 1};
  const bool convolves = node.is(ops::Conv) || node.is(ops::ConvInteger) || node.is(ops::ConvTranspose);
  const Tensor& factor = node.input(convolves ? 1 : node.is(ops::QLinearConv) ? 3 : 0)->constant();
  if (factor.rank() == 0 || factor.size() == 0) return {};
  if (convolves || node.is(ops::QLinearConv)) return {static_cast<double>(factor.size() / factor.dim(0))};
  return {static_cast<double>(std::max(factor.dim(0), factor.dim(-1))),
          kMostTerms + kTermsPerByte * static_cast<double>(factor.bytes())};
}

class Folder {
 public:
  Folder(PassContext& context, int64_t& growth) : context_(context), growth_(growth) {}

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
      if (!node->op().propagate || !node->op().has(Trait::Pure) || !node->output()) continue;
      if (auto contents = node->op().propagate(InferContext(*node, contents_)))
        contents_.emplace(node->output(), *std::move(contents));
    }
  }

  void fold_nodes(Graph& graph) {
    for (Node* node : graph.nodes()) {
      for (Graph* subgraph : node->subgraphs()) fold_nodes(*subgraph);
      Value* y = first_output(*node);
      if (!y || node->is(ops::Identity)) continue;
      Rewriter rewriter(*node, kRule, &context_.explain);
      folded_ |= fold_contents(*y, rewriter) || (!rewriter.changed() && fold_operands(*y, rewriter));
    }
    graph.erase_unused_constants();
  }

  static Value* first_output(const Node& node) {
    for (Value* y : node.outputs())
      if (y && !y->unused()) return y;
    return nullptr;
  }

  // Shape(x: float[1,64])  =>  {1, 64}
  bool fold_contents(Value& y, Rewriter& rw) {
    const auto contents = contents_.find(&y);
    if (contents == contents_.end()) return false;
    const auto tensor = tensor_of(contents->second, node.output()->type());
    if (tensor) replace(*node.output(), *tensor);
    return tensor.has_value();
  }

  void fold_operands(Node& node) {
    std::vector<const Tensor*> inputs;
    for (const Value* input : node.inputs()) {
      if (input && !input->is_constant()) return;
      inputs.push_back(input ? &input->constant() : nullptr);
    }
    if (!node.op().has(Trait::Pure) || !node.op().evaluate || !node.subgraphs().empty() || grows(node)) return;
    if (takes_long(node)) return;
    Result<std::vector<Tensor>> results = evaluate_node(node, inputs);
    Rewriter rewriter(node, kRule, &context_.explain);
    if (!results.ok()) {
      rewriter.skip(*node.output(), results.diagnostics()[0].message);
      return;
    }
    const std::vector<Value*> outputs = node.outputs();
    for (size_t i = 0; i < outputs.size(); ++i)
      if (outputs[i]) replace(*outputs[i], std::move((*results)[i]));
  }

  void replace(Value& output, Tensor tensor) {
    if (output.unused()) return;
    Rewriter rewriter(*output.producer(), kRule, &context_.explain);
    folded_ |= rewriter.replace(output, rewriter.constant(std::move(tensor)));
  }

  bool takes_long(const Node& node) const {
    Value* result = node.output();
    if (!result || !result->type().is_static()) return false;
    const Sums sums = sums_of(node);
    if (static_cast<double>(element_count(result->type().shape())) * sums.terms <= sums.allowed) return false;
    Rewriter(*result->producer(), kRule, &context_.explain).skip(*result, "the result would take long to compute");
    return true;
  }

  bool grows(const Node& node) {
    int64_t before = 0, after = 0;
    for (const Value* input : node.inputs())
      if (input) before += input->constant().bytes();
    for (const Value* output : node.outputs()) {
      if (!output) continue;
      if (!output->type().is_static())
        return false;  // only evaluation will tell; data dependent results are never larger than data
      after += byte_size(output->dtype(), element_count(output->type().shape()));
    }
    const bool small = after <= std::max(before, kGrowth);
    if (small && growth_ + std::max<int64_t>(after - before, 0) <= kMostGrowth) {
      growth_ += std::max<int64_t>(after - before, 0);
      return false;
    }
    Rewriter(*node.output()->producer(), kRule, &context_.explain)
        .skip(*node.output(),
              "the constant would grow from " + std::to_string(before) + " to " + std::to_string(after) + " bytes");
    return true;
  }

  PassContext& context_;
  int64_t& growth_;  // bytes that constants have grown by
  InferContext::Contents contents_;
  bool folded_ = false;
};

}  // namespace

std::span<const Rule> folding_rules() { return kRules; }

Status fold_constants(Graph& graph, PassContext& context) {
  if (context.disabled_rules.contains(kRule)) return ok();
  int64_t growth = 0;
  while (Folder(context, growth).fold(graph)) {
  }  // every round removes a node; a folded operand may tell a record more
  return ok();
}

}  // namespace lapis
