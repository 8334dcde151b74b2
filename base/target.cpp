#include "base/target.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

namespace lapis {
namespace {

constexpr uint32_t bit(Isa isa) { return static_cast<uint32_t>(isa); }

struct Feature {
  std::string_view name;
  Isa isa;
  uint32_t implies;  // features below it
};

// Weakest first, so that closure is one pass from the strong end.
constexpr Feature kFeatures[] = {
    {"avx2", Isa::Avx2, 0},
    {"avxvnni", Isa::AvxVnni, bit(Isa::Avx2)},
    {"avx512", Isa::Avx512, bit(Isa::Avx2)},
    {"avx512vnni", Isa::Avx512Vnni, bit(Isa::Avx512)},
    {"avx512vbmi", Isa::Avx512Vbmi, bit(Isa::Avx512)},
    {"avx512bf16", Isa::Avx512Bf16, bit(Isa::Avx512)},
    {"amxint8", Isa::AmxInt8, bit(Isa::Avx512Vnni)},
    {"amxbf16", Isa::AmxBf16, bit(Isa::Avx512Bf16) | bit(Isa::Avx512Vnni)},
};

uint32_t closure(uint32_t bits) {
  for (size_t i = std::size(kFeatures); i-- > 0;)
    if (bits & bit(kFeatures[i].isa)) bits |= kFeatures[i].implies;
  return bits;
}

std::string known_features() {
  std::string text;
  for (const Feature& f : kFeatures) text += (text.empty() ? "" : ", ") + std::string(f.name);
  return text;
}

struct Cpuid {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Cpuid cpuid(uint32_t leaf, uint32_t subleaf) {
  Cpuid r;
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
  return r;
}

uint64_t xcr0() {
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

bool any(uint32_t word, int position) { return ((word >> position) & 1) != 0; }

constexpr uint64_t kYmmState = 0x6, kZmmState = 0xE6, kTileState = 0x60000;

// AMX needs more than its CPUID bits: hypervisors exist that advertise it with no palette at all.
bool amx_usable(uint64_t state) {
  return (state & kTileState) == kTileState && cpuid(0x1D, 0).eax >= 1 && request_amx_permission();
}

uint32_t detect() {
  const Cpuid one = cpuid(1, 0);
  if (!any(one.ecx, 27)) return 0;  // OSXSAVE: without it XCR0 cannot be read and no wide state is saved
  const uint64_t state = xcr0();
  const Cpuid seven = cpuid(7, 0), seven_one = cpuid(7, 1);
  uint32_t bits = 0;
  const bool avx2 = any(one.ecx, 28) && any(one.ecx, 12) && any(one.ecx, 29) && any(seven.ebx, 5);
  if ((state & kYmmState) != kYmmState || !avx2) return 0;
  bits |= bit(Isa::Avx2);
  if (any(seven_one.eax, 4)) bits |= bit(Isa::AvxVnni);
  const bool avx512 =
      any(seven.ebx, 16) && any(seven.ebx, 17) && any(seven.ebx, 28) && any(seven.ebx, 30) && any(seven.ebx, 31);
  if ((state & kZmmState) != kZmmState || !avx512) return bits;
  bits |= bit(Isa::Avx512);
  if (any(seven.ecx, 11)) bits |= bit(Isa::Avx512Vnni);
  if (any(seven.ecx, 1)) bits |= bit(Isa::Avx512Vbmi);
  if (any(seven_one.eax, 5)) bits |= bit(Isa::Avx512Bf16);
  const bool tile = any(seven.edx, 24), int8 = any(seven.edx, 25), bf16 = any(seven.edx, 22);
  if (tile && (int8 || bf16) && amx_usable(state))
    bits |= (int8 ? bit(Isa::AmxInt8) : 0) | (bf16 ? bit(Isa::AmxBf16) : 0);
  return bits;
}

}  // namespace

bool request_amx_permission() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  static const bool granted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return granted;
}

Target Target::with(Isa isa) const {
  Target t;
  t.bits_ = closure(bits_ | bit(isa));
  return t;
}

Target Target::host() {
  static const uint32_t bits = detect();
  Target t;
  t.bits_ = bits;
  return t;
}

std::vector<Target> Target::levels() {
  const Target base;
  return {base.with(Isa::Avx2), base.with(Isa::Avx512), base.with(Isa::Avx512Vnni),
          base.with(Isa::Avx512Vnni).with(Isa::Avx512Vbmi).with(Isa::Avx512Bf16),
          base.with(Isa::AmxInt8).with(Isa::AmxBf16).with(Isa::Avx512Vbmi)};
}

Result<Target> Target::parse(std::string_view text) {
  if (text == "host") return host();
  const std::string whole(text);
  std::string_view arch = text.substr(0, text.find('+'));
  if (arch != "x86-64")
    return error(ErrorKind::Usage, "unknown target architecture '" + std::string(arch) + "' in '" + whole + "'")
        .help("write `host` or `x86-64+FEATURE...` with features " + known_features());
  Target t;
  text.remove_prefix(arch.size());
  while (!text.empty()) {
    text.remove_prefix(1);  // '+'
    const std::string_view name = text.substr(0, text.find('+'));
    const Feature* found = nullptr;
    for (const Feature& f : kFeatures)
      if (f.name == name) found = &f;
    if (!found)
      return error(ErrorKind::Usage, "unknown target feature '" + std::string(name) + "' in '" + whole + "'")
          .help("known features are " + known_features());
    t = t.with(found->isa);
    text.remove_prefix(name.size());
  }
  return t;
}

std::string Target::to_string() const {
  uint32_t implied = 0;
  for (const Feature& f : kFeatures)
    if (has(f.isa)) implied |= f.implies;
  std::string text = "x86-64";
  for (const Feature& f : kFeatures)
    if (has(f.isa) && !(implied & bit(f.isa))) text += "+" + std::string(f.name);
  return text;
}

}  // namespace lapis
