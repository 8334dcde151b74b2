// Unary, binary and variadic elementwise operators, comparison, logic, Where and Cast on hand-worked numbers.
#include <cmath>
#include <limits>

#include "tests/ir/one_node.h"

namespace lapis::testing {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Tensor f(Floats v) { return Tensor::vector(std::move(v)); }
template <class T> Tensor v(std::vector<T> values) { return Tensor::vector(std::move(values)); }
Floats floats_of(const OpDef& op, const std::vector<Operand>& in, Attributes attributes = {}) {
  return values<float>(run1(op, in, std::move(attributes)));
}

TEST(Unary, RoundsHalvesToEven) {
  EXPECT_EQ(floats_of(ops::Round, {f({0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 2.4f, -2.6f})}),
            (Floats{0, 2, 2, -0.0f, -2, 2, -3}));
  EXPECT_EQ(floats_of(ops::Floor, {f({-1.5f, 1.5f, -0.0f})}), (Floats{-2, 1, -0.0f}));
  EXPECT_EQ(floats_of(ops::Ceil, {f({-1.5f, 1.5f})}), (Floats{-1, 2}));
}

TEST(Unary, IntegersWrapAtTheirLowest) {
  EXPECT_EQ(values<int8_t>(run1(ops::Abs, {v<int8_t>({-128, -3, 5})})), (std::vector<int8_t>{-128, 3, 5}));
  EXPECT_EQ(values<int8_t>(run1(ops::Neg, {v<int8_t>({-128, -3, 5})})), (std::vector<int8_t>{-128, 3, -5}));
  EXPECT_EQ(values<int64_t>(run1(ops::Neg, {v<int64_t>({INT64_MIN, 7})})), (Ints{INT64_MIN, -7}));
  EXPECT_EQ(values<uint8_t>(run1(ops::BitwiseNot, {v<uint8_t>({0, 0x0F})})), (Bytes{0xFF, 0xF0}));
}

TEST(Unary, SignKnowsZeroAndNan) {
  const Floats s = floats_of(ops::Sign, {f({-3, 0, 5, kNan})});
  EXPECT_EQ((Floats{s.begin(), s.begin() + 3}), (Floats{-1, 0, 1}));
  EXPECT_TRUE(std::isnan(s[3]));
  EXPECT_EQ(values<uint8_t>(run1(ops::Sign, {v<uint8_t>({0, 200})})), (Bytes{0, 1}));
}

TEST(Unary, TranscendentalsAreRoundedOnceFromDouble) {
  EXPECT_EQ(floats_of(ops::Exp, {f({1})})[0], static_cast<float>(std::exp(1.0)));
  EXPECT_EQ(floats_of(ops::Erf, {f({0.3f})})[0], static_cast<float>(std::erf(double{0.3f})));
  EXPECT_EQ(floats_of(ops::Tanh, {f({-kInf, 0, kInf})}), (Floats{-1, 0, 1}));
  EXPECT_EQ(floats_of(ops::Sigmoid, {f({-1000, 0, 1000})}), (Floats{0, 0.5f, 1}));
  EXPECT_EQ(floats_of(ops::Softplus, {f({-1000, 0, 1000})}), (Floats{0, static_cast<float>(std::log(2.0)), 1000}));
}

TEST(Unary, HalfPrecisionComputesInFloat) {
  const Tensor x = Tensor::vector<Float16>({to_float16(0.1f), to_float16(-2.0f)});
  const auto y = values<Float16>(run1(ops::Reciprocal, {x}));
  EXPECT_EQ(y[0].bits, to_float16(1 / to_float(to_float16(0.1f))).bits);
  EXPECT_EQ(to_float(y[1]), -0.5f);
  EXPECT_EQ(to_float(values<BFloat16>(run1(ops::Sqrt, {Tensor::vector<BFloat16>({to_bfloat16(9)})}))[0]), 3.0f);
}

TEST(Activation, PiecewiseLinearOnesAreExactFloatArithmetic) {
  EXPECT_EQ(floats_of(ops::Relu, {f({-1, 0, 2, kInf})}), (Floats{0, 0, 2, kInf}));
  EXPECT_TRUE(std::isnan(floats_of(ops::Relu, {f({kNan})})[0]));
  EXPECT_EQ(floats_of(ops::LeakyRelu, {f({-3, 4})}, {{"alpha", 0.1f}}), (Floats{0.1f * -3.0f, 4}));
  EXPECT_EQ(floats_of(ops::HardSigmoid, {f({-4, -1, 0, 4})}), (Floats{0, 0.2f * -1.0f + 0.5f, 0.5f, 1}));
  EXPECT_EQ(floats_of(ops::HardSwish, {f({-4, 1.5f, 4})}), (Floats{-0.0f, 1.5f * (1.0f / 6 * 1.5f + 0.5f), 4}));
  EXPECT_EQ(floats_of(ops::ThresholdedRelu, {f({1, 1.5f, -3})}), (Floats{0, 1.5f, 0}));
  EXPECT_EQ(floats_of(ops::PRelu, {Tensor::of<float>({2, 2}, {-1, 2, -3, -4}), f({0.5f, 0.25f})}),
            (Floats{-0.5f, 2, -1.5f, -1}));
}

TEST(Activation, CurvesMatchTheirFormulas) {
  EXPECT_FLOAT_EQ(floats_of(ops::Elu, {f({-1})}, {{"alpha", 2.0f}})[0], 2 * (std::exp(-1.0f) - 1));
  EXPECT_FLOAT_EQ(floats_of(ops::Selu, {f({-1})})[0], 1.0507010f * 1.6732632f * (std::exp(-1.0f) - 1));
  EXPECT_FLOAT_EQ(floats_of(ops::Celu, {f({-1, 3})}, {{"alpha", 2.0f}})[0], 2 * (std::exp(-0.5f) - 1));
  EXPECT_FLOAT_EQ(floats_of(ops::Swish, {f({2})})[0], 2 / (1 + std::exp(-2.0f)));
  EXPECT_FLOAT_EQ(floats_of(ops::Mish, {f({1})})[0], 0.86509839f);
  EXPECT_FLOAT_EQ(floats_of(ops::Gelu, {f({1})})[0], 0.84134475f);
  EXPECT_FLOAT_EQ(floats_of(ops::Gelu, {f({1})}, {{"approximate", std::string("tanh")}})[0], 0.84119199f);
  EXPECT_EQ(inferred(ops::Gelu, {f({1})}, {{"approximate", std::string("fast")}}),
            "approximate is 'fast', allowed are none and tanh");
}

TEST(Clip, BoundsAreOptionalAndUpperWins) {
  const Tensor x = f({-5, 0.5f, 5});
  EXPECT_EQ(floats_of(ops::Clip, {x}), (Floats{-5, 0.5f, 5}));
  EXPECT_EQ(floats_of(ops::Clip, {x, Tensor::scalar(0.0f)}), (Floats{0, 0.5f, 5}));
  EXPECT_EQ(floats_of(ops::Clip, {x, nullptr, Tensor::scalar(1.0f)}), (Floats{-5, 0.5f, 1}));
  EXPECT_EQ(floats_of(ops::Clip, {x, Tensor::scalar(2.0f), Tensor::scalar(1.0f)}), (Floats{1, 1, 1}));
  EXPECT_EQ(values<uint8_t>(run1(
                ops::Clip, {v<uint8_t>({0, 100, 255}), Tensor::scalar<uint8_t>(10), Tensor::scalar<uint8_t>(200)})),
            (Bytes{10, 100, 200}));
  EXPECT_EQ(values<int8_t>(run1(ops::Clip, {v<int8_t>({-128, 3}), Tensor::scalar<int8_t>(-5)})),
            (std::vector<int8_t>{-5, 3}));
}

TEST(Binary, Broadcasts) {
  const Tensor a = Tensor::of<float>({2, 1}, {10, 20}), b = f({1, 2, 3});
  EXPECT_EQ(run1(ops::Add, {a, b}), (Tensor::of<float>({2, 3}, {11, 12, 13, 21, 22, 23})));
  EXPECT_EQ(run1(ops::Sub, {b, a}), (Tensor::of<float>({2, 3}, {-9, -8, -7, -19, -18, -17})));
  EXPECT_EQ(run1(ops::Mul, {Tensor::scalar(2.0f), b}), f({2, 4, 6}));
  EXPECT_EQ(run1(ops::Add, {Tensor(DType::Float32, {0, 3}), b}).shape(), (Shape{0, 3}));
  EXPECT_NE(inferred(ops::Add, {f({1, 2}), b}).find("cannot broadcast"), std::string::npos);
  EXPECT_NE(inferred(ops::PRelu, {floats({2, 1}), floats({1, 2})}).find("must broadcast to the input"),
            std::string::npos);
  EXPECT_NE(inferred(ops::Add, {b, v<int32_t>({1, 2, 3})}).find("must be of one type"), std::string::npos);
}

TEST(Binary, IntegerArithmeticWraps) {
  EXPECT_EQ(values<uint8_t>(run1(ops::Add, {v<uint8_t>({250}), v<uint8_t>({10})})), (Bytes{4}));
  EXPECT_EQ(values<int8_t>(run1(ops::Sub, {v<int8_t>({-128}), v<int8_t>({1})})), (std::vector<int8_t>{127}));
  EXPECT_EQ(values<int32_t>(run1(ops::Mul, {v<int32_t>({1 << 30}), v<int32_t>({6})})),
            (std::vector<int32_t>{INT32_MIN}));
  EXPECT_EQ(values<int64_t>(run1(ops::Add, {v<int64_t>({INT64_MAX}), v<int64_t>({1})})), (Ints{INT64_MIN}));
}

TEST(Binary, DivisionTruncatesAndModFollowsItsSign) {
  const Tensor a = v<int32_t>({7, -7, 7, -7, INT32_MIN}), b = v<int32_t>({2, 2, -2, -2, -1});
  EXPECT_EQ(values<int32_t>(run1(ops::Div, {a, b})), (std::vector<int32_t>{3, -3, -3, 3, INT32_MIN}));
  EXPECT_EQ(values<int32_t>(run1(ops::Mod, {a, b})), (std::vector<int32_t>{1, 1, -1, -1, 0}));
  EXPECT_EQ(values<int32_t>(run1(ops::Mod, {a, b}, {{"fmod", int64_t{1}}})), (std::vector<int32_t>{1, -1, 1, -1, 0}));
  EXPECT_EQ(floats_of(ops::Mod, {f({5.5f, -5.5f}), f({2, 2})}, {{"fmod", int64_t{1}}}), (Floats{1.5f, -1.5f}));
  EXPECT_EQ(floats_of(ops::Div, {f({1, -1}), f({0, 0})}), (Floats{kInf, -kInf}));
}

TEST(Binary, PowKeepsTheTypeOfTheBase) {
  EXPECT_EQ(values<int32_t>(run1(ops::Pow, {v<int32_t>({2, -3, 5}), v<int64_t>({10, 3, 0})})),
            (std::vector<int32_t>{1024, -27, 1}));
  EXPECT_EQ(values<int32_t>(run1(ops::Pow, {v<int32_t>({-1, 2, 1}), v<int32_t>({-3, -1, -9})})),
            (std::vector<int32_t>{-1, 0, 1}));
  EXPECT_EQ(floats_of(ops::Pow, {f({4, 2}), v<int32_t>({2, -1})}), (Floats{16, 0.5f}));
  EXPECT_EQ(values<int32_t>(run1(ops::Pow, {v<int32_t>({9}), f({0.5f})})), (std::vector<int32_t>{3}));
}

TEST(Variadic, FoldsAnyNumberOfOperands) {
  const Tensor a = f({1, 5, 3}), b = f({4, 2, kNan}), c = Tensor::scalar(3.0f);
  EXPECT_EQ(floats_of(ops::Sum, {a, c}), (Floats{4, 8, 6}));
  EXPECT_EQ(floats_of(ops::Mean, {a, c, f({2, 1, 0})}), (Floats{2, 3, 2}));
  EXPECT_EQ(floats_of(ops::Max, {a}), (Floats{1, 5, 3}));
  const Floats most = floats_of(ops::Max, {a, b, c}), least = floats_of(ops::Min, {b, a, c});
  EXPECT_EQ(most[0], 4);
  EXPECT_EQ(least[1], 2);
  EXPECT_TRUE(std::isnan(most[2]) && std::isnan(least[2]));
  EXPECT_EQ(values<int8_t>(run1(ops::Min, {v<int8_t>({-128, 7}), v<int8_t>({3})})), (std::vector<int8_t>{-128, 3}));
  EXPECT_EQ(values<uint8_t>(run1(ops::Max, {v<uint8_t>({128, 7}), v<uint8_t>({127})})), (Bytes{128, 127}));
}

TEST(Bits, ShiftAndCombine) {
  const Tensor x = v<uint8_t>({0b1100, 255, 1}), y = v<uint8_t>({2, 1, 9});
  EXPECT_EQ(values<uint8_t>(run1(ops::BitShift, {x, y}, {{"direction", std::string("RIGHT")}})), (Bytes{0b11, 127, 0}));
  EXPECT_EQ(values<uint8_t>(run1(ops::BitShift, {x, y}, {{"direction", std::string("LEFT")}})),
            (Bytes{0b110000, 254, 0}));
  EXPECT_EQ(values<uint8_t>(run1(ops::BitwiseAnd, {x, y})), (Bytes{0, 1, 1}));
  EXPECT_EQ(values<uint8_t>(run1(ops::BitwiseOr, {x, y})), (Bytes{14, 255, 9}));
  EXPECT_EQ(values<uint8_t>(run1(ops::BitwiseXor, {x, y})), (Bytes{14, 254, 8}));
}

std::vector<int> truths(const Tensor& t) {
  std::vector<int> result;
  for (bool b : t.data<bool>()) result.push_back(b);
  return result;
}

TEST(Comparison, OrdersAndLogic) {
  const Tensor a = f({1, 2, kNan}), b = f({2, 2, kNan});
  EXPECT_EQ(truths(run1(ops::Equal, {a, b})), (std::vector{0, 1, 0}));
  EXPECT_EQ(truths(run1(ops::Less, {a, b})), (std::vector{1, 0, 0}));
  EXPECT_EQ(truths(run1(ops::LessOrEqual, {a, b})), (std::vector{1, 1, 0}));
  EXPECT_EQ(truths(run1(ops::Greater, {b, a})), (std::vector{1, 0, 0}));
  EXPECT_EQ(truths(run1(ops::GreaterOrEqual, {a, b})), (std::vector{0, 1, 0}));
  EXPECT_EQ(truths(run1(ops::Less, {v<uint8_t>({200}), v<uint8_t>({100})})), (std::vector{0}));
  const Tensor p = v<bool>({true, true, false}), q = v<bool>({true, false, false});
  EXPECT_EQ(truths(run1(ops::And, {p, q})), (std::vector{1, 0, 0}));
  EXPECT_EQ(truths(run1(ops::Or, {p, q})), (std::vector{1, 1, 0}));
  EXPECT_EQ(truths(run1(ops::Xor, {p, q})), (std::vector{0, 1, 0}));
  EXPECT_EQ(truths(run1(ops::Not, {p})), (std::vector{0, 0, 1}));
  EXPECT_EQ(truths(run1(ops::Equal, {Tensor::strings({2}, {"a", "b"}), Tensor::strings({1}, {"b"})})),
            (std::vector{0, 1}));
  EXPECT_EQ(truths(run1(ops::IsInf, {f({kInf, -kInf, 1})}, {{"detect_negative", int64_t{0}}})), (std::vector{1, 0, 0}));
  EXPECT_EQ(truths(run1(ops::IsNaN, {a})), (std::vector{0, 0, 1}));
  EXPECT_EQ(inferred(ops::Less, {floats({N(), 1}), floats({4})}), "bool[N,4]");
}

TEST(Where, PicksPerElement) {
  const Tensor condition = Tensor::of<bool>({2, 1}, {true, false});
  EXPECT_EQ(run1(ops::Where, {condition, v<uint8_t>({1, 2}), Tensor::scalar<uint8_t>(9)}),
            (Tensor::of<uint8_t>({2, 2}, {1, 2, 9, 9})));
  EXPECT_EQ(inferred(ops::Where, {Type::tensor(DType::Bool, Dims{N(), 1}), floats({3}), floats({})}), "float[N,3]");
}

TEST(Cast, TruncatesSaturatesAndWraps) {
  auto to = [](DType t) { return Attributes{{"to", static_cast<int64_t>(t)}}; };
  EXPECT_EQ(values<int32_t>(run1(ops::Cast, {f({1.9f, -1.9f, 3e9f, -kInf, kNan})}, to(DType::Int32))),
            (std::vector<int32_t>{1, -1, INT32_MAX, INT32_MIN, 0}));
  EXPECT_EQ(values<uint8_t>(run1(ops::Cast, {f({255.9f, 256, -3})}, to(DType::UInt8))), (Bytes{255, 255, 0}));
  EXPECT_EQ(values<int8_t>(run1(ops::Cast, {v<int32_t>({200, -129, 5})}, to(DType::Int8))),
            (std::vector<int8_t>{-56, 127, 5}));
  EXPECT_EQ(floats_of(ops::Cast, {v<int64_t>({16777217, -2})}, to(DType::Float32)), (Floats{16777216, -2}));
  EXPECT_EQ(truths(run1(ops::Cast, {f({0, -0.0f, 0.1f, kNan})}, to(DType::Bool))), (std::vector{0, 0, 1, 1}));
  EXPECT_EQ(floats_of(ops::Cast, {v<bool>({true, false})}, to(DType::Float32)), (Floats{1, 0}));
  EXPECT_EQ(to_float(values<Float16>(run1(ops::Cast, {f({65520})}, to(DType::Float16)))[0]), kInf);
  const Tensor packed = run1(ops::Cast, {f({-8.5f, 7.5f, 3})}, to(DType::Int4));
  EXPECT_EQ(packed.as_ints(), (Ints{-8, 7, 3}));
  EXPECT_EQ(floats_of(ops::Cast, {packed}, to(DType::Float32)), (Floats{-8, 7, 3}));
  EXPECT_EQ(run1(ops::CastLike, {f({2.5f}), v<int64_t>({})}), v<int64_t>({2}));
  EXPECT_EQ(inferred(ops::Cast, {f({1})}, to(DType::String)), "cannot convert to string");
}

TEST(Traits, SayWhatPassesRelyOn) {
  EXPECT_TRUE(ops::Add.has(Trait::Commutative) && !ops::Sub.has(Trait::Commutative));
  EXPECT_TRUE(ops::Relu.has(Trait::Monotonic) && ops::Clip.has(Trait::Monotonic) &&
              !ops::HardSwish.has(Trait::Monotonic));
  EXPECT_TRUE(ops::Reshape.has(Trait::Movement) && ops::Gather.has(Trait::ValuePreserving) &&
              !ops::Gather.has(Trait::Movement));
  EXPECT_EQ(ops::Gelu.int8_form(), Quant::Elementwise);
  EXPECT_EQ(ops::Exp.int8_form(), Quant::KeepFloat);
  EXPECT_EQ(ops::Concat.int8_form(), Quant::SharedScale);
  EXPECT_FALSE(ops::If.has(Trait::Pure));
}

}  // namespace
}  // namespace lapis::testing
