// Operators that read or write where indices say.
#include "tests/random/graphs/propose.h"

namespace lapis::random_graphs {
namespace {

// Indices into an axis of `extent`, from either end; rarely one beyond it.
Value* draw_indices(Draft& d, const Shape& shape, int64_t extent, DType dtype) {
  Tensor t(dtype, shape);
  for (int64_t i = 0; i < t.size(); ++i) {
    const int64_t index = extent == 0 || d.random.chance(1) ? d.random.one_of({extent, -extent - 1, 0})
                                                            : d.random.between(-extent, extent - 1);
    if (dtype == DType::Int64)
      t.mutable_data<int64_t>()[static_cast<size_t>(i)] = index;
    else
      t.mutable_data<int32_t>()[static_cast<size_t>(i)] = static_cast<int32_t>(index);
  }
  return d.fresh(std::move(t));
}

DType index_type(Draft& d, const OpDef& op) { return draw_dtype(d.random, op.inputs[1].types & kIndices); }

size_t position(int64_t axis, int64_t rank) {
  return static_cast<size_t>(std::clamp<int64_t>(axis < 0 ? axis + rank : axis, 0, rank - 1));
}

std::optional<Proposal> propose_gather(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types, 1, 4);
  if (!x) return std::nullopt;
  const int64_t axis = draw_axis(d.random, x->type().rank());
  const int64_t extent = x->type().shape()[position(axis, x->type().rank())];
  const Shape shape = extent ? draw_shape(d.random, 0, 2) : Shape{0};
  return Proposal{{x, draw_indices(d, shape, extent, index_type(d, op))}, {{"axis", axis}}, 1};
}

// As the data but along the axis, where any size will do; no larger than the data elsewhere.
Shape indices_shape(Draft& d, const Shape& data, size_t axis) {
  Shape shape = data;
  for (size_t i = 0; i < shape.size(); ++i)
    if (d.random.chance(30)) shape[i] = d.random.between(std::min<int64_t>(1, shape[i]), shape[i]);
  if (data[axis] && d.random.chance(40)) shape[axis] = d.random.between(1, 4);
  return shape;
}

std::optional<Proposal> propose_gather_elements(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types, 1, 4);
  if (!x) return std::nullopt;
  const int64_t axis = draw_axis(d.random, x->type().rank());
  const size_t at = position(axis, x->type().rank());
  const Shape shape = indices_shape(d, x->type().shape(), at);
  return Proposal{{x, draw_indices(d, shape, x->type().shape()[at], index_type(d, op))}, {{"axis", axis}}, 1};
}

std::optional<Proposal> propose_scatter_elements(Draft& d, const OpDef& op) {
  auto p = propose_gather_elements(d, op);
  if (!p) return p;
  p->inputs.push_back(d.like(p->inputs[0]->dtype(), p->inputs[1]->type().shape()));
  if (d.random.chance(50))
    p->attributes["reduction"] = d.random.pick<std::string>({"none", "add", "mul", "min", "max"});
  return p;
}

// Index tuples of `depth` into the first axes behind the batch.
Value* draw_tuples(Draft& d, const Shape& data, const Shape& leading, size_t first, size_t depth) {
  Shape shape = leading;
  shape.push_back(static_cast<int64_t>(depth));
  Tensor t(DType::Int64, shape);
  const auto values = t.mutable_data<int64_t>();
  for (size_t i = 0; i < values.size(); ++i) {
    const int64_t extent = data[first + i % depth];
    values[i] = extent == 0 || d.random.chance(1) ? extent : d.random.between(-extent, extent - 1);
  }
  return d.fresh(std::move(t));
}

std::optional<Proposal> propose_gather_nd(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types, 1, 4);
  if (!x) return std::nullopt;
  const Shape& data = x->type().shape();
  const size_t batch = data.size() > 1 && d.random.chance(25) ? 1 : 0;
  const size_t depth = 1 + d.random.below(data.size() - batch);
  Shape leading(data.begin(), data.begin() + static_cast<int64_t>(batch));
  const Shape more = draw_shape(d.random, 0, 2);
  leading.insert(leading.end(), more.begin(), more.end());
  if (element_count(leading) > 512) return std::nullopt;
  Proposal p{{x, draw_tuples(d, data, leading, batch, depth)}, {}, 1};
  if (batch) p.attributes["batch_dims"] = static_cast<int64_t>(batch);
  return p;
}

