// The row that is oneDNN, against plain loops like every row: within 1e-5 of the sum of the terms' magnitudes, on
// guarded memory. Without the library its tests say so and skip, but for those of the build without it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <thread>

#include "codegen/kernels/schedule.h"
#include "codegen/kernels/table.h"
#include "codegen/x86/emit.h"
#include "tests/codegen/kernel_case.h"

namespace lapis::testing {
namespace {

using ::testing::HasSubstr;

constexpr DType kF32 = DType::Float32;
constexpr const char* kName = "onednn_f32";

Schedule row(int64_t splits = 0) {
  Schedule s = *kernels::parse_schedule(kName);
  s.splits = splits;
  return s;
}

std::string why(KernelCase& k, const Schedule& wanted = row()) {
  k.plan().target = Target::host();
  const Status status = kernels::schedule(k.contraction(), k.plan(), wanted);
  return status.ok() ? "" : to_string(status.diagnostics());
}

bool is_here() {
  KernelCase k({.pixels_w = 4, .in_channels = 8, .out_channels = 8}, kF32, kF32, 1);
  return why(k).empty();
}

class OneDnn : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!is_here()) GTEST_SKIP() << "no oneDNN here";
  }
  void expect_plain(const KernelShape& s, int64_t splits = 0, const std::vector<int64_t>& cuts = {}) {
    KernelCase k(s, kF32, kF32, seed_++);
    EXPECT_EQ(k.check(row(splits), cuts), "") << s.to_string() << " in " << splits;
    EXPECT_EQ(k.contraction().schedule.row, row().row);
  }
  uint32_t seed_ = 1;
};

TEST_F(OneDnn, PixelTails) {
  for (int64_t pixels = 1; pixels <= 40; ++pixels)
    for (const int64_t pad : {0, 3})
      expect_plain({.pixels_w = pixels, .in_channels = 8, .out_channels = 64, .pad_channels = pad});
}

TEST_F(OneDnn, ChannelTails) {
  for (int64_t channels : {1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 48, 63, 64, 65, 100, 130, 200})
    expect_plain({.pixels_w = 7, .in_channels = 12, .out_channels = channels});
}

TEST_F(OneDnn, SumTails) {
  for (int64_t k : {1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 33, 63, 65, 191, 256, 1024})
    expect_plain({.pixels_w = 13, .in_channels = k, .out_channels = 20});
}

TEST_F(OneDnn, Windows) {
  for (int64_t size : {1, 2, 3, 5, 7})
    for (int64_t stride : {1, 2})
      for (int64_t dilation : {1, 2})
        for (int64_t channels : {3, 68})
          for (const int64_t pad : {0, 3})
            expect_plain({.pixels_h = 4,
                          .pixels_w = 5,
                          .kernel_h = size,
                          .kernel_w = size,
                          .stride = stride,
                          .dilation = dilation,
                          .in_channels = channels,
                          .out_channels = channels + 5,
                          .pad_channels = pad});
  expect_plain({.pixels_h = 6, .pixels_w = 9, .kernel_h = 5, .kernel_w = 1, .in_channels = 8, .out_channels = 16});
  expect_plain({.pixels_h = 6, .pixels_w = 9, .kernel_h = 1, .kernel_w = 5, .in_channels = 8, .out_channels = 16});
}

TEST_F(OneDnn, Groups) {
  for (int64_t groups : {2, 3, 8})
    for (int64_t per_group : {1, 4, 20})
      expect_plain({.pixels_h = 3,
                    .pixels_w = 7,
                    .kernel_h = 3,
                    .kernel_w = 3,
                    .in_channels = groups * 6,
                    .out_channels = groups * per_group,
                    .groups = groups});
  expect_plain({.pixels_h = 9,
                .pixels_w = 7,
                .kernel_h = 3,
                .kernel_w = 3,
                .in_channels = 40,
                .out_channels = 40,
                .groups = 40});
}

// Residuals from both sides and bounds, as they stand in models.
TEST_F(OneDnn, WhatFollowsTheSums) {
  for (const int64_t pad : {0, 3})
    for (const int64_t channels : {5, 64, 100}) {
      const KernelShape s{.pixels_h = 5,
                          .pixels_w = 6,
                          .kernel_h = 3,
                          .kernel_w = 3,
                          .in_channels = 16,
                          .out_channels = channels,
                          .pad_channels = pad};
      KernelCase k(s, kF32, kF32, seed_++);
      const int sum = k.add(Op::Add, kF32, {k.per_element(kF32, -1, 1), 0});
      const int other = k.add(Op::Add, kF32, {sum, k.add(Op::Cast, kF32, {k.per_element(kF32, -1, 1)})});
      const int shifted = k.add(Op::Add, kF32, {other, k.per_channel(kF32, -1, 1)});
      const int low = k.add(Op::AtLeast, kF32, {shifted, k.constant(kF32, 0)});
      k.add(Op::Cast, kF32, {k.add(Op::AtMost, kF32, {low, k.constant(kF32, 0.75)})});
      EXPECT_EQ(k.check(row()), "") << s.to_string();
    }
}

