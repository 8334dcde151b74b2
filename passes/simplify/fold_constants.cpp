// fold-constants: what can be computed now is. Two sources of knowledge:
//   constant operands    Add(c1, c2) => c3, by the reference evaluator
//   known shapes         Shape(x: float[1,64]) => {1, 64}; Gather(Shape(x: float[N,64]), 1) => 64, by the records'
//   propagation
// Left alone: DequantizeLinear (int8 weights shall stay int8), operators that are not pure, and results that need more
// memory than
// their operands beyond kGrowth (Expand, ConstantOfShape, Tile, Cast of large constants).
#include "ir/infer.h"
#include "ir/ops/ops.h"
#include "passes/simplify/simplify.h"

namespace lapis {
namespace {

constexpr int64_t kGrowth = 256 * 1024;  // bytes; embeddings of positions still fold, broadcast weights do not
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

class Folder {
 public:
  explicit Folder(PassContext& context) : context_(context) {}

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
      if (node->is(ops::Identity) || node->is(ops::DequantizeLinear))
        continue;  // an Identity gives a constant the name of an output
      if (!fold_contents(*node)) fold_operands(*node);
    }
    graph.erase_unused_constants();
  }

  bool fold_contents(Node& node) {
    const auto contents = contents_.find(node.output());
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

  bool grows(const Node& node) const {
    int64_t before = 0, after = 0;
    for (const Value* input : node.inputs())
      if (input) before += input->constant().bytes();
    for (const Value* output : node.outputs()) {
      if (!output) continue;
      if (!output->type().is_static())
        return false;  // only evaluation will tell; data dependent results are never larger than data
      after += byte_size(output->dtype(), element_count(output->type().shape()));
    }
    if (after <= std::max(before, kGrowth)) return false;
    Rewriter(*node.output()->producer(), kRule, &context_.explain)
        .skip(*node.output(),
              "the constant would grow from " + std::to_string(before) + " to " + std::to_string(after) + " bytes");
    return true;
  }

  PassContext& context_;
  InferContext::Contents contents_;
  bool folded_ = false;
};

}  // namespace

Status fold_constants(Graph& graph, PassContext& context) {
  if (context.disabled_rules.contains(kRule)) return ok();
  while (Folder(context).fold(graph)) {
  }  // every round removes a node; a folded operand may tell a record more
  return ok();
}

}  // namespace lapis
