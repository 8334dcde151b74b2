// What TorchScript computes without tensors: arithmetic and comparisons of numbers, lists, strings.
// Nothing of it reaches the graph.
#pragma once

#include <optional>
#include <string_view>

#include "frontends/pytorch/computed.h"

namespace lapis::pytorch_frontend {

// The result of torch.`function` on these; nullopt if it is no function of known numbers and lists,
// so that it is one of tensors.
Computed compute(std::string_view function, const std::vector<Item>& arguments);
// Of known numbers, strings and flat lists of them; nullopt for others.
std::optional<bool> equal(const Item& a, const Item& b);
// nullopt: not known before the model runs.
std::optional<bool> truth_of(const Item& item);

}  // namespace lapis::pytorch_frontend
