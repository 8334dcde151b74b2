// Every Op whose result is exact: against C++ on all pairs of interesting values, byte for byte, on every level.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "tests/codegen/loop_runner.h"

namespace lapis::testing {
namespace {

template <class T> std::vector<T> samples() {
  std::vector<T> values;
  std::mt19937_64 random(3);
  using Limits = std::numeric_limits<T>;
  if constexpr (std::is_floating_point_v<T>) {
    for (const double v : {0.0,
                           1.0,
                           0.5,
                           1.5,
                           2.5,
                           3.5,
                           0.1,
                           126.5,
                           127.49,
                           127.5,
                           128.0,
                           254.5,
                           255.0,
                           255.5,
                           256.0,
                           32767.5,
                           65535.5,
                           8388607.5,
                           8388609.0,
                           16777216.0,
                           2147483520.0,
                           2147483647.0,
                           2147483648.0,
                           4294967040.0,
                           4294967296.0,
                           9.2e18,
                           9223372036854775807.0,
                           1.9e19,
                           3e38,
                           1e-30,
                           1e-40,
                           static_cast<double>(INFINITY),
                           static_cast<double>(NAN)})
      for (const double s : {1.0, -1.0}) values.push_back(static_cast<T>(s * v));
    for (const T v : {Limits::min(), Limits::denorm_min(), Limits::max(), Limits::epsilon()})
      values.insert(values.end(), {v, -v});
    for (int i = 0; i < 40; ++i)
      values.push_back(static_cast<T>(
          std::ldexp(std::uniform_real_distribution<double>(-1, 1)(random), static_cast<int>(random() % 60) - 20)));
  } else if constexpr (std::is_same_v<T, bool>) {
    values = {};
  } else {
    for (const T v : {T(0), T(1), T(2), T(3), T(7), T(10), T(100), Limits::max(), Limits::min(),
                      static_cast<T>(Limits::max() - 1), static_cast<T>(Limits::min() + 1)})
      values.insert(values.end(), {v, static_cast<T>(T(0) - v)});
    for (int i = 0; i < 40; ++i) values.push_back(static_cast<T>(random() >> (random() % 64)));
  }
  return values;
}

template <class T> Tensor tensor_of(const std::vector<T>& values) {
  Tensor t(dtype_of<T>, {static_cast<int64_t>(values.size())});
  std::memcpy(t.mutable_raw(), values.data(), values.size() * sizeof(T));
  return t;
}

template <class T> bool same(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a) && std::isnan(b)) return true;
  }
  return std::memcmp(&a, &b, sizeof a) == 0;
}

// Applies `instr` to the elements of `operands` (its first arguments) on every level.
template <class R>
void expect_values(Instr instr, const std::vector<Tensor>& operands, const std::vector<R>& wanted,
                   const std::string& what) {
  LoopPlan p;
  const Shape n = {static_cast<int64_t>(wanted.size())};
  Loop loop;
  loop.name = what;
  loop.domain = n;
  loop.phases.resize(1);
  for (size_t i = 0; i < operands.size(); ++i) {
    loop.views.push_back(dense_view(p.input(operands[i]), operands[i].dtype(), n));
    loop.phases[0].body.push_back({Op::Load, operands[i].dtype(), {-1, -1, -1}, static_cast<int32_t>(i)});
    instr.args[i] = static_cast<int32_t>(i);
  }
  instr.type = dtype_of<R>;
  loop.phases[0].body.push_back(instr);
  loop.views.push_back(dense_view(p.output(dtype_of<R>, n), dtype_of<R>, n));
  loop.phases[0].stores = {{static_cast<int32_t>(operands.size()), static_cast<int32_t>(operands.size())}};
  p.add(loop);
  for (const Target& target : runnable_levels()) {
    const RunResult result = run_loops(p, target);
    ASSERT_EQ(result.outputs.size(), 1u);
    const auto got = result.outputs[0].data<R>();
    for (size_t i = 0; i < wanted.size(); ++i) {
      std::string arguments;
      for (const Tensor& t : operands) arguments += " " + std::to_string(t.as_double(static_cast<int64_t>(i)));
      ASSERT_TRUE(same<R>(got[i], wanted[i])) << what << " of" << arguments << " on " << target.to_string() << ": "
                                              << +got[i] << " instead of " << +wanted[i];
    }
  }
}

