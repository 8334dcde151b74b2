// The invariants P1 to P3 of verify_plan.h: of the scalar programs in loops and epilogues.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "codegen/plan.h"

namespace lapis::codegen {

// What a program may refer to.
struct ProgramPlace {
  const Loop* loop = nullptr;                                // that it is in; null: it is an epilogue
  std::span<const DType> reduced;                            // what earlier phases of the loop have reduced
  std::function<std::optional<DType>(int32_t slot)> loaded;  // the type behind a slot of loads; nothing: there is none
};

// "%2 = add f32 %0 %1 mixes types", of every instruction that breaks one.
std::vector<std::string> flaws_of_program(const std::vector<Instr>& body, const ProgramPlace& place);

}  // namespace lapis::codegen
