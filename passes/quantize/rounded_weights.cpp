#include "passes/quantize/rounded_weights.h"

#include <algorithm>

#include "ir/ops/loops.h"
#include "passes/quantize/adaround.h"
#include "passes/quantize/moments.h"

namespace lapis {

namespace {

// [a][b] as [b][a], or as it is.
template <class T> std::vector<T> turned(std::vector<T> m, int64_t a, int64_t b, bool turn) {
  if (!turn) return m;
  std::vector<T> t(m.size());
  for (int64_t i = 0; i < a; ++i)
    for (int64_t j = 0; j < b; ++j) t[static_cast<size_t>(j * a + i)] = m[static_cast<size_t>(i * b + j)];
  return t;
}

int64_t inputs_of(const ContractionRole& role) {
  const Tensor& w = role.weight->constant();
  return w.size() / std::max<int64_t>(w.dim(role.axis), 1);
}

// Each group of outputs by the moments of its own inputs.
RoundedWeights by_gptq(const std::vector<double>& weights, int64_t inputs, const Scheme& scheme,
                       const std::vector<Moments>& moments) {
  RoundedWeights all;
  const size_t each = weights.size() / moments.size();
  for (size_t g = 0; g < moments.size(); ++g) {
    const auto from = weights.begin() + static_cast<std::ptrdiff_t>(g * each);
    const RoundedWeights r =
        round_weights({from, from + static_cast<std::ptrdiff_t>(each)}, inputs, scheme, &moments[g]);
    all.integers.insert(all.integers.end(), r.integers.begin(), r.integers.end());
    all.scales.insert(all.scales.end(), r.scales.begin(), r.scales.end());
    all.zeros.insert(all.zeros.end(), r.zeros.begin(), r.zeros.end());
    all.blocks = r.blocks;
  }
  return all;
}

class ByRecipe {
 public:
  explicit ByRecipe(const Placement& placement) : placement_(placement) {}

  bool wants(const Node& node) const {
    if (!placement_.in_fewer_bits(node) || quant_of(node) != Quant::Contraction || !contraction_role(node).ok())
      return false;
    return rounds_by_data(recipe(node)) || recipe(node).correct_weights;
  }
  bool needs_data(const Node& node) const { return rounds_by_data(recipe(node)); }

  // `moments`: null for rounding to the nearest.
  Status round(const Node& node, const std::vector<Moments>* moments, Evaluator* evaluator) {
    const ContractionRole role = *contraction_role(node);
    const std::vector<double> weights = rows_of(role);
    const int64_t inputs = inputs_of(role);
    const Scheme& scheme = recipe(node).weights;
    RoundedWeights r;
    if (moments && recipe(node).algorithm == WeightAlgorithm::AdaRound) {
      LAPIS_TRY(r, adaround(weights, inputs, scheme, *moments, *evaluator));
    } else if (moments) {
      r = by_gptq(weights, inputs, scheme, *moments);
    } else {
      r = round_weights(weights, inputs, scheme, nullptr);
    }
    if (recipe(node).correct_weights) restore_moments(weights, inputs, scheme, r);
    done[&node] = tensors_of(role, scheme, r);
    return ok();
  }

  RoundedOf done;

 private:
  const NodeRecipe& recipe(const Node& node) const { return placement_.recipes.of(node); }
  const Placement& placement_;
};

}  // namespace

std::vector<double> rows_of(const ContractionRole& role) {
  const Tensor& w = role.weight->constant();
  const auto data = w.data<float>();
  return turned(std::vector<double>(data.begin(), data.end()), inputs_of(role), w.dim(role.axis), role.axis == 1);
}

IntegerTensors tensors_of(const ContractionRole& role, const Scheme& scheme, const RoundedWeights& r) {
  const Tensor& w = role.weight->constant();
  const int64_t outputs = w.dim(role.axis), inputs = inputs_of(role);
  const bool turn = role.axis == 1;  // stored as [inputs][outputs]
  const bool blocked = scheme.granularity == Granularity::Block;
  const Shape shape = !blocked ? Shape{outputs} : turn ? Shape{r.blocks, outputs} : Shape{outputs, r.blocks};
  IntegerTensors t{ops::from_integers(scheme.type, w.shape(), turned(r.integers, outputs, inputs, turn)),
                   Tensor::of<float>(shape, turned(r.scales, outputs, r.blocks, turn && blocked)),
                   {}};
  if (!scheme.symmetric)
    t.zero_points = ops::from_integers(scheme.type, shape, turned(r.zeros, outputs, r.blocks, turn && blocked));
  return t;
}

bool rounds_by_data(const NodeRecipe& recipe) {
  return recipe.algorithm == WeightAlgorithm::Gptq || recipe.algorithm == WeightAlgorithm::AdaRound;
}

Result<RoundedOf> round_by_recipe(const Graph& graph, const Placement& placement, Evaluator* evaluator,
                                  const SampleSource& source, int64_t samples) {
  ByRecipe rounder(placement);
  std::vector<Node*> by_data;
  for (Node* node : graph.nodes()) {
    if (!rounder.wants(*node)) continue;
    if (rounder.needs_data(*node) && evaluator)
      by_data.push_back(node);
    else
      LAPIS_CHECK(rounder.round(*node, nullptr, nullptr));
  }
  if (by_data.empty()) return std::move(rounder.done);
  LAPIS_CHECK(for_each_moments(graph, by_data, {}, *evaluator, source, samples, [&](Node& node, const InputMoments& m) {
    return rounder.round(node, &m.groups, evaluator);
  }));
  return std::move(rounder.done);
}

}  // namespace lapis
