#include "frontends/keras/model_graph.h"

#include <algorithm>

namespace lapis::keras_frontend {
namespace {

// A model counts the call that made it as the first, and that one is not listed. Keras 3 counts so in outputs only.
void find_offsets(ModelGraph& graph, bool is_new) {
  Offsets inner;
  for (const auto& [name, calls] : graph.calls)
    for (const Call& call : calls)
      for (const Place& place : operands_of(call)) inner[place.layer] = std::max(inner[place.layer], place.call);
  Offsets all = inner;
  for (const Place& end : graph.ends) all[end.layer] = std::max(all[end.layer], end.call);
  for (const auto& [name, layer] : graph.layers) {
    if (!is_model(*layer)) continue;
    const auto listed = static_cast<int64_t>(graph.calls.at(name).size());
    const bool counts = all[name] >= listed;
    if (is_new ? inner[name] >= listed : counts) graph.inner_offsets[name] = 1;
    if (is_new ? !is_sequence(*layer) && all[name] > 0 : counts) graph.outer_offsets[name] = 1;
  }
}

}  // namespace

ModelGraph model_graph(const Json& model) {
  ModelGraph graph;
  bool is_new = false;
  for (const Json& layer : layers_of(model)) {
    graph.layers.emplace(name_of(layer), &layer);
    graph.calls.emplace(name_of(layer), calls_of(layer));
    for (const Json& node : frontend::elements(layer, "inbound_nodes")) is_new = is_new || node.is_object();
  }
  const auto places = [&](const char* list) {
    const Json* found = frontend::member(config_of(model), list);
    return found ? places_of(*found) : std::vector<Place>();
  };
  graph.begins = places("input_layers");
  graph.ends = places("output_layers");
  find_offsets(graph, is_new);
  return graph;
}

Place listed(Place place, const Offsets& offsets) {
  if (const auto it = offsets.find(place.layer); it != offsets.end()) place.call -= it->second;
  return place;
}

std::vector<Place> operands_of(const Call& call) {
  std::vector<Place> places;
  const auto add = [&](const std::vector<Operand>& operands) {
    for (const Operand& operand : operands)
      if (operand.place) places.push_back(*operand.place);
  };
  add(call.operands);
  for (const auto& [name, operands] : call.named) add(operands);
  return places;
}

}  // namespace lapis::keras_frontend
