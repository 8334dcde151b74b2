#include "passes/quantize/weights_alone.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "ir/ops/loops.h"
#include "ir/ops/ops.h"
#include "passes/quantize/roles.h"
#include "passes/quantize/sample_runner.h"
#include "passes/quantize/typed.h"

namespace lapis {

namespace {

constexpr double kDamping = 0.01;  // of the mean of the diagonal

// The steps that a block of weights is rounded to.
struct Steps {
  double scale = 1;
  int64_t zero = 0, low = 0, high = 0;
  int64_t round(double w) const {
    return static_cast<int64_t>(std::clamp(std::nearbyint(w / scale) + static_cast<double>(zero),
                                           static_cast<double>(low), static_cast<double>(high)));
  }
  double value(int64_t q) const { return static_cast<double>(q - zero) * scale; }
};

// Symmetric steps leave out the lowest integer, so that both signs reach equally far.
Steps steps_of(const double* weights, int64_t count, const Scheme& scheme) {
  const int64_t top = (int64_t{1} << (bit_width(scheme.type) - (scheme.symmetric ? 1 : 0))) - 1;
  double low = 0, high = 0;
  for (int64_t i = 0; i < count; ++i) {
    low = std::min(low, weights[i]);
    high = std::max(high, weights[i]);
  }
  // As float, because that is how the scale is stored.
  const double scale = static_cast<float>(scheme.symmetric ? std::max(high, -low) / static_cast<double>(top)
                                                           : (high - low) / static_cast<double>(top));
  if (!(scale > 1e-30)) return {1, 0, scheme.symmetric ? -top : 0, top};
  if (scheme.symmetric) return {scale, 0, -top, top};
  return {scale, std::clamp(static_cast<int64_t>(std::nearbyint(-low / scale)), int64_t{0}, top), 0, top};
}

class Rounder {
 public:
  Rounder(int64_t inputs, const Scheme& scheme, const Moments* moments)
      : inputs_(inputs), scheme_(scheme), block_(scheme.granularity == Granularity::Block ? scheme.block : inputs) {
    if (moments) root_ = inverse_root(*moments, inputs);
  }

  // The weights of one output channel. What rounding a weight takes away is made good by those that are still to be rounded.
  void round(double* w, RoundedWeights& to) const {
    Steps steps;
    const std::vector<double> original(w, w + inputs_);
    for (int64_t k = 0; k < inputs_; ++k) {
      if (k % block_ == 0) {
        steps = steps_of(w + k, std::min(block_, inputs_ - k), scheme_);
        to.scales.push_back(static_cast<float>(steps.scale));
        to.zeros.push_back(steps.zero);
      }
      to.integers.push_back(original[static_cast<size_t>(k)] == 0 ? steps.zero : steps.round(w[k]));
      if (root_.empty()) continue;
      const double* u = root_.data() + k * inputs_;
      const double error = (w[k] - steps.value(to.integers.back())) / u[k];
      for (int64_t j = k + 1; j < inputs_; ++j) w[j] -= error * u[j];
    }
  }
  int64_t blocks() const { return (inputs_ + block_ - 1) / block_; }

 private:
  const int64_t inputs_;
  const Scheme scheme_;
  const int64_t block_;
  std::vector<double> root_;  // empty: to the nearest
};

// [a][b] as [b][a], or as it is.
template <class T> std::vector<T> turned(std::vector<T> m, int64_t a, int64_t b, bool turn) {
  if (!turn) return m;
  std::vector<T> t(m.size());
  for (int64_t i = 0; i < a; ++i)
    for (int64_t j = 0; j < b; ++j) t[static_cast<size_t>(j * a + i)] = m[static_cast<size_t>(i * b + j)];
  return t;
}

bool uses_gptq(const Placement& placement, const Node& node) {
  return placement.recipes.of(node).algorithm == WeightAlgorithm::Gptq;
}

class Inserter {
 public:
  Inserter(Graph& graph, const Placement& placement, const MomentsOf& moments)
      : graph_(graph), placement_(placement), moments_(moments) {}

  void quantize(Node& node) {
    const auto role = contraction_role(node);
    LAPIS_ASSERT(role.ok(), "'" << node.name() << "' was planned with weights in fewer bits");
    const NodeRecipe& recipe = placement_.recipes.of(node);
    const auto moments = moments_.find(role->data);
    const Moments* used = moments == moments_.end() || !uses_gptq(placement_, node) ? nullptr : &moments->second;
    Value*& floats = known_[{role->weight, used, recipe.weights.to_string()}];
    if (!floats) floats = dequantized(*role, recipe.weights, used, node);
    node.set_input(1, floats);
  }

