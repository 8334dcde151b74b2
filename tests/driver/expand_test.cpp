// Operators that the pass `expand` takes apart, and Pad in its modes: compiled without a call into the reference, they
// give what it gives, at every level of this host, with 1 to 3 threads, and in an object file.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "driver/compile.h"
#include "driver/runner.h"
#include "tests/driver/compare.h"
#include "tests/driver/example.h"
#include "tests/driver/object_runner.h"

namespace lapis {
namespace {

using testing::graph_from_text;
using testing::host_levels;

Tensor drawn(const Type& type, std::mt19937& random) {
  Tensor t(type.dtype, type.shape());
  visit_dtype(type.dtype, [&]<class T>(T) {
    if constexpr (std::is_floating_point_v<T>) {
      std::uniform_real_distribution<T> values(-1, 1);
      for (T& v : t.mutable_data<T>()) v = values(random);
    } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      for (T& v : t.mutable_data<T>()) v = static_cast<T>(type.dtype == DType::Int32 ? random() % 4 : random());
    }
  });
  return t;
}

// Infinities, which have no relative error, are 0 afterwards where they are the same.
void take_equal_infinities(Tensor& got, Tensor& wanted) {
  if (wanted.dtype() != DType::Float32) return;
  const auto g = got.mutable_data<float>(), w = wanted.mutable_data<float>();
  for (size_t i = 0; i < w.size(); ++i)
    if (std::isinf(w[i]) && g[i] == w[i]) g[i] = w[i] = 0;
}

void expect_equal(std::vector<Tensor> got, std::vector<Tensor> wanted, const std::string& where) {
  ASSERT_EQ(got.size(), wanted.size()) << where;
  for (size_t i = 0; i < wanted.size(); ++i)
    if (is_float(wanted[i].dtype())) {
      take_equal_infinities(got[i], wanted[i]);
      EXPECT_LE(testing::relative_error(got[i], wanted[i]), 2e-6) << where << ", output " << i;
    } else {
      EXPECT_EQ(got[i], wanted[i]) << where << ", output " << i;
    }
}

void expect_reference(const std::string& text, Backend backend = Backend::Reference) {
  const auto graph = graph_from_text(text);
  std::mt19937 random(7);
  std::vector<Tensor> inputs;
  for (const Value* v : graph->inputs()) inputs.push_back(drawn(v->type(), random));
  const auto wanted = (*open_graph(*graph, {.backend = backend}))->run(inputs);
  ASSERT_TRUE(wanted.ok()) << to_string(wanted.diagnostics());
  for (const Target& target : host_levels()) {
    CompileOptions options;
    options.target = target;
    const auto made = compile(*graph, std::move(options));
    ASSERT_TRUE(made.ok()) << text << to_string(made.diagnostics());
    for (const int threads : {1, 2, 3}) {
      const auto got = (*open_program(made->program, {.threads = threads}))->run(inputs);
      ASSERT_TRUE(got.ok()) << to_string(got.diagnostics());
      expect_equal(*got, *wanted, text + " for " + target.to_string() + " on " + std::to_string(threads));
    }
    if (testing::has_c_compiler())
      expect_equal(testing::ObjectRunner(*made).run(inputs, false), *wanted, text + " in an object");
  }
}

// ---- Pad ------------------------------------------------------------------------------------------------------------

TEST(Pad, CopiesWhatItsModeSays) {
  for (const std::string mode : {"reflect", "edge", "wrap"}) {
    const auto pad = [&](const std::string& type, const std::string& result, const std::string& pads,
                         const std::string& more = "") {
      expect_reference("(" + type + " x) => (" + result + " y) <int64[" +
                       std::to_string(std::ranges::count(pads, ',') + 1) + "] pads = {" + pads + "}" + more +
                       "> { y = Pad <mode = \"" + mode + "\"> (x, pads) }");
    };
    pad("float[5]", "float[9]", "2,2");
    pad("float[3]", "float[17]", "7,7");  // around itself again and again
    pad("float[1,4,1]", "float[1,8,5]", "0,3,2,0,1,2");
    pad("int8[2,3,4,5]", "int8[2,3,6,9]", "0,0,1,2,0,0,1,2");
    pad("float[6]", "float[6]", "-2,2");           // crops in front
    pad("float[4,5]", "float[8,7]", "5,-2,-1,4");  // goes on with what is left
  }
}

TEST(Pad, FillsWithAComputedValue) {
  expect_reference(
      "(uint8[1,2,3,3] x, uint8 v) => (uint8[1,2,6,5] y) <int64[8] pads = {0,0,1,2,0,0,2,0}> { y = Pad (x, pads, v) }");
}

// A convolution around it wants channels last and reads what Pad has written.
TEST(Pad, StandsBetweenConvolutions) {
  expect_reference(
      R"((float[1,3,6,7] x, float[1] unused) => (float[1,4,6,7] y) <int64[8] pads = {0,0,1,1,0,0,1,1}, int64[4] shape = {4,3,3,3}, float[1] v = {0.1}> {
    f = Expand (v, shape)
    a = Relu (x)
    b = Pad <mode = "reflect"> (a, pads)
    y = Conv (b, f)
  })");
}

