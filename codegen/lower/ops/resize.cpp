// Resize: from the tables of ir/ops/resampling.h. Where the nearest elements lie in regular steps it is a copy between
// views; else loops look offsets and weights up and add in the order of the reference, in double: the same bits.
#include <algorithm>
#include <limits>

#include "codegen/lower/loop_builder.h"
#include "codegen/lower/ops/families.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"
#include "ir/ops/resampling.h"

namespace lapis::codegen {
namespace {

using ops::ResampledAxis;
using Axes = std::vector<ResampledAxis>;

constexpr int64_t kMostTaps = 16;  // gathered in one loop body

Axes axes_of(const Node& node) {
  const auto a = node.attrs<ops::ResizeAttrs>();
  const auto tensor = [&](size_t i) {
    const Value* v = node.input(i);
    return v && v->is_constant() && v->constant().size() > 0 ? &v->constant() : nullptr;
  };
  const ops::ResizeOperands operands{crops(a) ? tensor(1) : nullptr, tensor(2), tensor(3)};
  return resampled_axes(a, resized_axes(a, node.input(0)->type().shape(), operands));
}

// ---- nearest, in steps --------------------------------------------------------------------------------------------

// Runs of `repeat` outputs take every step-th element from `start` on.
struct Steps {
  int64_t start = 0, step = 0, repeat = 1;
};

std::optional<Steps> steps_of(const ResampledAxis& a) {
  if (a.out == 0 || !a.weights.empty() || !a.outside.empty()) return std::nullopt;
  const auto begin = a.elements.begin(),
             other = std::find_if(begin, a.elements.end(), [&](int64_t e) { return e != *begin; });
  Steps s{*begin, 0, other - begin};
  if (a.out % s.repeat != 0) return std::nullopt;
  if (other != a.elements.end()) s.step = *other - *begin;
  for (int64_t i = 0; i < a.out; ++i)
    if (begin[i] != s.start + i / s.repeat * s.step) return std::nullopt;
  return s;
}

// Each axis is two loops: steps outside, repeats inside.
void step(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  const View from = l.view_of(node.input(0)), out = l.allocate(node.output());
  std::vector<Steps> steps;
  for (const int64_t extent : out.shape) steps.push_back({0, extent > 1 ? 1 : 0, 1});
  for (const ResampledAxis& a : axes_of(node)) steps[static_cast<size_t>(a.axis)] = *steps_of(a);
  View source{from.buffer, from.dtype, {}, {}, from.offset}, target{out.buffer, out.dtype, {}, {}, out.offset};
  for (size_t i = 0; i < steps.size(); ++i) {
    const auto [start, step, repeat] = steps[i];
    for (View* v : {&source, &target}) v->shape.insert(v->shape.end(), {out.shape[i] / repeat, repeat});
    source.offset += start * from.strides[i];
    source.strides.insert(source.strides.end(), {step * from.strides[i], 0});
    target.strides.insert(target.strides.end(), {repeat * out.strides[i], out.strides[i]});
  }
  lower_copy(l, region, source, target);
}

// ---- one loop -----------------------------------------------------------------------------------------------------

// Resamples a view along some axes at each point of a domain.
class Mixer {
 public:
  Mixer(Lowering& l, LoopBuilder& b, View data, std::span<const ResampledAxis> axes, const std::string& name)
      : l_(l), b_(b), name_(name) {
    const Shape strides = data.strides;
    int64_t last = 0;
    for (const ResampledAxis& a : axes) last += std::abs(strides[static_cast<size_t>(a.axis)]) * (a.in - 1);
    const DType type = last <= std::numeric_limits<int32_t>::max() ? DType::Int32 : DType::Int64;
    for (const ResampledAxis& a : axes) {
      const auto axis = static_cast<size_t>(a.axis);
      // Offsets count from the end of the axis that comes first in memory, so that none is negative.
      const int64_t lowest = std::min<int64_t>(strides[axis] * (a.in - 1), 0);
      data.offset += lowest;
      data.strides[axis] = 0;
      add_tables(a, strides[axis], lowest, type, strides.size());
    }
    gather_ = {Op::Gather, data.dtype, {-1, -1, -1}, b.add_placed_view(data), 1, last + 1};
  }

  // The last axis adds what the others gave, the first one resampled first; to `sum`, if there is one.
  int mix(Immediate extrapolation, int sum) { return mix(axes_.size(), -1, extrapolation, sum); }

 private:
  struct Tables {  // as loaded: by tap, and for the axis
    std::vector<int> offsets, weights;
    int outside = -1;
  };

  void add_tables(const ResampledAxis& a, int64_t stride, int64_t lowest, DType type, size_t rank) {
    Tables tables;
    std::vector<int64_t> offsets(static_cast<size_t>(a.out));
    std::vector<double> weights(static_cast<size_t>(a.out));
    for (int64_t tap = 0; tap < a.taps; ++tap) {
      for (size_t at = 0; at < offsets.size(); ++at) {
        const size_t entry = at * static_cast<size_t>(a.taps) + static_cast<size_t>(tap);
        offsets[at] = a.elements[entry] * stride - lowest;
        if (!a.weights.empty()) weights[at] = a.weights[entry];
      }
      tables.offsets.push_back(load(ops::from_integers(type, {a.out}, offsets), a, rank, ".offsets"));
      if (!a.weights.empty()) tables.weights.push_back(load(Tensor::vector(weights), a, rank, ".weights"));
    }
    const std::vector<int64_t> flags(a.outside.begin(), a.outside.end());
    if (!flags.empty())
      tables.outside = b_.to(DType::Bool, load(ops::from_integers(DType::UInt8, {a.out}, flags), a, rank, ".outside"));
    axes_.push_back(std::move(tables));
  }

