#include "passes/quantize/typed.h"

#include "ir/infer.h"

namespace lapis {

Value* add_typed(Graph& graph, const OpDef& op, std::vector<Value*> inputs, Attributes attributes, Node* before,
                 size_t outputs) {
  Node* node = graph.add_node(op, std::move(inputs), std::move(attributes), std::vector<std::string>(outputs), before);
  const Status inferred = infer_types(*node);
  LAPIS_ASSERT(inferred.ok(), to_string(inferred.diagnostics()));
  return node->output();
}

Value* reduce_all_but(Graph& graph, const OpDef& op, Value* x, int64_t kept) {
  std::vector<int64_t> axes;
  for (int64_t a = 0; a < x->type().rank(); ++a)
    if (a != kept) axes.push_back(a);
  if (axes.empty()) return x;
  return add_typed(graph, op, {x, graph.add_constant(Tensor::vector(axes))}, {{"keepdims", int64_t{0}}});
}

}  // namespace lapis
