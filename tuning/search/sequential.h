// Paired sequential testing: how many samples it takes until it is clear whether a model loses more than it may against
// another one on the same samples. At a few looks, which grow by a half from one to the next, an interval of the mean
// difference over all samples decides, or says that more of them are needed; after the last sample nothing is left to
// be estimated.
//
//   SequentialTest test({.samples = 2000, .allowed_loss = 0.01, .confidence = 0.95});
//   while (test.answer() == Answer::Open) test.add(score_of_fp32, score_of_int8);
//
// The chance that an early answer is not that of all samples is at most 1 - confidence for either answer, whatever the
// number of looks (Bonferroni over the looks; a group sequential test, Jennison and Turnbull, "Group Sequential
// Methods", 1999). Samples come in random order, without replacement, so that intervals shrink to nothing at the last
// one (finite population correction, Cochran, "Sampling Techniques", 1977, 2.6).
#pragma once

#include <cstdint>
#include <vector>

namespace lapis {

enum class Answer { Open, Passes, Fails };

struct SequentialOptions {
  int64_t samples = 0;       // of the whole data set
  double allowed_loss = 0;   // of the mean score; passes where it is lost or less
  double confidence = 0.95;  // 1: nothing is decided before the last sample
};

class SequentialTest {
 public:
  explicit SequentialTest(const SequentialOptions& options);

  // Scores of one sample, higher ones better.
  void add(double baseline, double trial);
  // Whether an answer is looked for after so many samples.
  bool is_look(int64_t samples) const;
  Answer answer() const { return answer_; }
  int64_t samples() const { return count_; }
  bool early() const { return answer_ != Answer::Open && count_ < options_.samples; }

  // Of the mean of trial - baseline over all samples, as far as the samples so far tell.
  struct Interval {
    double mean = 0, low = 0, high = 0;
  };
  Interval interval() const;

 private:
  SequentialOptions options_;
  std::vector<int64_t> looks_;  // numbers of samples, the last one all of them
  double quantile_;             // of the normal distribution
  int64_t count_ = 0;
  double sum_ = 0, squares_ = 0, largest_ = 0;
  Answer answer_ = Answer::Open;
};

// The value that a standard normal variable exceeds with this probability, 0 < p < 1/2.
double normal_quantile_above(double p);

}  // namespace lapis
