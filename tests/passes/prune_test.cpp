// Pruning: masks, what compensation gains, and which channels leave.
#include "passes/prune/prune.h"

#include <array>
#include <random>

#include "passes/prune/channel_map.h"
#include "passes/prune/compensate.h"
#include "tests/passes/quantize_graph.h"

namespace lapis::testing {
namespace {

Sparsity sparsity(const std::string& pattern, double ratio = 0.5, SparsityScope scope = SparsityScope::Tensor) {
  return SparsitySettings{ratio, sparsity_pattern_from_name(pattern), scope, {}}.applied_to({});
}
Recipe recipe_of(Sparsity s, bool compensate = false) {
  s.compensate = compensate;
  Recipe recipe;
  recipe.defaults.sparsity = s;
  return recipe;
}

// ---- words ----------------------------------------------------------------------------------------------------------

TEST(SparsityNames, ReadAndPrint) {
  for (const char* name : {"unstructured", "2:4", "1:8", "4x1", "16x4", "channel"}) {
    const auto pattern = sparsity_pattern_from_name(name);
    ASSERT_TRUE(pattern.has_value()) << name;
    EXPECT_EQ(name_of(*pattern), name);
  }
  for (const char* name : {"", "4:2", "4:4", "0:4", "0x1", "x", "4x", "4x1x1", "65x1", "-1x2", "channels"})
    EXPECT_FALSE(sparsity_pattern_from_name(name).has_value()) << name;
}

TEST(SparsitySettings, APatternOfGroupsSaysHowMuch) {
  const Sparsity s = SparsitySettings{{}, sparsity_pattern_from_name("1:4"), {}, {}}.applied_to({});
  EXPECT_EQ(s.ratio, 0.75);
  EXPECT_FALSE(s.problem().has_value());
  EXPECT_TRUE(sparsity("2:4", 0.3).problem().has_value());
  EXPECT_TRUE(sparsity("2:4", 0.5, SparsityScope::Global).problem().has_value());
  EXPECT_TRUE(sparsity("4x1", 0.5, SparsityScope::Channel).problem().has_value());
  EXPECT_TRUE(sparsity("channel", 0.5, SparsityScope::Lamp).problem().has_value());
  EXPECT_TRUE(sparsity("unstructured", 1).problem().has_value());
  EXPECT_FALSE(sparsity("unstructured", 0.3, SparsityScope::Channel).problem().has_value());
}

// ---- masks ----------------------------------------------------------------------------------------------------------

TEST(Mask, OfATensorAndOfEachChannel) {
  const Worths w{2, 4, {1, 2, 3, 4, 5, 6, 7, 8}};
  EXPECT_EQ(choose_mask(w, sparsity("unstructured")), (Mask{1, 1, 1, 1, 0, 0, 0, 0}));
  EXPECT_EQ(choose_mask(w, sparsity("unstructured", 0.5, SparsityScope::Channel)), (Mask{1, 1, 0, 0, 1, 1, 0, 0}));
  EXPECT_EQ(choose_mask(w, sparsity("unstructured", 0.25)), (Mask{1, 1, 0, 0, 0, 0, 0, 0}));
}

TEST(Mask, OfGroupsAndBlocks) {
  EXPECT_EQ(choose_mask({1, 8, {4, 1, 3, 2, 1, 1, 1, 1}}, sparsity("2:4")), (Mask{0, 1, 0, 1, 1, 1, 0, 0}));
  // Blocks of two rows; the last row is a block of its own.
  EXPECT_EQ(choose_mask({3, 2, {9, 1, 0, 2, 3, 8}}, sparsity("2x1")), (Mask{0, 1, 0, 1, 1, 0}));
  EXPECT_EQ(choose_mask({2, 4, {1, 1, 5, 5, 1, 1, 5, 5}}, sparsity("2x2")), (Mask{1, 1, 0, 0, 1, 1, 0, 0}));
}

TEST(Mask, AmongAllTensorsButNeverAllOfOne) {
  const std::vector<Worths> worths = {{1, 4, {1, 2, 3, 4}}, {1, 4, {10, 20, 30, 40}}};
  const auto masks = choose_masks(worths, sparsity("unstructured", 0.5, SparsityScope::Global));
  EXPECT_EQ(masks[0], (Mask{1, 1, 1, 0}));
  EXPECT_EQ(masks[1], (Mask{1, 0, 0, 0}));
}

// Of a matrix of small weights as much as of the same one in large numbers, and less of one whose weights are few.
TEST(Mask, ByLayerAdaptiveMagnitudes) {
  const std::vector<Worths> worths = {
      {1, 8, {1, 2, 3, 4, 5, 6, 7, 8}}, {1, 8, {80, 70, 60, 50, 40, 30, 20, 10}}, {1, 2, {1, 1}}};
  const auto masks = choose_masks(worths, sparsity("unstructured", 8.0 / 18, SparsityScope::Lamp));
  EXPECT_EQ(masks[0], (Mask{1, 1, 1, 1, 0, 0, 0, 0}));
  EXPECT_EQ(masks[1], (Mask{0, 0, 0, 0, 1, 1, 1, 1}));
  EXPECT_EQ(masks[2], (Mask{0, 0})) << "each is half of all there is, or all";
}

// ---- compensation ---------------------------------------------------------------------------------------------------

// Of inputs that follow eight factors, and a little of their own.
Moments correlated(size_t n, unsigned seed) {
  constexpr size_t kFactors = 8;
  const Tensor factors = random_tensor({static_cast<int64_t>(n), kFactors}, seed);
  Moments h(n * n, 0);
  for (size_t i = 0; i < n; ++i) {
    h[i * n + i] = 1;
    for (size_t j = 0; j < n; ++j)
      for (size_t k = 0; k < kFactors; ++k)
        h[i * n + j] += double{factors.data<float>()[i * kFactors + k]} * factors.data<float>()[j * kFactors + k];
  }
  return h;
}

double lost(const std::vector<double>& before, const std::vector<double>& after, const Moments& h, size_t n) {
  double error = 0;
  for (size_t r = 0; r < before.size(); r += n)
    for (size_t i = 0; i < n; ++i)
      for (size_t j = 0; j < n; ++j)
        error += (before[r + i] - after[r + i]) * h[i * n + j] * (before[r + j] - after[r + j]);
  return error;
}

TEST(Compensation, LosesLessOfTheResultsInEveryPattern) {
  const size_t n = 32;
  const Moments h = correlated(n, 2);
  const Tensor w = random_tensor({16, 32}, 1);
  for (const char* pattern : {"unstructured", "2:4", "4x1", "16x4"}) {
    const Rows before{{w.data<float>().begin(), w.data<float>().end()}, {}};
    Worths sizes{16, 32, before.weights};
    for (double& v : sizes.values) v = std::abs(v);
    const Mask plain = choose_mask(sizes, sparsity(pattern));
    Rows zeroed = before, adjusted = before;
    for (size_t i = 0; i < plain.size(); ++i)
      if (plain[i]) zeroed.weights[i] = 0;
    const Mask mask = prune_group(adjusted, {h, nullptr, static_cast<int64_t>(n)}, sparsity(pattern));
    EXPECT_EQ(std::count(mask.begin(), mask.end(), 1), std::count(plain.begin(), plain.end(), 1)) << pattern;
    for (size_t i = 0; i < mask.size(); ++i) EXPECT_EQ(adjusted.weights[i] == 0, mask[i] == 1) << i;
    EXPECT_LT(lost(before.weights, adjusted.weights, h, n), 0.7 * lost(before.weights, zeroed.weights, h, n))
        << pattern;
  }
}

// Of two inputs and a bias: w x + v y + b with y gone is the least squares fit by x and 1.
TEST(Compensation, OfInputsThatLeaveIsTheLeastSquaresFit) {
  const double xx = 5, xy = 3, yy = 4, x1 = 1, y1 = 2, n = 8;
  Moments h = {xx, xy, x1, xy, yy, y1, x1, y1, n};
  for (double& sum : h) sum *= 100;
  Rows rows{{2, 3}, {0.5}};
  remove_inputs(rows, {h, nullptr, 3}, {0, 1});
  const double determinant = xx * n - x1 * x1;
  EXPECT_EQ(rows.weights[1], 0);
  EXPECT_NEAR(rows.weights[0], 2 + 3 * (xy * n - y1 * x1) / determinant, 0.05);
  EXPECT_NEAR(rows.bias[0], 0.5 + 3 * (xx * y1 - x1 * xy) / determinant, 0.05);
}

// Sums of products of so many rows of 96 inputs, which follow eight factors and are half noise, and a 1.
Moments seen_of(const std::vector<float>& factors, int rows, std::mt19937& random) {
  constexpr size_t kFactors = 8, kSize = 97;
  std::normal_distribution<float> normal;
  Moments h(kSize * kSize, 0);
  for (int row = 0; row < rows; ++row) {
    std::array<float, kFactors> f;
    std::array<double, kSize> x;
    for (float& value : f) value = normal(random);
    for (size_t i = 0; i + 1 < kSize; ++i) {
      x[i] = 0.5 + normal(random);
      for (size_t k = 0; k < kFactors; ++k) x[i] += double{factors[i * kFactors + k]} * f[k];
    }
    x.back() = 1;
    for (size_t i = 0; i < kSize; ++i)
      for (size_t j = 0; j < kSize; ++j) h[i * kSize + j] += x[i] * x[j];
  }
  return h;
}

// What fits the rows that were seen is not what fits others.
TEST(Compensation, OfFewRowsHoldsForOthers) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  double adjusted = 0, zeroed = 0;
  for (int round = 0; round < 4; ++round) {
    std::vector<float> factors(96 * 8);
    for (float& f : factors) f = normal(random);
    const Moments seen = seen_of(factors, 48, random), others = seen_of(factors, 2000, random);
    Rows rows{std::vector<double>(size_t{16} * 96), std::vector<double>(16)};
    for (double& w : rows.weights) w = normal(random);
    const Rows before = rows;
    Worths sizes{16, 96, before.weights};
    for (double& v : sizes.values) v = std::abs(v);
    const Mask plain = choose_mask(sizes, sparsity("unstructured"));
    Rows without = before;
    for (size_t i = 0; i < plain.size(); ++i)
      if (plain[i]) without.weights[i] = 0;
    prune_group(rows, {seen, nullptr, 97}, sparsity("unstructured"));
    const auto joined = [](const Rows& r) {
      std::vector<double> all;
      for (size_t i = 0; i < 16; ++i) {
        all.insert(all.end(), r.weights.begin() + static_cast<std::ptrdiff_t>(i) * 96,
                   r.weights.begin() + static_cast<std::ptrdiff_t>(i + 1) * 96);
        all.push_back(r.bias[i]);
      }
      return all;
    };
    adjusted += lost(joined(before), joined(rows), others, 97);
    zeroed += lost(joined(before), joined(without), others, 97);
  }
  EXPECT_LT(adjusted, 0.4 * zeroed);
}

// Inputs that have become twice as large since: half of the weights makes the same of them.
// The damping keeps a tenth of the way.
TEST(Compensation, FollowsInputsThatHaveChanged) {
  const Moments now = {4, 0, 0, 4}, from = {2, 0, 0, 2};
  Rows rows{{3, -1}, {}};
  prune_group(rows, {now, &from, 2}, sparsity("unstructured"), Mask{0, 1});
  EXPECT_NEAR(rows.weights[0], 3 * 2.4 / 4.4, 0.01);
  EXPECT_EQ(rows.weights[1], 0);
}

double quality(const Net& before, const Net& after) {
  return sqnr((*evaluate(before.graph, before.feeds(7)))[0], (*evaluate(after.graph, before.feeds(7)))[0]);
}

struct Layers : Net {
  Layers() {
    Value* x = input({4, 8, 9, 9});
    Value* h = add(ops::Relu, {conv(x, 16)});
    h = add(
        ops::Relu,
        {add(ops::Conv, {h, constant(random_tensor({16, 4, 3, 3}, 5, 0.2f))},
             {{"group", int64_t{4}}, {"strides", std::vector<int64_t>{2, 2}}, {"pads", std::vector<int64_t>(4, 1)}})});
    h = add(ops::Relu, {conv(h, 12, 1)});
    h = add(ops::Flatten, {add(ops::GlobalAveragePool, {h})});
    graph.set_outputs({add(ops::MatMul, {h, constant(random_tensor({12, 5}, 9))}, {}, "y")});
  }
};

// Kernels, strides, pads, groups and products: the moments must be those of what each node reads.
TEST(Compensation, OfAModelIsBetterOnTheDataThatItSaw) {
  for (const char* pattern : {"unstructured", "2:4", "4x1"}) {
    double qualities[2];
    for (const bool compensate : {false, true}) {
      Layers net, original;
      const auto report = prune(net.graph, {.recipe = recipe_of(sparsity(pattern), compensate)},
                                reference_evaluator().get(), samples_of({original.feeds(7), original.feeds(8)}));
      ASSERT_TRUE(report.ok()) << to_string(report.diagnostics());
      EXPECT_TRUE(verify(net.graph).empty());
      qualities[compensate] = quality(original, net);
    }
    EXPECT_GT(qualities[1], qualities[0] + 3) << pattern;
  }
}

TEST(Compensation, IsThereForConvolutionsThatPadByThemselves) {
  double qualities[2];
  for (const bool compensate : {false, true}) {
    Net net, original;
    for (Net* n : {&net, &original}) {
      Value* related = n->conv(n->input({2, 3, 9, 9}), 8, 1);  // channels that know of each other
      n->graph.set_outputs(
          {n->add(ops::Conv, {related, n->constant(random_tensor({16, 8, 3, 3}, 5))},
                  {{"auto_pad", std::string("SAME_UPPER")}, {"strides", std::vector<int64_t>{2, 2}}})});
    }
    const auto report = prune(net.graph, {.recipe = recipe_of(sparsity("2:4"), compensate)},
                              reference_evaluator().get(), samples_of({original.feeds(7), original.feeds(8)}));
    ASSERT_TRUE(report.ok()) << to_string(report.diagnostics());
    EXPECT_EQ(report->weights[1].note, "");
    qualities[compensate] = quality(original, net);
  }
  EXPECT_GT(qualities[1], qualities[0] + 5);
}

// How much each tensor loses is settled before, which of its weights on the way.
TEST(Compensation, TakesTheSharesOfLayerAdaptiveMagnitudes) {
  const Sparsity lamp = sparsity("unstructured", 0.8, SparsityScope::Lamp);
  std::vector<int64_t> zeros[2];
  double qualities[2];
  for (const bool compensate : {false, true}) {
    Layers net, original;
    const auto report = prune(net.graph, {.recipe = recipe_of(lamp, compensate)}, reference_evaluator().get(),
                              samples_of({original.feeds(7), original.feeds(8)}));
    ASSERT_TRUE(report.ok()) << to_string(report.diagnostics());
    for (const PrunedWeights& w : report->weights) zeros[compensate].push_back(w.zeros);
    qualities[compensate] = quality(original, net);
  }
  EXPECT_EQ(zeros[0], zeros[1]);
  EXPECT_GT(qualities[1], qualities[0] + 3);
}

TEST(Compensation, NeedsSamples) {
  Layers net;
  const auto report = prune(net.graph, {.recipe = recipe_of(sparsity("2:4"), true)});
  ASSERT_FALSE(report.ok());
  EXPECT_NE(to_string(report.diagnostics()).find("`compensate` needs samples"), std::string::npos);
}

TEST(Prune, GivesTheSparsityThatWasAskedFor) {
  for (const SparsityScope scope :
       {SparsityScope::Tensor, SparsityScope::Channel, SparsityScope::Global, SparsityScope::Lamp}) {
    Layers net;
    const auto report = prune(net.graph, {.recipe = recipe_of(sparsity("unstructured", 0.5, scope))});
    ASSERT_TRUE(report.ok()) << to_string(report.diagnostics());
    EXPECT_NEAR(report->sparsity(), 0.5, 0.02) << name_of(scope);
    EXPECT_EQ(report->weights.size(), 4u);
  }
}

TEST(Prune, SaysWhatItLeavesWhole) {
  Layers net;
  const auto report = prune(net.graph, {.recipe = recipe_of(sparsity("2:8", 0.75))});
  ASSERT_TRUE(report.ok()) << to_string(report.diagnostics());
  EXPECT_EQ(report->weights[1].note, "left whole: 4 input channels are no groups of 8");
  EXPECT_EQ(report->weights[1].zeros, 0);
  EXPECT_EQ(report->weights[0].zeros, report->weights[0].elements * 3 / 4);
}

TEST(Prune, WeightsThatTwoNodesReadArePrunedOnce) {
  Net net;
  Value* w = net.constant(random_tensor({8, 8}, 1));
  Value* h = net.add(ops::MatMul, {net.input({2, 8}), w});
  net.graph.set_outputs({net.add(ops::MatMul, {h, w}, {}, "y")});
  ASSERT_TRUE(prune(net.graph, {.recipe = recipe_of(sparsity("2:4"))}).ok());
  EXPECT_EQ(net.graph.constants().size(), 1u);
}

TEST(Prune, RefusesWhatCannotBe) {
  Layers net;
  Recipe recipe;
  recipe.set({Selector::By::Type, "Relu"}, {.sparsity = {.ratio = 0.5}});
  auto report = prune(net.graph, {.recipe = recipe});
  ASSERT_FALSE(report.ok());
  EXPECT_NE(to_string(report.diagnostics()).find("Relu has no weights that are pruned"), std::string::npos);
  recipe = recipe_of(sparsity("2:4", 0.3));
  report = prune(net.graph, {.recipe = recipe});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.diagnostics().size(), 1u) << to_string(report.diagnostics());
}

