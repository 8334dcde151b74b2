// The emulator of AMX, held against the rules of the processor and against LLVM's disassembler.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <llvm-c/Disassembler.h>
#include <llvm-c/Target.h>

#include <cstring>
#include <random>
#include <span>

#include "base/host.h"
#include "codegen/kernels/schedule.h"
#include "codegen/kernels/table.h"
#include "runtime/memory.h"
#include "tests/codegen/amx_emulator.h"
#include "tests/codegen/kernel_case.h"

namespace lapis::testing {
namespace {

using Kind = AmxInstruction::Kind;
using ::testing::HasSubstr;

class Disassembler {
 public:
  Disassembler() {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86Disassembler();
    context_ = LLVMCreateDisasmCPUFeatures("x86_64-unknown-linux", "", "+amx-tile,+amx-int8,+amx-bf16", nullptr, 0,
                                           nullptr, nullptr);
    LLVMSetDisasmOptions(context_, LLVMDisassembler_Option_AsmPrinterVariant);  // Intel syntax
  }
  ~Disassembler() { LLVMDisasmDispose(context_); }
  Disassembler(const Disassembler&) = delete;
  // Text and length; "" if it is no instruction.
  std::pair<std::string, size_t> operator()(std::array<uint8_t, 16> code) const {
    char text[128] = "";
    const size_t length = LLVMDisasmInstruction(context_, code.data(), code.size(), 0, text, sizeof text);
    std::string line = text;
    line.erase(0, line.find_first_not_of('\t'));
    for (char& c : line)
      if (c == '\t') c = ' ';
    return {line, length};
  }

