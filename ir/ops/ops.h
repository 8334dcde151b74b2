// The operators Lapis knows. One line each, alphabetical; ops.cpp lists the same names behind all_ops().
#pragma once

#include "ir/op.h"

namespace lapis::ops {

extern const OpDef LogSoftmax;
extern const OpDef Softmax;

}  // namespace lapis::ops