 private:
  Value* dequantized(const ContractionRole& role, const Scheme& scheme, const Moments* moments, Node& node) {
    const Tensor& w = role.weight->constant();
    const int64_t inputs = w.dim(1 - role.axis), outputs = w.dim(role.axis);
    const bool turn = role.axis == 1;  // stored as [inputs][outputs]
    const auto data = w.data<float>();
    const RoundedWeights r = round_weights(turned(std::vector<double>(data.begin(), data.end()), inputs, outputs, turn),
                                           inputs, scheme, moments);
    const bool blocked = scheme.granularity == Granularity::Block;
    const Shape shape = !blocked ? Shape{outputs} : turn ? Shape{r.blocks, outputs} : Shape{outputs, r.blocks};
    const std::string& name = role.weight->name();
    std::vector<Value*> operands = {
        graph_.add_constant(ops::from_integers(scheme.type, w.shape(), turned(r.integers, outputs, inputs, turn)),
                            name + "_quantized"),
        graph_.add_constant(Tensor::of<float>(shape, turned(r.scales, outputs, r.blocks, turn && blocked)),
                            name + "_scale")};
    if (!scheme.symmetric)
      operands.push_back(graph_.add_constant(
          ops::from_integers(scheme.type, shape, turned(r.zeros, outputs, r.blocks, turn && blocked)),
          name + "_zero_point"));
    Attributes attributes = {{"axis", blocked ? 1 - role.axis : role.axis}};
    if (blocked) attributes["block_size"] = scheme.block;
    Value* floats = add_typed(graph_, ops::DequantizeLinear, std::move(operands), std::move(attributes), &node);
    floats->producer()->set_origin(node.origin());
    graph_.rename(floats, graph_.unique_name(name + "_dequantized"));
    return floats;
  }

  Graph& graph_;
  const Placement& placement_;
  const MomentsOf& moments_;
  std::map<std::tuple<const Value*, const Moments*, std::string>, Value*> known_;  // dequantized, by weight and how
};

}  // namespace

std::vector<double> inverse_root(Moments h, int64_t n) {
  const auto row = [n](std::vector<double>& m, int64_t i) { return m.data() + i * n; };
  double mean = 0;
  for (int64_t i = 0; i < n; ++i) mean += row(h, i)[i] / static_cast<double>(n);
  for (int64_t i = 0; i < n; ++i) row(h, i)[i] += row(h, i)[i] == 0 ? 1 : kDamping * mean;
  for (int64_t j = n - 1; j >= 0; --j) {
    double* rj = row(h, j);
    for (int64_t i = 0; i <= j; ++i) {
      double* ri = row(h, i);
      double sum = ri[j];
      for (int64_t k = j + 1; k < n; ++k) sum -= ri[k] * rj[k];
      ri[j] = sum;
    }
    rj[j] = std::sqrt(std::max(rj[j], 1e-12 * mean + 1e-300));
    for (int64_t i = 0; i < j; ++i) row(h, i)[j] /= rj[j];
  }
  std::vector<double> u(static_cast<size_t>(n * n), 0);
  for (int64_t i = n - 1; i >= 0; --i) {
    const double* r = row(h, i);
    double* ui = row(u, i);
    ui[i] = 1;
    for (int64_t k = i + 1; k < n; ++k) {
      const double* uk = row(u, k);
      for (int64_t j = k; j < n; ++j) ui[j] -= r[k] * uk[j];
    }
    for (int64_t j = i; j < n; ++j) ui[j] /= r[i];
  }
  return u;
}

RoundedWeights round_weights(std::vector<double> weights, int64_t inputs, const Scheme& scheme,
                             const Moments* moments) {
  const Rounder rounder(inputs, scheme, moments);
  RoundedWeights rounded;
  rounded.blocks = rounder.blocks();
  for (size_t at = 0; at < weights.size(); at += static_cast<size_t>(inputs))
    rounder.round(weights.data() + at, rounded);
  return rounded;
}

Result<MomentsOf> measure_moments(const Graph& graph, const Placement& placement, Evaluator& evaluator,
                                  const SampleSource& source, int64_t samples) {
  MomentsOf moments;
  const std::unique_ptr<Graph> copy = graph.clone();
  std::vector<std::pair<const Value*, std::string>> products;  // and the value that holds them
  std::vector<Value*> outputs;
  for (const Node* node : graph.nodes()) {
    if (!placement.weights_alone.contains(node) || !uses_gptq(placement, *node)) continue;
    const int64_t inputs = node->input(1)->constant().dim(1 - contraction_role(*node)->axis);
    if (!moments.emplace(node->input(0), Moments(static_cast<size_t>(inputs * inputs), 0)).second) continue;
    Value* rows = add_typed(
        *copy, ops::Reshape,
        {copy->find_value(node->input(0)->name()), copy->add_constant(Tensor::vector<int64_t>({-1, inputs}))});
    outputs.push_back(add_typed(*copy, ops::MatMul, {add_typed(*copy, ops::Transpose, {rows}), rows}));
    products.emplace_back(node->input(0), outputs.back()->name());
  }
  if (products.empty()) return moments;
  copy->set_outputs(outputs);
  SampleRunner runner(*copy, {}, evaluator);
  LAPIS_CHECK(runner.run_all(source, samples, [&](const Feeds& results) -> Status {
    for (const auto& [value, name] : products) {
      const auto seen = results.at(name).data<float>();
      Moments& sums = moments.at(value);
      for (size_t i = 0; i < sums.size(); ++i) sums[i] += seen[i];
    }
    return ok();
  }));
  return moments;
}

void insert_weights_alone(Graph& graph, const Placement& placement, const MomentsOf& moments) {
  Inserter inserter(graph, placement, moments);
  for (Node* node : graph.nodes())
    if (placement.weights_alone.contains(node)) inserter.quantize(*node);
  graph.erase_unused_constants();
}

}  // namespace lapis
