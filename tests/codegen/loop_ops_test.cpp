// Every Op whose result is exact: against C++ on all pairs of interesting values, byte for byte, on every level.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "codegen/print_plan.h"
#include "codegen/scalar/expand.h"
#include "codegen/scalar/ops.h"
#include "tests/codegen/loop_runner.h"
#include "tests/codegen/scalar_oracle.h"

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
      values.insert(values.end(), {v, static_cast<T>(uint64_t{0} - static_cast<uint64_t>(v))});
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

constexpr DType kNumberTypes[] = {DType::Float32, DType::Float64, DType::Int8,   DType::UInt8, DType::Int16,
                                  DType::UInt16,  DType::Int32,   DType::UInt32, DType::Int64, DType::UInt64};

Tensor samples_of(DType type) {
  Tensor t;
  visit_dtype(type, [&]<class T>(T) {
    if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) t = tensor_of(samples<T>());
  });
  return t;
}

// All combinations of interesting values as `arity` operands; of three, every third value.
std::vector<Tensor> combinations(DType type, int arity) {
  const Tensor values = samples_of(type);
  const int64_t step = arity == 3 ? 3 : 1, n = (values.size() + step - 1) / step, bytes = bit_width(type) / 8;
  int64_t count = 1;
  for (int i = 0; i < arity; ++i) count *= n;
  std::vector<Tensor> operands;
  for (int64_t i = 0, stride = 1; i < arity; ++i, stride *= n) {
    Tensor t(type, {count});
    std::byte* to = t.mutable_raw();
    for (int64_t e = 0; e < count; ++e)
      std::memcpy(to + e * bytes, values.raw() + e / stride % n * step * bytes, static_cast<size_t>(bytes));
    operands.push_back(t);
  }
  return operands;
}

// `instr` of the elements of `operands`, on every level, is what the oracle says.
void expect_oracle(Instr instr, const std::vector<Tensor>& operands) {
  LoopPlan p;
  const Shape n = operands[0].shape();
  Loop loop;
  loop.domain = n;
  loop.phases.resize(1);
  std::array<DType, 3> types = {};
  const auto count = static_cast<int32_t>(operands.size());
  for (int32_t i = 0; i < count; ++i) {
    const Tensor& t = operands[static_cast<size_t>(i)];
    types[static_cast<size_t>(i)] = t.dtype();
    loop.views.push_back(dense_view(p.input(t), t.dtype(), n));
    loop.phases[0].body.push_back({Op::Load, t.dtype(), {-1, -1, -1}, i});
    instr.args[static_cast<size_t>(i)] = i;
  }
  loop.phases[0].body.push_back(instr);
  loop.views.push_back(dense_view(p.output(instr.type, n), instr.type, n));
  loop.phases[0].stores = {{count, count}};
  p.add(loop);
  auto element = [](const Tensor& t, int64_t i) {
    return read_element(t.raw() + i * bit_width(t.dtype()) / 8, t.dtype());
  };
  for (const Target& target : runnable_levels()) {
    const RunResult result = run_loops(p, target);
    ASSERT_EQ(result.outputs.size(), 1u) << codegen::to_string(instr);
    for (int64_t i = 0; i < n[0]; ++i) {
      std::array<Immediate, 3> args;
      for (size_t a = 0; a < operands.size(); ++a) args[a] = element(operands[a], i);
      const Immediate wanted = apply(instr, args, types), got = element(result.outputs[0], i);
      ASSERT_TRUE(same_number(got, wanted.held_as(instr.type)))
          << codegen::to_string(instr) << " of " << name_of(types[0]) << " " << to_string(args[0]) << " "
          << to_string(args[1]) << " " << to_string(args[2]) << " on " << target.to_string() << ": " << to_string(got)
          << " instead of " << to_string(wanted);
    }
  }
}