// ---- ConvTranspose --------------------------------------------------------------------------------------------------

// Weights are numbers from a sequence, as constants.
std::string transposed(const std::string& x, const std::string& y, const std::vector<int64_t>& w,
                       const std::string& attributes) {
  int64_t count = 1;
  std::string shape;
  for (const int64_t n : w) count *= n, shape += (shape.empty() ? "" : ",") + std::to_string(n);
  std::string values;
  for (int64_t i = 0; i < count; ++i)
    values += (i ? "," : "") + std::to_string(static_cast<double>(i * 7 % 11 - 5) / 8);
  return "(float[" + x + "] x) => (float[" + y + "] y) <float[" + shape + "] w = {" + values +
         "}> { t = ConvTranspose <" + attributes + "> (x, w)  y = Relu (t) }";
}

TEST(ConvTranspose, IsAConvolutionAndAShuffle) {
  expect_reference(transposed("1,3,4,5", "1,2,8,10", {3, 2, 2, 2}, "strides = [2, 2]"));
  expect_reference(transposed("2,3,4,5", "2,17,9,11", {3, 17, 3, 3}, "strides = [2, 2]"));
  expect_reference(transposed("1,4,5,5", "1,3,10,10", {4, 3, 4, 4}, "strides = [2, 2], pads = [1, 1, 1, 1]"));
  expect_reference(
      transposed("1,2,3,4", "1,2,6,8", {2, 2, 3, 3}, "strides = [2, 2], pads = [1, 1, 1, 1], output_padding = [1, 1]"));
  expect_reference(transposed("1,2,3,4", "1,2,3,4", {2, 2, 3, 3}, "pads = [1, 1, 1, 1]"));
  expect_reference(transposed("1,2,3,4", "1,2,9,8", {2, 2, 3, 3}, "strides = [3, 2], auto_pad = \"SAME_UPPER\""));
  expect_reference(transposed("1,2,3,4", "1,2,8,8", {2, 2, 3, 2}, "strides = [3, 2], output_shape = [8, 8]"));
}

// A product with a 0 in the place of none would make NaN of what the window does not reach.
TEST(ConvTranspose, InfinityStaysUnderItsWindow) {
  const auto text = [](const std::string& y, const std::string& attributes) {
    return "(float[1,1,3,3] x) => (float[1,1," + y +
           "] y) <float[1,1,3,3] w = {1,2,3,4,5,6,7,8,9}, float[3,3] one = {1,1,1,1,3e38,1,1,1,1}> " +
           "{ a = Mul (x, one)  b = Mul (a, one)  t = ConvTranspose <" + attributes + "> (b, w)  y = Abs (t) }";
  };
  expect_reference(text("7,7", "strides = [2, 2]"));
  expect_reference(text("7,5", "strides = [2, 1]"));
  expect_reference(text("3,5", "pads = [1, 0, 1, 0]"));
}

