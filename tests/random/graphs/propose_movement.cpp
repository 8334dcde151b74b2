// Operators that move elements: operands are one tensor and parameters that say where to.
#include <algorithm>
#include <numeric>

#include "ir/ops/ops.h"
#include "tests/random/graphs/propose.h"

namespace lapis::random_graphs {
namespace {

using Ints = std::vector<int64_t>;

Ints draw_permutation(Random& random, size_t rank) {
  Ints perm(rank);
  std::iota(perm.begin(), perm.end(), 0);
  for (size_t i = rank; i > 1; --i) std::swap(perm[i - 1], perm[random.below(i)]);
  return perm;
}

// Some of the axes in any order, none twice, counted from either end.
Ints draw_axes(Random& random, int64_t rank) {
  Ints axes = draw_permutation(random, static_cast<size_t>(rank));
  axes.resize(rank ? 1 + random.below(static_cast<size_t>(rank)) : 0);
  for (int64_t& axis : axes)
    if (random.chance(25)) axis -= rank;
  return axes;
}

int64_t extent_of(const Value* x, int64_t axis) {
  const Shape& shape = x->type().shape();
  return shape[static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(shape.size()) : axis)];
}

std::optional<Proposal> propose_transpose(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types);
  if (!x) return std::nullopt;
  Proposal p{{x}, {}, 1};
  if (d.random.chance(85)) p.attributes["perm"] = draw_permutation(d.random, static_cast<size_t>(x->type().rank()));
  return p;
}

// The target as Reshape takes it: a -1 or a 0 where that says the same.
Proposal reshape_proposal(Draft& d, Value* x, const Shape& shape) {
  Ints target = shape;
  const bool empty = element_count(shape) == 0;
  for (size_t i = 0; i < target.size() && !empty; ++i)
    if (i < x->type().shape().size() && target[i] == x->type().shape()[i] && d.random.chance(20)) target[i] = 0;
  if (!target.empty() && !empty && d.random.chance(40)) target[d.random.below(target.size())] = -1;
  Proposal p{{x, d.ints(target)}, {}, 1};
  if (empty || (d.random.chance(5) && std::count(target.begin(), target.end(), 0) == 0))
    p.attributes["allowzero"] = int64_t{1};
  return p;
}

std::optional<Proposal> propose_reshape(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types);
  if (!x) return std::nullopt;
  return reshape_proposal(d, x, draw_refactored(d.random, x->type().shape()));
}

std::optional<Proposal> propose_flatten(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types);
  if (!x) return std::nullopt;
  return Proposal{{x}, {{"axis", d.random.between(-x->type().rank(), x->type().rank())}}, 1};
}

std::optional<Proposal> propose_squeeze(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types);
  if (!x) return std::nullopt;
  Ints ones;
  for (int64_t axis = 0; axis < x->type().rank(); ++axis)
    if (extent_of(x, axis) == 1 && d.random.chance(70))
      ones.push_back(d.random.chance(70) ? axis : axis - x->type().rank());
  Proposal p{{x}, {}, 1};
  if (d.random.chance(70)) p.inputs.push_back(d.ints(ones));
  return p;
}

std::optional<Proposal> propose_unsqueeze(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types);
  if (!x) return std::nullopt;
  const int64_t more = d.random.between(1, 2);
  Ints axes = draw_axes(d.random, x->type().rank() + more);
  axes.resize(std::min<size_t>(axes.size(), static_cast<size_t>(more)));
  return Proposal{{x, d.ints(axes)}, {}, 1};
}

std::optional<Proposal> propose_concat(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types, 1, 5);
  if (!x) return std::nullopt;
  const int64_t axis = draw_axis(d.random, x->type().rank());
  Proposal p{{x}, {{"axis", axis}}, 1};
  for (int64_t more = d.random.between(0, 3); more > 0; --more) {
    Shape shape = x->type().shape();
    const int64_t at = axis < 0 ? axis + x->type().rank() : axis;
    if (at >= 0 && at < x->type().rank() && d.random.chance(50)) shape[static_cast<size_t>(at)] = draw_size(d.random);
    if (element_count(shape) > 2048) break;
    p.inputs.push_back(d.random.chance(20) ? x : d.like(x->dtype(), shape));
  }
  if (d.random.chance(40)) std::swap(p.inputs.front(), p.inputs.back());
  return p;
}

