// Operators that write updates into a copy of the data: ScatterElements, ScatterND.
#include <algorithm>
#include <functional>

#include "ir/ops/data_attributes.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/indexing.h"
#include "ir/ops/ops.h"

namespace lapis::ops {
namespace {

template <class T> T reduced(const std::string& reduction, T a, T b) {
  if (reduction == "add") return wrapping(std::plus<>(), a, b);
  if (reduction == "mul") return wrapping(std::multiplies<>(), a, b);
  return reduction == "min" ? min_of(a, b) : max_of(a, b);
}

// Updates of one position apply in their order.
void reduce_into(Tensor& result, const Tensor& updates, const std::vector<int64_t>& targets,
                 const std::string& reduction) {
  visit_types<kNumbers>(result.dtype(), [&]<class T>(T) {
    const auto from = updates.data<T>();
    const auto to = result.mutable_data<T>();
    for (size_t i = 0; i < targets.size(); ++i) {
      T& element = to[static_cast<size_t>(targets[i])];
      element = store<T>(reduced(reduction, load(element), load(from[i])));
    }
  });
}

// Data and updates behind each other are one source; each element comes from its last update, or from the data.
Tensor replace_in(const Tensor& data, const Tensor& updates, const std::vector<int64_t>& targets) {
  std::vector<int64_t> index = arithmetic_sequence(0, 1, data.size());
  for (size_t i = 0; i < targets.size(); ++i)
    index[static_cast<size_t>(targets[i])] = data.size() + static_cast<int64_t>(i);
  return pick(concat({data.reshaped({data.size()}), updates.reshaped({updates.size()})}, 0), data.shape(),
              std::move(index));
}

void scatter(EvalContext& c, const std::vector<int64_t>& targets, const std::string& reduction) {
  if (reduction == "none") return c.set_out(0, replace_in(c.in(0), c.in(2), targets));
  Tensor result = c.in(0);
  reduce_into(result, c.in(2), targets, reduction);
  c.set_out(0, std::move(result));
}

Status check_reduction(const InferContext& c, const std::string& reduction) {
  const DType dtype = c.in(0).dtype;

  if (reduction == "none") return ok();
  if (reduction != "add" && reduction != "mul" && reduction != "min" && reduction != "max")
    return c.error("reduction is '" + reduction + "', allowed are none, add, mul, min and max");
  if (!allows(kNumbers, dtype))
    return c.error("reduction '" + reduction + "' needs numbers, not " + c.in(0).to_string());
  return ok();
}

Result<Types> infer_scatter_elements(const InferContext& c) {
  LAPIS_CHECK(check_reduction(c, c.attrs<ScatterElementsAttrs>().reduction));
  if (c.in(0).ranked())
    LAPIS_CHECK(status_of(c.axis(c.attrs<ScatterElementsAttrs>().axis, c.in(0).rank()).diagnostics()));
  return Types{c.in(0)};
}

Result<Types> infer_scatter_nd(const InferContext& c) {
  LAPIS_CHECK(check_reduction(c, c.attrs<ScatterNDAttrs>().reduction));
  return Types{c.in(0)};
}

Status check_updates(const EvalContext& c, const lapis::Shape& wanted) {
  if (c.in(2).shape() != wanted)
    return c.error("updates have shape " + to_string(c.in(2).shape()) + ", needed is " + to_string(wanted));
  return ok();
}

Status evaluate_scatter_elements(EvalContext& c) {
  const auto a = c.attrs<ScatterElementsAttrs>();
  LAPIS_CHECK(check_updates(c, c.in(1).shape()));
  LAPIS_TRY(const std::vector<int64_t> targets, element_positions(c, c.in(0).shape(), c.in(1), a.axis));
  scatter(c, targets, a.reduction);
  return ok();
}

Status evaluate_scatter_nd(EvalContext& c) {
  LAPIS_TRY(const Targets targets, slice_positions(c, c.in(0).shape(), c.in(1), 0));
  LAPIS_CHECK(check_updates(c, targets.shape));
  scatter(c, targets.positions, c.attrs<ScatterNDAttrs>().reduction);
  return ok();
}

OpBuilder row(std::string_view name, std::string_view doc, TypeSet indices) {
  return op(name)
      .since(18)
      .doc(doc)
      .in("data", kTensors, "T")
      .in("indices", indices)
      .in("updates", kTensors, "T")
      .out("output", kTensors)
      .traits(Trait::Pure);
}

}  // namespace

const OpDef ScatterElements =
    row("ScatterElements", "The data with single elements replaced or reduced where the indices say.", kIndices)
        .attrs<ScatterElementsAttrs>()
        .infer(infer_scatter_elements)
        .evaluate(evaluate_scatter_elements);
const OpDef ScatterND =
    row("ScatterND", "The data with slices replaced or reduced that the last axis of the indices addresses.",
        types(DType::Int64))
        .attrs<ScatterNDAttrs>()
        .infer(infer_scatter_nd)
        .evaluate(evaluate_scatter_nd);

}  // namespace lapis::ops
