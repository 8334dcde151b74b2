// What a layer is called with, and which of its operands that is.
//
//   SourceNode node = ...;                                           // "LSTM": sequences, two initial_state, mask
//   fill_slots(node, {{"x"}, {{"initial_state", {"h", "c"}}}, {}});  // node.inputs = {"x", "h", "c", ""}
#pragma once

#include "frontends/keras/config.h"

namespace lapis::keras_frontend {

using Names = std::vector<std::string>;  // of values

struct Arguments {
  Names operands;
  std::map<std::string, Names> named;
  std::map<std::string, frontend::SourceAttribute> options;
  bool has_others = false;
};

// Data in the order of the layer's slots, "" where there is none. False if there is more than it has slots for.
bool fill_slots(frontend::SourceNode& node, const Arguments& arguments);

}  // namespace lapis::keras_frontend
