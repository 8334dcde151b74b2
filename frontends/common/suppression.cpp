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
  Value* first = f.mul({f.range(f.size(rows, 0)), f.size(rows, 1)});  // row of each batch
  return f.gather(flat, f.add({index, f.unsqueeze(first, {1})}), 0);
}

static std::vector<Value*> ordered(Formula& f, Value* keys) {
  return f.ops(ops::TopK, {keys, f.size(keys, 1)}, encode_attributes(ops::TopKAttrs{.axis = 1}), 2);
}

Sorted sort_rows(Formula& f, Value* rows, Value* keys) {
  const std::vector<Value*> order = ordered(f, keys);
  return {take_rows(f, rows, order[1]), f.greater({order[0], f.number(kLowest)})};
}

Value* as_keys(Formula& f, Value* valid, Value* scores) { return f.where({valid, scores, f.number(kLowest)}); }

Sorted valid_first(Formula& f, Value* rows, Value* valid) {
  const std::vector<Value*> order = ordered(f, f.cast(valid, DType::Float32));
  return {take_rows(f, rows, order[1]), f.greater({order[0], f.number(0)})};
}

Value* minus_one_unless(Formula& f, Value* condition, Value* rows) {
  return f.where({f.unsqueeze(condition, {2}), rows, f.number(-1)});
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
  return f.mul({f.max({f.sub({b.right, b.left}), zero}), f.max({f.sub({b.bottom, b.top}), zero})});
}

// Those that box i overlaps by so much, of its class.
class Overlap {
 public:
  Overlap(Formula& f, const Boxes& boxes, Value* areas, Value* i) : f_(f), b_(boxes), areas_(areas), i_(i) {}

  Value* beyond(double threshold, bool or_equal) {
    Value *width = extent(b_.left, b_.right), *height = extent(b_.top, b_.bottom);
    Value* common = f_.mul({width, height});
    Value* all = f_.sub({f_.add({areas_, one(areas_)}), common});
    Value* share = f_.div({common, all});
    Value* is_beyond = f_.op(or_equal ? ops::GreaterOrEqual : ops::Greater, {share, f_.number(threshold)});
    is_beyond = f_.both({is_beyond, f_.greater({all, f_.number(0)})});
    return b_.classes ? f_.both({is_beyond, f_.op(ops::Equal, {b_.classes, one(b_.classes)})}) : is_beyond;
  }
  Value* one(Value* of_all) { return f_.gather(of_all, i_, 1); }  // [M, 1]

 private:
  Value* extent(Value* from, Value* to) {
    return f_.max({f_.sub({f_.min({to, one(to)}), f_.max({from, one(from)})}), f_.number(0)});
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
  Value* hit =
      inner.both({overlap.beyond(threshold, or_equal), inner.both({overlap.one(kept), inner.greater({places, i})})});
  Value* left = inner.both({kept, inner.opposite(hit)});
  Value* still = inner.op(ops::Identity, {condition});
  if (Status added = inner.status(); !added.ok()) return f.fail(std::move(added).diagnostics());
  body->set_outputs({still, left});
  return f.op(ops::Loop, {trips, nullptr, valid}, ops::LoopAttrs{.body = body});
}

// ---- choose ---------------------------------------------------------------------------------------------------------

namespace {

Value* smaller(Formula& f, Value* a, Value* b) { return f.op(ops::Less, {a, b}); }

Value* zeros(Formula& f, Value* rows, int64_t columns, DType dtype) {
  return f.op(ops::Expand, {f.number(0, dtype), f.concat({rows, f.integers({columns})}, 0)});
}

// Corners of boxes by their numbers.
Boxes boxes_at(Formula& f, const Boxes& flat, Value* index) {
  const auto at = [&](Value* corners) { return f.gather(corners, index, 0); };
  return {at(flat.left), at(flat.top), at(flat.right), at(flat.bottom), nullptr};
}

Value* share(Formula& f, const Boxes& a, const Boxes& b) {
  Value* zero = f.number(0);
  const auto extent = [&](Value* from, Value* to, Value* other_from, Value* other_to) {
    return f.max({f.sub({f.min({to, other_to}), f.max({from, other_from})}), zero});
  };
  const auto area = [&](const Boxes& x) { return f.mul({f.sub({x.right, x.left}), f.sub({x.bottom, x.top})}); };
  Value *area_a = area(a), *area_b = area(b);
  Value* common = f.mul({extent(a.left, a.right, b.left, b.right), extent(a.top, a.bottom, b.top, b.bottom)});
  Value* both = f.div({common, f.sub({f.add({area_a, area_b}), common})});
  const auto is_empty = [&](Value* x) { return f.op(ops::LessOrEqual, {x, zero}); };
  return f.where({f.op(ops::Or, {is_empty(area_a), is_empty(area_b)}), zero, both});
}

// What an iteration finds of each row and leaves behind.
struct Choice {
  Value *scores, *index, *chosen, *count;  // of the candidates [M, N]; as `Chosen` has them
  Value* met = nullptr;                    // int64[M, N]: how many chosen ones lowered this score; null if none does