template <class T, class F> void unary(Op op, F&& function) {
  using R = decltype(function(T{}));
  const std::vector<T> x = samples<T>();
  std::vector<R> wanted;
  for (const T v : x) wanted.push_back(function(v));
  expect_values<R>({op}, {tensor_of(x)}, wanted,
                   "op " + std::to_string(static_cast<int>(op)) + " on " + std::string(name_of(dtype_of<T>)));
}

template <class T, class F> void binary(Op op, F&& function) {
  using R = decltype(function(T{}, T{}));
  std::vector<T> x, y;
  std::vector<R> wanted;
  for (const T a : samples<T>())
    for (const T b : samples<T>()) {
      x.push_back(a);
      y.push_back(b);
      wanted.push_back(function(a, b));
    }
  // bool results do not fit std::vector's bit packing
  expect_values<R>({op}, {tensor_of(x), tensor_of(y)}, wanted,
                   "op " + std::to_string(static_cast<int>(op)) + " on " + std::string(name_of(dtype_of<T>)));
}

// Comparisons: as bytes 0 and 1 through a Cast-free store of Bool.
template <class T, class F> void predicate(Op op, F&& function, bool one = false) {
  std::vector<T> x, y;
  Tensor wanted;
  std::vector<uint8_t> bits;
  for (const T a : samples<T>())
    for (const T b : samples<T>()) {
      x.push_back(a);
      y.push_back(b);
      bits.push_back(function(a, b));
    }
  LoopPlan p;
  const Shape n = {static_cast<int64_t>(x.size())};
  const int a = p.input(tensor_of(x)), b = p.input(tensor_of(y)), z = p.output(DType::Bool, n);
  Loop loop;
  loop.domain = n;
  loop.views = {dense_view(a, dtype_of<T>, n), dense_view(b, dtype_of<T>, n), dense_view(z, DType::Bool, n)};
  loop.phases = {{Loop::Over::Row,
                  {{Op::Load, dtype_of<T>, {-1, -1, -1}, 0},
                   {Op::Load, dtype_of<T>, {-1, -1, -1}, 1},
                   {op, DType::Bool, {0, one ? -1 : 1, -1}}},
                  {},
                  {{2, 2}}}};
  p.add(loop);
  for (const Target& target : runnable_levels()) {
    const RunResult result = run_loops(p, target);
    ASSERT_EQ(std::memcmp(result.outputs[0].raw(), bits.data(), bits.size()), 0)
        << "op " << static_cast<int>(op) << " on " << name_of(dtype_of<T>) << ", " << target.to_string();
  }
}

// Two's complement without undefined overflow.
template <class T, class F> T wrap(F function, T a, T b) {
  return static_cast<T>(function(static_cast<uint64_t>(a), static_cast<uint64_t>(b)));
}

template <class T> T quotient(T a, T b) {
  if (b == 0) return 0;
  if constexpr (std::is_signed_v<T>)
    if (b == T(-1)) return wrap<T>(std::minus<uint64_t>(), T(0), a);
  return static_cast<T>(a / b);
}
template <class T> T remainder_of(T a, T b) {
  if (b == 0) return 0;
  return wrap<T>(std::minus<uint64_t>(), a, wrap<T>(std::multiplies<uint64_t>(), quotient(a, b), b));
}
template <class T> T modulo(T a, T b) {
  const T r = remainder_of(a, b);
  return r != 0 && (r < 0) != (b < 0) ? static_cast<T>(r + b) : r;
}
template <class T> T power(T base, T exponent) {
  if constexpr (std::is_signed_v<T>)
    if (exponent < 0) return base == 1 ? T(1) : base == T(-1) ? T(exponent % 2 ? -1 : 1) : T(0);
  uint64_t result = 1, b = static_cast<uint64_t>(base);
  for (auto e = static_cast<uint64_t>(exponent); e; e /= 2, b *= b)
    if (e % 2) result *= b;
  return static_cast<T>(result);
}