// Every operation that is exact, in every type that its row takes.
// Powers of real numbers are judged by their error, elsewhere.
TEST(LoopOps, EveryRowIsWhatTheOracleSays) {
  for (const scalar::Row& row : scalar::rows()) {
    const bool exact = row.kind == scalar::Kind::Arithmetic || row.kind == scalar::Kind::Comparison;
    if (!exact || row.typing == scalar::Typing::Chosen) continue;
    for (const DType type : kNumberTypes) {
      if (!scalar::takes(row, type) || scalar::expands(row.op, type)) continue;
      const DType result = row.typing == scalar::Typing::Compared ? DType::Bool : type;
      const std::vector<Tensor> operands = combinations(type, row.arity);
      for (const int shift : {0, 1, 3, bit_width(type) - 1})
        if (shift == 0 || row.immediates > 0) expect_oracle({row.op, result, {-1, -1, -1}, -1, shift}, operands);
    }
  }
}

TEST(LoopOps, BitsStayWhatTheyAre) {
  for (const auto& [real, word] : {std::pair{DType::Float32, DType::Int32}, std::pair{DType::Float64, DType::Int64}}) {
    expect_oracle({Op::Bits, word}, combinations(real, 1));
    expect_oracle({Op::Bits, real}, combinations(word, 1));
  }
}

float oracle(Op op, float x, float y) {
  return static_cast<float>(
      apply({op, DType::Float32, {0, 1, -1}}, {x, y}, {DType::Float32, DType::Float32}).as_double());
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
            const float wanted = oracle(op, u, v);
            ASSERT_TRUE(same(r.outputs[0].data<float>()[i], wanted))
                << x[i] << " and " << limit << ", " << scalar::row_of(op).name << ", " << first;
          }
        }
      }
}

// The last value of a body that loads `x` first, on every level, against the oracle.
void expect_body_oracle(const std::vector<Instr>& body, const std::vector<float>& x) {
  LoopPlan p;
  const Shape n = {static_cast<int64_t>(x.size())};
  const auto last = static_cast<int32_t>(body.size()) - 1;
  const DType type = body.back().type;
  Loop loop;
  loop.domain = n;
  loop.views = {dense_view(p.input(tensor_of(x)), DType::Float32, n), dense_view(p.output(type, n), type, n)};
  loop.phases = {{Loop::Over::Row, body, {}, {{1, last}}}};
  p.add(loop);
  std::vector<Immediate> values(body.size());
  for (const Target& target : runnable_levels()) {
    const RunResult r = run_loops(p, target);
    for (size_t i = 0; i < x.size(); ++i) {
      values[0] = static_cast<double>(x[i]);
      for (size_t at = 1; at < body.size(); ++at) {
        std::array<Immediate, 3> args;
        std::array<DType, 3> types = {};
        for (size_t a = 0; a < 3; ++a)
          if (const int32_t arg = body[at].args[a]; arg >= 0) {
            args[a] = values[static_cast<size_t>(arg)];
            types[a] = body[static_cast<size_t>(arg)].type;
          }
        values[at] = apply(body[at], args, types).held_as(body[at].type);
      }
      const Immediate got = read_element(r.outputs[0].raw() + i * static_cast<size_t>(bit_width(type)) / 8, type);
      ASSERT_TRUE(same_number(got, values.back()))
          << x[i] << " on " << target.to_string() << ": " << to_string(got) << " instead of "
          << to_string(values.back()) << " by " << codegen::to_string(body[2]) << ", "
          << codegen::to_string(body.back());
    }
  }
}

// What limits a value that was limited by the same number may not be left out: the two make different things of NaN and
// of -0.
TEST(LoopOps, LimitsOfWhatTheSameNumberLimits) {
  constexpr DType real = DType::Float32;
  std::vector<Instr> limits;
  for (const Op op : {Op::Max, Op::Min, Op::AtLeast, Op::AtMost})
    for (const auto& [a, b] : {std::pair{2, 1}, std::pair{1, 2}}) limits.push_back({op, real, {a, b, -1}});
  for (const double limit : {0.0, -0.0, 6.0})
    for (Instr inner : limits) {
      for (int32_t& arg : inner.args) arg -= arg == 2 ? 2 : 0;  // of x instead
      const auto expect = [&](const std::vector<Instr>& rest) {
        std::vector<Instr> body = {
            {Op::Load, real, {-1, -1, -1}, 0}, {Op::Constant, real, {-1, -1, -1}, -1, limit, 0}, inner};
        body.insert(body.end(), rest.begin(), rest.end());
        expect_body_oracle(body, samples<float>());
      };
      for (const Instr& outer : limits) expect({outer});
      for (const auto& [a, b] : {std::pair{2, 1}, std::pair{1, 2}})
        for (const auto& [yes, no] : {std::pair{2, 1}, std::pair{1, 2}})
          expect({{Op::Less, DType::Bool, {a, b, -1}}, {Op::Select, real, {3, yes, no}}});
      for (const DType bytes : {DType::UInt8, DType::Int8}) expect({{Op::Quantize, bytes, {2, -1, -1}, -1, 1.0, 0}});
    }
}

