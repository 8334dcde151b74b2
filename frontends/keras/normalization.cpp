// Normalization by statistics of training, or of the data itself.
#include <algorithm>
#include <cmath>

#include "frontends/keras/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"

namespace lapis::keras_frontend {
namespace {

using frontend::scalar_like;

constexpr double kEpsilon = 1e-3;  // of most layers, where the file says nothing

float epsilon(const Translation& t) { return static_cast<float>(number(t, "epsilon", kEpsilon)); }

Result<Value*> weight_or(Translation& t, size_t i, double otherwise, const Shape& shape) {
  return t.has(i) ? t.real(i, Layout::AsWritten) : repeated(t, otherwise, shape);
}

Result<Value*> root_of_sum(Translation& t, Value* a, double more) {
  LAPIS_TRY(Value * b, scalar_like(t, more, a));
  LAPIS_TRY(Value * sum, t.add(ops::Add, {a, b}));
  return t.add(ops::Sqrt, {sum});
}

// x * factor + rest for each channel: the same as BatchNormalization,
// for data whose channels stand last and need not be moved for it.
Status batch_scale(Translation& t, const Shape& shape) {
  LAPIS_TRY(Value * variance, t.real(4, Layout::AsWritten));
  LAPIS_TRY(Value * factor, weight_or(t, 1, 1, shape));
  LAPIS_TRY(Value * deviation, root_of_sum(t, variance, static_cast<double>(epsilon(t))));
  LAPIS_TRY(factor, t.add(ops::Div, {factor, deviation}));
  LAPIS_TRY(Value * mean, t.real(3, Layout::AsWritten));
  LAPIS_TRY(Value * rest, weight_or(t, 2, 0, shape));
  LAPIS_TRY(Value * taken, t.add(ops::Mul, {mean, factor}));
  LAPIS_TRY(rest, t.add(ops::Sub, {rest, taken}));
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * y, t.add(ops::Mul, {x, factor}));
  LAPIS_TRY(y, t.add(ops::Add, {y, rest}));
  return t.set(0, y, Layout::AsWritten);
}

// Numbers that are learnt, or given as an option; null if there are neither.
Result<Value*> statistic(Translation& t, size_t operand, const char* name) {
  if (t.has(operand)) {
    LAPIS_TRY(Value * x, t.real(operand, Layout::AsWritten));
    LAPIS_TRY(x, frontend::cast(t, x, DType::Float32));
    return frontend::reshape(t, x, {-1});
  }
  const std::vector<double> list = numbers(t, name);
  Value* const none = nullptr;
  if (list.empty()) return none;
  return t.constant(Tensor::vector(std::vector<float>(list.begin(), list.end())));
}

// The sum or the mean of them, axes kept.
Result<Value*> reduced_squares(Translation& t, Value* x, const OpDef& op, const Axes& axes) {
  LAPIS_TRY(Value * squares, t.add(ops::Mul, {x, x}));
  return frontend::reduce(t, op, squares, axes, true);
}

Result<Axes> axes_option(const Translation& t, int64_t rank) {
  Axes axes = t.get<std::vector<int64_t>>("axis", {});
  if (axes.empty()) axes = {t.get<int64_t>("axis", -1)};
  LAPIS_TRY(axes, frontend::axes_of(axes, rank));
  std::ranges::sort(axes);
  return axes;
}

}  // namespace

Status batch_normalization(Translation& t) {
  LAPIS_TRY(const int64_t rank, rank_of(t));
  LAPIS_TRY(const int64_t axis, axis_option(t, "axis", rank));
  if (!t.has(3) || !t.has(4)) return error(ErrorKind::Input, "has no statistics");
  const int64_t count = t.input(3).constant.size();
  const Shape shape = {count};
  for (size_t i = 1; i < t.input_count(); ++i)
    if (t.has(i) && t.input(i).constant.size() != count)
      return error(ErrorKind::Input, "its weights are not equally many");
  if (axis == rank - 1 && rank != 2 && t.layout(0) != Layout::ChannelsFirst) return batch_scale(t, shape);
  if (axis != rank - 1 && axis != 1) return Translation::unsupported("an axis that is neither the first nor the last");
  const Layout layout = axis == 1 ? Layout::AsWritten : Layout::ChannelsFirst;
  LAPIS_TRY(Value * x, t.real(0, layout));
  std::vector<Value*> inputs = {x};
  LAPIS_TRY(inputs.emplace_back(), weight_or(t, 1, 1, shape));
  LAPIS_TRY(inputs.emplace_back(), weight_or(t, 2, 0, shape));
  for (const size_t i : {3, 4}) {
    LAPIS_TRY(inputs.emplace_back(), t.real(i, Layout::AsWritten));
  }
  LAPIS_TRY(Value * y, t.add(ops::BatchNormalization, inputs, ops::BatchNormalizationAttrs{.epsilon = epsilon(t)}));
  return t.set(0, y, layout);
}

