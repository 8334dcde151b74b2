// Matrix products and normalizations.
#include <algorithm>

#include "frontends/mxnet/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"

namespace lapis::mxnet_frontend {
namespace {

Result<Value*> operand_or_transpose(Translation& t, size_t i, bool transposed) {
  LAPIS_TRY(Value * x, operand(t, i));
  return transposed ? frontend::transpose_matrices(t, x) : Result<Value*>(x);
}

Result<Value*> product(Translation& t) {
  Options o(t);
  const bool transpose_a = o.flag("transpose_a", false), transpose_b = o.flag("transpose_b", false);
  LAPIS_CHECK(o.status());
  LAPIS_TRY(Value * a, operand_or_transpose(t, 0, transpose_a));
  LAPIS_TRY(Value * b, operand_or_transpose(t, 1, transpose_b));
  return t.add(ops::MatMul, {a, b});
}

// On the last axis, whatever stands before it.
Result<Value*> dense_of_last_axis(Translation& t, const std::vector<Value*>& inputs) {
  LAPIS_TRY(Value * weights, frontend::transpose(t, inputs[1], {1, 0}));
  LAPIS_TRY(Value * y, t.add(ops::MatMul, {inputs[0], weights}));
  return inputs.size() > 2 ? t.add(ops::Add, {y, inputs[2]}) : Result<Value*>(y);
}

float epsilon_of(Options& o, double fallback) { return static_cast<float>(o.number("eps", fallback)); }

// gamma and beta are one a group; ONNX wants one a channel.
Result<Value*> for_channels(Translation& t, Value* parameter, const Value* x, int64_t groups) {
  if (!x->type().ranked() || x->type().rank() < 2 || !x->type().dim(1).is_constant() || groups < 1)
    return Translation::unsupported("channels of open number");
  const int64_t channels = x->type().dim(1).value();
  if (groups == channels) return parameter;
  LAPIS_TRY(Value * apart, frontend::reshape(t, parameter, {groups, 1}));
  LAPIS_TRY(Value * all, t.add(ops::Expand, {apart, frontend::ints(t, {groups, channels / groups})}));
  return frontend::reshape(t, all, {channels});
}

}  // namespace

Result<Value*> dense(Translation& t, std::vector<Value*> inputs) {
  Options o(t);
  const bool flattens = o.flag("flatten", true);
  LAPIS_CHECK(o.status());
  const bool is_flat = inputs[0]->type().ranked() && inputs[0]->type().rank() == 2;
  if (!flattens && !is_flat) return dense_of_last_axis(t, inputs);
  if (!is_flat) {
    LAPIS_TRY(inputs[0], t.add(ops::Flatten, {inputs[0]}, ops::FlattenAttrs{1}));
  }
  return t.add(ops::Gemm, inputs, ops::GemmAttrs{.transB = true});
}

Status fully_connected(Translation& t) {
  Options o(t);
  const bool no_bias = o.flag("no_bias", false);
  LAPIS_CHECK(o.status());
  if (!no_bias && !t.has(2)) return error(ErrorKind::Input, "has no bias");
  std::vector<Value*> inputs;
  for (size_t i = 0; i < (no_bias ? 2u : 3u); ++i) {
    LAPIS_TRY(inputs.emplace_back(), operand(t, i));
  }
  return finish(t, dense(t, std::move(inputs)));
}

// Of matrices and vectors, whatever stands before the last axis of the first.
Status dot(Translation& t) {
  LAPIS_TRY(const Value* b, operand(t, 1));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(b));
  if (rank > 2) return Translation::unsupported("a second operand of " + std::to_string(rank) + " axes");
  return finish(t, product(t));
}

Status batch_dot(Translation& t) { return finish(t, product(t)); }

Status linalg_gemm2(Translation& t) {
  Options o(t);
  const double alpha = o.number("alpha", 1);
  const int64_t axis = o.integer("axis", -2);
  LAPIS_CHECK(o.status());
  if (axis != -2) return Translation::unsupported("matrices in other axes than the last");
  LAPIS_TRY(Value * y, product(t));
  if (alpha != 1) {
    LAPIS_TRY(y, t.add(ops::Mul, {y, frontend::scalar(t, alpha, y->dtype())}));
  }
  return frontend::result(t, 0, y);
}

