// The block of arguments of a loop's code: which word is what. First the address of each view's element 0, last the
// numbers of the nest that are free, dimension by dimension: its extent, its strides; then the elements of a chunk of
// lanes and how many chunks there are.
#pragma once

#include "codegen/llvm/nest.h"

namespace lapis::llvm_backend {

struct Words {
  explicit Words(const Loop& loop) : views(loop.views.size()) {}
  size_t views;
  size_t status() const { return views; }
  size_t rows() const { return views + 1; }           // of the nest
  size_t rows_per_unit() const { return views + 2; }  // ...
  size_t numbers() const { return views + 3; }        // the first of the free ones
};

}  // namespace lapis::llvm_backend
