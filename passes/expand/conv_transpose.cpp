// ConvTranspose as a convolution that computes all results that fall between two inputs at once, as channels,
// and a shuffle of these.
//
// Along one axis, with stride s and x[i] adding w[a] to y[s i + a]: the results y[s q + r] of phase r are sums of x[q -
// m] w[s m + r], a convolution of ceil((reach - r) / s) taps. Phases of as many taps are channels of one convolution,
// others are convolutions beside each other: a product with a 0 that stands for none would make NaN of infinity.
#include <algorithm>
#include <numeric>

#include "ir/match.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"
#include "ir/ops/window.h"
#include "passes/expand/expand.h"
#include "passes/simplify/facts.h"

namespace lapis {
namespace {

using namespace pattern;
using Ints = std::vector<int64_t>;

int64_t product_of(const Ints& values) {
  return std::accumulate(values.begin(), values.end(), int64_t{1}, std::multiplies<>());
}

// The convolution that a transposed one is made of.
struct Phased {
  ops::Window window;              // that the result slides under
  Ints taps, begins, ends;         // of the convolution: its kernel and pads
  Ints cut_begins, cut_ends;       // what is cut off its results in the end
  int64_t group, inputs, outputs;  // of the weights: groups, channels of one group
  bool alike = true;               // all phases have as many taps
  std::optional<Ints> only = {};   // the one phase that is computed
  int64_t phases() const { return product_of(window.strides); }
  bool phases_first() const {
    return group == 1 || !alike;
  }  // in the channels: as DepthToSpace takes them; else behind each channel

  // Of channel `number` of the convolution: its channel of the result, and its phase of every axis.
  std::pair<int64_t, Ints> channel(int64_t number) const {
    if (only) return {number, *only};
    int64_t phase = phases_first() ? number / outputs : number % phases();
    const int64_t channel = phases_first() ? number % outputs : number / phases();
    Ints by_axis(window.rank());
    for (size_t i = window.rank(); i-- > 0; phase /= window.strides[i]) by_axis[i] = phase % window.strides[i];
    return {channel, by_axis};
  }

