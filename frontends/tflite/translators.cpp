#include "frontends/tflite/translators.h"

#include "frontends/common/control.h"
#include "frontends/common/elementwise.h"
#include "frontends/common/reasons.h"
#include "frontends/tensorflow/translators.h"
#include "frontends/tflite/import.h"
#include "frontends/tflite/schema.h"
#include "ir/ops/ops.h"

namespace lapis::tflite_frontend {
namespace {

namespace tf = tensorflow_frontend;
using frontend::binary;
using frontend::unary;

constexpr size_t kAny = SIZE_MAX;  // operands

// Operator, oldest and newest version, fewest and most operands, function, whether it works on images.
constexpr frontend::Translator kTranslators[] = {
    {"ABS", 1, 5, 1, 1, unary<ops::Abs>},
    {"ADD", 1, 5, 2, 2, binary<ops::Add>},
    {"ADD_N", 1, 1, 1, kAny, tf::add_n},
    {"ARG_MAX", 1, 4, 2, 2, tf::arg_max},
    {"ARG_MIN", 1, 4, 2, 2, tf::arg_min},
    {"ATAN2", 1, 1, 2, 2, atan2},
    {"AVERAGE_POOL_2D", 1, 3, 1, 1, average_pool, true},
    {"BATCH_MATMUL", 1, 4, 2, 2, tf::batch_mat_mul},
    {"BATCH_TO_SPACE_ND", 1, 4, 3, 3, tf::batch_to_space},
    {"BIDIRECTIONAL_SEQUENCE_LSTM", 1, 3, 1, 48, bidirectional_lstm},
    {"BIDIRECTIONAL_SEQUENCE_RNN", 1, 3, 1, 12, bidirectional_rnn},
    {"BITWISE_XOR", 1, 1, 2, 2, bitwise_xor},
    {"BROADCAST_ARGS", 1, 1, 2, 2, broadcast_args},
    {"BROADCAST_TO", 1, 3, 2, 2, tf::broadcast_to},
    {"BUCKETIZE", 1, 1, 1, 1, bucketize},
    {"CALL", 1, 1, 0, kAny, hand_on},
    {"CAST", 1, 7, 1, 1, cast},
    {"CEIL", 1, 1, 1, 1, unary<ops::Ceil>},
    {"CONCATENATION", 1, 4, 1, kAny, concatenation},
    {"CONV_2D", 1, 8, 2, 3, conv, true},
    {"CONV_3D", 1, 1, 2, 3, conv_3d, true},
    {"CONV_3D_TRANSPOSE", 1, 1, 3, 4, conv_3d_transpose, true},
    {"COS", 1, 1, 1, 1, unary<ops::Cos>},
    {"CUMSUM", 1, 1, 2, 2, tf::cumsum},
    {"CUSTOM TFLite_Detection_PostProcess", 1, 1, 3, 3, detection_post_process},
    {"DENSIFY", 1, 1, 1, 1, densify},
    {"DEPTHWISE_CONV_2D", 1, 7, 2, 3, depthwise_conv, true},
    {"DEPTH_TO_SPACE", 1, 2, 1, 1, tf::depth_to_space, true},
    {"DEQUANTIZE", 1, 6, 1, 1, dequantize},
    {"DIV", 1, 3, 2, 2, binary<ops::Div>},
    {"DYNAMIC_UPDATE_SLICE", 1, 4, 3, 3, dynamic_update_slice},
    {"ELU", 1, 1, 1, 1, tf::elu},
    {"EMBEDDING_LOOKUP", 1, 4, 2, 2, embedding_lookup},
    {"EQUAL", 1, 4, 2, 2, binary<ops::Equal>},
    {"EXP", 1, 2, 1, 1, unary<ops::Exp>},
    {"EXPAND_DIMS", 1, 1, 2, 2, tf::expand_dims},
    {"FAKE_QUANT", 1, 2, 1, 1, tf::fake_quant_args},
    {"FILL", 1, 4, 2, 2, tf::fill},
    {"FLOOR", 1, 1, 1, 1, unary<ops::Floor>},
    {"FLOOR_DIV", 1, 3, 2, 2, floor_div},
    {"FLOOR_MOD", 1, 2, 2, 2, floor_mod},
    {"FULLY_CONNECTED", 1, 13, 2, 3, fully_connected},
    {"GATHER", 1, 7, 2, 2, gather},
    {"GATHER_ND", 1, 5, 2, 2, tf::gather_nd},
    {"GELU", 1, 2, 1, 1, gelu},
    {"GREATER", 1, 2, 2, 2, binary<ops::Greater>},
    {"GREATER_EQUAL", 1, 3, 2, 2, binary<ops::GreaterOrEqual>},
    {"HARD_SWISH", 1, 1, 1, 1, unary<ops::HardSwish>},
    {"IF", 1, 1, 1, kAny, frontend::branch},
    {"L2_NORMALIZATION", 1, 2, 1, 1, l2_normalization},
    {"L2_POOL_2D", 1, 1, 1, 1, l2_pool, true},
    {"LEAKY_RELU", 1, 2, 1, 1, tf::leaky_relu},
    {"LESS", 1, 3, 2, 2, binary<ops::Less>},
    {"LESS_EQUAL", 1, 3, 2, 2, binary<ops::LessOrEqual>},
    {"LOCAL_RESPONSE_NORMALIZATION", 1, 1, 1, 1, tf::lrn, true},
    {"LOG", 1, 2, 1, 1, unary<ops::Log>},
    {"LOGICAL_AND", 1, 1, 2, 2, binary<ops::And>},
    {"LOGICAL_NOT", 1, 1, 1, 1, unary<ops::Not>},
    {"LOGICAL_OR", 1, 1, 2, 2, binary<ops::Or>},
    {"LOGISTIC", 1, 3, 1, 1, unary<ops::Sigmoid>},
    {"LOG_SOFTMAX", 1, 2, 1, 1, tf::log_softmax},
    {"MATRIX_DIAG", 1, 1, 1, 1, matrix_diag},
    {"MATRIX_SET_DIAG", 1, 1, 2, 2, matrix_set_diag},
    {"MAXIMUM", 1, 4, 2, 2, binary<ops::Max>},
    {"MAX_POOL_2D", 1, 3, 1, 1, max_pool, true},
    {"MEAN", 1, 3, 2, 2, tf::mean},
    {"MINIMUM", 1, 4, 2, 2, binary<ops::Min>},
    {"MIRROR_PAD", 1, 3, 2, 2, mirror_pad},
    {"MUL", 1, 7, 2, 2, binary<ops::Mul>},
    {"NEG", 1, 1, 1, 1, unary<ops::Neg>},
    {"NON_MAX_SUPPRESSION_V4", 1, 1, 5, 5, tf::non_max_suppression_of_tflite},
    {"NON_MAX_SUPPRESSION_V5", 1, 1, 6, 6, tf::non_max_suppression_of_tflite},
    {"NOT_EQUAL", 1, 3, 2, 2, tf::not_equal},
    {"ONE_HOT", 1, 1, 4, 4, tf::one_hot},
    {"PACK", 1, 4, 1, kAny, tf::pack},
    {"PAD", 1, 4, 2, 2, tf::pad},
    {"PADV2", 1, 4, 3, 3, tf::pad},
    {"POW", 1, 1, 2, 2, binary<ops::Pow>},
    {"PRELU", 1, 1, 2, 2, binary<ops::PRelu>},
    {"QUANTIZE", 1, 4, 1, 1, quantize},
    {"RANGE", 1, 2, 3, 3, tf::range},
    {"RANK", 1, 1, 1, 1, tf::rank},
    {"READ_VARIABLE", 1, 1, 1, 1, hand_on},
    {"REDUCE_ALL", 1, 1, 2, 2, tf::all},
    {"REDUCE_ANY", 1, 2, 2, 2, tf::any},
    {"REDUCE_MAX", 1, 3, 2, 2, tf::max},
    {"REDUCE_MIN", 1, 3, 2, 2, tf::min},
    {"REDUCE_PROD", 1, 2, 2, 2, tf::prod},
    {"RELU", 1, 3, 1, 1, unary<ops::Relu>},
    {"RELU6", 1, 3, 1, 1, tf::relu6},
    {"RELU_0_TO_1", 1, 1, 1, 1, relu_0_to_1},
    {"RELU_N1_TO_1", 1, 1, 1, 1, relu_n1_to_1},
    {"RESHAPE", 1, 2, 1, 2, reshape},
    {"RESIZE_BILINEAR", 1, 4, 2, 2, tf::resize_bilinear, true},
    {"RESIZE_NEAREST_NEIGHBOR", 1, 4, 2, 2, tf::resize_nearest, true},
    {"REVERSE_SEQUENCE", 1, 1, 2, 2, reverse_sequence},
    {"REVERSE_V2", 1, 3, 2, 2, tf::reverse},
    {"RIGHT_SHIFT", 1, 1, 2, 2, right_shift},
    {"ROUND", 1, 1, 1, 1, unary<ops::Round>},
    {"RSQRT", 1, 3, 1, 1, tf::rsqrt},
    {"SCATTER_ND", 1, 1, 3, 3, tf::scatter_nd},
    {"SEGMENT_SUM", 1, 1, 2, 2, segment_sum},
    {"SELECT", 1, 4, 3, 3, tf::select},
    {"SELECT_V2", 1, 2, 3, 3, tf::select_v2},
    {"SHAPE", 1, 1, 1, 1, tf::shape},
    {"SIGN", 1, 2, 1, 1, unary<ops::Sign>},
    {"SIN", 1, 1, 1, 1, unary<ops::Sin>},
    {"SLICE", 1, 6, 3, 3, tf::slice},
    {"SOFTMAX", 1, 3, 1, 1, softmax},
    {"SPACE_TO_BATCH_ND", 1, 4, 3, 3, tf::space_to_batch},
    {"SPACE_TO_DEPTH", 1, 2, 1, 1, tf::space_to_depth, true},
    {"SPARSE_TO_DENSE", 1, 3, 4, 4, sparse_to_dense},
    {"SPLIT", 1, 4, 2, 2, tf::split},
    {"SPLIT_V", 1, 2, 3, 3, tf::split_v},
    {"SQRT", 1, 1, 1, 1, unary<ops::Sqrt>},
    {"SQUARE", 1, 1, 1, 1, tf::square},
    {"SQUARED_DIFFERENCE", 1, 2, 2, 2, tf::squared_difference},
    {"SQUEEZE", 1, 2, 1, 1, tf::squeeze},
    {"STRIDED_SLICE", 1, 8, 4, 4, strided_slice},
    {"SUB", 1, 5, 2, 2, binary<ops::Sub>},
    {"SUM", 1, 2, 2, 2, tf::sum},
    {"SVDF", 1, 4, 3, 5, svdf},
    {"TANH", 1, 3, 1, 1, unary<ops::Tanh>},
    {"TILE", 1, 3, 2, 2, tf::tile},
    {"TOPK_V2", 1, 3, 2, 2, tf::top_k},
    {"TRANSPOSE", 1, 7, 2, 2, tf::transpose},
    {"TRANSPOSE_CONV", 1, 5, 3, 4, transpose_conv, true},
    {"UNIDIRECTIONAL_SEQUENCE_LSTM", 1, 4, 1, 24, sequence_lstm},
    {"UNIDIRECTIONAL_SEQUENCE_RNN", 1, 3, 5, 5, sequence_rnn},
    {"UNPACK", 1, 4, 1, 1, tf::unpack},
    {"UNSORTED_SEGMENT_MAX", 1, 1, 3, 3, unsorted_segment_max},
    {"UNSORTED_SEGMENT_MIN", 1, 1, 3, 3, unsorted_segment_min},
    {"UNSORTED_SEGMENT_PROD", 1, 1, 3, 3, unsorted_segment_prod},
    {"UNSORTED_SEGMENT_SUM", 1, 1, 3, 3, unsorted_segment_sum},
    {"WHERE", 1, 2, 1, 1, where},
    {"WHILE", 1, 1, 1, kAny, frontend::loop},
    {"ZEROS_LIKE", 1, 2, 1, 1, tf::zeros_like},
};

using frontend::reason::kComplex;
using frontend::reason::kRandom;
constexpr const char* kWithoutSpectrum =
    "leave spectra to the program around the model, or write them as products with constant cosines and sines";
constexpr const char* kTables = "it reads a table of strings or numbers that lives beside the graph";
constexpr const char* kOutside = "look values up before the model runs, and give it what is found";
constexpr const char* kGiveNumbers = "give the model its random numbers as an input";
constexpr const char* kState = "it keeps a state from one run to the next";
constexpr const char* kUnroll = "convert the model with its state as an input and an output";
constexpr const char* kStringsIn = "it works on texts, for which Lapis has no code";
constexpr const char* kStableHlo = "StableHLO's operators stand for those of TFLite, which say the same";
constexpr const char* kWithTflite = "convert the model without keeping StableHLO";

// The other builtin operators, each with the reason and what helps.
constexpr frontend::Refused kRefused[] = {
    {"ASSIGN_VARIABLE", kState, "make the variable an input and an output of the model"},
    {"BITCAST", "it takes the bits of numbers for those of another type", "keep the model's numbers in one type"},
    {"COMPLEX_ABS", kComplex, kWithoutSpectrum},
    {"CONCAT_EMBEDDINGS", "no version of TFLite has a kernel for it", "use EMBEDDING_LOOKUP and CONCATENATION"},
    {"DELEGATE", "it stands for a part that was compiled for one device",
     "start from the model before it was delegated"},
    {"DILATE", "Lapis has nothing that puts space between elements", "widen by RESHAPE, PAD and SLICE"},
    {"EMBEDDING_LOOKUP_SPARSE", "it combines a number of rows that depends on values", "use EMBEDDING_LOOKUP and SUM"},
    {"HASHTABLE", kTables, kOutside},
    {"HASHTABLE_FIND", kTables, kOutside},
    {"HASHTABLE_IMPORT", kTables, kOutside},
    {"HASHTABLE_LOOKUP", kTables, kOutside},
    {"HASHTABLE_SIZE", kTables, kOutside},
    {"IMAG", kComplex, kWithoutSpectrum},
    {"LSH_PROJECTION", kStringsIn, kOutside},
    {"LSTM", kState, kUnroll},
    {"MULTINOMIAL", kRandom, kGiveNumbers},
    {"PLACEHOLDER_FOR_GREATER_OP_CODES", "it stands for an operator with a larger number", "convert the model again"},
    {"RANDOM_STANDARD_NORMAL", kRandom, kGiveNumbers},
    {"RANDOM_UNIFORM", kRandom, kGiveNumbers},
    {"REAL", kComplex, kWithoutSpectrum},
    {"REDUCE_WINDOW", "Lapis has pools over the pixels of images only", "use MAX_POOL_2D or AVERAGE_POOL_2D"},
    {"RFFT2D", kComplex, kWithoutSpectrum},
    {"RNN", kState, kUnroll},
    {"SKIP_GRAM", kStringsIn, kOutside},
    {"UNIQUE", "the size of its result depends on values", "count or sort in the program around the model"},
};

// What calls.cpp makes of the operators that are no computation.
constexpr frontend::Resolved kResolved[] = {{"CALL_ONCE", "the variables that it sets are constants"},
                                            {"VAR_HANDLE", "the value of the variable"}};

// By number.
enum class Activation : uint8_t { None, Relu, ReluN1To1, Relu6, Tanh, SignBit };

}  // namespace

std::span<const frontend::Translator> translators() { return kTranslators; }

std::span<const frontend::Resolved> resolved() { return kResolved; }

std::span<const frontend::Refused> refused() {
  static const std::vector<frontend::Refused> all = [] {
    std::vector<frontend::Refused> rows(std::begin(kRefused), std::end(kRefused));
    for (const std::string_view op : builtins())
      if (op.starts_with("STABLEHLO_")) rows.push_back({op, kStableHlo, kWithTflite});
    return rows;
  }();
  return all;
}

Result<Value*> clipped(Translation& t, Value* value, double low, double high) {
  LAPIS_TRY(Value * least, frontend::scalar_like(t, low, value));
  LAPIS_TRY(Value * most, frontend::scalar_like(t, high, value));
  return t.add(ops::Clip, {value, least, most});
}

Result<Value*> activated(Translation& t, Value* value) {
  return activated_by(t, value, t.get<int64_t>("activation", 0));
}

Result<Value*> activated_by(Translation& t, Value* value, int64_t number) {
  constexpr double kSix = 6;
  switch (static_cast<Activation>(number)) {
    case Activation::None: return value;
    case Activation::Relu: return t.add(ops::Relu, {value});
    case Activation::ReluN1To1: return clipped(t, value, -1, 1);
    case Activation::Relu6: return clipped(t, value, 0, kSix);
    case Activation::Tanh: return t.add(ops::Tanh, {value});
    case Activation::SignBit: break;
  }
  return Translation::unsupported("the fused activation number " + std::to_string(number));
}

Status check_bias(const Translation& t, size_t i) {
  if (!t.has(i) || is_float(t.input(i).type.dtype) || t.input(i).quantization) return ok();
  return Translation::unsupported("a bias of integers that is computed or has no scale");
}

Status check_plain(const Translation& t) {
  bool stands_for_reals = t.output(0).quantization.has_value();
  for (size_t i = 0; i < t.input_count(); ++i) stands_for_reals |= t.has(i) && t.input(i).quantization.has_value();
  return stands_for_reals ? Status(Translation::unsupported("integers that stand for reals")) : ok();
}

}  // namespace lapis::tflite_frontend
