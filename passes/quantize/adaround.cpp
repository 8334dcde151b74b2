#include "passes/quantize/adaround.h"

#include <algorithm>
#include <cmath>

#include "ir/ops/ops.h"
#include "passes/quantize/typed.h"

namespace lapis {

namespace {

constexpr float kStretch = 1.2f, kBelow = -0.1f;  // h(V) = clip(sigmoid(V) (zeta - gamma) + gamma, 0, 1)
constexpr float kSoon = 0.2f;                     // the share of the iterations without regularizer
constexpr float kFirstExponent = 20, kLastExponent = 2;

// [groups][outputs / groups][inputs] times [groups][inputs][inputs], as often as wanted.
class Products {
 public:
  static Result<Products> of(const std::vector<Moments>& moments, int64_t outputs, int64_t inputs,
                             Evaluator& evaluator) {
    const auto groups = static_cast<int64_t>(moments.size());
    Tensor h(DType::Float32, {groups, inputs, inputs});
    auto to = h.mutable_data<float>().begin();
    for (const Moments& m : moments)
      to = std::transform(m.begin(), m.end(), to, [](double v) { return static_cast<float>(v); });
    auto graph = std::make_unique<Graph>("products");
    Value* d = graph->add_input("d", Type::tensor(DType::Float32, Shape{groups, outputs / groups, inputs}));
    Value* y = add_typed(*graph, ops::MatMul, {d, graph->add_input("h", Type::tensor(DType::Float32, h.shape()))});
    graph->set_outputs({y});
    LAPIS_CHECK(evaluator.load(*graph, {}));
    return Products(evaluator, std::move(graph), std::move(h));
  }
  Result<Tensor> times(const std::vector<float>& d) const {
    LAPIS_TRY(const Feeds results,
              evaluator_->run({{"d", Tensor::of<float>(graph_->inputs()[0]->type().shape(), d)}, {"h", h_}}));
    return results.at(graph_->outputs()[0]->name());
  }

 private:
  Products(Evaluator& evaluator, std::unique_ptr<Graph> graph, Tensor h)
      : evaluator_(&evaluator), graph_(std::move(graph)), h_(std::move(h)) {}
  Evaluator* evaluator_;
  std::unique_ptr<Graph> graph_;  // its shapes and names
  Tensor h_;
};

// What is learned of a weight, and Adam's averages of its gradient.
struct Variable {
  float base = 0;  // the weight in steps, rounded down
  float rest = 0;  // and what is left of it
  float v = 0, first = 0, second = 0;
};

struct Up {
  float h, slope;  // how far up, and how that changes with v
};
Up up(float v) {
  const float s = 1 / (1 + std::exp(-v)), h = s * kStretch + kBelow;
  return {std::clamp(h, 0.0f, 1.0f), h > 0 && h < 1 ? s * (1 - s) * kStretch : 0};
}

class Learner {
 public:
  Learner(const std::vector<double>& weights, int64_t inputs, const Scheme& scheme, const AdaRoundOptions& options)
      : weights_(weights),
        inputs_(inputs),
        block_(block_of(scheme, inputs)),
        blocks_((inputs + block_ - 1) / block_),
        steps_(steps_of(weights, inputs, scheme)),
        options_(options),
        all_(weights.size()) {
    for (size_t i = 0; i < all_.size(); ++i) {
      const double w = weights[i] / steps(i).scale;
      const float rest = static_cast<float>(w - std::floor(w));
      all_[i] = {static_cast<float>(std::floor(w)), rest, -std::log(kStretch / (rest - kBelow) - 1)};
    }
  }

  const Steps& steps(size_t i) const {
    const auto at = static_cast<int64_t>(i);
    return steps_[static_cast<size_t>(at / inputs_ * blocks_ + at % inputs_ / block_)];
  }

  int64_t integer(size_t i, float h) const {
    const Steps& s = steps(i);
    return std::clamp(static_cast<int64_t>(all_[i].base) + (h >= 0.5f) + s.zero, s.low, s.high);
  }
  int64_t nearest(size_t i) const { return steps(i).round(weights_[i]); }
  int64_t learned(size_t i) const { return integer(i, up(all_[i].v).h); }

  // q - w, where what cannot be rounded further up counts as it is.
  std::vector<float> errors() const {
    std::vector<float> d(all_.size());
    for (size_t i = 0; i < d.size(); ++i) {
      const Steps& s = steps(i);
      const double q = std::clamp(static_cast<double>(all_[i].base + up(all_[i].v).h),
                                  static_cast<double>(s.low - s.zero), static_cast<double>(s.high - s.zero));
      d[i] = static_cast<float>(q * s.scale - weights_[i]);
    }
    return d;
  }
  template <class Integer> std::vector<float> errors_of(Integer&& integer) const {
    std::vector<float> d(all_.size());
    for (size_t i = 0; i < d.size(); ++i) d[i] = static_cast<float>(steps(i).value(integer(i)) - weights_[i]);
    return d;
  }

