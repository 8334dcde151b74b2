// Which operators of PyTorch give tensors over the elements of their first operand,
// so that a change in place of one is seen in the other.
#pragma once

#include <cstdint>
#include <string_view>

namespace lapis::pytorch_frontend {

enum class Shares : uint8_t {
  Nothing,
  All,      // what it shows, so that it can be taken again of what its operand is now
  Perhaps,  // or it is a copy, where elements do not lie as asked for or have another type already
  Parts,    // as Perhaps, of results that have no element in common
};

Shares shares_of(std::string_view op);  // "aten.transpose"

}  // namespace lapis::pytorch_frontend
