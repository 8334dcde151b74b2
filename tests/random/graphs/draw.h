// Random: the same numbers from a seed with every compiler and library. Tensors and shapes drawn with it: ordinary
// values, and those that break things (NaN, infinities, both zeros, extremes, subnormals, sizes 0, 1 and primes).
//
//   Random random(42);
//   const Tensor t = draw_tensor(random, DType::Int8, {2, 3}, Mood::Special);
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "ir/op.h"

namespace lapis::random_graphs {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next();                                   // splitmix64
  int64_t between(int64_t lowest, int64_t highest);  // both included
  size_t below(size_t count) { return static_cast<size_t>(next() % count); }
  bool chance(int percent) { return between(1, 100) <= percent; }
  double uniform(double low, double high);
  template <class T> const T& pick(const std::vector<T>& from) { return from[below(from.size())]; }
  int64_t one_of(std::initializer_list<int64_t> from) { return from.begin()[below(from.size())]; }

 private:
  uint64_t state_;
};

// What the values of a tensor look like.
enum class Mood {
  Ordinary,  // small numbers with fractions
  Whole,     // small whole numbers, many of them equal
  Special,   // one in four is a special value
};

Tensor draw_tensor(Random& random, DType dtype, const Shape& shape, Mood mood);
// One of `types`, float32 most often; Undefined if the set holds none that tensors can be drawn of.
DType draw_dtype(Random& random, TypeSet types);
int64_t draw_size(Random& random);  // 0, 1, primes, sizes around vector widths
Shape draw_shape(Random& random, int64_t lowest_rank, int64_t highest_rank);
// A shape that broadcasts into `shape`: some axes 1, some leading ones left out.
Shape draw_partner(Random& random, const Shape& shape);
// The dimensions of `shape` merged and split at random: as many elements.
Shape draw_refactored(Random& random, const Shape& shape);

}  // namespace lapis::random_graphs