TEST(ConvTranspose, OfGroupsAndOtherRanks) {
  expect_reference(transposed("1,6,3,3", "1,6,6,6", {6, 2, 2, 2}, "strides = [2, 2], group = 3"));
  expect_reference(transposed("1,4,3,3", "1,4,7,7", {4, 1, 3, 3}, "strides = [2, 2], group = 4"));
  expect_reference(transposed("2,4,9", "2,3,28", {4, 3, 4}, "strides = [3]"));
  expect_reference(transposed("1,4,9", "1,4,19", {4, 2, 3}, "strides = [2], group = 2"));
  expect_reference(transposed("1,2,2,3,2", "1,3,4,6,4", {2, 3, 2, 2, 2}, "strides = [2, 2, 2]"));
}

// Integers multiply once where floats multiply twice, so that the bytes are those of the integer form.
TEST(ConvTranspose, OfBytesWithScalesOfTheirChannels) {
  expect_reference(R"((uint8[1,2,4,4] x) => (uint8[1,3,8,8] y)
  <int8[2,3,3,3] w = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,-1,-2,-3,-4,-5,-6,-7,-8,-9,-10,-11,-12,-13,-14,-15,-16,-17,-18,-19,-20,-21,-22,-23,-24,-25,-26,-27},
   float[3] ws = {0.01, 0.02, 0.03}, float xs = {0.05}, uint8 xz = {100}, float ys = {0.1}, uint8 yz = {128}> {
    f = DequantizeLinear (x, xs, xz)
    v = DequantizeLinear <axis = 1> (w, ws)
    t = ConvTranspose <strides = [2, 2], pads = [1, 1, 1, 1], output_padding = [1, 1]> (f, v)
    y = QuantizeLinear (t, ys, yz)
  })",
                   Backend::ReferenceAfterPasses);
}

// Scales along any axis of the weights, of blocks, and of groups.
TEST(ConvTranspose, OfBytesWithOtherScales) {
  const auto text = [](const std::string& scales, const std::string& attributes, const std::string& group) {
    return "(float[1,2,3,3] x) => (float[1," + std::string(group == "2" ? "4" : "2") +
           ",6,6] y) <int8[2,2,2,2] w = {1,-2,3,4,-5,6,7,8,9,-10,11,12,13,14,-15,16}, float" + scales +
           "> { d = DequantizeLinear <" + attributes +
           "> (w, s)  t = ConvTranspose <strides = [2, 2], group = " + group + "> (x, d)  y = Relu (t) }";
  };
  for (const std::string group : {"1", "2"}) {
    for (const int axis : {0, 1, 2, 3, -1, -2, -3, -4})
      expect_reference(text("[2] s = {0.01, 0.5}", "axis = " + std::to_string(axis), group));
    expect_reference(text("[2,1,2,2] s = {0.01,0.5,0.2,2,0.3,4,0.05,1}", "axis = 1, block_size = 2", group));
    expect_reference(text(" s = {0.125}", "axis = 0", group));
  }
}

// ---- recurrent layers -----------------------------------------------------------------------------------------------

struct Layer {
  std::string op;
  int gates, directions = 1, length = 4, batch = 3, input = 5, hidden = 8;
  std::string attributes = {}, more_inputs = {}, more_operands = {};
};

std::string text_of(const Layer& l) {
  const auto n = [](int x) { return std::to_string(x); };
  const std::string d = n(l.directions), rows = n(l.gates * l.hidden),
                    state = "float[" + d + "," + n(l.batch) + "," + n(l.hidden) + "]";
  const bool lstm = l.op == "LSTM";
  return "(float[" + n(l.length) + "," + n(l.batch) + "," + n(l.input) + "] x, float[" + d + "," + rows + "," +
         n(l.input) + "] w, float[" + d + "," + rows + "," + n(l.hidden) + "] r, float[" + d + "," +
         n(2 * l.gates * l.hidden) + "] b" + l.more_inputs + ") => (float[" + n(l.length) + "," + d + "," + n(l.batch) +
         "," + n(l.hidden) + "] y, " + state + " h" + (lstm ? ", " + state + " c" : "") + ") { y, h" +
         (lstm ? ", c" : "") + " = " + l.op + " <hidden_size = " + n(l.hidden) + l.attributes + "> (x, w, r, b" +
         l.more_operands + ") }";
}