std::optional<Proposal> propose_split(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types, 1, 5);
  if (!x) return std::nullopt;
  const int64_t axis = d.random.between(-x->type().rank(), x->type().rank() - 1), extent = extent_of(x, axis);
  Proposal p{{x}, {{"axis", axis}}, static_cast<size_t>(d.random.between(1, 4))};
  if (d.random.chance(50)) {
    p.attributes["num_outputs"] = static_cast<int64_t>(p.outputs);
    return p;
  }
  Ints sizes(p.outputs, 0);
  for (int64_t i = 0; i < extent; ++i) ++sizes[d.random.below(sizes.size())];
  p.inputs.push_back(d.ints(sizes));
  return p;
}

int64_t draw_bound(Random& random, int64_t extent) {
  if (random.chance(8)) return random.one_of({INT64_MAX, INT64_MIN, INT32_MAX, -extent - 3, extent + 5});
  return random.between(-extent, extent);
}

std::optional<Proposal> propose_slice(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types, 1, 5);
  if (!x) return std::nullopt;
  const bool all = d.random.chance(20);
  const Ints axes = all ? Ints(static_cast<size_t>(x->type().rank())) : draw_axes(d.random, x->type().rank());
  Ints starts, ends, steps;
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t extent = extent_of(x, all ? static_cast<int64_t>(i) : axes[i]);
    steps.push_back(d.random.one_of(
        {1, 1, 1, 1, 2, 3, -1, -2, d.random.chance(5) ? INT64_MAX : 1, d.random.chance(5) ? INT64_MIN : 1}));
    starts.push_back(draw_bound(d.random, extent));
    ends.push_back(draw_bound(d.random, extent));
  }
  const DType dtype = d.random.chance(80) ? DType::Int64 : DType::Int32;
  const auto clamp32 = [&](Ints v) {
    if (dtype == DType::Int32)
      for (int64_t& i : v) i = std::clamp<int64_t>(i, INT32_MIN, INT32_MAX);
    return v;
  };
  Proposal p{{x, d.ints(clamp32(starts), dtype), d.ints(clamp32(ends), dtype)}, {}, 1};
  p.inputs.push_back(all ? nullptr : d.ints(axes, dtype));
  if (d.random.chance(60)) p.inputs.push_back(d.ints(clamp32(steps), dtype));
  return p;
}

std::optional<Proposal> propose_pad(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types & ~types(DType::String));
  if (!x) return std::nullopt;
  const bool some_axes = d.random.chance(25);
  const Ints axes = some_axes ? draw_axes(d.random, x->type().rank()) : Ints();
  const size_t count = some_axes ? axes.size() : static_cast<size_t>(x->type().rank());
  Ints pads = draw_ints(d.random, 2 * count, 0, 2);
  if (!pads.empty() && d.random.chance(20)) pads[d.random.below(pads.size())] = d.random.one_of({-1, -2, 3, 7, -9});
  Proposal p{{x, d.ints(pads)}, {}, 1};
  const bool value = d.random.chance(50);
  p.inputs.push_back(value ? d.fresh(x->dtype(), {}) : nullptr);
  p.inputs.push_back(some_axes ? d.ints(axes) : nullptr);
  if (d.random.chance(40)) p.attributes["mode"] = d.random.pick<std::string>({"constant", "reflect", "edge", "wrap"});
  return p;
}

std::optional<Proposal> propose_tile(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types, 0, 4);
  if (!x) return std::nullopt;
  Ints repeats = draw_ints(d.random, static_cast<size_t>(x->type().rank()), 1, 3);
  if (!repeats.empty() && d.random.chance(5)) repeats[0] = 0;
  return Proposal{{x, d.ints(repeats)}, {}, 1};
}

