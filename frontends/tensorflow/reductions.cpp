// Operators that reduce axes or run along one.
#include "frontends/tensorflow/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::tensorflow_frontend {
namespace {

Status reduce(Translation& t, const OpDef& op) {
  LAPIS_TRY(std::vector<int64_t> axes, numbers(t, 1, "axes"));
  return frontend::reduce(t, op, std::move(axes), t.get<bool>("keep_dims", false));
}

// Of truth values, as numbers.
Status reduce_truth(Translation& t, const OpDef& op) {
  LAPIS_TRY(const std::vector<int64_t> axes, numbers(t, 1, "axes"));
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(x, frontend::cast(t, x, DType::Int32));
  const ops::ReduceAttrs attributes{.keepdims = t.get<bool>("keep_dims", false), .noop_with_empty_axes = true};
  LAPIS_TRY(Value * y, t.add(op, {x, ints(t, axes)}, attributes));
  LAPIS_TRY(y, frontend::cast(t, y, DType::Bool));
  return t.set(0, y, Layout::AsWritten);
}

// Where the channel goes, what is left of channels first stands as written.
Status position(Translation& t, const OpDef& op) {
  LAPIS_TRY(const int64_t rank, rank_of(t, 0));
  LAPIS_TRY(int64_t axis, number(t, 1, "axes"));
  LAPIS_TRY(axis, axis_of(axis, rank));
  const Layout layout = axis == rank - 1 ? frontend::plain_layout(t) : Layout::AsWritten;
  LAPIS_TRY(Value * x, t.real(0, layout));
  axis = frontend::axis_in(layout, axis, static_cast<size_t>(rank));
  LAPIS_TRY(Value * y, t.add(op, {x}, ops::ArgAttrs{.axis = axis, .keepdims = false}));
  LAPIS_TRY(y,
            frontend::cast(t, y, dtype_of_number(t.get<int64_t>("output_type", static_cast<int64_t>(DType::Int64)))));
  return t.set(0, y, Layout::AsWritten);
}

}  // namespace

Status all(Translation& t) { return reduce_truth(t, ops::ReduceMin); }
Status any(Translation& t) { return reduce_truth(t, ops::ReduceMax); }
Status arg_max(Translation& t) { return position(t, ops::ArgMax); }
Status arg_min(Translation& t) { return position(t, ops::ArgMin); }
Status euclidean_norm(Translation& t) { return reduce(t, ops::ReduceL2); }
Status max(Translation& t) { return reduce(t, ops::ReduceMax); }
Status mean(Translation& t) { return reduce(t, ops::ReduceMean); }
Status min(Translation& t) { return reduce(t, ops::ReduceMin); }
Status prod(Translation& t) { return reduce(t, ops::ReduceProd); }
Status sum(Translation& t) { return reduce(t, ops::ReduceSum); }

Status cumsum(Translation& t) {
  LAPIS_TRY(const int64_t axis, number(t, 1, "axes"));
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  const ops::CumSumAttrs attributes{.exclusive = t.get<bool>("exclusive", false),
                                    .reverse = t.get<bool>("reverse", false)};
  LAPIS_TRY(Value * y, t.add(ops::CumSum, {x, t.constant(Tensor::scalar(axis))}, attributes));
  return t.set(0, y, Layout::AsWritten);
}

// Of the last axis.
Status top_k(Translation& t) {
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * k, as_int64(t, 1));
  LAPIS_TRY(k, t.add(ops::Reshape, {k, ints(t, {1})}));
  const ops::TopKAttrs attributes{.sorted = t.get<bool>("sorted", true)};
  LAPIS_TRY(const std::vector<Value*> made, t.add_all(ops::TopK, {x, k}, encode_attributes(attributes), 2));
  LAPIS_CHECK(t.set(0, made[0], Layout::AsWritten));
  if (t.output_count() < 2) return ok();
  LAPIS_TRY(
      Value * indices,
      frontend::cast(t, made[1], dtype_of_number(t.get<int64_t>("index_type", static_cast<int64_t>(DType::Int32)))));
  return t.set(1, indices, Layout::AsWritten);
}

}  // namespace lapis::tensorflow_frontend
