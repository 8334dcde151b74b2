// A group of candidates a sample, one of which is right: how many others score higher?
#include <cmath>

#include "tuning/metrics/common.h"

namespace lapis {
namespace {

// What becomes of candidates that score the same as the right one.
// A model that rounds its scores makes many, and wins by them if they are won.
constexpr const char *kWon = "won", *kDrawn = "drawn";

class Ranking : public MeanOfScores {
 public:
  explicit Ranking(const MetricSetup& setup)
      : MeanOfScores(setup),
        k_(setup.settings.whole("k", 10)),
        right_(setup.settings.whole("right", 0)),
        drawn_(setup.settings.text("ties", kWon) == kDrawn) {}

 protected:
  Status check(const Observation& seen) const override {
    const Tensor& output = seen.outputs[0];
    if (!is_vector(output) || output.size() <= std::max(right_, k_))
      return misfit(seen, "one number for each candidate is needed, more than " + std::to_string(std::max(right_, k_)) +
                              ", the output is " + to_string(output, 0));
    return ok();
  }
  virtual double gain(int64_t place) const = 0;  // of the right one, for a place from 0 that counts

  // The mean over the places that equal scores leave to the right one: only the first of them where it wins ties.
  double score(const Observation& seen) final {
    const Tensor& output = seen.outputs[0];
    int64_t before = 0, tied = 0;
    for (int64_t i = 0; i < output.size(); ++i) {
      before += output.as_double(i) > output.as_double(right_);
      tied += i != right_ && output.as_double(i) == output.as_double(right_);
    }
    const int64_t places = drawn_ ? tied + 1 : 1;
    double sum = 0;
    for (int64_t place = before; place < std::min(before + places, k_); ++place) sum += gain(place);
    return sum / static_cast<double>(places);
  }

  int64_t k_, right_;
  bool drawn_;
};

class HitRate final : public Ranking {
 public:
  using Ranking::Ranking;

 private:
  double gain(int64_t) const override { return 1; }
};

// With one right candidate the ideal gain is 1.
class Ndcg final : public Ranking {
 public:
  using Ranking::Ranking;

 private:
  double gain(int64_t place) const override { return 1 / std::log2(static_cast<double>(place) + 2); }
};

}  // namespace

std::vector<MetricRow> ranking_metrics() {
  const std::vector<Option> options = {
      {.name = "k", .kind = OptionKind::Whole, .doc = "places that count; default: 10", .low = 1, .high = 1e9},
      {.name = "right",
       .kind = OptionKind::Whole,
       .doc = "which candidate of a sample is right; default: 0, the first",
       .low = 0,
       .high = 1e9},
      {.name = "ties",
       .doc = "won: candidates with an equal score lie behind the right one; drawn: the mean over the places that they "
              "leave to it; default: won",
       .choices = {kWon, kDrawn}}};
  return {{.name = "hit_rate",
           .doc = "HR@k: share of samples where fewer than k candidates score higher than the right one",
           .options = options,
           .make = maker<HitRate>()},
          {.name = "ndcg", .doc = "NDCG@k of the right candidate", .options = options, .make = maker<Ndcg>()}};
}

}  // namespace lapis