// ---- channels -------------------------------------------------------------------------------------------------------

TEST(Channels, AModelWithHalfOfThemIsAQuarter) {
  Layers net, original;
  const auto report = prune(net.graph, {.recipe = recipe_of(sparsity("channel"))});
  ASSERT_TRUE(report.ok()) << to_string(report.diagnostics());
  const Diagnostics broken = verify(net.graph);
  EXPECT_TRUE(broken.empty()) << to_string(broken);
  EXPECT_EQ(report->weights[0].note, "8 of 16 channels");
  EXPECT_EQ(report->weights[1].note, "8 of 16 channels");
  EXPECT_EQ(report->weights[2].note, "6 of 12 channels");
  EXPECT_EQ(report->weights[3].note, "left whole: its channels are output 'y' of the model");
  EXPECT_EQ(report->weights[2].elements * 4, report->weights[2].before);
  EXPECT_TRUE(evaluate(net.graph, net.feeds()).ok());
}

TEST(Channels, WhatReadsThemMakesGoodWhatIsLost) {
  double qualities[2];
  for (const bool compensate : {false, true}) {
    Layers net, original;
    ASSERT_TRUE(prune(net.graph, {.recipe = recipe_of(sparsity("channel", 0.25), compensate)},
                      reference_evaluator().get(), samples_of({original.feeds(7), original.feeds(8)}))
                    .ok());
    qualities[compensate] = quality(original, net);
  }
  EXPECT_GT(qualities[1], qualities[0] + 3);
}

