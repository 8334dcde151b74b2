// NAME_run as LLVM IR: the steps of a plan one after the other, its branches and repetitions as branches of IR, its
// calls as calls. The same semantics as runtime/interpreter.h.
#pragma once

#include <set>
#include <string>

#include "codegen/plan.h"

namespace lapis {

// Whether somebody must decide or call between the functions of the plan.
bool has_control(const Plan& plan);
// The routines that it calls, by name.
std::set<std::string> routines_of(const Plan& plan);

// Defines  void @$N_body(ptr %bases)  and the constants that it needs;
//          @$N_code_steps(ptr %bases, i64 first, i64 end) runs functions.
// `bases` are 64-bit addresses (base_number in object_ir.h).
std::string body_ir(const Plan& plan);

}  // namespace lapis
