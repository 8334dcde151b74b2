// Target: the machine that code is generated for.
// A small value with a round-trip string; passed explicitly, never global.
//
//   Target::parse("x86-64+avx512vnni")   every feature implies the ones below it (avx512vnni => avx512 => avx2)
//   Target::host()                       what this machine can run (base/host.h)
//
// What features there are: base/isa.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/isa.h"
#include "base/result.h"

namespace lapis {

class Target {
 public:
  Target() = default;  // plain x86-64: nothing can be compiled for it, it only says so
  static Result<Target> parse(std::string_view text);
  static Target host();
  // The named levels that tests and benchmarks iterate, weakest first.
  static std::vector<Target> levels();

  Target with(Isa isa) const;
  bool has(Isa isa) const { return (bits_ & bit(isa)) != 0; }
  bool contains(const Target& other) const { return (bits_ & other.bits_) == other.bits_; }
  int vector_bytes() const;
  std::string to_string() const;  // "x86-64+avx512vnni+avx512bf16": only what is not implied
  uint32_t bits() const { return bits_; }

  bool operator==(const Target&) const = default;

 private:
  uint32_t bits_ = 0;
};

// Asks the kernel for AMX tile state (once per process). True if tiles may be used now.
bool request_amx_permission();

}  // namespace lapis
