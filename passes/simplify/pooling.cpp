// GlobalAveragePool under its other names.
#include <algorithm>
#include <numeric>

#include "ir/match.h"
#include "ir/ops/attributes.h"
#include "ir/ops/ops.h"
#include "passes/simplify/facts.h"
#include "passes/simplify/simplify.h"

namespace lapis {
namespace {

using namespace pattern;

bool is_image(const Value& x) { return facts::is_float(x) && x.type().ranked() && x.type().rank() >= 3; }

std::vector<int64_t> spatial_axes(int64_t rank) {
  std::vector<int64_t> axes(static_cast<size_t>(rank - 2));
  std::iota(axes.begin(), axes.end(), 2);
  return axes;
}

// ReduceMean(x, all spatial axes)  =>  GlobalAveragePool(x), reshaped if the axes are not kept
bool reduce_mean(Value& y, Rewriter& rw) {
  Value* x;
  Node* node;
  if (!match(y, op(ops::ReduceMean, bind(x)).rest().as(node)) || !is_image(*x)) return false;
  if (x->type().rank() < 4)
    return false;  // a mean over the last of three axes is more often a layer norm's than a pool
  if (facts::axes_of(*node, 1, x->type().rank()) != spatial_axes(x->type().rank())) return false;
  if (node->attrs<ops::ReduceAttrs>().keepdims) return rw.replace(y, rw.add(ops::GlobalAveragePool, {x}));
  const auto target = facts::reshape_target(y.type());
  if (!target) return rw.skip(y, "more than one dimension of " + y.type().to_string() + " is unknown");
  return rw.replace(y, reshaped(rw.add(ops::GlobalAveragePool, {x}), *target, rw));
}

bool all_are(const std::vector<int64_t>& values, int64_t wanted) {
  return std::all_of(values.begin(), values.end(), [&](int64_t v) { return v == wanted; });
}

// AveragePool(x)  =>  GlobalAveragePool(x)        (one window that covers all of x)
bool average_pool(Value& y, Rewriter& rw) {
  Value* x;
  Node* node;
  if (!match(y, op(ops::AveragePool, bind(x)).as(node)) || !is_image(*x)) return false;
  const auto a = node->attrs<ops::AveragePoolAttrs>();
  for (size_t i = 0; i < a.kernel_shape.size(); ++i)
    if (!x->type().dim(static_cast<int64_t>(i) + 2).is(a.kernel_shape[i])) return false;
  const bool plain = (a.auto_pad == "NOTSET" || a.auto_pad == "VALID") && all_are(a.pads, 0) &&
                     all_are(a.dilations, 1) && !a.ceil_mode;
  return plain && rw.replace(y, rw.add(ops::GlobalAveragePool, {x}));
}

constexpr Rule kRules[] = {{"pool.reduce-mean", reduce_mean}, {"pool.average-pool", average_pool}};

}  // namespace

std::span<const Rule> pooling_rules() { return kRules; }

}  // namespace lapis
