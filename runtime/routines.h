// Routines that compiled code calls: work on whole tensors that is no loop nest. A step names one; an artifact that names an unknown one is
// refused.
//
//   topk   x -> values, indices        parameters: axis, largest (1) or smallest (0). As ONNX's TopK, sorted; equal elements in their
//                                      order, NaN above every number.
#pragma once

#include <span>
#include <string_view>

#include "runtime/program.h"

namespace lapis {

// The bytes of the operands and of the results, row-major, aligned to their elements.
using Routine = void (*)(const CallInfo& call, std::span<const std::byte* const> inputs,
                         std::span<std::byte* const> outputs);

// Null if there is none of that name.
Routine find_routine(std::string_view name);
// Why the routine cannot work on these operands, or nothing: their number, types and shapes.
std::optional<std::string> flaw_of_call(const CallInfo& call);

}  // namespace lapis
