// Why an elementwise node is not computed in the region of what it reads:
// the predicate of fusion that failed, for people.
#pragma once

#include <cstdint>
#include <string>

namespace lapis {
class Node;
class Value;
}  // namespace lapis

namespace lapis::codegen {

struct Apart {
  enum class Why : uint8_t {
    Output,          // what it reads leaves the model as well
    OtherReader,     // `other` reads the same and is computed elsewhere
    NotElementwise,  // `other` reads the same and is no elementwise node
    OtherShape,      // its result has another shape than what it reads
    Operand,         // kernels cannot load one of its operands
    Instruction,     // kernels do not compute it behind their sums
    TooMany,         // as much is computed there as may be
    SeveralResults,  // the region of `other` would have to store several values, or one of a type or order that it
                     // cannot
    ComputedOnce,    // several nodes read what it reads, which is too costly to compute for each of them
  };
  Why why;
  const Value* value = nullptr;  // what it reads
  const Node* other = nullptr;
};

std::string text_of(const Apart& apart);  // not to_string, which would hide those of lapis

}  // namespace lapis::codegen