  // One step of Adam. `products`: errors times moments; `units`:
  // what the loss of each output is measured in, 0 where there is nothing to learn.
  void step(int t, std::span<const float> products, const std::vector<double>& units) {
    const float progress = static_cast<float>(t) / static_cast<float>(options_.iterations);
    const float annealed = std::max(0.0f, (progress - kSoon) / (1 - kSoon));
    const float exponent = kLastExponent + (kFirstExponent - kLastExponent) * (1 - annealed);
    const float weight = progress < kSoon ? 0 : static_cast<float>(options_.regularization);
    const float grown_first = 1 - std::pow(0.9f, static_cast<float>(t + 1)),
                grown_second = 1 - std::pow(0.999f, static_cast<float>(t + 1));
    for (size_t i = 0; i < all_.size(); ++i) {
      Variable& x = all_[i];
      const Up u = up(x.v);
      const double unit = units[i / static_cast<size_t>(inputs_)];
      if (u.slope == 0 || unit == 0) continue;  // decided
      const float middle = 2 * u.h - 1;
      const float pull = -2 * exponent * std::pow(std::abs(middle), exponent - 1) * (middle < 0 ? -1.0f : 1.0f);
      const float loss = static_cast<float>(2 * products[i] * steps(i).scale / unit);
      const float gradient = (loss + weight * pull) * u.slope;
      x.first = 0.9f * x.first + 0.1f * gradient;
      x.second = 0.999f * x.second + 0.001f * gradient * gradient;
      x.v -= static_cast<float>(options_.learning_rate) * (x.first / grown_first) /
             (std::sqrt(x.second / grown_second) + 1e-8f);
    }
  }

  RoundedWeights rounded(const std::vector<bool>& use_learned) const {
    RoundedWeights r;
    r.blocks = blocks_;
    for (size_t i = 0; i < all_.size(); ++i)
      r.integers.push_back(use_learned[i / static_cast<size_t>(inputs_)] ? learned(i) : nearest(i));
    for (const Steps& s : steps_) {
      r.scales.push_back(static_cast<float>(s.scale));
      r.zeros.push_back(s.zero);
    }
    return r;
  }

 private:
  const std::vector<double>& weights_;
  const int64_t inputs_, block_, blocks_;
  const std::vector<Steps> steps_;
  const AdaRoundOptions options_;
  std::vector<Variable> all_;
};

// d^T H d of each output.
Result<std::vector<double>> losses(const Products& products, const std::vector<float>& d, int64_t inputs) {
  LAPIS_TRY(const Tensor g, products.times(d));
  std::vector<double> sums(d.size() / static_cast<size_t>(inputs), 0);
  for (size_t i = 0; i < d.size(); ++i) sums[i / static_cast<size_t>(inputs)] += double{d[i]} * g.data<float>()[i];
  return sums;
}

}  // namespace

Result<RoundedWeights> adaround(const std::vector<double>& weights, int64_t inputs, const Scheme& scheme,
                                const std::vector<Moments>& moments, Evaluator& evaluator,
                                const AdaRoundOptions& options) {
  const auto outputs = static_cast<int64_t>(weights.size()) / inputs;
  LAPIS_TRY(const Products products, Products::of(moments, outputs, inputs, evaluator));
  Learner learner(weights, inputs, scheme, options);
  LAPIS_TRY(const std::vector<double> nearest,
            losses(products, learner.errors_of([&](size_t i) { return learner.nearest(i); }), inputs));
  std::vector<double> units;  // the mean loss of a weight
  for (const double loss : nearest)
    units.push_back(loss > 0 && std::isfinite(loss) ? loss / static_cast<double>(inputs) : 0);
  std::vector<bool> better(nearest.size(), false);
  for (int t = 0; t < options.iterations; ++t) {
    LAPIS_TRY(const Tensor g, products.times(learner.errors()));
    learner.step(t, g.data<float>(), units);
  }
  LAPIS_TRY(const std::vector<double> learned,
            losses(products, learner.errors_of([&](size_t i) { return learner.learned(i); }), inputs));
  for (size_t n = 0; n < better.size(); ++n) better[n] = learned[n] < nearest[n];
  return learner.rounded(better);
}

}  // namespace lapis
