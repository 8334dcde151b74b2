// The ways in which each case is run, and what can come of it.
#pragma once

#include <string>

#include "conformance/case.h"

namespace lapis::conformance {

enum class Way {
  Reference,  // the reference evaluator on the imported graph
  Compiled,   // generated code, 1 and 2 threads
  Constants,  // generated code where all inputs but the first are constants of the model
};
inline constexpr Way kWays[] = {Way::Reference, Way::Compiled, Way::Constants};
std::string_view name_of(Way way);

struct Outcome {
  enum Kind {
    Pass,
    Refused,
    Rounding,  // float16 two steps off: intermediate results that the model states as float16 were rounded to it
    Wrong,
    Crash,
  } kind = Pass;
  std::string reason;  // one line
};
std::string_view name_of(Outcome::Kind kind);

Outcome run(const Case& c, Way way);

}  // namespace lapis::conformance
