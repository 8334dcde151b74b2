#include "frontends/common/suppression.h"

#include <limits>

namespace lapis::frontend {

static constexpr double kLowest = -std::numeric_limits<double>::infinity();

Value* column(Formula& f, Value* rows, int64_t at) { return f.squeeze(f.slice(rows, 2, at, at + 1), 2); }

Value* take_rows(Formula& f, Value* rows, Value* index) {
  if (!rows) return nullptr;
  const Type& type = rows->type();
  if (!type.ranked() || type.rank() != 3 || !type.dim(2).is_constant())
    return f.fail({Translation::unsupported("rows of a length that is not known")});
  Value* flat = f.reshape(rows, {-1, type.dim(2).value()});
  Value* first = f.mul(f.range(f.size(rows, 0)), f.size(rows, 1));  // row of each batch
  return f.gather(flat, f.add(index, f.unsqueeze(first, {1})), 0);
}

static std::vector<Value*> ordered(Formula& f, Value* keys) {
  return f.ops(ops::TopK, {keys, f.size(keys, 1)}, encode_attributes(ops::TopKAttrs{.axis = 1}), 2);
}

Sorted sort_rows(Formula& f, Value* rows, Value* keys) {
  const std::vector<Value*> order = ordered(f, keys);
  return {take_rows(f, rows, order[1]), f.greater(order[0], f.number(kLowest))};
}

Value* as_keys(Formula& f, Value* valid, Value* scores) { return f.where(valid, scores, f.number(kLowest)); }

Sorted valid_first(Formula& f, Value* rows, Value* valid) {
  const std::vector<Value*> order = ordered(f, f.cast(valid, DType::Float32));
  return {take_rows(f, rows, order[1]), f.greater(order[0], f.number(0))};
}

Value* minus_one_unless(Formula& f, Value* condition, Value* rows) {
  return f.where(f.unsqueeze(condition, {2}), rows, f.number(-1));
}

namespace {

// Of the batch that has most.
Value* most_valid(Formula& f, Value* valid) {
  const Attributes whole = {{"keepdims", int64_t{0}}};
  Value* counts = f.op(ops::ReduceSum, {f.cast(valid, DType::Int64), f.integers({1})}, whole);
  return f.op(ops::ReduceMax, {counts}, whole);
}

Value* area_of(Formula& f, const Boxes& b) {
  Value* zero = f.number(0);
  return f.mul(f.max(f.sub(b.right, b.left), zero), f.max(f.sub(b.bottom, b.top), zero));
}

// Those that box i overlaps by so much, of its class.
class Overlap {
 public:
  Overlap(Formula& f, const Boxes& boxes, Value* areas, Value* i) : f_(f), b_(boxes), areas_(areas), i_(i) {}

  Value* beyond(double threshold, bool or_equal) {
    Value *width = extent(b_.left, b_.right), *height = extent(b_.top, b_.bottom);
    Value* common = f_.mul(width, height);
    Value* all = f_.sub(f_.add(areas_, one(areas_)), common);
    Value* share = f_.div(common, all);
    Value* is_beyond = f_.op(or_equal ? ops::GreaterOrEqual : ops::Greater, {share, f_.number(threshold)});
    is_beyond = f_.both(is_beyond, f_.greater(all, f_.number(0)));
    return b_.classes ? f_.both(is_beyond, f_.op(ops::Equal, {b_.classes, one(b_.classes)})) : is_beyond;
  }
  Value* one(Value* of_all) { return f_.gather(of_all, i_, 1); }  // [M, 1]

 private:
  Value* extent(Value* from, Value* to) {
    return f_.max(f_.sub(f_.min(to, one(to)), f_.max(from, one(from))), f_.number(0));
  }

  Formula& f_;
  const Boxes& b_;
  Value *areas_, *i_;
};

}  // namespace

// One iteration a box that may suppress others: (iteration, condition, kept) -> (condition, kept).
Value* suppress(Translation& t, Formula& f, const Boxes& boxes, Value* valid, double threshold, bool or_equal) {
  Value* areas = area_of(f, boxes);
  Value* places = f.range(f.size(valid, 1));
  Value* trips = most_valid(f, valid);
  if (!areas || !places || !trips) return nullptr;
  const std::shared_ptr<Graph> body = trips->graph().make_subgraph(t.node().name + "/suppression");
  Value* iteration = body->add_input("box", Type::tensor(DType::Int64, Shape{}));
  Value* condition = body->add_input("goes_on", Type::tensor(DType::Bool, Shape{}));
  Value* kept = body->add_input("kept", valid->type());
  Formula inner(t, *body);
  Value* i = inner.reshape(iteration, {1});
  Overlap overlap(inner, boxes, areas, i);
  Value* hit = inner.both(overlap.beyond(threshold, or_equal), inner.both(overlap.one(kept), inner.greater(places, i)));
  Value* left = inner.both(kept, inner.opposite(hit));
  Value* still = inner.op(ops::Identity, {condition});
  if (Status added = inner.status(); !added.ok()) return f.fail(std::move(added).diagnostics());
  body->set_outputs({still, left});
  return f.op(ops::Loop, {trips, nullptr, valid}, ops::LoopAttrs{.body = body});
}

}  // namespace lapis::frontend