TEST(Recurrent, LayersOfAllKinds) {
  for (const auto& [op, gates] : {std::pair("LSTM", 4), {"GRU", 3}, {"RNN", 1}}) {
    expect_reference(text_of({op, gates}));
    expect_reference(text_of({.op = op, .gates = gates, .length = 1}));
    expect_reference(text_of({.op = op, .gates = gates, .batch = 1, .hidden = 33}));
    expect_reference(text_of({.op = op, .gates = gates, .attributes = ", direction = \"reverse\""}));
    expect_reference(text_of(
        {.op = op, .gates = gates, .directions = 2, .attributes = ", direction = \"bidirectional\", clip = 0.7"}));
  }
}

TEST(Recurrent, SequencesThatEndEarly) {
  for (const auto& [op, gates] : {std::pair("LSTM", 4), {"GRU", 3}, {"RNN", 1}})
    for (const std::string direction : {"forward", "reverse"})
      expect_reference(text_of({.op = op,
                                .gates = gates,
                                .attributes = ", direction = \"" + direction + "\"",
                                .more_inputs = ", int32[3] n",
                                .more_operands = ", n"}));
}

TEST(Recurrent, StatesAndPeepholes) {
  expect_reference(text_of({.op = "LSTM",
                            .gates = 4,
                            .more_inputs = ", float[1,3,8] h0, float[1,3,8] c0, float[1,24] p",
                            .more_operands = ", , h0, c0, p"}));
  expect_reference(text_of({.op = "LSTM",
                            .gates = 4,
                            .attributes = ", input_forget = 1, activations = [\"HardSigmoid\", \"Softsign\", "
                                          "\"Affine\"], activation_alpha = [0.3, 0.5], activation_beta = [0.4, 0.1]"}));
  expect_reference(text_of({.op = "GRU",
                            .gates = 3,
                            .attributes = ", linear_before_reset = 1",
                            .more_inputs = ", float[1,3,8] h0",
                            .more_operands = ", , h0"}));
}

// A gate that is clipped to 1 passes a threshold of 1.
TEST(Recurrent, ThresholdsLetThemselvesPass) {
  const auto graph = graph_from_text(
      "(float[1,3,1] x, float[1,1,1] w) => (float[1,1,3,1] y) "
      "{ y = RNN <hidden_size = 1, clip = 1.0, activations = [\"ThresholdedRelu\"]> (x, w, w) }");
  const Tensor x = Tensor::of<float>({1, 3, 1}, {2, 0.5F, NAN}), one = Tensor::of<float>({1, 1, 1}, {1});
  for (const Backend backend : {Backend::Reference, Backend::Jit}) {
    const auto y = (*open_graph(*graph, {.backend = backend}))->run({x, one});
    ASSERT_TRUE(y.ok()) << to_string(y.diagnostics());
    EXPECT_EQ((*y)[0], Tensor::of<float>({1, 1, 3, 1}, {1, 0, 0}));
  }
}

// Absent peepholes are not zeros: those would make NaN of an infinite state.
TEST(Recurrent, StatesMayBeInfinite) {
  const auto graph = graph_from_text(
      "(float[1,1,1] x, float[1,4,1] w, float[1,1,1] h0, float[1,1,1] c0) => (float[1,1,1,1] y) "
      "{ y = LSTM <hidden_size = 1> (x, w, w, , , h0, c0) }");
  Tensor zero(DType::Float32, {1, 1, 1}), infinite = zero;
  infinite.mutable_data<float>()[0] = INFINITY;
  for (const Backend backend : {Backend::Reference, Backend::Jit}) {
    const auto y =
        (*open_graph(*graph, {.backend = backend}))->run({zero, Tensor(DType::Float32, {1, 4, 1}), zero, infinite});
    ASSERT_TRUE(y.ok()) << to_string(y.diagnostics());
    EXPECT_EQ((*y)[0].data<float>()[0], 0.5f) << "sigmoid(0) * tanh(inf)";
  }
}

