// Fake quantization, as training with quantization leaves it: pairs of QuantizeLinear and DequantizeLinear with exactly
// the scale and the zero point that TensorFlow makes of a range, which is moved so that 0 is one of its numbers.
#include <algorithm>
#include <cmath>

#include "frontends/tensorflow/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::tensorflow_frontend {
namespace {

using frontend::Quantization;

// The integers that stand for reals, and the scale and zero point of each range.
struct Grid {
  int64_t lowest = 0, highest = 0;
  Quantization q;
};

// TensorFlow computes in float, and so do we: the scale is the same number to the last bit.
Status add_range(Grid& grid, float low, float high) {
  if (!std::isfinite(low) || !std::isfinite(high) || low > 0 || high < 0 || low >= high)
    return error(ErrorKind::Input,
                 "its range from " + std::to_string(low) + " to " + std::to_string(high) + " does not hold 0 and more");
  const auto lowest = static_cast<float>(grid.lowest), highest = static_cast<float>(grid.highest);
  const float scale = (high - low) / (highest - lowest);
  if (!(scale > 0) || !std::isfinite(scale)) return error(ErrorKind::Input, "its range is too small or too large");
  const float zero = lowest - low / scale;
  const float nudged = zero < lowest ? lowest : zero > highest ? highest : std::round(zero);
  grid.q.scales.push_back(scale);
  grid.q.zero_points.push_back(static_cast<int64_t>(nudged));
  return ok();
}

Result<Grid> grid_of(const Translation& t, const std::vector<float>& lows, const std::vector<float>& highs) {
  constexpr int64_t kBits = 8, kFewest = 2, kMost = 16;
  const auto bits = t.get<int64_t>("num_bits", kBits);
  if (bits < kFewest || bits > kMost) return error(ErrorKind::Input, "has " + std::to_string(bits) + " bits");
  Grid grid;
  grid.lowest = t.get<bool>("narrow_range", false) ? 1 : 0;
  grid.highest = (int64_t{1} << bits) - 1;
  for (size_t i = 0; i < lows.size(); ++i) LAPIS_CHECK(add_range(grid, lows[i], highs[i]));
  return grid;
}

// Weights are quantized around 0 in a narrow range: as signed integers without a zero point, as kernels want them.
void make_signed(Grid& grid) {
  constexpr int64_t kMiddle = 128;
  const bool centered = std::ranges::all_of(grid.q.zero_points, [](int64_t z) { return z == kMiddle; });
  if (!centered || grid.lowest != 1 || grid.highest != 2 * kMiddle - 1) return;
  grid.lowest -= kMiddle;
  grid.highest -= kMiddle;
  std::ranges::fill(grid.q.zero_points, 0);
}

Tensor parameters(const std::vector<float>& values) {
  return Tensor::of(values.size() == 1 ? Shape{} : Shape{static_cast<int64_t>(values.size())}, values);
}

template <class T> Tensor integers(const std::vector<int64_t>& values) {
  return Tensor::of(values.size() == 1 ? Shape{} : Shape{static_cast<int64_t>(values.size())},
                    std::vector<T>(values.begin(), values.end()));
}

// The reals at one end of the grid, one for each range, along `axis` of data of `rank` axes.
Value* end_of(Translation& t, const Grid& grid, int64_t end, int64_t axis, int64_t rank) {
  std::vector<float> reals;
  for (size_t i = 0; i < grid.q.scales.size(); ++i)
    reals.push_back(static_cast<float>(end - grid.q.zero_points[i]) * grid.q.scales[i]);
  if (reals.size() == 1) return t.constant(Tensor::scalar(reals[0]));
  Shape shape(static_cast<size_t>(rank - axis), 1);
  shape[0] = static_cast<int64_t>(reals.size());
  return t.constant(Tensor::of(std::move(shape), std::move(reals)));
}

Result<Value*> clipped(Translation& t, Value* x, const Grid& grid, int64_t axis) {
  const int64_t rank = x->type().rank();
  LAPIS_TRY(Value * y, t.add(ops::Max, {x, end_of(t, grid, grid.lowest, axis, rank)}));
  return t.add(ops::Min, {y, end_of(t, grid, grid.highest, axis, rank)});
}

// In 8 bits as a pair, in more as what the pair computes.
Result<Value*> through_integers(Translation& t, Value* x, const Grid& grid, int64_t axis) {
  const bool is_signed = grid.lowest < 0;
  ops::QuantizeLinearAttrs quantize;
  ops::DequantizeLinearAttrs dequantize;
  if (grid.q.scales.size() > 1) quantize.axis = dequantize.axis = axis;
  Value* scale = t.constant(parameters(grid.q.scales));
  Value* zero = t.constant(is_signed ? integers<int8_t>(grid.q.zero_points) : integers<uint8_t>(grid.q.zero_points));
  LAPIS_TRY(Value * q, t.add(ops::QuantizeLinear, {x, scale, zero}, quantize));
  return t.add(ops::DequantizeLinear, {q, scale, zero}, dequantize);
}

Result<Value*> rounded(Translation& t, Value* x, const Grid& grid) {
  Value* scale = t.constant(parameters(grid.q.scales));
  LAPIS_TRY(Value * steps, t.add(ops::Div, {x, scale}));
  LAPIS_TRY(steps, t.add(ops::Round, {steps}));
  return t.add(ops::Mul, {steps, scale});
}

bool fills_bytes(const Grid& grid) {
  return (grid.lowest == 0 && grid.highest == UINT8_MAX) || (grid.lowest == INT8_MIN && grid.highest == INT8_MAX);
}

// A constant becomes the integers that it is rounded to.
Status quantize_constant(Translation& t, Grid grid, int64_t axis) {
  make_signed(grid);
  const Tensor& x = t.input(0).constant;
  const bool is_signed = grid.lowest < 0;
  Tensor result(is_signed ? DType::Int8 : DType::UInt8, x.shape());
  const auto reals = x.data<float>();
  int64_t inner = 1;
  for (int64_t i = axis + 1; i < x.rank(); ++i) inner *= x.dim(i);
  const size_t ranges = grid.q.scales.size();
  for (size_t i = 0; i < reals.size(); ++i) {
    const size_t range = ranges == 1 ? 0 : i / static_cast<size_t>(inner) % ranges;
    const auto zero = static_cast<float>(grid.q.zero_points[range]);
    const float steps = std::nearbyint(reals[i] / grid.q.scales[range]) + zero;
    const float kept = std::clamp(steps, static_cast<float>(grid.lowest), static_cast<float>(grid.highest));
    const int64_t integer = std::isnan(kept) ? grid.q.zero_points[range] : static_cast<int64_t>(kept);
    result.mutable_raw()[i] = static_cast<std::byte>(integer);
  }
  grid.q.axis = axis;
  t.set_constant(0, std::move(result), std::move(grid.q));
  return ok();
}

Status quantize(Translation& t, const Grid& grid) {
  LAPIS_TRY(const int64_t rank, rank_of(t, 0));
  const size_t ranges = grid.q.scales.size();
  const int64_t axis = rank - 1;  // one range for each channel
  if (ranges > 1 && (rank == 0 || !t.input(0).type.dim(axis).is(static_cast<int64_t>(ranges))))
    return error(ErrorKind::Input, "has " + std::to_string(ranges) + " ranges for " + t.input(0).type.to_string());
  if (t.input(0).type.dtype != DType::Float32) return Translation::unsupported("data of other types than float32");
  const bool is_wide = grid.highest > UINT8_MAX;
  if (t.input(0).constant.defined() && !t.input(0).quantization && !is_wide) return quantize_constant(t, grid, axis);
  if (is_wide && ranges > 1) return Translation::unsupported("more than 8 bits in each channel");
  const Layout layout = frontend::plain_layout(t);
  const int64_t at = frontend::axis_in(layout, axis, static_cast<size_t>(rank));
  LAPIS_TRY(Value * x, t.real(0, layout));
  if (!fills_bytes(grid)) {
    LAPIS_TRY(x, clipped(t, x, grid, at));
  }
  LAPIS_TRY(Value * y, is_wide ? rounded(t, x, grid) : through_integers(t, x, grid, at));
  return t.set(0, y, layout);
}

Result<std::vector<float>> reals(const Translation& t, size_t i) {
  const Tensor& values = t.input(i).constant;
  if (!values.defined()) return Translation::unsupported("a range that is computed");
  if (values.dtype() != DType::Float32) return error(ErrorKind::Input, "its range is not of float32");
  return std::vector<float>(values.data<float>().begin(), values.data<float>().end());
}

// Signed and around 0, or unsigned from 0 on; with all integers or without the lowest.
Result<Grid> symmetric_grid(const Translation& t, int64_t bits, float low, float high) {
  const bool is_signed = t.get<bool>("signed_input", true), narrow = t.get<bool>("narrow_range", false);
  constexpr int64_t kBits = 8;
  if (bits != kBits) return Translation::unsupported(std::to_string(bits) + " bits");
  Grid grid;
  grid.lowest = is_signed ? (narrow ? -INT8_MAX : INT8_MIN) : 0;
  grid.highest = is_signed ? INT8_MAX : UINT8_MAX;
  const float below = is_signed && low < 0 ? static_cast<float>(grid.lowest) / low : 0;
  const float above = high > 0 ? static_cast<float>(grid.highest) / high : 0;
  const float steps = below > 0 && (above == 0 || below < above) ? below : above;
  if (!(steps > 0) || !std::isfinite(1 / steps)) return error(ErrorKind::Input, "its range holds only 0");
  grid.q.scales = {1 / steps};
  grid.q.zero_points = {0};
  return grid;
}

}  // namespace

