// GridSample and RoiAlign: pixels around places that an operand gives, weighted and added up.
//
// Text of bodies says what is done along one axis of the map X; where it has a $, the number of the axis stands,
// and where it has a %, that of the next one.
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <numeric>

#include "frontends/onnx/definitions/definition.h"

namespace lapis::onnx_frontend::definitions {
namespace {

std::string along(int64_t axis, std::string_view text) {
  std::string result;
  for (const char c : text)
    result += c == '$' || c == '%' ? std::to_string(c == '$' ? axis : axis + 1) : std::string(1, c);
  return result;
}

// The numbers that both compute with, of the type of their places.
std::string numbers_like(std::string_view places) {
  return scalar_like("zero", "0.0", places) + scalar_like("half", "0.5", places) + scalar_like("one", "1.0", places) +
         integers("last_axis", {-1});
}

// "size$" and "last$" of the map, and as integers "extent$".
std::string extents(int64_t axis) {
  return extent("extent" + std::to_string(axis), "X", axis + 2) +
         along(axis, "size$ = CastLike (extent$, one) last$ = Sub (size$, one) ");
}

// A place that is no number comes to lie on the map as well: no pixel beyond it is ever read.
std::string on_map(const std::string& result, const std::string& place) {
  return apply(result + "_positive", "GreaterOrEqual", place + ", zero") +
         apply(result + "_before", "Min", place + ", last$") +
         apply(result, "Where", result + "_positive, " + result + "_before, zero");
}

// The pixels around "place$", in a new last axis, and how far from each it is.
constexpr std::string_view kTaps =
    "base$ = Floor (place$) part$ = Sub (place$, base$) "
    "base$_column = Unsqueeze (base$, last_axis) part$_column = Unsqueeze (part$, last_axis) "
    "tap$ = Add (base$_column, offsets) ahead$ = Sub (part$_column, offsets) distance$ = Abs (ahead$) ";

constexpr std::string_view kLinearWeights = "nearness$ = Sub (one, distance$) weight$ = Max (nearness$, zero) ";

// Keys' with A = -0.75: (A + 2) d^3 - (A + 3) d^2 + 1 up to a distance of 1, A d^3 - 5 A d^2 + 8 A d - 4 A beyond.
constexpr std::string_view kCubicWeights =
    "square$ = Mul (distance$, distance$) cube$ = Mul (square$, distance$) "
    "near_cube$ = Mul (cube$, inner3) near_square$ = Mul (square$, inner2) near_sum$ = Add (near_cube$, near_square$) "
    "near$ = Add (near_sum$, one) far_cube$ = Mul (cube$, outer3) far_square$ = Mul (square$, outer2) "
    "far_line$ = Mul (distance$, outer1) far_powers$ = Add (far_cube$, far_square$) far_sum$ = Add (far_powers$, "
    "far_line$) "
    "far$ = Add (far_sum$, outer0) is_near$ = LessOrEqual (distance$, one) weight$ = Where (is_near$, near$, far$) ";

std::string cubic_numbers() {
  return scalar_like("inner3", "1.25", "one") + scalar_like("inner2", "-2.25", "one") +
         scalar_like("outer3", "-0.75", "one") + scalar_like("outer2", "3.75", "one") +
         scalar_like("outer1", "-6.0", "one") + scalar_like("outer0", "3.0", "one");
}

std::vector<int64_t> range(int64_t first, int64_t end) {
  std::vector<int64_t> numbers(static_cast<size_t>(end - first));
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

// "weighted": the pixels at "row" among all of the map, of all channels in a new last axis, times "share".
std::string weighted(int64_t rank) {
  return channels_last("lines", "X", rank) + integers("any", {-1}) +
         "channels = Shape <start = 1, end = 2> (X) pixels_shape = Concat <axis = 0> (any, channels) "
         "pixels = Reshape (lines, pixels_shape) values = Gather <axis = 0> (pixels, row) "
         "share_like = CastLike (share, X) share_column = Unsqueeze (share_like, last_axis) "
         "weighted = Mul (values, share_column) ";
}

// ---- GridSample -----------------------------------------------------------------------------------------------------

// Where 1 and -1 lie: in the middle of the outer pixels, or at their edges.
std::string_view denormalized(bool align_corners) {
  return align_corners ? "raised$ = Add (normal$, one) wide$ = Mul (raised$, last$) at$ = Mul (wide$, half) "
                         "low$ = Identity (zero) span$ = Identity (last$) "
                       : "raised$ = Add (normal$, one) wide$ = Mul (raised$, size$) moved$ = Sub (wide$, one) "
                         "at$ = Mul (moved$, half) low$ = Neg (half) span$ = Identity (size$) ";
}

// Back and forth on "span$" from "low$". A map of one pixel has no span where corners are aligned,
// which the caller's on_map sees to.
std::string reflected(const std::string& result, const std::string& place) {
  return apply(result + "_moved", "Sub", place + ", low$") + apply(result + "_way", "Abs", result + "_moved") +
         apply(result + "_lap", "Mod <fmod = 1>", result + "_way, period$") +
         apply(result + "_turn", "Sub", result + "_lap, span$") + apply(result + "_rest", "Abs", result + "_turn") +
         apply(result + "_in", "Sub", "span$, " + result + "_rest") + apply(result, "Add", "low$, " + result + "_in");
}

// "place$" of "point$". With a border only pixels are moved onto the map, not places, as ONNX Runtime and PyTorch do.
std::string padded_place(const std::string& padding) {
  if (padding != "reflection") return "place$ = Identity (point$) ";
  return "twice$ = Add (span$, span$) period$ = Max (twice$, one) " + reflected("place$", "point$");
}

// "pixel$" of "tap$"; beyond the map nothing counts if it is padded with zeros.
std::string padded_taps(const std::string& padding) {
  if (padding == "reflection")
    return reflected("mirrored$", "tap$") + on_map("pixel$", "mirrored$") + "of$ = Identity (weight$) ";
  if (padding == "border") return on_map("pixel$", "tap$") + "of$ = Identity (weight$) ";
  return on_map("pixel$", "tap$") + "inside$ = Equal (pixel$, tap$) of$ = Where (inside$, weight$, zero) ";
}

struct Sampling {
  std::string mode, padding;
  bool align_corners;
  int64_t axes;  // of a map
};

// The integers "index$" and the weights "of$", [N, places..., taps],
// of which the taps come to lie in an axis of their own.
std::string sampled_along(int64_t axis, const Sampling& s) {
  std::vector<int64_t> others = range(s.axes + 1, 2 * s.axes + 1);
  others.erase(others.begin() + axis);
  const std::string number = std::to_string(axis);
  return extents(axis) +
         apply("component" + number, "Constant <value_int = " + std::to_string(s.axes - 1 - axis) + ">", "") +
         integers("others" + number, others) +
         along(axis, "normal$ = Gather <axis = -1> (grid, component$) " + std::string(denormalized(s.align_corners)) +
                         apply("point$", s.mode == "nearest" ? "Round" : "Identity", "at$") + padded_place(s.padding) +
                         std::string(kTaps) + std::string(s.mode == "cubic" ? kCubicWeights : kLinearWeights) +
                         padded_taps(s.padding) +
                         "whole$ = Cast <to = 7> (pixel$) index$ = Unsqueeze (whole$, others$) "
                         "factor$ = Unsqueeze (of$, others$) ");
}

// "row" and "share" of all axes together.
std::string together(int64_t axes) {
  std::vector<int64_t> shape(static_cast<size_t>(2 * axes + 1), 1);
  shape[0] = -1;
  std::string text = "no = Constant <value_int = 0> () step = Constant <value_int = 1> () " + extent("images", "X", 0) +
                     "image_row = Range (no, images_count, step) " + integers("image_shape", shape) +
                     "sum0 = Reshape (image_row, image_shape) product0 = Identity (one) ";
  for (int64_t axis = 0; axis < axes; ++axis)
    text += along(axis, "line$ = Mul (sum$, extent$) sum% = Add (line$, index$) product% = Mul (product$, factor$) ");
  return text + along(axes, "row = Identity (sum$) share = Identity (product$) ");
}

Status check(const Sampling& s, const Call& call) {
  const Type* x = call.type("X");
  if (s.axes < 1) return error(ErrorKind::Input, "has a map without axes to sample along");
  if (!x || !is_float(x->dtype)) return refuse("its map has no floats", "convert it with a Cast");
  for (const auto& [value, known] : {std::pair{s.mode, std::vector<std::string>{"nearest", "linear", "cubic"}},
                                     std::pair{s.padding, std::vector<std::string>{"zeros", "border", "reflection"}}})
    if (std::find(known.begin(), known.end(), value) == known.end())
      return error(ErrorKind::Input, "'" + value + "' is neither of its modes nor of its paddings");
  return ok();
}

Body grid_sample(const Call& call) {
  const auto rank = call.rank("X") ? call.rank("X") : call.rank("grid");
  if (!rank) return refuse("the rank of its map is not known", "declare the shape of the model's inputs");
  const Sampling s{call.string("mode"), call.string("padding_mode"), call.integer("align_corners") != 0, *rank - 2};
  LAPIS_CHECK(check(s, call));
  const std::string offsets = s.mode == "nearest" ? "0" : s.mode == "linear" ? "0, 1" : "-1, 0, 1, 2";
  std::string text = numbers_like("grid") + (s.mode == "cubic" ? cubic_numbers() : "") +
                     "steps = Constant <value_ints: ints = [" + offsets + "]> () offsets = CastLike (steps, one) ";
  for (int64_t axis = 0; axis < s.axes; ++axis) text += sampled_along(axis, s);
  return text + together(s.axes) + weighted(*rank) + integers("taps", range(s.axes + 1, 2 * s.axes + 1)) +
         "sum = ReduceSum <keepdims = 0> (weighted, taps) " + channels_first("Y", "sum", *rank);
}

// ---- RoiAlign -------------------------------------------------------------------------------------------------------

// Samples of a cell lie evenly: "count$" along the axis, as many as pixels below the cell if the model does not say how
// many. As these differ from box to box, all have room for the most, "step$" numbers it, and what a box does not have
// does not count. A cell is [boxes, cells, room].
std::string placed_along(int64_t axis, int64_t cells, bool half_pixel, int64_t ratio) {
  const std::string number = std::to_string(axis);
  return extents(axis) + integers("from" + number, {1 - axis}) + integers("to" + number, {3 - axis}) +
         integers("number" + number, range(0, cells)) +
         scalar_like("cells" + number, text_of(static_cast<float>(cells)), "X") +
         scalar_like("ratio" + number, text_of(static_cast<float>(ratio)), "X") +
         along(
             axis,
             "begin$ = Gather <axis = 1> (rois, from$) begin_scaled$ = Mul (begin$, scale) begin_at$ = Sub "
             "(begin_scaled$, offset) "
             "end$ = Gather <axis = 1> (rois, to$) end_scaled$ = Mul (end$, scale) end_at$ = Sub (end_scaled$, offset) "
             "length$ = Sub (end_at$, begin_at$) " +
                 apply("size_of_box$", half_pixel ? "Identity" : "Max", half_pixel ? "length$" : "length$, one") +
                 "cell_flat$ = Div (size_of_box$, cells$) first$ = Unsqueeze (begin_at$, last_axis) "
                 "cell$ = Unsqueeze (cell_flat$, last_axis) " +
                 apply("count$", ratio > 0 ? "Identity" : "Ceil", ratio > 0 ? "ratio$" : "cell$") +
                 "divisor$ = Max (count$, one) divisors$ = Reshape (divisor$, any_one) one_row$ = Reshape (one, "
                 "any_one) "
                 "divisors_or_one$ = Concat <axis = 0> (divisors$, one_row$) "
                 "most$ = ReduceMax <keepdims = 0> (divisors_or_one$) room$ = Cast <to = 7> (most$) "
                 "step_whole$ = Range (no, room$, next) step$ = CastLike (step_whole$, one) "
                 "middle$ = Add (step$, half) in_cell$ = Div (middle$, divisor$) "
                 "cell_number$ = CastLike (number$, one) cell_column$ = Unsqueeze (cell_number$, last_axis) "
                 "in_cells$ = Add (cell_column$, in_cell$) way$ = Mul (in_cells$, cell$) at$ = Add (first$, way$) "
                 "has$ = Less (step$, count$) ");
}

// "index$", "of$" and "counts$", [boxes, cells, room, taps], with axes of size 1 where the other axis has its own.
std::string aligned_along(int64_t axis, bool mean) {
  const std::vector<int64_t> others = axis == 0 ? std::vector<int64_t>{4, 5, 6} : std::vector<int64_t>{1, 2, 3};
  return integers("others" + std::to_string(axis), others) +
         along(axis,
               on_map("place$", "at$") + std::string(kTaps) + std::string(kLinearWeights) + on_map("pixel$", "tap$") +
                   "starts$ = GreaterOrEqual (at$, minus_one) ends$ = LessOrEqual (at$, size$) inside$ = And (starts$, "
                   "ends$) "
                   "sampled$ = And (inside$, has$) sampled_column$ = Unsqueeze (sampled$, last_axis) "
                   "of$ = Where (sampled_column$, weight$, zero) divisor_column$ = Unsqueeze (divisor$, last_axis) " +
                   apply("part_of$", mean ? "Div" : "Identity", mean ? "of$, divisor_column$" : "of$") +
                   "whole$ = Cast <to = 7> (pixel$) index$ = Unsqueeze (whole$, others$) "
                   "factor$ = Unsqueeze (part_of$, others$) ");
}

// The largest of the corners of all samples, not of what lies between them; nothing is sampled of a box without extent.
std::string largest(bool all_count) {
  const std::string where =
      "lowest = Constant <value_float: float = -3.4028234e38> () lowest_like = CastLike (lowest, X) "
      "has_column0 = Unsqueeze (has0, last_axis) has_at0 = Unsqueeze (has_column0, others0) "
      "has_column1 = Unsqueeze (has1, last_axis) has_at1 = Unsqueeze (has_column1, others1) "
      "both = And (has_at0, has_at1) both_column = Unsqueeze (both, last_axis) "
      "counted = Where (both_column, weighted, lowest_like) best = ReduceMax <keepdims = 0> (counted, samples) "
      "none = Equal (best, lowest_like) pooled = Where (none, zero, best) ";
  return all_count ? "pooled = ReduceMax <keepdims = 0> (weighted, samples) " : where;
}

Body roi_align(const Call& call) {
  constexpr int64_t kMost = 1024;
  const int64_t cells[] = {call.integer("output_height"), call.integer("output_width")};
  const int64_t ratio = call.integer("sampling_ratio");
  const std::string mode = call.string("mode"), coordinates = call.string("coordinate_transformation_mode");
  if (std::min(cells[0], cells[1]) < 1 || std::max(cells[0], cells[1]) > kMost)
    return error(ErrorKind::Input, "its output is not from 1 to " + std::to_string(kMost) + " cells high and wide");
  if (mode != "avg" && mode != "max") return error(ErrorKind::Input, "its mode '" + mode + "' is neither avg nor max");
  const bool half_pixel = coordinates == "half_pixel", mean = mode == "avg";
  if (!half_pixel && coordinates != "output_half_pixel")
    return error(ErrorKind::Input,
                 "its coordinates '" + coordinates + "' are neither half_pixel nor output_half_pixel");
  std::string text = numbers_like("X") + scalar_like("minus_one", "-1.0", "X") +
                     scalar_like("scale", "@spatial_scale", "X") +
                     scalar_like("offset", half_pixel ? "0.5" : "0.0", "X") + integers("any_one", {-1}) +
                     "corners = Constant <value_ints: ints = [0, 1]> () offsets = CastLike (corners, one) "
                     "no = Constant <value_int = 0> () next = Constant <value_int = 1> () ";
  for (const int64_t axis : {0, 1})
    text += placed_along(axis, cells[axis], half_pixel, ratio) + aligned_along(axis, mean);
  return text + integers("image_shape", {-1, 1, 1, 1, 1, 1, 1}) +
         "image = Reshape (batch_indices, image_shape) image_line = Mul (image, extent0) line = Add (image_line, "
         "index0) "
         "line_start = Mul (line, extent1) row = Add (line_start, index1) share = Mul (factor0, factor1) " +
         weighted(4) + integers("samples", {2, 3, 5, 6}) +
         (mean ? "pooled = ReduceSum <keepdims = 0> (weighted, samples) " : largest(ratio > 0)) +
         channels_first("Y", "pooled", 4);
}

constexpr Definition kRows[] = {
    {"GridSample <align_corners: int = 0, mode: string = \"linear\", padding_mode: string = \"zeros\"> (X, grid) => "
     "(Y)",
     2, grid_sample, "", false, Halves::InFloat},
    {"RoiAlign <coordinate_transformation_mode: string = \"half_pixel\", mode: string = \"avg\", output_height: int = "
     "1, "
     "output_width: int = 1, sampling_ratio: int = 0, spatial_scale: float = 1.0> (X, rois, batch_indices) => (Y)",
     3, roi_align, "", false, Halves::InFloat},
};

}  // namespace

std::span<const Definition> sampling_definitions() { return kRows; }

}  // namespace lapis::onnx_frontend::definitions
