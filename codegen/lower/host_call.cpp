#include "codegen/lower/host_call.h"

#include "codegen/lower/lowering.h"
#include "ir/evaluate.h"

namespace lapis::codegen {

HostFunction host_function(const Node& node) {
  auto graph = std::make_shared<Graph>(node.name());
  std::vector<Value*> inputs;
  for (const Value* v : node.inputs()) inputs.push_back(v ? graph->add_input(v->name(), v->type()) : nullptr);
  std::vector<std::string> outputs;
  for (const Value* v : node.outputs()) outputs.push_back(v ? v->name() : "");
  Node* copy = graph->add_node(node.op(), inputs, node.attributes(), outputs, nullptr, node.name());
  copy->set_origin(node.origin());
  for (size_t i = 0; i < node.outputs().size(); ++i)
    if (node.output(i)) copy->output(i)->set_type(node.output(i)->type());
  std::vector<bool> wanted;
  for (const Value* v : node.outputs()) wanted.push_back(v != nullptr);
  return [graph, copy, wanted](const std::vector<Tensor>& tensors) -> Result<std::vector<Tensor>> {
    std::vector<const Tensor*> operands;
    size_t next = 0;
    for (const Value* v : copy->inputs()) operands.push_back(v ? &tensors[next++] : nullptr);
    LAPIS_TRY(std::vector<Tensor> results, evaluate_node(*copy, operands));
    std::vector<Tensor> kept;
    for (size_t i = 0; i < results.size(); ++i)
      if (wanted[i]) kept.push_back(std::move(results[i]));
    return kept;
  };
}

bool can_be_called(const Node& node) { return node.op().evaluate && node.subgraphs().empty(); }

void lower_host_call(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  Call call{node.name(), "host", {}, {}, {}, host_function(node)};
  for (const Value* v : node.inputs())
    if (v) call.inputs.push_back(l.row_major(l.view_of(v), v->name()));
  for (const Value* v : node.outputs())
    if (v) call.outputs.push_back(l.allocate(v));
  l.emit(std::move(call), region, "reference");
}

}  // namespace lapis::codegen
