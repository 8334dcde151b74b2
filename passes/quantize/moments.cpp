#include "passes/quantize/moments.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "ir/ops/attributes.h"
#include "ir/ops/ops.h"
#include "passes/quantize/copier.h"
#include "passes/quantize/sample_runner.h"
#include "passes/quantize/typed.h"

namespace lapis {

namespace {

constexpr int64_t kMostNumbers = int64_t{1} << 25;  // of moments at a time
constexpr int64_t kMostStages = 16;

// Nodes that read the same numbers.
struct Measured {
  std::vector<Node*> nodes;
  int64_t groups = 1, inputs = 0;  // of a group
  InputMoments moments = {};
  int64_t stage = 0;  // those of one are measured together
  int64_t numbers() const { return groups * moments.size * moments.size; }
};

const Tensor& weights_of(const Node& node) { return node.input(1)->constant(); }

int64_t outputs_of(const Node& node) {
  const bool first = node.is(ops::Conv) || (node.is(ops::Gemm) && node.attrs<ops::GemmAttrs>().transB);
  return weights_of(node).dim(first ? 0 : 1);
}

bool takes_bias(const Node& node) {
  if (node.is(ops::MatMul)) return false;
  const Value* bias = node.input(2);
  const int64_t outputs = outputs_of(node);
  return !bias || (bias->is_constant() && bias->constant().size() == outputs && bias->constant().dim(-1) == outputs &&
                   bias->dtype() == DType::Float32);
}

Measured of(Node& node, const MomentsOptions& options) {
  Measured m{{&node},
             node.is(ops::Conv) ? node.attrs<ops::ConvAttrs>().group : 1,
             weights_of(node).size() / std::max<int64_t>(outputs_of(node), 1)};
  m.moments.ones = options.ones && takes_bias(node);
  m.moments.size = m.inputs + (m.moments.ones ? 1 : 0);
  return m;
}

// Of one output channel.
Shape kernel_of(const Node& conv) {
  const Shape& shape = weights_of(conv).shape();
  return {shape.begin() + 1, shape.end()};
}

bool read_the_same(const Measured& a, const Measured& b) {
  const Node &x = *a.nodes.front(), &y = *b.nodes.front();
  if (x.input(0) != y.input(0) || x.is(ops::Conv) != y.is(ops::Conv) || a.moments.ones != b.moments.ones) return false;
  return !x.is(ops::Conv) || (x.attributes() == y.attributes() && kernel_of(x) == kernel_of(y));
}

// Where the input that comes as the i-th lies in a kernel [channels][taps].
int64_t place(int64_t i, const Shape& kernel, InputOrder order) {
  const int64_t channels = kernel[0], taps = element_count(kernel) / std::max<int64_t>(channels, 1);
  return order == InputOrder::ByChannel ? i : i % channels * taps + i / channels;
}

// Builds what computes moments.
class Builder {
 public:
  Builder(Graph& graph, InputOrder order) : graph_(graph), order_(order) {}

  // float[groups][size][rows]: the inputs of the nodes, which read x.
  Value* columns(const Measured& m, Value* x) {
    const Node& node = *m.nodes.front();
    Value* columns = node.is(ops::Conv) ? patches(node, x, m) : columns_of_rows(x, m);
    return m.moments.ones ? with_ones(columns) : columns;
  }
  // float[groups][size][size]
  Value* products(Value* a, Value* b) { return add_typed(graph_, ops::MatMul, {a, transposed(b, {0, 2, 1})}); }

 private:
  // [1][inputs][rows]
  Value* columns_of_rows(Value* x, const Measured& m) {
    return transposed(add_typed(graph_, ops::Reshape, {x, ints({1, -1, m.inputs})}), {0, 2, 1});
  }

