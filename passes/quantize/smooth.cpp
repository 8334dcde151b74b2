#include "passes/quantize/smooth.h"

#include <algorithm>
#include <cmath>

#include "ir/ops/ops.h"
#include "passes/quantize/params.h"
#include "passes/quantize/roles.h"
#include "passes/quantize/sample_runner.h"
#include "passes/quantize/typed.h"
#include "passes/quantize/weights_alone.h"

namespace lapis {

namespace {

constexpr float kSmallestFactor = 1e-5f;  // of the paper's implementation
constexpr int64_t kRows = 32;             // of each value, on which `auto` tries alphas

struct Product {
  Node* node;
  ContractionRole role;
  Scheme scheme;  // of the weights
  // Of input channel j and output column n.
  size_t at(int64_t j, int64_t n) const {
    return static_cast<size_t>(role.axis == 1 ? j * role.weight->constant().dim(1) + n
                                              : n * role.weight->constant().dim(1) + j);
  }
  int64_t inputs() const { return role.weight->constant().dim(1 - role.axis); }
  int64_t columns() const { return role.weight->constant().dim(role.axis); }
};

// Products that read one value and are smoothed alike.
struct Group {
  Value* x;
  Smoothing smoothing;
  bool weights_alone;  // AWQ
  std::vector<Product> products;
  std::vector<float> size;  // of each channel of x: the largest magnitude, or for AWQ the sum of mean magnitudes
  std::vector<float> rows;  // some rows of x, for `auto`
};

// A product of sequences that are floats: the Mul is free in the loop that makes bytes of them. In front of it bytes would become floats again.
bool is_of_an_encoder(const Placement& placement, const Node& node) {
  const Value& x = *node.input(0);
  return placement.quantized.contains(&node) && node.is(ops::MatMul) && x.type().ranked() && x.type().rank() >= 3 &&
         !(x.producer() && placement.quantized.contains(x.producer()));
}

std::optional<Smoothing> wanted(const Placement& placement, const Node& node) {
  if (!(node.is(ops::Gemm) || node.is(ops::MatMul))) return std::nullopt;
  const NodeRecipe& recipe = placement.recipes.of(node);
  if (placement.weights_alone.contains(&node) && recipe.algorithm == WeightAlgorithm::Awq) return Smoothing{0, true};
  if (!placement.is_int8(node)) return std::nullopt;
  if (recipe.smooth) return recipe.smooth->on() ? recipe.smooth : std::nullopt;
  return is_of_an_encoder(placement, node) ? std::optional(kUsualSmoothing) : std::nullopt;
}

std::vector<Group> groups_of(const Graph& graph, const Placement& placement) {
  std::vector<Group> groups;
  for (Node* node : graph.nodes()) {
    const std::optional<Smoothing> how = wanted(placement, *node);
    if (!how || !node->input(0)->type().ranked()) continue;
    const auto role = contraction_role(*node);
    LAPIS_ASSERT(role.ok(), "'" << node->name() << "' was planned in fewer bits");
    const bool alone = placement.weights_alone.contains(node);
    auto it = std::find_if(groups.begin(), groups.end(), [&](const Group& g) {
      return g.x == role->data && g.smoothing == *how && g.weights_alone == alone;
    });
    if (it == groups.end()) it = groups.insert(it, {role->data, *how, alone, {}, {}, {}});
    it->products.push_back({node, *role, placement.recipes.of(*node).weights});
  }
  return groups;
}

// ---- what the data is like ------------------------------------------------------------------------------------------

// max|x| or the mean of |x| over all axes but the last.
Value* channel_size(Graph& graph, Value* x, bool mean) {
  return reduce_all_but(graph, mean ? ops::ReduceMean : ops::ReduceMax, add_typed(graph, ops::Abs, {x}),
                        x->type().rank() - 1);
}

// Only channels that are finite count; a channel without any keeps 0.
void take_size(Group& g, const Tensor& seen) {
  g.size.resize(static_cast<size_t>(seen.size()), 0);
  for (size_t j = 0; j < g.size.size(); ++j)
    if (const float v = seen.data<float>()[j]; std::isfinite(v))
      g.size[j] = g.weights_alone ? g.size[j] + v : std::max(g.size[j], v);
}

Status measure(const Graph& graph, std::vector<Group>& groups, Evaluator& evaluator, const SampleSource& source,
               int64_t samples) {
  const std::unique_ptr<Graph> copy = graph.clone();
  std::vector<Value*> outputs;
  for (const Group& g : groups) outputs.push_back(channel_size(*copy, copy->find_value(g.x->name()), g.weights_alone));
  copy->set_outputs(outputs);
  SampleRunner runner(*copy, {}, evaluator);
  return runner.run_all(source, samples, [&](const Feeds& results) -> Status {
    for (size_t i = 0; i < groups.size(); ++i) take_size(groups[i], results.at(outputs[i]->name()));
    return ok();
  });
}

void take_rows(Group& g, const Tensor& x) {
  const auto channels = static_cast<int64_t>(g.size.size());
  const int64_t there = x.size() / std::max<int64_t>(channels, 1);
  const int64_t wanted = std::min(there, kRows / 4);
  for (int64_t r = 0; r < wanted && static_cast<int64_t>(g.rows.size()) < kRows * channels; ++r) {
    const auto row =
        x.data<float>().subspan(static_cast<size_t>(r * there / wanted * channels), static_cast<size_t>(channels));
    g.rows.insert(g.rows.end(), row.begin(), row.end());
  }
}

Status collect_rows(const Graph& graph, std::vector<Group>& groups, Evaluator& evaluator, const SampleSource& source) {
  std::vector<std::string> names;
  for (const Group& g : groups)
    if (g.smoothing.automatic) names.push_back(g.x->name());
  if (names.empty()) return ok();
  SampleRunner runner(graph, names, evaluator);
  return runner.run_all(source, 4, [&](const Feeds& results) -> Status {
    for (Group& g : groups)
      if (g.smoothing.automatic) take_rows(g, results.at(g.x->name()));
    return ok();
  });
}

// ---- the factors ----------------------------------------------------------------------------------------------------

std::vector<float> factors(const Group& g, double alpha) {
  std::vector<float> s(g.size.size(), 1.0f);
  for (size_t j = 0; j < s.size(); ++j) {
    float weight = 0;
    for (const Product& p : g.products)
      for (int64_t n = 0; n < p.columns(); ++n)
        weight = std::max(weight, std::abs(p.role.weight->constant().data<float>()[p.at(static_cast<int64_t>(j), n)]));
    const double f = std::pow(g.size[j], alpha) / std::pow(weight, 1 - alpha);
    if (g.size[j] > 0 && weight > 0 && std::isfinite(f)) s[j] = std::max(static_cast<float>(f), kSmallestFactor);
  }
  return s;
}

Tensor scaled(const Product& p, const std::vector<float>& s) {
  Tensor w(DType::Float32, p.role.weight->constant().shape());
  const auto from = p.role.weight->constant().data<float>();
  for (int64_t j = 0; j < p.inputs(); ++j)
    for (int64_t n = 0; n < p.columns(); ++n)
      w.mutable_data<float>()[p.at(j, n)] = from[p.at(j, n)] * s[static_cast<size_t>(j)];
  return w;
}

// The factors of AWQ.
std::vector<float> factors_of_weights_alone(const Group& g, double alpha) {
  std::vector<float> s;
  for (const float size : g.size) s.push_back(std::max(static_cast<float>(std::pow(size, alpha)), 1e-4f));
  const auto [low, high] = std::minmax_element(s.begin(), s.end());
  const float middle = std::sqrt(*low * *high);
  for (float& f : s) f /= middle;
  return s;
}

// Rounded to uint8 in their own range, as floats.
std::vector<float> rounded(std::vector<float> x) {
  const auto [low, high] = std::minmax_element(x.begin(), x.end());
  const QuantParams q = uint8_params({*low, *high});
  const auto zero = static_cast<float>(q.zero_point);
  for (float& v : x) v = (std::clamp(std::nearbyint(v / q.scale) + zero, 0.0f, 255.0f) - zero) * q.scale;
  return x;
}

// The weights as [columns][inputs].
std::vector<double> by_column(const Product& p, const Tensor& w) {
  std::vector<double> columns;
  for (int64_t n = 0; n < p.columns(); ++n)
    for (int64_t j = 0; j < p.inputs(); ++j) columns.push_back(w.data<float>()[p.at(j, n)]);
  return columns;
}
std::vector<double> rounded(const std::vector<double>& columns, int64_t inputs, const Scheme& scheme) {
  const RoundedWeights r = round_weights(columns, inputs, scheme, nullptr);
  const int64_t block = scheme.granularity == Granularity::Block ? scheme.block : inputs;
  std::vector<double> values(columns.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    const auto b = static_cast<size_t>(at / inputs * r.blocks + at % inputs / block);
    values[i] = static_cast<double>(r.integers[i] - r.zeros[b]) * r.scales[b];
  }
  return values;
}

double dot(const float* x, const double* w, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i] * w[i];
  return sum;
}

// The squared error of a product of the rows with rounded weights.
double product_error(const Group& g, const Product& p, const std::vector<float>& s) {
  std::vector<float> x = g.rows;
  for (size_t i = 0; i < x.size(); ++i) x[i] /= s[i % s.size()];
  if (!g.weights_alone) x = rounded(std::move(x));
  const int64_t k = p.inputs();
  const std::vector<double> w = by_column(p, p.role.weight->constant());
  const std::vector<double> q = rounded(by_column(p, scaled(p, s)), k, p.scheme);
  double error = 0;
  for (size_t row = 0; row + s.size() <= x.size(); row += s.size())
    for (int64_t n = 0; n < p.columns(); ++n) {
      const auto column = static_cast<size_t>(n * k);
      error += std::pow(dot(&g.rows[row], &w[column], k) - dot(&x[row], &q[column], k), 2);
    }
  return error;
}

std::vector<float> best_factors(const Group& g) {
  if (!g.smoothing.automatic) return factors(g, g.smoothing.alpha);
  std::vector<float> best;
  double least = INFINITY;
  for (int tenth = 0; tenth <= 10; ++tenth) {
    std::vector<float> s = g.weights_alone ? factors_of_weights_alone(g, tenth / 10.0) : factors(g, tenth / 10.0);
    double error = 0;
    for (const Product& p : g.products) error += product_error(g, p, s);
    if (error >= least) continue;
    least = error;
    best = std::move(s);
  }
  return best.empty() ? std::vector<float>(g.size.size(), 1.0f) : best;
}

// ---- the model ------------------------------------------------------------------------------------------------------

void apply(Graph& graph, const Group& g, const std::vector<float>& s) {
  std::vector<float> inverse;
  for (const float f : s) inverse.push_back(1 / f);
  Value* divisor = graph.add_constant(Tensor::vector(inverse), g.x->name() + "_smoothing");
  Value* x = add_typed(graph, ops::Mul, {g.x, divisor}, {}, g.products.front().node);
  x->producer()->set_origin(g.products.front().node->origin());
  for (const Product& p : g.products) {
    p.node->set_input(0, x);
    p.node->set_input(1, graph.add_constant(scaled(p, s), p.role.weight->name() + "_smoothed"));
  }
}

}  // namespace

Result<bool> smooth(Graph& graph, const Placement& placement, Evaluator& evaluator, const SampleSource& source,
                    int64_t samples) {
  std::vector<Group> groups = groups_of(graph, placement);
  if (groups.empty()) return false;
  LAPIS_CHECK(measure(graph, groups, evaluator, source, samples));
  LAPIS_CHECK(collect_rows(graph, groups, evaluator, source));
  for (const Group& g : groups) apply(graph, g, best_factors(g));
  graph.erase_unused_constants();
  return true;
}

}  // namespace lapis