std::optional<Proposal> propose_expand(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types, 0, 4);
  if (!x) return std::nullopt;
  Ints target = x->type().shape();
  for (int64_t& extent : target)
    if (extent == 1 && d.random.chance(60))
      extent = draw_size(d.random);
    else if (d.random.chance(20))
      extent = 1;
  for (int64_t more = d.random.one_of({0, 0, 1, 2}); more > 0; --more)
    target.insert(target.begin(), d.random.between(1, 3));
  return Proposal{{x, d.ints(target)}, {}, 1};
}

std::optional<Proposal> propose_blocks(Draft& d, const OpDef& op) {
  const bool to_space = op.name == "DepthToSpace";
  const int64_t block = d.random.between(1, 3), c = d.random.between(1, 3), h = d.random.between(1, 3),
                w = d.random.between(1, 4);
  const Shape shape =
      to_space ? Shape{d.random.between(1, 2), c * block * block, h, w} : Shape{1, c, h * block, w * block};
  const DType dtype = draw_dtype(d.random, op.inputs[0].types & ~types(DType::String));
  Proposal p{{d.like(dtype, shape)}, {{"blocksize", block}}, 1};
  if (to_space && d.random.chance(50)) p.attributes["mode"] = std::string("CRD");
  return p;
}

std::optional<Proposal> propose_shape(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types);
  if (!x) return std::nullopt;
  Proposal p{{x}, {}, 1};
  for (const char* bound : {"start", "end"})
    if (op.attribute(bound) && d.random.chance(30)) p.attributes[bound] = draw_bound(d.random, x->type().rank());
  return p;
}

std::optional<Proposal> propose_constant(Draft& d, const OpDef&) {
  const DType dtype = draw_dtype(d.random, kNumbers | types(DType::Bool));
  return Proposal{{}, {{"value", draw_tensor(d.random, dtype, draw_shape(d.random, 0, 3), d.mood)}}, 1};
}

std::optional<Proposal> propose_constant_of_shape(Draft& d, const OpDef&) {
  Proposal p{{d.ints(draw_shape(d.random, 0, 4))}, {}, 1};
  const DType dtype = draw_dtype(d.random, kNumbers | types(DType::Bool));
  if (d.random.chance(80)) p.attributes["value"] = draw_tensor(d.random, dtype, {1}, d.mood);
  return p;
}

std::optional<Proposal> propose_eye(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types, 2, 2);
  if (!x) return std::nullopt;
  Proposal p{{x}, {}, 1};
  if (d.random.chance(40)) p.attributes["k"] = d.random.one_of({0, 1, -1, 2, 100, INT64_MIN, INT64_MAX});
  if (d.random.chance(40)) p.attributes["dtype"] = static_cast<int64_t>(draw_dtype(d.random, op.outputs[0].types));
  return p;
}

std::optional<Proposal> propose_range(Draft& d, const OpDef& op) {
  const DType dtype = draw_dtype(d.random, op.inputs[0].types);
  const double step = static_cast<double>(d.random.one_of({1, 1, 2, 3, -1, -2}));
  const auto start = static_cast<double>(d.random.between(-5, 5)), limit = static_cast<double>(d.random.between(-9, 9));
  return Proposal{{d.scalar(dtype, start), d.scalar(dtype, limit), d.scalar(dtype, step)}, {}, 1};
}