// A removed channel that was always zero changes nothing.
TEST(Channels, ThoseThatAreZeroLeaveWithoutATrace) {
  Net net;
  Tensor w = random_tensor({8, 3, 3, 3}, 1);
  for (size_t i = 0; i < w.data<float>().size(); ++i)
    if (i / 27 % 2) w.mutable_data<float>()[i] = 0;
  Value* a = net.add(ops::Relu, {net.add(ops::Conv, {net.input({1, 3, 8, 8}), net.constant(w)})});
  Value* halves =
      net.graph.add_node(ops::Split, {a, net.ints({4, 4})}, {{"axis", int64_t{1}}}, {"left", "right"})->output();
  ASSERT_TRUE(infer_types(*halves->producer()).ok());
  Value* joined = net.add(ops::Concat, {halves->producer()->output(1), halves}, {{"axis", int64_t{1}}});
  Value* turned = net.add(ops::Transpose, {joined}, {{"perm", std::vector<int64_t>{0, 2, 3, 1}}});
  Value* scaled = net.add(ops::Mul, {turned, net.constant(random_tensor({8}, 3))});
  Value* mean = net.add(ops::ReduceMean, {scaled, net.ints({1, 2})}, {{"keepdims", int64_t{0}}});
  net.graph.set_outputs({net.add(ops::MatMul, {mean, net.constant(random_tensor({8, 2}, 4))}, {}, "y")});
  const Tensor before = (*evaluate(net.graph, net.feeds()))[0];
  const auto report = prune(net.graph, {.recipe = recipe_of(sparsity("channel"))});
  ASSERT_TRUE(report.ok()) << to_string(report.diagnostics());
  EXPECT_EQ(report->weights[0].note, "4 of 8 channels");
  EXPECT_EQ(report->weights[1].elements, 8);
  const Tensor after = (*evaluate(net.graph, net.feeds()))[0];
  for (int64_t i = 0; i < before.size(); ++i) EXPECT_NEAR(before.as_double(i), after.as_double(i), 1e-5);
}

