#include "frontends/tflite/lists.h"

#include <algorithm>

namespace lapis::tflite_frontend {
namespace {

using frontend::SourceGraph;
using frontend::SourceNode;

class Lists {
 public:
  explicit Lists(const SourceGraph& graph) : graph_(graph) {
    for (const SourceNode& node : graph.nodes)
      for (const std::string& output : node.outputs) producers_[output] = &node;
  }

  // The operands of a DYNAMIC_UPDATE_SLICE that says the same; none if nothing does. Its begin is the size of what lies
  // before: i, and -1 for whole axes, which it takes for 0.
  std::vector<std::string> update(const SourceNode& join) const {
    if (join.op != "CONCATENATION" || join.inputs.size() != 3 || number(join, "axis") != 0) return {};
    if (number(join, "activation") != 0) return {};
    const SourceNode* before = made_by(join.inputs[0], "SLICE", 3);
    const SourceNode* behind = made_by(join.inputs[2], "SLICE", 3);
    if (!before || !behind || before->inputs[0] != behind->inputs[0]) return {};
    if (!holds_only(before->inputs[1], 0) || !holds_only(behind->inputs[2], -1)) return {};
    const std::string at = first_of(before->inputs[2], -1), next = first_of(behind->inputs[1], 0);
    if (at.empty() || next.empty() || !follows(next, at)) return {};
    if (!is_one_row(join.inputs[1]) || !is_static(before->inputs[0])) return {};
    return {before->inputs[0], join.inputs[1], before->inputs[2]};
  }

 private:
  static int64_t number(const SourceNode& node, std::string_view option) {
    const auto it = node.attributes.find(option);
    const auto* value = it == node.attributes.end() ? nullptr : std::get_if<int64_t>(&it->second);
    return value ? *value : 0;
  }

  const SourceNode* made_by(const std::string& name, std::string_view op, size_t operands) const {
    const auto it = producers_.find(name);
    return it != producers_.end() && it->second->op == op && it->second->inputs.size() == operands ? it->second
                                                                                                   : nullptr;
  }

  bool holds_only(const std::string& name, int64_t wanted) const {
    const auto it = graph_.values.find(name);
    if (it == graph_.values.end() || !it->second.constant.defined() || !is_integer(it->second.constant.dtype()))
      return false;
    const std::vector<int64_t> values = it->second.constant.as_ints();
    return std::ranges::all_of(values, [&](int64_t v) { return v == wanted; });
  }

  // The number in front of a list whose others are all `rest`, as it was before it became a list of one.
  std::string first_of(const std::string& name, int64_t rest) const {
    const SourceNode* list = made_by(name, "CONCATENATION", 2);
    const SourceNode* first =
        list && holds_only(list->inputs[1], rest) ? made_by(list->inputs[0], "RESHAPE", 2) : nullptr;
    return first ? first->inputs[0] : "";
  }

  bool follows(const std::string& next, const std::string& at) const {
    const SourceNode* sum = made_by(next, "ADD", 2);
    return sum && number(*sum, "activation") == 0 && sum->inputs[0] == at && holds_only(sum->inputs[1], 1);
  }

  bool is_static(const std::string& name) const {
    const auto it = graph_.values.find(name);
    return it != graph_.values.end() && it->second.type.is_static();
  }

  bool is_one_row(const std::string& name) const {
    if (!is_static(name)) return false;
    const Shape shape = graph_.values.at(name).type.shape();
    return !shape.empty() && shape[0] == 1;
  }

  const SourceGraph& graph_;
  std::unordered_map<std::string, const SourceNode*> producers_;
};

}  // namespace

void set_elements_in_place(SourceGraph& graph) {
  const Lists lists(graph);
  for (SourceNode& node : graph.nodes) {
    std::vector<std::string> operands = lists.update(node);
    if (operands.empty()) continue;
    node.op = "DYNAMIC_UPDATE_SLICE";
    node.version = 1;
    node.attributes.clear();
    node.inputs = std::move(operands);
  }
}

}  // namespace lapis::tflite_frontend
