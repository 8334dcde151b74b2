// Activations and softmaxes.
#include "frontends/mxnet/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"

namespace lapis::mxnet_frontend {
namespace {

struct ActivationRow {
  std::string_view type;
  const OpDef* op;
};
constexpr ActivationRow kActivations[] = {{"relu", &ops::Relu},
                                          {"sigmoid", &ops::Sigmoid},
                                          {"softrelu", &ops::Softplus},
                                          {"softsign", &ops::Softsign},
                                          {"tanh", &ops::Tanh}};

Result<Value*> prelu(Translation& t, Value* x) {
  if (!t.has(1)) return error(ErrorKind::Input, "has no slopes");
  LAPIS_TRY(Value * slopes, operand(t, 1));
  if (slopes->type().is_static() && element_count(slopes->type().shape()) == 1) {
    LAPIS_TRY(slopes, frontend::reshape(t, slopes, {1}));
  } else {
    LAPIS_TRY(slopes, per_channel(t, slopes, x));
  }
  return t.add(ops::PRelu, {x, slopes});
}

// Softmax over all that belongs to one element of the batch, which is the last axis where there are two.
Result<Value*> softmax_of_rows(Translation& t, Value* x) {
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  if (rank != 2) return Translation::unsupported("a softmax over several axes at once");
  return t.add(ops::Softmax, {x}, ops::SoftmaxAttrs{});
}

Result<Value*> softmax_operand(Translation& t, int64_t& axis) {
  Options o(t);
  axis = o.integer("axis", -1);
  const double temperature = o.number("temperature", 1);
  const bool uses_length = o.flag("use_length", false);
  LAPIS_CHECK(o.status());
  if (uses_length || temperature == 0) return Translation::unsupported("lengths, or a temperature of 0");
  LAPIS_TRY(Value * x, operand(t));
  if (temperature == 1) return x;
  return t.add(ops::Div, {x, frontend::scalar(t, temperature, x->dtype())});
}

}  // namespace

Status activation(Translation& t) {
  Options o(t);
  const std::string type = o.word("act_type", "");
  LAPIS_CHECK(o.status());
  LAPIS_TRY(Value * x, operand(t));
  for (const ActivationRow& row : kActivations)
    if (row.type == type) return finish(t, t.add(*row.op, {x}));
  return Translation::unsupported("the activation '" + type + "'");
}

Status leaky_relu(Translation& t) {
  Options o(t);
  const std::string type = o.word("act_type", "leaky");
  const auto slope = static_cast<float>(o.number("slope", 0.25));
  const double between = (o.number("lower_bound", 0.125) + o.number("upper_bound", 0.334)) / 2;
  LAPIS_CHECK(o.status());
  LAPIS_TRY(Value * x, operand(t));
  if (type == "prelu") return finish(t, prelu(t, x));
  if (type == "leaky") return finish(t, t.add(ops::LeakyRelu, {x}, ops::LeakyReluAttrs{slope}));
  if (type == "rrelu") return finish(t, t.add(ops::LeakyRelu, {x}, ops::LeakyReluAttrs{static_cast<float>(between)}));
  if (type == "elu") return finish(t, t.add(ops::Elu, {x}, ops::AlphaAttrs{slope}));
  if (type == "selu") return finish(t, t.add(ops::Selu, {x}));
  if (type == "gelu") return finish(t, t.add(ops::Gelu, {x}));
  return Translation::unsupported("the activation '" + type + "'");
}

Status hard_sigmoid(Translation& t) {
  Options o(t);
  const ops::HardSigmoidAttrs attributes{static_cast<float>(o.number("alpha", 0.2)),
                                         static_cast<float>(o.number("beta", 0.5))};
  LAPIS_CHECK(o.status());
  LAPIS_TRY(Value * x, operand(t));
  return finish(t, t.add(ops::HardSigmoid, {x}, attributes));
}

Status clip(Translation& t) {
  Options o(t);
  const double low = o.number("a_min", 0), high = o.number("a_max", 0);
  LAPIS_CHECK(o.status());
  LAPIS_TRY(Value * x, operand(t));
  return finish(t, t.add(ops::Clip, {x, frontend::scalar(t, low, x->dtype()), frontend::scalar(t, high, x->dtype())}));
}

Status softmax(Translation& t) {
  int64_t axis = -1;
  LAPIS_TRY(Value * x, softmax_operand(t, axis));
  return finish(t, t.add(ops::Softmax, {x}, ops::SoftmaxAttrs{axis}));
}

Status log_softmax(Translation& t) {
  int64_t axis = -1;
  LAPIS_TRY(Value * x, softmax_operand(t, axis));
  return finish(t, t.add(ops::LogSoftmax, {x}, ops::SoftmaxAttrs{axis}));
}

Status softmax_activation(Translation& t) {
  Options o(t);
  const std::string mode = o.word("mode", "instance");
  LAPIS_CHECK(o.status());
  LAPIS_TRY(Value * x, operand(t));
  if (mode == "channel") return finish(t, t.add(ops::Softmax, {x}, ops::SoftmaxAttrs{1}));
  return finish(t, softmax_of_rows(t, x));
}

Status softmax_output(Translation& t) {
  Options o(t);
  const bool over_channels = o.flag("multi_output", false), keeps_shape = o.flag("preserve_shape", false);
  LAPIS_CHECK(o.status());
  LAPIS_TRY(Value * x, operand(t));
  if (over_channels) return finish(t, t.add(ops::Softmax, {x}, ops::SoftmaxAttrs{1}));
  if (keeps_shape) return finish(t, t.add(ops::Softmax, {x}, ops::SoftmaxAttrs{}));
  return finish(t, softmax_of_rows(t, x));
}

}  // namespace lapis::mxnet_frontend