std::optional<Proposal> propose_resize(Draft& d, const OpDef& op) {
  Random& random = d.random;
  Value* x = d.some(op.inputs[0].types & ~types(DType::String), 1, 5);
  if (!x) return std::nullopt;
  Proposal p{{x, nullptr, nullptr, nullptr}, {}, 1};
  const auto rank = static_cast<size_t>(x->type().rank());
  const bool plain = rank < 3 || random.chance(30);  // else the first two axes stay
  if (random.chance(50)) {
    Tensor scales(DType::Float32, {static_cast<int64_t>(rank)});
    for (size_t i = 0; i < rank; ++i)
      scales.mutable_data<float>()[i] = i < 2 && !plain ? 1 : random.pick<float>({1, 2, 0.5f, 1.5f, 3, 0.3f, 1.1f});
    p.inputs[2] = d.constant(std::move(scales));
  } else {
    Ints sizes = x->type().shape();
    for (size_t i = plain ? 0 : 2; i < rank; ++i) sizes[i] = random.between(1, 7);
    p.inputs[3] = d.ints(sizes);
  }
  p.attributes = draw_attributes(d, op);
  const std::string mode = random.pick<std::string>({"nearest", "nearest", "linear", "cubic"});
  p.attributes["mode"] = allows(kNumbers, x->dtype()) ? mode : "nearest";
  return p;
}

}  // namespace

Value* propose_view(Draft& draft, Value* value) {
  const int64_t rank = value->type().rank();
  const Shape shape = value->type().shape();
  Random& random = draft.random;
  Node* node = nullptr;
  switch (random.between(0, 5)) {
    case 0:
      node = draft.apply(ops::Transpose, {{value}, {{"perm", draw_permutation(random, static_cast<size_t>(rank))}}, 1});
      break;
    case 1: return reshape_to(draft, value, draw_refactored(random, shape));
    case 2: {
      Shape smaller = shape;
      for (int64_t& extent : smaller)
        extent = random.chance(60) ? extent : random.between(std::min<int64_t>(extent, 1), extent);
      return slice_to(draft, value, smaller);
    }
    case 3:
      if (value->dtype() != DType::String)
        node =
            draft.apply(ops::Pad, {{value, draft.ints(draw_ints(random, static_cast<size_t>(2 * rank), 0, 1))}, {}, 1});
      break;
    case 4:
      if (rank) node = draft.apply(ops::Concat, {{value, value}, {{"axis", random.between(0, rank - 1)}}, 1});
      break;
    default: {
      Ints target = shape;
      target.insert(target.begin(), random.between(1, 2));
      if (rank < 5) node = draft.apply(ops::Expand, {{value, draft.ints(target)}, {}, 1});
    }
  }
  return node && node->output()->type().is_static() ? node->output() : nullptr;
}

Value* reshape_to(Draft& draft, Value* value, const Shape& shape) {
  const Node* node = draft.apply(ops::Reshape, reshape_proposal(draft, value, shape));
  return node && node->output()->type().static_shape() == shape ? node->output() : nullptr;
}

Value* slice_to(Draft& draft, Value* value, const Shape& shape) {
  const Shape& from = value->type().shape();
  Ints starts, ends, axes;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (from[i] < shape[i]) return nullptr;
    if (from[i] == shape[i] && draft.random.chance(80)) continue;
    starts.push_back(draft.random.between(0, from[i] - shape[i]));
    ends.push_back(starts.back() + shape[i]);
    axes.push_back(static_cast<int64_t>(i));
  }
  if (axes.empty()) return value;
  const Node* node = draft.apply(ops::Slice, {{value, draft.ints(starts), draft.ints(ends), draft.ints(axes)}, {}, 1});
  return node && node->output()->type().static_shape() == shape ? node->output() : nullptr;
}

ProposerTable movement_proposers() {
  return {{"Transpose", propose_transpose},
          {"Reshape", propose_reshape},
          {"Flatten", propose_flatten},
          {"Squeeze", propose_squeeze},
          {"Unsqueeze", propose_unsqueeze},
          {"Concat", propose_concat},
          {"Split", propose_split},
          {"Slice", propose_slice},
          {"Pad", propose_pad},
          {"Tile", propose_tile},
          {"Expand", propose_expand},
          {"DepthToSpace", propose_blocks},
          {"SpaceToDepth", propose_blocks},
          {"Shape", propose_shape},
          {"Size", propose_shape},
          {"Constant", propose_constant},
          {"ConstantOfShape", propose_constant_of_shape},
          {"EyeLike", propose_eye},
          {"Range", propose_range},
          {"Resize", propose_resize}};
}

}  // namespace lapis::random_graphs
