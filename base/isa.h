// The instruction sets that code is generated for. Everything that Lapis knows about one is its row in kIsas: to add
// one, write an enumerator and its row. Target strings, what is implied, detection and its messages (base/host.h), the
// check inside of objects, LLVM's features, the measured peak and docs/targets.md follow from it; tests prove it row by
// row.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace lapis {

enum class Isa : uint32_t {
  Avx2 = 1 << 0,
  AvxVnni = 1 << 1,
  Avx512 = 1 << 2,
  Avx512Vnni = 1 << 3,
  Avx512Vbmi = 1 << 4,
  Avx512Bf16 = 1 << 5,
  AmxInt8 = 1 << 6,
  AmxBf16 = 1 << 7,
  Gfni = 1 << 8,
};

constexpr uint32_t bit(Isa isa) { return static_cast<uint32_t>(isa); }

enum class CpuidRegister : uint8_t { Eax, Ebx, Ecx, Edx };

// A bit that CPUID must report. Leaf 0 has none: it ends a list.
struct CpuidBit {
  uint32_t leaf = 0, subleaf = 0;
  CpuidRegister reg = CpuidRegister::Eax;
  int position = 0;
};

// The instruction that multiplies most, and what it does in each 32-bit lane.
enum class Multiply : uint8_t { None, Vfmadd231ps, Vpmaddwd, Vpdpbusd, Vdpbf16ps };
struct Peak {
  Multiply instruction = Multiply::None;
  int macs = 0;  // multiply-accumulates of a lane
};

struct IsaRow {
  Isa isa;
  std::string_view name;   // in target strings
  std::string_view title;  // for people
  uint32_t implies;        // bits of rows above
  int vector_bytes;        // of its widest vectors
  std::array<CpuidBit, 7> cpuid;
  uint64_t xcr0;          // register state that the operating system must save
  bool tiles;             // also needs a tile palette, and the kernel's permission to use it
  std::string_view llvm;  // what LLVM is told, for loops; empty where they do not profit
  Peak fp32, int8, bf16;  // where it adds to what it implies
  std::string_view used;  // what generates code for it today: a promise that tests/codegen keeps
};

namespace isa_table {
using enum CpuidRegister;
using enum Multiply;

// clang-format off
inline constexpr IsaRow kRows[] = {
    {.isa = Isa::Avx2, .name = "avx2", .title = "AVX2, FMA, F16C", .implies = 0, .vector_bytes = 32,
     .cpuid = {{{1, 0, Ecx, 27}, {1, 0, Ecx, 28}, {1, 0, Ecx, 12}, {1, 0, Ecx, 29}, {7, 0, Ebx, 5}}},  // OSXSAVE, AVX, ...
     .xcr0 = 0x6, .tiles = false, .llvm = "+avx2,+fma,+f16c",
     .fp32 = {Vfmadd231ps, 1}, .int8 = {Vpmaddwd, 2}, .bf16 = {}, .used = "kernels, loops"},
    {.isa = Isa::AvxVnni, .name = "avxvnni", .title = "AVX-VNNI", .implies = bit(Isa::Avx2), .vector_bytes = 32,
     .cpuid = {{{7, 1, Eax, 4}}},
     .xcr0 = 0, .tiles = false, .llvm = "",
     .fp32 = {}, .int8 = {Vpdpbusd, 4}, .bf16 = {}, .used = "kernels"},
    {.isa = Isa::Gfni, .name = "gfni", .title = "GFNI", .implies = bit(Isa::Avx2), .vector_bytes = 32,
     .cpuid = {{{7, 0, Ecx, 8}}},
     .xcr0 = 0, .tiles = false, .llvm = "+gfni",  // shifts of bytes are one instruction
     .fp32 = {}, .int8 = {}, .bf16 = {}, .used = "loops"},
    {.isa = Isa::Avx512, .name = "avx512", .title = "AVX-512 F, CD, BW, DQ, VL", .implies = bit(Isa::Avx2), .vector_bytes = 64,
     .cpuid = {{{7, 0, Ebx, 16}, {7, 0, Ebx, 17}, {7, 0, Ebx, 28}, {7, 0, Ebx, 30}, {7, 0, Ebx, 31}}},  // F, DQ, CD, BW, VL
     .xcr0 = 0xE0, .tiles = false, .llvm = "+avx512f,+avx512bw,+avx512dq,+avx512vl,+avx512cd,+evex512",
     .fp32 = {Vfmadd231ps, 1}, .int8 = {Vpmaddwd, 2}, .bf16 = {}, .used = "kernels, loops"},
    {.isa = Isa::Avx512Vnni, .name = "avx512vnni", .title = "AVX-512 VNNI", .implies = bit(Isa::Avx512), .vector_bytes = 64,
     .cpuid = {{{7, 0, Ecx, 11}}},
     .xcr0 = 0, .tiles = false, .llvm = "",
     .fp32 = {}, .int8 = {Vpdpbusd, 4}, .bf16 = {}, .used = "kernels"},
    {.isa = Isa::Avx512Vbmi, .name = "avx512vbmi", .title = "AVX-512 VBMI", .implies = bit(Isa::Avx512), .vector_bytes = 64,
     .cpuid = {{{7, 0, Ecx, 1}}},
     .xcr0 = 0, .tiles = false, .llvm = "+avx512vbmi",
     .fp32 = {}, .int8 = {}, .bf16 = {}, .used = "loops"},
    {.isa = Isa::Avx512Bf16, .name = "avx512bf16", .title = "AVX-512 BF16", .implies = bit(Isa::Avx512), .vector_bytes = 64,
     .cpuid = {{{7, 1, Eax, 5}}},
     .xcr0 = 0, .tiles = false, .llvm = "",
     .fp32 = {}, .int8 = {}, .bf16 = {Vdpbf16ps, 2}, .used = "kernels"},
    {.isa = Isa::AmxInt8, .name = "amxint8", .title = "AMX-TILE, AMX-INT8", .implies = bit(Isa::Avx512Vnni), .vector_bytes = 64,
     .cpuid = {{{7, 0, Edx, 24}, {7, 0, Edx, 25}}},
     .xcr0 = 0x60000, .tiles = true, .llvm = "",
     .fp32 = {}, .int8 = {}, .bf16 = {}, .used = "kernels"},
    {.isa = Isa::AmxBf16, .name = "amxbf16", .title = "AMX-TILE, AMX-BF16", .implies = bit(Isa::Avx512Bf16) | bit(Isa::Avx512Vnni), .vector_bytes = 64,
     .cpuid = {{{7, 0, Edx, 24}, {7, 0, Edx, 22}}},
     .xcr0 = 0x60000, .tiles = true, .llvm = "",
     .fp32 = {}, .int8 = {}, .bf16 = {}, .used = "kernels"},
};
// clang-format on

}  // namespace isa_table

// Weakest first: a row implies rows before it.
inline constexpr std::span<const IsaRow> kIsas = isa_table::kRows;

}  // namespace lapis