Status group_normalization(Translation& t) {
  constexpr int64_t kGroups = 32;
  LAPIS_TRY(const int64_t rank, rank_of(t));
  LAPIS_TRY(const int64_t axis, axis_option(t, "axis", rank));
  if (axis != 1 && axis != rank - 1) return Translation::unsupported("an axis that is neither the first nor the last");
  const Layout layout = axis == 1 ? Layout::AsWritten : Layout::ChannelsFirst;
  LAPIS_TRY(Value * x, t.real(0, layout));
  const Dim channels = x->type().dim(1);
  if (!channels.is_constant() || channels.value() < 1) return Translation::unsupported("an open number of channels");
  const int64_t asked = t.get<int64_t>("groups", kGroups), groups = asked == -1 ? channels.value() : asked;
  if (groups < 1 || channels.value() % groups != 0)
    return error(ErrorKind::Input,
                 "has " + std::to_string(groups) + " groups of " + std::to_string(channels.value()) + " channels");
  std::vector<Value*> inputs = {x};
  LAPIS_TRY(inputs.emplace_back(), weight_or(t, 1, 1, {channels.value()}));
  LAPIS_TRY(inputs.emplace_back(), weight_or(t, 2, 0, {channels.value()}));
  const ops::GroupNormalizationAttrs attributes{.epsilon = epsilon(t), .num_groups = groups};
  LAPIS_TRY(Value * y, t.add(ops::GroupNormalization, inputs, attributes));
  return t.set(0, y, layout);
}

// Over the last axis, or over all from one on.
Status layer_normalization(Translation& t) {
  LAPIS_TRY(const int64_t rank, rank_of(t));
  LAPIS_TRY(const Axes axes, axes_option(t, rank));
  if (axes.back() != rank - 1 || axes.back() - axes.front() + 1 != static_cast<int64_t>(axes.size()))
    return Translation::unsupported("axes that are not the last ones");
  if (t.get<bool>("rms_scaling", false)) return Translation::unsupported("rms_scaling");
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  Shape shape;
  for (const int64_t axis : axes) {
    const Dim size = x->type().dim(axis);
    if (!size.is_constant()) return Translation::unsupported("an axis of open size");
    shape.push_back(size.value());
  }
  std::vector<Value*> inputs = {x};
  LAPIS_TRY(inputs.emplace_back(), weight_or(t, 1, 1, shape));
  if (t.has(2)) {
    LAPIS_TRY(inputs.emplace_back(), t.real(2, Layout::AsWritten));
  }
  const ops::LayerNormalizationAttrs attributes{.axis = axes.front(), .epsilon = epsilon(t)};
  LAPIS_TRY(Value * y, t.add(ops::LayerNormalization, inputs, attributes));
  return t.set(0, y, Layout::AsWritten);
}