TEST(Channels, GroupsCompeteInTheScopeOfTheModel) {
  Net net;
  Value* a = net.add(ops::Conv, {net.input({1, 4, 4, 4}), net.constant(random_tensor({8, 4, 1, 1}, 1))});
  Tensor uneven = random_tensor({8, 8, 1, 1}, 2);
  for (size_t i = 0; i < 48; ++i) uneven.mutable_data<float>()[i] *= 1e-3f;  // six channels worth nothing
  Value* b = net.add(ops::Conv, {net.add(ops::Relu, {a}), net.constant(uneven)});
  net.graph.set_outputs(
      {net.add(ops::Conv, {net.add(ops::Relu, {b}), net.constant(random_tensor({2, 8, 1, 1}, 3))}, {}, "y")});
  const auto report = prune(net.graph, {.recipe = recipe_of(sparsity("channel", 0.5, SparsityScope::Global))});
  ASSERT_TRUE(report.ok()) << to_string(report.diagnostics());
  EXPECT_EQ(report->weights[0].note, "6 of 8 channels");
  EXPECT_EQ(report->weights[1].note, "2 of 8 channels");
}

TEST(Channels, ThoseThatTheRecipeLeavesWholeHoldTheirPartners) {
  Net net;
  Value* x = net.input({1, 4, 4, 4});
  Value* a = net.conv(x, 8, 3, "a");
  Value* sum = net.add(ops::Add, {a, net.conv(x, 8, 1, "b")});
  net.graph.set_outputs({net.conv(sum, 2, 1, "y")});
  Recipe recipe = recipe_of(sparsity("channel"));
  recipe.set({Selector::By::Name, a->producer()->name()}, {.sparsity = {.ratio = 0.0}});
  const auto report = prune(net.graph, {.recipe = recipe});
  ASSERT_TRUE(report.ok()) << to_string(report.diagnostics());
  EXPECT_EQ(report->weights[1].note, "left whole: its channels are computed by 'a' too, which the recipe leaves whole");
  EXPECT_EQ(report->weights[1].elements, report->weights[1].before);
}