template <class T> void integer_ops() {
  binary<T>(Op::Add, [](T a, T b) { return wrap<T>(std::plus<uint64_t>(), a, b); });
  binary<T>(Op::Sub, [](T a, T b) { return wrap<T>(std::minus<uint64_t>(), a, b); });
  binary<T>(Op::Mul, [](T a, T b) { return wrap<T>(std::multiplies<uint64_t>(), a, b); });
  binary<T>(Op::Div, quotient<T>);
  binary<T>(Op::FMod, remainder_of<T>);
  binary<T>(Op::Mod, modulo<T>);
  binary<T>(Op::Pow, power<T>);
  for (const Op op : {Op::Min, Op::AtMost}) binary<T>(op, [](T a, T b) { return std::min(a, b); });
  for (const Op op : {Op::Max, Op::AtLeast}) binary<T>(op, [](T a, T b) { return std::max(a, b); });
  binary<T>(Op::And, [](T a, T b) { return static_cast<T>(a & b); });
  binary<T>(Op::Or, [](T a, T b) { return static_cast<T>(a | b); });
  binary<T>(Op::Xor, [](T a, T b) { return static_cast<T>(a ^ b); });
  unary<T>(Op::Not, [](T a) { return static_cast<T>(~a); });
  unary<T>(Op::Neg, [](T a) { return wrap<T>(std::minus<uint64_t>(), T(0), a); });
  unary<T>(Op::Abs, [](T a) { return a < 0 ? wrap<T>(std::minus<uint64_t>(), T(0), a) : a; });
  unary<T>(Op::Sign, [](T a) { return static_cast<T>(a < 0 ? -1 : a > 0 ? 1 : 0); });
  predicate<T>(Op::Equal, [](T a, T b) { return a == b; });
  predicate<T>(Op::Less, [](T a, T b) { return a < b; });
  predicate<T>(Op::LessOrEqual, [](T a, T b) { return a <= b; });
}
TEST(LoopOps, IntegersOfAllWidths) {
  integer_ops<int8_t>();
  integer_ops<uint8_t>();
  integer_ops<int16_t>();
  integer_ops<uint16_t>();
  integer_ops<int32_t>();
  integer_ops<uint32_t>();
  integer_ops<int64_t>();
  integer_ops<uint64_t>();
}

// IEEE 754-2019: NaN wins, +0 is above -0.
template <class T> T maximum(T a, T b) {
  if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<T>::quiet_NaN();
  return a == b ? (std::signbit(a) ? b : a) : std::max(a, b);
}

template <class T> void float_ops() {
  binary<T>(Op::Add, [](T a, T b) { return a + b; });
  binary<T>(Op::Sub, [](T a, T b) { return a - b; });
  binary<T>(Op::Mul, [](T a, T b) { return a * b; });
  binary<T>(Op::Div, [](T a, T b) { return a / b; });
  binary<T>(Op::FMod, [](T a, T b) { return std::fmod(a, b); });
  binary<T>(Op::Mod, [](T a, T b) {
    const T r = std::fmod(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
  });
  binary<T>(Op::Max, maximum<T>);
  binary<T>(Op::Min, [](T a, T b) { return -maximum(-a, -b); });
  binary<T>(Op::AtLeast, [](T x, T low) { return x < low ? low : x; });
  binary<T>(Op::AtMost, [](T x, T high) { return x > high ? high : x; });
  unary<T>(Op::Neg, [](T a) { return -a; });
  unary<T>(Op::Abs, [](T a) { return std::abs(a); });
  unary<T>(Op::Sign, [](T a) { return a > 0 ? T(1) : a < 0 ? T(-1) : a + T(0); });
  unary<T>(Op::Floor, [](T a) { return std::floor(a); });
  unary<T>(Op::Ceil, [](T a) { return std::ceil(a); });
  unary<T>(Op::RoundEven, [](T a) { return std::nearbyint(a); });
  unary<T>(Op::Sqrt, [](T a) { return std::sqrt(a); });
  unary<T>(Op::Reciprocal, [](T a) { return 1 / a; });
  predicate<T>(Op::Equal, [](T a, T b) { return a == b; });
  predicate<T>(Op::Less, [](T a, T b) { return a < b; });
  predicate<T>(Op::LessOrEqual, [](T a, T b) { return a <= b; });
  predicate<T>(
      Op::IsNaN, [](T a, T) { return std::isnan(a); }, true);
  predicate<T>(
      Op::IsInf, [](T a, T) { return std::isinf(a); }, true);
}
TEST(LoopOps, FloatsAreIeee) {
  float_ops<float>();
  float_ops<double>();
}

// Max(x, 0) and other limits known when compiling take a shorter path.
TEST(LoopOps, LimitsKnownWhenCompiling) {
  const std::vector<float> x = samples<float>();
  for (const double limit : {0.0, -0.0, 6.0, -1.0, static_cast<double>(NAN), static_cast<double>(INFINITY)})
    for (const Op op : {Op::Max, Op::Min, Op::AtLeast, Op::AtMost})
      for (const bool first : {true, false}) {
        LoopPlan p;
        const Shape n = {static_cast<int64_t>(x.size())};
        const int a = p.input(tensor_of(x)), y = p.output(DType::Float32, n);
        Loop loop;
        loop.domain = n;
        loop.views = {dense_view(a, DType::Float32, n), dense_view(y, DType::Float32, n)};
        loop.phases = {{Loop::Over::Row,
                        {{Op::Load, DType::Float32, {-1, -1, -1}, 0},
                         {Op::Constant, DType::Float32, {-1, -1, -1}, -1, limit, 0},
                         {op, DType::Float32, {first ? 1 : 0, first ? 0 : 1, -1}}},
                        {},
                        {{1, 2}}}};
        p.add(loop);
        for (const Target& target : runnable_levels()) {
          const RunResult r = run_loops(p, target);
          for (size_t i = 0; i < x.size(); ++i) {
            const float u = first ? static_cast<float>(limit) : x[i], v = first ? x[i] : static_cast<float>(limit);
            const float wanted = op == Op::Max       ? maximum(u, v)
                                 : op == Op::Min     ? -maximum(-u, -v)
                                 : op == Op::AtLeast ? (u < v ? v : u)
                                                     : (u > v ? v : u);
            ASSERT_TRUE(same(r.outputs[0].data<float>()[i], wanted))
                << x[i] << " and " << limit << ", op " << static_cast<int>(op) << ", " << first;
          }
        }
      }
}

template <class To, class From> To converted(From x) {
  if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    if (std::isnan(x)) return 0;
    const From whole = std::trunc(x);
    if (whole <= static_cast<From>(std::numeric_limits<To>::lowest())) return std::numeric_limits<To>::lowest();
    if (whole >= static_cast<From>(std::numeric_limits<To>::max())) return std::numeric_limits<To>::max();
    return static_cast<To>(whole);
  } else {
    return static_cast<To>(x);
  }
}
template <class From, class... To> void casts_from() { (unary<From>(Op::Cast, converted<To, From>), ...); }
template <class... T> void casts() { (casts_from<T, T...>(), ...); }
TEST(LoopOps, CastsBetweenAllPairsOfTypes) {
  casts<float, double, int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t, int64_t, uint64_t>();
}

