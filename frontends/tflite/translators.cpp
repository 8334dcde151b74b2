#include "frontends/tflite/translators.h"

#include "frontends/tflite/import.h"
#include "ir/ops/ops.h"

namespace lapis::tflite_frontend {
namespace {

// Operator, oldest and newest version, fewest and most operands, function, whether it works on images.
constexpr frontend::Translator kTranslators[] = {
    {"ADD", 1, 5, 2, 2, add},
    {"AVERAGE_POOL_2D", 1, 3, 1, 1, average_pool, true},
    {"CONV_2D", 1, 8, 2, 3, conv, true},
    {"DEPTHWISE_CONV_2D", 1, 7, 2, 3, depthwise_conv, true},
    {"DEQUANTIZE", 1, 6, 1, 1, dequantize},
    {"FULLY_CONNECTED", 1, 13, 2, 3, fully_connected},
    {"MAX_POOL_2D", 1, 3, 1, 1, max_pool, true},
    {"MEAN", 1, 3, 2, 2, mean},
    {"MUL", 1, 7, 2, 2, mul},
    {"PAD", 1, 4, 2, 2, pad},
    {"QUANTIZE", 1, 3, 1, 1, quantize},
    {"RESHAPE", 1, 2, 1, 2, reshape},
    {"SOFTMAX", 1, 3, 1, 1, softmax},
};

// By number.
enum class Activation : uint8_t { None, Relu, ReluN1To1, Relu6, Tanh, SignBit };

Result<Value*> clipped(Translation& t, Value* value, float low, float high) {
  return t.add(ops::Clip, {value, t.constant(Tensor::scalar(low)), t.constant(Tensor::scalar(high))});
}

}  // namespace

std::span<const frontend::Translator> translators() { return kTranslators; }

Result<Value*> activated(Translation& t, Value* value) {
  const auto number = t.get<int64_t>("activation", 0);
  switch (static_cast<Activation>(number)) {
    case Activation::None: return value;
    case Activation::Relu: return t.add(ops::Relu, {value});
    case Activation::ReluN1To1: return clipped(t, value, -1, 1);
    case Activation::Relu6: return clipped(t, value, 0, 6);
    case Activation::Tanh: return t.add(ops::Tanh, {value});
    case Activation::SignBit: break;
  }
  return Translation::unsupported("the fused activation number " + std::to_string(number));
}

Status check_bias(const Translation& t) {
  if (!t.has(2) || is_float(t.input(2).type.dtype) || t.input(2).quantization) return ok();
  return Translation::unsupported("a bias of integers that is computed or has no scale");
}

Result<std::vector<int64_t>> numbers(const Translation& t, size_t i, const char* what) {
  const Tensor& values = t.input(i).constant;
  if (!values.defined()) return Translation::unsupported(std::string(what) + " that are computed");
  if (!is_integer(values.dtype())) return error(ErrorKind::Input, std::string(what) + " are no integers");
  return values.as_ints();
}

}  // namespace lapis::tflite_frontend
