// Numbers that PyTorch gives element types.
#pragma once

#include <optional>

#include "base/dtype.h"

namespace lapis::pytorch_frontend {

// As arguments of operators and TorchScript have them: 6 is float32. nullopt: Lapis has no such type.
std::optional<DType> dtype_of_scalar_type(int64_t number);
std::optional<int64_t> scalar_type_of(DType dtype);
// Exported programs number them otherwise (7 is float32); this is the number that operators use.
int64_t scalar_type_of_export(int64_t number);
// "FloatStorage": what pickles call storages.
std::optional<DType> dtype_of_storage(std::string_view name);

}  // namespace lapis::pytorch_frontend
