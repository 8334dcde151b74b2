// fold-pad: a window that slides over a padded input can pad by itself.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "ir/match.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"
#include "ir/ops/window.h"
#include "passes/simplify/facts.h"
#include "passes/simplify/simplify.h"

namespace lapis {
namespace {

using namespace pattern;

constexpr int64_t kMost = int64_t{1} << 30;  // no window pads more; sums of two stay far from 64 bits

// A constant Pad of the spatial axes only.
struct SpatialPad {
  Value *padded = nullptr, *x = nullptr, *value = nullptr;
  std::vector<int64_t> pads;  // of the spatial axes: begins, then ends
};

// Amounts by axis as begins, then ends of the spatial axes; nothing where others are padded, or one is cropped.
std::optional<std::vector<int64_t>> spatial_amounts(const std::vector<int64_t>& given, const std::vector<int64_t>& axes,
                                                    int64_t rank) {
  std::vector<int64_t> pads(2 * static_cast<size_t>(rank - 2), 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t axis = axes[i] + (axes[i] < 0 ? rank : 0), begin = given[i], end = given[i + axes.size()];
    if (begin == 0 && end == 0) continue;
    if (axis < 2 || axis >= rank || begin < 0 || end < 0 || begin > kMost || end > kMost) return std::nullopt;
    pads[static_cast<size_t>(axis - 2)] = begin;
    pads[static_cast<size_t>(axis - 2 + rank - 2)] = end;
  }
  return pads;
}

std::optional<SpatialPad> spatial_pad(Value* padded, const Graph& scope) {
  SpatialPad p;
  Value* amounts;
  Node* node;
  if (!op(ops::Pad, bind(p.x), constant(amounts), optional(constant(p.value)), anything()).as(node)(padded, scope))
    return std::nullopt;
  if (node->attrs<ops::PadAttrs>().mode != "constant" || !p.x->type().ranked() || p.x->type().rank() < 3)
    return std::nullopt;
  const int64_t rank = p.x->type().rank();
  const auto given = facts::ints(amounts);
  const auto axes = node->input(3) ? facts::ints(node->input(3)) : facts::axes_of(*node, 3, rank);
  if (!given || !axes || given->size() != 2 * axes->size()) return std::nullopt;
  if (std::set<int64_t>(axes->begin(), axes->end()).size() != axes->size()) return std::nullopt;
  p.padded = padded;
  auto pads = spatial_amounts(*given, *axes, rank);
  if (!pads) return std::nullopt;
  p.pads = *std::move(pads);
  return p;
}

double pad_value(const SpatialPad& p) { return p.value ? p.value->constant().as_double(0) : 0; }

// The pads of the Pad and of the window itself; nullopt if the latter crops or does not fit.
std::optional<std::vector<int64_t>> sum(const std::vector<int64_t>& own, const SpatialPad& p) {
  std::vector<int64_t> total = p.pads;
  if (own.size() > total.size() || std::any_of(own.begin(), own.end(), [](int64_t v) { return v < 0 || v > kMost; }))
    return std::nullopt;
  for (size_t i = 0; i < own.size(); ++i) total[i] += own[i];
  return total;
}

bool pads_by_numbers(const std::string& auto_pad) { return auto_pad == "NOTSET" || auto_pad == "VALID"; }

// The same node on the unpadded input.
bool replace_window(Value& y, size_t operand, const SpatialPad& p, Attributes attributes, Rewriter& rw) {
  const Node& node = *y.producer();
  std::vector<Value*> inputs = node.inputs();
  inputs[operand] = p.x;
  attributes.erase("auto_pad");
  return rw.replace(y, rw.add(node.op(), std::move(inputs), std::move(attributes)));
}

// What integer convolutions take for zero; null if that is not known.
bool pads_with_zero_point(const SpatialPad& p, const Value* zero_point) {
  if (zero_point && (!zero_point->is_constant() || zero_point->constant().size() != 1)) return false;
  return pad_value(p) == (zero_point ? zero_point->constant().as_double(0) : 0);
}

// Conv(Pad(x, p), w)  =>  Conv<pads += p>(x, w)        (padded with zero; integer forms: with the zero point of x)
bool conv(Value& y, Rewriter& rw) {
  Node* node = y.producer();
  const bool qlinear = node->is(ops::QLinearConv), integer = node->is(ops::ConvInteger);
  if (!node->is(ops::Conv) && !qlinear && !integer) return false;
  const auto p = spatial_pad(node->input(0), y.graph());
  if (!p) return false;
  if (!pads_with_zero_point(*p, node->input(qlinear || integer ? 2 : SIZE_MAX)))
    return rw.skip(y, "its input is padded with " + std::to_string(pad_value(*p)) + ", not with zero");
  auto a = node->attrs<ops::ConvAttrs>();
  if (!pads_by_numbers(a.auto_pad)) return rw.skip(y, "it pads by auto_pad itself");
  const Value* weight = node->input(qlinear ? 3 : 1);
  if (facts::is_float(*weight) && !(weight->is_constant() && facts::is_finite(weight->constant())))
    return rw.skip(y,
                   "its weights may be infinite: times a padded zero that is NaN, in the window's own padding it is 0");
  const auto pads = sum(a.pads, *p);
  if (!pads) return rw.skip(y, "its own pads crop");
  a.auto_pad = "NOTSET";
  a.pads = *pads;
  return replace_window(y, 0, *p, encode_attributes(a), rw);
}

// The windows are the same with the larger pads, and with taps side by side none lies in the padding alone.
template <class PoolAttrs> bool window_fits(const PoolAttrs& a, const std::vector<int64_t>& pads) {
  const size_t n = a.kernel_shape.size();
  if (pads.size() != 2 * n) return false;
  for (size_t i = 0; i < pads.size(); ++i)
    if (pads[i] >= a.kernel_shape[i % n]) return false;
  return !a.ceil_mode && pads_by_numbers(a.auto_pad);
}

// +0 is above the -0 that Relu and Clip leave as it is.
bool never_wins(const SpatialPad& p, const Value& y) {
  const double value = pad_value(p);
  if (value == 0 && p.x->dtype() == DType::UInt8) return true;
  if (is_integer(p.x->dtype())) return value == static_cast<double>(integer_range(p.x->dtype()).lowest);
  if (value == -std::numeric_limits<double>::infinity()) return true;
  const bool below = std::signbit(value) || facts::is_never_minus_zero(*p.x) || facts::hides_sign_of_zero(y);
  return value <= 0 && below && facts::is_non_negative(*p.x);
}

// MaxPool(Pad(x, p))  =>  MaxPool<pads += p>(x)        (padded with what can never be the maximum)
bool max_pool(Value& y, Rewriter& rw) {
  Node* node = y.producer();
  if (!node->is(ops::MaxPool) || (node->output(1) && !node->output(1)->unused())) return false;
  const auto p = spatial_pad(node->input(0), y.graph());
  if (!p) return false;
  if (!never_wins(*p, y)) return rw.skip(y, "the padding of its input could be a maximum");
  auto a = node->attrs<ops::MaxPoolAttrs>();
  const auto pads = sum(a.pads, *p);
  if (!pads || !window_fits(a, *pads)) return rw.skip(y, "its windows would not be the same with larger pads");
  a.pads = *pads;
  a.auto_pad = "NOTSET";
  if (!ops::pool_window(a).meets(p->x->type())) return rw.skip(y, "a window may lie in the padding alone");
  return replace_window(y, 0, *p, encode_attributes(a), rw);
}

// AveragePool(Pad(x, p))  =>  AveragePool<pads += p, count_include_pad = 1>(x)        (zeros; its own pads count too
// or are none)
bool average_pool(Value& y, Rewriter& rw) {
  Node* node = y.producer();
  if (!node->is(ops::AveragePool)) return false;
  const auto p = spatial_pad(node->input(0), y.graph());
  if (!p) return false;
  if (pad_value(*p) != 0) return rw.skip(y, "its input is not padded with zero");
  auto a = node->attrs<ops::AveragePoolAttrs>();
  const bool own = std::any_of(a.pads.begin(), a.pads.end(), [](int64_t v) { return v != 0; });
  if (own && !a.count_include_pad) return rw.skip(y, "its own padding does not count but that of its input does");
  const auto pads = sum(a.pads, *p);
  if (!pads || !window_fits(a, *pads)) return rw.skip(y, "its windows would not be the same with larger pads");
  a.pads = *pads;
  a.count_include_pad = true;
  a.auto_pad = "NOTSET";
  return replace_window(y, 0, *p, encode_attributes(a), rw);
}

constexpr Rule kRules[] = {
    {"fold.pad-into-conv", conv}, {"fold.pad-into-max-pool", max_pool}, {"fold.pad-into-average-pool", average_pool}};

}  // namespace

std::span<const Rule> pad_rules() { return kRules; }

}  // namespace lapis
