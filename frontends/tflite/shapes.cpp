// Operators that change shapes, take values apart and put them together,
// where TFLite says it otherwise than TensorFlow.
#include <algorithm>
#include <numeric>

#include "frontends/common/build.h"
#include "frontends/common/elementwise.h"
#include "frontends/tensorflow/translators.h"
#include "frontends/tflite/translators.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::tflite_frontend {
namespace {

namespace tf = tensorflow_frontend;

constexpr int64_t kMostElements = int64_t{1} << 24;  // of a table of truth values or positions that is made here

// True on the diagonal.
Result<Value*> diagonal(Translation& t, const Dim& rows, const Dim& columns) {
  if (!rows.is_constant() || !columns.is_constant()) return Translation::unsupported("matrices of open size");
  const int64_t m = rows.value(), n = columns.value();
  if (n > 0 && m > kMostElements / n) return Translation::unsupported("matrices of this size");
  Tensor mask(DType::Bool, {m, n});
  for (int64_t i = 0; i < m * n; ++i) mask.mutable_data<bool>()[static_cast<size_t>(i)] = i / n == i % n;
  return t.constant(std::move(mask));
}

// Where the diagonal is true, numbers that vary along one axis; elsewhere what `others` says.
Result<Value*> on_diagonal(Translation& t, Value* mask, Value* numbers, int64_t axis, Value* others) {
  LAPIS_TRY(Value * spread, frontend::unsqueeze(t, numbers, {axis}));
  return t.add(ops::Where, {mask, spread, others});
}

// Ones in front, up to `rank` numbers.
Result<Value*> with_ones(Translation& t, Value* shape, int64_t count, int64_t rank) {
  if (count == rank) return shape;
  Value* ones = frontend::ints(t, std::vector<int64_t>(static_cast<size_t>(rank - count), 1));
  return t.add(ops::Concat, {ones, shape}, ops::ConcatAttrs{.axis = 0});
}

Result<int64_t> length_of(const Translation& t, size_t i) {
  const Type& type = t.input(i).type;
  if (type.ranked() && type.rank() == 1 && type.dim(0).is_constant()) return type.dim(0).value();
  return Translation::unsupported("a shape of open length");
}

// A vector along one axis of `rank`.
Result<Value*> along(Translation& t, Value* numbers, int64_t axis, int64_t rank) {
  Shape shape(static_cast<size_t>(rank), 1);
  shape[static_cast<size_t>(axis)] = -1;
  return frontend::reshape(t, numbers, std::move(shape));
}

// Where each position comes from when the first `lengths` are reversed, as a table that broadcasts to the data.
Result<Value*> reversed_positions(Translation& t, const Dim& extent, int64_t axis, int64_t batch_axis, int64_t rank) {
  if (!extent.is_constant() || extent.value() > kMostElements)
    return Translation::unsupported("sequences of open size");
  std::vector<int64_t> numbers(static_cast<size_t>(extent.value()));
  std::iota(numbers.begin(), numbers.end(), 0);
  LAPIS_TRY(Value * position, along(t, frontend::ints(t, std::move(numbers)), axis, rank));
  LAPIS_TRY(Value * lengths, tf::as_int64(t, 1));
  LAPIS_TRY(lengths, along(t, lengths, batch_axis, rank));
  LAPIS_TRY(Value * last, t.add(ops::Sub, {lengths, frontend::scalar(t, 1, DType::Int64)}));
  LAPIS_TRY(Value * mirrored, t.add(ops::Sub, {last, position}));
  LAPIS_TRY(Value * inside, t.add(ops::Less, {position, lengths}));
  return t.add(ops::Where, {inside, mirrored, position});
}

Result<Value*> shape_of(Translation& t, Value* x) {
  if (const auto shape = x->type().static_shape()) return frontend::ints(t, *shape);
  return t.add(ops::ShapeOf, {x});
}

}  // namespace

// To the shape of an operand or, in old files, of an option.
Status reshape(Translation& t) {
  return t.has(1) ? tf::reshape(t) : tf::reshape_to(t, t.get<std::vector<int64_t>>("new_shape", {}));
}

Status concatenation(Translation& t) { return tf::concat_of(t, 0, t.input_count(), t.get<int64_t>("axis", 0)); }
Status gather(Translation& t) { return tf::gather_of(t, t.get<int64_t>("axis", 0)); }
Status mirror_pad(Translation& t) { return tf::mirror_pad_of(t, t.get<int64_t>("mode", 0) == 1); }

