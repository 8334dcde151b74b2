// Operators of torchvision's detectors: the choice among boxes, and what lies below them.
#include <cmath>
#include <limits>

#include "frontends/common/regions.h"
#include "frontends/common/suppression.h"
#include "frontends/pytorch/translators.h"

namespace lapis::pytorch_frontend {
namespace {

using frontend::Formula;

Status check_float32(std::initializer_list<const Value*> operands) {
  for (const Value* operand : operands)
    if (operand->dtype() != DType::Float32) return Translation::unsupported("boxes or maps that are not float32");
  return ok();
}

// PyTorch compares floats with a double: they lie above it where they lie above the next float that does not.
double float_not_above(double limit) {
  const auto nearest = static_cast<float>(limit);
  return nearest > limit ? std::nextafter(nearest, std::numeric_limits<float>::lowest()) : nearest;
}

// Of boxes [N, 4] and scores [N]: the numbers of those that stay, the best one first.
Value* chosen(Translation& t, Formula& f, Value* boxes, Value* scores, double limit) {
  Value* order = f.ops(ops::TopK, {scores, f.size(scores, 0)}, encode_attributes(ops::TopKAttrs{.axis = 0}), 2)[1];
  Value* rows = f.unsqueeze(f.gather(boxes, order, 0), {0});
  const auto at = [&](int64_t i) { return frontend::column(f, rows, i); };
  const frontend::Boxes sorted = {at(0), at(1), at(2), at(3), nullptr};
  Value* all = f.op(ops::Expand, {f.number(1, DType::Bool), f.op(ops::ShapeOf, {sorted.left})});
  Value* kept = frontend::suppress(t, f, sorted, all, float_not_above(limit), false);
  return f.op(ops::Compress, {order, f.squeeze(kept, 0)}, ops::CompressAttrs{.axis = 0});
}

Status nms(Translation& t) {
  Args a(t);
  const double limit = a.number("iou_threshold", 0);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * boxes, a.tensor("dets"));
  LAPIS_TRY(Value * scores, a.tensor("scores"));
  LAPIS_CHECK(check_float32({boxes, scores}));
  Formula f(t);
  Value* result = chosen(t, f, boxes, scores, limit);
  LAPIS_CHECK(f.status());
  return finish(t, result);
}

Status roi_align(Translation& t) {
  Args a(t);
  const frontend::Regions regions = {{a.integer("pooled_height", 0), a.integer("pooled_width", 0)},
                                     a.number("spatial_scale", 1),
                                     a.flag("aligned", false) ? 0.5 : 0.0,
                                     a.integer("sampling_ratio", -1)};
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * map, a.tensor("input"));
  LAPIS_TRY(Value * boxes, a.tensor("rois"));
  LAPIS_CHECK(check_float32({map, boxes}));
  return finish(t, frontend::below_boxes(t, map, boxes, regions));
}

constexpr AtenRow kRows[] = {
    {"torchvision.nms", "dets scores iou_threshold", nms},
    {"torchvision.roi_align", "input rois spatial_scale pooled_height pooled_width sampling_ratio aligned", roi_align},
};

}  // namespace

std::span<const AtenRow> box_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
