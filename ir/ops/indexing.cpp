#include "ir/ops/indexing.h"

#include <algorithm>

#include "ir/ops/loops.h"

namespace lapis::ops {

static Result<int64_t> checked_position(const EvalContext& c, int64_t index, int64_t size) {
  if (index < -size || index >= size)
    return c.error("index " + std::to_string(index) + " is out of range for an axis of " + std::to_string(size) +
                   " elements");
  return normalized(index, size);
}

Result<std::vector<int64_t>> checked_positions(const EvalContext& c, const Tensor& indices, int64_t size) {
  std::vector<int64_t> positions = indices.as_ints();
  for (int64_t& p : positions) {
    LAPIS_TRY(p, checked_position(c, p, size));
  }
  return positions;
}

Result<std::vector<int64_t>> element_positions(const EvalContext& c, const lapis::Shape& data, const Tensor& indices,
                                               int64_t axis) {
  const lapis::Shape& shape = indices.shape();
  LAPIS_TRY(const int64_t along, checked_axis(c, axis, static_cast<int64_t>(data.size())));
  bool fits = shape.size() == data.size();
  for (size_t d = 0; fits && d < shape.size(); ++d) fits = static_cast<int64_t>(d) == along || shape[d] <= data[d];
  if (!fits) return c.error("indices of shape " + to_string(shape) + " do not fit data of shape " + to_string(data));
  LAPIS_TRY(std::vector<int64_t> positions, checked_positions(c, indices, data[static_cast<size_t>(along)]));
  const lapis::Shape strides = row_major_strides(data);
  lapis::Shape at(shape.size(), 0);
  for (int64_t& p : positions) {
    p *= strides[static_cast<size_t>(along)];
    for (size_t d = 0; d < at.size(); ++d)
      if (static_cast<int64_t>(d) != along) p += at[d] * strides[d];
    next_index(at, shape);
  }
  return positions;
}

Result<Targets> slice_positions(const EvalContext& c, const lapis::Shape& data, const Tensor& indices,
                                int64_t batch_dims) {
  const lapis::Shape& shape = indices.shape();
  const auto batch = static_cast<size_t>(batch_dims);
  const auto depth = static_cast<size_t>(shape.empty() ? 0 : shape.back());
  if (shape.empty() || batch >= shape.size() || batch + depth > data.size() ||
      !std::equal(shape.begin(), shape.begin() + batch_dims, data.begin()))
    return c.error("indices of shape " + to_string(shape) + " do not fit data of shape " + to_string(data));
  const lapis::Shape strides = row_major_strides(data);
  Targets targets{{shape.begin(), shape.end() - 1}, {}};
  targets.shape.insert(targets.shape.end(), data.begin() + static_cast<ptrdiff_t>(batch + depth), data.end());
  const int64_t slice = element_count(std::span(data).subspan(batch + depth));
  const int64_t batches = element_count(std::span(shape).first(batch)),
                batch_size = element_count(std::span(data).subspan(batch));
  const int64_t tuples = element_count(std::span(shape).first(shape.size() - 1));
  const std::vector<int64_t> values = indices.as_ints();
  for (int64_t t = 0; t < tuples; ++t) {
    int64_t position = batch_size * (t / (tuples / batches));
    for (size_t d = 0; d < depth; ++d) {
      LAPIS_TRY(const int64_t i, checked_position(c, values[static_cast<size_t>(t) * depth + d], data[batch + d]));
      position += i * strides[batch + d];
    }
    for (int64_t e = 0; e < slice; ++e) targets.positions.push_back(position + e);
  }
  return targets;
}

}  // namespace lapis::ops
