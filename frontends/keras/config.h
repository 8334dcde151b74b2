// What the JSON of a Keras model says of layers and of their calls, in the words of Keras 2 and of Keras 3:
//
//   {"class_name": "Conv2D", "config": {"name": "conv", ...}, "inbound_nodes": [[["input_1", 0, 0, {}]]]}
//   {"class_name": "Conv2D", ..., "inbound_nodes": [{"args": [{"class_name": "__keras_tensor__", ...}], "kwargs": {}}]}
#pragma once

#include <map>

#include "frontends/common/json.h"
#include "frontends/common/source_graph.h"

namespace lapis::keras_frontend {

using frontend::Json;

// Of a layer, a model or anything else that Keras writes as {"class_name": ..., "config": {...}};
// empty if there is none.
const Json& config_of(const Json& layer);
std::string class_inside(const Json& layer);     // what Keras' own code calls it, and the groups of weights after it
const Json& config_of_cell(const Json& config);  // of a layer that was given a cell; others' own
std::string name_of(const Json& layer);
// What translators call it: a layer by its class, operators of Keras 3 as "ops.Add",
// those of TensorFlow as "tf.math.add".
std::string class_of(const Json& layer);
bool is_model(const Json& layer);
bool is_sequence(const Json& model);
const Json::array_t& layers_of(const Json& model);
bool flag(const Json& config, std::string_view name, bool fallback);
// Sizes of a shape, -1 where it is open.
std::vector<int64_t> sizes_of(const Json& shape);

// Numbers, texts, and lists of numbers, whatever lies in what; of an object its class.
std::optional<frontend::SourceAttribute> attribute_of(const Json& value);

// Output `tensor` of call `call` of a layer.
struct Place {
  std::string layer;
  int64_t call = 0, tensor = 0;
};
// What a layer is called with: a tensor, a number, or, in a list of masks, nothing.
struct Operand {
  std::optional<Place> place;
  double number = 0;
  bool is_absent = false;
};
struct Call {
  std::vector<Operand> operands;
  std::map<std::string, std::vector<Operand>> named;
  std::map<std::string, frontend::SourceAttribute> options;  // what is named and no tensor
  bool has_others = false;                                   // arrays, or what nobody knows
};
std::vector<Call> calls_of(const Json& layer);
// input_layers and output_layers: a place, a list of places, or named places.
std::vector<Place> places_of(const Json& list);

}  // namespace lapis::keras_frontend
