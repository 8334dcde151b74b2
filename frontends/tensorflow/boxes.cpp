// The choice of boxes that do not overlap better ones.
#include <algorithm>
#include <limits>

#include "frontends/common/suppression.h"
#include "frontends/tensorflow/translators.h"

namespace lapis::tensorflow_frontend {
namespace {

using frontend::Chosen;
using frontend::Formula;
using frontend::Limits;
using frontend::Overlaps;
using frontend::Rules;

enum Operand : size_t { kBoxes, kScores, kMost, kOverlap, kLeastScore, kSigma };  // older versions have fewer

// Corners stand in any order.
frontend::Boxes boxes_of(Formula& f, Value* rows) {
  const auto at = [&](int64_t i) { return f.unsqueeze(f.squeeze(f.slice(rows, 1, i, i + 1), 1), {0}); };
  Value *y1 = at(0), *x1 = at(1), *y2 = at(2), *x2 = at(3);
  return {f.min({x1, x2}), f.min({y1, y2}), f.max({x1, x2}), f.max({y1, y2}), nullptr};
}

Overlaps shares_of_boxes(Formula& f, Value* rows) { return shares_of(f, boxes_of(f, rows)); }

// Of all with all, as the program has computed them.
Overlaps overlaps_as_given(Formula& f, Value* all) {
  Value *flat = f.reshape(all, {-1}), *width = f.size(all, 1);
  return [=](Formula& inner, Value* at, Value* chosen) {
    return inner.gather(flat, inner.add({inner.mul({at, width}), chosen}), 0);
  };
}

Status check_types(const Translation& t) {
  for (const size_t i : {kBoxes, kScores}) {
    const frontend::SourceValue& operand = t.input(i);
    if (operand.quantization || (operand.type.dtype != DType::Float32 && operand.type.dtype != DType::Undefined))
      return Translation::unsupported("boxes and scores that are not float32");
  }
  return ok();
}

Result<double> constant_number(const Translation& t, size_t i, const char* what) {
  const Tensor& tensor = t.input(i).constant;
  if (!tensor.defined()) return Translation::unsupported(std::string(what) + " that is computed");
  if (tensor.size() != 1) return error(ErrorKind::Input, "has several numbers as " + std::string(what));
  return tensor.as_double(0);
}

Result<Value*> limit_of(Translation& t, size_t i, double fallback) {
  if (!t.has(i)) return frontend::scalar(t, fallback, DType::Float32);
  return t.real(i, Layout::AsWritten);
}

Result<int64_t> most_of(const Translation& t, size_t i) {
  constexpr int64_t kMostBoxes = 1 << 20;
  LAPIS_TRY(const int64_t most, number(t, i, "numbers of boxes"));
  if (most >= 0 && most <= kMostBoxes) return most;
  return error(ErrorKind::Input, "chooses " + std::to_string(most) + " boxes");
}

Result<Limits> limits_of(Translation& t, Rules rules) {
  constexpr double kHalf = 0.5, kLowest = std::numeric_limits<float>::lowest();
  Limits limits{.rules = rules};
  LAPIS_TRY(limits.most, most_of(t, kMost));
  LAPIS_TRY(limits.overlap, limit_of(t, kOverlap, t.get<double>("iou_threshold", kHalf)));
  LAPIS_TRY(limits.score, limit_of(t, kLeastScore, kLowest));
  if (t.has(kSigma)) {
    LAPIS_TRY(limits.sigma, constant_number(t, kSigma, "a sigma"));
  }
  return limits;
}

Value* nothing(Formula& f) { return f.number(-std::numeric_limits<double>::infinity()); }

Value* candidates_of(Formula& f, Value* scores, const Limits& limits) {
  return f.where({f.greater({scores, limits.score}), scores, nothing(f)});
}

// All rows of results, or as many as boxes were chosen.
struct Results {
  Formula& f;
  Value* count;
  bool padded;