Status fake_quant(Translation& t) {
  LAPIS_TRY(const std::vector<float> lows, reals(t, 1));
  LAPIS_TRY(const std::vector<float> highs, reals(t, 2));
  if (lows.size() != highs.size() || lows.empty())
    return error(ErrorKind::Input, "its minima and maxima differ in number");
  LAPIS_TRY(const Grid grid, grid_of(t, lows, highs));
  return quantize(t, grid);
}

Status fake_quant_args(Translation& t) {
  constexpr double kMost = 6;
  LAPIS_TRY(const Grid grid, grid_of(t, {static_cast<float>(t.get<double>("min", -kMost))},
                                     {static_cast<float>(t.get<double>("max", kMost))}));
  return quantize(t, grid);
}

Status quantize_and_dequantize(Translation& t) {
  if (!t.get<bool>("range_given", false)) return Translation::unsupported("a range that is taken from the data");
  if (t.get<int64_t>("axis", -1) != -1) return Translation::unsupported("a range for each channel");
  if (t.get<std::string>("round_mode", "HALF_TO_EVEN") != "HALF_TO_EVEN")
    return Translation::unsupported("rounding half up");
  LAPIS_TRY(const std::vector<float> low, reals(t, 1));
  LAPIS_TRY(const std::vector<float> high, reals(t, 2));
  if (low.size() != 1 || high.size() != 1) return error(ErrorKind::Input, "its range is not two numbers");
  constexpr int64_t kBits = 8;
  int64_t bits = t.get<int64_t>("num_bits", kBits);
  if (t.has(3)) {
    LAPIS_TRY(bits, number(t, 3, "bits"));
  }
  LAPIS_TRY(const Grid grid, symmetric_grid(t, bits, low[0], high[0]));
  return quantize(t, grid);
}

}  // namespace lapis::tensorflow_frontend