// The forget gate of a large state is nearly shut, and counts nevertheless.
TEST(Recurrent, CoupledGatesKeepTheirDigits) {
  const auto graph = graph_from_text(
      "(float[1,1,1] x, float[1,4,1] w, float[1,1,1] h0, float[1,1,1] c0) => (float[1,1,1,1] y) "
      "{ y = LSTM <hidden_size = 1, input_forget = 1> (x, w, w, , , h0, c0) }");
  const std::vector<Tensor> feeds = {Tensor::of<float>({1, 1, 1}, {1}),
                                     Tensor::of<float>({1, 4, 1}, {18.8F, 2, 0, -20}),
                                     Tensor(DType::Float32, {1, 1, 1}), Tensor::of<float>({1, 1, 1}, {1e8F})};
  const double forgotten = 1 / (1 + std::exp(18.8)), cell = forgotten * 1e8 - (1 - forgotten);
  for (const Backend backend : {Backend::Reference, Backend::Jit}) {
    const auto y = (*open_graph(*graph, {.backend = backend}))->run(feeds);
    ASSERT_TRUE(y.ok()) << to_string(y.diagnostics());
    EXPECT_NEAR((*y)[0].data<float>()[0], std::tanh(cell) / (1 + std::exp(-2)), 1e-5);
  }
}

// ---- shapes that are only declared ----------------------------------------------------------------------------------

struct Declared {
  std::string x, operation, y;
  std::vector<std::vector<int64_t>> right, wrong;
};

TEST(DeclaredShapes, AreFoundOutAtRunTime) {
  const Declared all[] = {
      {"2,3,4",
       "Reshape",
       "2,12",
       {{2, 12}, {-1, 12}, {0, 12}, {0, -1}, {2, -1}},
       {{12, 2}, {4, -1}, {-1, 6}, {24, 1}}},
      {"2,3,4", "Reshape <allowzero = 1>", "2,12", {{2, 12}, {-1, 12}}, {{0, 12}, {3, 8}}},
      {"3,1", "Expand", "2,3,4", {{2, 3, 4}, {2, 1, 4}}, {{4, 3, 2}, {2, 3, 1}, {1, 1, 4}}},
      {"1,3,1", "Expand", "1,3,1", {{1, 3, 1}, {1, 1, 1}}, {{2, 3, 1}, {1, 3, 2}}},
      {"2,3,4", "Expand", "2,3,4", {{4}, {1}}, {{2}, {0}}},
      {"2,3", "Tile", "4,3", {{2, 1}}, {{1, 2}, {2, 2}, {1, 1}, {0, 1}}},
      {"1,3,1,4", "Squeeze", "3,1,4", {{0}, {-4}}, {{2}, {-2}}},
      {"1,1,3", "Squeeze", "1,3", {{0}, {1}, {-2}}, {{5}}},
      {"2,3", "Unsqueeze", "1,2,1,3", {{0, 2}, {2, 0}, {-2, -4}}, {{0, 1}, {1, 3}, {3, 0}, {0, 4}}},
  };
  for (const auto& [x, operation, y, right, wrong] : all) {
    SCOPED_TRACE(operation + " to " + y);
    const auto graph = graph_from_text("(float[" + x + "] x, int64[" + std::to_string(right[0].size()) +
                                       "] s) => (float[" + y + "] y) { y = " + operation + " (x, s) }");
    const auto made = compile(*graph, {});
    ASSERT_TRUE(made.ok()) << to_string(made.diagnostics());
    const auto run = [&](const std::vector<int64_t>& sizes) {
      Tensor data(DType::Float32, graph->inputs()[0]->type().shape());
      std::iota(data.mutable_data<float>().begin(), data.mutable_data<float>().end(), 1.0F);
      const std::vector<Tensor> feeds = {data, Tensor::vector<int64_t>(sizes)};
      const auto wanted = (*open_graph(*graph, {.backend = Backend::Reference}))->run(feeds);
      const auto got = (*open_program(made->program, {}))->run(feeds);
      if (!got.ok()) return false;
      EXPECT_EQ(to_string((*wanted)[0].shape()), to_string((*got)[0].shape()));
      EXPECT_TRUE(std::ranges::equal((*wanted)[0].data<float>(), (*got)[0].data<float>()));
      return true;
    };
    for (const auto& sizes : right) EXPECT_TRUE(run(sizes)) << ::testing::PrintToString(sizes);
    for (const auto& sizes : wrong) EXPECT_FALSE(run(sizes)) << ::testing::PrintToString(sizes);
  }
}

