// Recipes as files: what is read, what is refused and where, and what comes of a model.
//
// Every tests/text/recipe/*.onnxtxt: a recipe in comments, a graph,
// and the graph that quantizing by the recipe must give.
//
//   # why this must be so
//   # ---- recipe
//   # recipe: 1
//   <ir_version: 10, opset_import: ["" : 21]>
//   g (float[1,4] x) => (float[1,2] y) { ... }
//   # ---- expect
//   ...                                            canonical names, so that whole graphs compare
//
// LAPIS_BLESS=1 writes what came out as the new expectation.
#include "tuning/recipe.h"

#include <gtest/gtest.h>

#include "passes/pipeline.h"
#include "passes/quantize/quantize.h"
#include "tests/tuning/recipe_case.h"

namespace lapis {
namespace {

std::string findings(const std::string& text) {
  const auto recipe = parse_recipe(text, "r.yaml");
  return recipe.ok() ? "accepted" : to_string(recipe.diagnostics());
}
void expect_finding(const std::string& text, const std::string& finding) {
  EXPECT_NE(findings(text).find(finding), std::string::npos) << findings(text);
}

TEST(RecipeFile, SaysAllThatARecipeCan) {
  const auto recipe = parse_recipe(R"(
recipe: 1
share_limit: 3
for: onnxruntime
default:
  precision: int8
  data: {type: uint8, symmetric: false, granularity: tensor}
  weights: {type: int8, symmetric: true, granularity: channel}
  range: {method: percentile, percentile: 99.9}
  algorithm: round
rules:
  - {contraction: first, precision: fp32}
  - {type: Conv, weights: {granularity: tensor}}
  - {pattern: "encoder/.*", range: {method: minmax}}
  - node: "a b"
    data: {block: 16}
  - {type: MatMul, smooth: auto, correct_bias: true, algorithm: gptq}
  - {type: Gemm, smooth: 0.75, correct_bias: false}
  - {type: Conv, sparsity: {ratio: 0.5, pattern: "2:4", compensate: true}, floats: bf16}
  - {node: b, precision: bf16, sparsity: {scope: global}}
  - {type: Gemm, smooth: [0.25, 0.5], correct_weights: true, algorithm: adaround}
)",
                                   "r.yaml");
  ASSERT_TRUE(recipe.ok()) << to_string(recipe.diagnostics());
  EXPECT_EQ(recipe->share_limit, 3);
  EXPECT_EQ(recipe->defaults.range, (RangeOptions{RangeMethod::Percentile, 99.9}));
  ASSERT_EQ(recipe->rules.size(), 9u);
  EXPECT_EQ(recipe->runtime, Runtime::OnnxRuntime);
  EXPECT_EQ(recipe->rules[0].nodes.by, Selector::By::First);
  EXPECT_EQ(recipe->rules[0].settings.precision, Precision::Float32);
  EXPECT_EQ(recipe->rules[1].settings.weights.granularity, Granularity::Tensor);
  EXPECT_EQ(recipe->rules[2].settings.method, RangeMethod::MinMax);
  EXPECT_EQ(recipe->rules[2].where, "r.yaml:14");
  EXPECT_EQ(recipe->rules[3].nodes.text, "a b");
  EXPECT_EQ(recipe->rules[3].settings.data.block, 16);
  EXPECT_EQ(recipe->rules[4].settings.smooth, (Smoothing{0, true}));
  EXPECT_EQ(recipe->rules[4].settings.correct_bias, true);
  EXPECT_EQ(recipe->rules[4].settings.algorithm, WeightAlgorithm::Gptq);
  EXPECT_EQ(recipe->rules[5].settings.smooth, Smoothing{0.75});
  EXPECT_EQ(recipe->rules[6].settings.sparsity.pattern, sparsity_pattern_from_name("2:4"));
  EXPECT_EQ(recipe->rules[6].settings.sparsity.ratio, 0.5);
  EXPECT_EQ(recipe->rules[6].settings.sparsity.compensate, true);
  EXPECT_EQ(recipe->rules[6].settings.floats, DType::BFloat16);
  EXPECT_EQ(recipe->rules[7].settings.floats, DType::BFloat16);
  EXPECT_EQ(recipe->rules[7].settings.precision, Precision::Float32);
  EXPECT_EQ(recipe->rules[7].settings.sparsity.scope, SparsityScope::Global);
  EXPECT_EQ(recipe->rules[8].settings.smooth, (Smoothing{0, true, {0.25, 0.5}}));
  EXPECT_EQ(recipe->rules[8].settings.correct_weights, true);
  EXPECT_EQ(recipe->rules[8].settings.algorithm, WeightAlgorithm::AdaRound);
}

TEST(RecipeFile, ReadsBackWhatIsPrinted) {
  Recipe recipe;
  recipe.share_limit = 2.5;
  recipe.defaults.range = {RangeMethod::Percentile, 99.99};
  recipe.keep_float({Selector::By::Name, "a: \"b\" # \n\\"});
  recipe.keep_float({Selector::By::Name, "1e5"});
  recipe.set({Selector::By::Pattern, "x[0-9]+"}, {.weights = {.granularity = Granularity::Tensor}, .percentile = 77});
  recipe.set({Selector::By::Last}, {.precision = Precision::Int8, .algorithm = WeightAlgorithm::Round});
  recipe.set({Selector::By::First}, {.smooth = Smoothing{0.3}, .equalize = true, .correct_bias = false});
  recipe.set({Selector::By::First}, {.smooth = Smoothing{}});
  recipe.set({Selector::By::First},
             {.floats = DType::BFloat16, .sparsity = {.ratio = 0.25, .scope = SparsityScope::Channel}});
  recipe.defaults.floats = DType::BFloat16;
  recipe.defaults.sparsity = SparsitySettings{{}, sparsity_pattern_from_name("1:4"), {}, true}.applied_to({});
  recipe.defaults.smooth = Smoothing{0, true};
  recipe.defaults.equalize = true;
  recipe.defaults.correct_bias = true;
  recipe.defaults.correct_weights = true;
  recipe.defaults.algorithm = WeightAlgorithm::AdaRound;
  recipe.runtime = Runtime::OpenVino;
  recipe.set({Selector::By::Last}, {.smooth = Smoothing{0, true, {0.1, 0.9}}, .correct_weights = false});
  const std::string text = to_yaml(recipe, {{"1e5", "# why: \n not"}});
  const auto read = parse_recipe(text, "r.yaml");
  ASSERT_TRUE(read.ok()) << text << to_string(read.diagnostics());
  EXPECT_EQ(to_yaml(*read), to_yaml(recipe));
  EXPECT_EQ(read->defaults, recipe.defaults);
  EXPECT_EQ(read->rules[0].nodes.text, recipe.rules[0].nodes.text);
}

TEST(RecipeFile, FindingsNameTheLineAndWhatWasMeant) {
  expect_finding("recipe: 1\ndefaults: {}\n", "r.yaml:2: error: unknown key `defaults` in the recipe");
  expect_finding("recipe: 1\ndefaults: {}\n", "did you mean 'default'?");
  expect_finding("share_limit: 2\n", "does not begin with `recipe: 1`");
  expect_finding("recipe: 2\n", "recipes of version 2 are not known");
  expect_finding("recipe: 1\nshare_limit: .nan\n", "`share_limit` must be 1 or more");
  expect_finding("recipe: 1\ndefault: {precision: fp16}\n", "r.yaml:2: error: there is no precision 'fp16'");
  expect_finding("recipe: 1\ndefault: {precision: fp16}\n", "known are fp32, int8, bf16");
  expect_finding("recipe: 1\ndefault: {precision: bf16, floats: fp32}\n", "contradict each other");
  expect_finding("recipe: 1\ndefault: {floats: int8}\n", "there is no floats 'int8'");
  expect_finding("recipe: 1\ndefault:\n  sparsity: {ratio: 1}\n",
                 "r.yaml:3: error: `ratio` must be 0 or more and less than 1");
  expect_finding("recipe: 1\ndefault: {sparsity: {pattern: 4:2}}\n", "there is no pattern '4:2'");
  expect_finding("recipe: 1\ndefault: {sparsity: {scope: layer}}\n", "there is no scope 'layer'");
  expect_finding("recipe: 1\ndefault: {sparsity: {patern: 2x2}}\n", "did you mean 'pattern'?");
  expect_finding("recipe: 1\ndefault: {algorithm: gtpq}\n", "there is no algorithm 'gtpq'");
  expect_finding("recipe: 1\ndefault: {weights: {type: int9}}\n", "there is no type 'int9'");
  expect_finding("recipe: 1\ndefault: {weights: {granularity: row}}\n", "there is no granularity 'row'");
  expect_finding("recipe: 1\ndefault: {range: {method: kl}}\n",
                 "known are minmax, percentile, moving_average, entropy, mse, dynamic");
  expect_finding("recipe: 1\ndefault: {range: {percentile: 10}}\n", "`percentile` must lie between 50 and 100");
  expect_finding("recipe: 1\ndefault: {range: {method: minmax, percentile: 99}}\n", "minmax has none");
  expect_finding("recipe: 1\ndefault: {range: {method: mse, percentile: 99}}\n",
                 "for the method percentile; mse has none");
  expect_finding("recipe: 1\ndefault: {smooth: 2}\n", "`smooth` must lie between 0 and 1");
  expect_finding("recipe: 1\ndefault: {smooth: much}\n", "`smooth` must be off, auto or a number");
  expect_finding("recipe: 1\ndefault: {smooth: [0.5, 2]}\n", "`smooth` lists numbers between 0 and 1");
  expect_finding("recipe: 1\ndefault: {smooth: []}\n", "`smooth` lists nothing to try");
  expect_finding("recipe: 1\nfor: tensorrt\n", "known are lapis, onnxruntime, openvino");
  expect_finding("recipe: 1\ndefault: {correct_bias: 1.5}\n", "`correct_bias` must be true or false");
  expect_finding("recipe: 1\nrules: {type: Conv}\n", "`rules` must be a list");
  expect_finding("recipe: 1\nrules:\n  - {precision: fp32}\n", "r.yaml:3: error: the rule names no nodes");
  expect_finding("recipe: 1\nrules:\n  - {node: a, type: Conv, precision: fp32}\n",
                 "has node and type: which of them?");
  expect_finding("recipe: 1\nrules:\n  - {node: a}\n", "the rule sets nothing");
  expect_finding("recipe: 1\nrules:\n  - {contraction: middle, precision: fp32}\n", "`contraction` is first or last");
  expect_finding("recipe: 1\nrules:\n  - {node: a, precison: fp32}\n", "unknown key `precison` in a rule");
  expect_finding("recipe: 1\nrules:\n  - {node: a, precision: fp32, precision: int8}\n", "`precision` stands twice");
  expect_finding("recipe: [1\n", "not a valid recipe");
  expect_finding("- a\n", "the recipe must have keys");
  EXPECT_EQ(findings("recipe: 1\n"), "accepted");
}

// ---- texts ----------------------------------------------------------------------------------------------------------

// From -1 to 1 and from -2 to 2, so that ranges are simple.
SampleSource ramps(const Graph& graph) {
  std::vector<Feeds> samples(2);
  for (size_t s = 0; s < samples.size(); ++s)
    for (const Value* input : graph.inputs()) {
      Tensor t(DType::Float32, input->type().shape());
      const auto last = static_cast<float>(std::max<int64_t>(t.size() - 1, 1));
      for (int64_t i = 0; i < t.size(); ++i)
        t.mutable_data<float>()[static_cast<size_t>(i)] =
            static_cast<float>(s + 1) * (2 * static_cast<float>(i) / last - 1);
      samples[s][input->name()] = t;
    }
  return samples_of(std::move(samples));
}

class RecipeText : public ::testing::TestWithParam<Path> {};

TEST_P(RecipeText, GivesTheExpectedGraph) {
  const RecipeCase c = read_recipe_case(GetParam());
  auto graph = parse_onnx_text(c.input, GetParam().filename().string());
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  auto recipe = parse_recipe(c.recipe, GetParam());
  ASSERT_TRUE(recipe.ok()) << to_string(recipe.diagnostics());
  const auto evaluator = reference_evaluator();
  PassContext context;
  Recipe done;
  context.recipe = std::make_shared<Recipe>(*std::move(recipe));
  context.evaluator = evaluator.get();
  context.quantized = [&](const QuantizeReport& report) { done = report.recipe; };
  std::string results[2];  // by the recipe, then by what was done by it
  for (std::string& result : results) {
    const auto own = (*graph)->clone();
    context.samples = ramps(*own);
    const auto reports = PassRunner({}).run(*own, *parse_pipeline("quantize"), context);
    ASSERT_TRUE(reports.ok()) << to_string(reports.diagnostics());
    result = canonical(*own);
    auto again = parse_recipe(to_yaml(done), "done.yaml");
    ASSERT_TRUE(again.ok()) << to_yaml(done) << to_string(again.diagnostics());
    context.recipe = std::make_shared<Recipe>(*std::move(again));
  }
  EXPECT_EQ(results[0], results[1]);
  expect_text(GetParam(), c, results[0]);
}

INSTANTIATE_TEST_SUITE_P(Files, RecipeText, ::testing::ValuesIn(recipe_cases("recipe")),
                         [](const auto& info) { return info.param.stem().string(); });

}  // namespace
}  // namespace lapis