 private:
  LLVMDisasmContextRef context_;
};

// Every second and third byte, opcode and ModRM of AMX, with addresses of every kind.
TEST(Amx, DecodesWhatLlvmDoes) {
  const Disassembler disassemble;
  std::mt19937 random(1);
  int decoded = 0;
  for (int trial = 0; trial < 400000; ++trial) {
    std::array<uint8_t, 16> code = {0xC4, static_cast<uint8_t>((random() & 0xE0) | 2), static_cast<uint8_t>(random()),
                                    std::array<uint8_t, 4>{0x49, 0x4B, 0x5C, 0x5E}[random() % 4]};
    for (size_t i = 4; i < 10; ++i) code[i] = static_cast<uint8_t>(random());
    if (random() % 4 != 0)
      code[2] = static_cast<uint8_t>((code[2] & 0x3B) | 0x40);  // mostly W = L = 0, a register below 8
    const auto instruction = decode_amx(code.data());
    if (!instruction) continue;
    ++decoded;
    const auto [text, length] = disassemble(code);
    ASSERT_EQ(instruction->to_string(), text);
    ASSERT_EQ(static_cast<size_t>(instruction->length), length) << text;
  }
  EXPECT_GT(decoded, 3000);
}

TEST(Amx, RefusesEncodingsThatTheProcessorDoes) {
  auto decodes = [](std::array<uint8_t, 10> code) { return decode_amx(code.data()).has_value(); };
  EXPECT_TRUE(decodes({0xC4, 0xE2, 0x61, 0x5E, 0xCA})) << "tdpbusd tmm1, tmm2, tmm3";
  EXPECT_FALSE(decodes({0xC4, 0xE2, 0x61, 0x5E, 0xD2})) << "sums that are a factor";
  EXPECT_FALSE(decodes({0xC4, 0xE2, 0x69, 0x5E, 0xCA})) << "equal factors";
  EXPECT_FALSE(decodes({0xC4, 0xE2, 0x65, 0x5E, 0xCA})) << "L = 1";
  EXPECT_FALSE(decodes({0xC4, 0xE2, 0xE1, 0x5E, 0xCA})) << "W = 1";
  EXPECT_FALSE(decodes({0xC4, 0xE2, 0x21, 0x5E, 0xCA})) << "a register beyond 7";
  EXPECT_TRUE(decodes({0xC4, 0xE2, 0x7B, 0x4B, 0x04, 0x18})) << "tileloadd tmm0, [rax + rbx]";
  EXPECT_FALSE(decodes({0xC4, 0xE2, 0x7B, 0x4B, 0x04, 0x20})) << "a load without a pitch";
  EXPECT_FALSE(decodes({0xC4, 0xE2, 0x7B, 0x4B, 0x00})) << "a load without SIB";
}

std::array<uint8_t, 64> shapes(std::initializer_list<std::array<int, 3>> tiles) {
  std::array<uint8_t, 64> bytes = {1};
  for (const auto& [tile, rows, width] : tiles) {
    bytes[static_cast<size_t>(16 + 2 * tile)] = static_cast<uint8_t>(width);
    bytes[static_cast<size_t>(48 + tile)] = static_cast<uint8_t>(rows);
  }
  return bytes;
}

TEST(AmxTiles, RefuseWhatHasNoShape) {
  TileState tiles;
  std::array<uint8_t, 1024> memory = {};
  EXPECT_THAT(tiles.zero(0), HasSubstr("not configured"));
  EXPECT_THAT(tiles.load(0, memory.data(), 64), HasSubstr("not configured"));
  EXPECT_EQ(tiles.configure(shapes({{1, 16, 64}}).data()), "");
  EXPECT_EQ(tiles.zero(1), "");
  EXPECT_THAT(tiles.zero(0), HasSubstr("tmm0 has no shape"));
  EXPECT_THAT(tiles.store(2, memory.data(), 64), HasSubstr("tmm2 has no shape"));
  tiles.release();
  EXPECT_THAT(tiles.zero(1), HasSubstr("not configured"));
}

TEST(AmxTiles, RefuseShapesThatDoNotExist) {
  TileState tiles;
  EXPECT_THAT(tiles.configure(shapes({{0, 17, 64}}).data()), HasSubstr("17 rows"));
  EXPECT_THAT(tiles.configure(shapes({{0, 16, 65}}).data()), HasSubstr("65 bytes"));
  EXPECT_THAT(tiles.configure(shapes({{7, 0, 64}}).data()), HasSubstr("tmm7"));
  EXPECT_THAT(tiles.configure(shapes({{3, 2, 0}}).data()), HasSubstr("tmm3"));
  for (const size_t reserved : {2, 15, 32, 47, 56, 63}) {
    auto bytes = shapes({{0, 1, 4}});
    bytes[reserved] = 1;
    EXPECT_THAT(tiles.configure(bytes.data()), HasSubstr("reserved")) << reserved;
  }
  std::array<uint8_t, 64> palette = {2};
  EXPECT_THAT(tiles.configure(palette.data()), HasSubstr("palette 2"));
  EXPECT_FALSE(tiles.configured());
}

TEST(AmxTiles, RefuseFactorsThatDoNotFit) {
  auto multiply = [](std::array<int, 3> sums, std::array<int, 3> a, std::array<int, 3> b) {
    TileState tiles;
    EXPECT_EQ(tiles.configure(shapes({sums, a, b}).data()), "");
    return tiles.multiply(Kind::DotUS, 0, 1, 2);
  };
  EXPECT_EQ(multiply({0, 5, 24}, {1, 5, 12}, {2, 3, 24}), "");
  EXPECT_THAT(multiply({0, 5, 24}, {1, 4, 12}, {2, 3, 24}), HasSubstr("do not belong together"));
  EXPECT_THAT(multiply({0, 5, 24}, {1, 5, 16}, {2, 3, 24}), HasSubstr("do not belong together"));
  EXPECT_THAT(multiply({0, 5, 28}, {1, 5, 12}, {2, 3, 24}), HasSubstr("do not belong together"));
  EXPECT_THAT(multiply({0, 5, 22}, {1, 5, 12}, {2, 3, 22}), HasSubstr("do not belong together"));
}

// Of all four kinds, with extremes; rows and columns outside of a shape are zeros.
TEST(AmxTiles, MultiplyAndAdd) {
  std::mt19937 random(3);
  for (const Kind kind : {Kind::DotUU, Kind::DotUS, Kind::DotSU, Kind::DotSS}) {
    std::array<std::array<uint8_t, 20>, 7> a;
    std::array<std::array<uint8_t, 32>, 5> b;
    std::array<std::array<uint32_t, 8>, 7> c, got;
    for (auto& row : a)
      for (uint8_t& x : row) x = random() % 3 ? static_cast<uint8_t>(random()) : 0x80;
    for (auto& row : b)
      for (uint8_t& x : row) x = random() % 3 ? static_cast<uint8_t>(random()) : 0xFF;
    for (auto& row : c)
      for (uint32_t& x : row) x = 0x7FFFFF00u + static_cast<uint32_t>(random() % 256);  // wraps
    TileState tiles;
    ASSERT_EQ(tiles.configure(shapes({{0, 7, 32}, {1, 7, 20}, {2, 5, 32}}).data()), "");
    ASSERT_EQ(tiles.load(0, reinterpret_cast<const uint8_t*>(c.data()), 32), "");
    ASSERT_EQ(tiles.load(1, a[0].data(), 20), "");
    ASSERT_EQ(tiles.load(2, b[0].data(), 32), "");
    ASSERT_EQ(tiles.multiply(kind, 0, 1, 2), "");
    ASSERT_EQ(tiles.store(0, reinterpret_cast<uint8_t*>(got.data()), 32), "");
    const bool signed_a = kind == Kind::DotSU || kind == Kind::DotSS,
               signed_b = kind == Kind::DotUS || kind == Kind::DotSS;
    for (size_t m = 0; m < 7; ++m)
      for (size_t n = 0; n < 8; ++n) {
        int64_t sum = static_cast<int32_t>(c[m][n]);
        for (size_t k = 0; k < 20; ++k) {
          const uint8_t x = a[m][k], y = b[k / 4][4 * n + k % 4];
          sum += (signed_a ? static_cast<int8_t>(x) : int{x}) * (signed_b ? static_cast<int8_t>(y) : int{y});
        }
        ASSERT_EQ(got[m][n], static_cast<uint32_t>(sum)) << m << " " << n;
      }
  }
}

class AmxRuns : public ::testing::Test {
 protected:
  void SetUp() override {
    if (Target::host().has(Isa::AmxInt8)) GTEST_SKIP() << "the processor has AMX";
  }
  static std::string run(const std::vector<int>& bytes, const void* argument = nullptr) {
    std::vector<std::byte> code;
    for (const int byte : bytes) code.push_back(static_cast<std::byte>(byte));
    code.push_back(std::byte{0xC3});  // ret
    const auto memory = CodeMemory::seal(code);
    const auto function = reinterpret_cast<void (*)(const void*)>(const_cast<std::byte*>(memory->data()));
    return run_with_amx([&] { function(argument); });
  }
};

TEST_F(AmxRuns, EndAtTheFirstFault) {
  EXPECT_EQ(run({0xC4, 0xE2, 0x7B, 0x49, 0xD8}), "tilezero tmm3: tiles are not configured");
  EXPECT_EQ(run({0x0F, 0x0B}), "an illegal instruction");  // ud2
  EXPECT_EQ(run({}), "");
}

TEST_F(AmxRuns, SeeTilesThatAreNotReleased) {
  const auto bytes = shapes({{3, 1, 4}});
  std::vector<int> code = {0xC4, 0xE2, 0x78, 0x49, 0x07};  // ldtilecfg [rdi]
  EXPECT_EQ(run(code, bytes.data()), "tiles are still configured at the end");
  code.insert(code.end(), {0xC4, 0xE2, 0x78, 0x49, 0xC0});  // tilerelease
  EXPECT_EQ(run(code, bytes.data()), "");
}

// The kernel really multiplies in tiles, as often as its blocking says: 48 pixels are three tiles, 130 bytes three
// rounds, 70 channels a panel of four tiles and one of one.
TEST_F(AmxRuns, CountTheInstructionsOfAKernel) {
  if (!Target::host().has(Isa::Avx512Vnni)) GTEST_SKIP() << "no AVX-512 VNNI";
  for (const int row : runnable_rows()) {
    const kernels::Kernel& kernel = kernels::table()[static_cast<size_t>(row)];
    if (kernel.dot != kernels::Dot::Tile) continue;
    KernelCase k({.pixels_w = 48, .in_channels = 130, .out_channels = 70}, kernel.a, DType::Int32, 1);
    const int64_t before = emulated_instructions();
    EXPECT_EQ(k.check(row), "");
    const int64_t tiles = 3 * 5, rounds = 3, loads_of_pixels = 3 * 2 * rounds;
    const int64_t shaped = 2;  // runs of tiles: one for each block
    EXPECT_EQ(emulated_instructions() - before, shaped + 1 + tiles * (2 + 2 * rounds) + loads_of_pixels) << kernel.name;
  }
}

}  // namespace
}  // namespace lapis::testing
