// Operators that speak of how elements lie, of tensors whose elements lie one row behind the other;
// and diagonals, which are steps in such rows.
#include <algorithm>

#include "frontends/common/formula.h"
#include "frontends/pytorch/translators.h"

namespace lapis::pytorch_frontend {
namespace {

using frontend::Formula;

// ---- tensors as they lie --------------------------------------------------------------------------------------------

bool is_reshape(const Node& node) {
  return node.is(ops::Identity) || node.is(ops::Reshape) || node.is(ops::Flatten) || node.is(ops::Squeeze) ||
         node.is(ops::Unsqueeze);
}

// As the program says; else inputs are, and what only reshapes them.
bool is_dense(const Translation& t, const Value* x) {
  constexpr int kMostSteps = 64;
  if (const auto* known = std::get_if<bool>(&t.attribute("is_dense"));
      known && t.node().attributes.contains("is_dense"))
    return *known;
  for (int i = 0; i < kMostSteps && x->producer() && is_reshape(*x->producer()); ++i) x = x->producer()->input(0);
  return !x->producer() && !x->is_constant();
}

Result<Value*> dense_self(Translation& t, Args& a) {
  LAPIS_TRY(Value * x, self(a));
  if (is_dense(t, x)) return x;
  return Translation::unsupported("a tensor of which is not known that its elements lie row by row");
}

// Where the elements of a view lie among those of its tensor; nullopt if one lies outside of it.
std::optional<std::vector<int64_t>> positions_of(const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides,
                                                 int64_t offset, int64_t count) {
  std::vector<int64_t> at = {offset};
  for (size_t axis = 0; axis < sizes.size(); ++axis) {
    std::vector<int64_t> next;
    for (const int64_t start : at)
      for (int64_t i = 0; i < sizes[axis]; ++i) next.push_back(start + i * strides[axis]);
    at = std::move(next);
  }
  const auto is_inside = [&](int64_t p) { return p >= 0 && p < count; };
  return std::all_of(at.begin(), at.end(), is_inside) ? std::optional(at) : std::nullopt;
}

Status check_view(const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides, int64_t offset) {
  if (sizes.size() != strides.size())
    return error(ErrorKind::Input,
                 "has " + std::to_string(strides.size()) + " strides for " + std::to_string(sizes.size()) + " axes");
  LAPIS_CHECK(check_positions({offset}));
  for (const int64_t stride : strides) LAPIS_CHECK(check_positions({stride}));
  if (const auto problem = shape_problem(DType::Int64, sizes)) return error(ErrorKind::Input, "is a view " + *problem);
  return ok();
}

// A view of given sizes and strides: elements by their numbers.
Status as_strided(Translation& t) {
  Args a(t);
  const std::vector<int64_t> sizes = a.list("size"), strides = a.list("stride");
  const int64_t offset = a.integer("storage_offset", 0);
  LAPIS_CHECK(a.status());
  LAPIS_CHECK(check_view(sizes, strides, offset));
  LAPIS_TRY(Value * x, dense_self(t, a));
  if (!x->type().is_static()) return Translation::unsupported("a tensor of open size");
  auto at = positions_of(sizes, strides, offset, element_count(x->type().shape()));
  if (!at) return error(ErrorKind::Input, "is a view of elements beyond those of its tensor");
  LAPIS_TRY(Value * row, frontend::reshape(t, x, {-1}));
  Value* index = t.constant(Tensor::vector(*std::move(at)).reshaped(sizes));
  return finish(t, t.add(ops::Gather, {row, index}, ops::AxisAttrs{0}));
}

// In place, the first elements in another shape. What is there beyond them nobody knows.
Status resize(Translation& t) {
  Args a(t);
  const std::vector<int64_t> sizes = a.list("size");
  LAPIS_CHECK(a.status());
  if (const auto problem = shape_problem(DType::Int64, sizes)) return error(ErrorKind::Input, "resizes: " + *problem);
  LAPIS_TRY(Value * x, dense_self(t, a));
  if (!x->type().is_static() || element_count(sizes) > element_count(x->type().shape()))
    return Translation::unsupported("more elements than the tensor is known to have");
  LAPIS_TRY(Value * row, frontend::reshape(t, x, {-1}));
  LAPIS_TRY(Value * kept, frontend::slice(t, row, 0, 0, element_count(sizes)));
  return finish(t, t.add(ops::Reshape, {kept, frontend::ints(t, sizes)}, ops::ReshapeAttrs{.allowzero = true}));
}

// How many elements lie between neighbours on an axis: as many as the axes behind have.
Status stride(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", 0);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, dense_self(t, a));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const int64_t axis, frontend::axis_of(dim, rank));
  LAPIS_TRY(Value * behind, t.add(ops::ShapeOf, {x}, ops::ShapeAttrs{.end = std::nullopt, .start = axis + 1}));
  return finish(t, frontend::reduce(t, ops::ReduceProd, behind, {}, false));
}

Status storage_offset(Translation& t) {
  Args a(t);
  LAPIS_TRY([[maybe_unused]] const Value* x, dense_self(t, a));
  t.set_constant(0, Tensor::scalar<int64_t>(0));
  return ok();
}

Status is_contiguous(Translation& t) {
  Args a(t);
  LAPIS_TRY([[maybe_unused]] const Value* x, dense_self(t, a));
  t.set_constant(0, Tensor::scalar(true));
  return ok();
}

// ---- diagonals ------------------------------------------------------------------------------------------------------

// Matrices of two axes as rows of their elements, and where the diagonal lies in them.
struct Diagonal {
  Value *rows, *at, *shape;  // [..., height * width], int64[n], that of the matrices
  Axes perm;
};

Result<Diagonal> diagonal_of(Translation& t, Formula& f, Args& a, Value* x) {
  const int64_t offset = a.integer(a.has("diagonal") ? "diagonal" : "offset", 0);
  const int64_t dim1 = a.integer("dim1", 0), dim2 = a.integer("dim2", 1);
  LAPIS_CHECK(a.status());
  LAPIS_CHECK(check_positions({offset}));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const int64_t down, frontend::axis_of(dim1, rank));
  LAPIS_TRY(const int64_t across, frontend::axis_of(dim2, rank));
  if (down == across) return error(ErrorKind::Input, "has one axis for both of its diagonal");
  Diagonal d{};
  for (int64_t axis = 0; axis < rank; ++axis)
    if (axis != down && axis != across) d.perm.push_back(axis);
  d.perm.insert(d.perm.end(), {down, across});
  LAPIS_TRY(Value * matrices, frontend::transpose(t, x, d.perm));
  Value *height = f.size(x, down), *width = f.size(x, across), *none = f.integers({0});
  Value* rest = f.sub({height, f.integers({std::max<int64_t>(-offset, 0)})});
  Value* length = f.max({f.min({rest, f.sub({width, f.integers({std::max<int64_t>(offset, 0)})})}), none});
  Value* start = offset < 0 ? f.mul({width, f.integers({-offset})}) : f.integers({offset});
  d.at = f.add({f.mul({f.range(length), f.add({width, f.integers({1})})}), start});
  d.shape = f.op(ops::ShapeOf, {matrices});
  Value* before = f.slice(d.shape, 0, 0, rank - 2);
  d.rows = f.op(ops::Reshape, {matrices, f.concat({before, f.mul({height, width})}, 0)}, ops::ReshapeAttrs{true});
  return d;
}

Result<Value*> diagonal_elements(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(const Diagonal d, diagonal_of(t, f, a, x));
  Value* y = f.gather(d.rows, d.at, -1);
  LAPIS_CHECK(f.status());
  return y;
}

Status diagonal(Translation& t) { return finish(t, diagonal_elements(t)); }

// self with another diagonal.
Status diagonal_scatter(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * source, a.tensor("src"));
  LAPIS_TRY(const Diagonal d, diagonal_of(t, f, a, x));
  Value* indices = f.op(ops::Expand, {d.at, f.op(ops::ShapeOf, {source})});
  Value* rows = f.op(ops::ScatterElements, {d.rows, indices, source}, ops::ScatterElementsAttrs{-1, "none"});
  Value* matrices = f.op(ops::Reshape, {rows, d.shape}, ops::ReshapeAttrs{true});
  LAPIS_CHECK(f.status());
  return finish(t, frontend::transpose(t, matrices, frontend::inverse(d.perm)));
}

