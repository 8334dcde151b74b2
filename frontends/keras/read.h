// Keras models to a SourceGraph: one node for each call of a layer, with the layer's configuration as attributes, the
// data that it is called with and its weights as operands. Models within models are taken apart, shared layers share
// their weights, wrappers become what they wrap.
#pragma once

#include "frontends/keras/weights.h"

namespace lapis::keras_frontend {

struct KerasModel {
  Json description;     // {"class_name": "Functional", "config": {...}}
  int64_t version = 2;  // of Keras: 1, 2 or 3
  size_t file_bytes = 0;
};

Result<frontend::SourceGraph> read_layers(const KerasModel& model, Weights weights);

}  // namespace lapis::keras_frontend
