// Code by structure: equal structure is one function, whatever it works on and however large it is;
// what differs in code is told apart.
#include "codegen/code_cache.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "codegen/code_file.h"
#include "codegen/emit.h"
#include "codegen/kernels/schedule.h"
#include "codegen/llvm/emit.h"
#include "codegen/x86/emit.h"
#include "tests/codegen/kernel_case.h"
#include "tests/codegen/loop_runner.h"

namespace lapis::testing {
namespace {

Instr load(int slot) { return {Op::Load, DType::Float32, {-1, -1, -1}, slot}; }

// y[row] = the sum of x[row][...] + `constant`.
Loop sums(int x, int y, int64_t rows, int64_t columns, double constant = 1) {
  Loop loop;
  loop.name = "sums";
  loop.domain = {rows, columns};
  loop.reduced = 1;
  loop.views = {dense_view(x, DType::Float32, {rows, columns}),
                strided_view(y, DType::Float32, {rows, columns}, {1, 0})};
  loop.phases.resize(2);
  loop.phases[0] = {Loop::Over::Inner, {load(0)}, {{Loop::Reduce::Sum, 0, DType::Float32}}, {}};
  loop.phases[1].body = {{Op::Reduced, DType::Float32, {-1, -1, -1}, 0},
                         {Op::Constant, DType::Float32, {-1, -1, -1}, -1, constant},
                         {Op::Add, DType::Float32, {0, 1, -1}}};
  loop.phases[1].stores = {{1, 2}};
  return loop;
}

Tensor ones(Shape shape) {
  Tensor t(DType::Float32, std::move(shape));
  for (float& x : t.mutable_data<float>()) x = 1;
  return t;
}

// One of each of the given numbers of rows.
LoopPlan plan_of_sums(const std::vector<int64_t>& rows, int64_t columns) {
  LoopPlan p;
  std::vector<int> inputs;
  for (const int64_t n : rows) inputs.push_back(p.input(ones({n, columns})));
  for (size_t i = 0; i < rows.size(); ++i)
    p.add(sums(inputs[i], p.output(DType::Float32, {rows[i]}), rows[i], columns));
  p.plan.target = Target().with(Isa::Avx2);
  return p;
}

TEST(CodeCache, StepsOfOneStructureShareAFunction) {
  const LoopPlan p = plan_of_sums({30000, 30000, 70000}, 40);
  const auto image = codegen::emit(p.plan);
  ASSERT_TRUE(image.ok());
  ASSERT_EQ(image->symbols.size(), 3U);
  for (const CodeImage::Symbol& s : image->symbols) EXPECT_EQ(s.offset, image->symbols[0].offset) << s.name;
  EXPECT_NE(image->symbols[0].arguments, image->symbols[1].arguments);
  EXPECT_LT(image->symbols[0].units, image->symbols[2].units);
  for (const Tensor& y : run_loops(p, Target().with(Isa::Avx2), 3).outputs)
    for (const float sum : y.data<float>()) ASSERT_EQ(sum, 41);
}

TEST(CodeCache, WhatCodeDependsOnIsInTheKey) {
  LoopPlan p = plan_of_sums({30000}, 40);
  const auto key = [&](const Loop& loop) { return llvm_backend::step_code(loop, p.plan)->key; };
  EXPECT_EQ(key(sums(0, 1, 30000, 40)), key(sums(0, 1, 35000, 40)));
  EXPECT_NE(key(sums(0, 1, 30000, 40)), key(sums(0, 1, 30000, 41)));
  EXPECT_NE(key(sums(0, 1, 30000, 40)), key(sums(0, 1, 30000, 40, 2)));
  const std::string before = key(sums(0, 1, 30000, 40));
  p.plan.target = Target().with(Isa::Avx512);
  EXPECT_NE(key(sums(0, 1, 30000, 40)), before);
}

codegen::StepCode kernel(KernelCase& k, Isa isa = Isa::Avx512Vnni) {
  k.plan().target = Target().with(isa);
  EXPECT_TRUE(kernels::schedule(k.contraction(), k.plan()).ok());
  return x86::step_code(k.contraction(), k.plan());
}

TEST(CodeCache, KernelsDoNotDependOnPixelsNorWeights) {
  const auto with = [](int64_t pixels, int64_t channels, uint32_t seed) {
    auto k = std::make_unique<KernelCase>(
        KernelShape{.pixels_h = pixels, .pixels_w = 60, .in_channels = channels, .out_channels = 32}, DType::UInt8,
        DType::UInt8, seed);
    k->requantize(0, DType::UInt8, 3);
    return k;
  };
  const auto one = with(50, 64, 1), more = with(90, 64, 2), other = with(50, 68, 1);
  const codegen::StepCode a = kernel(*one), b = kernel(*more), c = kernel(*other);
  EXPECT_EQ(a.key, b.key);
  EXPECT_EQ(a.emit(), b.emit());
  EXPECT_NE(a.key, c.key);
  EXPECT_NE(a.emit(), c.emit());
}

// Of 128 pixels, the ones of a tile are equally far from each other in one image and not in the other.
TEST(CodeCache, TilesTellRunsOfPixelsApart) {
  const auto of_width = [](int64_t width) {
    auto k = std::make_unique<KernelCase>(
        KernelShape{.pixels_h = 128 / width, .pixels_w = width, .stride = 2, .in_channels = 64, .out_channels = 32},
        DType::UInt8, DType::Int32, 1);
    return k;
  };
  const auto runs = of_width(16), others = of_width(8);
  const codegen::StepCode a = kernel(*runs, Isa::AmxInt8), b = kernel(*others, Isa::AmxInt8);
  EXPECT_NE(a.emit(), b.emit());
  EXPECT_NE(a.key, b.key);
}

// One channel and two are one step of four bytes each; the code for one must not load a second.
TEST(CodeCache, StepsThatEndInOneBfloat16AreToldApart) {
  const auto of_channels = [](int64_t channels) {
    return std::make_unique<KernelCase>(
        KernelShape{.pixels_h = 4, .pixels_w = 8, .in_channels = channels, .out_channels = 32}, DType::BFloat16,
        DType::Float32, 1);
  };
  for (const Isa isa : {Isa::Avx512Bf16, Isa::AmxBf16}) {
    const auto one = of_channels(1), two = of_channels(2);
    const codegen::StepCode a = kernel(*one, isa), b = kernel(*two, isa);
    EXPECT_NE(a.emit(), b.emit());
    EXPECT_NE(a.key, b.key);
  }
}

TEST(CodeCache, KnowsWhatWasEmittedBefore) {
  codegen::CodeCache cache;
  const auto first = codegen::emit(plan_of_sums({30000, 30000}, 40).plan, cache);
  const auto again = codegen::emit(plan_of_sums({50000, 30000, 80000}, 40).plan, cache);
  ASSERT_TRUE(first.ok() && again.ok());
  EXPECT_EQ(first->bytes, again->bytes);
  EXPECT_EQ(cache.counts().misses, 1U);
  EXPECT_EQ(cache.counts().hits, 1U);
}

TEST(CodeCache, IsBounded) {
  codegen::CodeCache cache(5000);
  for (int64_t columns = 30; columns < 40; ++columns)
    ASSERT_TRUE(codegen::emit(plan_of_sums({30000}, columns).plan, cache).ok());
  EXPECT_LE(cache.counts().bytes, 5000U);
  EXPECT_EQ(cache.counts().misses, 10U);
  ASSERT_TRUE(codegen::emit(plan_of_sums({30000}, 30).plan, cache).ok());  // gone, so made again
  EXPECT_EQ(cache.counts().misses, 11U);
}

TEST(CodeCache, ServesManyThreads) {
  codegen::CodeCache cache;
  const auto wanted = codegen::emit(plan_of_sums({30000}, 40).plan);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int64_t columns = 40; columns < 44; ++columns) {
        const auto image = codegen::emit(plan_of_sums({30000}, columns).plan, cache);
        if (columns == 40) EXPECT_EQ(image->bytes, wanted->bytes);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(cache.counts().functions, 4U);
  EXPECT_EQ(cache.counts().misses, 4U) << "threads that miss the same structure emit it once";
}

// ---- in a file ------------------------------------------------------------------------------------------------------

class CodeFile : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(file_); }
  std::vector<uint8_t> emit(int64_t columns, codegen::CodeCache& cache) const {
    return codegen::emit(plan_of_sums({30000}, columns).plan, cache)->bytes;
  }
  std::string written(int64_t columns) const {
    codegen::CodeCache cache;
    emit(columns, cache);
    EXPECT_TRUE(codegen::save_code(cache, file_).ok());
    return *read_file(file_);
  }
  const Path file_ = std::filesystem::temp_directory_path() / ("lapis_code_" + std::to_string(::getpid()));
};

