// What functions of TorchScript give whose operands are known:
// a value, none if it is no such function or its operands are not known, or an error.
#pragma once

#include <optional>

#include "base/result.h"
#include "frontends/pytorch/item.h"

namespace lapis::pytorch_frontend {

using Computed = Result<std::optional<Item>>;

inline Computed none() { return std::optional<Item>(); }
inline Computed some(Item item) { return std::optional(std::move(item)); }
inline Diagnostic failed(const std::string& what) { return error(ErrorKind::Input, "its code " + what); }

}  // namespace lapis::pytorch_frontend
