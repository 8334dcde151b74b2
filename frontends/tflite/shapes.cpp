// Operators that know the axes of their operands: RESHAPE, PAD, MEAN, FULLY_CONNECTED.
#include <algorithm>

#include "frontends/common/elementwise.h"
#include "frontends/tflite/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::tflite_frontend {
namespace {

// In TFLite a 0 in a shape is a size, not "copy this dimension".
bool has_zero(const Dims& dims) {
  return std::any_of(dims.begin(), dims.end(), [](const Dim& d) { return d.is(0); });
}

// ---- RESHAPE ----------------------------------------------------------------------------------------------------------------------

// The wanted shape: an operand, or an option of old files.
Result<Value*> wanted_shape(Translation& t) {
  if (t.has(1) && !t.input(1).constant.defined()) {
    LAPIS_TRY(Value * computed, t.real(1, Layout::AsWritten));
    return t.add(ops::Cast, {computed}, ops::CastAttrs{.to = static_cast<int64_t>(DType::Int64)});
  }
  if (t.has(1)) {
    LAPIS_TRY(std::vector<int64_t> shape, numbers(t, 1, "shapes"));
    return t.constant(Tensor::vector(std::move(shape)));
  }
  return t.constant(Tensor::vector(t.get<std::vector<int64_t>>("new_shape", {})));
}

// [N, H, W, C] to [N, H * W * C]: the values stay in planes, and the weights of a FULLY_CONNECTED behind are turned instead.
std::optional<Dims> planes(const Type& image, const Type& wanted) {
  constexpr int64_t kRank = 4;
  if (!image.ranked() || image.rank() != kRank || !wanted.ranked() || wanted.rank() != 2) return std::nullopt;
  const Dims& d = *image.dims;
  if (!d[1].is_constant() || !d[2].is_constant() || !d[3].is_constant()) return std::nullopt;
  const Dim width = d[1] * d[2] * d[3];
  const bool moves = !d[3].is(1) && !(d[1].is(1) && d[2].is(1));
  return moves && width == wanted.dim(1) && width.never_negative() && !width.is(0) ? std::optional(Dims{d[0], width})
                                                                                   : std::nullopt;
}

Status flatten(Translation& t, const Dims& shape) {
  LAPIS_TRY(Value * x, t.real(0, Layout::ChannelsFirst));
  Value* wanted = t.constant(Tensor::vector<int64_t>({-1, shape[1].value()}));
  LAPIS_TRY(Value * y, t.add(ops::Reshape, {x, wanted}));
  return t.set(0, y, Layout::FlattenedPlanes, t.input(0).type.dim(3).value());
}

// ---- FULLY_CONNECTED ----------------------------------------------------------------------------------------------------------------

Status check_product(const Translation& t) {
  const Type& weights = t.input(1).type;
  if (weights.rank() != 2 || weights.dim(1).is(0))
    return error(ErrorKind::Input, "its weights are " + weights.to_string() + ", not [results, operands]");
  if (!weights.is_static()) return Translation::unsupported("weights of open size");
  if (t.get<int64_t>("weights_format", 0) != 0) return Translation::unsupported("shuffled weights");
  return check_bias(t);
}

// Data [rows, K] times weights [N, K]. Where the data lies in planes, the weights are turned to go with it.
Result<Value*> product(Translation& t) {
  const int64_t width = t.input(1).type.dim(1).value(), channels = t.channels(0);
  const auto& q = t.input(1).quantization;
  const bool planes = t.layout(0) == Layout::FlattenedPlanes && t.input(0).type.dim(1).is(width) &&
                      t.input(1).constant.defined() && (!q || q->axis == 0);
  LAPIS_TRY(Value * x, t.real(0, planes ? Layout::FlattenedPlanes : Layout::AsWritten));
  LAPIS_TRY(Value * weights, planes ? t.parameter_for_planes(1, channels) : t.parameter(1, {0, 1}));
  if (!x->type().ranked() || x->type().rank() != 2) {
    LAPIS_TRY(x, t.add(ops::Reshape, {x, t.constant(Tensor::vector<int64_t>({-1, width}))}));
  }
  std::vector<Value*> inputs = {x, weights};
  if (t.has(2)) {
    LAPIS_TRY(inputs.emplace_back(), t.real(2, Layout::AsWritten));
  }
  return t.add(ops::Gemm, inputs, ops::GemmAttrs{.transB = true});
}

// The same on the last axis of more than two.
Result<Value*> product_of_last_axis(Translation& t) {
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * weights, t.parameter(1, {1, 0}));
  LAPIS_TRY(Value * y, t.add(ops::MatMul, {x, weights}));
  if (!t.has(2)) return y;
  LAPIS_TRY(Value * bias, t.real(2, Layout::AsWritten));
  return t.add(ops::Add, {y, bias});
}

}  // namespace

Status fully_connected(Translation& t) {
  LAPIS_CHECK(check_product(t));
  const bool keeps_axes = t.get<bool>("keep_num_dims", false) && t.input(0).type.rank() > 2;
  LAPIS_TRY(Value * product_of_all, keeps_axes ? product_of_last_axis(t) : product(t));
  LAPIS_TRY(Value * y, activated(t, product_of_all));
  return t.set(0, y, Layout::AsWritten);
}

Status mean(Translation& t) {
  LAPIS_TRY(std::vector<int64_t> axes, numbers(t, 1, "axes"));
  return frontend::reduce(t, ops::ReduceMean, std::move(axes), t.get<bool>("keep_dims", false));
}

// With zeros: of quantized values the byte that means 0.
Status pad(Translation& t) {
  const auto rank = static_cast<size_t>(t.input(0).type.rank());
  LAPIS_TRY(const std::vector<int64_t> written, numbers(t, 1, "paddings"));
  if (written.size() != 2 * rank || std::any_of(written.begin(), written.end(), [](int64_t p) { return p < 0; }))
    return error(ErrorKind::Input,
                 "its paddings are not two numbers from 0 on for each of " + std::to_string(rank) + " axes");
  const Layout layout = frontend::plain_layout(t);
  std::vector<int64_t> pads(2 * rank);
  for (size_t axis = 0; axis < rank; ++axis) {
    const auto to = static_cast<size_t>(frontend::axis_in(layout, static_cast<int64_t>(axis), rank));
    pads[to] = written[2 * axis];
    pads[rank + to] = written[2 * axis + 1];
  }
  LAPIS_TRY(Value * x, t.real(0, layout));
  LAPIS_TRY(Value * y, t.add(ops::Pad, {x, t.constant(Tensor::vector(std::move(pads)))}));
  return t.set(0, y, layout);
}

Status reshape(Translation& t) {
  const Type& to = t.output(0).type;
  if (t.layout(0) == Layout::ChannelsFirst)
    if (const auto shape = planes(t.input(0).type, to)) return flatten(t, *shape);
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * shape, wanted_shape(t));
  LAPIS_TRY(Value * y, t.add(ops::Reshape, {x, shape}, ops::ReshapeAttrs{.allowzero = to.dims && has_zero(*to.dims)}));
  return t.set(0, y, Layout::AsWritten);
}

}  // namespace lapis::tflite_frontend