// Statistics of training stand still. By default gamma is 1, whatever the file holds.
Result<Value*> normalized(Translation& t, Value* x) {
  Options o(t);
  const float epsilon = epsilon_of(o, 1e-3);
  const bool fix_gamma = o.flag("fix_gamma", true);
  const int64_t axis = o.integer("axis", 1);
  LAPIS_CHECK(o.status());
  if (axis != 1) return Translation::unsupported("channels on axis " + std::to_string(axis));
  std::vector<Value*> inputs = {x};
  for (size_t i = 1; i < 5; ++i) {
    LAPIS_TRY(inputs.emplace_back(), operand(t, i));
  }
  if (fix_gamma) {
    if (!inputs[1]->type().is_static()) return Translation::unsupported("a gamma of open size");
    inputs[1] = frontend::filled(t, 1, inputs[1]->type());
  }
  return t.add(ops::BatchNormalization, inputs, ops::BatchNormalizationAttrs{.epsilon = epsilon});
}

Status batch_norm(Translation& t) {
  LAPIS_TRY(Value * x, operand(t));
  return finish(t, normalized(t, x));
}

Status layer_norm(Translation& t) {
  Options o(t);
  const float epsilon = epsilon_of(o, 1e-5);
  const int64_t axis = o.integer("axis", -1);
  LAPIS_CHECK(o.status());
  LAPIS_TRY(Value * x, operand(t, 0));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  if (axis != -1 && axis != rank - 1) return Translation::unsupported("another axis than the last");
  LAPIS_TRY(Value * gamma, operand(t, 1));
  LAPIS_TRY(Value * beta, operand(t, 2));
  return finish(t, t.add(ops::LayerNormalization, {x, gamma, beta}, ops::LayerNormalizationAttrs{.epsilon = epsilon}));
}

Status instance_norm(Translation& t) {
  Options o(t);
  const float epsilon = epsilon_of(o, 1e-3);
  LAPIS_CHECK(o.status());
  std::vector<Value*> inputs;
  for (size_t i = 0; i < 3; ++i) {
    LAPIS_TRY(inputs.emplace_back(), operand(t, i));
  }
  return finish(t, t.add(ops::InstanceNormalization, inputs, ops::InstanceNormalizationAttrs{epsilon}));
}

Status group_norm(Translation& t) {
  Options o(t);
  const float epsilon = epsilon_of(o, 1e-5);
  const int64_t groups = o.integer("num_groups", 1);
  LAPIS_CHECK(o.status());
  std::vector<Value*> inputs;
  for (size_t i = 0; i < 3; ++i) {
    LAPIS_TRY(inputs.emplace_back(), operand(t, i));
    if (i > 0) {
      LAPIS_TRY(inputs.back(), for_channels(t, inputs.back(), inputs[0], groups));
    }
  }
  return finish(t, t.add(ops::GroupNormalization, inputs,
                         ops::GroupNormalizationAttrs{.epsilon = epsilon, .num_groups = groups}));
}

Status lrn(Translation& t) {
  Options o(t);
  const ops::LrnAttrs attributes{static_cast<float>(o.number("alpha", 1e-4)),
                                 static_cast<float>(o.number("beta", 0.75)), static_cast<float>(o.number("knorm", 2)),
                                 o.integer("nsize", 1)};
  LAPIS_CHECK(o.status());
  LAPIS_TRY(Value * x, operand(t));
  return finish(t, t.add(ops::LRN, {x}, attributes));
}

// x / sqrt(sum(x^2) + eps), over the channels, the pixels, or both.
Status l2_normalization(Translation& t) {
  Options o(t);
  const double epsilon = o.number("eps", 1e-10);
  const std::string mode = o.word("mode", "instance");
  LAPIS_CHECK(o.status());
  LAPIS_TRY(Value * x, operand(t));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  Axes axes;
  for (int64_t axis = mode == "spatial" ? 2 : 1; axis < (mode == "channel" ? 2 : rank); ++axis) axes.push_back(axis);
  if (axes.empty()) return error(ErrorKind::Input, "normalizes over no axis");
  LAPIS_TRY(Value * sum, frontend::reduce(t, ops::ReduceSumSquare, x, axes, true));
  LAPIS_TRY(sum, t.add(ops::Add, {sum, frontend::scalar(t, epsilon, x->dtype())}));
  LAPIS_TRY(Value * size, t.add(ops::Sqrt, {sum}));
  return finish(t, t.add(ops::Div, {x, size}));
}

Status norm(Translation& t) {
  Options o(t);
  const int64_t order = o.integer("ord", 2);
  LAPIS_CHECK(o.status());
  if (order != 1 && order != 2) return Translation::unsupported("the norm " + std::to_string(order));
  return reduction(t, order == 1 ? ops::ReduceL1 : ops::ReduceL2);
}

}  // namespace lapis::mxnet_frontend
