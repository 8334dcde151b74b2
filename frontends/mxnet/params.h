// MXNet's .params files: a list of arrays and a list of their names, in all four layouts that MXNet 0.x to 1.x wrote.
#pragma once

#include <unordered_map>

#include "base/file.h"
#include "base/tensor.h"

namespace lapis::mxnet_frontend {

inline constexpr std::string_view kParamsMagic("\x12\x01\0\0\0\0\0\0", 8);

// By the names that the symbol uses for them ("arg:" and "aux:" are left out). Large arrays borrow from the file.
using Parameters = std::unordered_map<std::string, Tensor>;
Result<Parameters> read_params(const MappedFile& file);

}  // namespace lapis::mxnet_frontend