  // Where element (channel, input, tap...) of its weights is found in those of the transposed one.
  int64_t source(const Shape& index) const {
    const auto [out, phase] = channel(index[0]);
    int64_t at = (out / outputs * inputs + index[1]) * outputs + out % outputs;
    for (size_t i = 0; i < window.rank(); ++i) {
      at = at * window.kernel[i] + window.strides[i] * (taps[i] - 1 - index[i + 2]) + phase[i];
    }
    return at;
  }
};

// How much of the full result lies behind its end; negative: how much there is to be added.
std::optional<Ints> surplus_behind(const Node& node, const ops::Window& w) {
  const auto a = node.attrs<ops::ConvTransposeAttrs>();
  const bool is_derived = w.same_padding() || !a.output_shape.empty();
  const Type &x = node.input(0)->type(), &y = node.output()->type();
  Ints surplus = w.ends;
  for (size_t i = 0; i < w.rank(); ++i) {
    const int64_t more = i < a.output_padding.size() ? a.output_padding[i] : 0;
    surplus[i] -= more;
    if (!is_derived) continue;
    const auto in = x.dim(static_cast<int64_t>(i) + 2).constant(), out = y.dim(static_cast<int64_t>(i) + 2).constant();
    if (!in || !out) return std::nullopt;
    surplus[i] = (*in - 1) * w.strides[i] + w.reach(i) - *out - w.begins[i];
  }
  return surplus;
}

std::optional<Phased> phased(const Node& node) {
  const auto window = ops::transposed_window(node);
  const Shape weight = node.input(1)->type().shape();
  if (!window || element_count(weight) == 0) return std::nullopt;
  const auto surplus = surplus_behind(node, *window);
  if (!surplus) return std::nullopt;
  const int64_t group = node.attrs<ops::ConvTransposeAttrs>().group;
  Phased p{*window, {}, {}, {}, {}, {}, group, weight[0] / group, weight[1]};
  for (size_t i = 0; i < window->rank(); ++i) {
    const int64_t s = window->strides[i], begin = window->begins[i], reach = window->reach(i);
    const int64_t taps = (reach + s - 1) / s, fewest = reach / s, end = s * taps - reach + (*surplus)[i];
    if (begin < 0 || end < 0 || fewest == 0 || window->dilations[i] != 1) return std::nullopt;
    p.alike &= fewest == taps;
    // What is cut off as whole steps of x need not be computed.
    const int64_t fewer_before = std::min(begin / s, fewest - 1), fewer_behind = std::min(end / s, taps - 1);
    p.taps.push_back(taps);
    p.begins.push_back(taps - 1 - fewer_before);
    p.ends.push_back(taps - 1 - fewer_behind);
    p.cut_begins.push_back(begin - fewer_before * s);
    p.cut_ends.push_back(end - fewer_behind * s);
  }
  return p;
}

bool is_known(const Value* v) {
  if (!v || v->is_constant()) return true;
  const Node* dq = v->producer();
  const auto is_constant = [](const Value* operand) { return !operand || operand->is_constant(); };
  return dq && dq->is(ops::DequantizeLinear) && std::ranges::all_of(dq->inputs(), is_constant);
}

// Whether the bytes behind a known parameter can be sorted as they are: with one scale and zero point for all, or one
// for every element along `axis`, the result's channels. Where groups share the scales of axis 1 of the weights,
// channels of all groups take them in turn.
bool scales_channels(const Node& dq, int64_t axis) {
  const auto is_one = [](const Value* v) { return !v || v->constant().size() == 1; };
  if (is_one(dq.input(1)) && is_one(dq.input(2))) return true;
  const auto a = dq.attrs<ops::DequantizeLinearAttrs>();
  return a.block_size == 0 && (a.axis < 0 ? a.axis + dq.input(0)->type().rank() : a.axis) == axis;
}

// A known parameter as a constant, or as bytes with the scales of the result's channels.
Value* sortable(Value* known, int64_t axis, Rewriter& rw) {
  if (!known || known->is_constant() || scales_channels(*known->producer(), axis)) return known;
  const Node& dq = *known->producer();
  return rw.fold(ops::DequantizeLinear, dq.inputs(), dq.attributes());
}

int64_t channels_of(const Phased& p) { return p.group * p.outputs * (p.only ? 1 : p.phases()); }

bool is_finite(const Value& known, Rewriter& rw) {
  if (known.is_constant()) return facts::is_finite(known.constant());
  const Node& dq = *known.producer();
  return facts::is_finite(rw.fold(ops::DequantizeLinear, dq.inputs(), dq.attributes())->constant());
}

// What each channel of the convolution takes of a parameter with one element a channel.
Value* by_channel(const Phased& p, Value* given, Rewriter& rw) {
  Ints index;
  for (int64_t i = 0; i < channels_of(p); ++i) index.push_back(p.channel(i).first % given->constant().size());
  return rw.fold(ops::Gather, {given, rw.ints(index)});
}

// Scales and zero points may be one for all channels.
Value* scale_by_channel(const Phased& p, Value* given, Rewriter& rw) {
  if (!given) return nullptr;
  return given->constant().size() == 1 ? rw.reshape(given, {}) : by_channel(p, given, rw);
}

// In the order of the channels of the convolution.
Value* weights(const Phased& p, const Tensor& given, Rewriter& rw) {
  Shape shape = {channels_of(p), p.inputs};
  shape.insert(shape.end(), p.taps.begin(), p.taps.end());
  const std::vector<double> from = ops::to_doubles(given);
  std::vector<double> to;
  to.reserve(static_cast<size_t>(element_count(shape)));
  Shape index(shape.size(), 0);
  do to.push_back(from[static_cast<size_t>(p.source(index))]);
  while (ops::next_index(index, shape));
  return rw.constant(ops::from_doubles(given.dtype(), shape, to));
}

// A parameter of the convolution from that of the transposed one; bytes stay bytes.
template <class Sort> Value* sorted(const Phased& p, Value* given, Rewriter& rw, Sort&& sort) {
  if (!given) return nullptr;
  if (given->is_constant()) return sort(given);
  const Node& dq = *given->producer();
  Attributes attributes = dq.attributes();
  attributes["axis"] = int64_t{0};
  return rw.add(ops::DequantizeLinear,
                {sort(dq.input(0)), scale_by_channel(p, dq.input(1), rw), scale_by_channel(p, dq.input(2), rw)},
                std::move(attributes));
}

Value* convolution(const Phased& p, const Node& node, Rewriter& rw) {
  ops::ConvAttrs a;
  a.group = p.group;
  a.kernel_shape = p.taps;
  a.pads = p.begins;
  a.pads.insert(a.pads.end(), p.ends.begin(), p.ends.end());
  Value* w = sorted(p, sortable(node.input(1), 1, rw), rw, [&](Value* v) { return weights(p, v->constant(), rw); });
  Value* b = sorted(p, sortable(node.input(2), 0, rw), rw, [&](Value* v) { return by_channel(p, v, rw); });
  return rw.add(ops::Conv, {node.input(0), w, b}, a);
}

// The convolution of one phase.
Phased alone(const Phased& all, const Ints& phase) {
  Phased p = all;
  p.only = phase;
  for (size_t i = 0; i < phase.size(); ++i) {
    const int64_t s = all.window.strides[i];
    p.taps[i] = (all.window.reach(i) - phase[i] + s - 1) / s;
    p.begins[i] -= all.taps[i] - p.taps[i];
  }
  return p;
}

Value* convolutions(const Phased& p, const Node& node, Rewriter& rw) {
  if (p.alike) return convolution(p, node, rw);
  std::vector<Value*> parts;
  Ints phase(p.window.rank(), 0);
  do parts.push_back(convolution(alone(p, phase), node, rw));
  while (ops::next_index(phase, p.window.strides));
  return rw.add(ops::Concat, std::move(parts), {{"axis", int64_t{1}}});
}

bool is_square_image(const Ints& strides) { return strides.size() == 2 && strides[0] == strides[1]; }

// Between the inputs of every axis, its phases: [N, phases..., C, H...] to [N, C, H, phase, W, phase, ...].
Value* spread(const Phased& p, Value* channels, Rewriter& rw) {
  const Ints& s = p.window.strides;
  const auto axes = static_cast<int64_t>(s.size());
  const Shape wide = channels->type().shape();
  Ints split = {wide[0]}, order = {0}, joined = {wide[0], p.group * p.outputs};
  if (!p.phases_first()) split.push_back(p.group * p.outputs);
  split.insert(split.end(), s.begin(), s.end());
  if (p.phases_first()) split.push_back(p.group * p.outputs);
  split.insert(split.end(), wide.begin() + 2, wide.end());
  order.push_back(p.phases_first() ? 1 + axes : 1);
  for (int64_t i = 0; i < axes; ++i) {
    order.insert(order.end(), {2 + axes + i, (p.phases_first() ? 1 : 2) + i});
    joined.push_back(wide[static_cast<size_t>(i) + 2] * s[static_cast<size_t>(i)]);
  }
  Value* apart = rw.add(ops::Reshape, {channels, rw.ints(split)});
  Value* beside = rw.add(ops::Transpose, {apart}, ops::TransposeAttrs{order});
  return rw.add(ops::Reshape, {beside, rw.ints(joined)});
}

Value* shuffled(const Phased& p, Value* channels, Rewriter& rw) {
  if (p.phases() == 1) return channels;
  if (!is_square_image(p.window.strides)) return spread(p, channels, rw);
  return rw.add(ops::DepthToSpace, {channels},
                ops::DepthToSpaceAttrs{p.window.strides[0], p.phases_first() ? "DCR" : "CRD"});
}

Value* cut(const Phased& p, Value* whole, Rewriter& rw) {
  const auto is_zero = [](int64_t n) { return n == 0; };
  if (std::ranges::all_of(p.cut_begins, is_zero) && std::ranges::all_of(p.cut_ends, is_zero)) return whole;
  Ints ends, axes;
  for (size_t i = 0; i < p.cut_ends.size(); ++i) {
    ends.push_back(p.cut_ends[i] == 0 ? INT64_MAX : -p.cut_ends[i]);
    axes.push_back(static_cast<int64_t>(i) + 2);
  }
  return rw.add(ops::Slice, {whole, rw.ints(p.cut_begins), rw.ints(ends), rw.ints(axes)});
}

// ConvTranspose(x, w, b)  =>  Slice(DepthToSpace(Conv(x, w of all phases, b)))
//                             Slice(DepthToSpace(Concat(Conv(x, w of one phase, b), ...)))
bool transposed_convolution(Value& y, Rewriter& rw) {
  Value *x, *w, *b = nullptr;
  Node* node;
  if (!match(y, op(ops::ConvTranspose, bind(x), bind(w), optional(bind(b))).as(node))) return false;
  if (!is_known(w) || !is_known(b)) return rw.skip(y, "its weights or its bias are computed");
  if (!x->type().ranked() || !y.type().ranked()) return rw.skip(y, "the rank of its data is not known");
  const auto p = phased(*node);
  if (!is_finite(*w, rw)) return rw.skip(y, "weights that are no numbers meet no padding");
  if (!p)
    return rw.skip(
        y, "its pads follow from sizes that are not known, or it is dilated, or some results are sums of nothing");
  if (!is_square_image(p->window.strides) && p->phases() > 1 &&
      (!facts::is_static(*x) || element_count(x->type().shape()) == 0))
    return rw.skip(y, "the strides of its axes differ, and their sizes are not known");
  return rw.replace(y, cut(*p, shuffled(*p, convolutions(*p, *node, rw), rw), rw));
}

constexpr Rule kRules[] = {{"expand.transposed-convolution", transposed_convolution}};

}  // namespace

std::span<const Rule> transposed_convolution_rules() { return kRules; }

}  // namespace lapis