TEST_F(CodeFile, ServesTheNextProcess) {
  codegen::CodeCache first, next;
  const std::vector<uint8_t> wanted = emit(40, first);
  ASSERT_TRUE(codegen::load_code(file_, next).ok()) << "a file that is not there yet";
  ASSERT_TRUE(codegen::save_code(first, file_).ok());
  ASSERT_TRUE(codegen::load_code(file_, next).ok());
  EXPECT_EQ(emit(40, next), wanted);
  EXPECT_EQ(next.counts().misses, 0U);
}

TEST_F(CodeFile, KeepsWhatOthersHaveWritten) {
  written(40);
  written(41);
  codegen::CodeCache both;
  ASSERT_TRUE(codegen::load_code(file_, both).ok());
  EXPECT_EQ(both.counts().functions, 2U);
}

TEST_F(CodeFile, DamageIsFoundAndMended) {
  const std::string whole = written(40);
  const auto is_refused = [&](const std::string& bytes) {
    codegen::CodeCache cache;
    return write_file(file_, bytes).ok() && !codegen::load_code(file_, cache).ok() && cache.counts().functions == 0;
  };
  for (size_t i = 0; i < whole.size(); i += i < 64 ? 1 : 61) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 4);
    EXPECT_TRUE(is_refused(damaged)) << "byte " << i;
    if (i > 0) EXPECT_TRUE(is_refused(whole.substr(0, i))) << "its first " << i << " bytes";
  }
  EXPECT_EQ(written(40), whole);
}

TEST_F(CodeFile, NothingElseIsReplaced) {
  codegen::CodeCache cache;
  ASSERT_TRUE(write_file(file_, "a model, say").ok());
  EXPECT_FALSE(codegen::load_code(file_, cache).ok());
  EXPECT_FALSE(codegen::save_code(cache, file_).ok());
  EXPECT_EQ(*read_file(file_), "a model, say");
}

}  // namespace
}  // namespace lapis::testing