  // [groups][inputs][positions]: a kernel for each place under the window, which takes what lies there.
  Value* patches(const Node& node, Value* x, const Measured& m) {
    const Shape kernel = kernel_of(node);
    Shape shape = kernel;
    shape.insert(shape.begin(), m.groups * m.inputs);
    Tensor takers(DType::Float32, shape);
    for (int64_t i = 0; i < shape[0]; ++i)
      takers.mutable_data<float>()[static_cast<size_t>(i * m.inputs + place(i % m.inputs, kernel, order_))] = 1;
    Value* places = add_typed(graph_, ops::Conv, {x, graph_.add_constant(std::move(takers))}, node.attributes());
    std::vector<int64_t> channels_first = {1, 0};
    for (int64_t a = 2; a < static_cast<int64_t>(shape.size()); ++a) channels_first.push_back(a);
    return add_typed(graph_, ops::Reshape, {transposed(places, channels_first), ints({m.groups, m.inputs, -1})});
  }

  Value* with_ones(Value* columns) {
    return add_typed(graph_, ops::Pad, {columns, ints({0, 0, 0, 0, 1, 0}), graph_.add_constant(Tensor::scalar(1.0f))});
  }
  Value* transposed(Value* x, std::vector<int64_t> perm) {
    return add_typed(graph_, ops::Transpose, {x}, {{"perm", std::move(perm)}});
  }
  Value* ints(std::vector<int64_t> values) { return graph_.add_constant(Tensor::vector(std::move(values))); }

  Graph& graph_;
  const InputOrder order_;
};

// Sums that a sample adds to.
struct Sums {
  std::string name;  // of the value that holds those of a sample
  std::vector<Moments>* to;

  void add(const Tensor& seen) const {
    const auto numbers = seen.data<float>();
    const size_t each = numbers.size() / to->size();
    for (size_t i = 0; i < numbers.size(); ++i) (*to)[i / each][i % each] += numbers[i];
  }
};

// A model that computes moments.
class Measurement {
 public:
  Measurement(std::unique_ptr<Graph> graph, InputOrder order) : graph_(std::move(graph)), builder_(*graph_, order) {}

  Graph& graph() { return *graph_; }
  // `was`: what the nodes read before the changes; null: nobody asks.
  void add(Measured& m, Value* x, Value* was) {
    Value* columns = builder_.columns(m, x);
    add(m, builder_.products(columns, columns), m.moments.groups);
    if (was) add(m, builder_.products(builder_.columns(m, was), columns), m.moments.from);
  }

  Status run(Evaluator& evaluator, const SampleSource& source, int64_t samples) {
    graph_->set_outputs(outputs_);
    SampleRunner runner(*graph_, {}, evaluator);
    int64_t seen = 0;
    LAPIS_CHECK(runner.run_all(source, samples, [&](const Feeds& results) -> Status {
      for (const Sums& sums : sums_) sums.add(results.at(sums.name));
      ++seen;
      return ok();
    }));
    if (seen > 0) return ok();
    return error(ErrorKind::Mismatch, "there is no calibration sample").help("give at least one; 100 is usual");
  }

 private:
  void add(const Measured& m, Value* products, std::vector<Moments>& to) {
    to.assign(static_cast<size_t>(m.groups), Moments(static_cast<size_t>(m.moments.size * m.moments.size), 0));
    outputs_.push_back(products);
    sums_.push_back({products->name(), &to});
  }

