#include "frontends/keras/translators.h"

#include <algorithm>

#include "frontends/keras/import.h"

namespace lapis::keras_frontend {
namespace {

constexpr size_t kAny = SIZE_MAX;       // operands
constexpr size_t kSome = SIZE_MAX - 1;  // operands, which may be absent

// Layer, versions (there are none), fewest and most operands: data, then weights; function, whether it works on images.
constexpr frontend::Translator kTranslators[] = {
    {"Activation", 1, 1, 1, 1, activation},
    {"ActivityRegularization", 1, 1, 1, 1, identity},
    {"AdaptiveAveragePooling1D", 1, 1, 1, 1, adaptive_average_pool, true},
    {"AdaptiveAveragePooling2D", 1, 1, 1, 1, adaptive_average_pool, true},
    {"AdaptiveAveragePooling3D", 1, 1, 1, 1, adaptive_average_pool, true},
    {"AdaptiveMaxPooling1D", 1, 1, 1, 1, adaptive_max_pool, true},
    {"AdaptiveMaxPooling2D", 1, 1, 1, 1, adaptive_max_pool, true},
    {"AdaptiveMaxPooling3D", 1, 1, 1, 1, adaptive_max_pool, true},
    {"Add", 1, 1, 1, kAny, add},
    {"AdditiveAttention", 1, 1, 2, 6, attention},
    {"AlphaDropout", 1, 1, 1, 1, identity},
    {"Attention", 1, 1, 2, 7, attention},
    {"AugMix", 1, 1, 1, 1, augmentation},
    {"Average", 1, 1, 1, kAny, average},
    {"AveragePooling1D", 1, 1, 1, 1, average_pool, true},
    {"AveragePooling2D", 1, 1, 1, 1, average_pool, true},
    {"AveragePooling3D", 1, 1, 1, 1, average_pool, true},
    {"BatchNormalization", 1, 1, 1, 5, batch_normalization},
    {"Bidirectional", 1, 1, 1, 12, bidirectional},
    {"CategoryEncoding", 1, 1, 1, 1, category_encoding},
    {"CenterCrop", 1, 1, 1, 1, center_crop},
    {"Concatenate", 1, 1, 1, kAny, concatenate},
    {"Concatenate.mask", 1, 1, 1, kSome, mask_of_concatenate},
    {"Conv1D", 1, 1, 2, 3, conv, true},
    {"Conv1DTranspose", 1, 1, 2, 3, conv_transpose, true},
    {"Conv2D", 1, 1, 2, 3, conv, true},
    {"Conv2DTranspose", 1, 1, 2, 3, conv_transpose, true},
    {"Conv3D", 1, 1, 2, 3, conv, true},
    {"Conv3DTranspose", 1, 1, 2, 3, conv_transpose, true},
    {"ConvLSTM1D", 1, 1, 1, 7, conv_lstm},
    {"ConvLSTM2D", 1, 1, 1, 7, conv_lstm},
    {"ConvLSTM3D", 1, 1, 1, 7, conv_lstm},
    {"Cropping1D", 1, 1, 1, 1, cropping},
    {"Cropping2D", 1, 1, 1, 1, cropping},
    {"Cropping3D", 1, 1, 1, 1, cropping},
    {"CuDNNGRU", 1, 1, 1, 6, recurrent},
    {"CuDNNLSTM", 1, 1, 1, 7, recurrent},
    {"CutMix", 1, 1, 1, 1, augmentation},
    {"Dense", 1, 1, 2, 3, dense},
    {"DepthwiseConv1D", 1, 1, 2, 3, depthwise_conv, true},
    {"DepthwiseConv2D", 1, 1, 2, 3, depthwise_conv, true},
    {"Discretization", 1, 1, 1, 1, discretization},
    {"Dot", 1, 1, 2, 2, dot},
    {"Dropout", 1, 1, 1, 1, identity},
    {"ELU", 1, 1, 1, 1, elu},
    {"EinsumDense", 1, 1, 2, 3, einsum_dense},
    {"Embedding", 1, 1, 2, 2, embedding},
    {"Embedding.mask", 1, 1, 1, 1, mask_of_embedding},
    {"Flatten", 1, 1, 1, 1, flatten},
    {"GRU", 1, 1, 1, 6, recurrent},
    {"GaussianDropout", 1, 1, 1, 1, identity},
    {"GaussianNoise", 1, 1, 1, 1, identity},
    {"GlobalAveragePooling1D", 1, 1, 1, 2, global_average_pool, true},
    {"GlobalAveragePooling2D", 1, 1, 1, 1, global_average_pool, true},
    {"GlobalAveragePooling3D", 1, 1, 1, 1, global_average_pool, true},
    {"GlobalMaxPooling1D", 1, 1, 1, 1, global_max_pool, true},
    {"GlobalMaxPooling2D", 1, 1, 1, 1, global_max_pool, true},
    {"GlobalMaxPooling3D", 1, 1, 1, 1, global_max_pool, true},
    {"GroupNormalization", 1, 1, 1, 3, group_normalization},
    {"GroupQueryAttention", 1, 1, 2, 15, multi_head_attention},
    {"Identity", 1, 1, 1, 1, identity},
    {"IntegerLookup", 1, 1, 1, 1, integer_lookup},
    {"LSTM", 1, 1, 1, 7, recurrent},
    {"LayerNormalization", 1, 1, 1, 3, layer_normalization},
    {"LayerScale", 1, 1, 2, 2, layer_scale},
    {"LeakyReLU", 1, 1, 1, 1, leaky_relu},
    {"Masking", 1, 1, 1, 1, masking},
    {"Masking.mask", 1, 1, 1, 1, mask_of_masking},
    {"Masks.all", 1, 1, 1, kAny, all_of_masks},
    {"Masks.any", 1, 1, 1, kAny, any_of_masks},
    {"MaxPooling1D", 1, 1, 1, 1, max_pool, true},
    {"MaxPooling2D", 1, 1, 1, 1, max_pool, true},
    {"MaxPooling3D", 1, 1, 1, 1, max_pool, true},
    {"Maximum", 1, 1, 1, kAny, maximum},
    {"Minimum", 1, 1, 1, kAny, minimum},
    {"MixUp", 1, 1, 1, 1, augmentation},
    {"MultiHeadAttention", 1, 1, 2, 15, multi_head_attention},
    {"Multiply", 1, 1, 1, kAny, multiply},
    {"Normalization", 1, 1, 1, 4, normalization},
    {"PReLU", 1, 1, 2, 2, prelu},
    {"Permute", 1, 1, 1, 1, permute},
    {"RMSNormalization", 1, 1, 2, 2, rms_normalization},
    {"RandAugment", 1, 1, 1, 1, augmentation},
    {"RandomBrightness", 1, 1, 1, 1, augmentation},
    {"RandomColorDegeneration", 1, 1, 1, 1, augmentation},
    {"RandomColorJitter", 1, 1, 1, 1, augmentation},
    {"RandomContrast", 1, 1, 1, 1, augmentation},
    {"RandomElasticTransform", 1, 1, 1, 1, augmentation},
    {"RandomErasing", 1, 1, 1, 1, augmentation},
    {"RandomFlip", 1, 1, 1, 1, augmentation},
    {"RandomGaussianBlur", 1, 1, 1, 1, augmentation},
    {"RandomGrayscale", 1, 1, 1, 1, augmentation},
    {"RandomHeight", 1, 1, 1, 1, augmentation},
    {"RandomHue", 1, 1, 1, 1, augmentation},
    {"RandomInvert", 1, 1, 1, 1, augmentation},
    {"RandomPerspective", 1, 1, 1, 1, augmentation},
    {"RandomPosterization", 1, 1, 1, 1, augmentation},
    {"RandomRotation", 1, 1, 1, 1, augmentation},
    {"RandomSaturation", 1, 1, 1, 1, augmentation},
    {"RandomSharpness", 1, 1, 1, 1, augmentation},
    {"RandomShear", 1, 1, 1, 1, augmentation},
    {"RandomTranslation", 1, 1, 1, 1, augmentation},
    {"RandomWidth", 1, 1, 1, 1, augmentation},
    {"RandomZoom", 1, 1, 1, 1, augmentation},
    {"ReLU", 1, 1, 1, 1, relu},
    {"RepeatVector", 1, 1, 1, 1, repeat_vector},
    {"Rescaling", 1, 1, 1, 1, rescaling},
    {"Reshape", 1, 1, 1, 1, reshape},
    {"Resizing", 1, 1, 1, 1, resizing, true},
    {"ReversibleEmbedding", 1, 1, 2, 3, reversible_embedding},
    {"SeparableConv1D", 1, 1, 3, 4, separable_conv, true},
    {"SeparableConv2D", 1, 1, 3, 4, separable_conv, true},
    {"SimpleRNN", 1, 1, 1, 6, recurrent},
    {"Softmax", 1, 1, 1, 2, softmax},
    {"Solarization", 1, 1, 1, 1, augmentation},
    {"SpatialDropout1D", 1, 1, 1, 1, identity},
    {"SpatialDropout2D", 1, 1, 1, 1, identity},
    {"SpatialDropout3D", 1, 1, 1, 1, identity},
    {"StochasticDepth", 1, 1, 1, 1, identity},
    {"Subtract", 1, 1, 2, 2, subtract},
    {"ThresholdedReLU", 1, 1, 1, 1, thresholded_relu},
    {"TimeDistributed.begin", 1, 1, 1, 1, begin_steps},
    {"TimeDistributed.end", 1, 1, 2, 2, end_steps},
    {"TimeDistributed.mask", 1, 1, 1, 1, mask_of_steps},
    {"UnitNormalization", 1, 1, 1, 1, unit_normalization},
    {"UpSampling1D", 1, 1, 1, 1, upsampling},
    {"UpSampling2D", 1, 1, 1, 1, upsampling, true},
    {"UpSampling3D", 1, 1, 1, 1, upsampling, true},
    {"ZeroPadding1D", 1, 1, 1, 1, zero_padding},
    {"ZeroPadding2D", 1, 1, 1, 1, zero_padding, true},
    {"ZeroPadding3D", 1, 1, 1, 1, zero_padding, true},
    {"ops.Absolute", 1, 1, 1, 1, frontend::unary<ops::Abs>},
    {"ops.Add", 1, 1, 2, 2, add},
    {"ops.Any", 1, 1, 1, 1, any_along},
    {"ops.Clip", 1, 1, 1, 1, clip},
    {"ops.Concatenate", 1, 1, 1, kAny, concatenate},
    {"ops.ConvertToTensor", 1, 1, 1, 1, converted},
    {"ops.Divide", 1, 1, 2, 2, divide},
    {"ops.Exp", 1, 1, 1, 1, frontend::unary<ops::Exp>},
    {"ops.ExpandDims", 1, 1, 1, 1, unsqueeze},
    {"ops.Log", 1, 1, 1, 1, frontend::unary<ops::Log>},
    {"ops.LogicalOr", 1, 1, 2, 2, logical_or},
    {"ops.Matmul", 1, 1, 2, 2, mat_mul},
    {"ops.Max", 1, 1, 1, 1, reduce_max},
    {"ops.Maximum", 1, 1, 2, 2, maximum},
    {"ops.Mean", 1, 1, 1, 1, reduce_mean},
    {"ops.Min", 1, 1, 1, 1, reduce_min},
    {"ops.Minimum", 1, 1, 2, 2, minimum},
    {"ops.Multiply", 1, 1, 2, 2, multiply},
    {"ops.Negative", 1, 1, 1, 1, frontend::unary<ops::Neg>},
    {"ops.NotEqual", 1, 1, 2, 2, not_equal},
    {"ops.Power", 1, 1, 2, 2, power},
    {"ops.Relu", 1, 1, 1, 1, activation_of_name},
    {"ops.Relu6", 1, 1, 1, 1, activation_of_name},
    {"ops.Reshape", 1, 1, 1, 1, reshape_all},
    {"ops.Sigmoid", 1, 1, 1, 1, activation_of_name},
    {"ops.Silu", 1, 1, 1, 1, activation_of_name},
    {"ops.Softmax", 1, 1, 1, 1, softmax},
    {"ops.Sqrt", 1, 1, 1, 1, frontend::unary<ops::Sqrt>},
    {"ops.Square", 1, 1, 1, 1, square},
    {"ops.Subtract", 1, 1, 2, 2, subtract},
    {"ops.Sum", 1, 1, 1, 1, reduce_sum},
    {"ops.Tanh", 1, 1, 1, 1, activation_of_name},
    {"ops.Transpose", 1, 1, 1, 1, transpose},
    {"ops.TrueDivide", 1, 1, 2, 2, divide},
    {"ops.ZerosLike", 1, 1, 1, 1, zeros_like},
    {"tf.__operators__.add", 1, 1, 2, 2, add},
    {"tf.clip_by_value", 1, 1, 1, 1, clip},
    {"tf.compat.v1.transpose", 1, 1, 1, 1, transpose},
    {"tf.concat", 1, 1, 1, kAny, concatenate},
    {"tf.expand_dims", 1, 1, 1, 1, unsqueeze},
    {"tf.linalg.matmul", 1, 1, 2, 2, mat_mul},
    {"tf.math.abs", 1, 1, 1, 1, frontend::unary<ops::Abs>},
    {"tf.math.add", 1, 1, 2, 2, add},
    {"tf.math.exp", 1, 1, 1, 1, frontend::unary<ops::Exp>},
    {"tf.math.log", 1, 1, 1, 1, frontend::unary<ops::Log>},
    {"tf.math.maximum", 1, 1, 2, 2, maximum},
    {"tf.math.minimum", 1, 1, 2, 2, minimum},
    {"tf.math.multiply", 1, 1, 2, 2, multiply},
    {"tf.math.negative", 1, 1, 1, 1, frontend::unary<ops::Neg>},
    {"tf.math.pow", 1, 1, 2, 2, power},
    {"tf.math.reduce_max", 1, 1, 1, 1, reduce_max},
    {"tf.math.reduce_mean", 1, 1, 1, 1, reduce_mean},
    {"tf.math.reduce_min", 1, 1, 1, 1, reduce_min},
    {"tf.math.reduce_sum", 1, 1, 1, 1, reduce_sum},
    {"tf.math.sigmoid", 1, 1, 1, 1, activation_of_name},
    {"tf.math.sqrt", 1, 1, 1, 1, frontend::unary<ops::Sqrt>},
    {"tf.math.square", 1, 1, 1, 1, square},
    {"tf.math.subtract", 1, 1, 2, 2, subtract},
    {"tf.math.tanh", 1, 1, 1, 1, activation_of_name},
    {"tf.math.truediv", 1, 1, 2, 2, divide},
    {"tf.nn.relu", 1, 1, 1, 1, activation_of_name},
    {"tf.nn.relu6", 1, 1, 1, 1, activation_of_name},
    {"tf.nn.silu", 1, 1, 1, 1, activation_of_name},
    {"tf.nn.softmax", 1, 1, 1, 1, softmax},
    {"tf.reshape", 1, 1, 1, 1, reshape_all},
};

}  // namespace

std::span<const frontend::Translator> translators() { return kTranslators; }

double number(const Translation& t, const char* name, double fallback) {
  const std::vector<double> list = numbers(t, name);
  return list.size() == 1 ? list[0] : fallback;
}

std::vector<double> numbers(const Translation& t, const char* name) {
  const auto it = t.node().attributes.find(name);
  if (it == t.node().attributes.end()) return {};
  if (const auto* one = std::get_if<double>(&it->second)) return {*one};
  if (const auto* one = std::get_if<int64_t>(&it->second)) return {static_cast<double>(*one)};
  if (const auto* list = std::get_if<std::vector<double>>(&it->second)) return *list;
  const auto* list = std::get_if<std::vector<int64_t>>(&it->second);
  return list ? std::vector<double>(list->begin(), list->end()) : std::vector<double>();
}

Result<std::vector<int64_t>> option(const Translation& t, const char* name, size_t count, int64_t fallback) {
  std::vector<int64_t> values = t.get<std::vector<int64_t>>(name, {});
  if (values.empty()) values.assign(1, t.get<int64_t>(name, fallback));
  if (values.size() == 1) values.assign(count, values[0]);
  if (values.size() == count) return values;
  return error(ErrorKind::Input, "its " + std::string(name) + " has " + std::to_string(values.size()) +
                                     " numbers, not " + std::to_string(count));
}

Result<int64_t> axis_option(const Translation& t, const char* name, int64_t rank) {
  LAPIS_TRY(const std::vector<int64_t> axes, option(t, name, 1, -1));
  return frontend::axis_of(axes[0], rank);
}

Result<int64_t> rank_of(const Translation& t) {
  if (t.input(0).type.ranked()) return t.input(0).type.rank();
  return Translation::unsupported("data of unknown rank");
}

bool has_channels_first(const Translation& t) { return t.get<std::string>("data_format", "") == "channels_first"; }

Result<size_t> pixel_axes(const Translation& t) {
  LAPIS_TRY(const int64_t rank, rank_of(t));
  if (rank < 3 || rank > 5) return error(ErrorKind::Input, "its data is " + t.input(0).type.to_string() + ", no image");
  return static_cast<size_t>(rank - 2);
}

Result<Value*> per_channel(Translation& t, Value* values, Layout layout, int64_t rank) {
  if (values->type().dim(0).is(1)) return frontend::reshape(t, values, {});
  if (layout != Layout::ChannelsFirst) return values;
  Shape shape(static_cast<size_t>(rank - 1), 1);
  shape[0] = -1;
  return frontend::reshape(t, values, std::move(shape));
}

Result<Value*> repeated(Translation& t, double value, const Shape& shape) {
  return t.add(ops::Expand, {frontend::scalar(t, value, DType::Float32), frontend::ints(t, shape)});
}

}  // namespace lapis::keras_frontend
