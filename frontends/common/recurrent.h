// Loops that are an LSTM, a GRU or a simple network along a list, as Keras writes them, become that operator of ONNX:
// one product for all steps instead of one in each, and code that is made for it.
//
//   x = xs[time];  sums = x W + h R + b;  c' = sigmoid(f) c + sigmoid(i) tanh(g);  h' = sigmoid(o) tanh(c');
//   hs[time] = h';  time' = time + 1
#pragma once

#include "frontends/common/loop_parts.h"

namespace lapis::frontend {

// What the states are afterwards; empty if the loop is something else.
Result<std::vector<Value*>> as_recurrent(Translation& t, const LoopParts& loop);

}  // namespace lapis::frontend
