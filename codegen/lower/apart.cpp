#include "codegen/lower/apart.h"

#include "base/check.h"
#include "ir/graph.h"
#include "ir/op.h"

namespace lapis::codegen {

std::string text_of(const Apart& apart) {
  const auto quoted = [](const auto& named) { return "'" + named.name() + "'"; };
  const auto other = [&] { return quoted(*apart.other) + " (" + std::string(apart.other->op().name) + ")"; };
  using enum Apart::Why;
  switch (apart.why) {
    case Output: return quoted(*apart.value) + " is an output of the model too";
    case OtherReader: return quoted(*apart.value) + " is also read by " + other() + ", which is computed elsewhere";
    case NotElementwise: return quoted(*apart.value) + " is also read by " + other() + ", which is not elementwise";
    case OtherShape: return "its result has another shape than " + quoted(*apart.value);
    case Operand:
      return "kernels load numbers, one value a channel and what lies as their result does, and an operand is none of "
             "these";
    case Instruction: return "kernels do not compute it behind their sums";
    case TooMany: return "as many nodes are computed behind " + other() + " as may be";
    case SeveralResults:
      return "with it " + other() + " would leave several values, or one that its kernel cannot store";
    case ComputedOnce:
      return quoted(*apart.value) + " is read by " + std::to_string(apart.value->uses().size()) +
             " nodes and computed once";
  }
  LAPIS_UNREACHABLE("a reason that is none");
}

}  // namespace lapis::codegen
