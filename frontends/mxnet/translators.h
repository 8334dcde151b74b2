// The translators of MXNet's operators, by family, and what several of them share.
#pragma once

#include "frontends/common/build.h"
#include "frontends/common/translate.h"
#include "ir/ops/ops.h"

namespace lapis::mxnet_frontend {

using frontend::Axes;
using frontend::Layout;
using frontend::Translation;

// Options of a node, with the defaults that MXNet gives them.
// The first that is of another kind than asked for is kept as the flaw.
//
//   Options o(t);
//   const auto kernel = o.list("kernel");
//   const bool no_bias = o.flag("no_bias", false);
//   LAPIS_CHECK(o.status());
class Options {
 public:
  explicit Options(const Translation& t) : t_(t) {}
  bool has(std::string_view name) const { return find(name) != nullptr; }
  int64_t integer(std::string_view name, int64_t fallback);
  double number(std::string_view name, double fallback);
  bool flag(std::string_view name, bool fallback);
  std::string word(std::string_view name, std::string fallback);
  std::vector<int64_t> list(std::string_view name, std::vector<int64_t> fallback = {});  // a number is a list of one
  std::vector<double> numbers(std::string_view name, std::vector<double> fallback);
  Status status() const;

 private:
  const frontend::SourceAttribute* find(std::string_view name) const;
  void flaw(std::string_view name, const char* wanted);
  const Translation& t_;
  std::string flaw_;
};

inline Result<Value*> operand(Translation& t, size_t i = 0) { return t.real(i, Layout::AsWritten); }
// Output 0, if it could be made.
Status finish(Translation& t, Result<Value*> y);
// A type by the name that MXNet's attributes use: "float32".
Result<DType> type_named(const std::string& name);
// Indices, which MXNet keeps as floats.
Result<Value*> as_indices(Translation& t, size_t i);
// A parameter of one value a channel as [C, 1, ...], to go with x.
Result<Value*> per_channel(Translation& t, Value* parameter, const Value* x);

// windows.cpp
Status adaptive_average_pool(Translation& t);
Status bilinear_resize(Translation& t);
Status convolution(Translation& t);
Result<Value*> convolved(Translation& t, const std::vector<Value*>& inputs);  // data, weights, bias if there is one
Status deconvolution(Translation& t);
Status pooling(Translation& t);
Result<Value*> pooled(Translation& t, Value* x);
Status up_sampling(Translation& t);
// activations.cpp
Status activation(Translation& t);
Status clip(Translation& t);
Status hard_sigmoid(Translation& t);
Status leaky_relu(Translation& t);
Status log_softmax(Translation& t);
Status softmax(Translation& t);
Status softmax_activation(Translation& t);
Status softmax_output(Translation& t);
// control.cpp
Status while_loop(Translation& t);
// elementwise.cpp
Status add_n(Translation& t);
Status cast(Translation& t);
Status div_sqrt_dim(Translation& t);
Status logical_not(Translation& t);
Status ones_like(Translation& t);
Status rsqrt(Translation& t);
Status square(Translation& t);
Status truncate(Translation& t);
Status where(Translation& t);
Status zeros_like(Translation& t);
Status log1p(Translation& t);
Status expm1(Translation& t);
// shapes.cpp
Status broadcast_axis(Translation& t);
Status broadcast_to(Translation& t);
Status concat(Translation& t);
Status expand_dims(Translation& t);
Status flatten(Translation& t);
Status pad(Translation& t);
Status reshape(Translation& t);
Status reshape_like(Translation& t);
Status shape_array(Translation& t);
Status slice(Translation& t);
Status slice_axis(Translation& t);
Status slice_like(Translation& t);
Status split(Translation& t);
Status squeeze(Translation& t);
Status stack(Translation& t);
Status swap_axis(Translation& t);
Status tile(Translation& t);
Status transpose(Translation& t);
// indexing.cpp
Status arange(Translation& t);
Status argmax(Translation& t);
Status argmin(Translation& t);
Status embedding(Translation& t);
Status one_hot(Translation& t);
Status ones(Translation& t);
Status take(Translation& t);
Status topk(Translation& t);
Status zeros(Translation& t);
// products.cpp
Status batch_dot(Translation& t);
Status batch_norm(Translation& t);
Result<Value*> normalized(Translation& t, Value* x);               // by the statistics that operands 1 to 4 are
Result<Value*> dense(Translation& t, std::vector<Value*> inputs);  // data, weights, bias if there is one
Status dot(Translation& t);
Status fully_connected(Translation& t);
Status group_norm(Translation& t);
Status instance_norm(Translation& t);
Status l2_normalization(Translation& t);
Status layer_norm(Translation& t);
Status linalg_gemm2(Translation& t);
Status lrn(Translation& t);
Status norm(Translation& t);

// boxes.cpp
Status box_decode(Translation& t);
Status box_nms(Translation& t);
Status multibox_detection(Translation& t);
Status multibox_prior(Translation& t);
// quantized.cpp
Status dequantize(Translation& t);
Status quantize(Translation& t);
Status quantize_v2(Translation& t);
Status quantized_activation(Translation& t);
Status quantized_add(Translation& t);
Status quantized_batch_norm(Translation& t);
Status quantized_concat(Translation& t);
Status quantized_convolution(Translation& t);
Status quantized_embedding(Translation& t);
Status quantized_flatten(Translation& t);
Status quantized_fully_connected(Translation& t);
Status quantized_multiply(Translation& t);
Status quantized_pooling(Translation& t);
Status requantize(Translation& t);
// regions.cpp
Status roi_align(Translation& t);

// recurrent.cpp
Status recurrent(Translation& t);

// ---- rows of tables -------------------------------------------------------------------------------------------------

Status apply(Translation& t, const OpDef& op);    // to operand 0
Status combine(Translation& t, const OpDef& op);  // operands 0 and 1
template <const OpDef& op>
inline constexpr frontend::TranslatorFunction unary{[](Translation& t) { return mxnet_frontend::apply(t, op); }, &op};
template <const OpDef& op>
inline constexpr frontend::TranslatorFunction binary{[](Translation& t) { return mxnet_frontend::combine(t, op); },
                                                     &op};

enum class Scalar : uint8_t { Behind, InFront };

template <const OpDef& Op, Scalar Place = Scalar::Behind> Result<Value*> with_scalar(Translation& t) {
  Options o(t);
  const double number = o.number("scalar", 1);
  LAPIS_CHECK(o.status());
  LAPIS_TRY(Value * x, operand(t));
  Value* y = frontend::scalar(t, number, x->dtype());
  return Place == Scalar::Behind ? t.add(Op, {x, y}) : t.add(Op, {y, x});
}
template <const OpDef& Op, Scalar Place = Scalar::Behind> Status scalar(Translation& t) {
  return finish(t, with_scalar<Op, Place>(t));
}

// Truth values are numbers in MXNet.
enum class Truth : uint8_t { AsItIs, Opposite };
Result<Value*> as_numbers(Translation& t, Result<Value*> truth, Truth wanted);

template <const OpDef& Op, Truth Wanted = Truth::AsItIs> Status comparison(Translation& t) {
  LAPIS_TRY(Value * a, operand(t, 0));
  LAPIS_TRY(Value * b, operand(t, 1));
  return finish(t, as_numbers(t, t.add(Op, {a, b}), Wanted));
}
template <const OpDef& Op, Truth Wanted = Truth::AsItIs> Status scalar_comparison(Translation& t) {
  return finish(t, as_numbers(t, with_scalar<Op>(t), Wanted));
}
template <const OpDef& Op> Status logic(Translation& t) {
  LAPIS_TRY(Value * a, operand(t, 0));
  LAPIS_TRY(Value * b, operand(t, 1));
  LAPIS_TRY(a, frontend::cast(t, a, DType::Bool));
  LAPIS_TRY(b, frontend::cast(t, b, DType::Bool));
  return finish(t, as_numbers(t, t.add(Op, {a, b}), Truth::AsItIs));
}

// The axes that a reduction leaves out, of "axis" and "exclude".
Result<Axes> reduced_axes(Translation& t, const Value* x);
Status reduction(Translation& t, const OpDef& op);
template <const OpDef& Op> Status reduce(Translation& t) { return reduction(t, Op); }

}  // namespace lapis::mxnet_frontend