TEST(LoopOps, CastsToHalvesRoundToEven) {
  std::vector<float> x = samples<float>();
  std::mt19937 random(5);
  for (int i = 0; i < 20000; ++i) x.push_back(std::bit_cast<float>(static_cast<uint32_t>(random())));
  for (int i = 0; i < 65536; ++i)
    x.push_back(std::nextafter(to_float(Float16{static_cast<uint16_t>(i)}) * 1.00048828125f, i % 2 ? 0.0f : INFINITY));
  auto check = [&]<class Half>(Half, auto round) {
    LoopPlan p;
    const Shape n = {static_cast<int64_t>(x.size())};
    const int a = p.input(tensor_of(x)), y = p.output(dtype_of<Half>, n), back = p.output(DType::Float32, n);
    Loop loop;
    loop.domain = n;
    loop.views = {dense_view(a, DType::Float32, n), dense_view(y, dtype_of<Half>, n),
                  dense_view(back, DType::Float32, n)};
    loop.phases = {{Loop::Over::Row,
                    {{Op::Load, DType::Float32, {-1, -1, -1}, 0},
                     {Op::Cast, dtype_of<Half>, {0, -1, -1}},
                     {Op::Cast, DType::Float32, {1, -1, -1}}},
                    {},
                    {{1, 1}, {2, 2}}}};
    p.add(loop);
    for (const Target& target : runnable_levels()) {
      const RunResult r = run_loops(p, target);
      for (size_t i = 0; i < x.size(); ++i) {
        const Half wanted = round(x[i]);
        if (std::isnan(x[i]))
          ASSERT_TRUE(std::isnan(to_float(r.outputs[0].data<Half>()[i])));
        else
          ASSERT_EQ(r.outputs[0].data<Half>()[i].bits, wanted.bits) << x[i];
        ASSERT_TRUE(same(r.outputs[1].data<float>()[i], to_float(wanted))) << x[i];
      }
    }
  };
  check(Float16{}, [](float v) { return to_float16(v); });
  check(BFloat16{}, [](float v) { return to_bfloat16(v); });
}

