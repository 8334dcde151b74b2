// Operators that select by indices, sizes as numbers, and arithmetic with them.
#include <algorithm>

#include "frontends/pytorch/translators.h"
#include "frontends/pytorch/types.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"

namespace lapis::pytorch_frontend {
namespace {

Status index_select(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", 0);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * indices, a.tensor("index"));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  if (rank == 0) return frontend::result(t, 0, x);  // of its one element
  LAPIS_TRY(indices, frontend::reshape(t, indices, {-1}));
  return finish(t, t.add(ops::Gather, {x, indices}, ops::AxisAttrs{dim}));
}

Status gather(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", 0);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * indices, a.tensor("index"));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  if (rank == 0) return frontend::result(t, 0, x);  // of its one element
  return finish(t, t.add(ops::GatherElements, {x, indices}, ops::AxisAttrs{dim}));
}

// ---- along one axis, all of what lies across it ---------------------------------------------------------------------

// The positions of x[:, index] as ScatterElements takes them.
Result<Value*> positions_across(Translation& t, Value* x, Value* index, int64_t dim) {
  LAPIS_TRY(Value * like, t.add(ops::Gather, {x, index}, ops::AxisAttrs{dim}));
  LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {like}));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const int64_t axis, frontend::axis_of(dim, rank));
  Shape column(static_cast<size_t>(rank), 1);
  column[static_cast<size_t>(axis)] = -1;
  LAPIS_TRY(Value * positions, frontend::reshape(t, index, column));
  return t.add(ops::Expand, {positions, shape});
}

struct Across {
  Value *x, *positions, *shape;
  int64_t dim;
};
Result<Across> across(Translation& t, Args& a) {
  const int64_t dim = a.integer("dim", 0);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * index, a.tensor("index"));
  LAPIS_TRY(const int64_t index_rank, frontend::rank_of(index));
  if (index_rank == 0) {
    LAPIS_TRY(index, frontend::reshape(t, index, {1}));
  }
  LAPIS_TRY(Value * positions, positions_across(t, x, index, dim));
  LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {positions}));
  return Across{x, positions, shape, dim};
}

Status put_across(Translation& t, const Across& at, Value* values, const char* reduction) {
  LAPIS_TRY(values, frontend::cast(t, values, at.x->dtype()));
  LAPIS_TRY(values, t.add(ops::Expand, {values, at.shape}));
  return finish(
      t, t.add(ops::ScatterElements, {at.x, at.positions, values}, ops::ScatterElementsAttrs{at.dim, reduction}));
}

Status index_fill(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Across at, across(t, a));
  LAPIS_TRY(Value * value, a.number_or_tensor("value", at.x->dtype()));
  LAPIS_CHECK(a.status());
  return put_across(t, at, value, "none");
}

Status index_copy(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Across at, across(t, a));
  LAPIS_TRY(Value * source, a.tensor("source"));
  return put_across(t, at, source, "none");
}

Status index_add(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Across at, across(t, a));
  LAPIS_TRY(Value * source, a.tensor("source"));
  if (a.has("alpha")) {
    LAPIS_TRY(Value * alpha, a.number_or_tensor("alpha", at.x->dtype()));
    LAPIS_TRY(source, frontend::cast(t, source, at.x->dtype()));
    LAPIS_TRY(source, t.add(ops::Mul, {source, alpha}));
  }
  return put_across(t, at, source, "add");
}

// x[:, i, j]: indices of axes, which broadcast against each other. What they choose stands where the first of them was,
// or in front where other axes lie between them.
struct Indexed {
  Axes axes;
  std::vector<Value*> indices;  // int64

  bool are_neighbours() const { return axes.back() - axes.front() == static_cast<int64_t>(axes.size()) - 1; }
  int64_t place() const { return are_neighbours() ? axes.front() : 0; }
};

bool is_mask(const Value* index) { return index->dtype() == DType::Bool || index->dtype() == DType::UInt8; }

