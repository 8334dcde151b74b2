// Arrays of HDF5 files that lie in chunks, each of which may be compressed:
// what h5py writes when it is asked to, and h5repack.
#pragma once

#include "base/file.h"
#include "base/tensor.h"

namespace lapis::keras_frontend {

struct Chunks {
  uint64_t tree = 0;              // where the tree lies that lists them
  Shape sizes;                    // elements of each along each axis; those at the end may reach beyond the array
  std::vector<uint64_t> filters;  // numbers of what they went through, in this order
};

// Takes what it unfolds from `left` bytes; an error if that is not enough, if a chunk is missing or damaged, or went
// through a filter that is none of gzip, shuffle and checksums.
Result<Tensor> read_chunks(const MappedFile& file, DType dtype, const Shape& shape, const Chunks& chunks,
                           uint64_t& left);

}  // namespace lapis::keras_frontend