template <class R> void quantizes(float scale, int zero) {
  const IntegerRange range = integer_range(dtype_of<R>);
  std::vector<float> x = samples<float>();
  for (int i = -600; i <= 600; ++i) x.push_back(static_cast<float>(i) * 0.5f * scale);
  std::vector<R> wanted;
  for (const float v : x) {
    const double y = static_cast<double>(std::nearbyint(v / scale)) + zero;
    wanted.push_back(!(y > static_cast<double>(range.lowest))  ? static_cast<R>(range.lowest)
                     : y >= static_cast<double>(range.highest) ? static_cast<R>(range.highest)
                                                               : static_cast<R>(y));
  }
  expect_values<R>({Op::Quantize, dtype_of<R>, {-1, -1, -1}, -1, scale, static_cast<double>(zero)}, {tensor_of(x)},
                   wanted, "quantize");
}
TEST(LoopOps, QuantizeDividesRoundsToEvenAndSaturates) {
  for (const float scale : {1.0f, 0.5f, 0.1f, 1.7f, 3e-5f, 1e-39f}) {
    quantizes<uint8_t>(scale, 0);
    quantizes<uint8_t>(scale, 128);
    quantizes<uint8_t>(scale, 255);
    quantizes<int8_t>(scale, 0);
    quantizes<int8_t>(scale, -128);
    quantizes<int16_t>(scale, 5);
    quantizes<uint16_t>(scale, 32768);
    quantizes<int32_t>(scale, 0);
  }
}

template <class T> void dequantizes(float scale, int zero) {
  const std::vector<T> x = samples<T>();
  std::vector<float> wanted;
  for (const T v : x)
    wanted.push_back(static_cast<float>(static_cast<int32_t>(static_cast<uint32_t>(v) - static_cast<uint32_t>(zero))) *
                     scale);
  expect_values<float>({Op::Dequantize, DType::Float32, {-1, -1, -1}, -1, scale, static_cast<double>(zero)},
                       {tensor_of(x)}, wanted, "dequantize");
}
TEST(LoopOps, DequantizeIsOneMultiplication) {
  for (const float scale : {1.0f, 0.1f, 3e-5f}) {
    dequantizes<uint8_t>(scale, 128);
    dequantizes<int8_t>(scale, 0);
    dequantizes<int8_t>(scale, -3);
    dequantizes<int32_t>(scale, 0);
    dequantizes<int16_t>(scale, 0);
  }
}

TEST(LoopOps, SelectTakesAScalarOrAVectorCondition) {
  for (const bool uniform : {false, true}) {
    LoopPlan p;
    const Shape n = {45};
    Tensor c(DType::Bool, uniform ? Shape{1} : n), x(DType::Float32, n), y(DType::Float32, n);
    for (int64_t i = 0; i < 45; ++i) {
      x.mutable_data<float>()[static_cast<size_t>(i)] = static_cast<float>(i);
      y.mutable_data<float>()[static_cast<size_t>(i)] = static_cast<float>(-i);
      if (!uniform || i == 0) c.mutable_data<bool>()[static_cast<size_t>(i)] = i % 3 != 1;
    }
    const int a = p.input(c), b = p.input(x), d = p.input(y), z = p.output(DType::Float32, n);
    Loop loop;
    loop.domain = n;
    loop.views = {strided_view(a, DType::Bool, n, {uniform ? 0 : 1}), dense_view(b, DType::Float32, n),
                  dense_view(d, DType::Float32, n), dense_view(z, DType::Float32, n)};
    loop.phases = {{Loop::Over::Row,
                    {{Op::Load, DType::Bool, {-1, -1, -1}, 0},
                     {Op::Load, DType::Float32, {-1, -1, -1}, 1},
                     {Op::Load, DType::Float32, {-1, -1, -1}, 2},
                     {Op::Select, DType::Float32, {0, 1, 2}}},
                    {},
                    {{3, 3}}}};
    p.add(loop);
    for (const Target& target : runnable_levels()) {
      const RunResult r = run_loops(p, target);
      for (int64_t i = 0; i < 45; ++i)
        ASSERT_EQ(r.outputs[0].data<float>()[static_cast<size_t>(i)], uniform || i % 3 != 1 ? i : -i);
    }
  }
}