struct Place {
  int64_t offset, down, across;
};

// Matrices with what lies in the last axis on a diagonal, and 0 elsewhere.
Result<Value*> embedded(Translation& t, Value* x, const Place& place) {
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const int64_t down, frontend::axis_of(place.down, rank + 1));
  LAPIS_TRY(const int64_t across, frontend::axis_of(place.across, rank + 1));
  LAPIS_CHECK(check_positions({place.offset}));
  if (down == across) return error(ErrorKind::Input, "has one axis for both of its diagonal");
  Formula f(t);
  std::vector<int64_t> pads(2 * static_cast<size_t>(rank));
  pads[static_cast<size_t>(rank) - 1] = std::max<int64_t>(place.offset, 0);
  pads.back() = std::max<int64_t>(-place.offset, 0);
  Value* columns = f.op(ops::Pad, {x, f.integers(pads), f.number(0, x->dtype())});
  Value* numbers = f.range(f.size(columns, rank - 1));
  Value* distance = f.sub({f.unsqueeze(numbers, {0}), f.unsqueeze(numbers, {1})});
  Value* is_on = f.op(ops::Equal, {distance, f.integers({place.offset})});
  Value* y = f.where({is_on, f.unsqueeze(columns, {-2}), f.number(0, x->dtype())});
  LAPIS_CHECK(f.status());
  Axes perm;
  for (int64_t axis = 0, next = 0; axis <= rank; ++axis)
    perm.push_back(axis == down ? rank - 1 : axis == across ? rank : next++);
  return frontend::transpose(t, y, perm);
}

