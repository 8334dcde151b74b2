// The schedules of a model's contractions, and the file that carries them from one compilation to the next: a line
// each, the schedule (codegen/kernels/schedule.h) and behind " : " the name of the contraction in the plan. Lines that
// begin with # are comments.
//
//   conv_u8s8_avx512vnni 6x4 weights 12 : conv1_quantized
//   any 4x4 : fc
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "codegen/plan.h"

namespace lapis::codegen {

using Schedules = std::map<std::string, Schedule>;

Schedules schedules_of(const Plan& plan);
std::string to_text(const Schedules& schedules);
// Fails with ErrorKind::Usage, one diagnostic a line that is none; `file` is its name for them.
Result<Schedules> parse_schedules(std::string_view text, const std::string& file);

}  // namespace lapis::codegen
