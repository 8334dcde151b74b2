#include "passes/quantize/rounding.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lapis {

namespace {

constexpr double kDamping = 0.01;  // of the mean of the diagonal

Steps steps_within(double low, double high, const Scheme& scheme) {
  const int64_t top = (int64_t{1} << (bit_width(scheme.type) - (scheme.symmetric ? 1 : 0))) - 1;
  // As float, because that is how the scale is stored.
  const double scale = static_cast<float>(scheme.symmetric ? std::max(high, -low) / static_cast<double>(top)
                                                           : (high - low) / static_cast<double>(top));
  if (!(scale > 1e-30)) return {1, 0, scheme.symmetric ? -top : 0, top};
  if (scheme.symmetric) return {scale, 0, -top, top};
  return {scale, std::clamp(static_cast<int64_t>(std::nearbyint(-low / scale)), int64_t{0}, top), 0, top};
}

Steps steps_of_block(const double* weights, int64_t count, const Scheme& scheme) {
  double low = 0, high = 0;
  for (int64_t i = 0; i < count; ++i) {
    low = std::min(low, weights[i]);
    high = std::max(high, weights[i]);
  }
  return steps_within(low, high, scheme);
}

class Rounder {
 public:
  Rounder(const std::vector<double>& weights, int64_t inputs, const Scheme& scheme, const Moments* moments)
      : inputs_(inputs), scheme_(scheme), block_(block_of(scheme, inputs)) {
    if (moments) root_ = inverse_root(*moments, inputs);
    if (scheme.granularity == Granularity::Tensor)
      common_ = steps_of_block(weights.data(), static_cast<int64_t>(weights.size()), scheme);
  }

  // The weights of one output channel. What rounding a weight takes away is made
  // good by those that are still to be rounded.
  void round(double* w, RoundedWeights& to) const {
    Steps steps = common_;
    const std::vector<double> original(w, w + inputs_);
    for (int64_t k = 0; k < inputs_; ++k) {
      if (k % block_ == 0) {
        if (scheme_.granularity != Granularity::Tensor)
          steps = steps_of_block(w + k, std::min(block_, inputs_ - k), scheme_);
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
  Steps common_;              // of Granularity::Tensor
  std::vector<double> root_;  // empty: to the nearest
};

// One block of weights and its integers.
struct Block {
  const double* weights;
  int64_t* integers;
  int64_t count;
  double scale;
  int64_t zero, low, high;
  double residual(int64_t i) const { return weights[i] / scale - static_cast<double>(integers[i] - zero); }
};

void restore_mean(Block& b) {
  double error = 0;  // of the sum, in steps
  for (int64_t i = 0; i < b.count; ++i) error += b.residual(i);
  const int64_t direction = error > 0 ? 1 : -1;
  auto wanted = static_cast<int64_t>(std::nearbyint(std::abs(error)));
  std::vector<int64_t> order(static_cast<size_t>(b.count));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t x, int64_t y) {
    return static_cast<double>(direction) * b.residual(x) > static_cast<double>(direction) * b.residual(y);
  });
  for (const int64_t i : order) {
    const int64_t moved = b.integers[i] + direction;
    if (wanted == 0 || static_cast<double>(direction) * b.residual(i) <= 0) return;  // never away from the weight
    if (moved < b.low || moved > b.high) continue;
    b.integers[i] = moved;
    --wanted;
  }
}

template <class At> double deviation(int64_t count, At&& at) {
  double mean = 0, square = 0;
  for (int64_t i = 0; i < count; ++i) mean += at(i) / static_cast<double>(count);
  for (int64_t i = 0; i < count; ++i) square += std::pow(at(i) - mean, 2);
  return std::sqrt(square / static_cast<double>(count));
}

// What the scale is to be multiplied by.
double restored_deviation(const Block& b) {
  const double wanted = deviation(b.count, [&](int64_t i) { return b.weights[i]; });
  const double there =
      deviation(b.count, [&](int64_t i) { return static_cast<double>(b.integers[i] - b.zero) * b.scale; });
  return wanted > 0 && there > 0 ? wanted / there : 1;
}

}  // namespace

int64_t Steps::round(double w) const {
  return static_cast<int64_t>(std::clamp(std::nearbyint(w / scale) + static_cast<double>(zero),
                                         static_cast<double>(low), static_cast<double>(high)));
}

int64_t block_of(const Scheme& scheme, int64_t inputs) {
  return scheme.granularity == Granularity::Block ? scheme.block : inputs;
}

std::vector<Steps> steps_of(const std::vector<double>& weights, int64_t inputs, const Scheme& scheme) {
  const auto all = static_cast<int64_t>(weights.size());
  const int64_t block = block_of(scheme, inputs);
  std::vector<Steps> steps;
  for (int64_t row = 0; row < all; row += inputs)
    for (int64_t k = 0; k < inputs; k += block)
      steps.push_back(scheme.granularity == Granularity::Tensor
                          ? steps.empty() ? steps_of_block(weights.data(), all, scheme) : steps.front()
                          : steps_of_block(weights.data() + row + k, std::min(block, inputs - k), scheme));
  return steps;
}

static double mean_of_diagonal(const Moments& h, int64_t n) {
  double mean = 0;
  for (int64_t i = 0; i < n; ++i) mean += h[static_cast<size_t>(i * n + i)] / static_cast<double>(n);
  return mean;
}

std::vector<double> damping_of(const Moments& h, int64_t n) {
  const double mean = mean_of_diagonal(h, n);
  std::vector<double> damping;
  for (int64_t i = 0; i < n; ++i) damping.push_back(h[static_cast<size_t>(i * n + i)] == 0 ? 1 : kDamping * mean);
  return damping;
}

std::vector<double> inverse_root(Moments h, int64_t n) {
  const auto row = [n](std::vector<double>& m, int64_t i) { return m.data() + i * n; };
  const double mean = mean_of_diagonal(h, n);
  const std::vector<double> damping = damping_of(h, n);
  for (int64_t i = 0; i < n; ++i) row(h, i)[i] += damping[static_cast<size_t>(i)];
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
  const Rounder rounder(weights, inputs, scheme, moments);
  RoundedWeights rounded;
  rounded.blocks = rounder.blocks();
  for (size_t at = 0; at < weights.size(); at += static_cast<size_t>(inputs))
    rounder.round(weights.data() + at, rounded);
  return rounded;
}

void restore_moments(const std::vector<double>& weights, int64_t inputs, const Scheme& scheme,
                     RoundedWeights& rounded) {
  const std::vector<Steps> steps = steps_of(weights, inputs, scheme);
  const int64_t block = block_of(scheme, inputs);
  for (size_t i = 0; i < steps.size(); ++i) {
    const auto b = static_cast<int64_t>(i);
    const int64_t from = b % rounded.blocks * block, at = b / rounded.blocks * inputs + from;
    Block part{weights.data() + at,
               rounded.integers.data() + at,
               std::min(block, inputs - from),
               rounded.scales[i],
               rounded.zeros[i],
               steps[i].low,
               steps[i].high};
    restore_mean(part);
    if (scheme.granularity != Granularity::Tensor) rounded.scales[i] *= static_cast<float>(restored_deviation(part));
  }
}

}  // namespace lapis
