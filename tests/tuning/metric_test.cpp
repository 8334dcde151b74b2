#include "tuning/metrics/metric.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lapis {
namespace {

double measured(const MetricConfig& config, const std::vector<Tensor>& outputs) {
  const auto metric = make_metric(config);
  EXPECT_TRUE(metric.ok()) << to_string(metric.diagnostics());
  for (size_t i = 0; i < outputs.size(); ++i) EXPECT_TRUE((*metric)->add(static_cast<int64_t>(i), outputs[i]).ok());
  return (*metric)->value();
}

MetricConfig labelled(std::string name, std::vector<int64_t> labels) {
  MetricConfig config;
  config.name = std::move(name);
  config.labels = std::move(labels);
  return config;
}

TEST(TopK, CountsLabelsAmongTheLargest) {
  const Tensor ascending = Tensor::of<float>({1, 6}, {0, 1, 2, 3, 4, 5});
  EXPECT_EQ(measured(labelled("top1", {5, 4, 0, 5}), std::vector<Tensor>(4, ascending)), 0.5);
  EXPECT_EQ(measured(labelled("top5", {5, 1, 0, 4}), std::vector<Tensor>(4, ascending)), 0.75);
}

TEST(TopK, TiesGoToTheLowerClassAsArgmaxDoes) {
  const Tensor tie = Tensor::of<float>({1, 3}, {1, 2, 2});
  EXPECT_EQ(measured(labelled("top1", {1}), {tie}), 1);
  EXPECT_EQ(measured(labelled("top1", {2}), {tie}), 0);
}

TEST(TopK, RefusesLabelsThatTheModelDoesNotHave) {
  for (const int64_t label : {-1, 3}) {
    const auto metric = make_metric(labelled("top1", {label}));
    const Status status = (*metric)->add(0, Tensor(DType::Float32, {1, 3}));
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.diagnostics()[0].kind, ErrorKind::Mismatch);
  }
}

// A model that returns nothing but NaN once had all samples right.
TEST(TopK, NanIsWrong) {
  const float nan = std::nanf("");
  for (const char* name : {"top1", "top5"})
    for (const int64_t label : {0, 1, 5}) {
      EXPECT_EQ(measured(labelled(name, {label}), {Tensor::of<float>({1, 6}, std::vector<float>(6, nan))}), 0) << name;
      EXPECT_EQ(measured(labelled(name, {label}), {Tensor::of<float>({1, 6}, {9, 8, nan, 7, 6, 9})}), 0) << name;
    }
  const auto metric = make_metric(labelled("top1", {1, 1}));
  EXPECT_TRUE((*metric)->add(0, Tensor::of<float>({1, 3}, {0, 1, nan})).ok());
  EXPECT_TRUE((*metric)->add(1, Tensor::of<float>({1, 3}, {0, 1, 0})).ok());
  EXPECT_EQ((*metric)->unusable(), 1);
  EXPECT_EQ((*metric)->value(), 0.5);
}

TEST(TopK, InfinitiesAreOrdered) {
  const Tensor t = Tensor::of<float>({1, 4}, {-INFINITY, INFINITY, 3, INFINITY});
  EXPECT_EQ(measured(labelled("top1", {1}), {t}), 1);
  EXPECT_EQ(measured(labelled("top1", {3}), {t}), 0);
  EXPECT_EQ(measured(labelled("top1", {2}), {t}), 0);
}

TEST(TopK, NeedsOneNumberAClass) {
  const auto refused = [](const char* name, const Tensor& output) {
    MetricConfig config = labelled(name, {0});
    config.where = "data.yaml:7";
    const Status status = (*make_metric(config))->add(0, output);
    EXPECT_FALSE(status.ok()) << to_string(output, 0);
    if (!status.ok()) EXPECT_EQ(to_string(status.diagnostics()).rfind("data.yaml:7: error: sample 0: ", 0), 0);
  };
  refused("top1", Tensor(DType::Float32, {1, 10, 7, 7}));
  refused("top1", Tensor(DType::Float32, {1, 1}));
  refused("top1", Tensor(DType::Float32, {1, 0}));
  refused("top5", Tensor(DType::Float32, {1, 5}));
  refused("top1", Tensor::strings({1, 2}, {"a", "b"}));
  EXPECT_TRUE((*make_metric(labelled("top1", {0})))->add(0, Tensor(DType::Float32, {1, 10, 1, 1})).ok());
}

