// Operators that work on each element, whatever the order of axes, and those along the last one.
#include "frontends/common/elementwise.h"

#include "frontends/common/build.h"
#include "frontends/tensorflow/translators.h"
#include "frontends/tflite/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"

namespace lapis::tflite_frontend {
namespace {

using frontend::of_one;
using frontend::of_two;
using frontend::scalar_like;

// QUANTIZE and DEQUANTIZE: what they do lies in the types of their operand and result.
Status converted(Translation& t) {
  const Layout layout = frontend::plain_layout(t);
  LAPIS_TRY(Value * x, t.real(0, layout));
  LAPIS_TRY(x, frontend::cast(t, x, DType::Float32));
  LAPIS_TRY(x, t.add(ops::Identity, {x}));
  return t.set(0, x, layout);
}

}  // namespace

// Weights that are kept in less stay constants, so that they can be turned at once.
Status dequantize(Translation& t) {
  const frontend::SourceValue& x = t.input(0);
  if (!x.constant.defined() || t.output(0).type.dtype != DType::Float32) return converted(t);
  t.set_constant(0, x.quantization ? x.constant : ops::cast(x.constant, DType::Float32), x.quantization);
  return ok();
}

Status quantize(Translation& t) {
  if (t.output(0).quantization) return converted(t);
  return Translation::unsupported("results of type " + std::string(name_of(t.output(0).type.dtype)) +
                                  " without a scale");
}

// Of integers as they are stored.
Status cast(Translation& t) {
  LAPIS_CHECK(check_plain(t));
  const ops::CastAttrs attributes{.to = static_cast<int64_t>(t.output(0).type.dtype)};
  return frontend::apply(t, ops::Cast, encode_attributes(attributes));
}

Status floor_div(Translation& t) {
  LAPIS_CHECK(check_plain(t));
  return tensorflow_frontend::floor_div(t);
}

Status floor_mod(Translation& t) {
  LAPIS_CHECK(check_plain(t));
  return tensorflow_frontend::floor_mod(t);
}

Status bitwise_xor(Translation& t) {
  LAPIS_CHECK(check_plain(t));
  return frontend::combine(t, t.input(0).type.dtype == DType::Bool ? ops::Xor : ops::BitwiseXor);
}

// Of signed numbers too: x / 2^n towards minus infinity. ONNX shifts numbers without a sign only.
Status right_shift(Translation& t) {
  LAPIS_CHECK(check_plain(t));
  return of_two(t, [&](Value* x, Value* n) -> Result<Value*> {
    const DType dtype = x->dtype();
    LAPIS_TRY(Value * bits, frontend::cast(t, n, DType::UInt64));
    Value* one = frontend::scalar(t, 1, DType::UInt64);
    LAPIS_TRY(Value * power, t.add(ops::BitShift, {one, bits}, ops::BitShiftAttrs{.direction = "LEFT"}));
    LAPIS_TRY(power, frontend::cast(t, power, DType::Int64));
    LAPIS_TRY(Value * wide, frontend::cast(t, x, DType::Int64));
    LAPIS_TRY(Value * rest, t.add(ops::Mod, {wide, power}));
    LAPIS_TRY(Value * whole, t.add(ops::Sub, {wide, rest}));
    LAPIS_TRY(Value * y, t.add(ops::Div, {whole, power}));
    return frontend::cast(t, y, dtype);
  });
}

Status atan2(Translation& t) {
  return of_two(t, [&](Value* y, Value* x) { return frontend::angle(t, y, x); });
}

Status gelu(Translation& t) {
  const ops::GeluAttrs attributes{.approximate = t.get<bool>("approximate", false) ? "tanh" : "none"};
  return frontend::apply(t, ops::Gelu, encode_attributes(attributes));
}

Status relu_0_to_1(Translation& t) {
  return of_one(t, [&](Value* x) { return clipped(t, x, 0, 1); });
}
Status relu_n1_to_1(Translation& t) {
  return of_one(t, [&](Value* x) { return clipped(t, x, -1, 1); });
}

// How many boundaries are not above x.
Status bucketize(Translation& t) {
  LAPIS_CHECK(check_plain(t));
  const auto boundaries = t.get<std::vector<double>>("boundaries", {});
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(x, frontend::cast(t, x, DType::Float32));
  LAPIS_TRY(x, frontend::unsqueeze(t, x, {-1}));
  const std::vector<float> floats(boundaries.begin(), boundaries.end());
  LAPIS_TRY(Value * reached, t.add(ops::GreaterOrEqual, {x, t.constant(Tensor::vector(floats))}));
  LAPIS_TRY(reached, frontend::cast(t, reached, DType::Int32));
  LAPIS_TRY(Value * y, frontend::reduce(t, ops::ReduceSum, reached, {-1}, false));
  return t.set(0, y, Layout::AsWritten);
}

// x over the root of the sum of its squares along the last axis.
Status l2_normalization(Translation& t) {
  constexpr double kLeast = 1e-6;
  LAPIS_TRY(const int64_t rank, tensorflow_frontend::rank_of(t, 0));
  if (rank == 0) return error(ErrorKind::Input, "a single number has no last axis");
  const int64_t axis = frontend::axis_in(frontend::plain_layout(t), rank - 1, static_cast<size_t>(rank));
  return of_one(t, [&](Value* x) -> Result<Value*> {
    LAPIS_TRY(Value * norm, frontend::reduce(t, ops::ReduceL2, x, {axis}, true));
    LAPIS_TRY(Value * least, scalar_like(t, kLeast, x));
    LAPIS_TRY(norm, t.add(ops::Max, {norm, least}));
    return t.add(ops::Div, {x, norm});
  });
}

Status softmax(Translation& t) {
  const auto beta = static_cast<float>(t.get<double>("beta", 1));
  if (beta == 1) return tensorflow_frontend::softmax(t);
  const Layout layout = frontend::plain_layout(t);
  LAPIS_TRY(const int64_t rank, tensorflow_frontend::rank_of(t, 0));
  LAPIS_TRY(Value * x, t.real(0, layout));
  LAPIS_TRY(x, t.add(ops::Mul, {x, t.constant(Tensor::scalar(beta))}));
  const int64_t axis = frontend::axis_in(layout, rank - 1, static_cast<size_t>(rank));
  LAPIS_TRY(Value * y, t.add(ops::Softmax, {x}, ops::SoftmaxAttrs{.axis = axis == rank - 1 ? -1 : axis}));
  return t.set(0, y, layout);
}

}  // namespace lapis::tflite_frontend
