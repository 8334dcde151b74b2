// Program: a compiled model as data: machine code, constants, steps, inputs and outputs. The JIT makes one in memory,
// an artifact file is one on disk; both become an Executable the same way.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/host_function.h"
#include "base/parts.h"
#include "base/tensor.h"
#include "runtime/abi.h"

namespace lapis {

struct IoInfo {
  std::string name;
  DType dtype = DType::Undefined;
  Shape shape;
  int64_t bytes() const { return byte_size(dtype, element_count(shape)); }
};

// Where bytes lie while a program runs: so far into the constants, the weights, the arena, or an input or output.
struct Place {
  enum class Base : uint8_t { Constants, Weights, Arena, Io };
  Base base = Base::Arena;
  uint64_t offset = 0;
  uint64_t io = 0;  // Io: its number in abi::Frame::io
};

// A row-major tensor there.
struct TensorPlace {
  Place place;
  DType dtype = DType::Undefined;
  Shape shape;
  int64_t bytes() const { return byte_size(dtype, element_count(shape)); }
};

// A routine of runtime/routines.h, or a function of this process, which no artifact can hold.
struct CallInfo {
  std::string routine;
  std::vector<TensorPlace> inputs, outputs;
  std::vector<int64_t> parameters;
  HostFunction host;
};

// The steps behind it: up to `otherwise` if the condition, one byte, is not 0; else from there to `end`.
struct BranchInfo {
  Place condition;
  uint64_t otherwise = 0, end = 0;
};

// The steps behind it, up to `end`, while `condition` is not 0, at most *trips times. The number of the iteration goes
// to `counter` before each; after each its `bytes` at `part` go to the slice of that number at `all`, or to the
// `count`-th less it if backwards.
struct RepeatInfo {
  struct Collection {
    Place part, all;
    int64_t bytes = 0;  // of a slice
    int64_t count = 0;  // slices that there is room for
    bool backwards = false;
  };
  std::optional<Place> trips, condition;
  Place counter;
  std::vector<Collection> collections;
  uint64_t end = 0;
};

// What a step does: code, if nothing else.
using Action = std::variant<std::monostate, CallInfo, BranchInfo, RepeatInfo>;

struct StepInfo {
  std::string name;                         // unique: the symbol of the function
  std::string op;                           // ONNX operator of the anchor, or what a helper step does
  std::string precision;                    // "int8", "fp32", ...
  std::string kernel;                       // row of the kernel table, or "loop"
  std::vector<std::string> nodes;           // ONNX nodes computed here
  std::string note;                         // why it is not fused or not int8, if there is something to say
  uint64_t code_offset = 0, code_size = 0;  // steps of equal structure share them
  std::vector<abi::Argument> arguments;     // of its code
  int64_t units = 1;
  int64_t macs = 0;  // multiply-accumulates of one run, 0 where that says nothing
  Action action;
  bool is_code() const { return std::holds_alternative<std::monostate>(action); }
};

// A part of the constants that generated code turns into addresses: int32 rows with one column for each limit; every
// entry of a column lies in [0, limit). Kept apart from weights because a wrong entry is a wrong address, not a wrong
// number.
struct TableInfo {
  uint64_t offset = 0;  // in the constants
  uint64_t rows = 0;
  std::vector<uint64_t> limits;
};

struct Program {
  std::string target;  // Target::to_string of the machine it was compiled for
  uint64_t plan_hash = 0;
  uint64_t source_hash = 0;  // of the model file
  std::string producer;      // "lapis 0.1.0"
  std::vector<IoInfo> inputs, outputs;
  std::vector<StepInfo> steps;
  std::vector<TableInfo> tables;
  int64_t arena_bytes = 0;
  std::span<const std::byte> code;
  std::span<const std::byte> constants;  // parameters and tables, 64-byte aligned
  Parts weights;                         // packed weights and large tensors, which programs of a process share
  std::span<const uint64_t>
      constant_sums;  // of the blocks of an artifact's weights and constants; empty if they were made here
  std::string file;   // that it was loaded from, for messages
  std::shared_ptr<const void> owner;  // keeps code, constants and sums alive
};

inline uint64_t constant_bytes(const Program& p) { return p.weights.size() + p.constants.size(); }

// Why sizes, counts or ranges of a program cannot be true (negative, overflowing, outside of its code), or nothing.
std::optional<std::string> flaw_of(const Program& program);
// The same for the contents of its tables.
std::optional<std::string> flaw_of_tables(const Program& program);

}  // namespace lapis