TEST(LoopOps, CastsBetweenAllPairsOfTypes) {
  for (const DType from : kNumberTypes)
    for (const DType to : kNumberTypes) expect_oracle({Op::Cast, to}, combinations(from, 1));
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

void quantizes(DType type, float scale, int zero) {
  std::vector<float> x = samples<float>();
  for (int i = -600; i <= 600; ++i) x.push_back(static_cast<float>(i) * 0.5f * scale);
  expect_oracle({Op::Quantize, type, {-1, -1, -1}, -1, scale, zero}, {tensor_of(x)});
}
TEST(LoopOps, QuantizeDividesRoundsToEvenAndSaturates) {
  for (const float scale : {1.0f, 0.5f, 0.1f, 1.7f, 3e-5f, 1e-39f}) {
    for (const int zero : {0, 128, 255}) quantizes(DType::UInt8, scale, zero);
    for (const int zero : {0, -128}) quantizes(DType::Int8, scale, zero);
    quantizes(DType::Int16, scale, 5);
    quantizes(DType::UInt16, scale, 32768);
    quantizes(DType::Int32, scale, 0);
  }
}

TEST(LoopOps, DequantizeIsOneMultiplication) {
  for (const float scale : {1.0f, 0.1f, 3e-5f})
    for (const auto& [type, zero] :
         {std::pair{DType::UInt8, 128}, std::pair{DType::Int8, 0}, std::pair{DType::Int8, -3},
          std::pair{DType::Int32, 0}, std::pair{DType::Int16, 0}})
      expect_oracle({Op::Dequantize, DType::Float32, {-1, -1, -1}, -1, scale, zero}, combinations(type, 1));
}

// Alone, where a vector is full of bytes, and beside floats, where it is not; with rows of any length.
TEST(LoopOps, TablesOfBytes) {
  Tensor table(DType::Int8, {256});
  for (int i = 0; i < 256; ++i) table.mutable_data<int8_t>()[static_cast<size_t>(i)] = static_cast<int8_t>(i * 89 + 7);
  for (const DType type : {DType::UInt8, DType::Int8})
    for (const int64_t count : {1, 7, 31, 256, 1000})
      for (const bool beside_floats : {false, true}) {
        const Shape n = {count};
        Tensor x(type, n);
        for (int64_t i = 0; i < count; ++i) x.mutable_raw()[i] = static_cast<std::byte>(i * 37);
        LoopPlan p;
        const int a = p.input(x), t = p.constant(table), y = p.output(DType::Int8, n), z = p.output(DType::Float32, n);
        Loop loop;
        loop.domain = n;
        loop.views = {dense_view(a, type, n), strided_view(t, DType::Int8, n, {0}), dense_view(y, DType::Int8, n)};
        std::vector<Instr> body = {{Op::Load, type, {-1, -1, -1}, 0}, {Op::Table, DType::Int8, {0, -1, -1}, 1}};
        std::vector<Loop::Store> stores = {{2, 1}};
        if (beside_floats) {
          loop.views.push_back(dense_view(z, DType::Float32, n));
          body.push_back({Op::Cast, DType::Float32, {1, -1, -1}});
          stores.push_back({3, 2});
        }
        loop.phases = {{Loop::Over::Row, body, {}, stores}};
        p.add(loop);
        for (const Target& target : runnable_levels()) {
          const RunResult r = run_loops(p, target);
          for (int64_t i = 0; i < count; ++i)
            ASSERT_EQ(r.outputs[0].as_int(i), table.as_int(i * 37 % 256)) << i << " on " << target.to_string();
        }
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
