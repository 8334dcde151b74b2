// Operators on 8-bit integers: dequantize, compute, quantize; products sum integers.
#include <onnx/onnx_pb.h>

#include "frontends/onnx/definitions/attention.h"
#include "frontends/onnx/definitions/definition.h"

namespace lapis::onnx_frontend::definitions {
namespace {

// ---- QuantizeLinear, DequantizeLinear -------------------------------------------------------------------------------

Body quantize(const Call&) {
  return std::string("y = QuantizeLinear <axis: int = @axis, precision = 1> (x, y_scale, y_zero_point)");
}
Body dequantize(const Call&) {
  return std::string("y = DequantizeLinear <axis: int = @axis> (x, x_scale, x_zero_point)");
}

// One number for a whole tensor may also come as a vector of one.
std::string scalar(const Call& call, const std::string& operand) {
  if (!call.has(operand)) return "";
  return apply(operand + "_scalar", call.rank(operand) == 0 ? "Identity" : "Squeeze", operand);
}

// The names of a quantized operand, its scale and its zero point.
struct Quantized {
  std::string value, scale, zero_point;
};

std::string parameters(const Call& call, const Quantized& q) {
  return scalar(call, q.scale) + scalar(call, q.zero_point);
}
std::string operands(const Call& call, const Quantized& q) {
  return q.scale + "_scalar" + (call.has(q.zero_point) ? ", " + q.zero_point + "_scalar" : "");
}

// "A_real = ..."
std::string real(const Call& call, const Quantized& q) {
  return parameters(call, q) + apply(q.value + "_real", "DequantizeLinear", q.value + ", " + operands(call, q));
}

// `q` from the float `value`. Without a zero point the type is that of the operand `like`.
std::string quantized(const Call& call, const Quantized& q, const std::string& value, const std::string& like) {
  const Type* type = call.type(like);
  const std::string as =
      call.has(q.zero_point) || !type ? "" : " <output_dtype = " + std::to_string(static_cast<int>(type->dtype)) + ">";
  return parameters(call, q) + apply(q.value, "QuantizeLinear" + as, value + ", " + operands(call, q));
}

// ---- elementwise ----------------------------------------------------------------------------------------------------

Body binary(const Call& call, const char* op) {
  return real(call, {"A", "A_scale", "A_zero_point"}) + real(call, {"B", "B_scale", "B_zero_point"}) +
         apply("result", op, "A_real, B_real") + quantized(call, {"C", "C_scale", "C_zero_point"}, "result", "A");
}
Body add(const Call& call) { return binary(call, "Add"); }
Body mul(const Call& call) { return binary(call, "Mul"); }

Body unary(const Call& call, const std::string& op) {
  return real(call, {"X", "X_scale", "X_zero_point"}) + apply("result", op, "X_real") +
         quantized(call, {"Y", "Y_scale", "Y_zero_point"}, "result", "X");
}
Body sigmoid(const Call& call) { return unary(call, "Sigmoid"); }
Body leaky_relu(const Call& call) { return unary(call, "LeakyRelu <alpha: float = @alpha>"); }

Body where(const Call& call) {
  return real(call, {"X", "x_scale", "x_zero_point"}) + real(call, {"Y", "y_scale", "y_zero_point"}) +
         "result = Where (condition, X_real, Y_real) " +
         quantized(call, {"Z", "z_scale", "z_zero_point"}, "result", "X");
}

// ---- over axes ------------------------------------------------------------------------------------------------------

// Before opset 13 over the matrix of the axes before and after `axis`.
Body softmax(const Call& call) {
  const std::string read = real(call, {"X", "X_scale", "x_zero_point"});
  const std::string written = quantized(call, {"Y", "y_scale", "y_zero_point"}, "result", "X");
  if (call.integer("opset") >= 13) return read + "result = Softmax <axis: int = @axis> (X_real) " + written;
  return read +
         "matrix = Flatten <axis: int = @axis> (X_real) soft = Softmax <axis = -1> (matrix) shape = Shape (X) "
         "result = Reshape <allowzero = 1> (soft, shape) " +
         written;
}

Body concat(const Call& call) {
  const size_t parts = (call.operands() - 2) / 3;
  if (call.operands() != 2 + 3 * parts)
    return error(ErrorKind::Input, "its inputs do not come as values, scale, zero point");
  std::string text, list;
  for (size_t i = 0; i < parts; ++i) {
    const auto name = [&](size_t k) { return "inputs" + (3 * i + k ? "_" + std::to_string(3 * i + k) : ""); };
    text += real(call, {name(0), name(1), name(2)});
    list += (i ? ", " : "") + name(0) + "_real";
  }
  return text + apply("result", "Concat <axis: int = @axis>", list) +
         quantized(call, {"Y", "Y_scale", "Y_zero_point"}, "result", "Y_zero_point");
}

// ---- over space -----------------------------------------------------------------------------------------------------

// `op` on `value` with its channels behind the batch, whatever the layout of the model.
Body spatial(const Call& call, const std::string& operand, bool last, const std::string& op, const std::string& value,
             const std::string& more, const std::string& result) {
  if (!last) return apply(result, op, value + more);
  const auto rank = call.rank(operand);
  if (!rank || *rank < 3)
    return refuse("the rank of '" + operand + "', whose channels come last, is not known or below 3");
  return channels_first(value + "_first", value, *rank) + apply(result + "_first", op, value + "_first" + more) +
         channels_last(result, result + "_first", *rank);
}

constexpr std::string_view kPool =
    "auto_pad: string = @auto_pad, ceil_mode: int = @ceil_mode, kernel_shape: ints = @kernel_shape, pads: ints = "
    "@pads, "
    "strides: ints = @strides";

Body average(const Call& call, const std::string& op) {
  LAPIS_TRY(const std::string pooled,
            spatial(call, "X", call.integer("channels_last") != 0, op, "X_real", "", "result"));
  return real(call, {"X", "x_scale", "x_zero_point"}) + pooled +
         quantized(call, {"Y", "y_scale", "y_zero_point"}, "result", "X");
}
Body average_pool(const Call& call) {
  return average(call, "AveragePool <" + std::string(kPool) + ", count_include_pad: int = @count_include_pad>");
}
Body global_average_pool(const Call& call) { return average(call, "GlobalAveragePool"); }

Body max_pool(const Call& call) {
  return spatial(call, "x", true, "MaxPool <" + std::string(kPool) + ", dilations: ints = @dilations>", "x", "", "y");
}

constexpr std::string_view kWindow =
    "auto_pad: string = @auto_pad, dilations: ints = @dilations, group: int = @group, kernel_shape: ints = "
    "@kernel_shape, "
    "pads: ints = @pads, strides: ints = @strides";

Body conv(const Call& call) {
  return spatial(call, "x", call.integer("channels_last") != 0, "QLinearConv <" + std::string(kWindow) + ">", "x",
                 ", x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale, y_zero_point, B", "y");
}

// ---- products -------------------------------------------------------------------------------------------------------

// "product = ...": the integer sum times `scale`, as floats of the type of `like`.
std::string scaled(const std::string& sum, const std::string& scale, const std::string& like) {
  return apply("sum_real", "CastLike", sum + ", " + like) + apply("product", "Mul", "sum_real, " + scale);
}

std::string with_bias(const Call& call, const std::string& result) {
  return apply(result, call.has("bias") ? "Add" : "Identity", call.has("bias") ? "product, bias" : "product");
}

Body matmul_to_float(const Call& call) {
  const Type* scale = call.type("a_scale");
  if (!scale || !scale->is_static() || element_count(scale->shape()) != 1)
    return refuse("its 'a_scale' is not one number");
  return scalar(call, "a_scale") + scalar(call, "a_zero_point") +
         apply("sum", "MatMulInteger",
               std::string("A, B, ") + (call.has("a_zero_point") ? "a_zero_point_scalar" : "\"\"") + ", b_zero_point") +
         "scale = Mul (a_scale_scalar, b_scale) " + scaled("sum", "scale", "a_scale") + with_bias(call, "Y");
}

Body dynamic_matmul(const Call& call) {
  return "a_bytes, a_scale, a_zero = DynamicQuantizeLinear (A) sum = MatMulInteger (a_bytes, B, a_zero, b_zero_point) "
         "scale = Mul (a_scale, b_scale) " +
         scaled("sum", "scale", "b_scale") + with_bias(call, "Y");
}

Body gemm(const Call& call) {
  const auto turned = [&](const std::string& operand) {
    return apply(operand + "_turned", call.integer("trans" + operand) != 0 ? "Transpose <perm = [1, 0]>" : "Identity",
                 operand);
  };
  const bool to_float = !call.has("y_scale");
  return turned("A") + turned("B") + scalar(call, "a_scale") + scalar(call, "a_zero_point") +
         "products = MatMulInteger (A_turned, B_turned, a_zero_point_scalar, b_zero_point) " +
         (call.has("C") ? "sum = Add (products, C) " : "sum = Identity (products) ") +
         "alpha = Constant <value_float: float = @alpha> () a_factor = Mul (alpha, a_scale_scalar) "
         "scale = Mul (a_factor, b_scale) " +
         scaled("sum", "scale", "b_scale") +
         (to_float ? "Y = Identity (product)" : quantized(call, {"Y", "y_scale", "y_zero_point"}, "product", "A"));
}

Body attention(const Call& call) {
  return attention_of(
      call, "weight",
      scalar(call, "input_scale") + scalar(call, "input_zero_point") +
          apply("sum", "MatMulInteger",
                std::string("input, weight, ") + (call.has("input_zero_point") ? "input_zero_point_scalar" : "\"\"") +
                    ", weight_zero_point") +
          "product_scale = Mul (input_scale_scalar, weight_scale) " + scaled("sum", "product_scale", "input_scale") +
          with_bias(call, "projected"));
}

constexpr Definition kRows[] = {
    {"DequantizeLinear <axis: int = 1> (x, x_scale, x_zero_point) => (y)", 2, dequantize},
    {"DynamicQuantizeMatMul (A, B, b_scale, b_zero_point, bias) => (Y)", 3, dynamic_matmul},
    {"MatMulIntegerToFloat (A, B, a_scale, b_scale, a_zero_point, b_zero_point, bias) => (Y)", 4, matmul_to_float},
    {"NhwcMaxPool <auto_pad, ceil_mode, dilations, kernel_shape, pads, strides> (x) => (y)", 1, max_pool},
    {"QAttention <do_rotary: int = 0, mask_filter_value: float = -10000.0, num_heads, past_present_share_buffer: int = "
     "0, "
     "scale: float = 0.0, unidirectional: int = 0, qkv_hidden_sizes> (input, weight, bias, input_scale, weight_scale, "
     "mask_index, "
     "input_zero_point, weight_zero_point, past, attention_bias) => (output, present)",
     5, attention},
    {"QGemm <alpha: float = 1.0, transA: int = 0, transB: int = 0> (A, a_scale, a_zero_point, B, b_scale, "
     "b_zero_point, C, "
     "y_scale, y_zero_point) => (Y)",
     6, gemm},
    {"QLinearAdd (A, A_scale, A_zero_point, B, B_scale, B_zero_point, C_scale, C_zero_point) => (C)", 7, add},
    {"QLinearAveragePool <auto_pad, ceil_mode, channels_last: int = 0, count_include_pad, kernel_shape, pads, strides> "
     "(X, "
     "x_scale, x_zero_point, y_scale, y_zero_point) => (Y)",
     4, average_pool},
    {"QLinearConcat <axis> (Y_scale, Y_zero_point, inputs) => (Y)", 5, concat, "com.microsoft", true},
    {"QLinearConv <auto_pad, channels_last: int = 0, dilations, group, kernel_shape, pads, strides> (x, x_scale, "
     "x_zero_point, "
     "w, w_scale, w_zero_point, y_scale, y_zero_point, B) => (y)",
     8, conv},
    {"QLinearGlobalAveragePool <channels_last: int = 0> (X, x_scale, x_zero_point, y_scale, y_zero_point) => (Y)", 5,
     global_average_pool},
    {"QLinearLeakyRelu <alpha: float = 0.01> (X, X_scale, X_zero_point, Y_scale, Y_zero_point) => (Y)", 4, leaky_relu},
    {"QLinearMul (A, A_scale, A_zero_point, B, B_scale, B_zero_point, C_scale, C_zero_point) => (C)", 7, mul},
    {"QLinearSigmoid (X, X_scale, X_zero_point, Y_scale, Y_zero_point) => (Y)", 4, sigmoid},
    {"QLinearSoftmax <axis: int = -1, opset: int = 0> (X, X_scale, x_zero_point, y_scale, y_zero_point) => (Y)", 5,
     softmax},
    {"QLinearWhere (condition, X, x_scale, x_zero_point, Y, y_scale, y_zero_point, z_scale, z_zero_point) => (Z)", 9,
     where},
    {"QuantizeLinear <axis: int = 1> (x, y_scale, y_zero_point) => (y)", 2, quantize},
};

}  // namespace

std::span<const Definition> quantized_definitions() { return kRows; }

}  // namespace lapis::onnx_frontend::definitions
