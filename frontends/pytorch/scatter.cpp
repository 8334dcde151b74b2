// scatter and what it reduces with: elements of a source to where an index says, along one axis.
#include <limits>

#include "frontends/common/formula.h"
#include "frontends/pytorch/translators.h"
#include "ir/ops/loops.h"

namespace lapis::pytorch_frontend {
namespace {

using frontend::Formula;

struct Reduction {
  std::string_view name;  // of PyTorch
  const char* onnx;
  double none, none_of_integers;  // what changes nothing
};
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kMost = 9.3e18;  // beyond all integers, to the largest or smallest of which it saturates
constexpr Reduction kReductions[] = {{"", "none", 0, 0},
                                     {"add", "add", 0, 0},
                                     {"sum", "add", 0, 0},
                                     {"mean", "add", 0, 0},
                                     {"multiply", "mul", 1, 1},
                                     {"prod", "mul", 1, 1},
                                     {"amax", "max", -kInfinity, -kMost},
                                     {"amin", "min", kInfinity, kMost}};

Result<const Reduction*> reduction_of(const std::string& name) {
  for (const Reduction& row : kReductions)
    if (row.name == name) return &row;
  return Translation::unsupported("reduce='" + name + "'");
}

// All of one rank; tensors without axes have got one.
struct Scattered {
  Value *x, *index, *source;
  int64_t dim;
  bool is_lined = false;
};

// Of a source with more elements those count that stand where the index has some.
Result<Value*> as_large_as(Translation& t, Value* source, Value* index) {
  const bool are_alike =
      source->type().is_static() && index->type().is_static() && source->type().shape() == index->type().shape();
  if (are_alike) return source;
  LAPIS_TRY(const int64_t rank, frontend::rank_of(source));
  if (rank == 0) return source;
  LAPIS_TRY(Value * ends, t.add(ops::ShapeOf, {index}));
  return t.add(ops::Slice, {source, frontend::ints(t, Shape(static_cast<size_t>(rank), 0)), ends});
}

Result<Value*> source_of(Translation& t, Args& a, const Value* x, Value* index) {
  if (a.is_operand("src")) {
    LAPIS_TRY(Value * source, a.tensor("src"));
    return as_large_as(t, source, index);
  }
  LAPIS_TRY(Value * value, a.number_or_tensor(a.has("value") ? "value" : "src", x->dtype()));
  LAPIS_TRY(value, frontend::cast(t, value, x->dtype()));
  LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {index}));
  return t.add(ops::Expand, {value, shape});
}

Result<Scattered> scattered(Translation& t, Args& a) {
  Scattered s{};
  s.dim = a.integer("dim", 0);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(s.x, self(a));
  LAPIS_TRY(s.index, a.tensor("index"));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(s.x));
  LAPIS_TRY(const int64_t index_rank, frontend::rank_of(s.index));
  s.is_lined = rank == 0;
  if (index_rank == 0) {
    LAPIS_TRY(s.index, frontend::reshape(t, s.index, {1}));
  }
  LAPIS_TRY(s.source, source_of(t, a, s.x, s.index));
  LAPIS_TRY(const int64_t source_rank, frontend::rank_of(s.source));
  for (Value** operand : {&s.x, &s.source}) {
    if ((operand == &s.x ? rank : source_rank) > 0) continue;
    LAPIS_TRY(*operand, frontend::reshape(t, *operand, {1}));
  }
  return s;
}

Value* scatter_into(Formula& f, const Scattered& s, Value* x, Value* source, const char* reduction) {
  return f.op(ops::ScatterElements, {x, s.index, source}, ops::ScatterElementsAttrs{s.dim, reduction});
}

Value* like(Formula& f, Value* shape_of, double number, DType dtype) {
  return f.op(ops::Expand, {f.number(number, dtype), f.op(ops::ShapeOf, {shape_of})});
}

// What the reduction begins with: what is there, or what changes nothing where something comes.
Value* beginning(Formula& f, const Scattered& s, const Reduction& r, bool takes_self) {
  if (takes_self) return s.x;
  const DType type = s.x->dtype();
  return scatter_into(f, s, s.x, like(f, s.source, is_float(type) ? r.none : r.none_of_integers, type), "none");
}

// By how many came together; of integers rounded down.
Result<Value*> mean_of(Translation& t, Formula& f, const Scattered& s, Value* sum, bool takes_self) {
  const DType type = sum->dtype();
  Value* ones = like(f, s.source, 1, type);
  Value* count = scatter_into(f, s, like(f, s.x, takes_self ? 1 : 0, type), ones, "add");
  count = f.max({count, f.number(1, type)});
  LAPIS_CHECK(f.status());
  return is_float(type) ? t.add(ops::Div, {sum, count}) : floor_quotient(t, {sum, count});
}

Status finish_scattered(Translation& t, const Scattered& s, Value* y) {
  return finish(t, s.is_lined ? t.add(ops::Reshape, {y, frontend::ints(t, {})}) : Result<Value*>(y));
}

Status scatter_by(Translation& t, Args& a, const std::string& name, bool takes_self) {
  Formula f(t);
  LAPIS_TRY(const Reduction* reduction, reduction_of(name));
  LAPIS_TRY(const Scattered s, scattered(t, a));
  Value* y = scatter_into(f, s, beginning(f, s, *reduction, takes_self), s.source, reduction->onnx);
  LAPIS_CHECK(f.status());
  if (name == "mean") {
    LAPIS_TRY(y, mean_of(t, f, s, y, takes_self));
  }
  return finish_scattered(t, s, y);
}

Status scatter(Translation& t) {
  Args a(t);
  const std::string name = a.word("reduce", "");
  LAPIS_CHECK(a.status());
  return scatter_by(t, a, name, true);
}

Status scatter_add(Translation& t) {
  Args a(t);
  return scatter_by(t, a, "add", true);
}

Status scatter_reduce(Translation& t) {
  Args a(t);
  const std::string name = a.word("reduce", "sum");
  const bool takes_self = a.flag("include_self", true);
  LAPIS_CHECK(a.status());
  return scatter_by(t, a, name, takes_self);
}

constexpr AtenRow kRows[] = {
    {"aten.scatter", "self dim index src *reduce", scatter},
    {"aten.scatter_add", "self dim index src", scatter_add},
    {"aten.scatter_reduce", "self dim index src reduce *include_self", scatter_reduce},
};

}  // namespace

std::span<const AtenRow> scatter_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
