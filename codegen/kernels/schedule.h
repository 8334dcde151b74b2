// Choosing and blocking: picks the row of the kernel table for a contraction, its tile sizes and the order of work
// units, and packs the weights for it. Emitting is codegen/x86's business; the table itself is codegen/kernels/table.h.
#pragma once

#include <string_view>

#include "base/result.h"
#include "codegen/kernels/constants.h"
#include "codegen/plan.h"

namespace lapis::kernels {

// True if the epilogue emitter can compute this program in registers (lowering fuses only what this accepts).
bool epilogue_supports(const std::vector<Instr>& program);
// True if the epilogue emitter can store results of this type: a truth value, for one, is a mask as wide as what was compared.
bool epilogue_stores(DType dtype);

// Chooses a kernel row and blocking for `c` on the plan's target (an explicit `row` overrides the choice: tests and
// tuning), puts packed weights, bias with zero-point compensation, pixel table and unit table into the constants, and
// fills c's schedule fields. Fails with ErrorKind::Unsupported if no row fits, saying which property does not.
Status schedule(Contraction& c, Plan& plan, ConstantPool& constants, int row = -1);
Status schedule(Contraction& c, Plan& plan, int row = -1);  // of a plan whose constants nobody shares

// The name of a row of the kernel table, for reports.
std::string_view name_of_row(int row);

}  // namespace lapis::kernels
