// How loops walk memory: sizes, strides, lane placements, reductions, work units. Values are compared with the plan interpreter.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

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

template <class T>
Tensor integers(Shape shape, unsigned seed = 1) {
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
    ASSERT_LE(std::abs(a - b), relative * std::max(1.0, std::abs(b))) << what << ", element " << i << ": " << a << " instead of " << b;
  }
}

// All levels agree with the interpreter; `relative` 0 means the same bytes.
void expect_interpreted(const LoopPlan& loops, double relative, const std::string& what = "") {
  const std::vector<Tensor> wanted = interpret(loops.plan, loops.inputs);
  for (const Target& target : runnable_levels()) {
    const RunResult got = run_loops(loops, target);
    ASSERT_EQ(got.outputs.size(), wanted.size());
    for (size_t o = 0; o < wanted.size(); ++o) {
      if (relative == 0) ASSERT_TRUE(got.outputs[o] == wanted[o]) << what << " on " << target.to_string() << "\n got    " << to_string(got.outputs[o], 32) << "\n wanted " << to_string(wanted[o], 32);
      else expect_close(got.outputs[o], wanted[o], relative, what + " on " + target.to_string());
    }
    const RunResult parts = run_loops(loops, target, 3);
    for (size_t o = 0; o < wanted.size(); ++o) ASSERT_TRUE(parts.outputs[o] == got.outputs[o]) << what << ": the partition changes the result on " << target.to_string();
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
    p.add(elementwise({n}, {dense_view(a, DType::Float32, {n}), dense_view(b, DType::Float32, {n}), dense_view(y, DType::Float32, {n})},
                      {load(0), load(1), apply(Op::Mul, 0, 1), apply(Op::Add, 2, 0)}));
    expect_interpreted(p, 0, "n = " + std::to_string(n));
  }
}

TEST(Loop, QuantizeOfEverySize) {
  for (int64_t n : {1, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 67, 1000}) {
    LoopPlan p;
    const int a = p.input(noise({n}, 1, 300)), y = p.output(DType::UInt8, {n});
    p.add(elementwise({n}, {dense_view(a, DType::Float32, {n}), dense_view(y, DType::UInt8, {n})}, {load(0), {Op::Quantize, DType::UInt8, {0, -1, -1}, -1, 1.7f, 128}}));
    expect_interpreted(p, 0, "n = " + std::to_string(n));
  }
}

}  // namespace
}  // namespace lapis::testing