std::optional<Proposal> propose_scatter_nd(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types, 1, 4);
  if (!x) return std::nullopt;
  const Shape& data = x->type().shape();
  const size_t depth = 1 + d.random.below(data.size());
  const Shape leading = {d.random.between(0, 4)};
  Shape updates = leading;
  updates.insert(updates.end(), data.begin() + static_cast<int64_t>(depth), data.end());
  Proposal p{{x, draw_tuples(d, data, leading, 0, depth), d.like(x->dtype(), updates)}, {}, 1};
  if (d.random.chance(50)) p.attributes["reduction"] = d.random.pick<std::string>({"none", "add", "mul", "min", "max"});
  return p;
}

std::optional<Proposal> propose_one_hot(Draft& d, const OpDef& op) {
  const DType index = draw_dtype(d.random, op.inputs[0].types), dtype = draw_dtype(d.random, op.inputs[2].types);
  const Shape shape = draw_shape(d.random, 0, 3);
  const DType depth = draw_dtype(d.random, d.random.chance(70) ? types(DType::Int64) : op.inputs[1].types);
  Proposal p{{d.like(index, shape), d.scalar(depth, static_cast<double>(d.random.between(0, 6)), d.random.chance(30)),
              d.fresh(dtype, {2})},
             {},
             1};
  if (d.random.chance(60)) p.attributes["axis"] = draw_axis(d.random, static_cast<int64_t>(shape.size()) + 1);
  return p;
}

std::optional<Proposal> propose_trilu(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types, 2, 4);
  if (!x) return std::nullopt;
  Proposal p{{x}, {}, 1};
  if (d.random.chance(60)) {
    const int64_t k = d.random.one_of({0, 1, -1, 2, -3, 100, -100, INT64_MAX, INT64_MIN});
    p.inputs.push_back(d.random.chance(80) ? d.constant(Tensor::scalar<int64_t>(k))
                                           : d.fresh(Tensor::scalar<int64_t>(k)));
  }
  if (d.random.chance(50)) p.attributes["upper"] = int64_t{0};
  return p;
}

std::optional<Proposal> propose_compress(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types, 1, 4);
  if (!x) return std::nullopt;
  Proposal p{{x}, {}, 1};
  int64_t extent = element_count(x->type().shape());
  if (d.random.chance(70)) {
    const int64_t axis = draw_axis(d.random, x->type().rank());
    extent = x->type().shape()[position(axis, x->type().rank())];
    p.attributes["axis"] = axis;
  }
  p.inputs.push_back(d.fresh(DType::Bool, {std::max<int64_t>(0, extent - d.random.between(0, 1))}));
  return p;
}

std::optional<Proposal> propose_suppression(Draft& d, const OpDef& op) {
  const std::vector<int64_t> sizes = draw_ints(d.random, 3, 0, 5);  // batches, classes, boxes
  Proposal p{{d.like(DType::Float32, {sizes[0], sizes[2], 4}), d.like(DType::Float32, sizes)}, {}, 1};
  p.inputs.push_back(d.scalar(DType::Int64, static_cast<double>(d.random.between(0, 4)), d.random.chance(50)));
  if (d.random.chance(70)) p.inputs.push_back(d.scalar(DType::Float32, 0.5, d.random.chance(50)));
  p.attributes = draw_attributes(d, op);
  return p;
}

}  // namespace

ProposerTable indexing_proposers() {
  return {{"Gather", propose_gather},
          {"GatherElements", propose_gather_elements},
          {"GatherND", propose_gather_nd},
          {"ScatterElements", propose_scatter_elements},
          {"ScatterND", propose_scatter_nd},
          {"OneHot", propose_one_hot},
          {"Trilu", propose_trilu},
          {"Compress", propose_compress},
          {"NonMaxSuppression", propose_suppression}};
}

}  // namespace lapis::random_graphs
