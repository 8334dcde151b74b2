// What a format's operators become: the tables of a frontend as one list, which `lapis ops` and docs/operators.md show.
//
//   {.op = "LOGISTIC", .how = Support::Translated, .says = "Sigmoid", .newest = 3}
//   {.op = "SVDF", .how = Support::Refused, .says = "it keeps a state from one run to the next", .hint = "..."}
#pragma once

#include "frontends/common/translate.h"

namespace lapis::frontend {

enum class Support : uint8_t { Translated, Resolved, Refused };
std::string_view name_of(Support how);  // "translated"

struct SupportedOperator {
  std::string op;
  Support how = Support::Translated;
  // The one operator of ONNX that it becomes, empty if that depends; what the reader makes of it; or why it is refused.
  std::string says = {};
  std::string hint = {};
  int64_t oldest = 1, newest = 1;  // versions
};

std::vector<SupportedOperator> operators_of(const Dialect& dialect);  // alphabetical

}  // namespace lapis::frontend