TEST(LoopOps, BooleanLogicAndCasts) {
  LoopPlan p;
  const Shape n = {40};
  Tensor x(DType::Bool, n), y(DType::Bool, n);
  for (size_t i = 0; i < 40; ++i) {
    x.mutable_data<bool>()[i] = i & 1;
    y.mutable_data<bool>()[i] = i & 2;
  }
  const int a = p.input(x), b = p.input(y);
  std::vector<View> views = {dense_view(a, DType::Bool, n), dense_view(b, DType::Bool, n)};
  std::vector<Instr> body = {{Op::Load, DType::Bool, {-1, -1, -1}, 0}, {Op::Load, DType::Bool, {-1, -1, -1}, 1}};
  std::vector<Loop::Store> stores;
  auto result = [&](Op op, DType type, int second) {
    body.push_back({op, type, {0, second, -1}});
    views.push_back(dense_view(p.output(type, n), type, n));
    stores.push_back({static_cast<int32_t>(views.size()) - 1, static_cast<int32_t>(body.size()) - 1});
  };
  for (const Op op : {Op::And, Op::Or, Op::Xor, Op::Equal, Op::Less, Op::Max, Op::Min}) result(op, DType::Bool, 1);
  result(Op::Not, DType::Bool, -1);
  for (const DType type : {DType::Float32, DType::Int64, DType::UInt8}) result(Op::Cast, type, -1);
  Loop loop;
  loop.domain = n;
  loop.views = views;
  loop.phases = {{Loop::Over::Row, body, {}, stores}};
  p.add(loop);
  for (const Target& target : runnable_levels()) {
    const RunResult r = run_loops(p, target);
    for (int64_t i = 0; i < 40; ++i) {
      const bool u = i & 1, v = i & 2;
      const bool wanted[] = {u && v, u || v, u != v, u == v, u < v, u || v, u && v, !u, u, u, u};
      for (size_t o = 0; o < std::size(wanted); ++o)
        ASSERT_EQ(r.outputs[o].as_double(i), wanted[o]) << "output " << o << " of " << u << ", " << v;
    }
  }
}

template <class T> void constants_are_exact() {
  const std::vector<T> wanted = samples<T>();
  LoopPlan p;
  std::vector<Instr> body;
  Loop loop;
  loop.domain = {3};
  for (const T value : wanted) {
    body.push_back({Op::Constant, dtype_of<T>, {-1, -1, -1}, -1, value});
    loop.views.push_back(dense_view(p.output(dtype_of<T>, {3}), dtype_of<T>, {3}));
  }
  std::vector<Loop::Store> stores;
  for (int32_t i = 0; i < static_cast<int32_t>(body.size()); ++i) stores.push_back({i, i});
  loop.phases = {{Loop::Over::Row, body, {}, stores}};
  p.add(loop);
  for (const Target& target : runnable_levels()) {
    const RunResult r = run_loops(p, target);
    for (size_t i = 0; i < wanted.size(); ++i) ASSERT_TRUE(same(r.outputs[i].data<T>()[2], wanted[i])) << +wanted[i];
  }
}
TEST(LoopOps, ConstantsAreExactInEveryType) {
  constants_are_exact<int64_t>();
  constants_are_exact<uint64_t>();
  constants_are_exact<int32_t>();
  constants_are_exact<uint8_t>();
  constants_are_exact<int8_t>();
  constants_are_exact<float>();
  constants_are_exact<double>();
}

// Arithmetic on halves rounds after every operation.
TEST(LoopOps, HalvesRoundAfterEachOperation) {
  LoopPlan p;
  const Shape n = {64};
  Tensor x(DType::Float16, n);
  for (int i = 0; i < 64; ++i)
    x.mutable_data<Float16>()[static_cast<size_t>(i)] = to_float16(0.37f * static_cast<float>(i) - 5);
  const int a = p.input(x), y = p.output(DType::Float16, n);
  Loop loop;
  loop.domain = n;
  loop.views = {dense_view(a, DType::Float16, n), dense_view(y, DType::Float16, n)};
  loop.phases = {{Loop::Over::Row,
                  {{Op::Load, DType::Float16, {-1, -1, -1}, 0},
                   {Op::Mul, DType::Float16, {0, 0, -1}},
                   {Op::Add, DType::Float16, {1, 0, -1}}},
                  {},
                  {{1, 2}}}};
  p.add(loop);
  for (const Target& target : runnable_levels()) {
    const RunResult r = run_loops(p, target);
    for (size_t i = 0; i < 64; ++i) {
      const float v = to_float(x.data<Float16>()[i]);
      ASSERT_EQ(r.outputs[0].data<Float16>()[i].bits, to_float16(to_float(to_float16(v * v)) + v).bits) << v;
    }
  }
}

}  // namespace
}  // namespace lapis::testing
