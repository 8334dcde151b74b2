// Choosing and blocking: picks the row of the kernel table for a contraction, its tile sizes and the order of work
// units, and packs the weights for it. Emitting is codegen/x86's business; the table itself is codegen/kernels/table.h.
//
//   LAPIS_CHECK(schedule(c, plan, constants));                                      // as the cost model says
//   LAPIS_CHECK(schedule(c, plan, constants, *parse_schedule("conv_f32_avx2 4x2")));  // or as the caller does
#pragma once

#include <string_view>

#include "base/result.h"
#include "codegen/kernels/constants.h"
#include "codegen/plan.h"

namespace lapis::kernels {

// True if the epilogue emitter can compute this program in registers (lowering fuses only what this accepts).
bool epilogue_supports(const std::vector<Instr>& program);
// True if the epilogue emitter can store results of this type:
// a truth value, for one, is a mask as wide as what was compared.
bool epilogue_stores(DType dtype);

// True if the target has a kernel for products of these types.
bool multiplies(DType a, DType b, const Target& target);

// The cheapest schedule of `c` on the target that agrees with what `wanted` fixes. Fails with ErrorKind::Unsupported if
// there is none, saying which property does not fit and what would.
Result<Schedule> choose(const Contraction& c, const Target& target, const Schedule& wanted = {});

// Puts `c` to the schedule that choose() gives for the plan's target, packed weights into the weights, bias with
// zero-point compensation, pixel table and unit table into the constants.
Status schedule(Contraction& c, Plan& plan, ConstantPool& constants, const Schedule& wanted = {});
Status schedule(Contraction& c, Plan& plan, const Schedule& wanted = {});  // of a plan whose constants nobody shares

// The name of a row of the kernel table, for reports.
std::string_view name_of_row(int row);

// "conv_u8s8_avx512vnni 6x4 weights 12": row, pixels x vectors of a tile, what is the outer loop, runs of pixels. What
// is open is left out, behind the last word that is not, or "any" (for a number, 0).
std::string to_string(const Schedule& schedule);
Result<Schedule> parse_schedule(std::string_view text);

}  // namespace lapis::kernels
