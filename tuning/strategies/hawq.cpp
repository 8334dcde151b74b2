// Hessian aware quantization (Dong et al., "HAWQ-V2: Hessian Aware trace-Weighted Quantization of Neural Networks",
// NeurIPS 2020): a unit's sensitivity is the mean of the Hessian's diagonal with respect to its weights, times the
// squared error that quantization makes in them. The trace is Hutchinson's estimate, the mean of v'Hv over vectors v of
// random signs, and v'Hv a finite difference of the loss along v, so that no gradients are needed. The loss is the
// squared change of the model's outputs on calibration samples: it needs no labels, and both its value and its gradient
// are 0 at the fp32 weights, so that v'Hv = (L(w + ev) + L(w - ev)) / e^2 (to second order; the Gauss-Newton part of
// the Hessian, which is all of it there).
#include <cmath>

#include "passes/quantize/params.h"
#include "passes/quantize/roles.h"
#include "tuning/strategies/moves.h"
#include "tuning/strategies/strategies.h"

namespace lapis::strategies {
namespace {

constexpr int kVectors = 2;
constexpr double kStep = 0.01;  // of the weights' root mean square

struct Weight {
  Tensor values;
  int64_t axis;
  size_t operand;
};

Node* node_named(const Graph& graph, const std::string& name) {
  for (Node* node : graph.nodes())
    if (node->name() == name) return node;
  return nullptr;
}

// Of the unit's contraction; a unit without one has none.
std::optional<Weight> weight_of(const Graph& graph, const NodeGroup& unit) {
  const Node* node = node_named(graph, unit.name);
  if (!node || quant_of(*node) != Quant::Contraction) return std::nullopt;
  const auto role = contraction_role(*node);
  if (!role.ok()) return std::nullopt;
  for (size_t i = 0; i < node->inputs().size(); ++i)
    if (node->input(i) == role->weight) return Weight{role->weight->constant(), role->axis, i};
  return std::nullopt;
}

double mean_square(const Tensor& t) {
  double sum = 0;
  for (const float v : t.data<float>()) sum += static_cast<double>(v) * v;
  return t.size() ? sum / static_cast<double>(t.size()) : 0;
}

// |Q(w) - w|^2, of int8 with a scale a channel.
double quantization_error(const Weight& w) {
  const QuantizedWeight q = quantize_weight(w.values, w.axis, Tensor(), 1, true);
  const Shape strides = row_major_strides(w.values.shape());
  const auto values = w.values.data<float>(), scales = q.scales.data<float>();
  const auto bytes = q.values.data<int8_t>();
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const auto channel =
        static_cast<size_t>(static_cast<int64_t>(i) / strides[static_cast<size_t>(w.axis)] % w.values.dim(w.axis));
    const double error = static_cast<double>(bytes[i]) * scales[std::min(channel, scales.size() - 1)] - values[i];
    sum += error * error;
  }
  return sum;
}

class Search {
 public:
  explicit Search(Trials& trials) : trials_(trials), bench_(trials.bench()) {}

  Status run() {
    const Trial* whole = try_candidates(trials_);
    if (!whole) return ok();
    std::vector<double> sensitivities;
    for (const NodeGroup& unit : trials_.space().units) {
      LAPIS_TRY(sensitivities.emplace_back(), sensitivity(unit));
    }
    const std::vector<size_t> order = descending(sensitivities);
    accumulate_twice(trials_, whole, order);
    return ok();
  }

 private:
  Result<double> sensitivity(const NodeGroup& unit) {
    const std::optional<Weight> weight = weight_of(bench_.graph(), unit);
    if (!weight || weight->values.size() == 0) return 0.0;
    const double step = kStep * std::sqrt(std::max(mean_square(weight->values), 1e-30));
    double trace = 0;
    for (int i = 0; i < kVectors; ++i) {
      std::vector<bool> signs;
      for (int64_t e = 0; e < weight->values.size(); ++e) signs.push_back(trials_.random()() >> 63);
      LAPIS_TRY(const double up, loss(unit, *weight, signs, step));
      LAPIS_TRY(const double down, loss(unit, *weight, signs, -step));
      trace += (up + down) / (step * step) / kVectors;
    }
    return trace / static_cast<double>(weight->values.size()) * quantization_error(*weight);
  }

  // With the unit's weights moved along the signs.
  Result<double> loss(const NodeGroup& unit, const Weight& weight, const std::vector<bool>& signs, double step) const {
    const std::unique_ptr<Graph> moved = bench_.graph().clone();
    Tensor values = weight.values;
    const auto to = values.mutable_data<float>();
    for (size_t i = 0; i < to.size(); ++i) to[i] += static_cast<float>(signs[i] ? step : -step);
    node_named(*moved, unit.name)->set_input(weight.operand, moved->add_constant(std::move(values)));
    return bench_.noise(*moved);
  }

  Trials& trials_;
  Workbench& bench_;
};

}  // namespace

Status hawq(Trials& trials) { return Search(trials).run(); }

}  // namespace lapis::strategies