  Value* of(Value* row) const {
    Value* all = f.squeeze(row, 0);
    return padded ? all : f.op(ops::Slice, {all, f.integers({0}), count, f.integers({0})});
  }
};

Status choose_by(Translation& t, Overlaps (*overlaps_of)(Formula& f, Value* operand), Rules rules, bool padded) {
  LAPIS_CHECK(check_types(t));
  LAPIS_TRY(const Limits limits, limits_of(t, rules));
  LAPIS_TRY(Value * boxes, t.real(kBoxes, Layout::AsWritten));
  LAPIS_TRY(Value * scores, t.real(kScores, Layout::AsWritten));
  Formula f(t);
  Value* candidates = f.unsqueeze(candidates_of(f, scores, limits), {0});
  const Overlaps overlaps = overlaps_of(f, boxes);
  LAPIS_CHECK(f.status());
  const Chosen chosen = choose(t, f, overlaps, candidates, limits);
  const Results results{f, f.squeeze(chosen.count, 1), padded};
  std::vector<Value*> all = {f.cast(results.of(chosen.index), DType::Int32)};
  if (t.has(kSigma)) all.push_back(results.of(chosen.scores));
  all.push_back(f.cast(f.op(ops::Squeeze, {chosen.count}), DType::Int32));
  LAPIS_CHECK(f.status());
  if (t.output_count() > all.size()) return error(ErrorKind::Input, "has not the outputs of its version");
  for (size_t i = 0; i < t.output_count(); ++i) LAPIS_CHECK(frontend::result(t, i, all[i]));
  return ok();
}

// ---- the boxes of several classes, in a batch -----------------------------------------------------------------------

struct Combined {
  Value *boxes, *scores;  // [batch, N, forms, 4], [batch, N, classes]
  Limits limits;          // of one class
  int64_t all;            // that are chosen at most, of all classes
  bool clips, pads_by_class;

