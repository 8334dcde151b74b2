// Operators that put values to places: what ScatterND does, once it is told each place.
#include <algorithm>
#include <limits>

#include "frontends/common/build.h"
#include "frontends/common/elementwise.h"
#include "frontends/tensorflow/translators.h"
#include "frontends/tflite/translators.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"

namespace lapis::tflite_frontend {
namespace {

namespace tf = tensorflow_frontend;

constexpr int64_t kMostElements = int64_t{1} << 22;

Result<Shape> static_shape(const Translation& t, size_t i) {
  if (t.input(i).type.is_static()) return t.input(i).type.shape();
  return Translation::unsupported("data of open size");
}

// Beyond all numbers of a type.
double lowest(DType dtype) {
  return is_float(dtype) ? static_cast<double>(std::numeric_limits<float>::lowest()) : -1e19;
}

// One row a segment, each beginning with `first`.
// A row in front takes what belongs to no segment: ONNX would count those from the end.
Status segments(Translation& t, int64_t count, const char* reduction, double first) {
  LAPIS_TRY(const Shape data, static_shape(t, 0));
  LAPIS_TRY(const int64_t id_axes, tf::rank_of(t, 1));
  if (count < 0 || count > kMostElements || id_axes > static_cast<int64_t>(data.size()))
    return error(ErrorKind::Input, "has " + std::to_string(count) + " segments of " + to_string(data));
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * ids, tf::as_int64(t, 1));
  LAPIS_TRY(ids, t.add(ops::Max, {ids, frontend::scalar(t, -1, DType::Int64)}));
  LAPIS_TRY(ids, t.add(ops::Add, {ids, frontend::scalar(t, 1, DType::Int64)}));
  LAPIS_TRY(ids, frontend::unsqueeze(t, ids, {-1}));
  Shape rows = {count + 1};
  rows.insert(rows.end(), data.begin() + id_axes, data.end());
  LAPIS_TRY(Value * start, frontend::scalar_like(t, first, x));
  LAPIS_TRY(Value * base, t.add(ops::Expand, {start, frontend::ints(t, std::move(rows))}));
  LAPIS_TRY(Value * y, t.add(ops::ScatterND, {base, ids, x}, ops::ScatterNDAttrs{.reduction = reduction}));
  LAPIS_TRY(y, frontend::slice(t, y, 0, 1, count + 1));
  return t.set(0, y, Layout::AsWritten);
}

Status unsorted(Translation& t, const char* reduction, double first) {
  LAPIS_TRY(const int64_t count, tf::number(t, 2, "numbers of segments"));
  return segments(t, count, reduction, first);
}

// The positions of a block of `shape`, counted from its begin: [shape..., axes].
Result<Tensor> positions_of(const Shape& shape) {
  const auto rank = static_cast<int64_t>(shape.size());
  const int64_t count = element_count(shape);
  if (count > kMostElements / std::max<int64_t>(rank, 1)) return Translation::unsupported("updates of this size");
  Shape table = shape;
  table.push_back(rank);
  Tensor positions(DType::Int64, std::move(table));
  Shape index(shape.size(), 0);
  auto* at = positions.mutable_data<int64_t>().data();
  for (int64_t i = 0; i < count; ++i, ops::next_index(index, shape)) at = std::copy(index.begin(), index.end(), at);
  return positions;
}

}  // namespace

// What is set lies within the data: its begin moves there.
Status dynamic_update_slice(Translation& t) {
  LAPIS_TRY(const Shape whole, static_shape(t, 0));
  LAPIS_TRY(const Shape part, static_shape(t, 1));
  if (whole.size() != part.size() || whole.empty())
    return error(ErrorKind::Input, "sets " + to_string(part) + " in " + to_string(whole));
  LAPIS_TRY(Tensor positions, positions_of(part));
  std::vector<int64_t> most;
  for (size_t axis = 0; axis < whole.size(); ++axis) most.push_back(std::max<int64_t>(0, whole[axis] - part[axis]));
  LAPIS_TRY(Value * begin, tf::as_int64(t, 2));
  LAPIS_TRY(begin, t.add(ops::Max, {begin, frontend::scalar(t, 0, DType::Int64)}));
  LAPIS_TRY(begin, t.add(ops::Min, {begin, frontend::ints(t, std::move(most))}));
  LAPIS_TRY(Value * at, t.add(ops::Add, {t.constant(std::move(positions)), begin}));
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * update, t.real(1, Layout::AsWritten));
  LAPIS_TRY(Value * y, t.add(ops::ScatterND, {x, at, update}, ops::ScatterNDAttrs{}));
  return t.set(0, y, Layout::AsWritten);
}

// As many segments as the largest number says, or as the file does.
Status segment_sum(Translation& t) {
  const Type& declared = t.output(0).type;
  const Tensor& ids = t.input(1).constant;
  if (ids.defined() && is_integer(ids.dtype())) {
    const std::vector<int64_t> numbers = ids.as_ints();
    return segments(t, numbers.empty() ? 0 : *std::ranges::max_element(numbers) + 1, "add", 0);
  }
  if (!declared.ranked() || declared.rank() == 0 || !declared.dim(0).is_constant())
    return Translation::unsupported("a number of segments that is computed");
  return segments(t, declared.dim(0).value(), "add", 0);
}

Status unsorted_segment_max(Translation& t) { return unsorted(t, "max", lowest(t.input(0).type.dtype)); }
Status unsorted_segment_min(Translation& t) { return unsorted(t, "min", -lowest(t.input(0).type.dtype)); }
Status unsorted_segment_prod(Translation& t) { return unsorted(t, "mul", 1); }
Status unsorted_segment_sum(Translation& t) { return unsorted(t, "add", 0); }

// Places are numbers, vectors of numbers, or rows of an index for each axis.
Status sparse_to_dense(Translation& t) {
  LAPIS_TRY(const int64_t rank, tf::rank_of(t, 0));
  LAPIS_TRY(const int64_t value_rank, tf::rank_of(t, 2));
  LAPIS_TRY(Value * at, tf::as_int64(t, 0));
  if (rank < 2) {
    LAPIS_TRY(at, frontend::reshape(t, at, {-1, 1}));
  }
  LAPIS_TRY(Value * sizes, tf::as_int64(t, 1));
  LAPIS_TRY(Value * values, t.real(2, Layout::AsWritten));
  LAPIS_TRY(Value * elsewhere, t.real(3, Layout::AsWritten));
  LAPIS_TRY(Value * base, t.add(ops::Expand, {elsewhere, sizes}));
  if (value_rank == 0) {
    LAPIS_TRY(Value * count, t.add(ops::ShapeOf, {at}, ops::ShapeAttrs{.end = 1}));
    LAPIS_TRY(values, t.add(ops::Expand, {values, count}));
  }
  LAPIS_TRY(Value * y, t.add(ops::ScatterND, {base, at, values}, ops::ScatterNDAttrs{}));
  return t.set(0, y, Layout::AsWritten);
}

}  // namespace lapis::tflite_frontend
