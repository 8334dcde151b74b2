// The routines of runtime/routines as assembly, which object files embed:
// compiled when Lapis is built, for any x86-64 processor.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lapis {

struct RoutineText {
  std::string_view name, assembly;
};
std::span<const RoutineText> routine_texts();  // made by codegen/CMakeLists.txt

// Its text with local symbols only, all beginning with `prefix`: PREFIX_routine_NAME is the entry.
// Nothing if there is no such routine.
std::optional<std::string> routine_assembly(std::string_view routine, const std::string& prefix);

}  // namespace lapis
