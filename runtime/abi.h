// The contract between generated code and whoever runs it:
// the runtime's Session, the JIT, and the C program that links model.o.
// Plain data only; included by codegen, so nothing here may need the rest of the runtime.
//
// Code knows the structure of a step: types, tiles, strides. Where its operands lie and how many rows there are it is
// told at every call by a block of words, so that steps of equal structure, at whatever place and of whatever size,
// share their code:
//
//   const std::vector<uint64_t> block = block_of(step.arguments, {constants, &weights, arena, io, &status});
//   function(block.data(), 0, units);
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/parts.h"

namespace lapis::abi {

// Bumped whenever Argument, StepFn or the artifact layout changes; an artifact of another version is refused.
inline constexpr uint32_t kVersion = 5;
inline constexpr int64_t kAlignment = 64;  // of constants, the arena and every buffer in them

// Performs work units [begin, end) of one step. Units write disjoint memory and never depend on each other, so any
// partition over threads gives the same bytes. System V calling convention; needs no stack alignment beyond it, leaves
// vector state clean.
using StepFn = void (*)(const uint64_t* block, int64_t begin, int64_t end);

// What one word of a block is: a number, the address of the status, an address in one of the memories of a run, or one
// of this process, which no file can hold.
struct Argument {
  enum class Kind : uint8_t { Number, Status, Constants, Weights, Arena, Io, Process };
  Kind kind = Kind::Number;
  bool written = false;  // code stores there
  uint64_t io = 0;       // Io: which of the inputs and outputs
  uint64_t value = 0;    // the number, the address (Process), or how far into the memory a region begins
  uint64_t bytes = 0;    // of the region, all that code reaches by this address
  uint64_t within = 0;   // the byte of the region that has the address
  bool operator==(const Argument&) const = default;
};

// The memories of a run.
struct Frame {
  const uint8_t* constants;  // parameters and tables, read-only, 64-byte aligned
  const Parts* weights;      // packed weights and large tensors, read-only, each 64-byte aligned
  uint8_t* arena;            // all intermediate buffers, 64-byte aligned
  void* const* io;           // graph inputs, then graph outputs; natural alignment of their element type
  int32_t* status;           // generated code stores a Fault here; never cleared by it
};

inline uint64_t word_of(const Argument& a, const Frame& frame) {
  const auto address = [&](const void* base) { return reinterpret_cast<uint64_t>(base) + a.value + a.within; };
  switch (a.kind) {
    case Argument::Kind::Number:
    case Argument::Kind::Process: return a.value;
    case Argument::Kind::Status: return reinterpret_cast<uint64_t>(frame.status);
    case Argument::Kind::Constants: return address(frame.constants);
    case Argument::Kind::Weights: return reinterpret_cast<uint64_t>(frame.weights->at(a.value)) + a.within;
    case Argument::Kind::Arena: return address(frame.arena);
    case Argument::Kind::Io: return address(frame.io[a.io]);
  }
  return 0;
}

inline std::vector<uint64_t> block_of(std::span<const Argument> arguments, const Frame& frame) {
  std::vector<uint64_t> block;
  for (const Argument& a : arguments) block.push_back(word_of(a, frame));
  return block;
}

enum Fault : int32_t {
  kNoFault = 0,
  kIndexOutOfRange = 1,  // Gather-like access; the access itself was clamped into the tensor
  kLibraryFailed = 2,    // a library that computes a step could not, for want of memory
};

}  // namespace lapis::abi
