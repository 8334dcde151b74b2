// The contract between generated code and whoever runs it: the runtime's Session, the JIT, and the C program that links model.o.
// Plain data only; included by codegen, so nothing here may need the rest of the runtime.
#pragma once

#include <cstdint>

namespace lapis::abi {

// Bumped whenever Frame, StepFn or the artifact layout changes; an artifact of another version is refused.
inline constexpr uint32_t kVersion = 4;
inline constexpr int64_t kAlignment = 64;  // of constants, the arena and every buffer in them

// What every generated function gets. 64-bit pointers at fixed offsets: emitters address them by kOffset*.
struct Frame {
  const uint8_t* constants;  // packed weights and tables, read-only, 64-byte aligned
  uint8_t* arena;            // all intermediate buffers, 64-byte aligned
  void* const* io;           // graph inputs, then graph outputs; natural alignment of their element type
  int32_t* status;           // generated code stores a Fault here; never cleared by it
};
inline constexpr int kOffsetConstants = 0, kOffsetArena = 8, kOffsetIo = 16, kOffsetStatus = 24;

enum Fault : int32_t {
  kNoFault = 0,
  kIndexOutOfRange = 1,  // Gather-like access; the access itself was clamped into the tensor
};

// Performs work units [begin, end) of one step. Units write disjoint memory and never depend on each other, so any partition over
// threads gives the same bytes. System V calling convention; needs no stack alignment beyond it, leaves vector state clean.
using StepFn = void (*)(const Frame* frame, int64_t begin, int64_t end);

}  // namespace lapis::abi
