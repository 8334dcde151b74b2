// Names that PyTorch has for an operator beside the one that a row has: aten.arcsin is aten.asin.
#pragma once

#include <span>
#include <string_view>

namespace lapis::pytorch_frontend {

struct Alias {
  std::string_view name, op;
};
std::span<const Alias> aliases();  // alphabetical

}  // namespace lapis::pytorch_frontend
