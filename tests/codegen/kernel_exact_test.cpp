// The replacements of divisions are proven at compile time; these tests prove the proofs, by brute force.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

#include "codegen/kernels/exact_division.h"
#include "codegen/kernels/schedule.h"
#include "codegen/scalar/ops.h"

namespace lapis::kernels {
namespace {

using Kind = DivisionPlan::Kind;

double saturated(double x, int low, int high) { return x > low ? std::min<double>(x, high) : low; }

float random_scale(std::mt19937& generator) {
  return std::exp2(std::uniform_real_distribution<float>(-12, 3)(generator));
}

TEST(ExactDivision, EveryFloatOfSomeScales) {
  for (const float scale : {0.0387f, 0.1f, 1.0f / 3, 1.7f}) {
    const DivisionPlan plan = plan_division(scale, -12, 243);
    ASSERT_NE(plan.kind, Kind::Divide) << scale;
    for (uint64_t bits = 0; bits <= 0xFFFFFFFFu; bits += 509) {  // eight million floats, all exponents
      const float x = std::bit_cast<float>(static_cast<uint32_t>(bits));
      if (!std::isfinite(x) || x > scale * 0x1p30f) continue;  // the emitted code caps those
      ASSERT_EQ(saturated(apply(plan, x, scale), -12, 243), saturated(std::nearbyint(x / scale), -12, 243))
          << scale << " " << x;
    }
  }
}

TEST(ExactDivision, NeighboursOfEveryStep) {
  std::mt19937 generator(7);
  int multiplied = 0;
  for (int trial = 0; trial < 400; ++trial) {
    const float scale = random_scale(generator);
    const DivisionPlan plan = plan_division(scale, -128, 127);
    multiplied += plan.kind != Kind::Divide;
    for (int n = -128; n <= 127; ++n) {
      float x = static_cast<float>((n - 0.5) * static_cast<double>(scale));
      for (int i = 0; i < 20; ++i) x = std::nextafter(x, -1e30f);
      for (int i = 0; i < 40; ++i, x = std::nextafter(x, 1e30f))
        ASSERT_EQ(saturated(apply(plan, x, scale), -128, 127), saturated(std::nearbyint(x / scale), -128, 127))
            << scale << " " << x;
    }
  }
  EXPECT_GT(multiplied, 390) << "nearly every scale has an exact multiplication";
}

TEST(ExactDivision, PowersOfTwoNeedOneMultiplication) {
  EXPECT_EQ(plan_division(0.25f, 0, 255).kind, Kind::Multiply);
  EXPECT_EQ(plan_division(1.0f, 0, 255).kind, Kind::None);
}

TEST(ExactDivision, OddScalesDivide) {
  for (const float scale : {0x1p-100f, 0x1p100f, -0.5f, INFINITY, NAN})
    EXPECT_EQ(plan_division(scale, 0, 255).kind, Kind::Divide);
}

TEST(ExactSum, AllPairsOfBytes) {
  std::mt19937 generator(11);
  int exact = 0;
  for (int trial = 0; trial < 150; ++trial) {
    const float sa = random_scale(generator),
                sb = sa * std::exp2(std::uniform_real_distribution<float>(-2, 2)(generator));
    const float s = (sa + sb) * std::uniform_real_distribution<float>(0.5f, 1.2f)(generator);
    const int za = static_cast<int>(generator() % 256), zb = static_cast<int>(generator() % 256),
              z = static_cast<int>(generator() % 256);
    const SumPlan plan = plan_sum(sa, {-za, 255 - za}, sb, {-zb, 255 - zb}, s, -z, 255 - z);
    if (!plan.exact) continue;
    ++exact;
    for (int a = -za; a <= 255 - za; ++a)
      for (int b = -zb; b <= 255 - zb; ++b) {
        const float x = static_cast<float>(a) * sa, y = static_cast<float>(b) * sb, sum = x + y;
        const double wanted = saturated(std::nearbyint(sum / s), -z, 255 - z);
        const float fast = std::fma(static_cast<float>(a), plan.a, static_cast<float>(b) * plan.b);
        ASSERT_EQ(saturated(std::nearbyint(fast), -z, 255 - z), wanted)
            << sa << " " << sb << " " << s << " at " << a << " " << b;
      }
  }
  EXPECT_GT(exact, 100);
  RecordProperty("exact_of_150", exact);
}

TEST(ExactSum, RefusesFactorsOutOfProportion) {
  EXPECT_FALSE(plan_sum(1.0f, {0, 255}, 1.0f, {0, 255}, 1e-6f, 0, 255).exact);
}

// Lowering fuses what epilogue_supports accepts, so it must refuse what no tile could hold.
TEST(EpilogueSupports, BoundsOperandsAndRegisters) {
  std::vector<Instr> program = {{Op::Accumulator, DType::Float32}};
  auto grow = [&](const Instr& next) {
    program.push_back(next);
    return kernels::epilogue_supports(program);
  };
  int loads = 0;
  while (loads < 20 && grow({Op::Load, DType::Float32, {-1, -1, -1}, 0}) &&
         grow({Op::Add, DType::Float32, {2 * loads, 2 * loads + 1, -1}}))
    ++loads;
  EXPECT_GE(loads, 4);
  EXPECT_LE(loads, 8);
}

TEST(EpilogueSupports, RefusesWhatHasNoInstruction) {
  auto supports = [](DType sum, const Instr& instr) {
    return kernels::epilogue_supports({{Op::Accumulator, sum}, instr});
  };
  EXPECT_FALSE(supports(DType::Float32, {Op::Sin, DType::Float32, {0, -1, -1}}));
  EXPECT_FALSE(supports(DType::Float32, {Op::Atanh, DType::Float32, {0, -1, -1}})) << "doubles have no registers here";
  EXPECT_FALSE(supports(DType::Int32, {Op::Div, DType::Int32, {0, 0, -1}}));
  EXPECT_FALSE(supports(DType::Int32, {Op::Cast, DType::UInt8, {0, -1, -1}}))
      << "ONNX does not say that integers saturate";
  EXPECT_FALSE(supports(DType::Float32, {Op::Load, DType::Float16, {-1, -1, -1}, 0}));
  EXPECT_TRUE(supports(DType::Float32, {Op::Sqrt, DType::Float32, {0, -1, -1}}));
}

// Every function whose formula works in float fits the registers of AVX2, alone and in a product with its argument.
TEST(EpilogueSupports, TakesFunctionsOfFloats) {
  for (const Op op : {Op::Exp, Op::Expm1, Op::Log, Op::Log1p, Op::Tanh, Op::Erf, Op::NormalCdf, Op::Sigmoid}) {
    const std::vector<Instr> program = {
        {Op::Accumulator, DType::Float32}, {op, DType::Float32, {0, -1, -1}}, {Op::Mul, DType::Float32, {0, 1, -1}}};
    EXPECT_TRUE(kernels::epilogue_supports(program)) << scalar::row_of(op).name;
  }
}

}  // namespace
}  // namespace lapis::kernels