  int64_t count() const { return scores->type().dim(1).value(); }
  int64_t classes() const { return scores->type().dim(2).value(); }
  int64_t forms() const { return boxes->type().dim(2).value(); }  // 1, or a box for each class
};

bool is_known_behind_batch(const Value* x, int64_t rank) {
  if (!x->type().ranked() || x->type().rank() != rank) return false;
  for (int64_t i = 1; i < rank; ++i)
    if (!x->type().dim(i).is_constant()) return false;
  return true;
}

Result<Combined> combined_of(Translation& t) {
  enum : size_t { kPerClass = 2, kAll, kShare, kLeast };
  Combined c{};
  LAPIS_CHECK(check_types(t));
  LAPIS_TRY(c.boxes, t.real(kBoxes, Layout::AsWritten));
  LAPIS_TRY(c.scores, t.real(kScores, Layout::AsWritten));
  LAPIS_TRY(c.limits.most, most_of(t, kPerClass));
  LAPIS_TRY(c.all, most_of(t, kAll));
  LAPIS_TRY(c.limits.overlap, t.real(kShare, Layout::AsWritten));
  LAPIS_TRY(c.limits.score, t.real(kLeast, Layout::AsWritten));
  c.clips = t.get<bool>("clip_boxes", true);
  c.pads_by_class = t.get<bool>("pad_per_class", false);
  if (!is_known_behind_batch(c.boxes, 4) || !is_known_behind_batch(c.scores, 3))
    return Translation::unsupported("boxes or classes whose number is not known");
  const bool fit = c.boxes->type().dim(1) == c.scores->type().dim(1) && c.boxes->type().dim(3) == Dim(4) &&
                   (c.forms() == 1 || c.forms() == c.classes()) && c.count() > 0 && c.classes() > 0;
  if (!fit || c.limits.most == 0 || c.all == 0)
    return error(ErrorKind::Input, "chooses nothing, or its boxes and scores do not fit each other");
  if (c.pads_by_class) c.all = std::min(c.all, c.limits.most * c.classes());
  c.limits.most = std::min(c.limits.most, c.count());
  return c;
}

// A row for each class of each of the batch: [batch * classes, N] of [batch, N, classes or 1].
Value* rows_of_classes(Formula& f, const Combined& c, Value* x) {
  x = f.op(ops::Transpose, {x}, ops::TransposeAttrs{{0, 2, 1}});
  x = f.op(ops::Expand, {x, f.integers({1, c.classes(), 1})});
  return f.reshape(x, {-1, c.count()});
}

frontend::Boxes boxes_of_classes(Formula& f, const Combined& c) {
  const auto at = [&](int64_t i) { return rows_of_classes(f, c, f.squeeze(f.slice(c.boxes, 3, i, i + 1), 3)); };
  Value *y1 = at(0), *x1 = at(1), *y2 = at(2), *x2 = at(3);
  return {f.min({x1, x2}), f.min({y1, y2}), f.max({x1, x2}), f.max({y1, y2}), nullptr};
}

// [batch, all, 6]: corners, score, class; zeros behind the last one.
Value* best_of_all(Formula& f, const Combined& c, const Chosen& chosen) {
  const int64_t each = c.limits.most, together = each * c.classes(), most = std::min(together, c.all);
  Value* valid = f.op(ops::Less, {f.range(f.integers({each})), chosen.count});
  Value* ranked = f.reshape(f.where({valid, chosen.scores, nothing(f)}), {-1, together});
  const std::vector<Value*> best =
      f.ops(ops::TopK, {ranked, f.integers({most})}, encode_attributes(ops::TopKAttrs{.axis = 1}), 2);
  Value* box = f.squeeze(frontend::take_rows(f, f.reshape(chosen.index, {-1, together, 1}), best[1]), 2);
  Value* of_class = f.div({best[1], f.number(static_cast<double>(each), DType::Int64)});
  Value* forms = f.number(static_cast<double>(c.forms()), DType::Int64);
  Value* form = c.forms() == 1 ? box : f.add({f.mul({box, forms}), of_class});
  Value* corners = frontend::take_rows(f, f.reshape(c.boxes, {-1, c.count() * c.forms(), 4}), form);
  if (c.clips) corners = f.op(ops::Clip, {corners, f.number(0), f.number(1)});
  Value* classes = f.unsqueeze(f.cast(of_class, DType::Float32), {2});
  Value* rows = f.concat({corners, f.unsqueeze(best[0], {2}), classes}, 2);
  rows = f.where({f.unsqueeze(f.greater({best[0], nothing(f)}), {2}), rows, f.number(0)});
  return most == c.all ? rows : f.op(ops::Pad, {rows, f.integers({0, 0, 0, 0, c.all - most, 0})}, ops::PadAttrs{});
}

}  // namespace

Status combined_non_max_suppression(Translation& t) {
  LAPIS_TRY(const Combined c, combined_of(t));
  Formula f(t);
  Value* candidates = candidates_of(f, rows_of_classes(f, c, c.scores), c.limits);
  const Overlaps overlaps = shares_of(f, boxes_of_classes(f, c));
  LAPIS_CHECK(f.status());
  const Chosen chosen = choose(t, f, overlaps, candidates, c.limits);
  Value* rows = best_of_all(f, c, chosen);
  Value* count = f.op(ops::ReduceSum, {f.reshape(chosen.count, {-1, c.classes()}), f.integers({1})},
                      Attributes{{"keepdims", int64_t{0}}});
  count = f.cast(f.min({count, f.number(static_cast<double>(c.all), DType::Int64)}), DType::Int32);
  const auto column = [&](int64_t i) { return f.squeeze(f.slice(rows, 2, i, i + 1), 2); };
  const std::vector<Value*> all = {f.slice(rows, 2, 0, 4), column(4), column(5), count};
  LAPIS_CHECK(f.status());
  if (t.output_count() > all.size()) return error(ErrorKind::Input, "has more than its four outputs");
  for (size_t i = 0; i < t.output_count(); ++i) LAPIS_CHECK(frontend::result(t, i, all[i]));
  return ok();
}

Status non_max_suppression(Translation& t) {
  return choose_by(t, shares_of_boxes, Rules::TensorFlow, t.get<bool>("pad_to_max_output_size", false));
}

Status non_max_suppression_with_overlaps(Translation& t) {
  return choose_by(t, overlaps_as_given, Rules::TensorFlow, false);
}

Status non_max_suppression_of_tflite(Translation& t) { return choose_by(t, shares_of_boxes, Rules::TFLite, true); }

}  // namespace lapis::tensorflow_frontend
