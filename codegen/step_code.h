// The code of one step before it is emitted. Both back ends describe a step in these terms; codegen/emit.cpp emits what
// no step of the same structure has been emitted for, and what no cache knows.
#pragma once

#include <functional>
#include <string>
#include <type_traits>
#include <utility>

#include "codegen/plan.h"
#include "runtime/abi.h"

namespace lapis::codegen {

struct StepCode {
  std::string key;  // of all that the code depends on: equal keys, equal bytes
  int64_t units = 1;
  std::vector<abi::Argument> arguments;
  std::function<std::vector<uint8_t>()>
      emit;  // position-independent bytes that refer to nothing outside; the region must be alive
};

// Puts keys together from plain values, in binary: for comparing, not for reading.
class StructureKey {
 public:
  template <class... T> StructureKey& add(const T&... values) {
    static_assert((std::is_arithmetic_v<T> && ...) || (std::is_enum_v<T> || ...));
    (key_.append(reinterpret_cast<const char*>(&values), sizeof values), ...);
    return *this;
  }
  template <class T> StructureKey& add_list(const std::vector<T>& values) {
    add(values.size());
    for (const T& value : values) add(value);
    return *this;
  }
  StructureKey& add_program(const std::vector<Instr>& program) {
    add(program.size());
    for (const Instr& i : program) {
      add(i.op, i.type, i.args[0], i.args[1], i.args[2], i.slot);
      add(i.imm.kind(), i.imm.bits(), i.imm2.kind(), i.imm2.bits());
    }
    return *this;
  }
  std::string take() { return std::move(key_); }

 private:
  std::string key_;
};

inline abi::Argument number(int64_t value) { return {.value = static_cast<uint64_t>(value)}; }

// Bytes [offset, offset + bytes) of the constants or the weights.
inline abi::Argument bytes_at(abi::Argument::Kind memory, int64_t offset, int64_t bytes) {
  return {.kind = memory, .value = static_cast<uint64_t>(offset), .bytes = static_cast<uint64_t>(bytes)};
}

// A buffer, by the address of its byte `within`.
inline abi::Argument address_in(const Plan& plan, int buffer, int64_t within, bool written) {
  using Kind = abi::Argument::Kind;
  const Buffer& b = plan.buffers[static_cast<size_t>(buffer)];
  abi::Argument a{.written = written,
                  .value = static_cast<uint64_t>(b.offset),
                  .bytes = static_cast<uint64_t>(b.bytes),
                  .within = static_cast<uint64_t>(within)};
  switch (b.space) {
    case Space::Constant: a.kind = Kind::Constants; break;
    case Space::Weights: a.kind = Kind::Weights; break;
    case Space::Arena: a.kind = Kind::Arena; break;
    case Space::Input:
    case Space::Output:
      a.kind = Kind::Io;
      a.io = std::exchange(a.value, 0);
      break;
  }
  return a;
}

}  // namespace lapis::codegen
