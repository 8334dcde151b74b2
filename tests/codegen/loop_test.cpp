// How loops walk memory: sizes, strides, lane placements, reductions, work units.
// Values are compared with the plan interpreter.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "codegen/llvm/emit.h"
#include "tests/codegen/loop_runner.h"
#include "tests/codegen/plan_interpreter.h"

namespace lapis::testing {
namespace {

using Over = Loop::Over;
using Reduce = Loop::Reduce;

Instr load(int slot, DType type = DType::Float32) { return {Op::Load, type, {-1, -1, -1}, slot}; }
Instr constant(double value, DType type = DType::Float32) { return {Op::Constant, type, {-1, -1, -1}, -1, value, 0}; }
Instr apply(Op op, int a, int b = -1, int c = -1, DType type = DType::Float32) { return {op, type, {a, b, c}}; }
Instr reduced(int number, DType type = DType::Float32) { return {Op::Reduced, type, {-1, -1, -1}, number}; }

Tensor noise(Shape shape, unsigned seed = 1, float scale = 4) {
  Tensor t(DType::Float32, std::move(shape));
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> values(-scale, scale);
  for (float& x : t.mutable_data<float>()) x = values(random);
  return t;
}

template <class T> Tensor integers(Shape shape, unsigned seed = 1) {
  Tensor t(dtype_of<T>, std::move(shape));
  std::mt19937_64 random(seed);
  for (T& x : t.mutable_data<T>()) x = static_cast<T>(random());
  return t;
}

void expect_close(const Tensor& got, const Tensor& wanted, double relative, const std::string& what) {
  ASSERT_EQ(got.shape(), wanted.shape());
  for (int64_t i = 0; i < got.size(); ++i) {
    const double a = got.as_double(i), b = wanted.as_double(i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    ASSERT_LE(std::abs(a - b), relative * std::max(1.0, std::abs(b)))
        << what << ", element " << i << ": " << a << " instead of " << b;
  }
}

// All levels agree with the interpreter; `relative` 0 means the same bytes.
void expect_interpreted(const LoopPlan& loops, double relative, const std::string& what = "") {
  const std::vector<Tensor> wanted = interpret(loops.plan, loops.inputs);
  for (const Target& target : runnable_levels()) {
    const RunResult got = run_loops(loops, target);
    ASSERT_EQ(got.outputs.size(), wanted.size());
    for (size_t o = 0; o < wanted.size(); ++o) {
      if (relative == 0)
        ASSERT_TRUE(got.outputs[o] == wanted[o])
            << what << " on " << target.to_string() << "\n got    " << to_string(got.outputs[o], 32) << "\n wanted "
            << to_string(wanted[o], 32);
      else
        expect_close(got.outputs[o], wanted[o], relative, what + " on " + target.to_string());
    }
    const RunResult parts = run_loops(loops, target, 3);
    for (size_t o = 0; o < wanted.size(); ++o)
      ASSERT_TRUE(parts.outputs[o] == got.outputs[o])
          << what << ": the partition changes the result on " << target.to_string();
  }
}

// One Row phase of `body`, whose last instruction is stored.
Loop elementwise(Shape domain, std::vector<View> views, std::vector<Instr> body) {
  Loop loop;
  loop.name = "elementwise";
  loop.domain = std::move(domain);
  loop.views = std::move(views);
  const auto last = static_cast<int32_t>(body.size()) - 1;
  loop.phases = {{Over::Row, std::move(body), {}, {{static_cast<int32_t>(loop.views.size()) - 1, last}}}};
  return loop;
}

TEST(Loop, ElementwiseOfEverySize) {
  for (int64_t n = 1; n <= 67; ++n) {
    LoopPlan p;
    const int a = p.input(noise({n}, 1)), b = p.input(noise({n}, 2)), y = p.output(DType::Float32, {n});
    p.add(elementwise(
        {n},
        {dense_view(a, DType::Float32, {n}), dense_view(b, DType::Float32, {n}), dense_view(y, DType::Float32, {n})},
        {load(0), load(1), apply(Op::Mul, 0, 1), apply(Op::Add, 2, 0)}));
    expect_interpreted(p, 0, "n = " + std::to_string(n));
  }
}

TEST(Loop, QuantizeOfEverySize) {
  for (int64_t n : {1, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 67, 1000}) {
    LoopPlan p;
    const int a = p.input(noise({n}, 1, 300)), y = p.output(DType::UInt8, {n});
    p.add(elementwise({n}, {dense_view(a, DType::Float32, {n}), dense_view(y, DType::UInt8, {n})},
                      {load(0), {Op::Quantize, DType::UInt8, {0, -1, -1}, -1, 1.7f, 128}}));
    expect_interpreted(p, 0, "n = " + std::to_string(n));
  }
}

TEST(Loop, BroadcastStridedReversedAndTransposedViews) {
  LoopPlan p;
  const Shape domain = {3, 5, 37};
  const int a = p.input(noise({4000}, 1)), b = p.input(noise({4000}, 2)), y = p.output(DType::Float32, {3000});
  const std::vector<std::pair<Shape, int64_t>> loads = {
      {{185, 37, 1}, 0}, {{185, 37, 1}, 7},   {{0, 0, 1}, 3},         {{37, 0, 0}, 0},
      {{0, 0, 0}, 5},    {{185, 37, -1}, 40}, {{-185, -37, -1}, 600}, {{1, 3, 15}, 2},  // transposed
      {{400, 80, 2}, 1}, {{400, 80, 3}, 1},   {{5, 1, 100}, 0},       {{0, 37, 1}, 9}};
  const std::vector<std::pair<Shape, int64_t>> stores = {{{185, 37, 1}, 11}, {{1, 3, 15}, 0},        {{200, 40, 1}, 5},
                                                         {{5, 1, 30}, 2},    {{-185, -37, -1}, 900}, {{370, 74, 2}, 0}};
  for (const auto& [x, x_offset] : loads)
    for (const auto& [z, z_offset] : stores) {
      p.plan.steps.clear();
      p.add(elementwise(domain,
                        {strided_view(a, DType::Float32, domain, x, x_offset), dense_view(b, DType::Float32, domain),
                         strided_view(y, DType::Float32, domain, z, z_offset)},
                        {load(0), load(1), apply(Op::Sub, 0, 1)}));
      expect_interpreted(p, 0, "load " + to_string(x) + ", store " + to_string(z));
    }
}

// Copies of every element size, dense and between layouts.
template <class T> void copies(Shape domain, Shape from, Shape to) {
  LoopPlan p;
  int64_t from_size = 1, to_size = 1;
  for (size_t i = 0; i < domain.size(); ++i) {
    from_size += (domain[i] - 1) * from[i];
    to_size += (domain[i] - 1) * to[i];
  }
  const int a = p.input(integers<T>({from_size})), y = p.output(dtype_of<T>, {to_size});
  p.add(elementwise(domain, {strided_view(a, dtype_of<T>, domain, from), strided_view(y, dtype_of<T>, domain, to)},
                    {load(0, dtype_of<T>)}));
  Tensor wanted(dtype_of<T>, {to_size});
  std::vector<int64_t> index(domain.size(), 0);
  for (int64_t i = 0; i < element_count(domain); ++i) {
    int64_t rest = i, source = 0, target = 0;
    for (size_t d = domain.size(); d-- > 0; rest /= domain[d]) {
      source += rest % domain[d] * from[d];
      target += rest % domain[d] * to[d];
    }
    wanted.mutable_data<T>()[static_cast<size_t>(target)] = p.inputs[0].data<T>()[static_cast<size_t>(source)];
  }
  for (const Target& target : runnable_levels())
    ASSERT_TRUE(run_loops(p, target).outputs[0] == wanted)
        << name_of(dtype_of<T>) << to_string(domain) << " from " << to_string(from) << " to " << to_string(to) << " on "
        << target.to_string();
}

template <class T> void copies_in_all_layouts() {
  for (int64_t n : {1, 2, 5, 31, 64, 65, 200}) copies<T>({n}, {1}, {1});
  copies<T>({2, 3, 56, 56}, {3 * 56 * 56, 56 * 56, 56, 1}, {3 * 56 * 56, 1, 56 * 3, 3});  // NCHW to NHWC
  copies<T>({2, 3, 9, 11}, {3 * 99, 1, 33, 3}, {3 * 99, 99, 11, 1});                      // and back
  copies<T>({1, 64, 7, 7}, {3136, 49, 7, 1}, {3136, 1, 448, 64});
  copies<T>({70, 131}, {131, 1}, {1, 70});                       // transposition
  copies<T>({1, 3, 14, 14}, {588, 1, 42, 3}, {1024, 1, 54, 3});  // into a halo
  copies<T>({3, 48, 100}, {1, 300, 3}, {4800, 100, 1});          // three axes turned
  copies<T>({33, 67}, {1, 33}, {67, 1});
  copies<T>({4, 12, 33, 16}, {6336, 16, 192, 1}, {6336, 528, 16, 1});  // heads
}
TEST(Loop, CopiesOfEveryElementSizeAndLayout) {
  copies_in_all_layouts<uint8_t>();
  copies_in_all_layouts<int16_t>();
  copies_in_all_layouts<uint32_t>();
  copies_in_all_layouts<int64_t>();
}
TEST(Loop, CopiesKeepTheBitsOfHalves) {
  LoopPlan p;
  Tensor x(DType::Float16, {65536}), z(DType::BFloat16, {65536});
  for (size_t i = 0; i < 65536; ++i) {
    x.mutable_data<Float16>()[i].bits = static_cast<uint16_t>(i);
    z.mutable_data<BFloat16>()[i].bits = static_cast<uint16_t>(i);
  }
  const Shape n = {65536};
  const int a = p.input(x), b = p.input(z), c = p.output(DType::Float16, n), d = p.output(DType::BFloat16, n);
  p.add(
      elementwise(n, {dense_view(a, DType::Float16, n), dense_view(c, DType::Float16, n)}, {load(0, DType::Float16)}));
  p.add(elementwise(n, {dense_view(b, DType::BFloat16, n), dense_view(d, DType::BFloat16, n)},
                    {load(0, DType::BFloat16)}));
  for (const Target& target : runnable_levels()) {
    const RunResult r = run_loops(p, target);
    EXPECT_TRUE(r.outputs[0] == x);
    EXPECT_TRUE(r.outputs[1] == z);
  }
}

// y[row] = reduce(x[row, :]) with the reduced dimension along (lanes inside) or across (lanes outside) memory.
template <class T> void reduces(Reduce kind, int64_t rows, int64_t n, bool along, double tolerance) {
  LoopPlan p;
  const DType type = dtype_of<T>;
  Tensor x(type, {rows * n});
  std::mt19937 random(7);
  for (T& e : x.mutable_data<T>())
    e = static_cast<T>(std::is_floating_point_v<T> ? std::uniform_real_distribution<double>(0.5, 1.5)(random)
                                                   : std::uniform_int_distribution<int>(-9, 9)(random));
  const int a = p.input(x), y = p.output(type, {rows});
  Loop loop;
  loop.name = "reduction";
  loop.domain = {rows, n};
  loop.reduced = 1;
  loop.views = {strided_view(a, type, {rows, n}, along ? Shape{n, 1} : Shape{1, rows}),
                strided_view(y, type, {rows, n}, {1, 0})};
  loop.phases = {{Over::Inner, {load(0, type)}, {{kind, 0, type}}, {}}, {Over::Row, {reduced(0, type)}, {}, {{1, 0}}}};
  p.add(loop);
  expect_interpreted(p, tolerance,
                     "reduction " + std::to_string(static_cast<int>(kind)) + " of " + std::to_string(rows) + " x " +
                         std::to_string(n) + (along ? " along" : " across"));
}
TEST(Loop, ReductionsAlongAndAcrossMemory) {
  for (const bool along : {true, false})
    for (const int64_t rows : {1, 3, 37})
      for (const int64_t n : {1, 15, 16, 67, 200}) {
        for (const Reduce kind : {Reduce::Sum, Reduce::Max, Reduce::Min}) {
          reduces<float>(kind, rows, n, along, kind == Reduce::Sum ? 1e-5 : 0);
          reduces<int32_t>(kind, rows, n, along, 0);
        }
        if (n < 50) reduces<float>(Reduce::Prod, rows, n, along, 1e-4);
      }
}

TEST(Loop, MaximumKeepsNaN) {
  for (const int64_t position : {0, 5, 20, 66}) {
    LoopPlan p;
    Tensor x = noise({67});
    x.mutable_data<float>()[static_cast<size_t>(position)] = NAN;
    const int a = p.input(x), y = p.output(DType::Float32, {1});
    Loop loop;
    loop.domain = {67};
    loop.reduced = 1;
    loop.views = {dense_view(a, DType::Float32, {67}), strided_view(y, DType::Float32, {67}, {0})};
    loop.phases = {{Over::Inner, {load(0)}, {{Reduce::Max, 0, DType::Float32}}, {}},
                   {Over::Row, {reduced(0)}, {}, {{1, 0}}}};
    p.add(loop);
    for (const Target& target : runnable_levels())
      EXPECT_TRUE(std::isnan(run_loops(p, target).outputs[0].data<float>()[0])) << position;
  }
}

TEST(Loop, WrappingInt32SumOfProductsIsExact) {
  LoopPlan p;
  const int64_t m = 5, n = 19, k = 301;
  const int a = p.input(integers<uint8_t>({m, k})), b = p.input(integers<int8_t>({k, n})),
            y = p.output(DType::Int32, {m, n});
  Loop loop;
  loop.domain = {m, n, k};
  loop.reduced = 1;
  loop.views = {strided_view(a, DType::UInt8, loop.domain, {k, 0, 1}),
                strided_view(b, DType::Int8, loop.domain, {0, 1, n}),
                strided_view(y, DType::Int32, loop.domain, {n, 1, 0})};
  const std::vector<Instr> body = {load(0, DType::UInt8), load(1, DType::Int8),
                                   apply(Op::Cast, 0, -1, -1, DType::Int32), apply(Op::Cast, 1, -1, -1, DType::Int32),
                                   apply(Op::Mul, 2, 3, -1, DType::Int32)};
  loop.phases = {{Over::Inner, body, {{Reduce::Sum, 4, DType::Int32}}, {}},
                 {Over::Row, {reduced(0, DType::Int32)}, {}, {{2, 0}}}};
  p.add(loop);
  expect_interpreted(p, 0);
}

// out[b, m, n] = sum_k a[b, m, k] * w[b, k, n] (or w[b, n, k]), then a Row chain.
void multiplies(int64_t batch, int64_t m, int64_t n, int64_t k, bool transposed) {
  LoopPlan p;
  const int a = p.input(noise({batch, m, k}, 1, 1)), b = p.input(noise({batch, k, n}, 2, 1)),
            y = p.output(DType::Float32, {batch, m, n});
  Loop loop;
  loop.domain = {batch, m, n, k};
  loop.reduced = 1;
  loop.views = {
      strided_view(a, DType::Float32, loop.domain, {m * k, k, 0, 1}),
      strided_view(b, DType::Float32, loop.domain, transposed ? Shape{k * n, 0, k, 1} : Shape{k * n, 0, 1, n}),
      strided_view(y, DType::Float32, loop.domain, {m * n, n, 1, 0})};
  loop.phases = {{Over::Inner, {load(0), load(1), apply(Op::Mul, 0, 1)}, {{Reduce::Sum, 2, DType::Float32}}, {}},
                 {Over::Row, {reduced(0), constant(0.125), apply(Op::Mul, 0, 1)}, {}, {{2, 2}}}};
  p.add(loop);
  expect_interpreted(p, 1e-5, "matmul " + to_string(loop.domain));
}
TEST(Loop, MatrixProductsOfEveryRemainder) {
  for (const bool transposed : {false, true})
    for (const int64_t m : {1, 2, 3, 4, 5, 13})
      for (const int64_t n : {1, 3, 16, 33, 64, 70}) multiplies(2, m, n, 19, transposed);
  multiplies(3, 40, 48, 64, false);
  multiplies(3, 40, 48, 64, true);
}

Loop softmax(int64_t rows, int64_t n, const View& x, const View& y) {
  Loop loop;
  loop.name = "softmax";
  loop.domain = {rows, n};
  loop.reduced = 1;
  loop.views = {x, y};
  const std::vector<Instr> shifted = {load(0), reduced(0), apply(Op::Sub, 0, 1), apply(Op::Exp, 2)};
  loop.phases = {{Over::Inner, {load(0)}, {{Reduce::Max, 0, DType::Float32}}, {}},
                 {Over::Inner, shifted, {{Reduce::Sum, 3, DType::Float32}}, {{1, 3}}},
                 {Over::Inner, {load(1), reduced(1), apply(Op::Div, 0, 1)}, {}, {{1, 2}}}};
  return loop;
}
TEST(Loop, SoftmaxThatKeepsItsExponentialsInTheOutput) {
  for (const int64_t rows : {1, 7, 33})
    for (const int64_t n : {1, 10, 16, 67, 128, 1000}) {
      LoopPlan p;
      const int a = p.input(noise({rows * n}, 1, 20)), y = p.output(DType::Float32, {rows * n});
      for (const Shape& strides : {Shape{n, 1}, Shape{1, rows}}) {
        p.plan.steps.clear();
        p.add(softmax(rows, n, strided_view(a, DType::Float32, {rows, n}, strides),
                      strided_view(y, DType::Float32, {rows, n}, strides)));
        expect_interpreted(p, 2e-6, "softmax " + std::to_string(rows) + " x " + std::to_string(n));
      }
    }
}

TEST(Loop, LayerNormalizationWithARowPhaseAndABytesResult) {
  for (const int64_t n : {5, 64, 768, 770}) {
    LoopPlan p;
    const int64_t rows = 9;
    const Shape d = {rows, n};
    const int a = p.input(noise(d, 1, 3)), scale = p.constant(noise({n}, 2)), bias = p.constant(noise({n}, 3)),
              q = p.output(DType::UInt8, d), f = p.output(DType::Float32, d);
    Loop loop;
    loop.domain = d;
    loop.reduced = 1;
    loop.views = {dense_view(a, DType::Float32, d), strided_view(scale, DType::Float32, d, {0, 1}),
                  strided_view(bias, DType::Float32, d, {0, 1}), dense_view(q, DType::UInt8, d),
                  dense_view(f, DType::Float32, d)};
    const std::vector<Instr> centred = {load(0), reduced(0), constant(static_cast<double>(n)), apply(Op::Div, 1, 2),
                                        apply(Op::Sub, 0, 3)};
    std::vector<Instr> squares = centred, normal = centred;
    squares.push_back(apply(Op::Mul, 4, 4));
    for (const Instr& i : {reduced(1), apply(Op::Div, 5, 2), constant(1e-5), apply(Op::Add, 6, 7), apply(Op::Sqrt, 8),
                           apply(Op::Div, 4, 9), load(1), apply(Op::Mul, 10, 11), load(2), apply(Op::Add, 12, 13)})
      normal.push_back(i);
    normal.push_back({Op::Quantize, DType::UInt8, {14, -1, -1}, -1, 0.1f, 100});
    loop.phases = {{Over::Inner, {load(0)}, {{Reduce::Sum, 0, DType::Float32}}, {}},
                   {Over::Inner, squares, {{Reduce::Sum, 5, DType::Float32}}, {}},
                   {Over::Inner, normal, {}, {{3, 15}, {4, 14}}}};
    p.add(loop);
    const std::vector<Tensor> wanted = interpret(p.plan, p.inputs);
    for (const Target& target : runnable_levels()) {
      const RunResult got = run_loops(p, target);
      expect_close(got.outputs[1], wanted[1], 1e-5, "layernorm " + std::to_string(n));
      for (int64_t i = 0; i < got.outputs[0].size(); ++i)
        ASSERT_LE(std::abs(got.outputs[0].as_int(i) - wanted[0].as_int(i)), 1);  // halves may fall either way
    }
  }
}

// Channels-last windows: 3x3, stride 2, over a map with a halo.
TEST(Loop, WindowsOfAPool) {
  LoopPlan p;
  const int64_t c = 20, w = 15;
  const Shape domain = {2, c, 7, 7, 3, 3};
  const Shape strides = {w * w * c, 1, 2 * w * c, 2 * c, w * c, c};
  const int a = p.input(integers<uint8_t>({2 * w * w * c})), y = p.output(DType::UInt8, {2 * 49 * c}),
            z = p.output(DType::Float32, {2 * c * 49});
  Loop max;
  max.domain = domain;
  max.reduced = 2;
  max.views = {strided_view(a, DType::UInt8, domain, strides),
               strided_view(y, DType::UInt8, domain, {49 * c, 1, 7 * c, c, 0, 0})};
  max.phases = {{Over::Inner, {load(0, DType::UInt8)}, {{Reduce::Max, 0, DType::UInt8}}, {}},
                {Over::Row, {reduced(0, DType::UInt8)}, {}, {{1, 0}}}};
  p.add(max);
  Loop mean = max;  // to NCHW floats
  mean.views[1] = strided_view(z, DType::Float32, domain, {49 * c, 49, 7, 1, 0, 0});
  mean.phases = {{Over::Inner,
                  {load(0, DType::UInt8), {Op::Dequantize, DType::Float32, {0, -1, -1}, -1, 0.5, 3}},
                  {{Reduce::Sum, 1, DType::Float32}},
                  {}},
                 {Over::Row, {reduced(0), constant(9), apply(Op::Div, 0, 1)}, {}, {{1, 2}}}};
  p.add(mean);
  expect_interpreted(p, 1e-6);
}

TEST(Loop, IndexOfEveryDimension) {
  for (int dimension = 0; dimension < 3; ++dimension) {
    LoopPlan p;
    const Shape d = {3, 5, 21};
    const int y = p.output(DType::Int64, d);
    p.add(elementwise(d, {dense_view(y, DType::Int64, d)}, {{Op::Index, DType::Int64, {-1, -1, -1}, dimension}}));
    expect_interpreted(p, 0, "dimension " + std::to_string(dimension));
  }
}

// Rows of a table selected by indices, and the table's elements selected one by one.
void gathers(std::vector<int64_t> indices, bool rows, bool faulty) {
  LoopPlan p;
  const int64_t entries = 11, n = 35, count = static_cast<int64_t>(indices.size());
  const Shape d = rows ? Shape{count, n} : Shape{n, count};
  const int at = p.input(Tensor::vector(indices)), table = p.input(noise({entries * n})),
            y = p.output(DType::Float32, d);
  std::vector<View> views = {strided_view(at, DType::Int64, d, rows ? Shape{1, 0} : Shape{0, 1}),
                             strided_view(table, DType::Float32, d, rows ? Shape{0, 1} : Shape{entries, 0}),
                             dense_view(y, DType::Float32, d)};
  p.add(elementwise(
      d, views,
      {load(0, DType::Int64),
       {Op::Gather, DType::Float32, {0, -1, -1}, 1, static_cast<double>(rows ? n : 1), static_cast<double>(entries)}}));
  expect_interpreted(p, 0, "gather");
  for (const Target& target : runnable_levels()) EXPECT_EQ(run_loops(p, target).status, faulty ? 1 : 0);
}
TEST(Loop, GatherWrapsAndReportsIndicesOutsideOfTheTable) {
  for (const bool rows : {true, false}) {
    gathers({0, 10, 3, 3, 7}, rows, false);
    gathers({-1, -11, 10, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, -5, -6, -7, 0}, rows, false);
    gathers({0, 11}, rows, true);
    gathers({0, 1, -12, 5}, rows, true);
    gathers({int64_t{1} << 40, -(int64_t{1} << 40)}, rows, true);
  }
}

TEST(Loop, LargeLoopsHaveManyUnits) {
  LoopPlan p;
  const Shape d = {1, 1000003};
  const int a = p.input(noise(d)), y = p.output(DType::Float32, d);
  p.add(elementwise(d, {dense_view(a, DType::Float32, d), dense_view(y, DType::Float32, d)},
                    {load(0), apply(Op::Neg, 0)}));
  for (const Target& target : runnable_levels()) {
    const RunResult whole = run_loops(p, target);
    EXPECT_GT(whole.units[0], 4);
    for (int64_t i = 0; i < d[1]; ++i)
      ASSERT_EQ(whole.outputs[0].data<float>()[static_cast<size_t>(i)],
                -p.inputs[0].data<float>()[static_cast<size_t>(i)])
          << i;
    for (const int pieces : {2, 5, static_cast<int>(whole.units[0])})
      EXPECT_TRUE(run_loops(p, target, pieces).outputs[0] == whole.outputs[0]) << pieces;
  }
}

TEST(Loop, EmptyDomainsDoNothingAndEmptySumsAreZero) {
  LoopPlan p;
  const int a = p.input(noise({4})), y = p.output(DType::Float32, {4});
  p.add(elementwise({0, 4},
                    {strided_view(a, DType::Float32, {0, 4}, {4, 1}), strided_view(y, DType::Float32, {0, 4}, {4, 1})},
                    {load(0)}));
  Loop sum;
  sum.domain = {4, 0};
  sum.reduced = 1;
  sum.views = {strided_view(a, DType::Float32, {4, 0}, {1, 1}), strided_view(y, DType::Float32, {4, 0}, {1, 0})};
  sum.phases = {{Over::Inner, {load(0)}, {{Reduce::Sum, 0, DType::Float32}}, {}},
                {Over::Row, {reduced(0), constant(2), apply(Op::Add, 0, 1)}, {}, {{1, 2}}}};
  p.add(sum);
  for (const Target& target : runnable_levels())
    EXPECT_TRUE(run_loops(p, target).outputs[0] == Tensor::vector<float>({2, 2, 2, 2}));
}

// Loops that differ only in their buffers share one body; each still works on its own.
TEST(Loop, LoopsOfOneStructureShareTheirBody) {
  LoopPlan p;
  const Shape d = {50, 30};
  const int table = p.input(noise(d, 9));
  std::vector<int> sources;
  for (unsigned i = 0; i < 6; ++i) sources.push_back(p.input(noise(d, i)));
  for (const int source : sources) {
    const int y = p.output(DType::Float32, d);
    p.add(elementwise(
        d,
        {dense_view(source, DType::Float32, d), dense_view(table, DType::Float32, d), dense_view(y, DType::Float32, d)},
        {load(0), load(1), apply(Op::Mul, 0, 1)}));
  }
  const int same = p.output(DType::Float32, d);  // equal but for its operands being one buffer
  p.add(elementwise(
      d,
      {dense_view(table, DType::Float32, d), dense_view(table, DType::Float32, d), dense_view(same, DType::Float32, d)},
      {load(0), load(1), apply(Op::Mul, 0, 1)}));
  expect_interpreted(p, 0);
}

TEST(Loop, RefusesWhatItCannotCompile) {
  LoopPlan p;
  const int a = p.input(noise({4})), y = p.output(DType::Float32, {4});
  p.plan.target = Target().with(Isa::Avx2);
  const Loop packed =
      elementwise({4}, {dense_view(a, DType::Int4, {4}), dense_view(y, DType::Float32, {4})}, {load(0, DType::Int4)});
  const auto refused = llvm_backend::step_code(packed, p.plan);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.diagnostics()[0].kind, ErrorKind::Unsupported);
  const Loop plain =
      elementwise({4}, {dense_view(a, DType::Float32, {4}), dense_view(y, DType::Float32, {4})}, {load(0)});
  p.plan.target = Target();
  const auto weak = llvm_backend::step_code(plain, p.plan);
  ASSERT_FALSE(weak.ok());
  EXPECT_EQ(weak.diagnostics()[0].kind, ErrorKind::Target);
}

}  // namespace
}  // namespace lapis::testing
