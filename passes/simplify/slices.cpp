// Slices of what was put together before, and concatenations of concatenations.
#include <algorithm>

#include "ir/match.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"
#include "passes/simplify/facts.h"
#include "passes/simplify/simplify.h"

namespace lapis {
namespace {

using namespace pattern;

struct Range {
  int64_t start = 0, end = 0, step = 1;
};

// What a Slice takes of each axis of its static input, clamped; nullopt if that is not known or an axis runs backwards.
std::optional<std::vector<Range>> ranges_of(const Node& slice) {
  const Value& x = *slice.input(0);
  if (!facts::is_static(x)) return std::nullopt;
  const Shape shape = x.type().shape();
  std::vector<Range> ranges;
  for (int64_t d : shape) ranges.push_back({0, d, 1});
  const auto starts = facts::ints(slice.input(1)), ends = facts::ints(slice.input(2));
  if (!starts || !ends) return std::nullopt;
  const auto steps = slice.input(4) ? facts::ints(slice.input(4)) : std::vector<int64_t>(starts->size(), 1);
  auto axes = slice.input(3) ? facts::ints(slice.input(3)) : std::vector<int64_t>();
  if (!steps || !axes) return std::nullopt;
  for (size_t i = 0; i < starts->size(); ++i) {
    const int64_t axis = !slice.input(3) ? static_cast<int64_t>(i) : (*axes)[i] + ((*axes)[i] < 0 ? x.type().rank() : 0);
    const int64_t size = shape[static_cast<size_t>(axis)];
    if ((*steps)[i] < 1) return std::nullopt;
    auto clamped = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + size : at, 0, size); };
    ranges[static_cast<size_t>(axis)] = {clamped((*starts)[i]), clamped((*ends)[i]), (*steps)[i]};
  }
  return ranges;
}

Value* add_slice(Rewriter& rw, Value* x, const std::vector<Range>& ranges) {
  std::vector<int64_t> starts, ends, axes, steps;
  for (size_t i = 0; i < ranges.size(); ++i) {
    const Range& r = ranges[i];
    if (r.start == 0 && r.step == 1 && r.end == x->type().shape()[i]) continue;
    starts.push_back(r.start);
    ends.push_back(r.end);
    axes.push_back(static_cast<int64_t>(i));
    steps.push_back(r.step);
  }
  return starts.empty() ? x : rw.add(ops::Slice, {x, rw.ints(starts), rw.ints(ends), rw.ints(axes), rw.ints(steps)});
}

// Slice(Slice(x))  =>  Slice(x)        (static, forwards)
bool slice_of_slice(Value& y, Rewriter& rw) {
  Value *mid, *x;
  Node *outer_node, *inner_node;
  if (!match(y, op(ops::Slice, bind(mid)).rest().as(outer_node)) || !match(*mid, once(op(ops::Slice, bind(x)).rest().as(inner_node)))) return false;
  if (&mid->graph() != &y.graph()) return false;
  const auto outer = ranges_of(*outer_node), inner = ranges_of(*inner_node);
  if (!outer || !inner) return false;
  std::vector<Range> ranges;
  for (size_t i = 0; i < outer->size(); ++i) {
    const Range &o = (*outer)[i], &n = (*inner)[i];
    ranges.push_back({n.start + o.start * n.step, std::min(n.end, n.start + o.end * n.step), n.step * o.step});
  }
  return rw.replace(y, add_slice(rw, x, ranges));
}

// Slice(Concat(..., x, ...))  =>  Slice(x)        (all that is taken lies in one part)
bool slice_of_concat(Value& y, Rewriter& rw) {
  Value* joined;
  Node *slice, *concat;
  if (!match(y, op(ops::Slice, bind(joined)).rest().as(slice)) || !match(*joined, op(ops::Concat).rest().as(concat))) return false;
  auto ranges = ranges_of(*slice);
  if (!ranges || &joined->graph() != &y.graph()) return false;
  int64_t axis = concat->attrs<ops::ConcatAttrs>().axis;
  axis += axis < 0 ? static_cast<int64_t>(ranges->size()) : 0;
  Range& r = (*ranges)[static_cast<size_t>(axis)];
  for (Value* part : concat->inputs()) {
    if (!facts::is_static(*part)) return false;
    const int64_t size = part->type().shape()[static_cast<size_t>(axis)];
    if (r.start >= 0 && r.start < size) {
      if (r.end > size || r.end <= r.start) return false;  // reaches into the next part, or takes nothing
      return rw.replace(y, add_slice(rw, part, *ranges));
    }
    r.start -= size;
    r.end -= size;
  }
  return false;
}

// Concat(Concat(a, b), c)  =>  Concat(a, b, c)        (along the same axis)
bool concat_of_concat(Value& y, Rewriter& rw) {
  Node* outer;
  if (!match(y, op(ops::Concat).rest().as(outer)) || !y.type().ranked()) return false;
  auto axis_of = [&](const Node& node) { return (node.attrs<ops::ConcatAttrs>().axis + y.type().rank()) % y.type().rank(); };
  std::vector<Value*> parts;
  for (Value* part : outer->inputs()) {
    Node* inner = part->producer();
    const bool joins = inner && &part->graph() == &y.graph() && inner->is(ops::Concat) && part->used_once() && axis_of(*inner) == axis_of(*outer);
    if (joins) parts.insert(parts.end(), inner->inputs().begin(), inner->inputs().end());
    else parts.push_back(part);
  }
  return parts.size() > outer->inputs().size() && rw.replace(y, rw.add(ops::Concat, parts, outer->attributes()));
}

constexpr Rule kRules[] = {{"slice.of-slice", slice_of_slice}, {"slice.of-concat", slice_of_concat}, {"slice.concat-of-concat", concat_of_concat}};

}  // namespace

std::span<const Rule> slice_rules() { return kRules; }

}  // namespace lapis