// (x - mean) / max(sqrt(variance), 1e-7), or its inverse.
Status normalization(Translation& t) {
  constexpr double kLeast = 1e-7;
  LAPIS_TRY(const int64_t rank, rank_of(t));
  LAPIS_TRY(Value * mean, statistic(t, 1, "mean"));
  LAPIS_TRY(Value * width, statistic(t, 2, "variance"));
  if (!mean || !width) return error(ErrorKind::Input, "has no mean and variance: call adapt before the model is saved");
  LAPIS_TRY(const Axes axes, axes_option(t, rank));
  const bool is_one = mean->type().dim(0).is(1) && width->type().dim(0).is(1);
  if (!is_one && (axes.size() != 1 || axes[0] != rank - 1))
    return Translation::unsupported("statistics of another axis than the last");
  LAPIS_TRY(width, t.add(ops::Sqrt, {width}));
  LAPIS_TRY(Value * least, scalar_like(t, kLeast, width));
  LAPIS_TRY(width, t.add(ops::Max, {width, least}));
  const bool inverts = t.get<bool>("invert", false);
  return in_any_order(t, [&](Value* x, Layout layout) -> Result<Value*> {
    LAPIS_TRY(x, frontend::cast(t, x, DType::Float32));
    LAPIS_TRY(Value * center, per_channel(t, mean, layout, rank));
    LAPIS_TRY(Value * factor, per_channel(t, width, layout, rank));
    LAPIS_TRY(Value * y, inverts ? t.add(ops::Mul, {x, factor}) : t.add(ops::Sub, {x, center}));
    return inverts ? t.add(ops::Add, {y, center}) : t.add(ops::Div, {y, factor});
  });
}

Status rescaling(Translation& t) {
  LAPIS_TRY(const int64_t rank, rank_of(t));
  LAPIS_TRY(Value * scale, statistic(t, SIZE_MAX, "scale"));
  LAPIS_TRY(Value * offset, statistic(t, SIZE_MAX, "offset"));
  return in_any_order(t, [&](Value* x, Layout layout) -> Result<Value*> {
    LAPIS_TRY(Value * y, frontend::cast(t, x, DType::Float32));
    if (scale) {
      LAPIS_TRY(Value * factor, per_channel(t, scale, layout, rank));
      LAPIS_TRY(y, t.add(ops::Mul, {y, factor}));
    }
    if (offset) {
      LAPIS_TRY(Value * more, per_channel(t, offset, layout, rank));
      LAPIS_TRY(y, t.add(ops::Add, {y, more}));
    }
    return y;
  });
}

// x / sqrt(mean(x * x) + epsilon) * scale
Status rms_normalization(Translation& t) {
  constexpr double kDefault = 1e-6;
  LAPIS_TRY(const int64_t rank, rank_of(t));
  LAPIS_TRY(const Axes axes, axes_option(t, rank));
  if (axes.size() != 1 || axes[0] != rank - 1) return Translation::unsupported("another axis than the last");
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * mean, reduced_squares(t, x, ops::ReduceMean, {-1}));
  LAPIS_TRY(Value * root, root_of_sum(t, mean, number(t, "epsilon", kDefault)));
  LAPIS_TRY(Value * y, t.add(ops::Div, {x, root}));
  LAPIS_TRY(Value * scale, t.real(1, Layout::AsWritten));
  LAPIS_TRY(y, t.add(ops::Mul, {y, scale}));
  return t.set(0, y, Layout::AsWritten);
}

// x * gamma, of ConvNeXt.
Status layer_scale(Translation& t) {
  LAPIS_TRY(const frontend::Aligned both, frontend::aligned(t, {0, 1}));
  LAPIS_TRY(Value * y, t.add(ops::Mul, both.operands));
  return t.set(0, y, both.layout);
}

// x / sqrt(max(sum(x * x), 1e-12))
Status unit_normalization(Translation& t) {
  constexpr double kLeast = 1e-12;
  LAPIS_TRY(const int64_t rank, rank_of(t));
  LAPIS_TRY(const Axes written, axes_option(t, rank));
  return in_any_order(t, [&](Value* x, Layout layout) -> Result<Value*> {
    Axes axes;
    for (const int64_t axis : written) axes.push_back(frontend::axis_in(layout, axis, static_cast<size_t>(rank)));
    LAPIS_TRY(Value * sum, reduced_squares(t, x, ops::ReduceSum, axes));
    LAPIS_TRY(Value * least, scalar_like(t, kLeast, x));
    LAPIS_TRY(sum, t.add(ops::Max, {sum, least}));
    LAPIS_TRY(Value * length, t.add(ops::Sqrt, {sum}));
    return t.add(ops::Div, {x, length});
  });
}

}  // namespace lapis::keras_frontend
