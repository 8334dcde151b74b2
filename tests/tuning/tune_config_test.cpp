#include <gtest/gtest.h>

#include "ir/graph.h"
#include "tuning/search/config.h"
#include "tuning/search/strategy.h"

namespace lapis {
namespace {

const std::string kModel = "model: {path: m.onnx}\n", kEvaluation = "evaluation: {accuracy: {data: eval.yaml}}\n",
                  kTuning = "tuning: {accuracy_criterion: {relative: 0.01}}\n";

std::string findings(const std::string& text) {
  const auto config = parse_tune_config(text, "some/tune.yaml");
  return config.ok() ? "accepted" : to_string(config.diagnostics());
}
void expect_finding(const std::string& text, const std::string& finding) {
  EXPECT_NE(findings(text).find(finding), std::string::npos) << findings(text);
}

TEST(TuneConfig, HasDefaultsForAllButThree) {
  const auto config = parse_tune_config(kModel + kEvaluation + kTuning, "some/tune.yaml");
  ASSERT_TRUE(config.ok()) << to_string(config.diagnostics());
  EXPECT_EQ(config->model, "some/m.onnx");
  EXPECT_EQ(config->data, "some/eval.yaml");
  EXPECT_EQ(config->workspace, "some/lapis_tuning");
  EXPECT_EQ(config->strategy, "pareto");
  EXPECT_EQ(config->criterion.relative, 0.01);
  EXPECT_EQ(config->exit.max_trials, 100);
}

TEST(TuneConfig, SaysAllThatTheFileCan) {
  const auto config = parse_tune_config(R"(
model: {path: /m.onnx, dims: {S: 128}, shapes: {image: [1, 3, 8, 8]}, values: {sr: 9007199254740993}}
device: {target: x86-64+avx2, threads: 2}
quantization:
  approach: static
  calibration: {data: train.yaml, samples: 7}
  candidates:
    - default: {range: {method: minmax}}
    - {share_limit: 3, rules: [{type: Conv, precision: fp32}]}
mixed_precision: {precisions: [fp32, int8]}
tuning:
  strategy: tpe
  accuracy_criterion: {absolute: 0.5, confidence: 0.9, higher_is_better: false}
  objective: {latency: 2, model_size: 1}
  exit_policy: {stop: first_pass, max_trials: 3, timeout: 60}
  random_seed: 5
  sensitivity_samples: 4
  workspace: {path: there}
evaluation:
  accuracy: {data: e.yaml, samples: 10}
  performance: {rounds: 2, round_seconds: 0.5}
)",
                                        "tune.yaml");
  ASSERT_TRUE(config.ok()) << to_string(config.diagnostics());
  EXPECT_EQ(config->shapes.dims.at("S"), 128);
  EXPECT_EQ(config->shapes.shapes.at("image"), (Shape{1, 3, 8, 8}));
  EXPECT_EQ(config->shapes.values.at("sr"), Number(9007199254740993)) << "no double is that";
  EXPECT_EQ(config->calibration_samples, 7);
  ASSERT_EQ(config->candidates.size(), 2u);
  EXPECT_EQ(config->candidates[0].recipe.defaults.range.method, RangeMethod::MinMax);
  EXPECT_EQ(config->candidates[1].recipe.rules.size(), 1u);
  EXPECT_EQ(config->criterion.absolute, 0.5);
  EXPECT_EQ(config->higher_is_better, false);
  EXPECT_TRUE(config->objectives.contain(Objective::ModelSize));
  EXPECT_EQ(config->exit.stop, ExitPolicy::Stop::FirstPass);
  EXPECT_EQ(config->rounds, 2);
}

TEST(TuneConfig, FindingsNameTheLineAndWhatWasMeant) {
  expect_finding(kModel + kEvaluation + "tunning: {}\n",
                 "some/tune.yaml:3: error: unknown key `tunning` in the configuration");
  expect_finding(kModel + kEvaluation + "tunning: {}\n", "did you mean 'tuning'?");
  expect_finding(kEvaluation + kTuning, "no section `model`");
  expect_finding(kModel + kEvaluation + "tuning: {strategy: basic}\n", "no `accuracy_criterion`");
  expect_finding(kModel + kEvaluation + "tuning:\n  strategy: bayes\n  accuracy_criterion: {relative: 0.01}\n",
                 "some/tune.yaml:4: error: there is no strategy 'bayes'");
  expect_finding(kModel + kEvaluation + "tuning: {accuracy_criterion: {relative: 0.01, absolute: 1}}\n",
                 "relative and absolute: which of them?");
  expect_finding(kModel + kEvaluation + "tuning: {accuracy_criterion: {confidence: 0.9}}\n", "says nothing");
  expect_finding(kModel + kEvaluation + "tuning: {accuracy_criterion: {relative: 1}}\n", "a share below 1");
  expect_finding(kModel + kEvaluation + "tuning: {accuracy_criterion: {relative: .nan}}\n",
                 "what may be lost, from 0 on");
  expect_finding(kModel + kEvaluation + "tuning: {accuracy_criterion: {relative: 0.1}, objective: speed}\n",
                 "there is no objective 'speed'");
  expect_finding(kModel + kEvaluation + "tuning: {accuracy_criterion: {relative: 0.1}, objective: {latency: 0}}\n",
                 "a number above 0");
  expect_finding(
      kModel + kEvaluation + "tuning: {accuracy_criterion: {relative: 0.1}, exit_policy: {latency_limit: 2}}\n",
      "leave one of the two out");
  expect_finding(kModel + kEvaluation + "tuning: {accuracy_criterion: {relative: 0.1}, exit_policy: {max_trials: 0}}\n",
                 "`max_trials` must be");
  expect_finding(
      kModel + kEvaluation + "tuning: {accuracy_criterion: {relative: 0.1}, exit_policy: {timeout: 1e300}}\n",
      "`timeout` must be a number of seconds up to 1e9");
  expect_finding("model: {path: m.onnx, values: {sr: fast}}\n" + kEvaluation + kTuning, "got 'fast'");
  expect_finding(kModel + kTuning + "evaluation: {accuracy: {}}\n", "has no `data`");
  expect_finding("[1", "not a valid tuning configuration");
  EXPECT_EQ(findings(kModel + kEvaluation + "tuning: {exit_policy: {latency_limit: 2}}\n"), "accepted");
}

// Recipes inside of the file are checked as recipes are, at their lines.
TEST(TuneConfig, ReadsCandidatesAsRecipes) {
  expect_finding(kModel + kEvaluation + kTuning + "quantization:\n  candidates:\n    - default: {precision: int7}\n",
                 "some/tune.yaml:6: error: there is no precision 'int7'");
  expect_finding(kModel + kEvaluation + kTuning + "quantization: {candidates: []}\n", "must be a list of recipes");
  expect_finding(kModel + kEvaluation + kTuning + "quantization: {candidates: [gone.yaml]}\n", "gone.yaml");
}

// What is pruned stands there as in a recipe, and is refused as there.
TEST(TuneConfig, ReadsWhatIsTriedOnTopOfCandidates) {
  const std::string text = kModel + kEvaluation + kTuning;
  const auto config = parse_tune_config(
      text + "mixed_precision: {precisions: [int8, bf16, fp32]}\n" +
          "pruning:\n  candidates: [{ratio: 0.25, pattern: channel}, {pattern: \"2:4\", compensate: true}]\n",
      "tune.yaml");
  ASSERT_TRUE(config.ok()) << to_string(config.diagnostics());
  EXPECT_TRUE(config->variants.bf16);
  ASSERT_EQ(config->variants.pruned.size(), 2u);
  EXPECT_EQ(config->variants.pruned[0].pattern, sparsity_pattern_from_name("channel"));
  EXPECT_EQ(config->variants.pruned[1].ratio, 0.5);
  EXPECT_TRUE(config->variants.pruned[1].compensate);
  expect_finding(text + "pruning: {target_sparsity: 0.5}\n", "unknown key `target_sparsity`");
  expect_finding(text + "pruning: {}\n", "no list of `candidates`");
  expect_finding(text + "pruning: {candidates: [{ratio: 2}]}\n", "less than 1");
  expect_finding(text + "pruning: {candidates: [{ratio: 0.0}]}\n", "prunes nothing");
  expect_finding(text + "pruning:\n  candidates:\n    - {raito: 0.5}\n", "some/tune.yaml:6");
}

TEST(TuneConfig, KnowsWeightsAlone) {
  const auto config =
      parse_tune_config(kModel + kEvaluation + kTuning + "quantization: {approach: weight_only}\n", "tune.yaml");
  ASSERT_TRUE(config.ok()) << to_string(config.diagnostics());
  ASSERT_EQ(config->candidates.size(), 4u);
  for (const Candidate& c : config->candidates) EXPECT_TRUE(c.recipe.defaults.weights_alone()) << c.name;
}

TEST(TuneConfig, RefusesWhatNothingImplements) {
  expect_finding(kModel + kEvaluation + kTuning + "mixed_precision: {precisions: [int8, fp16, fp32]}\n",
                 "it has no 'fp16'");
}

TEST(TuneConfig, TakesModelsThatWereTrained) {
  const auto config =
      parse_tune_config(kModel + kEvaluation + kTuning + "quantization: {approach: qat}\n", "tune.yaml");
  ASSERT_TRUE(config.ok()) << to_string(config.diagnostics());
  EXPECT_TRUE(config->trained);
  EXPECT_EQ(config->candidates.size(), 2u);
}

TEST(TuneConfig, DiagnosesWhatItIsToldTo) {
  const auto with = [](const std::string& value) {
    return parse_tune_config(
        kModel + kEvaluation + "tuning: {accuracy_criterion: {relative: 0.1}, diagnosis: " + value + "}\n",
        "some/t.yaml");
  };
  EXPECT_FALSE(with("false")->diagnosis.has_value());
  EXPECT_TRUE(with("true")->diagnosis->nodes.empty());
  EXPECT_EQ(with("{nodes: [\"conv_.*\"]}")->diagnosis->nodes, std::vector<std::string>{"conv_.*"});
  for (const auto& [value, said] :
       {std::pair("{nodes: [\"(\"]}", "is no regular expression"), {"{node: [a]}", "did you mean 'nodes'?"}})
    EXPECT_NE(to_string(with(value).diagnostics()).find(said), std::string::npos)
        << to_string(with(value).diagnostics());
}

TEST(TuneConfig, WritesForTensorBoardWhereItIsTold) {
  const auto folder = [](const std::string& value) {
    const auto config = parse_tune_config(
        kModel + kEvaluation + "tuning: {accuracy_criterion: {relative: 0.1}, tensorboard: " + value + "}\n",
        "some/t.yaml");
    return config.ok() ? config->tensorboard.string() : to_string(config.diagnostics());
  };
  EXPECT_EQ(folder("true"), "some/lapis_tuning/tensorboard");
  EXPECT_EQ(folder("false"), "");
  EXPECT_EQ(folder("logs"), "some/logs");
  EXPECT_NE(folder("[]").find("`tensorboard` must be"), std::string::npos) << folder("[]");
}

TEST(TuneConfig, ReadsItsOwnTemplate) {
  Graph graph("net");
  graph.add_input("a: \"b\"", Type::tensor(DType::Float32, Shape{1, 3, 8, 8}));
  const std::string text = tune_config_template(graph, "my model: \"x\".onnx", "e.yaml");
  const auto config = parse_tune_config(text, "tune.yaml");
  ASSERT_TRUE(config.ok()) << text << to_string(config.diagnostics());
  EXPECT_EQ(config->model, "my model: \"x\".onnx");
  // What it shows is what holds without it.
  const auto bare = parse_tune_config(kModel + kEvaluation + kTuning, "tune.yaml");
  EXPECT_EQ(config->strategy, bare->strategy);
  EXPECT_EQ(config->calibration_samples, bare->calibration_samples);
  EXPECT_EQ(config->exit.max_trials, bare->exit.max_trials);
  EXPECT_EQ(config->seed, bare->seed);
  EXPECT_EQ(config->rounds, bare->rounds);
  EXPECT_EQ(config->workspace, bare->workspace);
  for (const std::string& name : strategy_names()) EXPECT_NE(text.find("#   " + name + " "), std::string::npos) << name;
}

}  // namespace
}  // namespace lapis
