// Rows that are libraries: kernels whose emission is a call of a function of this process. The function has the
// signature of generated code (abi::StepFn) and gets its block, so that threads divide its work units as they do all
// others:
//
//   void run(const uint64_t* block, int64_t begin, int64_t end) {
//     const auto& work = *reinterpret_cast<const Work*>(block[library_word::kContext]);
//     ...
//   }
//
// It throws nothing, and stores abi::kLibraryFailed to the status if it cannot go on.
#pragma once

#include <functional>
#include <string>

#include "codegen/plan.h"

namespace lapis::kernels {

// The words of the block.
namespace library_word {
enum : size_t {
  kFunction,  // that code jumps to
  kContext,   // LibraryCall::context
  kStatus,
  kWeights,  // packed
  kBias,     // one a channel
  kInput,    // buffers
  kOutput,
  kOperands,  // then a word for each operand: its buffer
};
}

// What a library makes of a scheduled contraction.
struct LibraryKernel {
  LibraryCall call;
  int64_t units = 1;
  std::string weight_format;  // all on which the order of the weights depends
  std::function<std::vector<uint8_t>(const Tensor& in_order)> pack;
};

}  // namespace lapis::kernels
