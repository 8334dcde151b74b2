// Operators of ONNX that ONNX itself defines by no others, or not for all of their types.
#include <onnx/onnx_pb.h>

#include <functional>
#include <numeric>

#include "frontends/onnx/definitions/definition.h"

namespace lapis::onnx_frontend::definitions {
namespace {

// One at the first of the largest.
Body hardmax(const Call& call) {
  return integers("along", {call.integer("axis")}) +
         "largest = ReduceMax <keepdims = 1> (input, along) is_largest = Equal (input, largest) "
         "counted = Cast <to = 7> (is_largest) axis = Squeeze (along) earlier = CumSum <exclusive = 1> (counted, axis) "
         "zero = Constant <value_int = 0> () is_first = Equal (earlier, zero) one = And (is_largest, is_first) "
         "output = CastLike (one, input)";
}

// ---- norms ----------------------------------------------------------------------------------------------------------

// "powers = |x|^p"
std::string powers(std::string_view x, int64_t p) {
  if (p == 2) return apply("powers", "Mul", std::string(x) + ", " + std::string(x));
  if (p == 1) return apply("powers", "Abs", x);
  return apply("absolute", "Abs", x) + scalar_like("p", text_of(static_cast<float>(p)), x) +
         "powers = Pow (absolute, p) ";
}

// "y = sum^(1/p)"
std::string root_of_sum(std::string_view y, int64_t p) {
  if (p <= 2) return apply(y, p == 2 ? "Sqrt" : "Identity", "sum");
  return scalar_like("inverse", text_of(1 / static_cast<float>(p)), "sum") + apply(y, "Pow", "sum, inverse");
}

Status check_p(const Call& call) {
  if (call.integer("p") < 1) return error(ErrorKind::Input, "its p is less than 1");
  return ok();
}

// Where all is zero, so is the result.
Body lp_normalization(const Call& call) {
  LAPIS_CHECK(check_p(call));
  const int64_t p = call.integer("p");
  return integers("along", {call.integer("axis")}) + powers("input", p) +
         "sum = ReduceSum <keepdims = 1> (powers, along) " + root_of_sum("norm", p) +
         scalar_like("zero", "0.0", "input") + scalar_like("one", "1.0", "input") +
         "is_zero = Equal (norm, zero) divisor = Where (is_zero, one, norm) output = Div (input, divisor)";
}

Body global_lp_pool(const Call& call) {
  LAPIS_CHECK(check_p(call));
  const auto rank = call.rank("X");
  if (!rank) return refuse("the rank of its input is not known", "declare the shape of the model's inputs");
  if (*rank < 3) return error(ErrorKind::Input, "has an input without axes to pool over");
  std::vector<int64_t> axes(static_cast<size_t>(*rank - 2));
  std::iota(axes.begin(), axes.end(), 2);
  const int64_t p = call.integer("p");
  return integers("axes", axes) + powers("X", p) + "sum = ReduceSum <keepdims = 1> (powers, axes) " +
         root_of_sum("Y", p);
}

// The mean over a window of which padding is part, times its size.
Body lp_pool(const Call& call) {
  LAPIS_CHECK(check_p(call));
  if (call.integer("ceil_mode") != 0)
    return refuse("its ceil_mode asks for windows that reach behind the padding", "write the padding out with pads");
  const std::vector<int64_t> window = call.integers_of("kernel_shape");
  const int64_t count = std::accumulate(window.begin(), window.end(), int64_t{1}, std::multiplies<>());
  const int64_t p = call.integer("p");
  return powers("X", p) +
         "mean = AveragePool <count_include_pad = 1, auto_pad: string = @auto_pad, dilations: ints = @dilations, "
         "kernel_shape: ints = @kernel_shape, pads: ints = @pads, strides: ints = @strides> (powers) " +
         scalar_like("count", text_of(static_cast<float>(count)), "X") + "sum = Mul (mean, count) " +
         root_of_sum("Y", p);
}

// ONNX's own definition adds float constants to what may be double, and takes the difference of two large numbers for
// the variance.
Body mean_variance_normalization(const Call& call) {
  return integers("along", call.integers_of("axes")) +
         "mean = ReduceMean <keepdims = 1> (X, along) centered = Sub (X, mean) squares = Mul (centered, centered) "
         "variance = ReduceMean <keepdims = 1> (squares, along) deviation = Sqrt (variance) " +
         scalar_like("epsilon", "1e-09", "deviation") +
         "divisor = Add (deviation, epsilon) Y = Div (centered, divisor)";
}

// ---- of one number each
// ----------------------------------------------------------------------------------------------

// x + bias below -lambd, x - bias above lambd, else 0: as the specification's formula has it, with the numbers of the
// attributes. ONNX's own definition makes integers of them first, and negates what may have no sign.
Body shrink(const Call& call) {
  const Type* type = call.type("input");
  if (!type) return refuse("the type of its input is not known", "declare the types of the model's inputs");
  const std::string convert = is_float(type->dtype) ? "Identity" : "Cast <to = 11>";
  return apply("x", convert, "input") + scalar_like("upper", "@lambd", "x") +
         scalar_like("lower", text_of(-call.number("lambd")), "x") + scalar_like("bias", "@bias", "x") +
         scalar_like("zero", "0.0", "x") +
         "is_above = Less (upper, x) lowered = Sub (x, bias) not_below = Where (is_above, lowered, zero) "
         "is_below = Less (x, lower) raised = Add (x, bias) y = Where (is_below, raised, not_below) "
         "output = CastLike (y, input)";
}

// What ONNX defines calls, from opset 13 on, an operator that takes no bfloat16 before opset 22.
Body softmax_cross_entropy_loss(const Call&) {
  const std::string loss =
      "NegativeLogLikelihoodLoss <ignore_index: int = @ignore_index, reduction: string = @reduction>";
  return apply("logarithms", "LogSoftmax <axis = 1>", "scores") + apply("output", loss, "logarithms, labels, weights") +
         "log_prob = Identity (logarithms)";
}

// ---- windows --------------------------------------------------------------------------------------------------------

std::string number_of(const std::string& result, std::string_view value) {
  return apply(result, "Constant <value = double {" + std::string(value) + "}>", "");
}

// a - b cos(t) + c cos(2 t) over one turn, in double: in float, in which ONNX's own definition computes, the middle of
// a window can come out just below 1, which as an integer is 0.
Body cosines(const Call& call, std::string_view a, std::string_view b, std::string_view c) {
  const auto type = static_cast<DType>(call.integer("output_datatype"));
  const std::string symmetric = call.integer("periodic") != 0 ? "span = Identity (n) " : "span = Sub (n, one) ";
  return "n = Cast <to = 7> (size) zero = Constant <value_int = 0> () one = Constant <value_int = 1> () "
         "steps = Range (zero, n, one) places = Cast <to = 11> (steps) " +
         symmetric + "length = Cast <to = 11> (span) " + number_of("turn", "6.283185307179586") +
         "angle = Div (turn, length) angles = Mul (places, angle) twice = Add (angles, angles) " + number_of("a", a) +
         number_of("b", b) + number_of("c", c) +
         "cosine = Cos (angles) swing = Mul (b, cosine) lifted = Sub (a, swing) cosine_of_twice = Cos (twice) "
         "correction = Mul (c, cosine_of_twice) window = Add (lifted, correction) " +
         apply("rounded", is_float(type) ? "Identity" : "Cast <to = 1>", "window") +
         "output = Cast <to: int = @output_datatype> (rounded)";
}

Body blackman_window(const Call& call) { return cosines(call, "0.42", "0.5", "0.08"); }
Body hann_window(const Call& call) { return cosines(call, "0.5", "0.5", "0.0"); }
Body hamming_window(const Call& call) { return cosines(call, "0.5434782608695652", "0.45652173913043476", "0.0"); }

// ---- sequences ------------------------------------------------------------------------------------------------------

// 0, 1, ... of an axis of the input, along the same axis of a matrix.
std::string positions(const std::string& result, int64_t axis) {
  return extent(result + "_extent", "input", axis) +
         apply(result + "_row", "Range", "zero, " + result + "_extent_count, one") +
         integers(result + "_across", {1 - axis}) + apply(result, "Unsqueeze", result + "_row, " + result + "_across");
}

// Each place has the values from the other end of its sequence, those behind its length stay:
// rows of the first two axes.
Body reverse_sequence(const Call& call) {
  const int64_t batch = call.integer("batch_axis"), time = call.integer("time_axis");
  if (batch + time != 1 || batch * time != 0)
    return error(ErrorKind::Input, "its batch_axis and time_axis are not 0 and 1 or 1 and 0");
  return "zero = Constant <value_int = 0> () one = Constant <value_int = 1> () " + positions("steps", time) +
         positions("sequences", batch) +
         "lengths = Unsqueeze (sequence_lens, sequences_across) lasts = Sub (lengths, one) turned = Sub (lasts, steps) "
         "within = Less (steps, lengths) source = Where (within, turned, steps) " +
         (time == 0 ? "line = Mul (source, sequences_extent) row = Add (line, sequences) "
                    : "line = Mul (sequences, steps_extent) row = Add (line, source) ") +
         "all = Mul (steps_extent, sequences_extent) rest = Shape <start = 2> (input) "
         "rows_shape = Concat <axis = 0> (all, rest) rows = Reshape <allowzero = 1> (input, rows_shape) "
         "Y = Gather <axis = 0> (rows, row)";
}

constexpr Definition kRows[] = {
    {"BlackmanWindow <output_datatype: int = 1, periodic: int = 1> (size) => (output)", 1, blackman_window, ""},
    {"GlobalLpPool <p: int = 2> (X) => (Y)", 1, global_lp_pool, "", false, Halves::InFloat},
    {"HammingWindow <output_datatype: int = 1, periodic: int = 1> (size) => (output)", 1, hamming_window, ""},
    {"HannWindow <output_datatype: int = 1, periodic: int = 1> (size) => (output)", 1, hann_window, ""},
    {"Hardmax <axis: int = -1> (input) => (output)", 1, hardmax, ""},
    {"LpNormalization <axis: int = -1, p: int = 2> (input) => (output)", 1, lp_normalization, "", false,
     Halves::InFloat},
    {"LpPool <auto_pad, dilations, kernel_shape, pads, strides, ceil_mode: int = 0, p: int = 2> (X) => (Y)", 1, lp_pool,
     "", false, Halves::InFloat},
    {"MeanVarianceNormalization <axes: ints = [0, 2, 3]> (X) => (Y)", 1, mean_variance_normalization, "", false,
     Halves::InFloat},
    {"ReverseSequence <batch_axis: int = 1, time_axis: int = 0> (input, sequence_lens) => (Y)", 2, reverse_sequence,
     ""},
    {"Shrink <bias: float = 0.0, lambd: float = 0.5> (input) => (output)", 1, shrink, "", false, Halves::InFloat},
    {"SoftmaxCrossEntropyLoss <ignore_index, reduction: string = \"mean\"> (scores, labels, weights) => (output, "
     "log_prob)",
     2, softmax_cross_entropy_loss, "", false, Halves::InFloat},
};

}  // namespace

std::span<const Definition> standard_definitions() { return kRows; }

}  // namespace lapis::onnx_frontend::definitions
