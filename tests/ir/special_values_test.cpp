// What docs/numerics.md says of NaN, infinities, signed zeros, division by zero, ranges and empty reductions, on
// hand-worked numbers.
#include <cmath>
#include <limits>

#include "tests/ir/one_node.h"

namespace lapis::testing {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Tensor f(Floats v) { return Tensor::vector(std::move(v)); }
template <class T> Tensor v(std::vector<T> values) { return Tensor::vector(std::move(values)); }

// Bits of floats, every NaN alike: zeros keep their sign.
std::vector<uint32_t> bits(const Floats& v) {
  std::vector<uint32_t> result;
  for (float x : v) result.push_back(std::isnan(x) ? 0x7FC00000u : std::bit_cast<uint32_t>(x));
  return result;
}
void expect_floats(const OpDef& op, const std::vector<Operand>& in, const Floats& wanted, Attributes attributes = {}) {
  EXPECT_EQ(bits(values<float>(run1(op, in, std::move(attributes)))), bits(wanted)) << op.name;
}
Attributes to(DType dtype) { return {{"to", static_cast<int64_t>(dtype)}}; }

TEST(SpecialValues, IntegerDivisionByZeroIsZero) {
  const auto a = v<int32_t>({7, -7, 0, INT32_MIN}), b = v<int32_t>({0, 0, 0, -1});
  EXPECT_EQ(values<int32_t>(run1(ops::Div, {a, b})), (std::vector<int32_t>{0, 0, 0, INT32_MIN}));
  EXPECT_EQ(values<int32_t>(run1(ops::Mod, {a, b})), (std::vector<int32_t>{0, 0, 0, 0}));
  EXPECT_EQ(values<int32_t>(run1(ops::Mod, {a, b}, {{"fmod", int64_t{1}}})), (std::vector<int32_t>{0, 0, 0, 0}));
  EXPECT_EQ(values<uint8_t>(run1(ops::Div, {v<uint8_t>({9}), v<uint8_t>({0})})), (Bytes{0}));
}

TEST(SpecialValues, MaxAndMinOrderZerosAndPassNan) {
  expect_floats(ops::Max, {f({-0.0f, 0.0f, kNan, 1}), f({0.0f, -0.0f, 1, kNan})}, {0.0f, 0.0f, kNan, kNan});
  expect_floats(ops::Min, {f({-0.0f, 0.0f, kNan, 1}), f({0.0f, -0.0f, 1, kNan})}, {-0.0f, -0.0f, kNan, kNan});
}

TEST(SpecialValues, BoundsLeaveNanAndZerosAlone) {
  expect_floats(ops::Relu, {f({-0.0f, kNan, -1, -kInf})}, {-0.0f, kNan, 0, 0});
  const Tensor x = f({-0.0f, kNan, -3, 9});
  expect_floats(ops::Clip, {x, Tensor::scalar(0.0f), Tensor::scalar(kNan)}, {-0.0f, kNan, 0, 9});
  expect_floats(ops::Clip, {x, Tensor::scalar(kNan), Tensor::scalar(2.0f)}, {-0.0f, kNan, -3, 2});
  expect_floats(ops::Clip, {x, Tensor::scalar(5.0f), Tensor::scalar(2.0f)}, {2, kNan, 2, 2});
  expect_floats(ops::Celu, {f({kNan, 1, -kInf})}, {kNan, 1, -1});
}

TEST(SpecialValues, SigmoidHasTheSmallestDoubles) {
  EXPECT_DOUBLE_EQ(values<double>(run1(ops::Sigmoid, {v<double>({-710})}))[0], std::exp(-710.0));
}

TEST(SpecialValues, PowersOfIntegersAndFractions) {
  const auto base = v<int32_t>({4, 9, 2, -8, 0, 100000});
  EXPECT_EQ(values<int32_t>(run1(ops::Pow, {base, Tensor::scalar(0.5f)})), (std::vector<int32_t>{2, 3, 1, 0, 0, 316}));
  EXPECT_EQ(values<int32_t>(run1(ops::Pow, {base, Tensor::scalar(2.0f)})),
            (std::vector<int32_t>{16, 81, 4, 64, 0, INT32_MAX}));
  EXPECT_EQ(values<int32_t>(run1(ops::Pow, {base, Tensor::scalar(int64_t{2})}))[5],
            static_cast<int32_t>(uint32_t{100000} * uint32_t{100000}));
  EXPECT_EQ(values<int32_t>(run1(ops::Pow, {v<int32_t>({-1, 1, 2}), Tensor::scalar(~uint64_t{0})})),
            (std::vector<int32_t>{-1, 1, 0}));
  expect_floats(ops::Pow, {f({-0.0f, -kInf, kNan, -8}), Tensor::scalar(0.5f)}, {0.0f, kInf, kNan, kNan});
  expect_floats(ops::Pow, {f({kNan, 1}), f({0, kNan})}, {1, 1});
}

TEST(SpecialValues, PoolsPassNan) {
  const Tensor x = Tensor::of<float>({1, 1, 3, 4}, {1, kNan, 3, 2, 5, 4, kNan, kNan, 0, 1, 2, 3});
  const auto y = run(ops::MaxPool, {x}, {{"kernel_shape", Ints{2, 2}}}, 2);
  ASSERT_TRUE(y.ok());
  EXPECT_EQ(bits(values<float>((*y)[0])), bits({kNan, kNan, kNan, 5, kNan, kNan}));
  EXPECT_EQ(values<int64_t>((*y)[1]), (Ints{1, 1, 6, 4, 6, 6}));
  expect_floats(ops::GlobalMaxPool, {x}, {kNan});
  expect_floats(ops::GlobalMaxPool, {Tensor::of<float>({1, 1, 2}, {-0.0f, 0.0f})}, {0.0f});
}

TEST(SpecialValues, NanIsAboveEveryNumberInTopKAndAnExtremumOfArg) {
  const Tensor x = f({1, kNan, 3, 2, kNan, 5});
  const auto largest = run(ops::TopK, {x, v<int64_t>({6})}, {}, 2);
  ASSERT_TRUE(largest.ok());
  EXPECT_EQ(bits(values<float>((*largest)[0])), bits({kNan, kNan, 5, 3, 2, 1}));
  EXPECT_EQ(values<int64_t>((*largest)[1]), (Ints{1, 4, 5, 2, 3, 0}));
  const auto least = run(ops::TopK, {x, v<int64_t>({6})}, {{"largest", int64_t{0}}}, 2);
  ASSERT_TRUE(least.ok());
  EXPECT_EQ(values<int64_t>((*least)[1]), (Ints{0, 3, 2, 5, 1, 4}));
  for (const OpDef* op : {&ops::ArgMax, &ops::ArgMin}) {
    EXPECT_EQ(values<int64_t>(run1(*op, {x})), (Ints{1})) << op->name;
    EXPECT_EQ(values<int64_t>(run1(*op, {x}, {{"select_last_index", int64_t{1}}})), (Ints{4})) << op->name;
  }
  EXPECT_EQ(values<int64_t>(run1(ops::ArgMax, {f({0.0f, -0.0f, 0.0f})})), (Ints{0}));
}

TEST(SpecialValues, CastsSaturateRealNumbersAndWrapIntegers) {
  const Tensor x = f({kNan, kInf, -kInf, 3e9f, -1.9f, 300});
  EXPECT_EQ(values<int32_t>(run1(ops::Cast, {x}, to(DType::Int32))),
            (std::vector<int32_t>{0, INT32_MAX, INT32_MIN, INT32_MAX, -1, 300}));
  EXPECT_EQ(values<uint8_t>(run1(ops::Cast, {x}, to(DType::UInt8))), (Bytes{0, 255, 0, 255, 0, 255}));
  EXPECT_EQ(values<uint64_t>(run1(ops::Cast, {x}, to(DType::UInt64))),
            (std::vector<uint64_t>{0, UINT64_MAX, 0, 3000000000, 0, 300}));
  EXPECT_EQ(values<bool>(run1(ops::Cast, {x}, to(DType::Bool))),
            (std::vector<bool>{true, true, true, true, true, true}));
  const auto wide = v<uint64_t>({uint64_t{1} << 63, UINT64_MAX});
  EXPECT_EQ(values<int64_t>(run1(ops::Cast, {wide}, to(DType::Int64))), (Ints{INT64_MIN, -1}));
  EXPECT_EQ(values<int8_t>(run1(ops::Cast, {v<int32_t>({200, -129})}, to(DType::Int8))),
            (std::vector<int8_t>{-56, 127}));
}

// Half of a unit and a bit more, which a float would round away first.
TEST(SpecialValues, CastsOfDoublesToHalvesRoundOnce) {
  const auto x = v<double>({1 + 0x1p-11 + 0x1p-30, 1 + 0x1p-11, -1 - 0x1p-11 - 0x1p-40, 65519.999999, 1e300, 1e-300});
  std::vector<float> got;
  for (const Float16 h : values<Float16>(run1(ops::Cast, {x}, to(DType::Float16)))) got.push_back(to_float(h));
  EXPECT_EQ(got, (Floats{1 + 0x1p-10f, 1, -1 - 0x1p-10f, 65504, kInf, 0}));
}

// As ONNX's cases have it: out of range the low bits stay.
TEST(SpecialValues, CastsToFourAndTwoBitsKeepTheLowBits) {
  const Tensor x = f({-9, -8, 7, 8, 15, 2.9f});
  EXPECT_EQ(run1(ops::Cast, {x}, to(DType::Int4)).as_ints(), (Ints{7, -8, 7, -8, -1, 2}));
  EXPECT_EQ(run1(ops::Cast, {x}, to(DType::UInt4)).as_ints(), (Ints{7, 8, 7, 8, 15, 2}));
  EXPECT_EQ(run1(ops::Cast, {f({-3, -2, 2, 3})}, to(DType::Int2)).as_ints(), (Ints{1, -2, -2, -1}));
  EXPECT_EQ(run1(ops::Cast, {v<int32_t>({-1, 17})}, to(DType::UInt4)).as_ints(), (Ints{15, 1}));
}

TEST(SpecialValues, QuantizeGivesTheLowestValueForNan) {
  const Tensor x = Tensor::of<float>({2, 3}, {1, kInf, 300, 4, kNan, -kInf});
  const Operand scales = f({0.5f, 2, 10}), zeros = v<int8_t>({0, 1, -1});
  EXPECT_EQ(values<int8_t>(run1(ops::QuantizeLinear, {x, scales, zeros}, {{"axis", int64_t{1}}})),
            (std::vector<int8_t>{2, 127, 29, 8, -128, -128}));
  EXPECT_EQ(values<uint8_t>(run1(ops::QuantizeLinear, {x, Tensor::scalar(1.0f), Tensor::scalar(uint8_t{7})})),
            (Bytes{8, 255, 255, 11, 0, 0}));
}

// ---- reductions -----------------------------------------------------------------------------------------------------

template <class T> void expect_of_nothing(const OpDef& op, T wanted) {
  const Tensor y = run1(op, {Tensor(dtype_of<T>, {2, 0}), v<int64_t>({1})}, {{"keepdims", int64_t{0}}});
  ASSERT_EQ(y.shape(), (Shape{2}));
  EXPECT_EQ(y.data<T>()[0], wanted) << op.name << " of " << name_of(dtype_of<T>);
}
template <class T> void expect_extremes_of_nothing() {
  expect_of_nothing<T>(ops::ReduceMax, std::numeric_limits<T>::lowest());
  expect_of_nothing<T>(ops::ReduceMin, std::numeric_limits<T>::max());
}

TEST(SpecialValues, ReductionsOverNothing) {
  expect_extremes_of_nothing<int8_t>();
  expect_extremes_of_nothing<uint8_t>();
  expect_extremes_of_nothing<int32_t>();
  expect_extremes_of_nothing<uint32_t>();
  expect_extremes_of_nothing<int64_t>();
  expect_extremes_of_nothing<uint64_t>();
  expect_of_nothing<bool>(ops::ReduceMax, false);
  expect_of_nothing<bool>(ops::ReduceMin, true);
  expect_of_nothing<float>(ops::ReduceMax, -kInf);
  expect_of_nothing<float>(ops::ReduceMin, kInf);
  expect_of_nothing<float>(ops::ReduceSum, 0);
  expect_of_nothing<int32_t>(ops::ReduceProd, 1);
  expect_of_nothing<int32_t>(ops::ReduceMean, 0);
  expect_of_nothing<float>(ops::ReduceLogSumExp, -kInf);
  expect_of_nothing<int32_t>(ops::ReduceLogSum, INT32_MIN);
  EXPECT_TRUE(std::isnan(run1(ops::ReduceMean, {Tensor(DType::Float32, {0})}).as_double(0)));
}

TEST(SpecialValues, RootsAndLogarithmsOfIntegers) {
  const Tensor x = Tensor::of<int32_t>({2, 2}, {60000, 80000, 1, 2});
  const Operand axis = v<int64_t>({1});
  EXPECT_EQ(values<int32_t>(run1(ops::ReduceL2, {x, axis})), (std::vector<int32_t>{100000, 2}));
  EXPECT_EQ(values<int32_t>(run1(ops::ReduceMean, {Tensor::of<int32_t>({1, 2}, {INT32_MAX, INT32_MAX}), axis})),
            (std::vector<int32_t>{INT32_MAX}));
  EXPECT_EQ(values<int32_t>(run1(ops::ReduceLogSumExp, {x, axis})), (std::vector<int32_t>{80000, 2}));
}

TEST(SpecialValues, LogSumExpOfInfinities) {
  const Tensor x = Tensor::of<float>({4, 2}, {-kInf, -kInf, kInf, 0, kNan, kInf, kInf, -kInf});
  expect_floats(ops::ReduceLogSumExp, {x, v<int64_t>({1})}, {-kInf, kInf, kNan, kInf}, {{"keepdims", int64_t{0}}});
}

TEST(SpecialValues, TailsKeepTheirRelativeAccuracy) {
  auto near = [](float got, double wanted) { EXPECT_NEAR(static_cast<double>(got) / wanted, 1, 1e-6) << wanted; };
  near(values<float>(run1(ops::Gelu, {f({-8})}))[0], -8 * 6.220960574271785e-16);
  near(values<float>(run1(ops::Softplus, {f({-30})}))[0], std::exp(-30.0));
  near(values<float>(run1(ops::Elu, {f({-1e-7f})}))[0], std::expm1(static_cast<double>(-1e-7f)));
  near(values<float>(run1(ops::LogSoftmax, {Tensor::of<float>({1, 2}, {25, 0})}))[0], -std::exp(-25.0));
  near(values<float>(run1(ops::LogSoftmax, {Tensor::of<float>({1, 3}, {-34, 0, -34})}))[1], -2 * std::exp(-34.0));
}

}  // namespace
}  // namespace lapis::testing
