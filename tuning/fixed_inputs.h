// Inputs that are always the same number, as the sampling rate of a model for several: a dataset says so by `constant`.
//
// What a model computes in the branches of an If is not quantized, because nobody knows which of them it is. Where such
// an input decides, the model is made for its number: the branch takes the place of the If, and the model has no such
// input any more.
#pragma once

#include "ir/graph.h"
#include "tuning/data/dataset.h"

namespace lapis {

// Makes constants of the inputs with fixed numbers that alone decide an If of the graph. A sentence for each.
Result<std::vector<std::string>> fix_deciding_inputs(Graph& graph, const Dataset& data);

// Fixed inputs that a model with these inputs has not (any more), so that nobody can give them to it.
std::set<std::string> surplus_inputs(const Dataset& data, const std::vector<std::string>& inputs);
// Without those.
Dataset fitted(const Dataset& data, const Graph& graph);

// What quantization and tuning say of a model whose products stand in branches:
// "" if there are none, else what decides them and what to do.
std::string undecided_branches(const Graph& graph, const std::string& how_to_give_numbers);

}  // namespace lapis
