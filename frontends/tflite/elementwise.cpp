// Operators that work on each element, whatever the order of axes, and Softmax.
#include "frontends/common/elementwise.h"
#include "frontends/tflite/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::tflite_frontend {
namespace {

Status binary(Translation& t, const OpDef& op) {
  LAPIS_TRY(const frontend::Aligned both, frontend::aligned(t, {0, 1}));
  LAPIS_TRY(Value * result, t.add(op, both.operands));
  LAPIS_TRY(Value * y, activated(t, result));
  return t.set(0, y, both.layout);
}

// QUANTIZE and DEQUANTIZE: what they do lies in the types of their operand and result.
Status converted(Translation& t, Value* x, Layout layout) {
  LAPIS_TRY(Value * y, x->dtype() == DType::Float32
                           ? t.add(ops::Identity, {x})
                           : t.add(ops::Cast, {x}, ops::CastAttrs{.to = static_cast<int64_t>(DType::Float32)}));
  return t.set(0, y, layout);
}

}  // namespace

Status add(Translation& t) { return binary(t, ops::Add); }
Status mul(Translation& t) { return binary(t, ops::Mul); }

Status dequantize(Translation& t) {
  const Layout layout = t.layout(0) == Layout::FlattenedPlanes ? Layout::AsWritten : t.layout(0);
  LAPIS_TRY(Value * x, t.real(0, layout));
  return converted(t, x, layout);
}

Status quantize(Translation& t) {
  if (!t.output(0).quantization)
    return Translation::unsupported("results of type " + std::string(name_of(t.output(0).type.dtype)) +
                                    " without a scale");
  return dequantize(t);
}

Status softmax(Translation& t) {
  const Layout layout = t.layout(0) == Layout::ChannelsFirst ? Layout::ChannelsFirst : Layout::AsWritten;
  LAPIS_TRY(Value * x, t.real(0, layout));
  const auto beta = static_cast<float>(t.get<double>("beta", 0));
  if (beta != 1) {
    LAPIS_TRY(x, t.add(ops::Mul, {x, t.constant(Tensor::scalar(beta))}));
  }
  const int64_t last = t.input(0).type.rank() - 1;
  const int64_t axis = frontend::axis_in(layout, last, static_cast<size_t>(last + 1));
  LAPIS_TRY(Value * y, t.add(ops::Softmax, {x}, ops::SoftmaxAttrs{.axis = axis == last ? -1 : axis}));
  return t.set(0, y, layout);
}

}  // namespace lapis::tflite_frontend
