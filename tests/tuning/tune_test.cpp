// Tuning on models that are hard on purpose.
#include "tuning/tune.h"

#include <gtest/gtest.h>

#include "frontends/frontend.h"
#include "passes/quantize/quantize.h"
#include "tests/tuning/hard_models.h"
#include "tuning/recipe.h"
#include "tuning/search/workbench.h"

namespace lapis {
namespace {

using testing::HardModel;

TuneResult tuned(const TuneConfig& config, TuneOptions options = {}) {
  options.begin = options.begin == Workspace::Begin::Fresh ? Workspace::Begin::Restart : options.begin;
  Result<TuneResult> result = tune(config, options);
  EXPECT_TRUE(result.ok()) << to_string(result.diagnostics());
  return *std::move(result);
}

size_t unit_of(const SearchSpace& space, const std::string& node) {
  for (size_t u = 0; u < space.units.size(); ++u)
    if (std::count(space.units[u].nodes.begin(), space.units[u].nodes.end(), node)) return u;
  ADD_FAILURE() << "no unit has " << node;
  return 0;
}

class Hard : public ::testing::TestWithParam<std::unique_ptr<HardModel> (*)()> {};

// What the quantizer makes by itself misses the target by far; tuning finds a model that meets it, and names the node.
TEST_P(Hard, PlainQuantizationFailsAndTuningRecovers) {
  const std::unique_ptr<HardModel> model = GetParam()();
  TuneConfig config = model->config();
  config.objectives.of = {{Objective::ModelSize, 1}};  // which no clock decides
  const TuneResult result = tuned(config);
  const Trial &plain = result.history.trials[1], &best = *result.history.best();
  EXPECT_EQ(plain.configuration, result.space.int8(0));
  EXPECT_LT(plain.gain, -0.2);
  EXPECT_FALSE(plain.passes);
  ASSERT_TRUE(result.history.met()) << result.verdict;
  const size_t culprit = unit_of(result.space, model->culprit);
  EXPECT_TRUE(best.configuration.fp32[culprit]);
  EXPECT_LT(best.configuration.fp32_units(), result.space.units.size() / 2 + 1) << "the rest stays int8";
  EXPECT_EQ(result.history.attribution->worst(1), std::vector<size_t>{culprit});
  EXPECT_NE(result.verdict.find("meets the target"), std::string::npos);
  const auto said = read_file(config.workspace / "report.html");
  ASSERT_TRUE(said.ok());
  EXPECT_NE(said->find(model->culprit), std::string::npos) << "the report names the node";
  // What is on disk is that model.
  EXPECT_TRUE(std::filesystem::exists(result.best));
  const auto recipe = read_recipe(config.workspace / "best.yaml");
  ASSERT_TRUE(recipe.ok()) << to_string(recipe.diagnostics());
  for (const Trial* t : result.history.front()) {
    char name[16];
    std::snprintf(name, sizeof name, "%03d.onnx", t->number);
    EXPECT_TRUE(std::filesystem::exists(config.workspace / "front" / name)) << name;
  }
}
INSTANTIATE_TEST_SUITE_P(Tune, Hard,
                         ::testing::Values(testing::outlier_channels, testing::shared_concat, testing::spectrogram,
                                           testing::residual_encoder));

class Strategies : public ::testing::TestWithParam<std::string> {
 protected:
  static HardModel& model() {
    static const std::unique_ptr<HardModel> one = testing::shared_concat();
    return *one;
  }
};

TEST_P(Strategies, FindAModelThatMeetsTheTarget) {
  TuneConfig config = model().config();
  config.strategy = GetParam();
  config.workspace = model().folder / GetParam();
  config.exit.max_trials = 40;
  config.exit.stop = ExitPolicy::Stop::FirstPass;
  const TuneResult result = tuned(config);
  EXPECT_TRUE(result.history.met()) << result.verdict;
  EXPECT_TRUE(result.history.trials.back().passes) << "the first that passes ends it";
}

// With an objective that no clock decides, the same seed gives the same trials, and so does going on after any of them.
TEST_P(Strategies, AreDeterministicAndGoOnWhereTheyWere) {
  TuneConfig config = model().config();
  config.strategy = GetParam();
  config.workspace = model().folder / (GetParam() + "_twice");
  config.objectives.of = {{Objective::ModelSize, 1}};
  config.exit.max_trials = 14;
  const TuneResult whole = tuned(config);
  config.exit.max_trials = 5;
  tuned(config);
  config.exit.max_trials = 14;
  const TuneResult resumed = tuned(config, {.begin = Workspace::Begin::Resume});
  ASSERT_EQ(resumed.history.trials.size(), whole.history.trials.size());
  for (size_t i = 0; i < whole.history.trials.size(); ++i) {
    const Trial &a = whole.history.trials[i], &b = resumed.history.trials[i];
    EXPECT_EQ(a.configuration.key(), b.configuration.key()) << i;
    EXPECT_EQ(a.accuracy, b.accuracy) << i;
    EXPECT_EQ(a.improvement, b.improvement) << i;
  }
  EXPECT_EQ(resumed.history.best()->number, whole.history.best()->number);
}
INSTANTIATE_TEST_SUITE_P(Tune, Strategies, ::testing::ValuesIn(strategy_names()),
                         [](const auto& info) { return info.param; });

TEST(Tune, AnImpossibleTargetLeavesTheFrontAndSaysSo) {
  const std::unique_ptr<HardModel> model = testing::shared_concat();
  TuneConfig config = model->config();
  config.criterion = {.value = 1.5};
  config.exit.max_trials = 8;
  const TuneResult result = tuned(config);
  EXPECT_FALSE(result.history.met());
  EXPECT_NE(result.verdict.find("out of reach"), std::string::npos) << result.verdict;
  EXPECT_GE(result.history.best()->number, 1);
  EXPECT_FALSE(result.history.front().empty());
  EXPECT_TRUE(std::filesystem::exists(result.best));
}

// Whatever it is spent on: what nodes do to the model is measured as far as there is time,
// and one quantized model is made all the same.
TEST(Tune, TheTimeIsThatOfTheWholeRun) {
  const std::unique_ptr<HardModel> model = testing::shared_concat();
  TuneConfig config = model->config();
  config.objectives.of = {{Objective::ModelSize, 1}};
  config.exit.max_trials = 3;
  config.exit.timeout_seconds = 1e5;
  const TuneResult enough = tuned(config);
  EXPECT_EQ(enough.history.trials.size(), 4u);
  const Attribution& all = *enough.history.attribution;
  EXPECT_EQ(all.measured(), all.units.size());
  EXPECT_GT(all.seconds, 0);
  config.exit.timeout_seconds = 0;
  const TuneResult without = tuned(config);
  for (size_t u = 0; u < all.units.size(); ++u)
    EXPECT_EQ(all.units[u].noise, without.history.attribution->units[u].noise)
        << "whatever the order they are measured in";
  config.exit.timeout_seconds = 1e-3;
  const TuneResult hasty = tuned(config);
  EXPECT_EQ(hasty.history.trials.size(), 2u);
  EXPECT_EQ(hasty.history.attribution->measured(), 0u);
  EXPECT_NE(to_string(hasty.warnings).find("there was time to measure the effects of 0 of"), std::string::npos);
  const auto read = parse_history(to_json(hasty.history, hasty.space), hasty.space, "here");
  ASSERT_TRUE(read.ok()) << to_string(read.diagnostics());
  EXPECT_EQ(read->attribution->measured(), 0u);
}

TEST(Tune, FindsTheMostAccurateModelWithinALatency) {
  const std::unique_ptr<HardModel> model = testing::shared_concat();
  TuneConfig config = model->config();
  config.criterion = {};
  config.exit.latency_milliseconds = 1e6;  // any
  config.exit.max_trials = 20;
  const TuneResult result = tuned(config);
  EXPECT_TRUE(result.history.met());
  for (const Trial& t : result.history.trials) EXPECT_LE(t.gain, result.history.trials[0].gain);
  EXPECT_GT(result.history.best()->gain, -0.02);
  EXPECT_FALSE(result.history.best()->early) << "accuracy itself is wanted";
}

// Nearly everything may be lost, so that the smaller model wins by its size; what is written is that model.
TEST(Tune, PrunesWhereThatIsBetter) {
  const std::unique_ptr<HardModel> model = testing::outlier_channels();
  TuneConfig config = model->config();
  config.criterion = {};
  config.criterion.absolute = 0.95;
  config.objectives.of = {{Objective::ModelSize, 1}};
  config.variants.pruned = {{0.25, *sparsity_pattern_from_name("channel")}, {0.3, {}}};
  config.exit.max_trials = 4;
  const TuneResult result = tuned(config);
  const Trial& best = *result.history.best();
  EXPECT_EQ(best.on_top, "25 % pruned (channel)") << result.verdict;
  EXPECT_EQ(result.space.candidates.size(), 3u);
  EXPECT_EQ(result.space.bases(), std::vector<size_t>{0});
  EXPECT_GT(best.int8_nodes(), 0u);
  const std::unique_ptr<Graph> written = *import_model(result.best);
  const auto recipe = read_recipe(config.workspace / "best.yaml");
  ASSERT_TRUE(recipe.ok()) << to_string(recipe.diagnostics());
  EXPECT_EQ(recipe->defaults.sparsity, config.variants.pruned[0]);
  double bytes = 0;
  for (const Value* v : written->constants()) bytes += static_cast<double>(v->constant().bytes());
  EXPECT_NEAR(bytes, best.costs.size_bytes, 0.02 * bytes);
}

TEST(Tune, MixesInBf16WhereTheMachineHasIt) {
  const std::unique_ptr<HardModel> model = testing::shared_concat();
  TuneConfig config = model->config();
  config.variants.bf16 = true;
  config.objectives.of = {{Objective::ModelSize, 1}};
  config.exit.max_trials = 20;
  config.target = "x86-64+avx512vnni";
  const auto refused = tune(config);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(to_string(refused.diagnostics()).find("AVX-512 BF16 is missing"), std::string::npos);
  config.target = "host";
  if (!Target::host().has(Isa::Avx512Bf16)) GTEST_SKIP() << "this machine multiplies no bfloat16";
  const TuneResult result = tuned(config);
  const auto mixed = std::find_if(result.history.trials.begin(), result.history.trials.end(),
                                  [](const Trial& t) { return t.on_top == "bf16"; });
  ASSERT_NE(mixed, result.history.trials.end());
  EXPECT_TRUE(mixed->measured()) << mixed->failure;
}

TEST(Tune, ChoosesAmongWeightsAlone) {
  const std::unique_ptr<HardModel> model = testing::outlier_channels();
  TuneConfig config = model->config();
  config.candidates = weights_alone_candidates();
  config.objectives.of = {{Objective::ModelSize, 1}};
  config.exit.max_trials = 10;
  const TuneResult result = tuned(config);
  ASSERT_TRUE(result.history.met()) << result.verdict;
  EXPECT_GT(result.history.best()->improvement, 1);
  EXPECT_GT(result.history.best()->precisions.at("Gemm").int8, 0);
  EXPECT_EQ(result.history.best()->precisions.at("Conv").int8, 0);
}

TEST(Tune, AWorkspaceIsNotReplacedUnasked) {
  const std::unique_ptr<HardModel> model = testing::shared_concat();
  TuneConfig config = model->config();
  config.exit.max_trials = 1;
  tuned(config);
  const Result<TuneResult> again = tune(config);
  ASSERT_FALSE(again.ok());
  EXPECT_NE(to_string(again.diagnostics()).find("--resume goes on"), std::string::npos);
  config.seed = 7;
  const Result<TuneResult> other = tune(config, {.begin = Workspace::Begin::Resume});
  ASSERT_FALSE(other.ok());
  EXPECT_NE(to_string(other.diagnostics()).find("another model, data set or configuration"), std::string::npos);
}

// A strategy of one's own, and what fails is a failed trial.
TEST(Tune, TakesAStrategyOfTheCaller) {
  class OneByOne final : public Strategy {
    Status search(Trials& trials) override {
      for (size_t u = 0; u < trials.space().units.size(); ++u)
        if (!trials.run(trials.space().int8(0).with(u, true))) break;
      return ok();
    }
  };
  const std::unique_ptr<HardModel> model = testing::shared_concat();
  int told = 0;
  TuneOptions options;
  options.strategy = std::make_shared<OneByOne>();
  options.observer.trial = [&](const Trial&) { ++told; };
  const TuneResult result = tuned(model->config(), options);
  EXPECT_EQ(result.history.trials.size(), result.space.units.size() + 1);
  EXPECT_EQ(told, static_cast<int>(result.history.trials.size() + result.history.whole.size()));
}

TEST(History, BestAndFront) {
  const auto trial = [](int number, double gain, double improvement, bool passes) {
    Trial t;
    t.number = number;
    t.gain = gain;
    t.improvement = improvement;
    t.passes = passes;
    t.score = passes ? improvement : gain;
    t.configuration = {0, {number % 2 == 0, number > 1}};
    return t;
  };
  const SearchSpace space{{{"c", {}}}, {{"a", "Conv", {"a"}}, {"b", "Conv", {"b"}}}};
  History history{"f", Attribution{0, 0.5, {{0.1, 2, 3}, {0.2, 4, 5}}}, {}};
  history.trials = {trial(0, 0, 1, true), trial(1, -0.5, 3, false), trial(2, -0.01, 2, true),
                    trial(3, -0.02, 1.5, true)};
  EXPECT_EQ(history.best()->number, 2);
  std::vector<int> front;
  for (const Trial* t : history.front()) front.push_back(t->number);
  EXPECT_EQ(front, (std::vector<int>{0, 2, 1}));
  const auto read = parse_history(to_json(history, space), space, "here");
  ASSERT_TRUE(read.ok()) << to_string(read.diagnostics());
  EXPECT_EQ(to_json(*read, space), to_json(history, space));
  // Quantized, but slower than fp32: fp32 is best. Nothing passes: the nearest.
  history.trials[2].improvement = history.trials[2].score = 0.5;
  history.trials[3].passes = false;
  EXPECT_EQ(history.best()->number, 0);
  EXPECT_TRUE(history.met());
  history.trials[0].passes = history.trials[2].passes = false;
  for (Trial& t : history.trials) t.score = t.gain;
  EXPECT_EQ(history.best()->number, 2);
  EXPECT_FALSE(history.met());
}

// What all samples say counts, once they are asked; the trial as the search saw it stays.
TEST(History, WhatWasMeasuredOnAllSamplesCounts) {
  History history;
  for (int number = 0; number < 3; ++number) {
    Trial t;
    t.number = number;
    t.configuration = {0, {number == 0}};
    t.passes = true;
    t.early = number > 0;
    t.improvement = t.score = 1 + number;
    history.trials.push_back(t);
  }
  EXPECT_EQ(history.best()->number, 2);
  Trial whole = history.trials[2];
  whole.passes = whole.early = false;
  whole.score = whole.gain = -0.3;
  history.whole.push_back(whole);
  EXPECT_EQ(history.best()->number, 1);
  EXPECT_TRUE(history.trials[2].passes);
  EXPECT_EQ(history.confirmed(history.trials[2]).gain, -0.3);
  EXPECT_EQ(history.front().back()->gain, -0.3);
  const SearchSpace space{{{"c", {}}}, {{"a", "Conv", {"a"}}}};
  const auto read = parse_history(to_json(history, space), space, "here");
  ASSERT_TRUE(read.ok()) << to_string(read.diagnostics());
  EXPECT_EQ(read->whole.size(), 1u);
  EXPECT_EQ(to_json(*read, space), to_json(history, space));
}

// An early answer is enough to go on with, but not to be declared: the best model has seen all samples.
TEST(Tune, TheBestIsMeasuredOnAllSamples) {
  const std::unique_ptr<HardModel> model = testing::shared_concat();
  TuneConfig config = model->config();
  config.objectives.of = {{Objective::ModelSize, 1}};
  config.exit.max_trials = 8;
  const TuneResult result = tuned(config);
  const Trial& best = *result.history.best();
  EXPECT_FALSE(best.early);
  EXPECT_EQ(best.samples, result.samples);
  const Trial& seen = result.history.trials[static_cast<size_t>(best.number)];
  ASSERT_TRUE(seen.early) << "the test needs a model whose answer comes early";
  EXPECT_LT(seen.samples, best.samples);
  // Going on changes nothing, and measures nothing again.
  const TuneResult again = tuned(config, {.begin = Workspace::Begin::Resume});
  EXPECT_EQ(to_json(again.history, again.space), to_json(result.history, result.space));
}

TEST(History, RefusesWhatIsNone) {
  const SearchSpace space{{{"c", {}}}, {{"a", "Conv", {"a"}}}};
  for (const char* text : {"", "{", "[]", "{\"fingerprint\": 1}", "{\"fingerprint\": \"f\", \"trials\": [{}]}",
                           "{\"fingerprint\": \"f\", \"trials\": [{\"number\": 0, \"configuration\": \"9:1\"}]}"}) {
    const auto history = parse_history(text, space, "history.json");
    ASSERT_FALSE(history.ok()) << text;
    EXPECT_EQ(history.diagnostics()[0].location, "history.json");
  }
}

TEST(Powers, CountWhatBecomesNoNumberButNotWhatWasNone) {
  Powers powers;
  powers.add(Tensor::vector<float>({NAN, 2, INFINITY}), Tensor::vector<float>({1, 1, 0}));
  EXPECT_DOUBLE_EQ(powers.ratio(), 0.25);
  powers.add(Tensor::vector<float>({2}), Tensor::vector<float>({NAN}));
  EXPECT_DOUBLE_EQ(powers.ratio(), 0.75) << "1 + (2 * 2 + 1) to 4 + 4";
}

TEST(Objectives, WeighWhatTheyAreGiven) {
  const Objectives both{{{Objective::Latency, 3}, {Objective::ModelSize, 1}}};
  EXPECT_DOUBLE_EQ(both.improvement({.milliseconds = 1, .size_bytes = 100}, {.milliseconds = 2, .size_bytes = 400}),
                   (3 * 2 + 4) / 4.0);
}

}  // namespace
}  // namespace lapis