// ---- with quantization ----------------------------------------------------------------------------------------------

TEST(PruneAndQuantize, IsOneRun) {
  Layers net;
  const QuantizeReport report = net.quantize(recipe_of(sparsity("unstructured", 0.3)));
  ASSERT_TRUE(report.pruned);
  EXPECT_NEAR(report.pruned->sparsity(), 0.3, 0.02);
  int64_t zeros = 0, weights = 0;
  for (const Value* c : net.graph.constants())
    if (c->dtype() == DType::Int8 && c->constant().rank() > 1)
      for (const int8_t q : c->constant().data<int8_t>()) zeros += q == 0, ++weights;
  EXPECT_GT(static_cast<double>(zeros), 0.3 * static_cast<double>(weights));
  EXPECT_EQ(report.recipe.defaults.sparsity, sparsity("unstructured", 0.3));
}

TEST(PruneAndQuantize, WeightsInFourBitsKeepTheirZeros) {
  Net net;
  net.graph.set_outputs({net.gemm(net.input({20, 32}), 24, "y")});
  Recipe recipe = recipe_of(sparsity("2:4"), true);
  recipe.defaults.data = {DType::Float32};
  recipe.defaults.weights = {DType::UInt4, false, Granularity::Block, 16};
  recipe.defaults.algorithm = WeightAlgorithm::Gptq;
  const auto report =
      quantize_static(net.graph, *reference_evaluator(), samples_of({net.feeds(1), net.feeds(2)}), {.recipe = recipe});
  ASSERT_TRUE(report.ok()) << to_string(report.diagnostics());
  for (const Node* node : net.graph.nodes()) {
    if (!node->is(ops::DequantizeLinear)) continue;
    const auto weights =
        evaluate_node(*node, {&node->input(0)->constant(), &node->input(1)->constant(), &node->input(2)->constant()});
    ASSERT_TRUE(weights.ok());
    const auto w = weights->front().data<float>();
    EXPECT_GE(std::count(w.begin(), w.end(), 0.0f), static_cast<int64_t>(w.size() / 2));
  }
}

TEST(PruneAndQuantize, ACalibrationIsOfTheModelBeforePruning) {
  Layers net;
  const auto calibration =
      calibrate(net.graph, values_to_calibrate(net.graph), *reference_evaluator(), samples_of({net.feeds()}), {});
  ASSERT_TRUE(calibration.ok()) << to_string(calibration.diagnostics());
  Recipe recipe = recipe_of(sparsity("2:4"));
  recipe.defaults.correct_bias = false;
  recipe.defaults.smooth = Smoothing();
  const auto report = quantize_static(net.graph, *calibration, {.recipe = recipe});
  ASSERT_FALSE(report.ok());
  EXPECT_NE(to_string(report.diagnostics()).find("prune it first"), std::string::npos);
}

}  // namespace
}  // namespace lapis::testing
