// The translators of TensorFlow's operators, by family, and what several of them share.
#pragma once

#include "frontends/common/build.h"
#include "frontends/common/elementwise.h"
#include "frontends/common/translate.h"

namespace lapis::tensorflow_frontend {

using frontend::Axes;
using frontend::axis_of;
using frontend::ints;
using frontend::Layout;
using frontend::Translation;

// arrays.cpp
Status array_length(Translation& t);
Status concatenated_array(Translation& t);
Status gather_array(Translation& t);
Status read_array(Translation& t);
Status scatter_array(Translation& t);
Status split_array(Translation& t);
Status tensor_array(Translation& t);
Status write_array(Translation& t);
// boxes.cpp
Status combined_non_max_suppression(Translation& t);
Status non_max_suppression(Translation& t);
Status non_max_suppression_with_overlaps(Translation& t);
// elementwise.cpp
Status add_n(Translation& t);
Status bias_add(Translation& t);
Status cast(Translation& t);
Status clip_by_value(Translation& t);
Status div_no_nan(Translation& t);
Status elu(Translation& t);
Status erfc(Translation& t);
Status expm1(Translation& t);
Status floor_div(Translation& t);
Status floor_mod(Translation& t);
Status identity(Translation& t);
Status is_finite(Translation& t);
Status leaky_relu(Translation& t);
Status log1p(Translation& t);
Status log_softmax(Translation& t);
Status not_equal(Translation& t);
Status ones_like(Translation& t);
Status relu6(Translation& t);
Status rsqrt(Translation& t);
Status select(Translation& t);
Status select_v2(Translation& t);
Status softmax(Translation& t);
Status square(Translation& t);
Status squared_difference(Translation& t);
Status truncate_mod(Translation& t);
Status zeros_like(Translation& t);
// lists.cpp
Status concatenated_list(Translation& t);
Status concatenated_list_v2(Translation& t);
Status empty_list(Translation& t);
Status joined_lists(Translation& t);
Status list_as_tensor(Translation& t);
Status list_element(Translation& t);
Status list_length(Translation& t);
Status list_of_parts(Translation& t);
Status list_of_rows(Translation& t);
Status list_of_zeros(Translation& t);
Status pop_back(Translation& t);
Status push_back(Translation& t);
Status resized_list(Translation& t);
Status scatter_into_list(Translation& t);
Status scattered_list(Translation& t);
Status set_list_element(Translation& t);
// normalization.cpp
Status fused_batch_norm(Translation& t);
Status lrn(Translation& t);
// products.cpp
Status batch_mat_mul(Translation& t);
Status einsum(Translation& t);
Status mat_mul(Translation& t);
// quantize.cpp
Status fake_quant(Translation& t);
Status fake_quant_args(Translation& t);
Status quantize_and_dequantize(Translation& t);
// reductions.cpp
Status all(Translation& t);
Status any(Translation& t);
Status arg_max(Translation& t);
Status arg_min(Translation& t);
Status cumsum(Translation& t);
Status euclidean_norm(Translation& t);
Status max(Translation& t);
Status mean(Translation& t);
Status min(Translation& t);
Status prod(Translation& t);
Status sum(Translation& t);
Status top_k(Translation& t);
// shapes.cpp
Status broadcast_to(Translation& t);
Status expand_dims(Translation& t);
Status fill(Translation& t);
Status range(Translation& t);
Status rank(Translation& t);
Status reshape(Translation& t);
Status shape(Translation& t);
Status size(Translation& t);
Status squeeze(Translation& t);
Status transpose(Translation& t);
// slices.cpp
Status batch_to_space(Translation& t);
Status concat(Translation& t);
Status concat_v2(Translation& t);
Status depth_to_space(Translation& t);
Status gather(Translation& t);
Status gather_nd(Translation& t);
Status mirror_pad(Translation& t);
Status one_hot(Translation& t);
Status pack(Translation& t);
Status pad(Translation& t);
Status reverse(Translation& t);
Status scatter_nd(Translation& t);
Status slice(Translation& t);
Status space_to_batch(Translation& t);
Status space_to_depth(Translation& t);
Status split(Translation& t);
Status split_v(Translation& t);
Status strided_slice(Translation& t);
Status tile(Translation& t);
Status unpack(Translation& t);
// windows.cpp
Status average_pool(Translation& t);
Status conv(Translation& t);
Status conv_transpose(Translation& t);
Status depthwise_conv(Translation& t);
Status max_pool(Translation& t);
Status resize_bilinear(Translation& t);
Status resize_nearest(Translation& t);

// The same for what TFLite writes elsewhere: axes and modes as options.
Status concat_of(Translation& t, size_t begin, size_t end, int64_t axis);  // operands [begin, end)
Status gather_of(Translation& t, int64_t axis);
Status mirror_pad_of(Translation& t, bool repeats_edge);
Status non_max_suppression_of_tflite(Translation& t);
Status reshape_to(Translation& t, const std::optional<std::vector<int64_t>>& sizes);  // nullopt: those of operand 1

// Numbers that decide what the operator does, as an operand; an error if they are computed from data.
Result<std::vector<int64_t>> numbers(const Translation& t, size_t i, const char* what);
// The same of one number.
Result<int64_t> number(const Translation& t, size_t i, const char* what);
// The rank of operand i; an error if it is not known.
Result<int64_t> rank_of(const Translation& t, size_t i);
// An operand that is a shape or a list of positions, as int64: a constant where its numbers are known.
Result<Value*> as_int64(Translation& t, size_t i);
// [C] is channel first or last of the data, as `data_format` says.
bool has_channels_first(const Translation& t);
}  // namespace lapis::tensorflow_frontend