// A mask of several axes chooses by one index each: those of its elements that are not 0.
Status add_mask(Translation& t, Value* mask, int64_t& axis, Indexed& at) {
  LAPIS_TRY(const int64_t rank, frontend::rank_of(mask));
  if (rank == 0) return Translation::unsupported("a mask without axes as its index");
  LAPIS_TRY(Value * places, t.add(ops::NonZero, {mask}));
  for (int64_t i = 0; i < rank; ++i) {
    at.axes.push_back(axis++);
    Value* number = frontend::scalar(t, static_cast<double>(i), DType::Int64);
    LAPIS_TRY(at.indices.emplace_back(), t.add(ops::Gather, {places, number}, ops::AxisAttrs{0}));
  }
  return ok();
}

Result<Indexed> indexed_axes(Translation& t, const std::vector<Value*>& given) {
  Indexed at;
  int64_t axis = 0;
  for (Value* index : given) {
    if (index && is_mask(index)) {
      LAPIS_CHECK(add_mask(t, index, axis, at));
      continue;
    }
    if (index) {
      at.axes.push_back(axis);
      LAPIS_TRY(at.indices.emplace_back(), frontend::cast(t, index, DType::Int64));
    }
    ++axis;
  }
  if (at.axes.empty()) return error(ErrorKind::Input, "has no indices");
  return at;
}

// [..., n] of n indices, all in one shape.
Result<Value*> joined_indices(Translation& t, std::vector<Value*> indices) {
  Value* sum = indices[0];
  for (size_t i = 1; i < indices.size(); ++i) {
    LAPIS_TRY(sum, t.add(ops::Add, {sum, indices[i]}));
  }
  LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {sum}));
  for (Value*& index : indices) {
    LAPIS_TRY(index, t.add(ops::Expand, {index, shape}));
    LAPIS_TRY(index, frontend::unsqueeze(t, index, {-1}));
  }
  return t.add(ops::Concat, indices, ops::ConcatAttrs{-1});
}

// These axes in front of the others.
Axes in_front(int64_t rank, const Axes& axes) {
  Axes perm = axes;
  for (int64_t axis = 0; axis < rank; ++axis)
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) perm.push_back(axis);
  return perm;
}

// `count` axes from `first` on in front of the others.
Axes moved_to_front(int64_t rank, int64_t first, int64_t count) {
  Axes axes;
  for (int64_t i = 0; i < count; ++i) axes.push_back(first + i);
  return in_front(rank, axes);
}

Status check_axes(const Indexed& at, int64_t rank) {
  if (at.axes.back() < rank) return ok();
  return error(ErrorKind::Input, "has indices for more axes than the operand has");
}

// Several indices: their axes go to the front, and what is found goes back to where they were.
Result<Value*> gathered(Translation& t, Value* x, const Indexed& at) {
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_CHECK(check_axes(at, rank));
  LAPIS_TRY(Value * turned, frontend::transpose(t, x, in_front(rank, at.axes)));
  LAPIS_TRY(Value * indices, joined_indices(t, at.indices));
  LAPIS_TRY(const int64_t index_rank, frontend::rank_of(indices));
  LAPIS_TRY(Value * found, t.add(ops::GatherND, {turned, indices}));
  const int64_t found_rank = index_rank - 1 + rank - static_cast<int64_t>(at.axes.size());
  return frontend::transpose(t, found, moved_to_front(found_rank, index_rank - 1, at.place()));
}

Status index(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(const std::vector<Value*> given, a.tensors("indices"));
  LAPIS_TRY(const Indexed at, indexed_axes(t, given));
  const ops::AxisAttrs axis{at.axes.front()};
  return finish(t, at.indices.size() == 1 ? t.add(ops::Gather, {x, at.indices[0]}, axis) : gathered(t, x, at));
}

// A mask alone, from its first axis on.
struct MaskAlone {
  Value* mask = nullptr;  // null: it is no mask, or not alone
  int64_t first = 0;
};
MaskAlone mask_alone(const std::vector<Value*>& given) {
  MaskAlone found;
  for (size_t i = 0; i < given.size(); ++i) {
    if (!given[i]) continue;
    if (found.mask || !is_mask(given[i])) return {};
    found = {given[i], static_cast<int64_t>(i)};
  }
  return found;
}

