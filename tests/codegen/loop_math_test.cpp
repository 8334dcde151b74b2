// The elementary functions: largest error against double std:: over all exponents, special values, and the same bits on every level.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <functional>

#include "tests/codegen/loop_runner.h"

namespace lapis::testing {
namespace {

// Floats of every exponent: a prime stride through all bit patterns, and the special ones.
const std::vector<float>& sweep() {
  static const std::vector<float> values = [] {
    std::vector<float> v = {0.0f,   -0.0f,   1.0f,    -1.0f,  INFINITY, -INFINITY, NAN,  88.72f, 88.73f,
                            -87.4f, -103.9f, -104.1f, 0.625f, 4.0f,     -4.0f,     9.0f, 1e-45f, -1e-45f};
    for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 19997)
      v.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
    for (int i = -40000; i <= 40000; ++i) v.push_back(static_cast<float>(i) * 0.0005f);
    return v;
  }();
  return values;
}

template <class T> Tensor tensor_of(const std::vector<T>& values) {
  Tensor t(dtype_of<T>, {static_cast<int64_t>(values.size())});
  std::memcpy(t.mutable_raw(), values.data(), values.size() * sizeof(T));
  return t;
}

// `op` of each x (and y) on every level; all levels must agree on the bits.
template <class T> std::vector<T> evaluate(Op op, const std::vector<T>& x, const std::vector<T>* y = nullptr) {
  LoopPlan p;
  const Shape n = {static_cast<int64_t>(x.size())};
  const DType type = dtype_of<T>;
  Loop loop;
  loop.domain = n;
  loop.views = {dense_view(p.input(tensor_of(x)), type, n)};
  std::vector<Instr> body = {{Op::Load, type, {-1, -1, -1}, 0}};
  if (y) {
    loop.views.push_back(dense_view(p.input(tensor_of(*y)), type, n));
    body.push_back({Op::Load, type, {-1, -1, -1}, 1});
  }
  const auto last = static_cast<int32_t>(body.size());
  body.push_back({op, type, {0, y ? 1 : -1, -1}});
  loop.views.push_back(dense_view(p.output(type, n), type, n));
  loop.phases = {{Loop::Over::Row, body, {}, {{last, last}}}};
  p.add(loop);
  std::vector<Tensor> results;
  for (const Target& target : runnable_levels()) results.push_back(run_loops(p, target).outputs.at(0));
  for (const Tensor& r : results)
    EXPECT_TRUE(r == results[0]) << "op " << static_cast<int>(op) << " differs between levels";
  const auto data = results[0].data<T>();
  return {data.begin(), data.end()};
}

// Distance in units of the last place of T, 0 where both are NaN, infinite of one sign, or equal.
template <class T> double ulps(T got, long double wanted) {
  if (std::isnan(got) || std::isnan(wanted)) return std::isnan(got) && std::isnan(wanted) ? 0 : INFINITY;
  const T nearest = static_cast<T>(wanted);
  if (got == nearest) return std::signbit(got) == std::signbit(nearest) ? 0 : INFINITY;
  if (std::isinf(got) || std::isinf(nearest)) return INFINITY;
  const int exponent = std::max(std::ilogb(nearest == 0 ? std::numeric_limits<T>::denorm_min() : nearest),
                                std::numeric_limits<T>::min_exponent - 1);
  return static_cast<double>(std::abs(static_cast<long double>(got) - wanted) /
                             std::ldexp(1.0L, exponent - std::numeric_limits<T>::digits + 1));
}

void expect_accurate(const char* name, Op op, long double (*reference)(long double), double bound,
                     double range = INFINITY) {
  std::vector<float> x;
  for (const float v : sweep())
    if (!(std::abs(v) > range)) x.push_back(v);
  const std::vector<float> y = evaluate(op, x);
  double worst = 0;
  float at = 0;
  for (size_t i = 0; i < x.size(); ++i)
    if (const double e = ulps(y[i], reference(x[i])); e > worst) {
      worst = e;
      at = x[i];
    }
  ::testing::Test::RecordProperty(name, std::to_string(worst));
  std::printf("%-8s largest error %.3f ulp at %.9g\n", name, worst, static_cast<double>(at));
  EXPECT_LE(worst, bound) << name << " at " << at;
}

long double sigmoid(long double x) { return 1 / (1 + std::exp(-x)); }

long double normal_cdf(long double x) { return 0.5L * std::erfc(-x / std::sqrt(2.0L)); }

TEST(LoopMath, FunctionsInFloat) {
  using L = long double;
  expect_accurate(
      "Exp", Op::Exp, [](L x) { return std::exp(x); }, 1.0);
  expect_accurate(
      "Expm1", Op::Expm1, [](L x) { return std::expm1(x); }, 1.6);
  expect_accurate(
      "Log", Op::Log, [](L x) { return std::log(x); }, 1.0);
  expect_accurate(
      "Log1p", Op::Log1p, [](L x) { return std::log1p(x); }, 1.6);
  expect_accurate(
      "Erf", Op::Erf, [](L x) { return std::erf(x); }, 1.5);
  expect_accurate("NormalCdf", Op::NormalCdf, normal_cdf, 6.0);
  expect_accurate(
      "Tanh", Op::Tanh, [](L x) { return std::tanh(x); }, 2.0);
  expect_accurate("Sigmoid", Op::Sigmoid, sigmoid, 2.0);
}

// Angles of every size: reduced by as many bits of 2/pi as they need.
TEST(LoopMath, FunctionsThroughDouble) {
  using L = long double;
  constexpr double kBound = 0.51;
  expect_accurate(
      "Sin", Op::Sin, [](L x) { return static_cast<L>(std::sin(static_cast<double>(x))); }, kBound);
  expect_accurate(
      "Cos", Op::Cos, [](L x) { return static_cast<L>(std::cos(static_cast<double>(x))); }, kBound);
  expect_accurate(
      "Tan", Op::Tan, [](L x) { return static_cast<L>(std::tan(static_cast<double>(x))); }, kBound);
  expect_accurate(
      "Asin", Op::Asin, [](L x) { return std::asin(x); }, kBound);
  expect_accurate(
      "Acos", Op::Acos, [](L x) { return std::acos(x); }, kBound);
  expect_accurate(
      "Atan", Op::Atan, [](L x) { return std::atan(x); }, kBound);
  expect_accurate(
      "Sinh", Op::Sinh, [](L x) { return std::sinh(x); }, kBound);
  expect_accurate(
      "Cosh", Op::Cosh, [](L x) { return std::cosh(x); }, kBound);
  expect_accurate(
      "Asinh", Op::Asinh, [](L x) { return std::asinh(x); }, kBound);
  expect_accurate(
      "Acosh", Op::Acosh, [](L x) { return std::acosh(x); }, kBound);
  expect_accurate(
      "Atanh", Op::Atanh, [](L x) { return std::atanh(x); }, kBound);
}

TEST(LoopMath, PowOfAllPairs) {
  std::vector<float> values = {0.0f,      -0.0f, 1.0f,  -1.0f,  2.0f,  -2.0f,  3.0f,   -3.0f,       0.5f,     -0.5f,
                               0.1f,      1.1f,  -1.1f, 1e-40f, 1e10f, -1e10f, 1e38f,  16777215.0f, 1e30f,    INFINITY,
                               -INFINITY, NAN,   2.5f,  -2.5f,  7.0f,  -7.0f,  100.0f, 0.999999f,   1.000001f};
  for (int i = 0; i < 120; ++i) values.push_back(std::ldexp(1 + static_cast<float>(i) / 121, i % 30 - 15));
  std::vector<float> x, y;
  for (const float a : values)
    for (const float b : values) {
      x.push_back(a);
      y.push_back(b);
    }
  const std::vector<float> z = evaluate(Op::Pow, x, &y);
  for (size_t i = 0; i < x.size(); ++i)
    ASSERT_LE(ulps(z[i], std::pow(static_cast<long double>(x[i]), static_cast<long double>(y[i]))), 0.51)
        << x[i] << " ^ " << y[i] << " = " << z[i];
}

// Of every magnitude, of both signs.
std::vector<double> doubles() {
  std::vector<double> x = {0.0, -0.0, INFINITY, -INFINITY, NAN, 1, -1, 0.5, 2};
  for (int i = -3000; i <= 3000; ++i) x.push_back(i * 0.01 + 1e-5);
  for (int e = -1070; e < 1023; e += 3)
    for (const double sign : {1.0, -1.0}) x.push_back(sign * std::ldexp(1.2345678901234567, e));
  return x;
}

TEST(LoopMath, DoublesKeepDoublePrecision) {
  using L = long double;
  // The library's sine of long double reduces huge angles by pi itself, as that of double does.
  const std::pair<Op, L (*)(L)> functions[] = {
      {Op::Exp, [](L v) { return std::exp(v); }},     {Op::Expm1, [](L v) { return std::expm1(v); }},
      {Op::Log, [](L v) { return std::log(v); }},     {Op::Log1p, [](L v) { return std::log1p(v); }},
      {Op::Tanh, [](L v) { return std::tanh(v); }},   {Op::Sigmoid, sigmoid},
      {Op::Sin, [](L v) { return std::sin(v); }},     {Op::Cos, [](L v) { return std::cos(v); }},
      {Op::Tan, [](L v) { return std::tan(v); }},     {Op::Asin, [](L v) { return std::asin(v); }},
      {Op::Acos, [](L v) { return std::acos(v); }},   {Op::Atan, [](L v) { return std::atan(v); }},
      {Op::Sinh, [](L v) { return std::sinh(v); }},   {Op::Cosh, [](L v) { return std::cosh(v); }},
      {Op::Asinh, [](L v) { return std::asinh(v); }}, {Op::Acosh, [](L v) { return std::acosh(v); }},
      {Op::Atanh, [](L v) { return std::atanh(v); }}};
  const std::vector<double> x = doubles();
  for (const auto& [op, reference] : functions) {
    const std::vector<double> y = evaluate(op, x);
    for (size_t i = 0; i < x.size(); ++i)
      ASSERT_LE(ulps(y[i], reference(x[i])), 8.0) << "op " << static_cast<int>(op) << " of " << x[i] << ": " << y[i];
  }
}

// Powers that are whole numbers come out whole: integers to the power of fractions are cut behind the point.
TEST(LoopMath, PowersOfDoublesAreAccurate) {
  std::vector<double> x, y;
  for (int i = 1; i <= 300; ++i)
    for (const double e : {0.5, 1.0 / 3, 1.5, 2.5, 2.0, 3.0, -1.0, -2.0, 0.25, 7.0, 31.25, -3.75}) {
      x.push_back(e == 0.5 ? static_cast<double>(i) * i : i);
      y.push_back(e);
    }
  for (const double a : {0.0, -0.0, 1.0, -1.0, -8.0, 0.999999, 1e300, 1e-300, 5e-324, HUGE_VAL, -HUGE_VAL})
    for (const double e : {0.0, 0.5, -0.5, 3.0, -3.0, 1e9, HUGE_VAL, -HUGE_VAL, static_cast<double>(NAN)}) {
      x.push_back(a);
      y.push_back(e);
    }
  const std::vector<double> z = evaluate(Op::Pow, x, &y);
  for (size_t i = 0; i < x.size(); ++i)
    ASSERT_LE(ulps(z[i], std::pow(static_cast<long double>(x[i]), static_cast<long double>(y[i]))), 0.8)
        << x[i] << " ^ " << y[i] << " = " << z[i];
}

}  // namespace
}  // namespace lapis::testing
