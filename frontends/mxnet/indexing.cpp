// Operators that select by indices, which MXNet keeps as floats, and those that make values from nothing.
#include <cmath>

#include "frontends/mxnet/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/loops.h"

namespace lapis::mxnet_frontend {
namespace {

Status arg(Translation& t, const OpDef& op) {
  Options o(t);
  const bool has_axis = o.has("axis"), keepdims = o.flag("keepdims", false);
  const int64_t axis = o.integer("axis", 0);
  LAPIS_CHECK(o.status());
  LAPIS_TRY(Value * x, operand(t));
  if (!has_axis) {
    LAPIS_TRY(x, frontend::reshape(t, x, {-1}));
  }
  LAPIS_TRY(Value * index, t.add(op, {x}, ops::ArgAttrs{axis, keepdims, false}));
  LAPIS_TRY(index, frontend::cast(t, index, DType::Float32));
  return finish(t, has_axis ? Result<Value*>(index) : frontend::reshape(t, index, {1}));
}

Status filled(Translation& t, double value) {
  Options o(t);
  const std::vector<int64_t> shape = o.list("shape");
  const std::string name = o.word("dtype", "float32");
  LAPIS_CHECK(o.status());
  LAPIS_TRY(const DType dtype, type_named(name));
  return finish(t, t.add(ops::Expand, {frontend::scalar(t, value, dtype), frontend::ints(t, shape)}));
}

// Indices as floats, or the values, or both.
Status set_topk(Translation& t, const std::vector<Value*>& values_and_indices, const std::string& wanted, DType dtype) {
  LAPIS_TRY(Value * indices, frontend::cast(t, values_and_indices[1], dtype));
  if (wanted == "indices") return frontend::result(t, 0, indices);
  LAPIS_CHECK(frontend::result(t, 0, values_and_indices[0]));
  return wanted == "both" && t.node().outputs.size() > 1 ? frontend::result(t, 1, indices) : ok();
}

}  // namespace

Status argmax(Translation& t) { return arg(t, ops::ArgMax); }
Status argmin(Translation& t) { return arg(t, ops::ArgMin); }
Status zeros(Translation& t) { return filled(t, 0); }
Status ones(Translation& t) { return filled(t, 1); }

Status embedding(Translation& t) {
  LAPIS_TRY(Value * indices, as_indices(t, 0));
  LAPIS_TRY(Value * table, operand(t, 1));
  return finish(t, t.add(ops::Gather, {table, indices}));
}

Status take(Translation& t) {
  Options o(t);
  const int64_t axis = o.integer("axis", 0);
  const std::string mode = o.word("mode", "clip");
  LAPIS_CHECK(o.status());
  LAPIS_TRY(Value * x, operand(t, 0));
  LAPIS_TRY(Value * indices, as_indices(t, 1));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(const int64_t from_front, frontend::axis_of(axis, rank));
  const Dim& size = x->type().dim(from_front);
  if (mode != "clip" || !size.is_constant())
    return Translation::unsupported("the mode '" + mode + "', or an axis of open size");
  Value* last = frontend::scalar(t, static_cast<double>(size.value() - 1), DType::Int64);
  LAPIS_TRY(indices, t.add(ops::Clip, {indices, frontend::scalar(t, 0, DType::Int64), last}));
  return finish(t, t.add(ops::Gather, {x, indices}, ops::AxisAttrs{from_front}));
}

Status one_hot(Translation& t) {
  Options o(t);
  const int64_t depth = o.integer("depth", 0);
  const double on = o.number("on_value", 1), off = o.number("off_value", 0);
  const std::string name = o.word("dtype", "float32");
  LAPIS_CHECK(o.status());
  LAPIS_TRY(const DType dtype, type_named(name));
  LAPIS_TRY(Value * indices, as_indices(t, 0));
  Value* values = t.constant(ops::from_doubles(dtype, {2}, {off, on}));
  return finish(t, t.add(ops::OneHot, {indices, frontend::ints(t, {depth}), values}));
}

Status topk(Translation& t) {
  Options o(t);
  const int64_t axis = o.integer("axis", -1), count = o.integer("k", 1);
  const std::string wanted = o.word("ret_typ", "indices"), name = o.word("dtype", "float32");
  const bool smallest = o.flag("is_ascend", false);
  LAPIS_CHECK(o.status());
  if (wanted == "mask") return Translation::unsupported("a mask as its result");
  LAPIS_TRY(const DType dtype, type_named(name));
  LAPIS_TRY(Value * x, operand(t));
  LAPIS_TRY(const std::vector<Value*> found, t.add_all(ops::TopK, {x, frontend::ints(t, {count})},
                                                       encode_attributes(ops::TopKAttrs{axis, !smallest, true}), 2));
  return set_topk(t, found, wanted, dtype);
}

Status arange(Translation& t) {
  Options o(t);
  const double start = o.number("start", 0), stop = o.number("stop", NAN), step = o.number("step", 1);
  const int64_t repeat = o.integer("repeat", 1);
  const std::string name = o.word("dtype", "float32");
  LAPIS_CHECK(o.status());
  if (repeat != 1) return Translation::unsupported("numbers that are repeated");
  LAPIS_TRY(const DType dtype, type_named(name));
  const double from = std::isnan(stop) ? 0 : start, to = std::isnan(stop) ? start : stop;
  return finish(t, t.add(ops::Range, {frontend::scalar(t, from, dtype), frontend::scalar(t, to, dtype),
                                      frontend::scalar(t, step, dtype)}));
}

}  // namespace lapis::mxnet_frontend
