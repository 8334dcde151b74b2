// Recipes: whom their rules are about, what wins, and what is refused.
#include "passes/pipeline.h"
#include "tests/passes/quantize_graph.h"

namespace lapis::testing {
namespace {

using By = Selector::By;
using Names = std::vector<std::string>;

struct ThreeConvs : Net {
  ThreeConvs() {
    Value* y = conv(conv(conv(input({1, 3, 6, 6}), 4, 3, "first"), 4, 3, "middle"), 2, 3, "last");
    graph.set_outputs({y});
  }
  Names float_nodes(const Recipe& recipe) const {
    Names names;
    const auto plan = plan_qdq(graph, recipe);
    EXPECT_TRUE(plan.ok()) << to_string(plan.diagnostics());
    for (const NodeDecision& d : plan->decisions)
      if (!d.quantized) names.push_back(d.node + ": " + d.note);
    return names;
  }
  std::string refusal(const Recipe& recipe) const {
    const auto plan = plan_qdq(graph, recipe);
    return plan.ok() ? "accepted" : to_string(plan.diagnostics());
  }
};

Recipe keeping(std::vector<Selector> nodes) {
  Recipe recipe;
  for (Selector& s : nodes) recipe.keep_float(std::move(s));
  return recipe;
}

TEST(Recipe, RulesAreAboutNamesPatternsOperatorsAndEnds) {
  const ThreeConvs net;
  EXPECT_EQ(net.float_nodes({}), Names{});
  EXPECT_EQ(net.float_nodes(keeping({{By::Name, "middle"}})), Names{"middle: excluded by name"});
  EXPECT_EQ(net.float_nodes(keeping({{By::Pattern, "(first|last)"}})),
            (Names{"first: excluded by the pattern '(first|last)'", "last: excluded by the pattern '(first|last)'"}));
  EXPECT_EQ(net.float_nodes(keeping({{By::Type, "Conv"}})).size(), 3u);
  EXPECT_EQ(net.float_nodes(keeping({{By::First}})), Names{"first: it is the first contraction"});
  EXPECT_EQ(net.float_nodes(keeping({{By::Last}})), Names{"last: it is the last contraction"});
}

TEST(Recipe, LaterRulesWinOverEarlierOnesAndRulesOverTheDefault) {
  const ThreeConvs net;
  Recipe recipe;
  recipe.defaults.precision = Precision::Float32;
  EXPECT_EQ(net.float_nodes(recipe)[0], "first: fp32 is the recipe's default");
  recipe.set({By::Pattern, ".*st"}, {.precision = Precision::Int8});
  EXPECT_EQ(net.float_nodes(recipe), Names{"middle: fp32 is the recipe's default"});
  recipe.keep_float({By::Name, "last"});
  EXPECT_EQ(net.float_nodes(recipe).size(), 2u);
  recipe.set({By::Type, "Conv"}, {.precision = Precision::Int8});
  EXPECT_EQ(net.float_nodes(recipe), Names{});
}

TEST(Recipe, NamesPatternsAndOperatorsThatDoNotExistAreReportedTogether) {
  Recipe recipe = keeping({{By::Name, "nowhere"}, {By::Pattern, "a(b"}, {By::Type, "Convv"}, {By::Pattern, "idd"}});
  recipe.rules[0].where = "recipe.yaml:7";
  const std::string text = ThreeConvs().refusal(recipe);
  EXPECT_NE(text.find("recipe.yaml:7: error: there is no node 'nowhere'"), std::string::npos) << text;
  EXPECT_NE(text.find("'a(b' is not a regular expression"), std::string::npos) << text;
  EXPECT_NE(text.find("no node has a name that 'idd' matches as a whole"), std::string::npos) << text;
  EXPECT_NE(text.find("there is no operator 'Convv'"), std::string::npos) << text;
  EXPECT_NE(text.find("did you mean 'Conv'?"), std::string::npos) << text;
}

TEST(Recipe, SchemesThatAnOperatorCannotHoldAreRefusedByName) {
  const ThreeConvs net;
  Recipe recipe;
  recipe.set({By::Name, "middle"}, {.data = {.type = DType::UInt32}});
  std::string text = net.refusal(recipe);
  EXPECT_NE(
      text.find(
          "Conv has no int8 form with data in uint32 asymmetric per tensor and weights in int8 symmetric per channel"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("it has: data in uint8 asymmetric per tensor or int8 asymmetric per tensor or"),
            std::string::npos)
      << text;
  recipe = {};
  recipe.defaults.weights.granularity = Granularity::Block;
  recipe.defaults.weights.block = 32;
  text = net.refusal(recipe);
  EXPECT_NE(text.find("weights in int8 symmetric per block of 32"), std::string::npos) << text;
  EXPECT_EQ(text.find("Conv has", text.find("Conv has") + 1), std::string::npos) << "once for all three: " << text;
  recipe = {};
  recipe.set({By::Name, "middle"}, {.precision = Precision::Float32, .data = {.type = DType::UInt16}});
  EXPECT_EQ(net.refusal(recipe), "accepted") << "what stays fp32 has no scheme";
}

TEST(Recipe, WhatIsAboutQuantizedDataIsRefusedBesideDataThatStaysFloat) {
  const SchemeSettings alone{.type = DType::Float32};
  const NodeSettings all[] = {{.data = alone, .method = RangeMethod::MinMax},
                              {.data = alone, .percentile = 99},
                              {.data = alone, .smooth = Smoothing{0.5}},
                              {.data = alone, .correct_bias = true}};
  for (const NodeSettings& settings : all) {
    Recipe recipe;
    recipe.set({By::Pattern, "m.*"}, settings);
    EXPECT_NE(ThreeConvs().refusal(recipe).find("are about data that becomes integers"), std::string::npos);
  }
  Recipe recipe;
  recipe.defaults.data.type = DType::Float32;
  recipe.defaults.range.method = RangeMethod::MinMax;
  EXPECT_NE(ThreeConvs().refusal(recipe).find("are about data that becomes integers"), std::string::npos);
  recipe.set({By::Type, "Conv"}, {.data = {.type = DType::UInt8}});
  EXPECT_EQ(ThreeConvs().refusal(recipe), "accepted") << "the range is for those";
}

TEST(Recipe, OperatorsThatCannotBeInt8AreRefusedByNameAndLeftAloneByPatterns) {
  Net net;
  Value* y = net.add(ops::Softmax, {net.conv(net.input({1, 3, 6, 6}), 4, 3, "c")}, {}, "s");
  net.graph.set_outputs({y});
  Recipe recipe;
  recipe.set({By::Name, "s"}, {.precision = Precision::Int8});
  auto plan = plan_qdq(net.graph, recipe);
  ASSERT_FALSE(plan.ok());
  EXPECT_NE(to_string(plan.diagnostics()).find("there is no int8 form of Softmax"), std::string::npos);
  recipe.rules[0].nodes = {By::Pattern, ".*"};
  plan = plan_qdq(net.graph, recipe);
  ASSERT_TRUE(plan.ok()) << to_string(plan.diagnostics());
  EXPECT_TRUE(plan->warnings.empty());
}

TEST(Recipe, WhatIsAskedForByNameAndCannotBeHereIsAWarning) {
  Net net;
  Value* c = net.conv(net.input({1, 3, 6, 6}), 4, 3, "c");
  net.graph.set_outputs({net.add(ops::Relu, {c}, {}, "r")});
  Recipe recipe;
  recipe.set({By::Name, "r"}, {.precision = Precision::Int8});
  const QuantizeReport report = net.quantize(recipe);
  EXPECT_EQ(
      to_string(report.warnings),
      "node 'r' (Relu): warning: the recipe asks for int8, but it stays fp32: nothing behind it computes in int8\n");
}

TEST(Recipe, SettingsOfWeightsNeedWeights) {
  Net net;
  Value* c = net.add(ops::Relu, {net.conv(net.input({1, 3, 6, 6}), 4)}, {}, "r");
  net.graph.set_outputs({net.conv(c, 2)});
  Recipe recipe;
  recipe.set({By::Type, "Relu"}, {.weights = {.granularity = Granularity::Tensor}});
  const auto plan = plan_qdq(net.graph, recipe);
  ASSERT_FALSE(plan.ok());
  EXPECT_NE(to_string(plan.diagnostics()).find("Relu has no weights that are quantized"), std::string::npos);
}

TEST(Recipe, GranularityIsSetNodeByNode) {
  ThreeConvs net;
  Recipe recipe;
  recipe.set({By::Name, "middle"}, {.weights = {.granularity = Granularity::Tensor}});
  net.quantize(recipe);
  const auto scales = [&](const char* name) {
    return net.graph.find_value(name)->producer()->input(1)->producer()->input(1)->constant().rank();
  };
  EXPECT_EQ(scales("middle"), 0);
  EXPECT_EQ(scales("first"), 1);
}

TEST(Recipe, APercentileIsThatMethod) {
  const RangeOptions range = NodeSettings{.percentile = 90}.applied_to(RangeOptions{RangeMethod::MinMax});
  EXPECT_EQ(range, (RangeOptions{RangeMethod::Percentile, 90}));
  const RangeOptions other =
      NodeSettings{.method = RangeMethod::MinMax}.applied_to(RangeOptions{RangeMethod::Percentile});
  EXPECT_EQ(other.method, RangeMethod::MinMax);
}

TEST(Recipe, RangesAreFoundNodeByNodeButOneValueHasOne) {
  Net net;
  Value* x = net.input({1, 3, 6, 6});
  net.graph.set_outputs({net.conv(x, 2, 3, "a"), net.conv(x, 2, 3, "b")});
  Recipe recipe;
  const NodeSettings narrow{.method = RangeMethod::Percentile, .percentile = 60};
  recipe.set({By::Name, "a"}, narrow);
  const auto plan = plan_qdq(net.graph, recipe);
  ASSERT_FALSE(plan.ok());
  EXPECT_NE(to_string(plan.diagnostics())
                .find("value 'x': error: 'a' and 'b' take its bytes, but the recipe wants different ranges for them"),
            std::string::npos)
      << to_string(plan.diagnostics());
  recipe.set({By::Name, "b"}, narrow);
  const Range range = quantized_value(net.quantize(recipe), "x").range;
  EXPECT_LT(range.high - range.low, 2);  // of a standard normal distribution
}

TEST(Recipe, ACalibrationOfEverythingServesEveryRecipe) {
  const ThreeConvs net;
  auto c = calibrate(net.graph, values_to_calibrate(net.graph), *reference_evaluator(), samples_of({net.feeds()}));
  ASSERT_TRUE(c.ok());
  for (const char* name : {"first", "middle", "last"}) {
    const auto graph = net.graph.clone();
    EXPECT_TRUE(quantize_static(*graph, *c, {.recipe = keeping({{By::Name, name}})}).ok()) << name;
  }
}

TEST(Recipe, TheReportHasTheRecipeThatDoesTheSameAgain) {
  ThreeConvs net, again;
  Recipe recipe = keeping({{By::Type, "Relu"}, {By::Last}});
  recipe.set({By::Name, "first"}, {.weights = {.granularity = Granularity::Tensor}});
  const QuantizeReport report = net.quantize(recipe);
  EXPECT_EQ(to_yaml(report.recipe, {{"last", "kept"}}), R"(recipe: 1
share_limit: 8
default:
  precision: int8
  data: {type: uint8, symmetric: false, granularity: tensor}
  weights: {type: int8, symmetric: true, granularity: channel}
  range: {method: minmax}
  algorithm: round
rules:
  - {node: first, weights: {granularity: tensor}}
  - {node: first, precision: int8}
  - {node: middle, precision: int8}
  - {node: last, precision: fp32}  # kept
)");
  again.quantize(report.recipe);
  EXPECT_EQ(expression(net.graph.outputs()[0]), expression(again.graph.outputs()[0]));
}

TEST(Recipe, TheyPrintAnyNameAndNumber) {
  Recipe recipe = keeping({{By::Name, "a: \"b\" # \n"}, {By::Pattern, "x[0-9]+"}, {By::Name, "no"}, {By::First}});
  recipe.share_limit = 2.5;
  recipe.rules[3].settings = {.percentile = 99.99, .algorithm = WeightAlgorithm::Round};
  const std::string text = to_yaml(recipe);
  EXPECT_NE(text.find("share_limit: 2.5\n"), std::string::npos) << text;
  EXPECT_NE(text.find(R"(- {node: "a: \"b\" # \x0A", precision: fp32})"), std::string::npos) << text;
  EXPECT_NE(text.find(R"(- {pattern: "x[0-9]+", precision: fp32})"), std::string::npos) << text;
  EXPECT_NE(text.find(R"(- {node: "no", precision: fp32})"), std::string::npos) << text;
  EXPECT_NE(text.find("- {contraction: first, range: {percentile: 99.99}, algorithm: round}"), std::string::npos)
      << text;
}

// ---- the pass -------------------------------------------------------------------------------------------------------

TEST(QuantizePass, TakesWhatItNeedsFromTheContext) {
  ThreeConvs net;
  const auto evaluator = reference_evaluator();
  PassContext context;
  context.recipe = std::make_shared<Recipe>(keeping({{By::Name, "last"}}));
  context.evaluator = evaluator.get();
  context.samples = samples_of({net.feeds(1), net.feeds(2), net.feeds(3)});
  int64_t seen = 0;
  size_t quantized = 0;
  context.progress = [&](int64_t done, int64_t) { seen = done; };
  context.quantized = [&](const QuantizeReport& report) { quantized = report.quantized_count(); };
  const auto reports = PassRunner({}).run(net.graph, *parse_pipeline("simplify,quantize{samples=2}"), context);
  ASSERT_TRUE(reports.ok()) << to_string(reports.diagnostics());
  EXPECT_EQ(seen, 2);
  EXPECT_EQ(quantized, 2u);
  EXPECT_EQ(expression(net.graph.outputs()[0]), "Conv(Conv(DQ(Q(Conv(DQ(Q(x)))))))");
}

TEST(QuantizePass, SaysWhatItLacks) {
  ThreeConvs net;
  PassContext context;
  const auto reports = PassRunner({}).run(net.graph, *parse_pipeline("quantize"), context);
  ASSERT_FALSE(reports.ok());
  EXPECT_NE(to_string(reports.diagnostics()).find("needs samples to calibrate with"), std::string::npos);
}

}  // namespace
}  // namespace lapis::testing