  std::vector<Value*> parts() const {
    std::vector<Value*> all = {scores, index, chosen, count};
    if (met) all.push_back(met);
    return all;
  }
  static Choice of(std::span<Value* const> parts) {
    return {parts[0], parts[1], parts[2], parts[3], parts.size() > 4 ? parts[4] : nullptr};
  }
};

// What does not change while boxes are chosen.
struct Around {
  const Overlaps& overlaps;
  const Limits& limits;
  Value *places, *slots, *most;  // numbers of the candidates, those of the results, and how many are chosen at most

  bool lowers() const { return limits.sigma > 0; }
  bool is_tflite() const { return limits.rules == Rules::TFLite; }
};

// One iteration: the best candidate of each row meets those that were chosen.
class Turn {
 public:
  Turn(Formula& f, const Around& around, const Choice& before) : f_(f), a_(around), before_(before) {
    const std::vector<Value*> best =
        f.ops(ops::TopK, {before.scores, f.integers({1})}, encode_attributes(ops::TopKAttrs{.axis = 1}), 2);
    score_ = best[0];
    at_ = best[1];
    here_ = f.op(ops::Equal, {a_.places, at_});
    is_candidate_ = f.both({f.greater({score_, f.number(kLowest)}), smaller(f, before.count, a_.most)});
  }

  Value* is_candidate() const { return is_candidate_; }  // bool[M, 1]

  Choice after() {
    Value* meets = those_to_meet();
    Value* overlap = a_.overlaps(f_, at_, before_.index);
    Value* lives = a_.lowers() && !a_.is_tflite() ? is_candidate_ : survivor(meets, overlap);
    Value* lowered = a_.lowers() ? f_.mul({score_, weight(meets, overlap)}) : score_;
    Value* is_chosen = a_.lowers() ? f_.both({lives, f_.op(ops::Equal, {lowered, score_})}) : lives;
    Value* slot = f_.both({f_.op(ops::Equal, {a_.slots, before_.count}), is_chosen});
    return {f_.where({here_, as_candidate(lives, is_chosen, lowered), before_.scores}),
            f_.where({slot, at_, before_.index}), f_.where({slot, lowered, before_.chosen}),
            f_.add({before_.count, f_.cast(is_chosen, DType::Int64)}),
            before_.met ? f_.where({here_, before_.count, before_.met}) : nullptr};
  }

 private:
  Value* those_to_meet() {
    Value* meets = smaller(f_, a_.slots, before_.count);
    if (!before_.met) return meets;
    Value* met = f_.where({here_, before_.met, f_.number(0, DType::Int64)});
    met = f_.op(ops::ReduceMax, {met, f_.integers({1})});
    return f_.both({meets, f_.op(ops::GreaterOrEqual, {a_.slots, met})});
  }

  Value* survivor(Value* meets, Value* overlap) {
    const OpDef& beyond = a_.is_tflite() ? ops::GreaterOrEqual : ops::Greater;
    Value* ends = f_.both({meets, f_.op(beyond, {overlap, a_.limits.overlap})});
    Value* count = f_.op(ops::ReduceMax, {f_.cast(ends, DType::Int64), f_.integers({1})});
    return f_.both({is_candidate_, f_.op(ops::Equal, {count, f_.number(0, DType::Int64)})});
  }

  Value* weight(Value* meets, Value* overlap) {
    constexpr float kHalf = -0.5F;
    Value* scale = f_.number(static_cast<double>(kHalf / static_cast<float>(a_.limits.sigma)));
    Value* weights = f_.op(ops::Exp, {f_.mul({f_.mul({scale, overlap}), overlap})});
    return f_.op(ops::ReduceProd, {f_.where({meets, weights, f_.number(1)}), f_.integers({1})});
  }