  std::unique_ptr<Graph> graph_;
  Builder builder_;
  std::vector<Value*> outputs_;
  std::vector<Sums> sums_;
};

const Value* data_in(const Graph& graph, const Measured& m) {
  return graph.find_value(m.nodes.front()->input(0)->name());
}

// What `copier` makes of a value.
Value* copied(Copier& copier, const Value* v) {
  if (v->producer()) copier.copy_until(*v->producer());
  return copier.of(v);
}

Measurement as_it_was(const Graph& original, std::span<Measured> some, InputOrder order) {
  Measurement measurement(original.clone(), order);
  for (Measured& m : some)
    measurement.add(m, measurement.graph().find_value(m.nodes.front()->input(0)->name()), nullptr);
  return measurement;
}

// The model as it was and as it is, side by side.
Measurement as_changed(const Graph& original, const Graph& changed, std::span<Measured> some, InputOrder order) {
  Measurement measurement(std::make_unique<Graph>("both"), order);
  Graph& both = measurement.graph();
  for (const Value* input : original.inputs()) both.add_input(input->name(), input->type());
  Copier before(original, both), now(changed, both);
  for (Measured& m : some) {
    Value* is = copied(now, data_in(changed, m));
    measurement.add(m, is, copied(before, data_in(original, m)));
  }
  return measurement;
}

std::vector<Measured> grouped(std::span<Node* const> nodes, const MomentsOptions& options) {
  std::vector<Measured> all;
  for (Node* node : nodes) {
    Measured one = of(*node, options);
    const auto same = std::find_if(all.begin(), all.end(), [&](const Measured& m) { return read_the_same(m, one); });
    if (same == all.end())
      all.push_back(std::move(one));
    else
      same->nodes.push_back(node);
  }
  return all;
}

// How many of the nodes stand one behind the other in front of each of them.
std::unordered_map<const Node*, int64_t> depths_of(const Graph& graph, std::span<Node* const> nodes) {
  const std::unordered_set<const Node*> measured(nodes.begin(), nodes.end());
  std::unordered_map<const Value*, int64_t> behind;
  std::unordered_map<const Node*, int64_t> depths;
  for (const Node* node : graph.nodes()) {
    int64_t depth = 0;
    for (const Value* v : node->inputs())
      if (const auto it = behind.find(v); it != behind.end()) depth = std::max(depth, it->second);
    if (measured.contains(node)) depths[node] = depth++;
    for (const Value* v : node->outputs()) behind[v] = depth;
  }
  return depths;
}

// Those in front first; neighbours share a stage where there are many.
void sort_into_stages(std::vector<Measured>& all, const Graph& graph, std::span<Node* const> nodes) {
  const std::unordered_map<const Node*, int64_t> depths = depths_of(graph, nodes);
  int64_t deepest = 1;
  for (const auto& [node, depth] : depths) deepest = std::max(deepest, depth + 1);
  for (Measured& m : all) m.stage = depths.at(m.nodes.front()) * std::min(kMostStages, deepest) / deepest;
  std::stable_sort(all.begin(), all.end(), [](const Measured& a, const Measured& b) { return a.stage < b.stage; });
}

Status use_all(std::span<Measured> some, const std::function<Status(Node&, const InputMoments&)>& use) {
  for (Measured& m : some) {
    for (Node* node : m.nodes) LAPIS_CHECK(use(*node, m.moments));
    m.moments.groups = m.moments.from = {};
  }
  return ok();
}

}  // namespace

std::optional<std::string> has_no_moments(const Node& node) {
  if (node.input(0)->is_constant()) return "its data is constant";
  if (!node.input(0)->type().ranked()) return "the rank of its data is not known";
  if (!node.is(ops::Gemm)) return std::nullopt;
  const auto& gemm = node.attrs<ops::GemmAttrs>();
  if (gemm.transA) return "A is transposed";
  if (gemm.alpha != 1 || gemm.beta != 1) return "alpha or beta is not 1";
  return std::nullopt;
}

Status for_each_moments(const Graph& graph, std::span<Node* const> nodes, const MomentsOptions& options,
                        Evaluator& evaluator, const SampleSource& source, int64_t samples,
                        const std::function<Status(Node&, const InputMoments&)>& use) {
  const std::unique_ptr<Graph> original = graph.clone();
  std::vector<Measured> all = grouped(nodes, options);
  if (options.as_changed) sort_into_stages(all, graph, nodes);
  for (size_t first = 0, end = 0; first < all.size(); first = end) {
    int64_t numbers = 0;
    while (end < all.size() && all[end].stage == all[first].stage &&
           (end == first || numbers + all[end].numbers() <= kMostNumbers / (options.as_changed ? 2 : 1)))
      numbers += all[end++].numbers();
    const std::span<Measured> some(all.data() + first, end - first);
    Measurement measurement = options.as_changed ? as_changed(*original, graph, some, options.order)
                                                 : as_it_was(*original, some, options.order);
    LAPIS_CHECK(measurement.run(evaluator, source, samples));
    LAPIS_CHECK(use_all(some, use));
  }
  return ok();
}

}  // namespace lapis
