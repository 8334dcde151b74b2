// Models that are hard on purpose: one recipe destroys them, the report names the node that does it,
// and another recipe recovers them.
#include "passes/expand/expand.h"
#include "tests/passes/quantize_graph.h"

namespace lapis::testing {
namespace {

using BuildNet = void (*)(Net&);

QuantizeReport quantized(BuildNet build, Recipe recipe) {
  Net net;
  build(net);
  recipe.defaults.range.method = RangeMethod::MinMax;
  std::vector<Feeds> samples;
  for (unsigned seed = 1; seed <= 4; ++seed) samples.push_back(net.feeds(10 * seed));
  auto report = quantize_static(net.graph, *reference_evaluator(), samples_of(samples), {.recipe = std::move(recipe)});
  EXPECT_TRUE(report.ok()) << to_string(report.diagnostics());
  return *std::move(report);
}

double worst_output(const QuantizeReport& report) {
  double worst = INFINITY;
  for (const OutputDamage& o : report.damage->outputs) worst = std::min(worst, o.sqnr);
  return worst;
}

// The warning about a model that is far from its float form, and what it says to do.
std::string said(const QuantizeReport& report) {
  std::string text;
  for (const Diagnostic& d : report.warnings) text += d.message + "\n" + d.hint + "\n";
  return text;
}

void expect_destroyed(const QuantizeReport& report, std::vector<std::string> named) {
  EXPECT_LT(worst_output(report), kLoudDamage);
  for (const std::string& name : named)
    EXPECT_NE(said(report).find("'" + name + "'"), std::string::npos) << said(report);
}

void expect_recovered(const QuantizeReport& report) {
  EXPECT_GT(worst_output(report), kLoudDamage + 3) << said(report);
  EXPECT_EQ(said(report).find("far from the float model"), std::string::npos) << said(report);
}

// Two channels of the data are a hundred times as large as the others, and meet small weights.
void outlier_channels(Net& net) {
  Tensor sizes(DType::Float32, {32}), weights = random_tensor({32, 24}, 4);
  for (size_t j = 0; j < 32; ++j) {
    const bool large = j == 3 || j == 17;
    sizes.mutable_data<float>()[j] = large ? 200.0f : 1.0f;
    for (size_t n = 0; n < 24 && large; ++n) weights.mutable_data<float>()[j * 24 + n] *= 0.005f;
  }
  Value* x = net.add(ops::Mul, {net.input({20, 32}), net.constant(sizes)});
  net.graph.set_outputs({net.add(ops::MatMul, {x, net.constant(weights)}, {}, "product")});
}

TEST(HardModels, OutlierChannelsWantSmoothing) {
  expect_destroyed(quantized(outlier_channels, {}), {"product"});
  Recipe recipe;
  recipe.defaults.smooth = Smoothing{0.5};
  expect_recovered(quantized(outlier_channels, recipe));
  recipe.defaults.smooth = Smoothing{0, true, {0.25, 0.5, 0.75}};
  expect_recovered(quantized(outlier_channels, recipe));
}

// Boxes in pixels and scores from 0 to 1 in one Concat, as detectors have them.
void detector(Net& net) {
  Value* features = net.add(ops::Relu, {net.conv(net.input({1, 3, 8, 8}), 8, 3, "features")});
  Value* boxes = net.add(ops::Mul, {net.conv(features, 4, 1, "boxes"), net.constant(Tensor::scalar(300.0f))});
  Value* scores = net.add(ops::Sigmoid, {net.conv(features, 2, 1, "scores")});
  Value* head = net.add(ops::Concat, {boxes, scores}, {{"axis", int64_t{1}}}, "head");
  head = net.add(ops::MaxPool, {head}, {{"kernel_shape", std::vector<int64_t>{2, 2}}});
  const auto slice = [&](int64_t from, int64_t to) {
    return net.add(ops::Slice, {head, net.ints({from}), net.ints({to}), net.ints({1})});
  };
  Value* weights = net.constant(random_tensor({2, 2, 1, 1}, 9));
  net.graph.set_outputs({net.conv(slice(0, 4), 2, 1, "box"), net.add(ops::Conv, {slice(4, 6), weights}, {}, "score")});
}

TEST(HardModels, DetectorsWantScoresThatDoNotShareTheScaleOfTheirBoxes) {
  Recipe recipe;
  recipe.share_limit = 1e30;
  expect_destroyed(quantized(detector, recipe), {"score"});
  Recipe float_scores = recipe;  // what the report says: the reader of the shared bytes in floats
  float_scores.keep_float({Selector::By::Name, "head"});
  expect_recovered(quantized(detector, float_scores));
}

// Sizes of boxes as detectors give them: the exponential makes the most of the few values that are large.
void exponential_head(Net& net) {
  Value* x = net.input({1, 8, 16, 16});
  Value* peaks = net.add(ops::Mul, {x, net.add(ops::Abs, {x})});
  net.graph.set_outputs({net.add(ops::Exp, {net.conv(peaks, 2, 1, "sizes")}, {}, "boxes")});
}

// How much better the usual ranges are than those of the least squares, in dB.
double gain_of_usual_ranges(unsigned seed) {
  Recipe least_squares;
  least_squares.set({Selector::By::Name, "sizes"}, {.method = RangeMethod::Mse});
  double sqnr[2];
  for (const bool usual : {false, true}) {
    Net net;
    exponential_head(net);
    std::vector<Feeds> samples;
    for (unsigned i = 0; i < 4; ++i) samples.push_back(net.feeds(100 * seed + i));
    const auto report = quantize_static(net.graph, *reference_evaluator(), samples_of(samples),
                                        {.recipe = usual ? Recipe() : least_squares});
    EXPECT_TRUE(report.ok()) << to_string(report.diagnostics());
    sqnr[usual] = worst_output(*report);
  }
  return sqnr[1] - sqnr[0];
}

// One result decides about the ratio, and how well its operands happen to be rounded: so the mean of several.
TEST(HardModels, ExponentialsWantTheLargestOfTheirData) {
  double gain = 0;
  for (unsigned seed = 1; seed <= 16; ++seed) gain += gain_of_usual_ranges(seed) / 16;
  EXPECT_GT(gain, 1);
}

// A discrete Fourier transform of a tone with little noise:
// most of its power lies in few of the bins, and the logarithm wants all.
void spectrogram(Net& net) {
  Tensor basis(DType::Float32, {32, 1, 1, 32});
  for (size_t k = 0; k < 32; ++k)
    for (size_t t = 0; t < 32; ++t) {
      const double angle = 2 * M_PI * static_cast<double>((k / 2 + 1) * t) / 32;
      basis.mutable_data<float>()[k * 32 + t] = static_cast<float>(k % 2 ? std::sin(angle) : std::cos(angle));
    }
  Tensor tone(DType::Float32, {1, 1, 1, 128});
  for (size_t t = 0; t < 128; ++t)
    tone.mutable_data<float>()[t] = 300 * static_cast<float>(std::sin(M_PI * static_cast<double>(t) / 4));
  Value* x = net.add(ops::Add, {net.input({1, 1, 1, 128}), net.constant(tone)});
  Value* parts = net.add(ops::Conv, {x, net.constant(basis)}, {{"strides", std::vector<int64_t>{1, 32}}}, "fourier");
  Value* power = net.add(ops::Add, {net.add(ops::Mul, {parts, parts}), net.constant(Tensor::scalar(0.01f))});
  net.graph.set_outputs({net.add(ops::Log, {power}, {}, "spectrogram")});
}

TEST(HardModels, SpectrogramsWantFloatsInFrontOfTheirLogarithm) {
  Recipe recipe;
  recipe.set({Selector::By::Name, "fourier"}, {.precision = Precision::Int8});
  expect_destroyed(quantized(spectrogram, recipe), {"spectrogram", "fourier"});
  expect_recovered(quantized(spectrogram, {}));
}

// Blocks of an encoder whose residual stream has a few channels that grow, as those of trained ones do.
void encoder(Net& net) {
  Value* h = net.input({1, 12, 32});
  for (int block = 0; block < 2; ++block) {
    Tensor gain(DType::Float32, {32}), bias(DType::Float32, {32});
    for (size_t j = 0; j < 32; ++j) gain.mutable_data<float>()[j] = j == 5 || j == 20 ? 80.0f : 1.0f;
    Tensor down = random_tensor({32, 64}, 30 + static_cast<unsigned>(block), 0.2f);
    for (size_t j : {5, 20})
      for (size_t n = 0; n < 64; ++n) down.mutable_data<float>()[j * 64 + n] *= 0.0125f;
    Value* normal = net.add(ops::LayerNormalization, {h, net.constant(gain), net.constant(bias)});
    const std::string name = "block" + std::to_string(block);
    Value* wide = net.add(ops::Relu, {net.add(ops::MatMul, {normal, net.constant(down)}, {}, name + "/up")});
    Value* narrow =
        net.add(ops::MatMul, {wide, net.constant(random_tensor({64, 32}, 40 + static_cast<unsigned>(block), 0.1f))}, {},
                name + "/down");
    h = net.add(ops::Add, {h, narrow});
  }
  net.graph.set_outputs({h});
}

TEST(HardModels, ResidualEncodersWantTheirSmoothingAndFloatSums) {
  Recipe recipe;
  recipe.defaults.smooth = Smoothing{};
  const QuantizeReport plain = quantized(encoder, recipe);
  EXPECT_NE(plain.damage->worst.front().node.find("/up"), std::string::npos) << plain.damage->worst.front().node;
  const QuantizeReport smoothed = quantized(encoder, {});
  EXPECT_GT(worst_output(smoothed), worst_output(plain) + 8);
  expect_recovered(smoothed);
  for (const NodeDecision& d : smoothed.decisions)
    if (d.op == "Add") EXPECT_FALSE(d.quantized) << d.node;
}

// A recurrent layer whose inputs are so large that they decide most of its gates, or as large as usual.
template <int size> void recurrent(Net& net) {
  Value* x = net.add(ops::Mul, {net.input({12, 1, 8}), net.constant(Tensor::scalar(static_cast<float>(size)))});
  Node* layer = net.graph.add_node(
      ops::LSTM,
      {x, net.constant(random_tensor({1, 64, 8}, 60, 0.35F)), net.constant(random_tensor({1, 64, 16}, 61, 0.35F))},
      {{"hidden_size", int64_t{16}}});
  EXPECT_TRUE(infer_types(*layer).ok());
  net.graph.set_outputs({net.add(ops::Squeeze, {layer->output(), net.ints({1})}, {}, "y")});
  PassContext context;
  EXPECT_TRUE(expand(net.graph, context).ok());
}

const NodeDecision& input_product(const QuantizeReport& report) {
  return *std::ranges::find(report.decisions, "MatMul", &NodeDecision::op);
}

TEST(HardModels, SaturatedRecurrencesWantTheProductsOfTheirInputsInFloat) {
  Recipe asked;
  asked.set({Selector::By::Name, input_product(quantized(recurrent<40>, {})).node}, {.precision = Precision::Int8});
  const QuantizeReport int8 = quantized(recurrent<40>, asked), spared = quantized(recurrent<40>, {});
  EXPECT_TRUE(input_product(int8).quantized) << "a rule that names it is obeyed";
  EXPECT_FALSE(input_product(spared).quantized);
  EXPECT_NE(input_product(spared).note.find("would magnify its errors, from "), std::string::npos)
      << input_product(spared).note;
  EXPECT_GT(worst_output(spared), worst_output(int8) + 10);
  EXPECT_TRUE(input_product(quantized(recurrent<1>, {})).quantized) << "gates that are half open pass errors on";
  // What was done can be done again, without measuring.
  const QuantizeReport again = quantized(recurrent<40>, spared.recipe);
  EXPECT_FALSE(input_product(again).quantized);
}

}  // namespace
}  // namespace lapis::testing
