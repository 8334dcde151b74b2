// NonMaxSuppression: of the boxes of each class the best ones, none of which overlaps a better one too much.
#include <algorithm>
#include <array>
#include <cmath>

#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/extents.h"
#include "ir/ops/loops.h"
#include "ir/ops/numerics.h"
#include "ir/ops/ops.h"

namespace lapis::ops {
namespace {

enum Operand : size_t { kBoxes, kScores, kMost, kOverlap, kLowestScore };

// Operands that are one number each may be scalars or lists of one.
Status check_numbers(const InferContext& c) {
  for (const size_t i : {kMost, kOverlap, kLowestScore}) {
    if (!c.has(i) || !c.in(i).ranked()) continue;
    const Type& type = c.in(i);
    if (type.rank() > 1 || (type.rank() == 1 && differ(type.dim(0), 1)))
      return c.error("'" + std::string(c.node().op().input(i).name) + "' is " + type.to_string() +
                     ", one number is needed");
  }
  return ok();
}

Result<Types> infer_suppression(const InferContext& c) {
  const Type &boxes = c.in(kBoxes), &scores = c.in(kScores);
  LAPIS_CHECK(check_numbers(c));
  if (boxes.ranked() && (boxes.rank() != 3 || differ(boxes.dim(2), 4)))
    return c.error("boxes are " + boxes.to_string() + ", not four numbers each, [batches, boxes, 4]");
  if (scores.ranked() && scores.rank() != 3)
    return c.error("scores are " + scores.to_string() + ", not [batches, classes, boxes]");
  if (boxes.ranked() && scores.ranked() && (differ(boxes.dim(0), scores.dim(0)) || differ(boxes.dim(1), scores.dim(2))))
    return c.error("boxes are " + boxes.to_string() + ", but scores " + scores.to_string());
  return Types{Type::tensor(DType::Int64, Dims{Dim::unknown(), 3})};
}

// What a box covers along an axis.
struct Extent {
  float low, high;
  float size() const { return high - low; }
};

struct Box {
  std::array<Extent, 2> along;
  float area() const { return along[0].size() * along[1].size(); }
};

Box box_at(std::span<const float> p, bool is_centered) {
  const auto around = [](float center, float size) { return Extent{center - size / 2, center + size / 2}; };
  const auto between = [](float a, float b) { return Extent{std::min(a, b), std::max(a, b)}; };
  if (is_centered) return {around(p[0], p[2]), around(p[1], p[3])};
  return {between(p[1], p[3]), between(p[0], p[2])};
}

// The share that both cover of what either covers, above `threshold`. A box without an area overlaps none.
bool overlap_by_more(const Box& a, const Box& b, float threshold) {
  Box common{};
  for (size_t i = 0; i < 2; ++i) {
    common.along[i] = {std::max(a.along[i].low, b.along[i].low), std::min(a.along[i].high, b.along[i].high)};
    if (common.along[i].high <= common.along[i].low) return false;
  }
  const float both = common.area(), either = a.area() + b.area() - both;
  if (both <= 0 || a.area() <= 0 || b.area() <= 0 || either <= 0) return false;
  return both / either > threshold;
}

struct Limits {
  int64_t most = 0;
  float overlap = 0;
  std::optional<float> score = std::nullopt;  // boxes need more
};

Limits limits_of(const EvalContext& c) {
  Limits limits;
  if (c.has(kMost)) limits.most = c.in(kMost).as_int(0);
  if (c.has(kOverlap)) limits.overlap = static_cast<float>(c.in(kOverlap).as_double(0));
  if (c.has(kLowestScore)) limits.score = static_cast<float>(c.in(kLowestScore).as_double(0));
  return limits;
}

// Best first, equal ones in their order.
std::vector<size_t> candidates(std::span<const float> scores, const Limits& limits) {
  std::vector<size_t> order;
  for (size_t i = 0; i < scores.size(); ++i)
    if (!limits.score || scores[i] > *limits.score) order.push_back(i);
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return above(scores[a], scores[b]); });
  return order;
}

std::vector<size_t> chosen(std::span<const Box> boxes, std::span<const float> scores, const Limits& limits) {
  std::vector<size_t> kept;
  for (const size_t i : candidates(scores, limits)) {
    if (static_cast<int64_t>(kept.size()) >= limits.most) break;
    if (std::ranges::none_of(kept,
                             [&](size_t better) { return overlap_by_more(boxes[i], boxes[better], limits.overlap); }))
      kept.push_back(i);
  }
  return kept;
}

std::vector<Box> boxes_of(const Tensor& numbers, int64_t batch, bool are_centered) {
  const auto count = static_cast<size_t>(numbers.dim(1));
  const auto rows = numbers.data<float>().subspan(static_cast<size_t>(batch) * count * 4, count * 4);
  std::vector<Box> boxes;
  for (size_t i = 0; i < count; ++i) boxes.push_back(box_at(rows.subspan(i * 4, 4), are_centered));
  return boxes;
}

Status evaluate_suppression(EvalContext& c) {
  const Tensor& scores = c.in(kScores);
  const bool are_centered = c.attrs<NonMaxSuppressionAttrs>().center_point_box;
  const Limits limits = limits_of(c);
  const auto count = static_cast<size_t>(scores.dim(2));
  std::vector<int64_t> found;
  for (int64_t batch = 0; batch < scores.dim(0); ++batch) {
    const std::vector<Box> boxes = boxes_of(c.in(kBoxes), batch, are_centered);
    for (int64_t kind = 0; kind < scores.dim(1); ++kind) {
      const auto row = static_cast<size_t>(batch * scores.dim(1) + kind);
      for (const size_t box : chosen(boxes, scores.data<float>().subspan(row * count, count), limits))
        found.insert(found.end(), {batch, kind, static_cast<int64_t>(box)});
    }
  }
  c.set_out(0, from_integers(DType::Int64, {static_cast<int64_t>(found.size()) / 3, 3}, found));
  return ok();
}

constexpr TypeSet kFloat = types(DType::Float32), kInt64 = types(DType::Int64);

}  // namespace

const OpDef NonMaxSuppression = op("NonMaxSuppression")
                                    .since(11)
                                    .doc("The best boxes of each class, without those that overlap a better one.")
                                    .in("boxes", kFloat)
                                    .in("scores", kFloat)
                                    .optional_in("max_output_boxes_per_class", kInt64)
                                    .optional_in("iou_threshold", kFloat)
                                    .optional_in("score_threshold", kFloat)
                                    .out("selected_indices", kInt64)
                                    .attrs<NonMaxSuppressionAttrs>()
                                    .infer(infer_suppression)
                                    .evaluate(evaluate_suppression)
                                    .traits(Trait::Pure);

}  // namespace lapis::ops
