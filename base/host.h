// What a machine can run, and why not: CPUID, the state that its operating system saves, and for AMX the tile palette
// and the kernel's permission. One reading of the rows in base/isa.h, for this machine, for machines that tests make up
// and for the check inside of objects.
//
//   what_lacks(Target::parse("x86-64+avx512vnni"))   "avx512vnni (the processor does not have AVX-512 VNNI)",
//                                                    "" on a machine that has it
#pragma once

#include <functional>

#include "base/target.h"

namespace lapis {

using CpuidRegisters = std::array<uint32_t, 4>;  // in the order of CpuidRegister

// The leaf with the number of tile palettes, in eax. Hypervisors exist that announce AMX with none.
inline constexpr uint32_t kTilePaletteLeaf = 0x1D;
// arch_prctl(kRequestPermission, kTileData) asks for the use of tiles, once a process.
inline constexpr long kRequestPermission = 0x1023, kTileData = 18;

struct Machine {
  std::function<CpuidRegisters(uint32_t leaf, uint32_t subleaf)> cpuid;  // zeros for leaves that there are not
  std::function<uint64_t()> xcr0;                                        // asked only where OSXSAVE says that it can be
  std::function<bool()> permits_tiles;                                   // asked only where all else is right
};
const Machine& this_machine();

Target target_of(const Machine& machine);
// The features of `wanted` that the machine has not, each with the reason; empty if it has all.
std::string what_lacks(const Target& wanted, const Machine& machine = this_machine());

// What CPUID and XCR0 must report for a target, as masks of bits that must all be set.
struct CpuidMask {
  uint32_t leaf, subleaf;
  CpuidRegister reg;
  uint32_t bits;
};
struct Requirements {
  std::vector<CpuidMask> cpuid;  // leaf 1 first; one for each register
  uint64_t xcr0 = 0;
  bool tiles = false;
};
Requirements requirements_of(const Target& target);

}  // namespace lapis
