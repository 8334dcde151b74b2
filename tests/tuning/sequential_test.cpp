#include "tuning/search/sequential.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace lapis {
namespace {

TEST(NormalQuantile, IsThatOfTheTables) {
  EXPECT_NEAR(normal_quantile_above(0.025), 1.959964, 1e-6);
  EXPECT_NEAR(normal_quantile_above(0.05), 1.644854, 1e-6);
  EXPECT_NEAR(normal_quantile_above(1e-9), 5.997807, 1e-5);
}

// Scores of `samples` samples of which the trial gets `lost` wrong that the baseline got right, in random order.
SequentialTest run(int64_t samples, int64_t lost, double allowed, double confidence, unsigned seed = 1) {
  std::vector<double> trial(static_cast<size_t>(samples), 1);
  std::fill_n(trial.begin(), lost, 0);
  std::shuffle(trial.begin(), trial.end(), std::mt19937(seed));
  SequentialTest test({samples, allowed, confidence});
  for (const double score : trial) {
    test.add(1, score);
    if (test.answer() != Answer::Open) break;
  }
  return test;
}

TEST(SequentialTest, EndsEarlyWhereTheAnswerIsClear) {
  const SequentialTest bad = run(10000, 3000, 0.01, 0.95), good = run(10000, 0, 0.01, 0.95);
  EXPECT_EQ(bad.answer(), Answer::Fails);
  EXPECT_LE(bad.samples(), 75);
  EXPECT_TRUE(bad.early());
  EXPECT_LT(bad.interval().high, -0.01);
  EXPECT_EQ(good.answer(), Answer::Passes);
  EXPECT_LT(good.samples(), 5000);
  EXPECT_GE(good.interval().low, -0.01);
}

TEST(SequentialTest, SeesAllSamplesWhereItIsClose) {
  for (const int64_t lost : {100, 101}) {
    const SequentialTest test = run(10000, lost, 0.01, 0.95);
    EXPECT_EQ(test.samples(), 10000);
    EXPECT_FALSE(test.early());
    EXPECT_EQ(test.answer(), lost == 100 ? Answer::Passes : Answer::Fails);
    EXPECT_EQ(test.interval().low, test.interval().high);
  }
}

TEST(SequentialTest, SeesAllSamplesWhereNothingMayBeUncertain) {
  EXPECT_EQ(run(10000, 9000, 0.01, 1).samples(), 10000);
  EXPECT_EQ(run(7, 7, 0.01, 0.95).samples(), 7);  // too few for a look
}

// What the whole data set says is known here: the share of early answers that contradict it stays below 1 - confidence.
TEST(SequentialTest, IsRarelyWrong) {
  for (const int64_t lost : {40, 55, 70}) {
    int wrong = 0, early = 0;
    constexpr int kRuns = 400;
    for (unsigned seed = 0; seed < kRuns; ++seed) {
      const SequentialTest test = run(2000, lost, 0.0275, 0.9, seed);
      early += test.early();
      wrong += test.answer() != (lost <= 55 ? Answer::Passes : Answer::Fails);
    }
    EXPECT_LE(wrong, kRuns / 10) << lost;
    if (lost != 55) {
      EXPECT_GT(early, kRuns / 10) << lost;
    }
  }
}

// Scores of any size and sign: errors, where less is better, come negated.
TEST(SequentialTest, KnowsNoUnit) {
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  for (const double scale : {1e-3, 1e3}) {
    SequentialTest test({5000, 0.5 * scale, 0.95});
    while (test.answer() == Answer::Open) {
      const double base = -scale * std::abs(normal(random));
      test.add(base, base - 2 * scale);
    }
    EXPECT_EQ(test.answer(), Answer::Fails);
    EXPECT_LT(test.samples(), 500);
  }
}

}  // namespace
}  // namespace lapis