// x[mask] = value, of one value.
Status fill_by_mask(Translation& t, Value* x, const MaskAlone& at, Value* value, bool adds) {
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const int64_t covered, frontend::rank_of(at.mask));
  Axes behind;
  for (int64_t axis = covered; axis + at.first < rank; ++axis) behind.push_back(axis);
  LAPIS_TRY(Value * mask, frontend::cast(t, at.mask, DType::Bool));
  if (!behind.empty()) {
    LAPIS_TRY(mask, frontend::unsqueeze(t, mask, behind));
  }
  LAPIS_TRY(value, frontend::reshape(t, value, Shape{}));
  if (adds) {
    LAPIS_TRY(value, t.add(ops::Add, {x, value}));
  }
  return finish(t, t.add(ops::Where, {mask, value, x}));
}

// The values as they meet what x[i, :, j] gives, with the axes of the indices in front.
Result<Value*> values_in_front(Translation& t, Value* values, Value* found, const Indexed& at, int64_t index_rank) {
  LAPIS_TRY(const int64_t rank, frontend::rank_of(found));
  LAPIS_TRY(Value * like, frontend::transpose(t, found, moved_to_front(rank, index_rank, at.place())));
  LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {like}));
  LAPIS_TRY(values, t.add(ops::Expand, {values, shape}));
  return frontend::transpose(t, values, moved_to_front(rank, at.place(), index_rank));
}

// x[i, j] = values, x[i, j] += values: the axes that are indexed go to the front, and back.
Status put(Translation& t, Value* x, Value* values, const Indexed& at, bool adds) {
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_CHECK(check_axes(at, rank));
  const Axes perm = in_front(rank, at.axes);
  LAPIS_TRY(Value * turned, frontend::transpose(t, x, perm));
  LAPIS_TRY(Value * indices, joined_indices(t, at.indices));
  LAPIS_TRY(const int64_t index_rank, frontend::rank_of(indices));
  LAPIS_TRY(Value * found, t.add(ops::GatherND, {turned, indices}));
  LAPIS_TRY(values, values_in_front(t, values, found, at, index_rank - 1));
  LAPIS_TRY(Value * changed,
            t.add(ops::ScatterND, {turned, indices, values}, ops::ScatterNDAttrs{adds ? "add" : "none"}));
  return finish(t, frontend::transpose(t, changed, frontend::inverse(perm)));
}

Status index_put(Translation& t) {
  Args a(t);
  const bool adds = a.flag("accumulate", false);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * values, a.tensor("values"));
  LAPIS_TRY(values, frontend::cast(t, values, x->dtype()));
  LAPIS_TRY(const std::vector<Value*> given, a.tensors("indices"));
  const bool is_one = values->type().is_static() && element_count(values->type().shape()) == 1;
  const MaskAlone by_mask = mask_alone(given);
  if (by_mask.mask && is_one) return fill_by_mask(t, x, by_mask, values, adds);
  LAPIS_TRY(const Indexed at, indexed_axes(t, given));
  return put(t, x, values, at, adds);
}

// ---- sizes as numbers -----------------------------------------------------------------------------------------------

Status size(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", 0);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * sizes, t.add(ops::ShapeOf, {x}));
  if (!a.has("dim")) return finish(t, sizes);
  return finish(t, t.add(ops::Gather, {sizes, frontend::scalar(t, static_cast<double>(dim), DType::Int64)}));
}

Status rank(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  if (!x->type().ranked()) {
    LAPIS_TRY(Value * sizes, t.add(ops::ShapeOf, {x}));
    return finish(t, t.add(ops::Size, {sizes}));
  }
  t.set_constant(0, Tensor::scalar<int64_t>(x->type().rank()));
  return ok();
}

// The number of the type of its elements.
Status type_number(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Value* x, self(a));
  const auto number = scalar_type_of(x->dtype());
  if (!number) return Translation::unsupported("the type of a tensor that PyTorch does not have");
  t.set_constant(0, Tensor::scalar<int64_t>(*number));
  return ok();
}

Status is_real(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Value* x, self(a));
  t.set_constant(0, Tensor::scalar(is_float(x->dtype())));
  return ok();
}

