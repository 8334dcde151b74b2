// Metrics against values from elsewhere: tests/tuning/data/metrics.py computes them with scikit-learn, SciPy,
// and NumPy.
#include "tuning/metrics/metric.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tuning/data/config.h"

namespace lapis {
namespace {

using ::testing::HasSubstr;

const float kNan = std::nanf("");
const Path kData = Path(LAPIS_SOURCE_DIR) / "tests/tuning/data";

struct Seen {
  Tensor output, label;
  std::vector<Tensor> more = {};  // further outputs

  Observation at(int64_t sample, const Feeds& feeds) const {
    Observation seen{sample, {output}, label, &feeds};
    seen.outputs.insert(seen.outputs.end(), more.begin(), more.end());
    return seen;
  }
};

// `yaml` is the metric as a dataset file has it: "{name: f1, threshold: 0.3}".
Result<std::unique_ptr<Metric>> made(const std::string& yaml, size_t samples) {
  LAPIS_TRY(const DatasetConfig config,
            parse_dataset_config("inputs: [{name: x, npy: x.npy}]\nmetric: " + yaml, kData / "d.yaml"));
  return config.metrics[0].row.make({config.metrics[0].settings, static_cast<int64_t>(samples)});
}

std::unique_ptr<Metric> filled(const std::string& yaml, const std::vector<Seen>& samples) {
  auto metric = made(yaml, samples.size());
  EXPECT_TRUE(metric.ok()) << to_string(metric.diagnostics());
  const Feeds feeds = {{"mask", Tensor::of<int64_t>({1, 2}, {1, 0})}};
  for (size_t i = 0; i < samples.size(); ++i) {
    const Status added = (*metric)->add(samples[i].at(static_cast<int64_t>(i), feeds));
    EXPECT_TRUE(added.ok()) << yaml << ": " << to_string(added.diagnostics());
  }
  return *std::move(metric);
}

double measured(const std::string& yaml, const std::vector<Seen>& samples) {
  const auto metric = filled(yaml, samples);
  const auto value = metric->value();
  EXPECT_TRUE(value.ok()) << to_string(value.diagnostics());
  if (const std::vector<double> scores = metric->scores(); !scores.empty()) {
    double sum = 0;
    for (const double s : scores) sum += s;
    EXPECT_NEAR(sum / static_cast<double>(scores.size()), *value, 1e-12) << yaml << ": scores whose mean is the value";
  }
  return *value;
}

std::string refusal(const std::string& yaml, const Seen& seen) {
  auto metric = made(yaml, 2);
  if (!metric.ok()) return to_string(metric.diagnostics());
  const Feeds feeds;
  const Status added = (*metric)->add(seen.at(0, feeds));
  if (!added.ok()) return to_string(added.diagnostics());
  const auto value = (*metric)->value();
  return value.ok() ? "" : to_string(value.diagnostics());
}

Tensor label(int64_t value) { return Tensor::scalar<int64_t>(value); }
Tensor vector(std::vector<float> values) {
  const auto n = static_cast<int64_t>(values.size());
  return Tensor::of<float>({1, n}, std::move(values));
}

std::vector<Seen> labelled(const Tensor& output, const std::vector<int64_t>& labels) {
  std::vector<Seen> samples;
  samples.reserve(labels.size());
  for (const int64_t l : labels) samples.push_back({output, label(l)});
  return samples;
}

// ---- classes --------------------------------------------------------------------------------------------------------

TEST(TopK, CountsLabelsAmongTheLargest) {
  const Tensor ascending = vector({0, 1, 2, 3, 4, 5});
  EXPECT_EQ(measured("{name: top1}", labelled(ascending, {5, 4, 0, 5})), 0.5);
  EXPECT_EQ(measured("{name: top5}", labelled(ascending, {5, 1, 0, 4})), 0.75);
}

TEST(TopK, TiesGoToTheLowerClassAsArgmaxDoes) {
  EXPECT_EQ(measured("{name: top1}", labelled(vector({1, 2, 2}), {1})), 1);
  EXPECT_EQ(measured("{name: top1}", labelled(vector({1, 2, 2}), {2})), 0);
}

// A model that returns nothing but NaN once had all samples right.
TEST(TopK, NanIsWrong) {
  for (const char* yaml : {"{name: top1}", "{name: top5}"})
    for (const int64_t l : {0, 1, 5}) {
      EXPECT_EQ(measured(yaml, labelled(vector(std::vector<float>(6, kNan)), {l})), 0) << yaml;
      EXPECT_EQ(measured(yaml, labelled(vector({9, 8, kNan, 7, 6, 9}), {l})), 0) << yaml;
    }
  const auto metric = filled("{name: top1}", {{vector({0, 1, kNan}), label(1)}, {vector({0, 1, 0}), label(1)}});
  EXPECT_EQ(metric->unusable(), 1);
  EXPECT_EQ(*metric->value(), 0.5);
}

TEST(TopK, InfinitiesAreOrdered) {
  const Tensor t = vector({-INFINITY, INFINITY, 3, INFINITY});
  EXPECT_EQ(measured("{name: top1}", labelled(t, {1})), 1);
  EXPECT_EQ(measured("{name: top1}", labelled(t, {3})), 0);
  EXPECT_EQ(measured("{name: top1}", labelled(t, {2})), 0);
}

TEST(TopK, NeedsOneNumberAClass) {
  const auto refused = [](const char* yaml, const Tensor& output, int64_t l = 0) {
    EXPECT_THAT(refusal(yaml, {output, label(l)}), HasSubstr("d.yaml:2: error: sample 0: ")) << to_string(output, 0);
  };
  refused("{name: top1}", Tensor(DType::Float32, {1, 10, 7, 7}));
  refused("{name: top1}", Tensor(DType::Float32, {1, 1}));
  refused("{name: top1}", Tensor(DType::Float32, {1, 0}));
  refused("{name: top5}", Tensor(DType::Float32, {1, 5}));
  refused("{name: top1}", Tensor::strings({1, 2}, {"a", "b"}));
  refused("{name: top1}", Tensor(DType::Float32, {1, 3}), 3);
  EXPECT_EQ(refusal("{name: top1}", {Tensor(DType::Float32, {1, 10, 1, 1}), label(0)}), "");
}

// ---- pairs ----------------------------------------------------------------------------------------------------------

std::vector<Seen> pairs(const std::vector<Tensor>& outputs, const std::vector<double>& scores) {
  std::vector<Seen> samples;
  for (size_t i = 0; i < outputs.size(); ++i)
    samples.push_back({outputs[i], Tensor::scalar(scores[i % scores.size()])});
  return samples;
}

// Cosines 1, 0, -1 against scores: linear in them, or only in the same order.
TEST(Similarity, CorrelatesCosinesWithScores) {
  const std::string pearson = "{name: cosine_pearson, scores: s.npy}",
                    spearman = "{name: cosine_spearman, scores: s.npy}";
  const std::vector<Tensor> outputs = {vector({1, 0}), vector({1, 0}), vector({1, 0}),
                                       vector({2, 0}), vector({0, 3}), vector({-1, 0})};
  EXPECT_NEAR(measured(pearson, pairs(outputs, {5, 3, 1})), 1, 1e-12);
  EXPECT_NEAR(measured(pearson, pairs(outputs, {100, 3, 1})), 0.874726, 1e-6);
  EXPECT_NEAR(measured(spearman, pairs(outputs, {100, 3, 1})), 1, 1e-12);
  EXPECT_NEAR(measured(spearman, pairs(outputs, {1, 3, 3})), -std::sqrt(0.75), 1e-12) << "ties share their mean rank";
}

TEST(Similarity, PoolsTokens) {
  const auto tokens = [](std::vector<float> v) { return Tensor::of<float>({1, 2, 2}, std::move(v)); };
  const std::vector<Tensor> outputs = {tokens({1, 0, 9, 9}),  tokens({1, 0, 9, 9}),  tokens({1, 0, 0, 9}),
                                       tokens({1, 0, -9, 9}), tokens({0, 1, 9, -9}), tokens({-1, 0, 0, 9})};
  const std::vector<double> scores = {5, 3, 1};  // the cosines of the first tokens are 1, 0, -1
  EXPECT_NEAR(measured("{name: cosine_pearson, scores: s.npy, pooling: cls}", pairs(outputs, scores)), 1, 1e-12);
  EXPECT_NEAR(measured("{name: cosine_pearson, scores: s.npy, pooling: mean, mask: mask}", pairs(outputs, scores)), 1,
              1e-12)
      << "the mask leaves the first token";
  EXPECT_LT(measured("{name: cosine_pearson, scores: s.npy, pooling: mean}", pairs(outputs, scores)), 0.9);
  EXPECT_THAT(refusal("{name: cosine_pearson, scores: s.npy, pooling: cls}", {vector({1, 2}), label(0)}),
              HasSubstr("[1, tokens, numbers]"));
}

// NaN, infinities and vectors of zeros have no cosine; a model of nothing else must not seem to know something.
TEST(Similarity, WhatHasNoCosineIsWrong) {
  for (const char* yaml : {"{name: cosine_pearson, scores: s.npy}", "{name: cosine_spearman, scores: s.npy}"}) {
    for (const float v : {kNan, INFINITY, 0.F})
      EXPECT_LT(measured(yaml, pairs(std::vector<Tensor>(8, vector({v, v})), {5, 1, 4, 2})), -0.8) << yaml << v;
    EXPECT_EQ(measured(yaml, pairs(std::vector<Tensor>(8, vector({1, 2})), {5, 1, 4, 2})), 0) << "always the same";
  }
}

TEST(Similarity, NeedsVectorsOfOneLength) {
  auto metric = *made("{name: cosine_pearson, scores: s.npy}", 4);
  EXPECT_TRUE(metric->add({0, {vector({1, 2})}, label(1)}).ok());
  EXPECT_FALSE(metric->add({2, {vector({1, 2, 3})}, label(1)}).ok());
}

// As trials of a tune see them.
TEST(Similarity, TakesSamplesInAnyOrder) {
  std::vector<Seen> seen = pairs(
      {vector({1, 0}), vector({1, 0}), vector({1, 0}), vector({2, 0}), vector({0, 3}), vector({-1, 0})}, {5, 3, 1});
  auto metric = *made("{name: cosine_pearson, scores: s.npy}", 6);
  const Feeds feeds;
  for (const int64_t i : {4, 2, 5, 0, 1, 3})
    ASSERT_TRUE(metric->add(seen[static_cast<size_t>(i)].at(i, feeds)).ok()) << i;
  EXPECT_NEAR(*metric->value(), 1, 1e-12);
  auto unequal = *made("{name: cosine_pearson, scores: s.npy}", 4);
  EXPECT_TRUE(unequal->add({2, {vector({1, 2})}, label(1)}).ok());
  EXPECT_FALSE(unequal->add({0, {vector({1, 2, 3})}, label(1)}).ok());
}

// ---- yes or no ------------------------------------------------------------------------------------------------------

// Two samples of five elements.
const std::vector<Seen> kFrames = {{vector({0.9F, 0.2F, 0.5F, 0.7F, 0.1F}), Tensor::vector<uint8_t>({1, 0, 1, 1, 0})},
                                   {vector({0.6F, 0.5F, 0.8F, 0.3F, 0.4F}), Tensor::vector<uint8_t>({0, 0, 1, 1, 1})}};

TEST(YesOrNo, EqualsScikitLearn) {
  EXPECT_NEAR(measured("{name: f1}", kFrames), 0.6, 1e-12);
  EXPECT_NEAR(measured("{name: f1, threshold: 0.35}", kFrames), 0.7692307692307693, 1e-12);
  EXPECT_NEAR(measured("{name: auc}", kFrames), 0.7708333333333333, 1e-12);
  EXPECT_NEAR(measured("{name: binary_accuracy}", kFrames), 0.6, 1e-12);
  EXPECT_NEAR(measured("{name: dice}", kFrames), (0.8 + 0.4) / 2, 1e-12) << "each sample alone";
}

TEST(YesOrNo, NanIsTheWrongAnswer) {
  const std::vector<Seen> all = {{vector({kNan, kNan}), Tensor::vector<uint8_t>({1, 0})}};
  for (const char* name : {"f1", "auc", "binary_accuracy", "dice"}) {
    const auto metric = filled("{name: " + std::string(name) + "}", all);
    EXPECT_EQ(*metric->value(), 0) << name;
    EXPECT_EQ(metric->unusable(), 1) << name;
  }
}

TEST(YesOrNo, SayWhatDoesNotFit) {
  EXPECT_THAT(refusal("{name: f1}", {vector({1, 2}), label(1)}), HasSubstr("one label for each element"));
  EXPECT_THAT(refusal("{name: auc}", {vector({1}), Tensor::vector<uint8_t>({1})}), HasSubstr("labels of both kinds"));
}

// ---- ranking --------------------------------------------------------------------------------------------------------

TEST(Ranking, OfTheRightCandidate) {
  const std::vector<Seen> groups = {{vector({5, 1, 2, 3}), {}}, {vector({2, 1, 2, 3}), {}}, {vector({0, 1, 2, 3}), {}}};
  EXPECT_NEAR(measured("{name: hit_rate, k: 2}", groups), 2.0 / 3, 1e-12) << "a tie counts for the right one";
  EXPECT_NEAR(measured("{name: ndcg, k: 2}", groups), (1 + std::log(2) / std::log(3)) / 3, 1e-12);
  EXPECT_NEAR(measured("{name: hit_rate, k: 1, right: 3}", groups), 2.0 / 3, 1e-12);
  EXPECT_EQ(measured("{name: hit_rate, k: 2}", {{vector({kNan, 1, 2, 3}), {}}}), 0);
  EXPECT_THAT(refusal("{name: hit_rate, k: 4}", {vector({1, 2, 3, 4}), {}}), HasSubstr("more than 4"));
}

// Or a model that scores all candidates alike would be perfect.
TEST(Ranking, DrawsTies) {
  const std::vector<Seen> groups = {{vector({5, 1, 2, 3}), {}}, {vector({2, 1, 2, 3}), {}}, {vector({0, 1, 2, 3}), {}}};
  EXPECT_NEAR(measured("{name: hit_rate, k: 2, ties: drawn}", groups), 1.5 / 3, 1e-12);
  EXPECT_NEAR(measured("{name: ndcg, k: 3, ties: drawn}", groups), (1 + (std::log(2) / std::log(3) + 0.5) / 2) / 3,
              1e-12);
  const std::vector<Seen> all_alike = {{vector({1, 1, 1, 1}), {}}};
  EXPECT_EQ(measured("{name: hit_rate, k: 2}", all_alike), 1);
  EXPECT_EQ(measured("{name: hit_rate, k: 2, ties: drawn}", all_alike), 0.5);
  EXPECT_THAT(refusal("{name: hit_rate, k: 2, ties: lost}", {vector({1, 2, 3, 4}), {}}), HasSubstr("drawn"));
}

// ---- text -----------------------------------------------------------------------------------------------------------

// charset.txt: blank, a, b, ä, space.
Tensor steps(const std::vector<int64_t>& classes) {
  Tensor t(DType::Float32, {1, static_cast<int64_t>(classes.size()), 5});
  for (size_t i = 0; i < classes.size(); ++i) t.mutable_data<float>()[i * 5 + static_cast<size_t>(classes[i])] = 1;
  return t;
}

TEST(Ctc, MergesRepeatsAndDropsBlanks) {
  const std::string exact = "{name: ctc_exact, charset: charset.txt}";
  EXPECT_EQ(measured(exact, {{steps({1, 1, 0, 1, 2, 2, 0}), Tensor::strings({}, {"aab"})}}), 1);
  EXPECT_EQ(measured(exact, {{steps({3, 3, 4, 1}), Tensor::strings({}, {"ä a"})}}), 1);
  EXPECT_EQ(measured(exact, {{steps({3, 4, 1}), Tensor::strings({}, {"äa"})}}), 0);
  EXPECT_EQ(measured("{name: ctc_exact, charset: charset.txt, ignore: ' '}",
                     {{steps({3, 4, 1}), Tensor::strings({}, {"äa"})}}),
            1);
}

TEST(Ctc, CountsEditsOfCharactersAndWords) {
  const std::vector<Seen> lines = {
      {steps({1, 0, 2, 4, 3}), Tensor::strings({}, {"ab a"})},  // "ab ä": 1 of 4 characters, 1 of 2 words
      {steps({2, 0, 0, 1}), Tensor::strings({}, {"abba"})}};    // "ba": 2 of 4 characters, 1 of 1
  EXPECT_NEAR(measured("{name: ctc_cer, charset: charset.txt}", lines), 3.0 / 8, 1e-12);
  EXPECT_NEAR(measured("{name: ctc_wer, charset: charset.txt}", lines), 2.0 / 3, 1e-12);
  EXPECT_EQ(measured("{name: ctc_exact, charset: charset.txt}", lines), 0);
  Tensor broken = steps({1, 2});
  broken.mutable_data<float>()[3] = kNan;
  EXPECT_EQ(measured("{name: ctc_cer, charset: charset.txt}", {{broken, Tensor::strings({}, {"ab"})}}), 1);
}

TEST(Ctc, SaysWhatDoesNotFit) {
  EXPECT_THAT(refusal("{name: ctc_cer, charset: charset.txt}", {vector({1, 2}), Tensor::strings({}, {"a"})}),
              HasSubstr("5 classes"));
  EXPECT_THAT(refusal("{name: ctc_cer, charset: charset.txt}", {steps({0}), Tensor::strings({}, {""})}),
              HasSubstr("all empty"));
  EXPECT_THAT(refusal("{name: ctc_cer, charset: gone.txt}", {steps({0}), Tensor::strings({}, {""})}),
              HasSubstr("gone.txt"));
}

// ---- boxes ----------------------------------------------------------------------------------------------------------

// Regions: 4 x 10 pixels at (5, 2), which grow by 1.5 * 40 / 28, two diagonal neighbours (one region, too thin),
// and 3 x 3 at (20, 12).
Tensor map_with_regions() {
  Tensor map(DType::Float32, {1, 1, 20, 30});
  auto at = [&](int y, int x) -> float& {
    return map.mutable_data<float>()[static_cast<size_t>(y) * 30 + static_cast<size_t>(x)];
  };
  for (int y = 2; y < 6; ++y)
    for (int x = 5; x < 15; ++x) at(y, x) = 0.9F;
  at(10, 2) = at(11, 3) = 0.9F;
  for (int y = 12; y < 15; ++y)
    for (int x = 20; x < 23; ++x) at(y, x) = 0.31F;
  return map;
}

TEST(MapBoxes, GrowAndMatch) {
  // The first becomes (2.857, -0.143, 17.143, 8.143); the wanted one overlaps it with IoU 0.83.
  // The second finds no partner.
  const Tensor wanted = Tensor::of<int32_t>({2, 4}, {3, 0, 17, 7, 0, 15, 5, 19});
  EXPECT_NEAR(measured("{name: map_box_f1}", {{map_with_regions(), wanted}}), 2.0 * 1 / (2 + 2), 1e-12);
  EXPECT_NEAR(measured("{name: map_box_f1, threshold: 0.5}", {{map_with_regions(), wanted}}), 2.0 * 1 / (2 + 1), 1e-12);
  EXPECT_EQ(measured("{name: map_box_f1, iou: 0.9}", {{map_with_regions(), wanted}}), 0);
  EXPECT_EQ(measured("{name: map_box_f1}", {{Tensor(DType::Float32, {1, 1, 4, 4}), Tensor(DType::Int32, {0, 4})}}), 1);
  EXPECT_THAT(refusal("{name: map_box_f1}", {vector({}), wanted}), HasSubstr("[1, 1, H, W]"));
}

// Two pictures, two classes, a crowd, a class that nobody wanted; expected: pycocotools.
TEST(CocoMap, EqualsPycocotools) {
  const auto picture = [](std::vector<float> boxes, std::vector<float> scores, std::vector<int64_t> classes,
                          std::vector<float> label) {
    const auto n = static_cast<int64_t>(scores.size()), wanted = static_cast<int64_t>(label.size()) / 6;
    return Seen{Tensor::of<float>({1, n, 4}, std::move(boxes)),
                Tensor::of<float>({wanted, 6}, std::move(label)),
                {Tensor::of<float>({1, n}, std::move(scores)), Tensor::of<int64_t>({1, n}, std::move(classes))}};
  };
  const std::vector<Seen> pictures = {
      picture({10, 10, 50, 52, 60, 60, 90, 95, 12, 8, 55, 50, 100, 100, 140, 150, 0, 0, 20, 20},
              {0.9F, 0.8F, 0.7F, 0.6F, 0.95F}, {1, 1, 1, 2, 3},
              {1, 10, 10, 50, 50, 0, 1, 60, 58, 92, 95, 0, 2, 100, 105, 150, 150, 0, 2, 0, 0, 200, 90, 1}),
      picture({30, 30, 70, 70, 20, 20, 60, 75, 5, 5, 25, 30}, {0.65F, 0.85F, 0.75F}, {1, 2, 2},
              {1, 28, 33, 70, 72, 0, 2, 22, 18, 66, 70, 0})};
  EXPECT_NEAR(measured("{name: coco_map}", pictures), 0.596122112211221, 1e-9);
  EXPECT_NEAR(measured("{name: coco_map50}", pictures), 0.8754125412541253, 1e-9);
  EXPECT_THAT(refusal("{name: coco_map}", {vector({1, 2}), label(0), {vector({1}), vector({1})}}),
              HasSubstr("[1, n, 4]"));
}

TEST(CocoMap, OrdersAndSizes) {
  const Tensor wanted = Tensor::of<float>({1, 6}, {4, 0.1F, 0.2F, 0.5F, 0.4F, 0});
  const auto found = [&](std::vector<float> box) {
    return std::vector<Seen>{{Tensor::of<float>({1, 1, 4}, std::move(box)), wanted, {vector({0.5F}), vector({3})}}};
  };
  const std::string rest = "first_class: 1, size: [100, 200]";
  EXPECT_NEAR(measured("{name: coco_map, " + rest + "}", found({20, 20, 100, 40})), 1, 1e-12);
  EXPECT_NEAR(measured("{name: coco_map, order: yxyx, " + rest + "}", found({20, 20, 40, 100})), 1, 1e-12);
  EXPECT_NEAR(measured("{name: coco_map, order: xywh, " + rest + "}", found({20, 20, 80, 20})), 1, 1e-12);
  EXPECT_EQ(measured("{name: coco_map, " + rest + "}", found({kNan, 20, 100, 40})), 0);
}

// ---- pixels ---------------------------------------------------------------------------------------------------------

TEST(MeanIou, OverThePixelsOfAllSamples) {
  const Tensor map = Tensor::of<float>({1, 2, 1, 3}, {0.9F, 0.2F, 0.7F, 0.1F, 0.8F, 0.3F});  // says 0, 1, 0
  const std::vector<Seen> samples = {{map, Tensor::of<uint8_t>({1, 3}, {0, 1, 1})},
                                     {map, Tensor::of<uint8_t>({1, 3}, {255, 1, 0})}};
  EXPECT_NEAR(measured("{name: miou}", samples), (2.0 / 3 + 2.0 / 3) / 2, 1e-12);
  EXPECT_NEAR(measured("{name: miou}", {{Tensor::of<int64_t>({1, 1, 3}, {0, 1, 0}), samples[0].label}}),
              (1.0 / 2 + 1.0 / 2) / 2, 1e-12);
  const Tensor last = Tensor::of<float>({1, 1, 3, 2}, {0.9F, 0.1F, 0.2F, 0.8F, 0.7F, 0.3F});
  EXPECT_NEAR(measured("{name: miou, classes: last}", {{last, samples[0].label}}), 0.5, 1e-12);
  EXPECT_EQ(measured("{name: miou}", {{Tensor::of<float>({1, 2, 1, 1}, {kNan, 0}), Tensor::of<uint8_t>({1, 1}, {1})}}),
            0);
  EXPECT_THAT(refusal("{name: miou}", {map, Tensor::of<uint8_t>({1, 4}, {0, 1, 0, 1})}), HasSubstr("a class a pixel"));
  EXPECT_THAT(refusal("{name: miou}", {map, Tensor::of<uint8_t>({1, 3}, {255, 255, 255})}), HasSubstr("ignored"));
}

// ---- language -------------------------------------------------------------------------------------------------------

TEST(Glue, EqualsScikitLearnAndScipy) {
  const std::vector<int64_t> said = {1, 0, 1, 1, 0, 2}, wanted = {1, 0, 0, 1, 1, 2};
  std::vector<Seen> samples;
  for (size_t i = 0; i < said.size(); ++i) {
    std::vector<float> logits(3, 0);
    logits[static_cast<size_t>(said[i])] = 1;
    samples.push_back({vector(logits), label(wanted[i])});
  }
  EXPECT_NEAR(measured("{name: class_f1}", samples), 2.0 / 3, 1e-12);
  EXPECT_NEAR(measured("{name: class_f1, positive: 0}", samples), 0.5, 1e-12);
  EXPECT_NEAR(measured("{name: matthews}", samples), 0.4545454545454545, 1e-12);
  EXPECT_EQ(measured("{name: class_f1}", {{vector({kNan, 1}), label(1)}}), 0);
  const std::vector<Seen> numbers = {
      {vector({1.5F}), Tensor::scalar(1.F)}, {vector({2}), Tensor::scalar(3.F)}, {vector({10}), Tensor::scalar(3.5F)}};
  EXPECT_NEAR(measured("{name: pearson}", numbers), 0.6933752452815365, 1e-6);
  EXPECT_NEAR(measured("{name: spearman}", numbers), 1, 1e-12);
  EXPECT_LE(measured("{name: pearson}", {{vector({kNan}), Tensor::scalar(1.F)},
                                         {vector({1}), Tensor::scalar(2.F)},
                                         {vector({2}), Tensor::scalar(3.F)}}),
            0);
}

TEST(Squad, FindsTheBestSpanAndComparesWords) {
  const Tensor question = Tensor::strings({}, {R"({"context": "Der Käse is The best, in Zürich.",
     "offsets": [null, [0, 3], [4, 8], [9, 11], [12, 15], [16, 20], [20, 21], [22, 24], [25, 31], [31, 32]], "answers": ["best in zürich", "the best"]})"});
  const auto answered = [&](size_t start, size_t end) {
    std::vector<float> s(10, 0), e(10, 0);
    s[0] = e[0] = 9;  // a token of the question, which is no answer
    s[start] += 1, e[end] += 1;
    return std::vector<Seen>{{vector(s), question, {vector(e)}}};
  };
  EXPECT_EQ(measured("{name: squad_em}", answered(5, 8)), 1) << "case, punctuation and articles do not count";
  EXPECT_EQ(measured("{name: squad_em}", answered(4, 5)), 1);
  EXPECT_EQ(measured("{name: squad_em}", answered(2, 5)), 0);
  EXPECT_NEAR(measured("{name: squad_f1}", answered(2, 5)), 2.0 * 1 / (3 + 1), 1e-12) << "käse is best, best";
  EXPECT_NEAR(measured("{name: squad_f1}", answered(8, 8)), 2.0 * 1 / (1 + 3), 1e-12);
  EXPECT_THAT(refusal("{name: squad_f1}", {vector({1, 2}), Tensor::strings({}, {"{}"}), {vector({1, 2})}}),
              HasSubstr("no JSON object"));
  EXPECT_THAT(refusal("{name: squad_f1}", {vector({1, 2}), question, {vector({1, 2})}}),
              HasSubstr("one number a token"));
}

// ---- distances ------------------------------------------------------------------------------------------------------

TEST(Distances, ToLabelsAndToAnotherModel) {
  const std::vector<Seen> samples = {{vector({1, 2, 4}), Tensor::vector<float>({1, 3, 2})},
                                     {vector({0, -1, 0}), Tensor::vector<float>({0, -1, 1})}};
  EXPECT_NEAR(measured("{name: mae}", samples), (1.0 + 1.0 / 3) / 2, 1e-12);
  EXPECT_NEAR(measured("{name: mse}", samples), (5.0 / 3 + 1.0 / 3) / 2, 1e-12);
  EXPECT_NEAR(measured("{name: sqnr}", samples), 10 * std::log10(16.0 / 6), 1e-12);
  EXPECT_NEAR(measured("{name: cosine}", samples), (15 / std::sqrt(21.0 * 14) + 1 / std::sqrt(2.0)) / 2, 1e-12);
  EXPECT_NEAR(measured("{name: agreement}", samples), 0, 1e-12);
  EXPECT_EQ(measured("{name: sqnr}", {{vector({1, 2}), vector({1, 2})}}), 200);
  EXPECT_EQ(measured("{name: sqnr}", {{vector({1, kNan}), vector({1, 2})}}), -200);
  EXPECT_EQ(measured("{name: cosine}", {{vector({1, kNan}), vector({1, 2})}}), -1);
  EXPECT_TRUE(std::isinf(*filled("{name: mae}", {{vector({1, kNan}), vector({1, 2})}})->value()));
  EXPECT_THAT(refusal("{name: mae}", {vector({1, 2}), label(1)}), HasSubstr("compared with"));
}

// ---- two models -----------------------------------------------------------------------------------------------------

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