// NaN and zeros of both signs pass bounds as docs/numerics.md says.
TEST_F(OneDnn, BoundsKeepNaN) {
  KernelCase k({.pixels_w = 13, .in_channels = 16, .out_channels = 45}, kF32, kF32, seed_++);
  for (float& w : k.contraction().weights.source.mutable_data<float>()) w = 0;
  for (float& b : k.contraction().bias.mutable_data<float>()) b = -0.0f;
  constexpr float kInf = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();
  k.exact();
  const int sum = k.add(Op::Add, kF32, {0, k.per_element({1.5f, kNan, -2, kInf, -kInf, 7})});
  k.add(Op::AtMost, kF32, {k.add(Op::AtLeast, kF32, {sum, k.constant(kF32, 0)}), k.constant(kF32, 6)});
  EXPECT_EQ(k.check(row()), "");
}

TEST_F(OneDnn, AnyPartitionGivesTheSameResults) {
  const KernelShape image{.pixels_h = 20, .pixels_w = 21, .kernel_w = 3, .in_channels = 8, .out_channels = 50},
      matrix{.pixels_w = 331, .in_channels = 32, .out_channels = 100};
  for (const KernelShape& s : {image, matrix})
    for (const int64_t splits : {1, 2, 3, 7, 20}) expect_plain(s, splits, {1, 2, 3, 5});
}

// Units on threads of their own, none of which the library starts.
TEST_F(OneDnn, RunsOnTheThreadsOfTheCaller) {
  KernelCase k({.pixels_h = 20, .pixels_w = 21, .kernel_w = 3, .in_channels = 32, .out_channels = 100}, kF32, kF32, 1);
  ASSERT_EQ(k.check(row(10)), "");
  const std::vector<std::string> found = {k.check_on_threads(row(10), 2), k.check_on_threads(row(10), 3)};
  EXPECT_THAT(found, ::testing::Each(""));
}

TEST_F(OneDnn, IsNeverChosenByCost) {
  KernelCase k({.pixels_h = 20, .pixels_w = 21, .kernel_w = 3, .in_channels = 32, .out_channels = 100}, kF32, kF32, 1);
  EXPECT_EQ(why(k, {}), "");
  EXPECT_FALSE(k.contraction().library);
  EXPECT_EQ(why(k, row()), "");
  EXPECT_TRUE(k.contraction().library);
  EXPECT_EQ(kernels::to_string(k.contraction().schedule), "onednn_f32 0x0 pixels 6");
  EXPECT_EQ(why(k, {}), "");
  EXPECT_FALSE(k.contraction().library);
}

TEST_F(OneDnn, SaysWhatItDoesNotTake) {
  const KernelShape s{.pixels_h = 3, .pixels_w = 4, .kernel_w = 3, .in_channels = 8, .out_channels = 8};
  KernelCase function(s, kF32, kF32, 1);
  function.add(Op::Tanh, kF32, {0});
  EXPECT_THAT(why(function), HasSubstr("more follows its sums than residuals and bounds"));
  KernelCase tiled(s, kF32, kF32, 1);
  EXPECT_THAT(why(tiled, *kernels::parse_schedule("onednn_f32 6x4")), HasSubstr("a library, which chooses its tiles"));
  EXPECT_THAT(why(tiled, row(4)), HasSubstr("3 rows of pixels, which cannot be cut into 4"));
  tiled.contraction().input.strides[3] = 16;
  EXPECT_THAT(why(tiled), HasSubstr("pixels of its input are apart"));
}

// The byte contract is out of its reach: no row of integers exists.
TEST(OneDnnOfBytes, IsRefused) {
  for (const DType type : {DType::UInt8, DType::Int8}) {
    KernelCase k({.pixels_w = 4, .in_channels = 8, .out_channels = 8}, type, DType::Int32, 1);
    EXPECT_THAT(why(k),
                HasSubstr("onednn_f32 multiplies float by float, not " + std::string(name_of(type)) + " by int8"));
  }
  for (const kernels::Kernel& kernel : kernels::table())
    EXPECT_TRUE(!kernel.library() || kernel.accumulator == kF32) << kernel.name;
}

TEST(OneDnnAbsent, SaysSo) {
  if (is_here()) GTEST_SKIP() << "oneDNN is here";
  KernelCase k({.pixels_w = 4, .in_channels = 8, .out_channels = 8}, kF32, kF32, 1);
  EXPECT_THAT(why(k), ::testing::AnyOf(HasSubstr("without oneDNN"), HasSubstr("cannot be loaded")));
}

}  // namespace
}  // namespace lapis::testing
