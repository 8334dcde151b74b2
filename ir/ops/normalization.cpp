// Normalizations: BatchNormalization (inference), LayerNormalization, InstanceNormalization, GroupNormalization and
// LRN.
#include <cmath>

#include "ir/ops/attributes.h"
#include "ir/ops/extents.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"

namespace lapis::ops {
namespace {

constexpr TypeSet kStashTypes = types(DType::Float32, DType::BFloat16);

Status check_vector(const InferContext& c, size_t input, const Dim& size) {
  if (!c.has(input) || !c.in(input).ranked()) return ok();
  const Type& t = c.in(input);
  const bool fits = t.rank() == 1 && !differ(t.dim(0), size);
  if (fits) return ok();
  return c.error("input '" + std::string(c.node().op().input(input).name) + "' is " + t.to_string() +
                 ", one value for each of " + size.to_string() + " channels is needed");
}

// x is [batch, channel, ...]; the inputs from `first` on are vectors over the channels.
Result<Types> infer_channels(const InferContext& c, size_t first) {
  const Type& x = c.in(0);
  if (!x.ranked()) return Types{x};
  if (x.rank() < 2) return c.error("x needs a batch and a channel axis, it is " + x.to_string());
  for (size_t i = first; i < c.input_count(); ++i) LAPIS_CHECK(check_vector(c, i, x.dim(1)));
  return Types{x};
}

struct Moments {
  double mean, variance;
};

Moments moments(std::span<const double> values) {
  double sum = 0, squares = 0;
  for (double v : values) sum += v;
  const double mean = sum / static_cast<double>(values.size());
  for (double v : values) squares += (v - mean) * (v - mean);
  return {mean, squares / static_cast<double>(values.size())};
}

// Normalizes consecutive blocks of `size` elements each to mean 0 and variance 1.
std::vector<Moments> normalize_blocks(std::vector<double>& values, size_t size, double epsilon) {
  std::vector<Moments> all;
  for (size_t first = 0; size > 0 && first < values.size(); first += size) {
    const std::span<double> block(values.data() + first, size);
    const Moments m = all.emplace_back(moments(block));
    for (double& v : block) v = (v - m.mean) / std::sqrt(m.variance + epsilon);
  }
  return all;
}

// values[n, c, ...] = values * scale[c] + bias[c]
void scale_channels(std::vector<double>& values, const Shape& shape, const Tensor& scale, const Tensor& bias) {
  const std::vector<double> factors = to_doubles(scale), offsets = to_doubles(bias);
  const AxisView view(shape, 1);
  for (size_t i = 0; i < values.size(); ++i) {
    const auto channel = static_cast<size_t>(static_cast<int64_t>(i) / view.inner % view.extent);
    values[i] = values[i] * factors[channel] + offsets[channel];
  }
}

// ---- BatchNormalization -------------------------------------------------------------------------------------------

Result<Types> infer_batch(const InferContext& c) {
  if (c.attrs<BatchNormalizationAttrs>().training_mode)
    return c.unsupported("training_mode is not supported").help("export the model for inference");
  return infer_channels(c, 1);
}

Status evaluate_batch(EvalContext& c) {
  const Tensor& x = c.in(0);
  const double epsilon = c.attrs<BatchNormalizationAttrs>().epsilon;
  std::vector<double> values = to_doubles(x);
  const std::vector<double> mean = to_doubles(c.in(3)), variance = to_doubles(c.in(4));
  const AxisView view(x.shape(), 1);
  for (size_t i = 0; i < values.size(); ++i) {
    const auto channel = static_cast<size_t>(static_cast<int64_t>(i) / view.inner % view.extent);
    values[i] = (values[i] - mean[channel]) / std::sqrt(variance[channel] + epsilon);
  }
  scale_channels(values, x.shape(), c.in(1), c.in(2));
  c.set_out(0, from_doubles(x.dtype(), x.shape(), values));
  return ok();
}

// ---- InstanceNormalization, GroupNormalization --------------------------------------------------------------------

Result<Types> infer_instance(const InferContext& c) { return infer_channels(c, 1); }

Result<Types> infer_group(const InferContext& c) {
  const int64_t groups = c.attrs<GroupNormalizationAttrs>().num_groups;
  LAPIS_TRY(Types types, infer_channels(c, 1));
  if (groups < 1) return c.error("num_groups is " + std::to_string(groups));
  if (types[0].ranked() && types[0].dim(1).is_constant() && types[0].dim(1).value() % groups != 0)
    return c.error(types[0].dim(1).to_string() + " channels cannot be split into " + std::to_string(groups) +
                   " groups");
  return types;
}

// `groups` blocks in every image share their statistics.
void normalize_groups(EvalContext& c, int64_t groups, double epsilon) {
  const Tensor& x = c.in(0);
  std::vector<double> values = to_doubles(x);
  const int64_t blocks = x.dim(0) * groups;
  normalize_blocks(values, blocks ? values.size() / static_cast<size_t>(blocks) : 0, epsilon);
  scale_channels(values, x.shape(), c.in(1), c.in(2));
  c.set_out(0, from_doubles(x.dtype(), x.shape(), values));
}

Status evaluate_instance(EvalContext& c) {
  normalize_groups(c, c.in(0).dim(1), c.attrs<InstanceNormalizationAttrs>().epsilon);
  return ok();
}

Status evaluate_group(EvalContext& c) {
  const GroupNormalizationAttrs a = c.attrs<GroupNormalizationAttrs>();
  normalize_groups(c, a.num_groups, a.epsilon);
  return ok();
}

// ---- LayerNormalization -------------------------------------------------------------------------------------------

Result<Types> infer_layer(const InferContext& c) {
  const LayerNormalizationAttrs a = c.attrs<LayerNormalizationAttrs>();
  const Type& x = c.in(0);
  const auto stash = dtype_of_number(a.stash_type);
  if (!allows(kStashTypes, stash)) return c.error("stash_type must be float or bfloat16");
  if (!x.ranked()) return Types{x, Type::tensor(stash), Type::tensor(stash)};
  LAPIS_TRY(const int64_t axis, c.axis(a.axis, x.rank()));
  Type statistics = Type::tensor(stash, x.dims);
  std::fill(statistics.dims->begin() + axis, statistics.dims->end(), Dim(1));
  for (size_t i = 1; i < c.input_count(); ++i) {
    if (!c.has(i)) continue;
    LAPIS_TRY(const auto dims, broadcast(c, {&x, &c.in(i)}));
    if (!merge(Type::tensor(x.dtype, dims), x))
      return c.error(c.in(i).to_string() + " does not broadcast to the input " + x.to_string());
  }
  return Types{x, statistics, statistics};
}

// Offset in a tensor of shape `from` for every element of `to` that it broadcasts to.
std::vector<size_t> broadcast_offsets(const Shape& from, const Shape& to) {
  const size_t shift = to.size() - from.size();
  std::vector<size_t> offsets;
  Shape index(to.size(), 0);
  if (element_count(to) == 0) return offsets;
  do {
    int64_t at = 0;
    for (size_t i = 0; i < from.size(); ++i) at = at * from[i] + (from[i] == 1 ? 0 : index[shift + i]);
    offsets.push_back(static_cast<size_t>(at));
  } while (next_index(index, to));
  return offsets;
}

Status evaluate_layer(EvalContext& c) {
  const LayerNormalizationAttrs a = c.attrs<LayerNormalizationAttrs>();
  const Tensor& x = c.in(0);
  const auto axis = static_cast<size_t>(normalized(a.axis, x.rank()));
  std::vector<double> values = to_doubles(x);
  const auto size = static_cast<size_t>(element_count(std::span(x.shape()).subspan(axis)));
  const std::vector<Moments> all = normalize_blocks(values, size, a.epsilon);
  const std::vector<double> scale = to_doubles(c.in(1));
  const std::vector<size_t> scale_at = broadcast_offsets(c.in(1).shape(), x.shape());
  for (size_t i = 0; i < values.size(); ++i) values[i] *= scale[scale_at[i]];
  if (c.has(2)) {
    const std::vector<double> bias = to_doubles(c.in(2));
    const std::vector<size_t> bias_at = broadcast_offsets(c.in(2).shape(), x.shape());
    for (size_t i = 0; i < values.size(); ++i) values[i] += bias[bias_at[i]];
  }
  c.set_out(0, from_doubles(x.dtype(), x.shape(), values));
  Shape statistics = x.shape();
  std::fill(statistics.begin() + static_cast<std::ptrdiff_t>(axis), statistics.end(), 1);
  std::vector<double> means, inverses;
  for (const Moments& m : all) {
    means.push_back(m.mean);
    inverses.push_back(1.0 / std::sqrt(m.variance + a.epsilon));
  }
  const auto stash = dtype_of_number(a.stash_type);
  if (c.wants(1)) c.set_out(1, from_doubles(stash, statistics, means));
  if (c.wants(2)) c.set_out(2, from_doubles(stash, statistics, inverses));
  return ok();
}

// ---- LRN ----------------------------------------------------------------------------------------------------------

Result<Types> infer_lrn(const InferContext& c) {
  if (c.attrs<LrnAttrs>().size < 1) return c.error("size must be at least 1");
  return infer_channels(c, 1);
}

Status evaluate_lrn(EvalContext& c) {
  const LrnAttrs a = c.attrs<LrnAttrs>();
  const Tensor& x = c.in(0);
  std::vector<double> values = to_doubles(x);
  std::vector<double> y(values);
  const auto from = lines_along(values, x.shape(), 1), to = lines_along(y, x.shape(), 1);
  for (size_t line = 0; line < from.size(); ++line) {
    for (int64_t channel = 0; channel < from[line].size(); ++channel) {
      double squares = 0;
      const int64_t last = std::min(from[line].size() - 1, channel + a.size / 2);
      for (int64_t i = std::max<int64_t>(0, channel - (a.size - 1) / 2); i <= last; ++i)
        squares += from[line][i] * from[line][i];
      to[line][channel] /= std::pow(a.bias + a.alpha / static_cast<double>(a.size) * squares, a.beta);
    }
  }
  c.set_out(0, from_doubles(x.dtype(), x.shape(), y));
  return ok();
}

}  // namespace

const OpDef BatchNormalization =
    op("BatchNormalization")
        .since(15)
        .doc("(x - mean) / sqrt(var + epsilon) * scale + B for each channel, with given statistics.")
        .in("X", kFloats)
        .in("scale", kFloats, "T1")
        .in("B", kFloats, "T1")
        .in("input_mean", kFloats, "T2")
        .in("input_var", kFloats, "T2")
        .out("Y", kFloats)
        .optional_out("running_mean", kFloats)
        .optional_out("running_var", kFloats)
        .attrs<BatchNormalizationAttrs>()
        .infer(infer_batch)
        .evaluate(evaluate_batch)
        .traits(Trait::Pure)
        .quant(Quant::KeepFloat);

const OpDef GroupNormalization = op("GroupNormalization")
                                     .since(21)
                                     .doc("Normalizes groups of channels of each image, then scales each channel.")
                                     .in("X", kFloats, "T")
                                     .in("scale", kFloats, "T")
                                     .in("bias", kFloats, "T")
                                     .out("Y", kFloats)
                                     .attrs<GroupNormalizationAttrs>()
                                     .infer(infer_group)
                                     .evaluate(evaluate_group)
                                     .traits(Trait::Pure)
                                     .quant(Quant::KeepFloat);

const OpDef InstanceNormalization = op("InstanceNormalization")
                                        .since(22)
                                        .doc("Normalizes each channel of each image, then scales each channel.")
                                        .in("input", kFloats, "T")
                                        .in("scale", kFloats, "T")
                                        .in("B", kFloats, "T")
                                        .out("output", kFloats)
                                        .attrs<InstanceNormalizationAttrs>()
                                        .infer(infer_instance)
                                        .evaluate(evaluate_instance)
                                        .traits(Trait::Pure)
                                        .quant(Quant::KeepFloat);

const OpDef LRN = op("LRN")
                      .since(13)
                      .doc("Divides by a power of the summed squares of neighbouring channels.")
                      .in("X", kFloats)
                      .out("Y", kFloats)
                      .attrs<LrnAttrs>()
                      .infer(infer_lrn)
                      .evaluate(evaluate_lrn)
                      .traits(Trait::Pure)
                      .quant(Quant::KeepFloat);

const OpDef LayerNormalization = op("LayerNormalization")
                                     .since(17)
                                     .doc("Normalizes over the axes from `axis` on, then scales and shifts.")
                                     .in("X", kFloats, "T")
                                     .in("Scale", kFloats, "T")
                                     .optional_in("B", kFloats, "T")
                                     .out("Y", kFloats)
                                     .optional_out("Mean", kStashTypes)
                                     .optional_out("InvStdDev", kStashTypes)
                                     .attrs<LayerNormalizationAttrs>()
                                     .infer(infer_layer)
                                     .evaluate(evaluate_layer)
                                     .traits(Trait::Pure)
                                     .quant(Quant::KeepFloat);

}  // namespace lapis::ops