Status diag_embed(Translation& t) {
  Args a(t);
  const Place place{a.integer("offset", 0), a.integer("dim1", -2), a.integer("dim2", -1)};
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  return finish(t, embedded(t, x, place));
}

// Of a matrix its diagonal, of a row a matrix that has it as its diagonal.
Status diag(Translation& t) {
  Args a(t);
  const int64_t offset = a.integer("diagonal", 0);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  return rank == 1 ? finish(t, embedded(t, x, {offset, -2, -1})) : diagonal(t);
}

// All elements on the diagonal of a matrix.
Status diagflat(Translation& t) {
  Args a(t);
  const int64_t offset = a.integer("offset", 0);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(x, frontend::reshape(t, x, {-1}));
  return finish(t, embedded(t, x, {offset, -2, -1}));
}

Status trace(Translation& t) {
  LAPIS_TRY(Value * y, diagonal_elements(t));
  LAPIS_TRY(y, frontend::cast(t, y, is_float(y->dtype()) ? y->dtype() : DType::Int64));
  return finish(t, frontend::reduce(t, ops::ReduceSum, y, {}, false));
}

constexpr AtenRow kRows[] = {
    {"aten.as_strided", "self size stride storage_offset", as_strided},
    {"aten.diag", "self diagonal", diag},
    {"aten.diag_embed", "self offset dim1 dim2", diag_embed},
    {"aten.diagflat", "self offset", diagflat},
    {"aten.diagonal", "self offset dim1 dim2", diagonal},
    {"aten.diagonal_scatter", "self src offset dim1 dim2", diagonal_scatter},
    {"aten.is_contiguous", "self", is_contiguous},
    {"aten.resize", "self size *memory_format", resize},
    {"aten.sym_storage_offset", "self", storage_offset},
    {"aten.sym_stride", "self dim", stride},
    {"aten.trace", "self", trace},
};

}  // namespace

std::span<const AtenRow> stride_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
