#include "codegen/lower/layout.h"

#include <algorithm>
#include <limits>

#include "codegen/lower/scalar.h"
#include "ir/op.h"

namespace lapis::codegen {
namespace {

bool is_convolution(const Node& node) { return node.op().name.find("Conv") != std::string_view::npos; }
bool is_pool(const Node& node) { return node.op().name.ends_with("Pool"); }
bool has_window(const Node& node) {
  return is_convolution(node) || node.op().name == "MaxPool" || node.op().name == "AveragePool";
}

double lowest(DType dtype) {
  return is_integer(dtype) ? static_cast<double>(integer_range(dtype).lowest)
                           : -std::numeric_limits<double>::infinity();
}

double padding_value(const Node& node) {
  const DType dtype = node.input(0)->dtype();
  if (node.op().name == "MaxPool") return lowest(dtype);
  if (is_convolution(node) && is_quantized_storage(dtype)) return scalar_constant(node.input(2)).value_or(0);
  return 0;
}

// Operators through which the layout flows from one full-rank operand to the result.
bool keeps_layout(const Node& node) {
  const std::string_view name = node.op().name;
  return node.op().has(Trait::Elementwise) || is_scalar(node) || name == "Concat" || name == "Pad" || name == "Slice" ||
         name == "Split";
}

bool full_rank(const Value* v, int64_t rank) {
  return v && !v->is_constant() && v->type().is_tensor() && v->type().ranked() && v->type().rank() == rank;
}

class Assigner {
 public:
  explicit Assigner(const Graph& graph) : graph_(graph) {}
  Layouts run() {
    for (const Node* node : graph_.nodes()) {
      if (!is_convolution(*node) && !is_pool(*node)) continue;
      mark(node->input(0));
      mark(node->output());
    }
    while (spread()) {
    }
    for (const Node* node : graph_.nodes()) widen(*node);
    return std::move(layouts_);
  }

 private:
  bool mark(const Value* v) {
    if (!v || v->is_constant() || v->type().rank() < 3 || layouts_[v].channels_last) return false;
    return layouts_[v].channels_last = true;
  }
  bool marked(const Value* v) const {
    const auto it = layouts_.find(v);
    return it != layouts_.end() && it->second.channels_last;
  }

  bool spread() {
    bool changed = false;
    for (const Node* node : graph_.nodes()) {
      if (!keeps_layout(*node) || !node->output() || !node->output()->type().ranked()) continue;
      const int64_t rank = node->output()->type().rank();
      std::vector<const Value*> values;
      for (const Value* v : node->inputs())
        if (full_rank(v, rank)) values.push_back(v);
      for (const Value* v : node->outputs())
        if (full_rank(v, rank)) values.push_back(v);
      if (std::none_of(values.begin(), values.end(), [&](const Value* v) { return marked(v); })) continue;
      for (const Value* v : values) changed |= mark(v);
    }
    return changed;
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
  const Window window = window_of(node);
  if (!window.reads_outside()) return std::nullopt;
  return Halo{window.halo_begin, window.halo_end, padding_value(node)};
}

Layouts assign_layouts(const Graph& graph) { return Assigner(graph).run(); }

}  // namespace lapis::codegen
