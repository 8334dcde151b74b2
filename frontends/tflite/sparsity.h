// Sparse tensors of a .tflite file: which elements are stored is told level by level, as in a TACO format;
// other elements are 0.
#pragma once

#include "base/result.h"
#include "base/tensor.h"
#include "frontends/tflite/flatbuffer.h"

namespace lapis::tflite_frontend {

// The elements that `data` holds, at their places in a tensor of `shape`; types of whole bytes.
Result<Tensor> densified(const FlatTable& sparsity, DType dtype, const Shape& shape, std::span<const std::byte> data);

}  // namespace lapis::tflite_frontend
