// LSTM, GRU and simple networks of several layers and directions as ONNX's operators, one a layer.
// Frameworks differ in the order of the gates.
#pragma once

#include "frontends/common/translate.h"

namespace lapis::frontend {

// How a kind of network differs from others.
struct RecurrentKind {
  const OpDef& op;
  std::vector<size_t> order;         // ONNX's gates among the framework's
  size_t states;                     // h, and c of an LSTM
  const char* activation = nullptr;  // of a network without gates
};

struct RecurrentNetwork {
  size_t layers = 1, directions = 1;
  // Of each layer and direction w_ih [gates * hidden, width], w_hh [gates * hidden, hidden] and,
  // if there are biases, b_ih and b_hh [gates * hidden].
  std::vector<Value*> parameters;
  std::vector<Value*> states;  // each [layers * directions, batch, hidden]
};

// Parameters or states of each direction with an axis for directions in front; null if there are none.
Result<Value*> stacked(Translation& t, std::vector<Value*> directions);

// One layer on x [steps, batch, width] with states [directions, batch, hidden]: y [steps, directions, batch, hidden],
// then the states behind the last step. `parameters` are those of the layer.
Result<std::vector<Value*>> recurrent_layer(Translation& t, const RecurrentKind& kind, Value* x,
                                            const std::vector<Value*>& parameters, const std::vector<Value*>& states,
                                            size_t directions);

// The whole network: y [steps, batch, directions * hidden], then the states behind the last step.
Result<std::vector<Value*>> recurrent_layers(Translation& t, const RecurrentKind& kind, const RecurrentNetwork& network,
                                             Value* x);

}  // namespace lapis::frontend
