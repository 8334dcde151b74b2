// The translators of TFLite's operators, by family, and what several of them share.
#pragma once

#include "frontends/common/translate.h"

namespace lapis::tflite_frontend {

using frontend::Axes;
using frontend::Layout;
using frontend::Translation;

// windows.cpp
Status average_pool(Translation& t);
Status conv(Translation& t);
Status depthwise_conv(Translation& t);
Status max_pool(Translation& t);
// elementwise.cpp
Status add(Translation& t);
Status dequantize(Translation& t);
Status mul(Translation& t);
Status quantize(Translation& t);
Status softmax(Translation& t);
// shapes.cpp
Status fully_connected(Translation& t);
Status mean(Translation& t);
Status pad(Translation& t);
Status reshape(Translation& t);

// The value behind the activation that the operator has fused into it; an error for one that is not known.
Result<Value*> activated(Translation& t, Value* value);
// Operand 2 of a contraction: reals, or integers with scales.
Status check_bias(const Translation& t);
// A constant list of numbers as an operand; an error if it is computed.
Result<std::vector<int64_t>> numbers(const Translation& t, size_t i, const char* what);

}  // namespace lapis::tflite_frontend
