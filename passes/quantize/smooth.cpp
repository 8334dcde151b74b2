#include "passes/quantize/smooth.h"

#include <algorithm>
#include <cmath>

#include "ir/ops/ops.h"
#include "passes/quantize/params.h"
#include "passes/quantize/roles.h"
#include "passes/quantize/rounding.h"
#include "passes/quantize/sample_runner.h"
#include "passes/quantize/typed.h"

namespace lapis {

namespace {

constexpr float kSmallestFactor = 1e-5f;  // of the paper's implementation
constexpr int64_t kRows = 32;             // of each value, on which `auto` tries alphas
constexpr float kOutlier = 3;  // times the middle channel: beyond what chance makes of channels that are alike

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
  bool usual;          // the recipe says nothing
  std::vector<Product> products;
  std::vector<float> size;  // of each channel of x: the largest magnitude, or for AWQ the sum of mean magnitudes
  std::vector<float> rows;  // some rows of x, for `auto`
};

// A product of sequences that are floats: the Mul is free in the loop that makes bytes of them.
// In front of it bytes would become floats again.
bool is_of_an_encoder(const Placement& placement, const Node& node) {
  const Value& x = *node.input(0);
  return placement.quantized.contains(&node) && node.is(ops::MatMul) && x.type().ranked() && x.type().rank() >= 3 &&
         !(x.producer() && placement.quantized.contains(x.producer()));
}

std::optional<Smoothing> wanted(const Placement& placement, const Node& node) {
  if (!(node.is(ops::Gemm) || node.is(ops::MatMul))) return std::nullopt;
  if (placement.own.holds(*node.input(0)) || has_own_weights(node))
    return std::nullopt;  // scales that stay as they are
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
    const bool alone = placement.weights_alone.contains(node), usual = !alone && !placement.recipes.of(*node).smooth;
    auto it = std::find_if(groups.begin(), groups.end(), [&](const Group& g) {
      return g.x == role->data && g.smoothing == *how && g.weights_alone == alone && g.usual == usual;
    });
    if (it == groups.end()) it = groups.insert(it, {role->data, *how, alone, usual, {}, {}, {}});
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
  outputs.reserve(groups.size());
  for (const Group& g : groups) outputs.push_back(channel_size(*copy, copy->find_value(g.x->name()), g.weights_alone));
  copy->set_outputs(outputs);
  SampleRunner runner(*copy, {}, evaluator);
  return runner.run_all(source, samples, [&](const Feeds& results) -> Status {
    for (size_t i = 0; i < groups.size(); ++i) take_size(groups[i], results.at(outputs[i]->name()));
    return ok();
  });
}

// Without them there is nothing to even out: the largest that samples show of each channel is chance, and every channel
// that is divided by its own is cut off as soon as it is larger.
bool has_outliers(const Group& g) {
  std::vector<float> sizes = g.size;
  if (sizes.empty()) return false;
  const auto middle = sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() / 2);
  std::nth_element(sizes.begin(), middle, sizes.end());
  return *std::max_element(middle, sizes.end()) > kOutlier * *middle;
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

std::vector<double> tenths() {
  std::vector<double> alphas;
  for (int tenth = 0; tenth <= 10; ++tenth) alphas.push_back(tenth / 10.0);
  return alphas;
}

std::vector<float> best_factors(const Group& g) {
  if (!g.smoothing.automatic) return factors(g, g.smoothing.alpha);
  std::vector<float> best;
  double least = INFINITY;
  for (const double alpha : g.smoothing.alphas.empty() ? tenths() : g.smoothing.alphas) {
    std::vector<float> s = g.weights_alone ? factors_of_weights_alone(g, alpha) : factors(g, alpha);
    double error = 0;
    for (const Product& p : g.products) error += product_error(g, p, s);
    if (error >= least) continue;
    least = error;
    best = std::move(s);
  }
  return best.empty() ? std::vector<float>(g.size.size(), 1.0f) : best;
}

// ---- clipping -------------------------------------------------------------------------------------------------------

// Of one block of weights of an output, with what it meets in each row.
struct ClippedBlock {
  const std::vector<float>& rows;  // [rows][channels]
  int64_t channels, first, count;
};

// The squared error of its share of the product, with weights within `limit` rounded.
double clipping_error(const ClippedBlock& b, const std::vector<double>& weights, double limit, const Scheme& scheme) {
  std::vector<double> clipped = weights;
  for (double& w : clipped) w = std::clamp(w, -limit, limit);
  const std::vector<double> q = rounded(clipped, b.count, {scheme.type, scheme.symmetric, Granularity::Channel});
  double error = 0;
  for (size_t row = 0; row < b.rows.size(); row += static_cast<size_t>(b.channels)) {
    const float* x = b.rows.data() + row + b.first;
    error += std::pow(dot(x, weights.data(), b.count) - dot(x, q.data(), b.count), 2);
  }
  return error;
}

// Down to half of the largest weight, in steps of a twentieth: what gives the least error.
double best_limit(const ClippedBlock& b, const std::vector<double>& weights, const Scheme& scheme) {
  double largest = 0;
  for (const double w : weights) largest = std::max(largest, std::abs(w));
  double best = largest, least = clipping_error(b, weights, largest, scheme);
  for (int step = 19; step >= 10; --step) {
    const double limit = largest * step / 20, error = clipping_error(b, weights, limit, scheme);
    if (error >= least) continue;
    least = error;
    best = limit;
  }
  return best;
}

// The weights with large ones cut off where the others gain more by it than they lose.
Tensor clipped(const Group& g, const Product& p, Tensor w, const std::vector<float>& s) {
  std::vector<float> rows = g.rows;
  for (size_t i = 0; i < rows.size(); ++i) rows[i] /= s[i % s.size()];
  const int64_t k = p.inputs(), block = block_of(p.scheme, k);
  for (int64_t n = 0; n < p.columns(); ++n)
    for (int64_t first = 0; first < k; first += block) {
      const ClippedBlock b{rows, k, first, std::min(block, k - first)};
      std::vector<double> weights;
      for (int64_t j = 0; j < b.count; ++j) weights.push_back(w.data<float>()[p.at(first + j, n)]);
      const auto limit = static_cast<float>(best_limit(b, weights, p.scheme));
      for (int64_t j = 0; j < b.count; ++j) {
        float& v = w.mutable_data<float>()[p.at(first + j, n)];
        v = std::clamp(v, -limit, limit);
      }
    }
  return w;
}

// ---- the model ------------------------------------------------------------------------------------------------------

void apply(Graph& graph, const Group& g, const std::vector<float>& s) {
  std::vector<float> inverse;
  inverse.reserve(s.size());
  for (const float f : s) inverse.push_back(1 / f);
  Value* divisor = graph.add_constant(Tensor::vector(inverse), g.x->name() + "_smoothing");
  Value* x = add_typed(graph, ops::Mul, {g.x, divisor}, {}, g.products.front().node);
  x->producer()->set_origin(g.products.front().node->origin());
  for (const Product& p : g.products) {
    p.node->set_input(0, x);
    Tensor w = scaled(p, s);
    if (g.weights_alone) w = clipped(g, p, std::move(w), s);
    p.node->set_input(1, graph.add_constant(std::move(w), p.role.weight->name() + "_smoothed"));
  }
}

}  // namespace

Result<bool> smooth(Graph& graph, const Placement& placement, Evaluator& evaluator, const SampleSource& source,
                    int64_t samples) {
  std::vector<Group> groups = groups_of(graph, placement);
  if (groups.empty()) return false;
  LAPIS_CHECK(measure(graph, groups, evaluator, source, samples));
  std::erase_if(groups, [](const Group& g) { return g.usual && !has_outliers(g); });
  if (groups.empty()) return false;
  LAPIS_CHECK(collect_rows(graph, groups, evaluator, source));
  for (const Group& g : groups) apply(graph, g, best_factors(g));
  graph.erase_unused_constants();
  return true;
}

}  // namespace lapis
