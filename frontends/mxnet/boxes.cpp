// Operators of detectors: boxes before them (MultiBoxPrior), what a network says of them (box_decode,
// MultiBoxDetection), the choice among them (box_nms).
#include <cmath>
#include <limits>

#include "frontends/common/suppression.h"
#include "frontends/mxnet/translators.h"

namespace lapis::mxnet_frontend {
namespace {

using frontend::as_keys;
using frontend::Boxes;
using frontend::column;
using frontend::Formula;
using frontend::minus_one_unless;
using frontend::sort_rows;
using frontend::Sorted;
using frontend::suppress;
using frontend::valid_first;

// Corners as rows of four.
Value* corners(Formula& f, Value* x, Value* y, Value* half_width, Value* half_height, int64_t axis) {
  return f.concat({f.sub({x, half_width}), f.sub({y, half_height}), f.add({x, half_width}), f.add({y, half_height})},
                  axis);
}

Value* part(Formula& f, Value* x, int64_t i) { return f.slice(x, -1, i, i + 1); }

// ---- MultiBoxPrior --------------------------------------------------------------------------------------------------

struct Priors {
  std::vector<double> sizes, ratios, steps, offsets;
  bool clip;
};

Result<Priors> priors_of(Translation& t) {
  constexpr size_t kMost = 4096;
  Options o(t);
  const Priors p = {o.numbers("sizes", {1}), o.numbers("ratios", {1}), o.numbers("steps", {-1, -1}),
                    o.numbers("offsets", {0.5, 0.5}), o.flag("clip", false)};
  LAPIS_CHECK(o.status());
  if (p.sizes.empty() || p.ratios.empty() || p.sizes.size() + p.ratios.size() > kMost)
    return error(ErrorKind::Input, "its sizes and ratios are none, or too many");
  if (p.steps.size() != 2 || p.offsets.size() != 2)
    return error(ErrorKind::Input, "its steps and offsets are not two numbers each");
  return p;
}

// Halves of the extents of the boxes at one place:
// all sizes with the first ratio, then the first size with the other ones.
struct Halves {
  std::vector<float> widths, heights;
};

Halves halves_of(const Priors& p) {
  Halves h;
  const auto add = [&](double size, double ratio) {
    const float root = std::sqrt(static_cast<float>(ratio));
    h.widths.push_back(static_cast<float>(size) * root / 2);
    h.heights.push_back(static_cast<float>(size) / root / 2);
  };
  for (const double size : p.sizes) add(size, p.ratios[0]);
  for (size_t i = 1; i < p.ratios.size(); ++i) add(p.sizes[0], p.ratios[i]);
  return h;
}

// (i + offset) * step for all i, where a step that is not given makes the last one end at 1.
Value* centers(Formula& f, Value* count, double offset, double step) {
  Value* places = f.add({f.cast(f.range(count), DType::Float32), f.number(offset)});
  return step > 0 ? f.mul({places, f.number(step)}) : f.div({places, f.cast(count, DType::Float32)});
}

Value* prior_boxes(Formula& f, Value* x, const Priors& p) {
  const Halves halves = halves_of(p);
  const auto count = static_cast<int64_t>(halves.widths.size());
  const bool has_steps = p.steps[0] > 0 && p.steps[1] > 0;
  Value *height = f.size(x, 2), *width = f.size(x, 3);
  Value* aspect = f.div({f.cast(height, DType::Float32), f.cast(width, DType::Float32)});
  Value* half_widths = f.mul({f.floats({count}, halves.widths), aspect});
  Value* half_heights = f.floats({count}, halves.heights);
  Value* across = f.unsqueeze(centers(f, width, p.offsets[1], has_steps ? p.steps[1] : 0), {0, 2});  // [1, W, 1]
  Value* down = f.unsqueeze(centers(f, height, p.offsets[0], has_steps ? p.steps[0] : 0), {1, 2});   // [H, 1, 1]
  Value* all = f.concat({height, width, f.integers({count})}, 0);
  const auto everywhere = [&](Value* v) { return f.unsqueeze(f.op(ops::Expand, {v, all}), {3}); };
  Value* boxes = f.concat({everywhere(f.sub({across, half_widths})), everywhere(f.sub({down, half_heights})),
                           everywhere(f.add({across, half_widths})), everywhere(f.add({down, half_heights}))},
                          3);
  return f.reshape(boxes, {1, -1, 4});
}

Value* between_0_and_1(Formula& f, Value* x) { return f.op(ops::Clip, {x, f.number(0), f.number(1)}); }

// ---- decoding -------------------------------------------------------------------------------------------------------

struct Decoding {
  std::vector<double> scales;  // of x, y, width, height
  double limit;                // of the logarithm of an extent; not above 0: none
  bool from_corners;           // the anchors are
};

// What was predicted relative to anchors: [..., 4] both.
Value* decoded(Formula& f, Value* predicted, Value* anchors, const Decoding& d) {
  Value *x = part(f, anchors, 0), *y = part(f, anchors, 1), *width = part(f, anchors, 2), *height = part(f, anchors, 3);
  if (d.from_corners) {
    Value *right = width, *bottom = height;
    width = f.sub({right, x});
    height = f.sub({bottom, y});
    x = f.half(f.add({x, right}));
    y = f.half(f.add({y, bottom}));
  }
  const auto scaled = [&](int64_t i) {
    return f.mul({part(f, predicted, i), f.number(d.scales[static_cast<size_t>(i)])});
  };
  const auto half_of = [&](int64_t i, Value* extent) {
    Value* logarithm = d.limit > 0 ? f.min({scaled(i), f.number(d.limit)}) : scaled(i);
    return f.half(f.mul({f.op(ops::Exp, {logarithm}), extent}));
  };
  x = f.add({f.mul({scaled(0), width}), x});
  y = f.add({f.mul({scaled(1), height}), y});
  Value *half_width = half_of(2, width), *half_height = half_of(3, height);
  return corners(f, x, y, half_width, half_height, -1);
}

Result<Decoding> decoding_of(Translation& t) {
  Options o(t);
  const std::string format = o.word("format", "corner");
  const Decoding d = {{o.number("std0", 1), o.number("std1", 1), o.number("std2", 1), o.number("std3", 1)},
                      o.number("clip", -1),
                      format == "corner"};
  LAPIS_CHECK(o.status());
  return d;
}

// ---- box_nms --------------------------------------------------------------------------------------------------------

struct Choice {
  double overlap, least_score;
  int64_t most, coordinates, score, id, background;
  bool every_class, from_corners, to_corners;
};

Result<Choice> choice_of(Translation& t, int64_t width) {
  Options o(t);
  Choice c = {o.number("overlap_thresh", 0.5),
              o.number("valid_thresh", 0),
              o.integer("topk", -1),
              o.integer("coord_start", 2),
              o.integer("score_index", 1),
              o.integer("id_index", -1),
              o.integer("background_id", -1),
              o.flag("force_suppress", false),
              o.word("in_format", "corner") == "corner",
              o.word("out_format", "corner") == "corner"};
  LAPIS_CHECK(o.status());
  const bool fits = c.coordinates >= 0 && c.coordinates <= width - 4 && c.score >= 0 && c.score < width && c.id < width;
  if (!fits) return error(ErrorKind::Input, "its rows of " + std::to_string(width) + " do not hold what it reads");
  return c;
}

Value* has_score(Formula& f, Value* rows, const Choice& c) {
  Value* valid = f.greater({column(f, rows, c.score), f.number(c.least_score)});
  if (c.id < 0) return valid;
  Value* is_background = f.op(ops::Equal, {column(f, rows, c.id), f.number(static_cast<double>(c.background))});
  return f.both({valid, f.opposite(is_background)});
}

Boxes boxes_of(Formula& f, Value* rows, const Choice& c) {
  const auto at = [&](int64_t i) { return column(f, rows, c.coordinates + i); };
  Value* classes = c.id < 0 || c.every_class ? nullptr : column(f, rows, c.id);
  if (c.from_corners) return {at(0), at(1), at(2), at(3), classes};
  Value *half_width = f.half(at(2)), *half_height = f.half(at(3));
  return {f.sub({at(0), half_width}), f.sub({at(1), half_height}), f.add({at(0), half_width}),
          f.add({at(1), half_height}), classes};
}

// Coordinates in the other form, but of what is left of -1 as it is.
Value* converted(Formula& f, Value* rows, const Choice& c) {
  Value* box = f.slice(rows, 2, c.coordinates, c.coordinates + 4);
  Value *a = part(f, box, 0), *b = part(f, box, 1), *third = part(f, box, 2), *fourth = part(f, box, 3);
  Value* other = nullptr;
  if (c.from_corners) {
    other = f.concat({f.half(f.add({a, third})), f.half(f.add({b, fourth})), f.sub({third, a}), f.sub({fourth, b})}, 2);
  } else {
    Value *half_width = f.half(third), *half_height = f.half(fourth);
    other = corners(f, a, b, half_width, half_height, 2);
  }
  box = f.where({f.op(ops::Less, {a, f.number(0)}), box, other});
  std::vector<Value*> all = {box};
  if (c.coordinates > 0) all.insert(all.begin(), f.slice(rows, 2, 0, c.coordinates));
  const int64_t width =
      rows && rows->type().ranked() && rows->type().dim(2).is_constant() ? rows->type().dim(2).value() : 0;
  if (c.coordinates + 4 < width) all.push_back(f.slice(rows, 2, c.coordinates + 4, width));
  return f.concat(std::move(all), 2);
}

// As many rows as there were, the last ones of -1.
Value* padded(Formula& f, Value* rows, Value* wanted) {
  Value* missing = f.sub({f.size(wanted, 1), f.size(rows, 1)});
  Value* pads = f.concat({f.integers({0, 0, 0, 0}), missing, f.integers({0})}, 0);
  return f.op(ops::Pad, {rows, pads, f.number(-1)}, ops::PadAttrs{});
}

Value* chosen(Translation& t, Formula& f, Value* rows, const Choice& c) {
  Value* valid = has_score(f, rows, c);
  Sorted best = sort_rows(f, rows, as_keys(f, valid, column(f, rows, c.score)));
  if (c.most > 0) best = {f.slice(best.rows, 1, 0, c.most), f.slice(best.valid, 1, 0, c.most)};
  Value* kept = suppress(t, f, boxes_of(f, best.rows, c), best.valid, c.overlap, false);
  const Sorted first = valid_first(f, best.rows, kept);
  Value* result = minus_one_unless(f, first.valid, first.rows);
  if (c.from_corners != c.to_corners) result = converted(f, result, c);
  return c.most > 0 ? padded(f, result, rows) : result;
}

// Batches of rows of constant width: [M, N, W], whatever stands in front.
Result<Value*> batches_of_rows(Translation& t, Value* x, int64_t rank) {
  if (rank == 3) return x;
  if (rank == 2) return frontend::unsqueeze(t, x, {0});
  const Dim& count = x->type().dim(-2);
  if (!count.is_constant()) return Translation::unsupported("a number of boxes that is not known");
  return frontend::reshape(t, x, {-1, count.value(), x->type().dim(-1).value()});
}

// ---- MultiBoxDetection ----------------------------------------------------------------------------------------------

struct Detection {
  double threshold, overlap;
  std::vector<double> scales;
  int64_t most;
  bool clip, every_class;
};

Result<Detection> detection_of(Translation& t) {
  Options o(t);
  const Detection d = {
      o.number("threshold", 0.01), o.number("nms_threshold", 0.5), o.numbers("variances", {0.1, 0.1, 0.2, 0.2}),
      o.integer("nms_topk", -1),   o.flag("clip", true),           o.flag("force_suppress", false)};
  const int64_t background = o.integer("background_id", 0);
  LAPIS_CHECK(o.status());
  if (d.scales.size() != 4) return error(ErrorKind::Input, "its variances are not four numbers");
  if (background != 0) return Translation::unsupported("a background that is not the first class");
  return d;
}

// (class, score, corners) of every anchor.
struct Detected {
  Value *rows, *scores;
};

Detected detected(Formula& f, Value* probabilities, Value* boxes) {
  Value* of_classes = f.slice(probabilities, 1, 1, std::numeric_limits<int64_t>::max());
  const std::vector<Value*> best =
      f.ops(ops::TopK, {of_classes, f.integers({1})}, encode_attributes(ops::TopKAttrs{.axis = 1}), 2);
  Value* scores = f.squeeze(best[0], 1);
  Value* classes = f.cast(f.squeeze(best[1], 1), DType::Float32);
  return {f.concat({f.unsqueeze(classes, {2}), f.unsqueeze(scores, {2}), boxes}, 2), scores};
}

// MXNet sorts the best ones only; behind them stands what stood there before.
Value* best_in_front(Formula& f, Value* sorted, Value* unsorted, int64_t most) {
  if (most <= 0) return sorted;
  return f.concat({f.slice(sorted, 1, 0, most), f.slice(unsorted, 1, most, std::numeric_limits<int64_t>::max())}, 1);
}

// Those that are not among the best are as if suppressed.
Value* among_best(Formula& f, Value* valid, int64_t most) {
  if (most <= 0) return valid;
  return f.both(
      {valid, f.op(ops::Less, {f.range(f.size(valid, 1)), f.number(static_cast<double>(most), DType::Int64)})});
}

// Rows that are suppressed lose their class and nothing else.
Value* without_class(Formula& f, Value* rows, Value* kept) {
  return f.concat({minus_one_unless(f, kept, f.slice(rows, 2, 0, 1)), f.slice(rows, 2, 1, 6)}, 2);
}

Value* detections(Translation& t, Formula& f, const Detected& all, const Detection& d) {
  Value* valid = f.op(ops::GreaterOrEqual, {all.scores, f.number(d.threshold)});
  const Sorted first = valid_first(f, all.rows, valid);
  if (d.overlap <= 0 || d.overlap > 1) return minus_one_unless(f, first.valid, first.rows);
  const Sorted sorted = sort_rows(f, all.rows, as_keys(f, valid, all.scores));
  Value* rows = best_in_front(f, sorted.rows, first.rows, d.most);
  const auto at = [&](int64_t i) { return column(f, rows, i); };
  const Boxes boxes = {at(2), at(3), at(4), at(5), d.every_class ? nullptr : at(0)};
  Value* kept = suppress(t, f, boxes, among_best(f, first.valid, d.most), d.overlap, true);
  return minus_one_unless(f, first.valid, without_class(f, rows, kept));
}

Status finish_with(Translation& t, const Formula& f, Value* result) {
  LAPIS_CHECK(f.status());
  return finish(t, result);
}

Result<Value*> of_rank(Translation& t, size_t i, int64_t wanted) {
  LAPIS_TRY(Value * x, operand(t, i));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  if (rank == wanted) return x;
  return error(ErrorKind::Input, "operand " + std::to_string(i) + " has " + std::to_string(rank) + " axes, not " +
                                     std::to_string(wanted));
}

}  // namespace

Status multibox_prior(Translation& t) {
  LAPIS_TRY(const Priors p, priors_of(t));
  LAPIS_TRY(Value * x, of_rank(t, 0, 4));
  Formula f(t);
  Value* boxes = prior_boxes(f, x, p);
  return finish_with(t, f, p.clip ? between_0_and_1(f, boxes) : boxes);
}

Status box_decode(Translation& t) {
  LAPIS_TRY(const Decoding d, decoding_of(t));
  LAPIS_TRY(Value * predicted, of_rank(t, 0, 3));
  LAPIS_TRY(Value * anchors, of_rank(t, 1, 3));
  Formula f(t);
  return finish_with(t, f, decoded(f, predicted, anchors, d));
}

Status box_nms(Translation& t) {
  LAPIS_TRY(Value * x, operand(t));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  if (rank < 2 || !x->type().dim(-1).is_constant())
    return Translation::unsupported("rows of a length that is not known");
  LAPIS_TRY(const Choice c, choice_of(t, x->type().dim(-1).value()));
  if (c.most == 0) return finish(t, x);
  LAPIS_TRY(Value * rows, batches_of_rows(t, x, rank));
  Formula f(t);
  Value* result = chosen(t, f, rows, c);
  return finish_with(t, f, rank == 3 ? result : f.op(ops::Reshape, {result, f.op(ops::ShapeOf, {x})}));
}

Status multibox_detection(Translation& t) {
  LAPIS_TRY(const Detection d, detection_of(t));
  LAPIS_TRY(Value * probabilities, of_rank(t, 0, 3));
  LAPIS_TRY(Value * predicted, of_rank(t, 1, 2));
  LAPIS_TRY(Value * anchors, of_rank(t, 2, 3));
  Formula f(t);
  Value* boxes = decoded(f, f.reshape(predicted, {0, -1, 4}), anchors, {d.scales, 0, true});
  const Detected all = detected(f, probabilities, d.clip ? between_0_and_1(f, boxes) : boxes);
  return finish_with(t, f, detections(t, f, all, d));
}

}  // namespace lapis::mxnet_frontend
