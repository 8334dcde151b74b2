// Tensors over storages: sizes, strides and an offset into bytes that several tensors may share.
#pragma once

#include "base/file.h"
#include "base/tensor.h"
#include "frontends/common/limits.h"

namespace lapis::pytorch_frontend {

struct Strided {
  DType dtype = DType::Undefined;
  Shape shape = {}, strides = {};  // in elements
  int64_t offset = 0;
};

// Lies over the storage where it is contiguous, else a copy, which `copies` counts.
// An error where it would leave the storage.
Result<Tensor> tensor_over(const Strided& view, const MappedFile& storage, frontend::Expansion& copies);

}  // namespace lapis::pytorch_frontend
