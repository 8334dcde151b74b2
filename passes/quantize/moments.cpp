#include "passes/quantize/moments.h"

#include <algorithm>

#include "ir/ops/attributes.h"
#include "ir/ops/ops.h"
#include "passes/quantize/roles.h"
#include "passes/quantize/sample_runner.h"
#include "passes/quantize/typed.h"

namespace lapis {

namespace {

constexpr int64_t kMostNumbers = int64_t{1} << 25;  // of moments at a time

// Nodes that read the same numbers.
struct Measured {
  std::vector<Node*> nodes;
  int64_t groups = 1, inputs = 0;
  std::string name = {};  // of the value with the moments of a sample
  GroupMoments sums = {};
  int64_t numbers() const { return groups * inputs * inputs; }
};

Measured of(Node& node) {
  const ContractionRole role = *contraction_role(node);
  const Tensor& w = role.weight->constant();
  if (!node.is(ops::Conv)) return {{&node}, 1, w.dim(1 - role.axis)};
  return {{&node}, node.attrs<ops::ConvAttrs>().group, w.size() / w.dim(0)};
}

bool read_the_same(const Node& a, const Node& b) {
  if (a.input(0) != b.input(0) || a.is(ops::Conv) != b.is(ops::Conv)) return false;
  if (!a.is(ops::Conv)) return true;
  return a.attributes() == b.attributes() &&
         Shape(a.input(1)->constant().shape().begin() + 1, a.input(1)->constant().shape().end()) ==
             Shape(b.input(1)->constant().shape().begin() + 1, b.input(1)->constant().shape().end());
}

// [groups][inputs][rows] of a convolution: a kernel for each place under the window, which takes what lies there.
Value* patches(Graph& graph, const Node& node, Value* x, const Measured& m) {
  Shape shape = node.input(1)->constant().shape();
  shape[0] = m.groups * m.inputs;
  Tensor takers(DType::Float32, shape);
  for (int64_t i = 0; i < shape[0]; ++i)
    takers.mutable_data<float>()[static_cast<size_t>(i * m.inputs + i % m.inputs)] = 1;
  Value* places = add_typed(graph, ops::Conv, {x, graph.add_constant(std::move(takers))}, node.attributes());
  std::vector<int64_t> channels_first = {1, 0};
  for (int64_t a = 2; a < static_cast<int64_t>(shape.size()); ++a) channels_first.push_back(a);
  places = add_typed(graph, ops::Transpose, {places}, {{"perm", channels_first}});
  return add_typed(graph, ops::Reshape,
                   {places, graph.add_constant(Tensor::vector<int64_t>({m.groups, m.inputs, -1}))});
}

// The value with x^T x of each group.
Value* add_moments(Graph& graph, const Measured& m) {
  const Node& node = *m.nodes.front();
  Value* x = graph.find_value(node.input(0)->name());
  if (node.is(ops::Conv)) {
    Value* columns = patches(graph, node, x, m);
    return add_typed(graph, ops::MatMul,
                     {columns, add_typed(graph, ops::Transpose, {columns}, {{"perm", std::vector<int64_t>{0, 2, 1}}})});
  }
  Value* rows = add_typed(graph, ops::Reshape, {x, graph.add_constant(Tensor::vector<int64_t>({-1, m.inputs}))});
  return add_typed(graph, ops::MatMul, {add_typed(graph, ops::Transpose, {rows}), rows});
}

void add_sample(Measured& m, const Tensor& seen) {
  const auto numbers = seen.data<float>();
  const auto each = static_cast<size_t>(m.inputs * m.inputs);
  m.sums.resize(static_cast<size_t>(m.groups), Moments(each, 0));
  for (size_t i = 0; i < numbers.size(); ++i) m.sums[i / each][i % each] += numbers[i];
}

Status measure(const Graph& graph, std::span<Measured> some, Evaluator& evaluator, const SampleSource& source,
               int64_t samples) {
  const std::unique_ptr<Graph> copy = graph.clone();
  std::vector<Value*> outputs;
  for (Measured& m : some) {
    outputs.push_back(add_moments(*copy, m));
    m.name = outputs.back()->name();
  }
  copy->set_outputs(outputs);
  SampleRunner runner(*copy, {}, evaluator);
  return runner.run_all(source, samples, [&](const Feeds& results) -> Status {
    for (Measured& m : some) add_sample(m, results.at(m.name));
    return ok();
  });
}

std::vector<Measured> grouped(std::span<Node* const> nodes) {
  std::vector<Measured> all;
  for (Node* node : nodes) {
    const auto same =
        std::find_if(all.begin(), all.end(), [&](const Measured& m) { return read_the_same(*m.nodes.front(), *node); });
    if (same == all.end())
      all.push_back(of(*node));
    else
      same->nodes.push_back(node);
  }
  return all;
}

}  // namespace

Status for_each_moments(const Graph& graph, std::span<Node* const> nodes, Evaluator& evaluator,
                        const SampleSource& source, int64_t samples,
                        const std::function<Status(Node&, const GroupMoments&)>& use) {
  std::vector<Measured> all = grouped(nodes);
  for (size_t first = 0, end = 0; first < all.size(); first = end) {
    int64_t numbers = 0;
    while (end < all.size() && (end == first || numbers + all[end].numbers() <= kMostNumbers))
      numbers += all[end++].numbers();
    const std::span<Measured> some(all.data() + first, end - first);
    LAPIS_CHECK(measure(graph, some, evaluator, source, samples));
    for (Measured& m : some) {
      if (m.sums.empty())
        return error(ErrorKind::Mismatch, "there is no calibration sample").help("give at least one; 100 is usual");
      for (Node* node : m.nodes) LAPIS_CHECK(use(*node, m.sums));
      m.sums.clear();
    }
  }
  return ok();
}

}  // namespace lapis
