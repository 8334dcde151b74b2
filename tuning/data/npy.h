// NumPy's .npy files (format versions 1 to 3; C order, little endian), read and written,
// and .npz archives of them, read.
#pragma once

#include "base/file.h"
#include "base/tensor.h"

namespace lapis {

Result<Tensor> read_npy(const Path& path);  // maps the file; the Tensor borrows from it
// `array` of an archive, as numpy.savez and numpy.savez_compressed name it;
// without one that has it, the error lists those it has.
Result<Tensor> read_npz(const Path& path, const std::string& array);
Status write_npy(const Path& path, const Tensor& tensor);

}  // namespace lapis
