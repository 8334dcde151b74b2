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
  return finish(t, t.add(ops::Gather, {x, indices}, ops::AxisAttrs{dim}));
}

Status gather(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", 0);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * indices, a.tensor("index"));
  return finish(t, t.add(ops::GatherElements, {x, indices}, ops::AxisAttrs{dim}));
}

Status scatter_of(Translation& t, const char* reduction) {
  Args a(t);
  const int64_t dim = a.integer("dim", 0);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * indices, a.tensor("index"));
  Value* updates = nullptr;
  if (a.is_operand("src")) {
    LAPIS_TRY(updates, a.tensor("src"));
  } else {
    LAPIS_TRY(Value * value, a.number_or_tensor(a.has("value") ? "value" : "src", x->dtype()));
    LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {indices}));
    LAPIS_TRY(updates, t.add(ops::Expand, {value, shape}));
  }
  return finish(t, t.add(ops::ScatterElements, {x, indices, updates}, ops::ScatterElementsAttrs{dim, reduction}));
}
Status scatter(Translation& t) { return scatter_of(t, "none"); }
Status scatter_add(Translation& t) { return scatter_of(t, "add"); }

// x[:, i, j]: indices of neighbouring axes, which broadcast against each other. They stand where the first of them was.
struct Indexed {
  size_t first = 0;
  std::vector<Value*> indices;
};

Result<Indexed> indexed_axes(const std::vector<Value*>& given) {
  const auto is_index = [](const Value* v) { return v != nullptr; };
  const auto begin = std::find_if(given.begin(), given.end(), is_index);
  const auto end = std::find_if_not(begin, given.end(), is_index);
  if (begin == given.end()) return error(ErrorKind::Input, "has no indices");
  if (std::any_of(end, given.end(), is_index))
    return Translation::unsupported("indices of axes that are no neighbours");
  return Indexed{static_cast<size_t>(begin - given.begin()), {begin, end}};
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

// The axes from `first` on, `count` of them, in front of the others.
Axes moved_to_front(int64_t rank, int64_t first, int64_t count) {
  Axes perm;
  for (int64_t i = 0; i < count; ++i) perm.push_back(first + i);
  for (int64_t axis = 0; axis < rank; ++axis)
    if (axis < first || axis >= first + count) perm.push_back(axis);
  return perm;
}

// Several indices: their axes go to the front, and what is found goes back to where they were.
Result<Value*> gathered(Translation& t, Value* x, const Indexed& at) {
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  const auto first = static_cast<int64_t>(at.first), count = static_cast<int64_t>(at.indices.size());
  if (first + count > rank) return error(ErrorKind::Input, "has indices for more axes than the operand has");
  LAPIS_TRY(Value * turned, frontend::transpose(t, x, moved_to_front(rank, first, count)));
  LAPIS_TRY(Value * indices, joined_indices(t, at.indices));
  LAPIS_TRY(const int64_t index_rank, frontend::rank_of(indices));
  LAPIS_TRY(Value * found, t.add(ops::GatherND, {turned, indices}));
  return frontend::transpose(t, found, moved_to_front(index_rank - 1 + rank - count, index_rank - 1, first));
}

Status index(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(const std::vector<Value*> given, a.tensors("indices"));
  LAPIS_TRY(Indexed at, indexed_axes(given));
  for (Value*& index : at.indices) {
    if (index->dtype() == DType::Bool || index->dtype() == DType::UInt8)
      return Translation::unsupported("a mask as its index");
    LAPIS_TRY(index, frontend::cast(t, index, DType::Int64));
  }
  const ops::AxisAttrs axis{static_cast<int64_t>(at.first)};
  return finish(t, at.indices.size() == 1 ? t.add(ops::Gather, {x, at.indices[0]}, axis) : gathered(t, x, at));
}

// x[i, j] = values, x[i, j] += values; of the first axes.
Status index_put(Translation& t) {
  Args a(t);
  const bool adds = a.flag("accumulate", false);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, self(a));
  LAPIS_TRY(Value * values, a.tensor("values"));
  LAPIS_TRY(const std::vector<Value*> given, a.tensors("indices"));
  LAPIS_TRY(Indexed at, indexed_axes(given));
  if (at.first > 0) return Translation::unsupported("indices behind an axis without one");
  for (Value*& index : at.indices) {
    if (index->dtype() == DType::Bool || index->dtype() == DType::UInt8)
      return Translation::unsupported("a mask as its index");
    LAPIS_TRY(index, frontend::cast(t, index, DType::Int64));
  }
  LAPIS_TRY(Value * indices, joined_indices(t, at.indices));
  LAPIS_TRY(Value * like, t.add(ops::GatherND, {x, indices}));
  LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {like}));
  LAPIS_TRY(values, t.add(ops::Expand, {values, shape}));
  return finish(t, t.add(ops::ScatterND, {x, indices, values}, ops::ScatterNDAttrs{adds ? "add" : "none"}));
}

// ---- sizes as numbers --------------------------------------------------------------------------------------------------------------

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
    {"_operator.floordiv", "a b", arithmetic<ops::Div>},
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
    {"aten.dim", "self", rank},
    {"aten.gather", "self dim index *sparse_grad", gather},
    {"aten.index", "self indices", index},
    {"aten.index_put", "self indices values accumulate", index_put},
    {"aten.index_select", "self dim index", index_select},
    {"aten.item", "self", item},
    {"aten.numel", "self", numel},
    {"aten.one_hot", "self num_classes", one_hot},
    {"aten.scatter", "self dim index src", scatter},
    {"aten.scatter_add", "self dim index src", scatter_add},
    {"aten.size", "self dim", size},
    {"aten.sym_numel", "self", numel},
    {"aten.sym_size", "self dim", size},
    {"prim.dtype", "self", type_number},
};

}  // namespace

std::span<const AtenRow> indexing_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