Status strided_slice(Translation& t) {
  if (t.get<bool>("offset", false)) return Translation::unsupported("ends that count from the begin (offset)");
  return tf::strided_slice(t);
}

// Sparse constants are dense already (sparsity.h).
Status densify(Translation& t) {
  const frontend::SourceValue& x = t.input(0);
  if (!x.constant.defined()) return frontend::apply(t, ops::Identity);
  t.set_constant(0, x.constant, x.quantization);
  return ok();
}

// Rows of a table.
Status embedding_lookup(Translation& t) {
  LAPIS_TRY(Value * at, tf::as_int64(t, 0));
  LAPIS_TRY(Value * table, t.real(1, Layout::AsWritten));
  LAPIS_TRY(Value * y, t.add(ops::Gather, {table, at}, ops::AxisAttrs{.axis = 0}));
  return t.set(0, y, Layout::AsWritten);
}

// [..., n] on the diagonals of [..., n, n].
Status matrix_diag(Translation& t) {
  LAPIS_TRY(const int64_t rank, tf::rank_of(t, 0));
  if (rank == 0) return error(ErrorKind::Input, "a single number is no diagonal");
  const Dim& n = t.input(0).type.dim(rank - 1);
  LAPIS_TRY(Value * mask, diagonal(t, n, n));
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * zero, frontend::scalar_like(t, 0, x));
  LAPIS_TRY(Value * y, on_diagonal(t, mask, x, -1, zero));
  return t.set(0, y, Layout::AsWritten);
}

// Matrices with other diagonals, which are as long as the shorter side.
Status matrix_set_diag(Translation& t) {
  LAPIS_TRY(const int64_t rank, tf::rank_of(t, 0));
  if (rank < 2) return error(ErrorKind::Input, "its data is " + t.input(0).type.to_string() + ", no matrix");
  const Dim &rows = t.input(0).type.dim(rank - 2), &columns = t.input(0).type.dim(rank - 1);
  LAPIS_TRY(Value * mask, diagonal(t, rows, columns));
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * numbers, t.real(1, Layout::AsWritten));
  LAPIS_TRY(Value * y, on_diagonal(t, mask, numbers, rows.value() < columns.value() ? -1 : -2, x));
  return t.set(0, y, Layout::AsWritten);
}

// The shape to which two shapes broadcast.
Status broadcast_args(Translation& t) {
  LAPIS_TRY(const int64_t of_a, length_of(t, 0));
  LAPIS_TRY(const int64_t of_b, length_of(t, 1));
  LAPIS_TRY(Value * a, tf::as_int64(t, 0));
  LAPIS_TRY(Value * b, tf::as_int64(t, 1));
  LAPIS_TRY(a, with_ones(t, a, of_a, std::max(of_a, of_b)));
  LAPIS_TRY(b, with_ones(t, b, of_b, std::max(of_a, of_b)));
  LAPIS_TRY(Value * is_one, t.add(ops::Equal, {a, frontend::scalar(t, 1, DType::Int64)}));
  LAPIS_TRY(Value * y, t.add(ops::Where, {is_one, b, a}));
  LAPIS_TRY(y, frontend::cast(t, y, t.output(0).type.dtype));
  return t.set(0, y, Layout::AsWritten);
}

// The first elements of each sequence in the other order.
Status reverse_sequence(Translation& t) {
  LAPIS_TRY(const int64_t rank, tf::rank_of(t, 0));
  LAPIS_TRY(const int64_t axis, frontend::axis_of(t.get<int64_t>("seq_dim", 0), rank));
  LAPIS_TRY(const int64_t batch_axis, frontend::axis_of(t.get<int64_t>("batch_dim", 0), rank));
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * at, reversed_positions(t, x->type().dim(axis), axis, batch_axis, rank));
  LAPIS_TRY(Value * shape, shape_of(t, x));
  LAPIS_TRY(at, t.add(ops::Expand, {at, shape}));
  LAPIS_TRY(Value * y, t.add(ops::GatherElements, {x, at}, ops::AxisAttrs{.axis = axis}));
  return t.set(0, y, Layout::AsWritten);
}

// Where the elements are that are not 0, one row each.
Status where(Translation& t) {
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * columns, t.add(ops::NonZero, {x}));
  LAPIS_TRY(Value * y, t.add(ops::Transpose, {columns}, ops::TransposeAttrs{{1, 0}}));
  return t.set(0, y, Layout::AsWritten);
}

}  // namespace lapis::tflite_frontend
