// Bayesian optimization: a Gaussian process over what the trials so far were worth, and of many configurations the one
// with the largest expected improvement next (Mockus 1978; Jones, Schonlau and Welch, "Efficient Global Optimization of
// Expensive Black-Box Functions", 1998). Configurations are as alike as the choices that they share: the kernel is
// exp(-distance / length) of the share of choices that differ.
#include <algorithm>
#include <cmath>

#include "tuning/strategies/moves.h"
#include "tuning/strategies/strategies.h"

namespace lapis::strategies {
namespace {

constexpr size_t kFirst = 8, kDraws = 400, kNeighbours = 100;
constexpr size_t kMostKnown = 300;  // trials that the process is fitted to, the last ones: the factorization is cubic
constexpr double kLength = 0.3, kNoise = 1e-3;

double likeness(const Configuration& a, const Configuration& b) {
  double differs = a.candidate != b.candidate;
  for (size_t u = 0; u < a.fp32.size(); ++u) differs += a.fp32[u] != b.fp32[u];
  return std::exp(-differs / static_cast<double>(a.fp32.size() + 1) / kLength);
}

// What a trial is worth: what it gains if it passes; if not, less than any that passes, the less the more it loses.
double worth(const Trial& t) {
  if (!t.measured()) return -2;
  return t.passes ? t.score : std::max(-2.0, -1 + std::min(0.0, t.score));
}

class Process {
 public:
  explicit Process(const std::deque<Trial>& trials) {
    for (size_t i = trials.size() > kMostKnown ? trials.size() - kMostKnown : 1; i < trials.size(); ++i) {
      known_.push_back(&trials[i].configuration);
      y_.push_back(worth(trials[i]));
    }
    standardize();
    factorize();
    alpha_ = solved(y_);
  }

  // Over the best trial so far, in standard deviations of what is known.
  double expected_improvement(const Configuration& c) const {
    std::vector<double> k;
    for (const Configuration* known : known_) k.push_back(likeness(*known, c));
    double mean = 0, reduction = 0;
    for (size_t i = 0; i < k.size(); ++i) mean += k[i] * alpha_[i];
    for (const double v : half_solved(k)) reduction += v * v;
    const double sigma = std::sqrt(std::max(1e-12, 1 + kNoise - reduction)), z = (mean - best_) / sigma;
    const double density = std::exp(-z * z / 2) / std::sqrt(2 * M_PI), below = std::erfc(-z / std::sqrt(2.0)) / 2;
    return sigma * (z * below + density);
  }

 private:
  void standardize() {
    double mean = 0, square = 0;
    for (const double v : y_) mean += v / static_cast<double>(y_.size());
    for (const double v : y_) square += (v - mean) * (v - mean) / static_cast<double>(y_.size());
    for (double& v : y_) v = (v - mean) / std::max(std::sqrt(square), 1e-9);
    best_ = *std::max_element(y_.begin(), y_.end());
  }

  // Cholesky's L, row by row.
  void factorize() {
    for (size_t i = 0; i < known_.size(); ++i) {
      lower_.emplace_back(i + 1);
      for (size_t j = 0; j <= i; ++j) {
        double sum = likeness(*known_[i], *known_[j]) + (i == j ? kNoise : 0);
        for (size_t k = 0; k < j; ++k) sum -= lower_[i][k] * lower_[j][k];
        lower_[i][j] = i == j ? std::sqrt(std::max(sum, 1e-12)) : sum / lower_[j][j];
      }
    }
  }
  std::vector<double> half_solved(std::vector<double> b) const {
    for (size_t i = 0; i < b.size(); ++i) {
      for (size_t k = 0; k < i; ++k) b[i] -= lower_[i][k] * b[k];
      b[i] /= lower_[i][i];
    }
    return b;
  }
  std::vector<double> solved(const std::vector<double>& y) const {
    std::vector<double> b = half_solved(y);
    for (size_t i = b.size(); i-- > 0;) {
      for (size_t k = i + 1; k < b.size(); ++k) b[i] -= lower_[k][i] * b[k];
      b[i] /= lower_[i][i];
    }
    return b;
  }

  std::vector<const Configuration*> known_;
  std::vector<double> y_, alpha_;
  std::vector<std::vector<double>> lower_;
  double best_ = 0;
};

Configuration neighbour(Trials& trials, const Configuration& of) {
  const size_t unit = below(trials.random(), of.fp32.size());
  return of.with(unit, !of.fp32[unit]);
}

std::optional<Configuration> next(Trials& trials) {
  if (trials.history().trials.size() <= kFirst) return new_configuration(trials);
  const Process process(trials.history().trials);
  const Configuration best_so_far = trials.history().best()->configuration;
  std::optional<Configuration> best;
  double most = 0;
  for (size_t i = 0; i < kDraws + kNeighbours; ++i) {
    const Configuration c = i < kDraws ? random_configuration(trials) : neighbour(trials, best_so_far);
    if (c.all_fp32() || trials.known(c)) continue;
    if (const double gain = process.expected_improvement(c); !best || gain > most) best = c, most = gain;
  }
  return best ? best : new_configuration(trials);
}

}  // namespace

Status bayesian(Trials& trials) {
  if (!try_candidates(trials)) return ok();
  while (const auto configuration = next(trials))
    if (!trials.run(*configuration)) break;
  return ok();
}

}  // namespace lapis::strategies
