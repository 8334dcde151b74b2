// Slices of what was put together before, and concatenations of concatenations.
#include <algorithm>
#include <map>
#include <numeric>

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
using Ranges = std::map<int64_t, Range>;  // of the axes that are sliced; others may be symbolic

// The operands behind the first, all of one length.
struct SliceOperands {
  std::vector<int64_t> starts, ends, axes, steps;
};

std::optional<SliceOperands> operands_of(const Node& slice) {
  const auto starts = facts::ints(slice.input(1)), ends = facts::ints(slice.input(2));
  if (!starts) return std::nullopt;
  std::vector<int64_t> all(starts->size());
  std::iota(all.begin(), all.end(), 0);
  const auto axes = slice.input(3) ? facts::ints(slice.input(3)) : all;
  const auto steps = slice.input(4) ? facts::ints(slice.input(4)) : std::vector<int64_t>(starts->size(), 1);
  for (const auto* list : {&ends, &axes, &steps})
    if (!*list || (*list)->size() != starts->size()) return std::nullopt;
  return SliceOperands{*starts, *ends, *axes, *steps};
}

std::optional<Range> clamped(int64_t start, int64_t end, int64_t step, const Dim& extent) {
  const std::optional<int64_t> size = extent.constant();
  if (!size || step < 1) return std::nullopt;
  auto inside = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + *size : at, 0, *size); };
  // A step beyond the end takes one element, however far it goes.
  return Range{inside(start), inside(end), std::min(step, std::max<int64_t>(*size, 1))};
}

// What a Slice takes of each axis it names, clamped; nullopt if that is not known or an axis runs backwards.
std::optional<Ranges> ranges_of(const Node& slice) {
  const Type& x = slice.input(0)->type();
  const auto given = operands_of(slice);
  if (!x.ranked() || !given) return std::nullopt;
  Ranges ranges;
  for (size_t i = 0; i < given->axes.size(); ++i) {
    const int64_t axis = given->axes[i] + (given->axes[i] < 0 ? x.rank() : 0);
    if (axis < 0 || axis >= x.rank()) return std::nullopt;
    const auto range = clamped(given->starts[i], given->ends[i], given->steps[i], x.dim(axis));
    if (!range || !ranges.emplace(axis, *range).second) return std::nullopt;
  }
  return ranges;
}

Value* add_slice(Rewriter& rw, Value* x, const Ranges& ranges) {
  std::vector<int64_t> starts, ends, axes, steps;
  for (const auto& [axis, r] : ranges) {
    if (r.start == 0 && r.step == 1 && x->type().dim(axis).is(r.end)) continue;
    starts.push_back(r.start);
    ends.push_back(r.end);
    axes.push_back(axis);
    steps.push_back(r.step);
  }
  return starts.empty() ? x : rw.add(ops::Slice, {x, rw.ints(starts), rw.ints(ends), rw.ints(axes), rw.ints(steps)});
}

// Range `outer` of what `inner` takes; nullopt if its numbers are beyond 64 bits.
std::optional<Range> composed(const Range& inner, const Range& outer) {
  Range r;
  int64_t start, end;
  if (__builtin_mul_overflow(outer.start, inner.step, &start) || __builtin_mul_overflow(outer.end, inner.step, &end) ||
      __builtin_mul_overflow(outer.step, inner.step, &r.step) || __builtin_add_overflow(start, inner.start, &r.start) ||
      __builtin_add_overflow(end, inner.start, &r.end))
    return std::nullopt;
  r.end = std::min(r.end, inner.end);
  return r;
}

// Slice(Slice(x))  =>  Slice(x)        (known ranges, forwards)
bool slice_of_slice(Value& y, Rewriter& rw) {
  Value* x;
  Node *outer, *inner;
  if (!match(y, op(ops::Slice, once(op(ops::Slice, bind(x)).rest().as(inner))).rest().as(outer))) return false;
  const auto outer_ranges = ranges_of(*outer);
  auto ranges = ranges_of(*inner);
  if (!outer_ranges || !ranges) return rw.skip(y, "a range is not known or runs backwards");
  for (const auto& [axis, range] : *outer_ranges) {
    const auto [at, added] = ranges->emplace(axis, range);
    if (added) continue;
    const auto both = composed(at->second, range);
    if (!both) return rw.skip(y, "the product of the steps is beyond 64 bits");
    at->second = *both;
  }
  return rw.replace(y, add_slice(rw, x, *ranges));
}

// Slice(Concat(..., x, ...))  =>  Slice(x)        (all that is taken lies in one part)
bool slice_of_concat(Value& y, Rewriter& rw) {
  Node *slice, *concat;
  if (!match(y, op(ops::Slice, op(ops::Concat).rest().as(concat)).rest().as(slice)) || !y.type().ranked()) return false;
  auto ranges = ranges_of(*slice);
  if (!ranges) return false;
  const int64_t axis = (concat->attrs<ops::ConcatAttrs>().axis + y.type().rank()) % y.type().rank();
  const auto joined = ranges->find(axis);
  if (joined == ranges->end()) return false;
  Range& r = joined->second;
  for (Value* part : concat->inputs()) {
    const std::optional<int64_t> size = part->type().ranked() ? part->type().dim(axis).constant() : std::nullopt;
    if (!size) return false;
    if (r.start < *size) return r.end <= *size && r.start < r.end && rw.replace(y, add_slice(rw, part, *ranges));
    r.start -= *size;
    r.end -= *size;
  }
  return false;
}

int64_t joined_axis(const Node& concat) {
  const int64_t axis = concat.attrs<ops::ConcatAttrs>().axis;
  return axis < 0 ? axis + concat.output()->type().rank() : axis;
}

// The Concat whose parts can take the place of `part` in `outer`; null if there is none.
Node* inner_concat(const Value& part, const Node& outer) {
  Node* inner = part.producer();
  const bool joins = inner && &inner->graph() == &outer.graph() && inner->is(ops::Concat) && part.used_once() &&
                     part.type().ranked() && joined_axis(*inner) == joined_axis(outer);
  return joins ? inner : nullptr;
}

// Concat(Concat(a, b), c)  =>  Concat(a, b, c)        (along the same axis)
// All at once, from the outermost: level by level, a long chain would be copied again for each of its links.
bool concat_of_concat(Value& y, Rewriter& rw) {
  Node* outer;
  if (!match(y, op(ops::Concat).rest().as(outer)) || !y.type().ranked()) return false;
  if (y.used_once() && y.uses()[0].node->is(ops::Concat) && inner_concat(y, *y.uses()[0].node)) return false;
  std::vector<Value*> parts, left(outer->inputs().rbegin(), outer->inputs().rend());
  while (!left.empty()) {
    Value* part = left.back();
    left.pop_back();
    if (Node* inner = inner_concat(*part, *outer))
      left.insert(left.end(), inner->inputs().rbegin(), inner->inputs().rend());
    else
      parts.push_back(part);
  }
  return parts.size() > outer->inputs().size() && rw.replace(y, rw.add(ops::Concat, parts, outer->attributes()));
}

constexpr Rule kRules[] = {{"slice.of-slice", slice_of_slice},
                           {"slice.of-concat", slice_of_concat},
                           {"slice.concat-of-concat", concat_of_concat}};

}  // namespace

std::span<const Rule> slice_rules() { return kRules; }

}  // namespace lapis
