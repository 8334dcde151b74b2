// A group of candidates a sample, one of which is right: how many others score higher?
#include <cmath>

#include "tuning/metrics/common.h"

namespace lapis {
namespace {

class Ranking : public MeanOfScores {
 public:
  explicit Ranking(const MetricSetup& setup)
      : MeanOfScores(setup), k_(setup.settings.whole("k", 10)), right_(setup.settings.whole("right", 0)) {}

 protected:
  Status check(const Observation& seen) const override {
    const Tensor& output = seen.outputs[0];
    if (!is_vector(output) || output.size() <= std::max(right_, k_))
      return misfit(seen, "one number for each candidate is needed, more than " + std::to_string(std::max(right_, k_)) +
                              ", the output is " + to_string(output, 0));
    return ok();
  }
  int64_t rank(const Tensor& output) const {
    int64_t before = 0;
    for (int64_t i = 0; i < output.size(); ++i) before += output.as_double(i) > output.as_double(right_);
    return before;
  }

  int64_t k_, right_;
};

class HitRate final : public Ranking {
 public:
  using Ranking::Ranking;

 private:
  double score(const Observation& seen) override { return rank(seen.outputs[0]) < k_ ? 1 : 0; }
};

// With one right candidate the ideal gain is 1.
class Ndcg final : public Ranking {
 public:
  using Ranking::Ranking;

 private:
  double score(const Observation& seen) override {
    const int64_t r = rank(seen.outputs[0]);
    return r < k_ ? 1 / std::log2(static_cast<double>(r) + 2) : 0;
  }
};

}  // namespace

std::vector<MetricRow> ranking_metrics() {
  const std::vector<Option> options = {
      {.name = "k", .kind = OptionKind::Whole, .doc = "places that count; default: 10", .low = 1, .high = 1e9},
      {.name = "right",
       .kind = OptionKind::Whole,
       .doc = "which candidate of a sample is right; default: 0, the first",
       .low = 0,
       .high = 1e9}};
  return {{.name = "hit_rate",
           .doc = "HR@k: share of samples where fewer than k candidates score higher than the right one",
           .options = options,
           .make = maker<HitRate>()},
          {.name = "ndcg", .doc = "NDCG@k of the right candidate", .options = options, .make = maker<Ndcg>()}};
}

}  // namespace lapis
