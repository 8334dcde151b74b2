// Random inputs of models.
#pragma once

#include <random>

#include "ir/evaluate.h"
#include "ir/ops/loops.h"

namespace lapis::testing {

// Token ids, positions and flags are below `ids`, by default 0 or 1, which every table has.
inline Tensor drawn(DType dtype, const Shape& shape, std::mt19937& random, unsigned ids = 2) {
  Tensor t(dtype, shape);
  if (bit_width(dtype) == 8 && dtype != DType::Bool) {
    for (int64_t i = 0; i < t.size(); ++i) t.mutable_raw()[i] = static_cast<std::byte>(random());
    return t;
  }
  std::normal_distribution<float> normal;
  std::vector<double> values(static_cast<size_t>(t.size()));
  for (double& v : values)
    v = is_float(dtype) ? static_cast<double>(normal(random)) : static_cast<double>(random() % ids);
  return ops::from_doubles(dtype, shape, values);
}

inline Feeds drawn_feeds(const Graph& graph, std::mt19937& random, unsigned ids = 2) {
  Feeds feeds;
  for (const Value* input : graph.inputs())
    feeds[input->name()] = drawn(input->dtype(), input->type().shape(), random, ids);
  return feeds;
}

}  // namespace lapis::testing
