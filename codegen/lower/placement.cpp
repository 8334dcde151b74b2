#include "codegen/lower/placement.h"

#include <algorithm>
#include <unordered_set>

#include "codegen/lower/view.h"
#include "ir/ops/window.h"

namespace lapis::codegen {
namespace {

using Home = Placement::Home;

bool has_elements(const Value* v) { return v && element_count(v->type().shape()) != 0; }

class Placer {
 public:
  Placer(const Graph& graph, const NodeForms& forms, std::unordered_map<const Value*, Placement>& placed)
      : graph_(graph), forms_(forms), placed_(placed) {}

  void run() {
    for (const Node* node : graph_.nodes()) {
      if (forms_.flow(*node) != LayoutFlow::ChannelsLast) continue;
      mark(node->input(0));
      mark(node->output());
    }
    spread();
    for (const Node* node : graph_.nodes()) {
      widen(*node);
      follow_kernel(*node);
    }
    for (const Value* input : graph_.inputs())
      placed_[input] = row_major_storage(input->dtype(), input->type().shape(), Home::Given);
    for (const Node* node : graph_.nodes()) place(*node);
  }

 private:
  // ---- who wants channels last --------------------------------------------------------------------------------------

  void mark(const Value* v) {
    if (v && !v->is_constant() && v->type().rank() >= 3 && channels_last_.insert(v).second) marked_.push_back(v);
  }

  // Every value is taken up once, every node passes the order on once.
  void spread() {
    while (!marked_.empty()) {
      const Value* v = marked_.back();
      marked_.pop_back();
      if (v->producer()) pass_on(*v->producer(), *v);
      for (const Use& use : v->uses()) pass_on(*use.node, *v);
    }
  }

  void pass_on(const Node& node, const Value& v) {
    if (&node.graph() != &graph_ || forms_.flow(node) != LayoutFlow::Follows || !node.output()) return;
    const int64_t rank = node.output()->type().rank();
    if (v.type().rank() != rank || !passed_.insert(&node).second) return;
    for (const std::vector<Value*>& values : {node.inputs(), node.outputs()})
      for (const Value* value : values)
        if (value && value->type().rank() == rank) mark(value);
  }

  // The producer leaves room for the widest window that reads the value;
  // a window with another fill value makes its own copy.
  void widen(const Node& node) {
    const std::optional<Halo> wanted =
        forms_.flow(node) == LayoutFlow::ChannelsLast ? required_halo(node) : std::nullopt;
    if (!wanted) return;
    const auto [at, first] = halos_.try_emplace(node.input(0), *wanted);
    Halo& halo = at->second;
    if (first || halo.fill != wanted->fill) return;
    for (size_t i = 0; i < halo.begin.size(); ++i) {
      halo.begin[i] = std::max(halo.begin[i], wanted->begin[i]);
      halo.end[i] = std::max(halo.end[i], wanted->end[i]);
    }
  }

  // ---- what kernels write -------------------------------------------------------------------------------------------

  // The channels of the contraction that writes a value, or behind which it may be fused; and whether more may be.
  struct Kernel {
    int64_t axis;
    bool goes_on;
  };

  // Where two meet, channels of a convolution come first: a product's do not lie beside each other there.
  void follow_kernel(const Node& node) {
    const Role role = forms_.role(node);
    std::optional<int64_t> axis;
    if (role == Role::Contraction) axis = channel_axis(node);
    for (const Value* x : node.inputs())
      if (const Kernel* kernel = role == Role::Scalar ? kernel_behind(x) : nullptr)
        axis = std::min(axis.value_or(kernel->axis), kernel->axis);
    if (axis) kernels_[node.output()] = {*axis, forms_.goes_on(*node.output())};
  }

  // Of the value that an elementwise node reads, if it may be fused behind that.
  const Kernel* kernel_behind(const Value* x) const {
    const auto kernel = kernels_.find(x);
    return kernel != kernels_.end() && kernel->second.goes_on ? &kernel->second : nullptr;
  }

  // ---- placing ------------------------------------------------------------------------------------------------------

  // In the order of the graph: views see where their operand lies. A node without results does nothing and is no view.
  void place(const Node& node) {
    const bool empty = std::ranges::none_of(node.outputs(), has_elements);
    for (size_t i = 0; i < node.outputs().size(); ++i)
      if (const Value* v = node.output(i)) placed_[v] = empty ? row_major(*v) : placed(node, i);
  }

