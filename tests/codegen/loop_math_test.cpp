// The elementary functions: largest error against double std::
// over all exponents, special values, and the same bits on every level.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "codegen/scalar/expand.h"
#include "codegen/scalar/ops.h"
#include "codegen/scalar/program.h"
#include "tests/codegen/loop_runner.h"
#include "tests/codegen/scalar_oracle.h"

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
  for (const Tensor& r : results) EXPECT_TRUE(r == results[0]) << scalar::row_of(op).name << " differs between levels";
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

// The functions whose rows say that they need more than a double to be judged by: long double rounds what the row's
// reference, a double, would lose.
long double exactly(Op op, long double x) {
  switch (op) {
    case Op::Exp: return std::exp(x);
    case Op::Expm1: return std::expm1(x);
    case Op::Log: return std::log(x);
    case Op::Log1p: return std::log1p(x);
    case Op::Sin: return std::sin(x);  // reduces huge angles by pi itself, as that of double does
    case Op::Cos: return std::cos(x);
    case Op::Tan: return std::tan(x);
    case Op::Asin: return std::asin(x);
    case Op::Acos: return std::acos(x);
    case Op::Atan: return std::atan(x);
    case Op::Sinh: return std::sinh(x);
    case Op::Cosh: return std::cosh(x);
    case Op::Tanh: return std::tanh(x);
    case Op::Asinh: return std::asinh(x);
    case Op::Acosh: return std::acosh(x);
    case Op::Atanh: return std::atanh(x);
    case Op::Erf: return std::erf(x);
    case Op::NormalCdf: return 0.5L * std::erfc(-x / std::sqrt(2.0L));
    case Op::Sigmoid: return 1 / (1 + std::exp(-x));
    default: ADD_FAILURE() << "no long double form of " << scalar::row_of(op).name; return 0;
  }
}

// The row's own reference rounds to the same float.
TEST(LoopMath, ReferencesOfTheRowsAreTheFunctions) {
  for (const scalar::Row& row : scalar::rows()) {
    if (row.kind != scalar::Kind::Elementary) continue;
    for (const double x : {-20.0, -3.25, -0.75, -1e-9, 0.0, 1e-9, 0.3, 0.999, 2.5, 30.0})
      EXPECT_LE(ulps(static_cast<float>(row.reference(x)), exactly(row.op, x)), 0.51) << row.name << " of " << x;
  }
}

TEST(LoopMath, FunctionsKeepTheBoundsOfTheirRows) {
  for (const scalar::Row& row : scalar::rows()) {
    if (row.kind != scalar::Kind::Elementary) continue;
    const std::vector<float> y = evaluate(row.op, sweep());
    double worst = 0;
    float at = 0;
    for (size_t i = 0; i < y.size(); ++i)
      if (const double e = ulps(y[i], exactly(row.op, sweep()[i])); e > worst) {
        worst = e;
        at = sweep()[i];
      }
    ::testing::Test::RecordProperty(std::string(row.name), std::to_string(worst));
    std::printf("%-10s largest error %.3f ulp at %.9g\n", std::string(row.name).c_str(), worst,
                static_cast<double>(at));
    EXPECT_LE(worst, static_cast<double>(row.bound)) << row.name << " at " << at;
  }
}

// A written out function of x, instruction by instruction.
float by_the_program(const scalar::Expansion& program, float x) {
  std::vector<Immediate> v = {x};
  v.reserve(program.body.size());
  for (size_t id = 1; id < program.body.size(); ++id) {
    const Instr& i = program.body[id];
    std::array<Immediate, 3> args;
    for (size_t a = 0; a < 3; ++a)
      if (i.args[a] >= 0) args[a] = v[static_cast<size_t>(i.args[a])];
    v.push_back(apply(i, args, scalar::operand_types(i, program.body)));
  }
  return static_cast<float>(v[static_cast<size_t>(program.ids.back())].as_double());
}

// Loops compute the same bits as the oracle of single operations, and so the same bits as the epilogues of kernels.
TEST(LoopMath, FunctionsAreTheirPrograms) {
  for (const scalar::Row& row : scalar::rows()) {
    if (row.kind != scalar::Kind::Elementary || !scalar::expands(row.op, DType::Float32)) continue;
    const scalar::Expansion program =
        scalar::expand({{Op::Load, DType::Float32, {-1, -1, -1}, 0}, {row.op, DType::Float32, {0, -1, -1}}});
    std::vector<float> x;
    for (size_t i = 0; i < sweep().size(); i += 7) x.push_back(sweep()[i]);
    const std::vector<float> y = evaluate(row.op, x);
    for (size_t i = 0; i < x.size(); ++i)
      ASSERT_TRUE(same_number(y[i], by_the_program(program, x[i]))) << row.name << " of " << x[i] << ": " << y[i];
  }
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
  const std::vector<double> x = doubles();
  for (const scalar::Row& row : scalar::rows()) {
    const bool written_out = scalar::has_formula(row.op, DType::Float64);
    if (row.kind != scalar::Kind::Elementary || (scalar::expands(row.op, DType::Float64) && !written_out)) continue;
    const std::vector<double> y = evaluate(row.op, x);
    for (size_t i = 0; i < x.size(); ++i)
      ASSERT_LE(ulps(y[i], exactly(row.op, x[i])), scalar::kDoubleBound) << row.name << " of " << x[i] << ": " << y[i];
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
