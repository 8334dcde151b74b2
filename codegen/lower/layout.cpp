#include "codegen/lower/layout.h"

#include <algorithm>
#include <unordered_set>

#include "codegen/lower/op_lowering.h"
#include "ir/ops/window.h"

namespace lapis::codegen {
namespace {

LayoutFlow flow_of(const Node& node) {
  const OpLowering* row = row_of(node);
  if (!row) return LayoutFlow::RowMajor;
  const Form& first = row->forms.front();  // elementwise, if the node is what that form takes
  const bool other = first.role == Role::Scalar && row->forms.size() > 1 && first.legal && !first.legal(node).ok();
  return other ? LayoutFlow::RowMajor : row->layout;
}

class Assigner {
 public:
  explicit Assigner(const Graph& graph) : graph_(graph) {}
  Layouts run() {
    for (const Node* node : graph_.nodes()) {
      if (flow_of(*node) != LayoutFlow::ChannelsLast) continue;
      mark(node->input(0));
      mark(node->output());
    }
    spread();
    for (const Node* node : graph_.nodes()) widen(*node);
    return std::move(layouts_);
  }

 private:
  void mark(const Value* v) {
    if (!v || v->is_constant() || v->type().rank() < 3 || layouts_[v].channels_last) return;
    layouts_[v].channels_last = true;
    marked_.push_back(v);
  }

  // Every value is taken up once, every node passes the layout on once.
  void spread() {
    while (!marked_.empty()) {
      const Value* v = marked_.back();
      marked_.pop_back();
      if (v->producer()) pass_on(*v->producer(), *v);
      for (const Use& use : v->uses()) pass_on(*use.node, *v);
    }
  }

  void pass_on(const Node& node, const Value& v) {
    if (&node.graph() != &graph_ || flow_of(node) != LayoutFlow::Follows || !node.output() ||
        !node.output()->type().ranked())
      return;
    const int64_t rank = node.output()->type().rank();
    if (v.type().rank() != rank || !passed_.insert(&node).second) return;
    for (const std::vector<Value*>& values : {node.inputs(), node.outputs()})
      for (const Value* value : values)
        if (value && value->type().is_tensor() && value->type().ranked() && value->type().rank() == rank) mark(value);
  }

  // The producer leaves room for the widest window that reads the value; a window with another fill value makes its own copy.
  void widen(const Node& node) {
    const std::optional<Halo> wanted = required_halo(node);
    if (!wanted || node.input(0)->is_input()) return;
    std::optional<Halo>& halo = layouts_[node.input(0)].halo;
    if (!halo) {
      halo = wanted;
      return;
    }
    if (halo->fill != wanted->fill) return;
    for (size_t i = 0; i < halo->begin.size(); ++i) {
      halo->begin[i] = std::max(halo->begin[i], wanted->begin[i]);
      halo->end[i] = std::max(halo->end[i], wanted->end[i]);
    }
  }

  const Graph& graph_;
  Layouts layouts_;
  std::vector<const Value*> marked_;
  std::unordered_set<const Node*> passed_;
};

}  // namespace

bool Halo::empty() const {
  auto zero = [](int64_t v) { return v == 0; };
  return std::all_of(begin.begin(), begin.end(), zero) && std::all_of(end.begin(), end.end(), zero);
}

bool Halo::covers(const Halo& other) const {
  for (size_t i = 0; i < other.begin.size(); ++i)
    if (begin[i] < other.begin[i] || end[i] < other.end[i]) return false;
  return fill == other.fill;
}

std::optional<Halo> required_halo(const Node& node) {
  if (!has_window(node)) return std::nullopt;
  const ops::Window window = ops::window_of(node);
  const Shape in = node.input(0)->type().shape(), out = node.output()->type().shape();
  Halo halo{window.begins, {}, row_of(node)->padding(node)};
  for (size_t i = 0; i < window.rank(); ++i) {
    const int64_t read = (out[i + 2] - 1) * window.strides[i] + window.reach(i) - window.begins[i];
    halo.end.push_back(std::max<int64_t>(0, read - in[i + 2]));
  }
  return halo.empty() ? std::nullopt : std::optional(halo);
}

Layouts assign_layouts(const Graph& graph) { return Assigner(graph).run(); }

}  // namespace lapis::codegen