// ---- dynamic quantization -------------------------------------------------------------------------------------------

TEST(DynamicQuantization, GivesTheBytesOfTheReference) {
  expect_reference("(float[7,33] x) => (uint8[7,33] y, float s, uint8 z) { y, s, z = DynamicQuantizeLinear (x) }");
  expect_reference(
      "(uint8[9] x) => (uint8[9] y, float s, uint8 z) { f = Cast <to = 1> (x)  g = Add (f, f)  y, s, z = "
      "DynamicQuantizeLinear (g) }");
}

std::string bytes(int64_t count) {
  std::string values;
  for (int64_t i = 0; i < count; ++i) values += (i ? "," : "") + std::to_string(i * 37 % 255 - 127);
  return values;
}

TEST(Recurrent, LengthsThatCannotBeAreErrors) {
  const auto graph = graph_from_text(
      "(float[3,2,1] x, int32[2] lengths) => (float[3,1,2,1] y) <float[1,1,1] w = {1}> "
      "{ y = RNN <hidden_size = 1> (x, w, w, , lengths) }");
  const auto made = compile(*graph, {});
  ASSERT_TRUE(made.ok()) << to_string(made.diagnostics());
  const Tensor x(DType::Float32, {3, 2, 1});
  EXPECT_TRUE((*open_program(made->program, {}))->run({x, Tensor::vector<int32_t>({0, 3})}).ok());
  for (const int32_t length : {4, -1, INT32_MAX, INT32_MIN})
    EXPECT_FALSE((*open_program(made->program, {}))->run({x, Tensor::vector<int32_t>({2, length})}).ok()) << length;
}

TEST(DynamicQuantization, ProductsTakeComputedZeroPoints) {
  expect_reference("(float[5,32] x, float[24] b) => (float[5,24] y) <int8[32,24] w = {" + bytes(32L * 24) +
                   R"(}, float ws = {0.01}> {
    q, s, z = DynamicQuantizeLinear (x)
    i = MatMulInteger (q, w, z)
    f = Cast <to = 1> (i)
    m = Mul (s, ws)
    p = Mul (f, m)
    y = Add (p, b)
  })");
  expect_reference(
      "(uint8[2,4,8] x, uint8[2,8,4] w, uint8 zx, uint8 zw) => (int32[2,4,4] y) { y = MatMulInteger (x, w, zx, zw) }");
  expect_reference(
      "(uint8[4,8] x, int8[8,5] w, uint8[4] zx, int8[5] zw) => (int32[4,5] y) { y = MatMulInteger (x, w, zx, zw) }");
  expect_reference(
      "(uint8[4,8] x, int8[8,5] w) => (int32[4,5] y, int32[4,5] z) <uint8[4] zx = {1, 2, 3, 250}, uint8[4,1] column = "
      "{9, 8, 7, 0}> { y = MatMulInteger (x, w, zx)  z = MatMulInteger (x, w, column) }");
  expect_reference(
      "(uint8[2,4,8] x, uint8[2,8,4] w, uint8[2,4,1] zx, uint8[2,1,4] zw) => (int32[2,4,4] y) "
      "{ y = MatMulInteger (x, w, zx, zw) }");
}

TEST(DynamicQuantization, ConvolutionsTakeComputedZeroPoints) {
  expect_reference("(float[1,3,6,6] x) => (int32[1,16,6,6] y) <int8[16,3,3,3] w = {" + bytes(16L * 27) +
                   "}> { q, s, z = DynamicQuantizeLinear (x)  y = ConvInteger <pads = [1, 1, 1, 1]> (q, w, z) }");
}

}  // namespace
}  // namespace lapis
