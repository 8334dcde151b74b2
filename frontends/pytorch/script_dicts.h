// What TorchScript does with dicts whose keys are known: numbers and strings.
#pragma once

#include <string_view>
#include <vector>

#include "frontends/pytorch/computed.h"

namespace lapis::pytorch_frontend {

// What a dict has under this key; null if it does not have it. nullopt if the key, or one of the dict's, is not known.
std::optional<const Item*> value_of(const Item& dict, const Item& key);
// The result of torch.`function`, which may have changed the dict; nullopt if it is no such function.
Computed compute_dict(std::string_view function, const std::vector<Item>& arguments);
bool changes_dict(std::string_view function);

}  // namespace lapis::pytorch_frontend