  // Its score if it is a candidate again.
  Value* as_candidate(Value* lives, Value* is_chosen, Value* lowered) {
    Value* gone = f_.number(kLowest);
    if (!a_.lowers() && !a_.is_tflite()) return gone;
    Value* again = f_.both({lives, f_.greater({lowered, a_.limits.score})});
    return f_.where({a_.is_tflite() ? again : f_.both({again, f_.opposite(is_chosen)}), lowered, gone});
  }

  Formula& f_;
  const Around& a_;
  const Choice before_;
  Value *score_ = nullptr, *at_ = nullptr, *here_ = nullptr, *is_candidate_ = nullptr;
};

Value* any(Formula& f, Value* conditions) {
  Value* most = f.op(ops::ReduceMax, {f.cast(conditions, DType::Int64)}, Attributes{{"keepdims", int64_t{0}}});
  return f.greater({most, f.number(0, DType::Int64)});
}

// TFLite never gives more results than there were candidates.
Value* most_of(Formula& f, Value* scores, const Limits& limits) {
  Value* most = f.number(static_cast<double>(limits.most), DType::Int64);
  if (limits.rules != Rules::TFLite) return most;
  Value* are_candidates = f.cast(f.greater({scores, f.number(kLowest)}), DType::Int64);
  return f.min({most, f.op(ops::ReduceSum, {are_candidates, f.integers({1})})});
}

Choice start_of(Formula& f, Value* scores, const Limits& limits) {
  Value* rows = f.size(scores, 0);
  Choice start = {scores, zeros(f, rows, limits.most, DType::Int64), zeros(f, rows, limits.most, DType::Float32),
                  zeros(f, rows, 1, DType::Int64)};
  if (limits.sigma > 0) start.met = f.op(ops::Expand, {f.number(0, DType::Int64), f.op(ops::ShapeOf, {scores})});
  return start;
}

bool has_no_columns(const Value* rows) {
  return rows && rows->type().ranked() && rows->type().dim(1).is_constant() && rows->type().dim(1).value() == 0;
}

}  // namespace

Overlaps shares_of(Formula& f, const Boxes& boxes) {
  const auto flat = [&](Value* corners) { return f.reshape(corners, {-1}); };
  const bool has_rows = boxes.left && !(boxes.left->type().ranked() && boxes.left->type().dim(0) == Dim(1));
  Value* first = has_rows ? f.unsqueeze(f.mul({f.range(f.size(boxes.left, 0)), f.size(boxes.left, 1)}), {1}) : nullptr;
  const Boxes all = {flat(boxes.left), flat(boxes.top), flat(boxes.right), flat(boxes.bottom), nullptr};
  return [all, first](Formula& inner, Value* at, Value* chosen) {
    const auto number = [&](Value* index) { return first ? inner.add({index, first}) : index; };
    const Boxes one = boxes_at(inner, all, number(at));
    return share(inner, one, boxes_at(inner, all, number(chosen)));
  };
}

Chosen choose(Translation& t, Formula& f, const Overlaps& overlaps, Value* scores, const Limits& limits) {
  const Choice start = start_of(f, scores, limits);
  const Around around = {overlaps, limits, f.range(f.size(scores, 1)), f.range(f.integers({limits.most})),
                         most_of(f, scores, limits)};
  if (!f.status().ok()) return {};
  if (limits.most == 0 || has_no_columns(scores)) return {start.index, start.chosen, start.count};
  const std::shared_ptr<Graph> body = scores->graph().make_subgraph(t.node().name + "/choice");
  body->add_input("turn", Type::tensor(DType::Int64, Shape{}));
  body->add_input("goes_on", Type::tensor(DType::Bool, Shape{}));
  std::vector<Value*> before;
  for (Value* part : start.parts())
    before.push_back(body->add_input("before" + std::to_string(before.size()), part->type()));
  Formula inner(t, *body);
  Turn turn(inner, around, Choice::of(before));
  std::vector<Value*> results = turn.after().parts();
  results.insert(results.begin(), any(inner, turn.is_candidate()));
  if (Status added = inner.status(); !added.ok()) {
    f.fail(std::move(added).diagnostics());
    return {};
  }
  body->set_outputs(results);
  std::vector<Value*> inputs = start.parts();
  inputs.insert(inputs.begin(), {nullptr, t.constant(Tensor::scalar(true))});
  const size_t count = inputs.size() - 2;
  const std::vector<Value*> last = f.ops(ops::Loop, inputs, encode_attributes(ops::LoopAttrs{.body = body}), count);
  const Choice end = Choice::of(last);
  return {end.index, end.chosen, end.count};
}

}  // namespace lapis::frontend