  // The element of a table along an axis of the domain.
  int load(const Tensor& table, const ResampledAxis& a, size_t rank, const char* what) {
    const View view = l_.constant(table, name_ + what);
    View placed{view.buffer, view.dtype, {}, Shape(rank, 0), view.offset};
    placed.strides[static_cast<size_t>(a.axis)] = 1;
    return b_.load_view(b_.add_placed_view(placed));
  }

  int mix(size_t left, int offset, Immediate extrapolation, int sum) {
    if (left == 0) return gathered(offset);
    const Tables& axis = axes_[left - 1];
    for (size_t tap = 0; tap < axis.offsets.size(); ++tap) {
      const int along = offset < 0 ? axis.offsets[tap] : b_.op(Op::Add, {offset, axis.offsets[tap]});
      int term = mix(left - 1, along, extrapolation, -1);
      if (!axis.weights.empty()) term = b_.op(Op::Mul, {axis.weights[tap], b_.to(DType::Float64, term)});
      sum = sum < 0 ? term : b_.op(Op::Add, {sum, term});
    }
    if (axis.outside < 0) return sum;
    const DType type = b_.program[sum].type;
    return b_.program.add(Op::Select, type, {axis.outside, b_.k(type, extrapolation), sum});
  }

  int gathered(int offset) {
    Instr gather = gather_;
    gather.args[0] = offset;
    return b_.program.add(gather);
  }

  Lowering& l_;
  LoopBuilder& b_;
  const std::string name_;
  std::vector<Tables> axes_;
  Instr gather_;
};

// ---- all loops ----------------------------------------------------------------------------------------------------

// Axes that are resampled in one loop, or a part of the taps of one axis, whose sum other parts go on with.
struct Pass {
  Axes axes;
  bool begins = true, ends = true;
};

ResampledAxis taps_of(const ResampledAxis& a, int64_t first, int64_t end) {
  ResampledAxis part{a.axis, a.in, a.out, end - first, {}, {}, {}};
  for (int64_t at = 0; at < a.out; ++at)
    for (int64_t tap = first; tap < end; ++tap) {
      part.elements.push_back(a.elements[static_cast<size_t>(at * a.taps + tap)]);
      part.weights.push_back(a.weights[static_cast<size_t>(at * a.taps + tap)]);
    }
  if (end == a.taps) part.outside = a.outside;
  return part;
}

std::vector<Pass> passes_of(const Axes& axes) {
  std::vector<Pass> passes;
  int64_t taps = kMostTaps + 1;  // of the last pass
  for (const ResampledAxis& a : axes) {
    taps = std::min(taps, kMostTaps + 1) * std::min(a.taps, kMostTaps + 1);
    if (taps <= kMostTaps) {
      passes.back().axes.push_back(a);
      continue;
    }
    taps = a.taps;
    for (int64_t first = 0; first < a.taps; first += kMostTaps) {
      const int64_t end = std::min(first + kMostTaps, a.taps);
      passes.push_back({{a.taps <= kMostTaps ? a : taps_of(a, first, end)}, first == 0, end == a.taps});
    }
  }
  return passes;
}

// The element type's own for what is not a number, which no filter takes.
Immediate extrapolation_of(const Node& node) {
  const double value = node.attrs<ops::ResizeAttrs>().extrapolation_value;
  const bool nearest = node.attrs<ops::ResizeAttrs>().mode == "nearest";
  return Immediate::element(ops::from_doubles(nearest ? node.output()->dtype() : DType::Float64, {}, {value}), 0);
}

void resample(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  const Value* out = region.result();
  const Immediate extrapolation = extrapolation_of(node);
  const std::vector<Pass> passes = passes_of(axes_of(node));
  View data = l.view_of(node.input(0)), sums;  // sums: of the taps so far
  Shape shape = data.shape;
  for (const Pass& pass : passes) {
    for (const ResampledAxis& a : pass.axes) shape[static_cast<size_t>(a.axis)] = a.out;
    const bool last = &pass == &passes.back();
    const Mapping here = straight(shape);
    LoopBuilder b(l, out->name(), shape);
    const int before = pass.begins ? -1 : b.load_view(b.add_view(sums, here));
    int result = Mixer(l, b, data, pass.axes, out->name()).mix(extrapolation, before);
    if (last)
      result = b.apply_chain(region, result, here);
    else if (pass.begins)
      sums = l.plain_storage(out->name() + ".resampled", DType::Float64, shape);
    b.store(b.add_view(last ? l.allocate(out) : sums, here), result);
    b.end_phase(Loop::Over::Row);
    l.emit(b.finish(), region, precision_of(out));
    if (pass.ends) data = sums;
  }
}

// ---- legality -----------------------------------------------------------------------------------------------------

Status has_elements(const Node& node) {
  const auto a = node.attrs<ops::ResizeAttrs>();
  if (crops(a) && !node.input(1)->is_constant()) return refuse("operand 'roi' is not constant");
  if (element_count(node.input(0)->type().shape()) == 0 && element_count(node.output()->type().shape()) != 0)
    return refuse("it has no elements to enlarge");
  return ok();
}

Status is_stepped(const Node& node) {
  LAPIS_CHECK(has_elements(node));
  const Axes axes = axes_of(node);
  if (std::ranges::all_of(axes, [](const ResampledAxis& a) { return steps_of(a).has_value(); })) return ok();
  return refuse("its elements do not lie in steps");
}

}  // namespace

OpLowerings resize_rows() {
  return {
      code_for(ops::Resize).copy(step, is_stepped).loop(resample, has_elements).constants({2, 3}).follows(),
  };
}

}  // namespace lapis::codegen