// Whether two tensors are the same in sizes and elements.
Status equal(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Pair p, pair(t, a));
  if (!p.a->type().is_static() || !p.b->type().is_static()) return Translation::unsupported("tensors of open sizes");
  if (p.a->type().shape() != p.b->type().shape()) {
    t.set_constant(0, Tensor::scalar(false));
    return ok();
  }
  LAPIS_TRY(Value * same, t.add(ops::Equal, {p.a, p.b}));
  LAPIS_TRY(same, frontend::cast(t, same, DType::Int32));
  LAPIS_TRY(same, frontend::reduce(t, ops::ReduceMin, same, {}, false));
  return finish(t, frontend::cast(t, same, DType::Bool));
}

Status numel(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  return finish(t, t.add(ops::Size, {x}));
}

// A tensor of one element as a number, and a number as a tensor.
Status item(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  return finish(t, frontend::reshape(t, x, Shape{}));
}

template <const OpDef& Op> Status arithmetic(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Pair p, pair(t, a, "a", "b"));
  return finish(t, t.add(Op, {p.a, p.b}));
}

Status quotient(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Pair p, pair(t, a, "a", "b"));
  return finish(t, floor_quotient(t, p));
}

Status differ(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Pair p, pair(t, a, "a", "b"));
  LAPIS_TRY(Value * equal, t.add(ops::Equal, {p.a, p.b}));
  return finish(t, t.add(ops::Not, {equal}));
}

Status true_quotient(Translation& t) {
  Args a(t);
  LAPIS_TRY(Pair p, pair(t, a, "a", "b"));
  LAPIS_TRY(p.a, frontend::cast(t, p.a, DType::Float32));
  LAPIS_TRY(p.b, frontend::cast(t, p.b, DType::Float32));
  return finish(t, t.add(ops::Div, {p.a, p.b}));
}

Status one_hot(Translation& t) {
  Args a(t);
  const int64_t classes = a.integer("num_classes", -1);
  LAPIS_CHECK(a.status());
  if (classes < 1) return Translation::unsupported("classes of open number");
  LAPIS_TRY(Value * x, self(a));
  Value* values = t.constant(Tensor::vector<int64_t>({0, 1}));
  return finish(t, t.add(ops::OneHot, {x, frontend::ints(t, {classes}), values}));
}

constexpr AtenRow kRows[] = {
    {"_operator.add", "a b", arithmetic<ops::Add>},
    {"_operator.eq", "a b", arithmetic<ops::Equal>},
    {"_operator.floordiv", "a b", quotient},
    {"_operator.ge", "a b", arithmetic<ops::GreaterOrEqual>},
    {"_operator.gt", "a b", arithmetic<ops::Greater>},
    {"_operator.le", "a b", arithmetic<ops::LessOrEqual>},
    {"_operator.lt", "a b", arithmetic<ops::Less>},
    {"_operator.mod", "a b", arithmetic<ops::Mod>},
    {"_operator.mul", "a b", arithmetic<ops::Mul>},
    {"_operator.ne", "a b", differ},
    {"_operator.sub", "a b", arithmetic<ops::Sub>},
    {"_operator.truediv", "a b", true_quotient},
    {"aten._local_scalar_dense", "self", item},
    {"aten._shape_as_tensor", "self", unary<ops::ShapeOf>},
    {"aten.dim", "self", rank},
    {"aten.equal", "self other", equal},
    {"aten.gather", "self dim index *sparse_grad", gather},
    {"aten.index", "self indices", index},
    {"aten.index_add", "self dim index source *alpha", index_add},
    {"aten.index_copy", "self dim index source", index_copy},
    {"aten.index_fill", "self dim index value", index_fill},
    {"aten.index_put", "self indices values accumulate", index_put},
    {"aten.index_select", "self dim index", index_select},
    {"aten.is_floating_point", "self", is_real},
    {"aten.item", "self", item},
    {"aten.numel", "self", numel},
    {"aten.one_hot", "self num_classes", one_hot},
    {"aten.size", "self dim", size},
    {"aten.sym_numel", "self", numel},
    {"aten.sym_size", "self dim", size},
    {"prim.dtype", "self", type_number},
    {"torch.sym_max", "a b", arithmetic<ops::Max>},
    {"torch.sym_min", "a b", arithmetic<ops::Min>},
};

}  // namespace

std::span<const AtenRow> indexing_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
