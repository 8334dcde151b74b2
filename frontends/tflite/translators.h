// The translators of TFLite's operators, by family, and what several of them share. What TensorFlow means by the same
// name is translated by TensorFlow's (frontends/tensorflow/translators.h).
#pragma once

#include "frontends/common/translate.h"

namespace lapis::tflite_frontend {

using frontend::Axes;
using frontend::Layout;
using frontend::Translation;

// control.cpp
Status hand_on(Translation& t);
// detection.cpp
Status detection_post_process(Translation& t);
// elementwise.cpp
Status atan2(Translation& t);
Status bitwise_xor(Translation& t);
Status bucketize(Translation& t);
Status cast(Translation& t);
Status dequantize(Translation& t);
Status floor_div(Translation& t);
Status floor_mod(Translation& t);
Status gelu(Translation& t);
Status l2_normalization(Translation& t);
Status quantize(Translation& t);
Status relu_0_to_1(Translation& t);
Status relu_n1_to_1(Translation& t);
Status right_shift(Translation& t);
Status softmax(Translation& t);
// products.cpp
Status fully_connected(Translation& t);
// scatter.cpp
Status dynamic_update_slice(Translation& t);
Status segment_sum(Translation& t);
Status sparse_to_dense(Translation& t);
Status unsorted_segment_max(Translation& t);
Status unsorted_segment_min(Translation& t);
Status unsorted_segment_prod(Translation& t);
Status unsorted_segment_sum(Translation& t);
// sequences.cpp
Status bidirectional_lstm(Translation& t);
Status bidirectional_rnn(Translation& t);
Status sequence_lstm(Translation& t);
Status sequence_rnn(Translation& t);
// svdf.cpp
Status svdf(Translation& t);
// shapes.cpp
Status broadcast_args(Translation& t);
Status concatenation(Translation& t);
Status densify(Translation& t);
Status embedding_lookup(Translation& t);
Status gather(Translation& t);
Status matrix_diag(Translation& t);
Status matrix_set_diag(Translation& t);
Status mirror_pad(Translation& t);
Status reshape(Translation& t);
Status reverse_sequence(Translation& t);
Status strided_slice(Translation& t);
Status where(Translation& t);
// windows.cpp
Status average_pool(Translation& t);
Status conv(Translation& t);
Status conv_3d(Translation& t);
Status conv_3d_transpose(Translation& t);
Status depthwise_conv(Translation& t);
Status l2_pool(Translation& t);
Status max_pool(Translation& t);
Status transpose_conv(Translation& t);

// The value behind the activation that the operator has fused into it; an error for one that is not known.
Result<Value*> activated(Translation& t, Value* value);
// The same of an activation that the operator applies itself, by its number.
Result<Value*> activated_by(Translation& t, Value* value, int64_t number);
// Between two numbers.
Result<Value*> clipped(Translation& t, Value* value, double low, double high);
// Operand i of a contraction: reals, or integers with scales.
Status check_bias(const Translation& t, size_t i = 2);
// Operators that count with integers as they are stored: an error if they stand for reals.
Status check_plain(const Translation& t);

}  // namespace lapis::tflite_frontend
