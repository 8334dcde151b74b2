// How the layers of a functional model name each other:
// which there are, how often each is called, where the model begins and ends.
//
//   const ModelGraph graph = model_graph(model);
//   const Call& second = graph.calls.at("conv")[listed({"conv", 1}, graph.inner_offsets).call];
#pragma once

#include "frontends/keras/config.h"

namespace lapis::keras_frontend {

using Offsets = std::map<std::string, int64_t>;

struct ModelGraph {
  std::map<std::string, const Json*> layers;
  std::map<std::string, std::vector<Call>> calls;
  std::vector<Place> begins, ends;
  // How calls are counted where they are named, in operands and in outputs, less how they are listed.
  Offsets inner_offsets, outer_offsets;
};

ModelGraph model_graph(const Json& model);
// A place with its call counted as calls are listed.
Place listed(Place place, const Offsets& offsets);
// The places that a call takes its operands from.
std::vector<Place> operands_of(const Call& call);

}  // namespace lapis::keras_frontend
