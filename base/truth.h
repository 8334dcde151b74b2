// Truth values from outside: a byte of a file may hold any number, a bool in C++ only 0 and 1.
#pragma once

#include "base/tensor.h"

namespace lapis {

// The tensor itself, or, if it is of truth values and holds other bytes than 0 and 1, a copy in which those are 1.
Tensor with_truth_values(Tensor tensor);

}  // namespace lapis
