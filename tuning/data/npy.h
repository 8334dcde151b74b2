// NumPy's .npy files (format versions 1 to 3; C order, little endian), read and written.
#pragma once

#include "base/file.h"
#include "base/tensor.h"

namespace lapis {

Result<Tensor> read_npy(const Path& path);  // maps the file; the Tensor borrows from it
Status write_npy(const Path& path, const Tensor& tensor);

}  // namespace lapis
