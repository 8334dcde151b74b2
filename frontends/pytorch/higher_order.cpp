#include "frontends/pytorch/higher_order.h"

#include "frontends/common/bodies.h"
#include "frontends/common/control.h"
#include "frontends/pytorch/translators.h"
#include "ir/ops/data_attributes.h"

namespace lapis::pytorch_frontend {
namespace {

using frontend::Json;
using frontend::SourceGraph;
using frontend::SourceNode;

constexpr std::string_view kPrefix = "higher_order.";

// An operator's arguments in the order of the file: its graphs, and its operands, of which each list is one.
struct Parts {
  std::vector<SourceGraph> graphs;
  std::vector<std::vector<std::string>> operands;
  bool are_tensors = true;
};

void add_operands(const Json& argument, Parts& parts) {
  std::vector<std::string> names;
  if (const Json* one = frontend::member(argument, "as_tensor")) names.push_back(frontend::text(*one, "name"));
  for (const Json& one : frontend::elements(argument, "as_tensors")) names.push_back(frontend::text(one, "name"));
  const bool is_empty_list = frontend::member(argument, "as_tensors") || frontend::member(argument, "as_ints");
  parts.are_tensors &= !names.empty() || is_empty_list;
  parts.operands.push_back(std::move(names));
}

Result<Parts> parts_of(const Json& inputs, const ReadGraph& read) {
  Parts parts;
  for (const Json& input : inputs) {
    const Json* argument = frontend::member(input, "arg");
    const Json* graph = argument ? frontend::member(*argument, "as_graph") : nullptr;
    const Json* content = graph ? frontend::member(*graph, "graph") : nullptr;
    if (content) {
      LAPIS_TRY(parts.graphs.emplace_back(), read(*content));
    } else if (argument) {
      add_operands(*argument, parts);
    }
  }
  return parts;
}

Diagnostic wrong(const Call& call) {
  return error(ErrorKind::Input, "its graphs do not fit its operands").at("node '" + call.name + "' (" + call.op + ")");
}

SourceNode same_node() {
  SourceNode same;
  same.op = "aten.alias";
  same.attributes.emplace("self@", std::vector<int64_t>{0});
  return same;
}

void add_list(Call& call, const char* name, const std::vector<std::string>& operands) {
  std::vector<Item> items;
  items.reserve(operands.size());
  for (const std::string& operand : operands) items.push_back(Item::tensor(operand));
  if (!items.empty()) call.arguments.push_back({name, Item::list(std::move(items))});
}

std::shared_ptr<const SourceGraph> body(const SourceGraph& graph, const std::string& prefix) {
  return std::make_shared<const SourceGraph>(frontend::own_body(graph, prefix, same_node()));
}

// cond(pred, true_graph, false_graph, operands)
Status add_branch(Call call, const Parts& parts, Writer& writer) {
  if (parts.graphs.size() != 2 || parts.operands.size() != 2 || parts.operands[0].size() != 1) return wrong(call);
  for (const SourceGraph& graph : parts.graphs)
    if (graph.inputs.size() != parts.operands[1].size() || graph.outputs.size() != call.outputs.size())
      return wrong(call);
  call.arguments.push_back({"pred", Item::tensor(parts.operands[0][0])});
  add_list(call, "operands", parts.operands[1]);
  const std::vector<std::shared_ptr<const SourceGraph>> bodies = {body(parts.graphs[0], call.name + "/then/"),
                                                                  body(parts.graphs[1], call.name + "/else/")};
  return writer.add(std::move(call), bodies);
}

// while_loop(cond_graph, body_graph, states, constants)
Status add_loop(Call call, const Parts& parts, Writer& writer) {
  if (parts.graphs.size() != 2 || parts.operands.empty()) return wrong(call);
  std::vector<std::string> states = parts.operands[0];
  for (size_t i = 1; i < parts.operands.size(); ++i)
    states.insert(states.end(), parts.operands[i].begin(), parts.operands[i].end());
  const SourceGraph &condition = parts.graphs[0], &step = parts.graphs[1];
  const bool fits = condition.inputs.size() == states.size() && step.inputs.size() == states.size() &&
                    condition.outputs.size() == 1 && step.outputs.size() == parts.operands[0].size() &&
                    call.outputs.size() <= states.size();
  if (!fits) return wrong(call);
  std::vector<int64_t> unchanged;
  auto repeated =
      std::make_shared<SourceGraph>(frontend::loop_body(step, condition, call.name + "/body/", same_node(), unchanged));
  const std::vector<std::string> first = writer.append(condition, call.name + "/first/", states);
  call.arguments.push_back({"condition", Item::tensor(first[0])});
  add_list(call, "states", states);
  call.outputs.resize(states.size());
  return writer.add(std::move(call), {std::move(repeated)}, {{frontend::kUnchanged, std::move(unchanged)}});
}

// scan(graph, states, sequences, constants) and map_impl(graph, sequences, constants):
// a slice of each sequence in each step.
Status add_scan(Call call, Parts parts, Writer& writer) {
  if (call.op == "higher_order.map_impl") parts.operands.insert(parts.operands.begin(), std::vector<std::string>());
  if (parts.graphs.size() != 1 || parts.operands.size() < 2) return wrong(call);
  const auto states = static_cast<int64_t>(parts.operands[0].size()),
             sequences = static_cast<int64_t>(parts.operands[1].size());
  std::vector<std::string> all;
  for (const auto& list : parts.operands) all.insert(all.end(), list.begin(), list.end());
  const SourceGraph& step = parts.graphs[0];
  if (step.inputs.size() != all.size() || step.outputs.size() != call.outputs.size() || sequences == 0)
    return wrong(call);
  add_list(call, "operands", all);
  const auto repeated = body(step, call.name + "/body/");
  return writer.add(std::move(call), {repeated}, {{frontend::kStates, states}, {frontend::kSequences, sequences}});
}

// ---- translators ----------------------------------------------------------------------------------------------------

constexpr AtenRow kRows[] = {
    {"higher_order.cond", "pred true_fn false_fn operands", frontend::branch},
    {"higher_order.map_impl", "f xs args", frontend::scan},
    {"higher_order.scan", "combine_fn init xs additional_inputs", frontend::scan},
    {"higher_order.while_loop", "cond_fn body_fn carried_inputs additional_inputs", frontend::loop},
};

}  // namespace

std::span<const AtenRow> higher_order_rows() { return kRows; }

bool is_higher_order(const std::string& op) { return op.starts_with(kPrefix) && find_aten(op); }

Status add_higher_order(Call call, const Json& inputs, const ReadGraph& read, Writer& writer) {
  LAPIS_TRY(Parts parts, parts_of(inputs, read));
  if (!parts.are_tensors)
    return error(ErrorKind::Unsupported, "it hands numbers to its graphs, not only tensors")
        .at("node '" + call.name + "' (" + call.op + ")");
  if (call.op == "higher_order.cond") return add_branch(std::move(call), parts, writer);
  if (call.op == "higher_order.while_loop") return add_loop(std::move(call), parts, writer);
  return add_scan(std::move(call), std::move(parts), writer);
}

}  // namespace lapis::pytorch_frontend
