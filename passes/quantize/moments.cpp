#include "passes/quantize/moments.h"

#include <algorithm>

#include "ir/ops/attributes.h"
#include "ir/ops/ops.h"
#include "passes/quantize/sample_runner.h"
#include "passes/quantize/typed.h"

namespace lapis {

namespace {

constexpr int64_t kMostNumbers = int64_t{1} << 25;  // of moments at a time

// Nodes that read the same numbers.
struct Measured {
  std::vector<Node*> nodes;
  int64_t groups = 1, inputs = 0;  // of a group
  InputMoments moments = {};
  std::string name = {};  // of the value with the moments of a sample
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

// Builds what computes moments beside a copy of the model.
class Builder {
 public:
  Builder(Graph& copy, InputOrder order) : graph_(copy), order_(order) {}

  // float[groups][size][size]
  Value* moments(const Measured& m) {
    const Node& node = *m.nodes.front();
    Value* x = graph_.find_value(node.input(0)->name());
    Value* columns = node.is(ops::Conv) ? patches(node, x, m) : columns_of_rows(x, m);
    if (m.moments.ones) columns = with_ones(columns);
    return add_typed(graph_, ops::MatMul, {columns, transposed(columns, {0, 2, 1})});
  }

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
    return add_typed(graph_, ops::Pad,
                     {columns, ints({0, 0, 0, 0, 1, 0}), graph_.add_constant(Tensor::scalar(1.0f))});
  }
  Value* transposed(Value* x, std::vector<int64_t> perm) {
    return add_typed(graph_, ops::Transpose, {x}, {{"perm", std::move(perm)}});
  }
  Value* ints(std::vector<int64_t> values) { return graph_.add_constant(Tensor::vector(std::move(values))); }

  Graph& graph_;
  const InputOrder order_;
};

void add_sample(Measured& m, const Tensor& seen) {
  const auto numbers = seen.data<float>();
  const auto each = static_cast<size_t>(m.moments.size * m.moments.size);
  m.moments.groups.resize(static_cast<size_t>(m.groups), Moments(each, 0));
  for (size_t i = 0; i < numbers.size(); ++i) m.moments.groups[i / each][i % each] += numbers[i];
}

Status measure(const Graph& graph, std::span<Measured> some, InputOrder order, Evaluator& evaluator,
               const SampleSource& source, int64_t samples) {
  const std::unique_ptr<Graph> copy = graph.clone();
  Builder builder(*copy, order);
  std::vector<Value*> outputs;
  for (Measured& m : some) {
    outputs.push_back(builder.moments(m));
    m.name = outputs.back()->name();
  }
  copy->set_outputs(outputs);
  SampleRunner runner(*copy, {}, evaluator);
  return runner.run_all(source, samples, [&](const Feeds& results) -> Status {
    for (Measured& m : some) add_sample(m, results.at(m.name));
    return ok();
  });
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

Status use_all(std::span<Measured> some, const std::function<Status(Node&, const InputMoments&)>& use) {
  for (Measured& m : some) {
    if (m.moments.groups.empty())
      return error(ErrorKind::Mismatch, "there is no calibration sample").help("give at least one; 100 is usual");
    for (Node* node : m.nodes) LAPIS_CHECK(use(*node, m.moments));
    m.moments.groups = {};
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
  const std::unique_ptr<Graph> as_it_was = graph.clone();
  std::vector<Measured> all = grouped(nodes, options);
  for (size_t first = 0, end = 0; first < all.size(); first = end) {
    int64_t numbers = 0;
    while (end < all.size() && (end == first || numbers + all[end].numbers() <= kMostNumbers))
      numbers += all[end++].numbers();
    const std::span<Measured> some(all.data() + first, end - first);
    LAPIS_CHECK(measure(*as_it_was, some, options.order, evaluator, source, samples));
    LAPIS_CHECK(use_all(some, use));
  }
  return ok();
}

}  // namespace lapis
