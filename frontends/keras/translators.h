// The translators of Keras' layers, by family, and what several of them share.
#pragma once

#include "frontends/common/build.h"
#include "frontends/common/elementwise.h"
#include "frontends/common/translate.h"
#include "ir/ops/ops.h"

namespace lapis::keras_frontend {

using frontend::Axes;
using frontend::Layout;
using frontend::Translation;

// activations.cpp
Status activation(Translation& t);
Status activation_of_name(Translation& t);  // the name of the operator: "ops.Relu6", "tf.nn.relu6"
Status elu(Translation& t);
Status leaky_relu(Translation& t);
Status prelu(Translation& t);
Status relu(Translation& t);
Status softmax(Translation& t);
Status thresholded_relu(Translation& t);
// attention.cpp
Status attention(Translation& t);
Status multi_head_attention(Translation& t);
// categories.cpp
Status category_encoding(Translation& t);
Status discretization(Translation& t);
Status integer_lookup(Translation& t);
// conv_lstm.cpp
Status conv_lstm(Translation& t);
// layers.cpp
Status augmentation(Translation& t);
Status dense(Translation& t);
Status einsum_dense(Translation& t);
Status embedding(Translation& t);
Status identity(Translation& t);
Status reversible_embedding(Translation& t);
// masking.cpp
Status all_of_masks(Translation& t);
Status any_of_masks(Translation& t);
Status mask_of_concatenate(Translation& t);
Status mask_of_embedding(Translation& t);
Status mask_of_masking(Translation& t);
Status masking(Translation& t);
// merging.cpp
Status add(Translation& t);
Status average(Translation& t);
Status concatenate(Translation& t);
Status divide(Translation& t);
Status dot(Translation& t);
Status maximum(Translation& t);
Status minimum(Translation& t);
Status multiply(Translation& t);
Status power(Translation& t);
Status subtract(Translation& t);
// normalization.cpp
Status batch_normalization(Translation& t);
Status group_normalization(Translation& t);
Status layer_normalization(Translation& t);
Status layer_scale(Translation& t);
Status normalization(Translation& t);
Status rescaling(Translation& t);
Status rms_normalization(Translation& t);
Status unit_normalization(Translation& t);
// operators.cpp
Status any_along(Translation& t);
Status clip(Translation& t);
Status converted(Translation& t);
Status logical_or(Translation& t);
Status mat_mul(Translation& t);
Status not_equal(Translation& t);
Status reduce_max(Translation& t);
Status reduce_mean(Translation& t);
Status reduce_min(Translation& t);
Status reduce_sum(Translation& t);
Status reshape_all(Translation& t);
Status square(Translation& t);
Status transpose(Translation& t);
Status unsqueeze(Translation& t);
Status zeros_like(Translation& t);
// recurrent.cpp
Status bidirectional(Translation& t);
Status recurrent(Translation& t);
// shapes.cpp
Status begin_steps(Translation& t);
Status center_crop(Translation& t);
Status cropping(Translation& t);
Status end_steps(Translation& t);
Status flatten(Translation& t);
Status mask_of_steps(Translation& t);
Status permute(Translation& t);
Status repeat_vector(Translation& t);
Status reshape(Translation& t);
Status resizing(Translation& t);
Status upsampling(Translation& t);
Status zero_padding(Translation& t);
// windows.cpp
Status adaptive_average_pool(Translation& t);
Status adaptive_max_pool(Translation& t);
Status average_pool(Translation& t);
Status conv(Translation& t);
Status conv_transpose(Translation& t);
Status depthwise_conv(Translation& t);
Status global_average_pool(Translation& t);
Status global_max_pool(Translation& t);
Status max_pool(Translation& t);
Status separable_conv(Translation& t);

// `x`, which stands in `layout`, behind an activation by its name; that of the option "activation" if none is given.
Result<Value*> activated(Translation& t, Value* x, Layout layout, const std::string& name);
Result<Value*> activated(Translation& t, Value* x, Layout layout);

// Options: a number whole or not, a list of numbers (empty if there are none),
// and one whole number for each of `count` axes.
double number(const Translation& t, const char* name, double fallback);
std::vector<double> numbers(const Translation& t, const char* name);
Result<std::vector<int64_t>> option(const Translation& t, const char* name, size_t count, int64_t fallback);
// An option that is one axis, counted from the front.
Result<int64_t> axis_option(const Translation& t, const char* name, int64_t rank);
Result<int64_t> rank_of(const Translation& t);  // of the data
// Whether the layer takes its data as [N, C, H, W]; in which order it is asked for then;
// and the first axis of pixels as it is written.
bool has_channels_first(const Translation& t);
inline Layout image_layout(const Translation& t) {
  return has_channels_first(t) ? Layout::AsWritten : Layout::ChannelsFirst;
}
inline int64_t first_pixel_axis(const Translation& t) { return has_channels_first(t) ? 2 : 1; }
// How many axes of pixels an image has; an error if it is none.
Result<size_t> pixel_axes(const Translation& t);
// Numbers for the last axis as it is written, to go with data of `rank` axes in this order.
Result<Value*> per_channel(Translation& t, Value* values, Layout layout, int64_t rank);
// One number in this shape, which takes no memory while it is large.
Result<Value*> repeated(Translation& t, double value, const Shape& shape);
inline constexpr double kNever = -1e9;  // the score of what a mask leaves out
// Which of these truth values, along axes, has a true one; and an operand that is a mask.
Result<Value*> any(Translation& t, Value* truths, Axes axes, bool keepdims);
Result<Value*> mask_operand(Translation& t, size_t i);
// A mask that says more than one truth value of each sample.
Result<Value*> step_mask(Translation& t, size_t i);
// Operand 0, what `compute` makes of it, in the same order of axes.
template <class Compute> Status in_any_order(Translation& t, Compute compute) {
  const Layout layout = frontend::plain_layout(t);
  LAPIS_TRY(Value * x, t.real(0, layout));
  LAPIS_TRY(Value * y, compute(x, layout));
  if (y == x) {
    LAPIS_TRY(y, t.add(ops::Identity, {x}));
  }
  return t.set(0, y, layout);
}

}  // namespace lapis::keras_frontend
