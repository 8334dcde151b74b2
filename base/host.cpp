#include "base/host.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace lapis {
namespace {

constexpr CpuidBit kOsxsave = {1, 0, CpuidRegister::Ecx, 27};

bool reports(const Machine& machine, const CpuidBit& b) {
  return (machine.cpuid(b.leaf, b.subleaf)[static_cast<size_t>(b.reg)] >> b.position & 1) != 0;
}

bool processor_has(const IsaRow& row, const Machine& machine) {
  return std::ranges::all_of(row.cpuid, [&](const CpuidBit& b) { return b.leaf == 0 || reports(machine, b); }) &&
         (!row.tiles || machine.cpuid(kTilePaletteLeaf, 0)[0] >= 1);
}

bool system_saves(const IsaRow& row, const Machine& machine) {
  return reports(machine, kOsxsave) && (machine.xcr0() & row.xcr0) == row.xcr0;
}

// Why the machine lacks what this row adds to those that it implies; empty if it does not.
std::string reason(const IsaRow& row, const Machine& machine) {
  if (!processor_has(row, machine)) return "the processor does not have " + std::string(row.title);
  if (!system_saves(row, machine)) return "the operating system does not save its registers";
  if (row.tiles && !machine.permits_tiles()) return "the kernel does not permit tiles";
  return "";
}

CpuidRegisters ask_cpuid(uint32_t leaf, uint32_t subleaf) {
  CpuidRegisters r{};
  __get_cpuid_count(leaf, subleaf, &r[0], &r[1], &r[2], &r[3]);
  return r;
}

uint64_t read_xcr0() {
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

}  // namespace

const Machine& this_machine() {
  static const Machine machine{ask_cpuid, read_xcr0, request_amx_permission};
  return machine;
}

bool request_amx_permission() {
  static const bool granted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return granted;
}

Target target_of(const Machine& machine) {
  Target target;
  for (const IsaRow& row : kIsas)
    if ((target.bits() & row.implies) == row.implies && reason(row, machine).empty()) target = target.with(row.isa);
  return target;
}

std::string what_lacks(const Target& wanted, const Machine& machine) {
  std::string text;
  for (const IsaRow& row : kIsas) {
    const std::string why = wanted.has(row.isa) ? reason(row, machine) : "";
    if (!why.empty()) text += (text.empty() ? "" : ", ") + std::string(row.name) + " (" + why + ")";
  }
  return text;
}

Requirements requirements_of(const Target& target) {
  Requirements all;
  const auto mask_of = [&](const CpuidBit& b) -> uint32_t& {
    for (CpuidMask& m : all.cpuid)
      if (m.leaf == b.leaf && m.subleaf == b.subleaf && m.reg == b.reg) return m.bits;
    return all.cpuid.emplace_back(CpuidMask{b.leaf, b.subleaf, b.reg, 0}).bits;
  };
  for (const IsaRow& row : kIsas) {
    if (!target.has(row.isa)) continue;
    for (const CpuidBit& b : row.cpuid)
      if (b.leaf != 0) mask_of(b) |= 1U << b.position;
    all.xcr0 |= row.xcr0;
    all.tiles = all.tiles || row.tiles;
  }
  std::ranges::stable_sort(all.cpuid, {}, [](const CpuidMask& m) { return std::pair(m.leaf, m.subleaf); });
  return all;
}

}  // namespace lapis
