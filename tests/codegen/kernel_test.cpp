// Every row of the kernel table that this machine can run, against plain loops: integer results byte for byte and those
// of bfloat16 bit for bit, floats within 1e-5 of the sum of their terms' magnitudes. Memory is guarded: a read past the
// slack or a write past the last channel faults or shows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "codegen/kernels/schedule.h"
#include "codegen/kernels/table.h"
#include "codegen/scalar/ops.h"
#include "codegen/x86/emit.h"
#include "tests/codegen/kernel_case.h"
#include "tests/sanitized.h"

namespace lapis::testing {
namespace {

constexpr DType kF32 = DType::Float32, kBf16 = DType::BFloat16, kU8 = DType::UInt8, kS8 = DType::Int8,
                kS32 = DType::Int32;

class KernelRow : public ::testing::TestWithParam<int> {
 protected:
  const kernels::Kernel& row() const { return kernels::table()[static_cast<size_t>(GetParam())]; }
  bool integer() const { return is_integer(row().a); }
  int32_t zero(int32_t u8) const { return row().a == kS8 ? u8 - 128 : integer() ? u8 : 0; }

  // Depthwise rows take the same shapes with as many groups as channels.
  KernelShape adapted(KernelShape s) const {
    if (row().depthwise()) s.in_channels = s.groups = s.out_channels;
    if (!integer()) s.input_zero_point = 0;
    return s;
  }
  // The usual end of a row: bytes from integers, floats from floats.
  void expect_plain(KernelShape s, DType out = kU8) {
    s = adapted(s);
    KernelCase k(s, row().a, integer() ? out : kF32, seed_++);
    if (integer()) k.requantize(0, out, s.output_zero_point);
    EXPECT_EQ(k.check(GetParam()), "") << row().name << " " << s.to_string();
  }
  uint32_t seed_ = 1;
};

TEST_P(KernelRow, PixelTails) {
  for (int64_t pixels = 1; pixels <= 40; pixels += kStride)
    expect_plain({.pixels_w = pixels, .in_channels = 8, .out_channels = 64});
}

TEST_P(KernelRow, ChannelTails) {
  for (int64_t channels :
       {1, 2, 3, 7, 8, 15, 16, 17, 24, 31, 32, 33, 40, 48, 60, 63, 64, 65, 80, 96, 100, 112, 127, 128, 130, 144, 200})
    expect_plain({.pixels_w = 7, .in_channels = 12, .out_channels = channels, .output_zero_point = 3});
}

TEST_P(KernelRow, SumTails) {
  if (row().depthwise()) GTEST_SKIP() << "a depthwise sum has one channel";
  for (int64_t k = 1; k <= 70; k += kStride)
    expect_plain({.pixels_w = 5, .in_channels = k, .out_channels = 20, .input_zero_point = zero(7)});
  for (int64_t k : {191, 192, 255, 256, 260, 1024})
    expect_plain({.pixels_w = 13, .in_channels = k, .out_channels = 64, .input_zero_point = zero(99)});
}

TEST_P(KernelRow, Windows) {
  for (int64_t size : {1, 2, 3, 5, 7})
    for (int64_t stride : {1, 2})
      for (int64_t dilation : {1, 2})
        for (int64_t channels : {3, 16, 68})
          expect_plain({.pixels_h = 4,
                        .pixels_w = 5,
                        .kernel_h = size,
                        .kernel_w = size,
                        .stride = stride,
                        .dilation = dilation,
                        .in_channels = channels,
                        .out_channels = channels + 5,
                        .input_zero_point = zero(128)});
}

TEST_P(KernelRow, ZeroPoints) {
  if (!integer()) GTEST_SKIP() << "floats have no zero point";
  for (int32_t in : {0, 1, 127, 128, 255})
    for (int32_t out : {0, 1, 127, 128, 255}) {
      const KernelShape s{.pixels_w = 9,
                          .kernel_w = 3,
                          .in_channels = 20,
                          .out_channels = 70,
                          .input_zero_point = zero(in),
                          .output_zero_point = out};
      expect_plain(s);
      KernelShape signed_out = s;
      signed_out.output_zero_point = out - 128;
      expect_plain(signed_out, kS8);
    }
}

TEST_P(KernelRow, ExtremeOperands) {
  if (!integer()) GTEST_SKIP() << "bytes only";
  for (Fill fill : {Fill::AllMax, Fill::AllMin, Fill::Small})
    for (int32_t in : {0, 255}) {
      const KernelShape s = adapted({.pixels_w = 11,
                                     .kernel_h = 3,
                                     .kernel_w = 3,
                                     .in_channels = 64,
                                     .out_channels = 80,
                                     .input_zero_point = zero(in),
                                     .fill = fill});
      KernelCase k(s, row().a, kS32, seed_++);
      EXPECT_EQ(k.check(GetParam()), "") << row().name << " " << s.to_string();
    }
}

// Multiplying by powers of two makes every tie of round-half-even appear.
TEST_P(KernelRow, TiesRoundToEven) {
  if (!integer()) GTEST_SKIP() << "bytes only";
  for (double multiplier : {0.5, 0.25, 1.0, 1.5}) {
    const KernelShape s = adapted({.pixels_w = 30,
                                   .in_channels = 4,
                                   .out_channels = 96,
                                   .input_zero_point = zero(128),
                                   .output_zero_point = 100,
                                   .fill = Fill::Small});
    KernelCase k(s, row().a, kU8, seed_++);
    for (int32_t& b : k.contraction().bias.mutable_data<int32_t>()) b %= 512;
    const int scaled = k.add(Op::Mul, kF32, {k.add(Op::Cast, kF32, {0}), k.constant(kF32, multiplier)});
    k.add(Op::Quantize, kU8, {scaled}, 1, 100);
    EXPECT_EQ(k.check(GetParam()), "") << row().name << " " << multiplier;
  }
}

TEST_P(KernelRow, HugeAndTinyMultipliers) {
  if (!integer()) GTEST_SKIP() << "bytes only";
  for (double multiplier : {1e30, -1e30, 3e38, 1e-30, -1.0})
    for (DType out : {kU8, kS8}) {
      const KernelShape s =
          adapted({.pixels_w = 8, .in_channels = 24, .out_channels = 64, .input_zero_point = zero(128)});
      KernelCase k(s, row().a, out, seed_++);
      const int scaled = k.add(Op::Mul, kF32, {k.add(Op::Cast, kF32, {0}), k.constant(kF32, multiplier)});
      k.add(Op::Quantize, out, {scaled}, 0.37, 5);
      EXPECT_EQ(k.check(GetParam()), "") << row().name << " " << multiplier;
    }
}

// Conv -> Q -> DQ, + DQ(residual), Relu, Q: what a residual block becomes.
TEST_P(KernelRow, ResidualChain) {
  if (!integer()) GTEST_SKIP() << "bytes only";
  for (DType residual : {kU8, kS8})
    for (DType out : {kU8, kS8})
      for (int64_t channels : {8, 16, 24, 40, 64, 96, 100, 128})
        for (double scale : {0.0471, 0.25}) {
          const KernelShape s =
              adapted({.pixels_w = 13, .in_channels = 16, .out_channels = channels, .input_zero_point = zero(3)});
          KernelCase k(s, row().a, out, seed_++);
          const int conv = k.add(Op::Dequantize, kF32, {k.requantize(0, kU8, 121)}, 0.0213, 121);
          const int other = k.add(Op::Dequantize, kF32,
                                  {k.per_element(residual, residual == kU8 ? 0 : -128, residual == kU8 ? 255 : 127)},
                                  0.0317, residual == kU8 ? 17 : -5);
          const int sum = k.add(Op::Add, kF32, {conv, other});
          const int relu = k.add(Op::AtLeast, kF32, {sum, k.constant(kF32, 0)});
          k.add(Op::Quantize, out, {relu}, scale, out == kU8 ? 12 : -100);
          EXPECT_EQ(k.check(GetParam()), "") << row().name << " " << s.to_string();
        }
}

// Residuals of other widths force the unpacked order.
TEST_P(KernelRow, WideOperandsAndOutputs) {
  for (int64_t channels : {5, 16, 30, 64, 72}) {
    const KernelShape s = adapted({.pixels_w = 14, .in_channels = 8, .out_channels = channels});
    KernelCase k(s, row().a, kF32, seed_++);
    const int x = integer() ? k.add(Op::Mul, kF32, {k.add(Op::Cast, kF32, {0}), k.per_channel(kF32, -0.01, 0.01)}) : 0;
    const int sum =
        k.add(Op::Add, kF32, {k.add(Op::Add, kF32, {x, k.per_channel(kF32, -1, 1)}), k.per_element(kF32, -1, 1)});
    const int bytes = k.add(Op::Add, kF32, {sum, k.add(Op::Cast, kF32, {k.per_element(kU8, 0, 255)})});
    k.add(Op::Max, kF32, {bytes, k.constant(kF32, 2)});
    EXPECT_EQ(k.check(GetParam()), "") << row().name << " " << s.to_string();
    if (!integer()) continue;
    KernelCase q(s, row().a, kU8, seed_++);
    const int f = q.add(Op::Mul, kF32, {q.add(Op::Cast, kF32, {0}), q.per_channel(kF32, -0.01, 0.01)});
    q.add(Op::Quantize, kU8, {q.add(Op::Add, kF32, {f, q.per_element(kF32, -100, 300)})}, 1.7, 9);
    EXPECT_EQ(q.check(GetParam()), "") << row().name << " " << s.to_string();
    KernelCase i(s, row().a, kS32, seed_++);
    i.add(Op::Sub, kS32,
          {i.add(Op::Add, kS32, {0, i.per_channel(kS32, -9999, 9999)}),
           i.add(Op::Cast, kS32, {i.per_element(kS8, -128, 127)})});
    EXPECT_EQ(i.check(GetParam()), "") << row().name << " " << s.to_string();
  }
}

// One number for all channels of a pixel, as the zero point of computed weights needs.
TEST_P(KernelRow, OperandsOfPixels) {
  if (!integer()) GTEST_SKIP() << "integers only";
  for (int64_t channels : {1, 5, 16, 40, 64, 100, 130})
    for (DType out : {kU8, kS32}) {
      const KernelShape s = adapted({.pixels_h = 3, .pixels_w = 7, .in_channels = 16, .out_channels = channels});
      KernelCase k(s, row().a, out, seed_++);
      const int sum = k.add(Op::Add, kS32, {0, k.per_pixel(-3000, 3000)});
      if (out == kU8) k.requantize(sum, kU8, 100);
      EXPECT_EQ(k.check(GetParam()), "") << row().name << " " << s.to_string();
    }
}

// Clips: of bytes, of finite floats before rounding, and of floats that stay floats.
TEST_P(KernelRow, Clips) {
  const KernelShape s = adapted({.pixels_w = 10, .in_channels = 16, .out_channels = 72, .input_zero_point = zero(128)});
  KernelCase f(s, row().a, kF32, seed_++);
  const int x = integer() ? f.add(Op::Cast, kF32, {0}) : 0;
  f.add(Op::Min, kF32, {f.constant(kF32, 0.75), f.add(Op::Max, kF32, {x, f.constant(kF32, -0.5)})});
  EXPECT_EQ(f.check(GetParam()), "") << row().name;
  if (!integer()) return;
  KernelCase b(s, row().a, kU8, seed_++);
  b.add(Op::Min, kU8, {b.add(Op::Max, kU8, {b.requantize(0, kU8, 60), b.constant(kU8, 60)}), b.constant(kU8, 200)});
  EXPECT_EQ(b.check(GetParam()), "") << row().name;
  KernelCase q(s, row().a, kS8, seed_++);
  const int scaled = q.add(Op::Mul, kF32, {q.add(Op::Cast, kF32, {0}), q.per_channel(kF32, 0.0001, 0.0004)});
  const int six = q.add(Op::Min, kF32, {q.add(Op::Max, kF32, {scaled, q.constant(kF32, 0)}), q.constant(kF32, 6)});
  q.add(Op::Quantize, kS8, {six}, 0.03, -100);
  EXPECT_EQ(q.check(GetParam()), "") << row().name;
}

TEST_P(KernelRow, OtherInstructions) {
  const KernelShape s = adapted({.pixels_w = 10, .in_channels = 16, .out_channels = 50, .input_zero_point = zero(128)});
  auto begin = [&](KernelCase& k) {
    return integer() ? k.add(Op::Mul, kF32, {k.add(Op::Cast, kF32, {0}), k.constant(kF32, 0.001)}) : 0;
  };
  KernelCase leaky(s, row().a, kF32, seed_++);
  const int x = begin(leaky);
  const int negative = leaky.add(Op::Less, DType::Bool, {x, leaky.constant(kF32, 0)});
  leaky.add(Op::Select, kF32, {negative, leaky.add(Op::Mul, kF32, {x, leaky.constant(kF32, 0.1)}), x});
  EXPECT_EQ(leaky.check(GetParam()), "") << row().name;
  KernelCase swish(s, row().a, kF32, seed_++);
  const int y = begin(swish);
  const int line = swish.add(
      Op::Add, kF32, {swish.add(Op::Mul, kF32, {swish.constant(kF32, 1.0f / 6), y}), swish.constant(kF32, 0.5)});
  swish.add(Op::Mul, kF32,
            {y, swish.add(Op::Max, kF32,
                          {swish.constant(kF32, 0), swish.add(Op::Min, kF32, {swish.constant(kF32, 1), line})})});
  EXPECT_EQ(swish.check(GetParam()), "") << row().name;
  for (Op op : {Op::Neg, Op::Abs}) {
    KernelCase k(s, row().a, kF32, seed_++);
    k.add(op, kF32, {begin(k)});
    EXPECT_EQ(k.check(GetParam()), "") << row().name << " " << scalar::row_of(op).name;
  }
  if (!integer()) return;  // discontinuous or steep: only where the argument is exact
  for (Op op : {Op::Floor, Op::Ceil, Op::RoundEven, Op::Reciprocal}) {
    KernelCase k(s, row().a, kF32, seed_++);
    k.add(op, kF32, {begin(k)});
    EXPECT_EQ(k.check(GetParam()), "") << row().name << " " << scalar::row_of(op).name;
  }
  for (Op op : {Op::Equal, Op::Less, Op::LessOrEqual}) {
    KernelCase k(s, row().a, kS32, seed_++);
    const int condition = k.add(op, DType::Bool, {0, k.per_channel(kS32, -20000, 20000)});
    k.add(Op::Select, kS32, {condition, 0, k.constant(kS32, 7)});
    EXPECT_EQ(k.check(GetParam()), "") << row().name << " " << scalar::row_of(op).name;
  }
  KernelCase root(s, row().a, kF32, seed_++);
  root.add(Op::Div, kF32,
           {root.add(Op::Sqrt, kF32, {root.add(Op::Abs, kF32, {begin(root)})}), root.per_channel(kF32, 1, 3)});
  EXPECT_EQ(root.check(GetParam()), "") << row().name;
  KernelCase cast(s, row().a, kU8, seed_++);
  cast.add(Op::Cast, kU8, {cast.add(Op::Mul, kF32, {begin(cast), cast.constant(kF32, 20)})});
  EXPECT_EQ(cast.check(GetParam()), "") << row().name;
}

// Bytes are packed in another order than floats are stored; the channels stay theirs.
TEST_P(KernelRow, FloatSumsStoredAsBytes) {
  if (integer()) GTEST_SKIP() << "a row of integers";
  for (const int64_t channels : {5, 16, 45, 83})
    for (const DType out : {kU8, kS8}) {
      KernelCase k(adapted({.pixels_w = 7, .kernel_w = 3, .in_channels = 16, .out_channels = channels}), row().a, out,
                   seed_++);
      k.add(Op::Quantize, out, {0}, 0.02, out == kU8 ? 128 : -3);
      EXPECT_EQ(k.check(GetParam()), "") << row().name << " " << channels << " channels";
    }
}

// Epilogues on NaN, infinities, zeros of both signs, extremes and subnormal numbers. The kernel's own sum is dropped by
// a Select, so that every row computes exactly the same.
TEST_P(KernelRow, SpecialValues) {
  constexpr float kInf = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> special = {0.0f,  -0.0f,  1.5f,    -1.5f,  2.5f,   kInf,    -kInf, kNan,  3e9f,
                                      -3e9f, 1e-40f, -1e-40f, 127.5f, 255.5f, -128.5f, 3e38f, -3e38f};
  const std::vector<float> other = {0.0f, -0.0f, 1.5f, -kInf, kNan, 7, -3e38f};  // another length: all pairs meet
  const KernelShape s = adapted({.pixels_w = 13, .in_channels = 16, .out_channels = 45});
  auto check = [&](const std::string& what, DType out, auto&& build) {
    KernelCase k(s, row().a, out, seed_++);
    k.exact();
    build(k, k.instead_of_sum(k.per_element(special)));
    EXPECT_EQ(k.check(GetParam()), "") << row().name << " " << what;
  };
  for (const Op op : {Op::Neg, Op::Abs, Op::Sqrt, Op::Reciprocal, Op::Floor, Op::Ceil, Op::RoundEven})
    check("unary " + std::string(scalar::row_of(op).name), kF32, [&](KernelCase& k, int x) { k.add(op, kF32, {x}); });
  for (const Op op : {Op::Add, Op::Sub, Op::Mul, Op::Div, Op::Max, Op::Min, Op::AtLeast, Op::AtMost}) {
    check("binary " + std::string(scalar::row_of(op).name), kF32, [&](KernelCase& k, int x) {
      k.add(op, kF32, {x, k.per_element(other)});
    });
    for (const float c : {0.0f, -0.0f, 6.0f, -1.0f, kInf, kNan})
      check("constant " + std::string(scalar::row_of(op).name) + " with " + std::to_string(c), kF32,
            [&](KernelCase& k, int x) {
              k.add(op, kF32, {x, k.constant(kF32, c)});
            });
  }
  for (const Op op : {Op::Less, Op::LessOrEqual, Op::Equal})
    check("comparison " + std::string(scalar::row_of(op).name), kF32, [&](KernelCase& k, int x) {
      const int y = k.per_element(other);
      k.add(Op::Select, kF32, {k.add(op, DType::Bool, {x, y}), x, y});
    });
  check("truth values", kF32, [&](KernelCase& k, int x) {
    const int y = k.per_element(other), less = k.add(Op::Less, DType::Bool, {x, y});
    const int differs = k.add(Op::Xor, DType::Bool, {less, k.add(Op::IsNaN, DType::Bool, {y})});
    const int both = k.add(Op::And, DType::Bool, {less, k.add(Op::Not, DType::Bool, {differs})});
    k.add(Op::Select, kF32, {k.add(Op::Or, DType::Bool, {both, differs}), x, y});
  });
  for (const DType to : {kS32, kU8, kS8, kBf16})
    check("cast to " + std::string(name_of(to)), to, [&](KernelCase& k, int x) { k.add(Op::Cast, to, {x}); });
  for (const DType to : {kU8, kS8})
    for (const float scale : {1.0f, 0.037f, 1e-39f, 1e30f}) {
      check("quantize", to, [&](KernelCase& k, int x) { k.add(Op::Quantize, to, {x}, scale, to == kU8 ? 17 : -100); });
      check("bounded quantize", to, [&](KernelCase& k, int x) {
        k.add(Op::Quantize, to, {k.add(Op::AtLeast, kF32, {x, k.constant(kF32, 0)})}, scale, to == kU8 ? 17 : -100);
      });
      check("quantize and back", kF32, [&](KernelCase& k, int x) {
        k.add(Op::Dequantize, kF32, {k.add(Op::Quantize, to, {x}, scale, 3)}, 0.25, 3);
      });
    }
}

// Of every exponent, and the special ones.
std::vector<float> sweep() {
  std::vector<float> x = {0.0f,   -0.0f,  1.0f,    -1.0f,  INFINITY, -INFINITY, NAN,
                          88.72f, -87.4f, -103.9f, 0.625f, 1e-45f,   -1e-45f};
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 4999999)
    x.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  for (int i = -600; i <= 600; ++i) x.push_back(static_cast<float>(i) * 0.03f);
  return x;
}

// Elementary functions are the programs of codegen/scalar, bit for bit, alone and in products,
// stored as floats and as bytes.
TEST_P(KernelRow, FunctionsAreTheirPrograms) {
  const std::vector<float> values = sweep();
  for (const scalar::Row& function : scalar::rows()) {
    if (function.kind != scalar::Kind::Elementary ||
        !kernels::epilogue_supports({{Op::Accumulator, kF32}, {function.op, kF32, {0, -1, -1}}}))
      continue;
    for (const DType out : {kF32, kU8}) {
      KernelCase k(adapted({.pixels_w = 23, .in_channels = 4, .out_channels = 93}), row().a, out, seed_++);
      k.exact();
      const int x = k.instead_of_sum(k.per_element(values)), y = k.add(function.op, kF32, {x});
      const int product = k.add(Op::Mul, kF32, {x, k.add(Op::Add, kF32, {y, k.per_channel(kF32, -1, 1)})});
      if (out == kU8) k.add(Op::Quantize, kU8, {product}, 0.02, 100);
      EXPECT_EQ(k.check(GetParam()), "") << row().name << " " << function.name << " as " << name_of(out);
    }
  }
}

// On tiles of every shape: sums wait in memory where registers are short.
TEST_P(KernelRow, FunctionsOnAllTiles) {
  for (const int64_t channels : {3, 16, 40, 64, 130})
    for (const int64_t pixels : {1, 5, 12, 31}) {
      KernelCase k(adapted({.pixels_w = pixels, .kernel_w = 3, .in_channels = 8, .out_channels = channels}), row().a,
                   kF32, seed_++);
      const int x = integer() ? k.add(Op::Mul, kF32, {k.add(Op::Cast, kF32, {0}), k.constant(kF32, 0.001)}) : 0;
      const int sum = k.add(Op::Add, kF32, {x, k.per_element(kF32, -1, 1)});
      k.add(Op::Mul, kF32, {sum, k.add(Op::Sigmoid, kF32, {sum})});
      EXPECT_EQ(k.check(GetParam()), "") << row().name << " " << channels << " channels, " << pixels << " pixels";
    }
}

// Rounded to bfloat16 in the middle and in the end, like the reference:
// ties, numbers beyond the largest, subnormal ones, NaN.
TEST_P(KernelRow, HalvesAreRoundedWhereTheProgramSaysSo) {
  const std::vector<float> values = sweep();
  for (const int64_t channels : {1, 3, 8, 13, 16, 31, 93}) {
    KernelCase k(adapted({.pixels_w = 53, .in_channels = 4, .out_channels = channels}), row().a, kBf16, seed_++);
    k.exact();
    auto widened = [&](int half) { return k.add(Op::Cast, kF32, {half}); };
    const int x = k.instead_of_sum(k.per_element(values));
    const int residual = widened(k.per_element(kBf16, -4, 4)), scale = widened(k.per_channel(kBf16, -2, 2));
    const int product = k.add(Op::Mul, kF32, {widened(k.add(Op::Cast, kBf16, {x})), scale});
    const int half = k.add(Op::Cast, kF32, {k.constant(kBf16, 1.5f)});
    k.add(Op::Cast, kBf16, {k.add(Op::Add, kF32, {k.add(Op::Mul, kF32, {product, half}), residual})});
    EXPECT_EQ(k.check(GetParam()), "") << row().name << " " << channels << " channels";
  }
}

// Sums of bfloat16 that depend on the order of additions, and meet subnormal numbers:
// bit for bit what docs/numerics.md says.
TEST_P(KernelRow, SumsOfHalvesAreInOrder) {
  if (row().a != kBf16) GTEST_SKIP() << "not a row of halves";
  for (const int64_t k : {1, 2, 3, 7, 64, 195})
    for (const float low : {1.0f, 1e-37f, 1e-38f}) {
      KernelCase c({.pixels_w = 13, .kernel_h = 2, .kernel_w = 2, .in_channels = k, .out_channels = 83}, kBf16, kF32,
                   seed_++);
      Tensor& weights = c.contraction().weights.source;
      for (BFloat16& w : weights.mutable_data<BFloat16>()) w = to_bfloat16(to_float(w) * low);
      for (float& b : c.contraction().bias.mutable_data<float>()) b *= low;
      EXPECT_EQ(c.check(GetParam()), "") << k << " factors of about " << low;
    }
}

TEST_P(KernelRow, TablesOfBytes) {
  if (!integer()) GTEST_SKIP() << "the bytes of float sums are not exact";
  Tensor table(kU8, {256});
  for (size_t i = 0; i < 256; ++i) table.mutable_data<uint8_t>()[i] = static_cast<uint8_t>((i * 167 + 13) ^ (i >> 3));
  const Target without_permutation = Target().with(row().needs);
  for (const Target& target : {Target::host().with(row().needs), without_permutation})
    for (const DType between : {kU8, kS8})
      for (const DType out : {kU8, kS8})
        for (const int64_t channels : {5, 16, 33, 64, 100}) {
          KernelCase k(adapted({.pixels_w = 9, .in_channels = 16, .out_channels = channels}), row().a, out, seed_++);
          k.plan().target = target;
          k.look_up(k.requantize(0, between, between == kU8 ? 100 : -5), out, table);
          EXPECT_EQ(k.check(GetParam()), "") << row().name << " " << channels << " on " << target.to_string();
        }
}

TEST_P(KernelRow, Groups) {
  if (row().depthwise()) GTEST_SKIP() << "depthwise is all groups";
  for (int64_t groups : {2, 3, 8})
    for (int64_t per_group : {1, 4, 5, 20, 70})
      expect_plain({.pixels_w = 7,
                    .kernel_w = 3,
                    .in_channels = groups * 6,
                    .out_channels = groups * per_group,
                    .groups = groups,
                    .input_zero_point = zero(9)});
}

TEST_P(KernelRow, AnyPartitionGivesTheSameBytes) {
  for (int64_t channels : {100, 500}) {
    const KernelShape s = adapted({.pixels_h = row().depthwise() ? 70 : 20,
                                   .pixels_w = 21,
                                   .kernel_w = 3,
                                   .in_channels = 32,
                                   .out_channels = channels,
                                   .input_zero_point = zero(5)});
    KernelCase k(s, row().a, integer() ? kU8 : kF32, seed_++);
    if (integer()) k.requantize(0, kU8, 5);
    EXPECT_EQ(k.check(GetParam(), {1, 2, 3, 5, 7, 11, 16}), "") << row().name;
    EXPECT_GE(k.contraction().units, 4) << row().name;
  }
}

// Whoever chooses: tile, order and runs change nothing but the time.
TEST_P(KernelRow, AnyScheduleGivesTheSameBytes) {
  const KernelShape s = adapted({.pixels_h = 5, .pixels_w = 14, .in_channels = 20, .out_channels = 150});
  int tried = 0;
  for (int nr = 1; nr <= 4; ++nr)
    for (int mr = 1; mr <= 12; ++mr)
      for (const auto order : {Schedule::Order::Weights, Schedule::Order::Pixels}) {
        KernelCase k(s, row().a, integer() ? kU8 : kF32, seed_);
        if (integer()) k.requantize(0, kU8, 5);
        k.plan().target = Target::host().with(row().needs);
        const Schedule wanted{GetParam(), mr, nr, order, 1 + mr % 3};
        const Result<Schedule> chosen = kernels::choose(k.contraction(), k.plan().target, wanted);
        if (!chosen.ok()) continue;
        ++tried;
        EXPECT_LE(chosen->mr, mr);  // the same number of tiles, as even as possible
        EXPECT_EQ(std::tuple(chosen->row, chosen->nr, chosen->order, chosen->splits),
                  std::tuple(wanted.row, wanted.nr, wanted.order, wanted.splits));
        EXPECT_EQ(k.check(wanted), "") << row().name << " " << kernels::to_string(wanted);
      }
  EXPECT_GE(tried, 2) << row().name;
}

// Images that are larger than one table of pixels.
TEST_P(KernelRow, ManySlabs) {
  for (const auto& [h, w] : {std::pair{150, 223}, std::pair{1, 40002}, std::pair{40001, 1}, std::pair{2, 17000}}) {
    const KernelShape s = adapted({.pixels_h = h, .pixels_w = w, .kernel_w = 3, .in_channels = 4, .out_channels = 5});
    KernelCase k(s, row().a, integer() ? kS32 : kF32, seed_++);
    const DType type = integer() ? kS32 : kF32;
    const double most = integer() ? 9 : 0.5;
    k.add(Op::Add, type, {0, k.per_element(type, -most, most)});
    EXPECT_EQ(k.check(GetParam(), {2, 3}), "") << row().name << " " << s.to_string();
    EXPECT_GT(k.contraction().units, 1) << row().name;
    EXPECT_LT(k.plan().constants.size(), size_t{1} << 18) << row().name;
  }
}

TEST(KernelSchedule, RefusesATileThatDoesNotFit) {
  auto why = [](const std::string& wanted) {
    KernelCase k({.pixels_w = 30, .in_channels = 8, .out_channels = 128}, kU8, kS32, 1);
    k.plan().target = *Target::parse("x86-64+avx512vnni");
    const Status status = kernels::schedule(k.contraction(), k.plan(), *kernels::parse_schedule(wanted));
    return status.ok() ? kernels::to_string(k.contraction().schedule) : lapis::to_string(status.diagnostics());
  };
  EXPECT_EQ(why("conv_u8s8_avx512vnni 6x4 pixels 3"), "conv_u8s8_avx512vnni 6x4 pixels 3");
  EXPECT_THAT(why("conv_u8s8_avx512vnni 12x4"), ::testing::HasSubstr("use 6x4 at most"));
  EXPECT_THAT(why("conv_u8s8_avx512vnni 1x5"), ::testing::HasSubstr("1 to 4 vectors of channels, not 5"));
  EXPECT_THAT(why("conv_u8s8_avx512vnni 6x4 any 6"), ::testing::HasSubstr("5 tiles of pixels"));
  EXPECT_THAT(why("conv_f32_avx2"), ::testing::HasSubstr("multiplies float by float, not uint8 by int8"));
  EXPECT_THAT(why("conv_u8s8_avxvnni"), ::testing::HasSubstr("too few instructions"));
  EXPECT_THAT(why("dw_u8s8_avx512vnni"), ::testing::HasSubstr("not depthwise"));
}

TEST(KernelSchedule, IsTextAndBack) {
  const Schedule all{3, 5, 4, Schedule::Order::Pixels, 17};
  EXPECT_EQ(kernels::to_string(all), std::string(kernels::name_of_row(3)) + " 5x4 pixels 17");
  EXPECT_EQ(kernels::to_string(Schedule{}), "any");
  EXPECT_EQ(kernels::to_string({.splits = 9}), "any 0x0 any 9");
  for (const Schedule& s : {all, Schedule{}, Schedule{.row = 0}, Schedule{.nr = 2}, Schedule{.splits = 9},
                            Schedule{.row = 1, .order = Schedule::Order::Weights}})
    EXPECT_EQ(*kernels::parse_schedule(kernels::to_string(s)), s) << kernels::to_string(s);
  auto why = [](std::string_view text) {
    const Result<Schedule> s = kernels::parse_schedule(text);
    return s.ok() ? "" : lapis::to_string(s.diagnostics());
  };
  EXPECT_THAT(why("conv_f32_avx3 4x4"), ::testing::HasSubstr("did you mean 'conv_f32_avx2'"));
  for (const char* text : {"", "any 4", "any 4x", "any -1x4", "any 4x4 rows", "any 4x4 pixels x", "any 4x4 pixels 1 2"})
    EXPECT_THAT(why(text), ::testing::HasSubstr("conv_u8s8_avx512vnni 6x4 weights 12")) << text;
}

TEST(KernelSchedule, SaysWhyNothingFits) {
  auto why = [](KernelCase k, Target target, int row = -1) {
    k.plan().target = target;
    const Status status = kernels::schedule(k.contraction(), k.plan(), {.row = row});
    return status.ok() ? "" : lapis::to_string(status.diagnostics());
  };
  const KernelShape shape{.pixels_w = 4, .in_channels = 8, .out_channels = 8};
  EXPECT_THAT(why({shape, kU8, kS32, 1}, Target()), ::testing::HasSubstr("avx2"));
  EXPECT_THAT(why({shape, kS32, kS32, 1}, Target::host()), ::testing::HasSubstr("no kernel multiplies int32"));
  for (size_t row = 0; row < kernels::table().size(); ++row) {
    if (!kernels::table()[row].depthwise() || kernels::table()[row].a != kU8) continue;
    EXPECT_THAT(why({shape, kU8, kS32, 1}, Target::levels().back().with(Isa::AvxVnni), static_cast<int>(row)),
                ::testing::HasSubstr("not depthwise"));
  }
}

// Code for other machines is ordinary: every row emits without running.
TEST(KernelSchedule, EveryRowEmits) {
  for (size_t row = 0; row < kernels::table().size(); ++row) {
    const kernels::Kernel& kernel = kernels::table()[row];
    if (kernel.library()) continue;  // onednn_test.cpp
    const int64_t channels = 40;
    KernelCase k({.pixels_w = 9,
                  .kernel_w = 3,
                  .in_channels = channels,
                  .out_channels = channels,
                  .groups = kernel.depthwise() ? channels : 1},
                 kernel.a, kernel.accumulator, 1);
    k.plan().target = Target().with(kernel.needs);
    ASSERT_TRUE(kernels::schedule(k.contraction(), k.plan(), {.row = static_cast<int>(row)}).ok()) << kernel.name;
    EXPECT_GT(x86::emit(k.contraction(), k.plan()).size(), 200u) << kernel.name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, KernelRow, ::testing::ValuesIn(runnable_rows()), [](const auto& info) {
  return std::string(kernels::table()[static_cast<size_t>(info.param)].name);
});

}  // namespace
}  // namespace lapis::testing
