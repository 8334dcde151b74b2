// What TorchScript does with strings: names of modes, keys of dicts, messages.
// What a message says of computed values nobody knows.
#pragma once

#include <string_view>
#include <vector>

#include "frontends/pytorch/computed.h"

namespace lapis::pytorch_frontend {

// str(item); a string that is not known for what is computed.
Item text_of(const Item& item);
// The result of torch.`function`; nullopt if it is no such function, or a string is not known.
Computed compute_string(std::string_view function, const std::vector<Item>& arguments);

}  // namespace lapis::pytorch_frontend
