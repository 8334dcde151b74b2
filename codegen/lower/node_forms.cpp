#include "codegen/lower/node_forms.h"

#include <algorithm>
#include <map>

namespace lapis::codegen {
namespace {

// Nodes of one operator that are refused for one reason.
struct Refused {
  std::vector<std::string> names;
  std::string help;
};

Diagnostic report(const Graph& graph, const std::string& op, const std::string& reason, const Refused& group) {
  std::string list;
  for (size_t i = 0; i < std::min<size_t>(group.names.size(), 4); ++i)
    list += (i ? ", " : "") + ("'" + group.names[i] + "'");
  if (group.names.size() > 4) list += ", ...";
  const std::string help =
      group.help.empty() ? "`lapis run --backend=reference` evaluates the model without compiling it" : group.help;
  return error(ErrorKind::Unsupported,
               "cannot compile " + std::to_string(group.names.size()) + " x " + op + ": " + reason)
      .at(graph.name())
      .note("nodes " + list)
      .help(help);
}

}  // namespace

Result<NodeForms> NodeForms::choose(const Graph& graph, bool host_calls) {
  NodeForms chosen;
  std::map<std::pair<std::string, std::string>, Refused> refused;
  for (const Node* node : graph.nodes()) {
    const Result<const Form*> form = form_of(*node);
    const Form* taken = form.ok() ? *form : host_calls ? host_form_of(*node) : nullptr;
    if (taken) {
      chosen.forms_[node] = taken;
      continue;
    }
    const Diagnostic& why = form.diagnostics().front();
    Refused& group = refused[{std::string(node->op().name), why.message}];
    group.names.push_back(node->origin());
    group.help = why.hint;
  }
  Diagnostics diagnostics;
  for (const auto& [key, group] : refused) diagnostics.push_back(report(graph, key.first, key.second, group));
  if (!diagnostics.empty()) return diagnostics;
  return chosen;
}

const Form* NodeForms::find(const Node& node) const {
  const auto it = forms_.find(&node);
  return it == forms_.end() ? nullptr : it->second;
}

bool NodeForms::is_scalar(const Node& node) const {
  const Form* form = find(node);
  return form && form->role == Role::Scalar;
}

// The row's, but of a node that the reference evaluates, or that is not elementwise where its operator may be.
LayoutFlow NodeForms::flow(const Node& node) const {
  const OpLowering* row = row_of(node);
  const Form& form = of(node);
  if (!row || form.role == Role::Call) return LayoutFlow::RowMajor;
  const bool other = row->forms.front().role == Role::Scalar && form.role != Role::Scalar;
  return other ? LayoutFlow::RowMajor : row->layout;
}

bool NodeForms::goes_on(const Value& value) const {
  return !value.is_graph_output() && std::ranges::all_of(value.uses(), [&](const Use& use) {
    return is_scalar(*use.node) && use.node->output()->type().shape() == value.type().shape();
  });
}

}  // namespace lapis::codegen
