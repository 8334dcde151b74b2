// Pools over a sliding window.
#include <algorithm>
#include <limits>

#include "codegen/lower/loop_builder.h"
#include "codegen/lower/ops/families.h"
#include "codegen/lower/reducing.h"
#include "ir/ops/attributes.h"
#include "ir/ops/ops.h"
#include "ir/ops/window.h"

namespace lapis::codegen {
namespace {

using Over = Loop::Over;
using Reduce = Loop::Reduce;

// How many of `count` positions, `step` apart from `first` on, are in [lowest,
// limit). Windows may be longer than memory.
int64_t positions_within(int64_t lowest, int64_t limit, int64_t first, int64_t step, int64_t count) {
  const auto before = [&](int64_t bound) { return std::clamp<int64_t>((bound - first + step - 1) / step, 0, count); };
  return before(limit) - before(lowest);
}

// How many input elements each output of an AveragePool averages, as a constant along its spatial axes.
Tensor window_counts(const Node& node, const ops::Window& w) {
  const Shape in = node.input(0)->type().shape(), out = node.output()->type().shape();
  const bool include_pad = node.attrs<ops::AveragePoolAttrs>().count_include_pad;
  Shape shape(out.begin(), out.end());
  shape[0] = shape[1] = 1;
  Tensor counts(DType::Float32, shape);
  float* to = counts.mutable_data<float>().data();
  for_each_index(shape, [&](const Shape& at) {
    int64_t count = 1;
    for (size_t i = 0; i < w.rank(); ++i) {
      const int64_t lowest = include_pad ? -w.begins[i] : 0, limit = in[i + 2] + (include_pad ? w.ends[i] : 0);
      const int64_t first = at[i + 2] * w.strides[i] - w.begins[i];
      count *= positions_within(lowest, limit, first, w.dilations[i], w.kernel[i]);
    }
    *to++ = static_cast<float>(count);
  });
  return counts;
}

void pool(Lowering& l, const FusedRegion& region, Reduce kind) {
  const Node& node = *region.anchor;
  const Value* out = region.result();
  const Shape shape = node.output()->type().shape();
  const ops::Window w = ops::window_of(node);
  const View in = l.windowed_input(node.input(0), required_halo(node), node.input(0)->dtype(), false);
  Shape domain = shape;
  View window{in.buffer, in.dtype, {}, {in.strides[0], in.strides[1]}, in.offset};
  for (size_t i = 0; i < w.rank(); ++i) {
    window.strides.push_back(w.strides[i] * in.strides[i + 2]);
    window.offset -= w.begins[i] * in.strides[i + 2];
  }
  for (size_t i = 0; i < w.rank(); ++i) {
    domain.push_back(w.kernel[i]);
    window.strides.push_back(w.dilations[i] * in.strides[i + 2]);
  }
  Mapping rows{shape, {}};
  for (size_t i = 0; i < domain.size(); ++i) rows.axis.push_back(i < shape.size() ? static_cast<int64_t>(i) : -1);
  LoopBuilder b(l, out->name(), domain, static_cast<int>(w.rank()));
  const DType type = accumulator(in.dtype);
  const int total = b.reduce(kind, b.to(type, b.load_view(b.add_placed_view(window))));
  b.end_phase(Over::Inner);
  int result = b.reduced(total);
  if (kind == Reduce::Sum) {
    const View counts = l.constant(window_counts(node, w), out->name() + ".count");
    result = b.op(Op::Div, {result, b.to(type, b.load_view(b.add_view(counts, rows)))});
  }
  result = b.apply_chain(region, result, rows);
  b.store(b.add_view(l.allocate(out), rows), result);
  b.end_phase(Over::Row);
  l.emit(b.finish(), region, precision_of(out));
}

void max_pool(Lowering& l, const FusedRegion& region) { pool(l, region, Reduce::Max); }
void average_pool(Lowering& l, const FusedRegion& region) { pool(l, region, Reduce::Sum); }

Status values_only(const Node& node) {
  if (node.output(1)) return refuse("the second output (indices)");
  return ok();
}

double lowest(const Node& node) {
  const DType type = node.input(0)->dtype();
  return is_integer(type) ? static_cast<double>(integer_range(type).lowest) : -std::numeric_limits<double>::infinity();
}
double zero(const Node&) { return 0; }

}  // namespace

OpLowerings pooling_rows() {
  return {
      code_for(ops::MaxPool).loop(max_pool, values_only).window(lowest),
      code_for(ops::AveragePool).loop(average_pool, values_only).window(zero),
  };
}

}  // namespace lapis::codegen
