// Shapes that the model only declares: the operator computes its sizes, and nothing but the declaration says what they
// are. It becomes one of constant sizes behind a Gather out of one slice, whose index is beyond it where the computed
// sizes say something else.
#include <algorithm>
#include <bit>

#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"
#include "passes/expand/expand.h"
#include "passes/simplify/facts.h"

namespace lapis {
namespace {

using Ints = std::vector<int64_t>;

// A node whose operand 1 are sizes, repeats or axes, not constant;
// the shapes of operand 0 and of the results are known.
struct Sized {
  const Node& node;
  Shape x, y;
  Value* given;
  Rewriter& rw;

  size_t count() const { return static_cast<size_t>(given->type().dim(0).value()); }
  Value* equal(Ints numbers) const { return rw.add(ops::Equal, {given, rw.ints(std::move(numbers))}); }
  Value* either(Value* a, Value* b) const { return rw.add(ops::Or, {a, b}); }
  // 1 if all of them hold, else 0; or if any does.
  Value* reduced(const OpDef& reduction, Value* hold) const {
    Value* numbers = rw.add(ops::Cast, {hold}, {{"to", static_cast<int64_t>(DType::Int32)}});
    return rw.add(reduction, {numbers}, {{"keepdims", int64_t{0}}});
  }
  Value* all(Value* hold) const { return reduced(ops::ReduceMin, hold); }
};

// y with `other` where its size is that of x, counted from the first dimension or from the last.
Ints where_kept(const Shape& x, Ints y, int64_t other, bool from_last) {
  for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    const size_t at = from_last ? y.size() - 1 - i : i;
    if (x[from_last ? x.size() - 1 - i : i] == y[at]) y[at] = other;
  }
  return y;
}

// As it is, or -1; 0 where the size of x is copied.
Value* reshapes_so(const Sized& s) {
  Value* as_it_is = s.equal(s.y);
  Value* hold = s.either(as_it_is, s.equal(Ints(s.y.size(), -1)));
  if (s.node.attrs<ops::ReshapeAttrs>().allowzero) return s.all(hold);
  return s.all(s.either(hold, s.equal(where_kept(s.x, s.y, 0, false))));
}

// Sizes of 1 keep those of x.
Value* expands_so(const Sized& s) {
  const Ints last(s.y.end() - static_cast<std::ptrdiff_t>(s.count()), s.y.end());
  Value* as_it_is = s.equal(last);
  return s.all(s.either(as_it_is, s.equal(where_kept(s.x, last, 1, true))));
}

Ints repeats_of(const Sized& s) {
  Ints repeats;
  for (size_t i = 0; i < s.x.size(); ++i) repeats.push_back(s.y[i] / s.x[i]);
  return repeats;
}
Value* repeats_so(const Sized& s) { return s.all(s.equal(repeats_of(s))); }

// `whole` without the axes that are bits of `axes`.
Shape without(const Shape& whole, uint64_t axes) {
  Shape rest;
  for (size_t i = 0; i < whole.size(); ++i)
    if (((axes >> i) & 1) == 0) rest.push_back(whole[i]);
  return rest;
}

// The axes are bits of a number, in which their order and how they are counted are gone.
// Several sets may leave the same shape.
Value* leaves(const Sized& s, const Shape& whole, const Shape& rest) {
  Ints bits, sets;
  for (size_t i = 0; i < whole.size(); ++i) bits.push_back(int64_t{1} << i);
  for (uint64_t axes = 0; axes < uint64_t{1} << whole.size(); ++axes)
    if (static_cast<size_t>(std::popcount(axes)) == s.count() && without(whole, axes) == rest)
      sets.push_back(static_cast<int64_t>(axes));
  Value* set = s.rw.add(ops::ReduceSum, {s.rw.add(ops::Gather, {s.rw.ints(bits), s.given}, ops::AxisAttrs{0})},
                        {{"keepdims", int64_t{0}}});
  return s.reduced(ops::ReduceMax, s.rw.add(ops::Equal, {set, s.rw.ints(sets)}));
}
Value* squeezes_so(const Sized& s) { return leaves(s, s.x, s.y); }
Value* unsqueezes_so(const Sized& s) { return leaves(s, s.y, s.x); }

// What an operator does with its sizes, and which does the same with constant ones.
struct Family {
  const OpDef *op, *with;
  Ints (*sizes)(const Sized&);
  Value* (*holds)(const Sized&);                                // 1 where those that are given do the same, else 0
  size_t (*count)(size_t x_rank, size_t y_rank, size_t given);  // how many there must be
};
Ints shape_of(const Sized& s) { return s.y; }
size_t as_result(size_t, size_t y, size_t) { return y; }
size_t as_operand(size_t x, size_t, size_t) { return x; }
size_t up_to_result(size_t, size_t y, size_t given) { return std::min(y, given); }
size_t as_between(size_t x, size_t y, size_t) { return std::max(x, y) - std::min(x, y); }
constexpr Family kFamilies[] = {
    {&ops::Reshape, &ops::Reshape, shape_of, reshapes_so, as_result},
    {&ops::Expand, &ops::Expand, shape_of, expands_so, up_to_result},
    {&ops::Tile, &ops::Tile, repeats_of, repeats_so, as_operand},
    {&ops::Squeeze, &ops::Reshape, shape_of, squeezes_so, as_between},
    {&ops::Unsqueeze, &ops::Reshape, shape_of, unsqueezes_so, as_between},
};

constexpr int64_t kMost = 16;  // dimensions: sets of axes are tried one by one

bool are_sizes(const Value& given) {
  return !given.is_constant() && given.dtype() == DType::Int64 && facts::is_static(given) && given.type().rank() == 1 &&
         given.type().dim(0).value() <= kMost;
}

bool has_elements(const Value& v) {
  return facts::is_static(v) && v.type().rank() <= kMost && element_count(v.type().shape()) > 0;
}

// Reshape(x, s)  =>  Reshape(Gather([x], s gives the declared shape ? 0 : 1), {2, 3})
//                (Expand, Tile, Squeeze, Unsqueeze alike)
bool declared_shape(Value& y, Rewriter& rw) {
  const Node& node = *y.producer();
  const auto* family = std::ranges::find_if(kFamilies, [&](const Family& f) { return node.is(*f.op); });
  Value *x = node.input(0), *given = node.input(1);
  if (family == std::end(kFamilies) || !given || !are_sizes(*given) || facts::is_shape_sure(y)) return false;
  if (!has_elements(*x) || !has_elements(y))
    return rw.skip(y, "its operand's or its own shape is not known, or has no elements");
  const Sized sized{node, x->type().shape(), y.type().shape(), given, rw};
  if (sized.count() != family->count(sized.x.size(), sized.y.size(), sized.count()))
    return rw.skip(y, "the declared shape has not as many dimensions as its sizes say");
  Value* beyond = rw.add(ops::Sub, {rw.constant(Tensor::scalar<int32_t>(1)), family->holds(sized)});
  Value* checked = rw.add(ops::Gather, {rw.add(ops::Unsqueeze, {x, rw.ints({0})}), beyond}, ops::AxisAttrs{0});
  return rw.replace(y, rw.add(*family->with, {checked, rw.ints(family->sizes(sized))}));
}

constexpr Rule kRules[] = {{"expand.declared-shape", declared_shape}};

}  // namespace

std::span<const Rule> declared_shape_rules() { return kRules; }

}  // namespace lapis