  Placement placed(const Node& node, size_t output) const {
    const Value& v = *node.output(output);
    const OpLowering* row = row_of(node);
    if (forms_.role(node) != Role::Call && row && row->result_view) return viewed(node, output, row->result_view);
    return wants_channels_last(node, v) ? channels_last(v) : row_major(v);
  }

  Placement viewed(const Node& node, size_t output, ViewFn view) const {
    const Value* of = node.input(0);
    if (!of) return {Home::View, *view(node, output, {}), 0, {}};
    const auto known = placed_.find(of);
    const View plain = row_major_view(-1, of->dtype(), of->type().shape());
    std::optional<View> result = view(node, output, known == placed_.end() ? plain : known->second.view);
    return {Home::View, result ? *std::move(result) : *view(node, output, plain), 0, {}};
  }

  bool in_output(const Value& v) const { return v.is_graph_output() && !graph_.parent(); }
  Placement row_major(const Value& v) const {
    return row_major_storage(v.dtype(), v.type().shape(), in_output(v) ? Home::Output : Home::Arena);
  }

  bool wants_channels_last(const Node& node, const Value& v) const {
    if (forms_.role(node) == Role::Call || !channels_last_.contains(&v)) return false;
    const auto kernel = kernels_.find(&v);
    return kernel == kernels_.end() || kernel->second.axis != v.type().rank() - 1;
  }

  Placement channels_last(const Value& v) const {
    const auto halo = halos_.find(&v);
    Placement own = channels_last_storage(v.dtype(), v.type().shape(),
                                          halo == halos_.end() ? std::nullopt : std::optional(halo->second));
    if (!in_output(v)) return own;
    const bool same = !own.halo && is_row_major(own.view);
    const bool gains =
        kernels_.contains(&v) || std::ranges::any_of(v.uses(), [&](const Use& use) { return reads_channels(use, v); });
    return same || !gains ? row_major(v) : own;
  }

  // A window, or an elementwise node behind a kernel whose operand the value may become.
  bool reads_channels(const Use& use, const Value& v) const {
    const Form* form = forms_.find(*use.node);
    if (!form) return false;
    if (form->role != Role::Scalar) return use.index == 0 && form->role != Role::Call && has_window(*use.node);
    return use.node->output()->type().shape() == v.type().shape() &&
           std::ranges::any_of(use.node->inputs(), [&](const Value* x) {
             const Kernel* kernel = x == &v ? nullptr : kernel_behind(x);
             return kernel && kernel->axis != v.type().rank() - 1;
           });
  }

  const Graph& graph_;
  const NodeForms& forms_;
  std::unordered_map<const Value*, Placement>& placed_;
  std::unordered_set<const Value*> channels_last_;
  std::vector<const Value*> marked_;
  std::unordered_set<const Node*> passed_;
  std::unordered_map<const Value*, Halo> halos_;
  std::unordered_map<const Value*, Kernel> kernels_;
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

bool Placement::dense_along(int64_t axis) const {
  const auto a = static_cast<size_t>(axis);
  return view.shape[a] == 1 || view.strides[a] == 1;
}

Placement row_major_storage(DType type, const Shape& shape, Placement::Home home) {
  return {home, row_major_view(-1, type, shape), element_count(shape), {}};
}

Placement channels_last_storage(DType type, const Shape& shape, std::optional<Halo> halo) {
  View view{-1, type, shape, Shape(shape.size()), 0};
  int64_t stride = shape[1];
  view.strides[1] = 1;
  for (size_t i = shape.size(); i-- > 2;) {
    const int64_t begin = halo ? halo->begin[i - 2] : 0, end = halo ? halo->end[i - 2] : 0;
    view.strides[i] = stride;
    view.offset += begin * stride;
    stride *= begin + shape[i] + end;
  }
  view.strides[0] = stride;
  return {Home::Arena, std::move(view), stride * shape[0], std::move(halo)};
}

void Placements::add(const Graph& graph, const NodeForms& forms) { Placer(graph, forms, placed_).run(); }

const Placement& Placements::of(const Value& value) {
  const auto known = placed_.find(&value);
  if (known != placed_.end()) return known->second;
  LAPIS_ASSERT(value.is_constant(), "nothing is decided about '" << value.name() << "'");
  return placed_[&value] = row_major_storage(value.dtype(), value.type().shape(), Home::Given);
}

}  // namespace lapis::codegen