// Cosines 1, 0, -1 against scores: linear in them, or only in the same order.
TEST(Similarity, CorrelatesCosinesWithScores) {
  const auto v = [](float x, float y) { return Tensor::of<float>({1, 2}, {x, y}); };
  const std::vector<Tensor> outputs = {v(1, 0), v(1, 0), v(1, 0), v(2, 0), v(0, 3), v(-1, 0)};
  MetricConfig config;
  config.scores = {5, 3, 1};
  config.name = "cosine_pearson";
  EXPECT_NEAR(measured(config, outputs), 1, 1e-12);
  config.scores = {100, 3, 1};
  EXPECT_NEAR(measured(config, outputs), 0.874726, 1e-6);
  config.name = "cosine_spearman";
  EXPECT_NEAR(measured(config, outputs), 1, 1e-12);
  config.scores = {1, 3, 3};
  EXPECT_NEAR(measured(config, outputs), -std::sqrt(0.75), 1e-12) << "ties share their mean rank";
}

// NaN, infinities and vectors of zeros have no cosine; a model of nothing else must not seem to know something.
TEST(Similarity, WhatHasNoCosineIsWrong) {
  MetricConfig config;
  config.scores = {5, 1, 4, 2};
  for (const char* name : {"cosine_pearson", "cosine_spearman"}) {
    config.name = name;
    for (const float v : {std::nanf(""), INFINITY, 0.F})
      EXPECT_LT(measured(config, std::vector<Tensor>(8, Tensor::of<float>({1, 2}, {v, v}))), -0.8) << name << v;
    EXPECT_EQ(measured(config, std::vector<Tensor>(8, Tensor::of<float>({1, 2}, {1, 2}))), 0) << "always the same";
  }
}

TEST(Similarity, NeedsVectorsOfOneLength) {
  MetricConfig config;
  config.name = "cosine_pearson";
  config.scores = {1, 2};
  const auto metric = make_metric(config);
  EXPECT_TRUE((*metric)->add(0, Tensor(DType::Float32, {1, 2})).ok());
  EXPECT_FALSE((*metric)->add(2, Tensor(DType::Float32, {1, 3})).ok());
  EXPECT_FALSE((*metric)->add(4, Tensor(DType::Float32, {1, 2})).ok());
}

TEST(Metric, NeedsItsData) {
  for (const std::string& name : metric_names()) EXPECT_FALSE(make_metric(labelled(name, {})).ok()) << name;
  const auto unknown = make_metric(labelled("top7", {1}));
  ASSERT_FALSE(unknown.ok());
  EXPECT_NE(unknown.diagnostics()[0].hint.find("top5"), std::string::npos);
}

TEST(PairedDifference, HasTheMeanAndAnIntervalAroundIt) {
  std::vector<double> a(1000, 1), b(1000, 1);
  const Interval same = paired_difference(a, b);
  EXPECT_EQ(same.mean, 0);
  EXPECT_LT(same.low, 0) << "agreement on a sample proves no equality";
  EXPECT_GT(same.high, 0);
  EXPECT_LT(same.high, 0.005);
  for (size_t i = 0; i < 100; ++i) b[i] = 0;
  const Interval worse = paired_difference(a, b);
  EXPECT_DOUBLE_EQ(worse.mean, -0.1);
  EXPECT_NEAR(worse.high - worse.low, 2 * 1.96 * 0.3 / std::sqrt(1000), 0.001);
  EXPECT_LT(worse.high, 0);
}

}  // namespace
}  // namespace lapis
