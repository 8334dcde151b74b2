#include "frontends/tensorflow/translators.h"

#include <algorithm>

#include "frontends/common/control.h"
#include "frontends/tensorflow/import.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::tensorflow_frontend {
namespace {

using frontend::binary;
using frontend::unary;

constexpr size_t kAny = SIZE_MAX;  // operands

// Operator, oldest and newest version (TensorFlow counts none), fewest and most operands, function,
// whether it works on images.
constexpr frontend::Translator kTranslators[] = {
    {"Abs", 1, 1, 1, 1, unary<ops::Abs>},
    {"Acos", 1, 1, 1, 1, unary<ops::Acos>},
    {"Acosh", 1, 1, 1, 1, unary<ops::Acosh>},
    {"Add", 1, 1, 2, 2, binary<ops::Add>},
    {"AddN", 1, 1, 1, kAny, add_n},
    {"AddV2", 1, 1, 2, 2, binary<ops::Add>},
    {"All", 1, 1, 2, 2, all},
    {"Any", 1, 1, 2, 2, any},
    {"ArgMax", 1, 1, 2, 2, arg_max},
    {"ArgMin", 1, 1, 2, 2, arg_min},
    {"Asin", 1, 1, 1, 1, unary<ops::Asin>},
    {"Asinh", 1, 1, 1, 1, unary<ops::Asinh>},
    {"Atan", 1, 1, 1, 1, unary<ops::Atan>},
    {"Atanh", 1, 1, 1, 1, unary<ops::Atanh>},
    {"AvgPool", 1, 1, 1, 1, average_pool, true},
    {"AvgPool3D", 1, 1, 1, 1, average_pool, true},
    {"BatchMatMul", 1, 1, 2, 2, batch_mat_mul},
    {"BatchMatMulV2", 1, 1, 2, 2, batch_mat_mul},
    {"BatchMatMulV3", 1, 1, 2, 2, batch_mat_mul},
    {"BatchToSpaceND", 1, 1, 3, 3, batch_to_space},
    {"BiasAdd", 1, 1, 2, 2, bias_add},
    {"BiasAddV1", 1, 1, 2, 2, bias_add},
    {"BroadcastTo", 1, 1, 2, 2, broadcast_to},
    {"Cast", 1, 1, 1, 1, cast},
    {"Ceil", 1, 1, 1, 1, unary<ops::Ceil>},
    {"ClipByValue", 1, 1, 3, 3, clip_by_value},
    {"CombinedNonMaxSuppression", 1, 1, 6, 6, combined_non_max_suppression},
    {"Concat", 1, 1, 2, kAny, concat},
    {"ConcatV2", 1, 1, 2, kAny, concat_v2},
    {"Conv2D", 1, 1, 2, 2, conv, true},
    {"Conv2DBackpropInput", 1, 1, 3, 3, conv_transpose, true},
    {"Conv3D", 1, 1, 2, 2, conv, true},
    {"Conv3DBackpropInputV2", 1, 1, 3, 3, conv_transpose, true},
    {"Cos", 1, 1, 1, 1, unary<ops::Cos>},
    {"Cosh", 1, 1, 1, 1, unary<ops::Cosh>},
    {"Cumsum", 1, 1, 2, 2, cumsum},
    {"DepthToSpace", 1, 1, 1, 1, depth_to_space},
    {"DepthwiseConv2dNative", 1, 1, 2, 2, depthwise_conv, true},
    {"Div", 1, 1, 2, 2, binary<ops::Div>},
    {"DivNoNan", 1, 1, 2, 2, div_no_nan},
    {"Einsum", 1, 1, 1, 2, einsum},
    {"Elu", 1, 1, 1, 1, elu},
    {"EmptyTensorList", 1, 1, 2, 2, empty_list},
    {"Equal", 1, 1, 2, 2, binary<ops::Equal>},
    {"Erf", 1, 1, 1, 1, unary<ops::Erf>},
    {"Erfc", 1, 1, 1, 1, erfc},
    {"EuclideanNorm", 1, 1, 2, 2, euclidean_norm},
    {"Exp", 1, 1, 1, 1, unary<ops::Exp>},
    {"ExpandDims", 1, 1, 2, 2, expand_dims},
    {"Expm1", 1, 1, 1, 1, expm1},
    {"FakeQuantWithMinMaxArgs", 1, 1, 1, 1, fake_quant_args},
    {"FakeQuantWithMinMaxVars", 1, 1, 3, 3, fake_quant},
    {"FakeQuantWithMinMaxVarsPerChannel", 1, 1, 3, 3, fake_quant},
    {"Fill", 1, 1, 2, 2, fill},
    {"Floor", 1, 1, 1, 1, unary<ops::Floor>},
    {"FloorDiv", 1, 1, 2, 2, floor_div},
    {"FloorMod", 1, 1, 2, 2, floor_mod},
    {"FusedBatchNorm", 1, 1, 5, 5, fused_batch_norm},
    {"FusedBatchNormV2", 1, 1, 5, 5, fused_batch_norm},
    {"FusedBatchNormV3", 1, 1, 5, 5, fused_batch_norm},
    {"Gather", 1, 1, 2, 2, gather},
    {"GatherNd", 1, 1, 2, 2, gather_nd},
    {"GatherV2", 1, 1, 3, 3, gather},
    {"Greater", 1, 1, 2, 2, binary<ops::Greater>},
    {"GreaterEqual", 1, 1, 2, 2, binary<ops::GreaterOrEqual>},
    {"Identity", 1, 1, 1, 1, identity},
    {"If", 1, 1, 1, kAny, frontend::branch},
    {"Inv", 1, 1, 1, 1, unary<ops::Reciprocal>},
    {"IsFinite", 1, 1, 1, 1, is_finite},
    {"IsInf", 1, 1, 1, 1, unary<ops::IsInf>},
    {"IsNan", 1, 1, 1, 1, unary<ops::IsNaN>},
    {"LRN", 1, 1, 1, 1, lrn},
    {"LeakyRelu", 1, 1, 1, 1, leaky_relu},
    {"Less", 1, 1, 2, 2, binary<ops::Less>},
    {"LessEqual", 1, 1, 2, 2, binary<ops::LessOrEqual>},
    {"Log", 1, 1, 1, 1, unary<ops::Log>},
    {"Log1p", 1, 1, 1, 1, log1p},
    {"LogSoftmax", 1, 1, 1, 1, log_softmax},
    {"LogicalAnd", 1, 1, 2, 2, binary<ops::And>},
    {"LogicalNot", 1, 1, 1, 1, unary<ops::Not>},
    {"LogicalOr", 1, 1, 2, 2, binary<ops::Or>},
    {"MatMul", 1, 1, 2, 2, mat_mul},
    {"Max", 1, 1, 2, 2, max},
    {"MaxPool", 1, 1, 1, 1, max_pool, true},
    {"MaxPool3D", 1, 1, 1, 1, max_pool, true},
    {"MaxPoolV2", 1, 1, 3, 3, max_pool, true},
    {"Maximum", 1, 1, 2, 2, binary<ops::Max>},
    {"Mean", 1, 1, 2, 2, mean},
    {"Min", 1, 1, 2, 2, min},
    {"Minimum", 1, 1, 2, 2, binary<ops::Min>},
    {"MirrorPad", 1, 1, 2, 2, mirror_pad},
    {"Mod", 1, 1, 2, 2, truncate_mod},
    {"Mul", 1, 1, 2, 2, binary<ops::Mul>},
    {"Neg", 1, 1, 1, 1, unary<ops::Neg>},
    {"NonMaxSuppression", 1, 1, 3, 3, non_max_suppression},
    {"NonMaxSuppressionV2", 1, 1, 4, 4, non_max_suppression},
    {"NonMaxSuppressionV3", 1, 1, 5, 5, non_max_suppression},
    {"NonMaxSuppressionV4", 1, 1, 5, 5, non_max_suppression},
    {"NonMaxSuppressionV5", 1, 1, 6, 6, non_max_suppression},
    {"NonMaxSuppressionWithOverlaps", 1, 1, 5, 5, non_max_suppression_with_overlaps},
    {"NotEqual", 1, 1, 2, 2, not_equal},
    {"OneHot", 1, 1, 4, 4, one_hot},
    {"OnesLike", 1, 1, 1, 1, ones_like},
    {"Pack", 1, 1, 1, kAny, pack},
    {"Pad", 1, 1, 2, 2, pad},
    {"PadV2", 1, 1, 3, 3, pad},
    {"Pow", 1, 1, 2, 2, binary<ops::Pow>},
    {"Prod", 1, 1, 2, 2, prod},
    {"QuantizeAndDequantizeV2", 1, 1, 3, 3, quantize_and_dequantize},
    {"QuantizeAndDequantizeV3", 1, 1, 4, 4, quantize_and_dequantize},
    {"QuantizeAndDequantizeV4", 1, 1, 3, 3, quantize_and_dequantize},
    {"Range", 1, 1, 3, 3, range},
    {"Rank", 1, 1, 1, 1, rank},
    {"RealDiv", 1, 1, 2, 2, binary<ops::Div>},
    {"Reciprocal", 1, 1, 1, 1, unary<ops::Reciprocal>},
    {"Relu", 1, 1, 1, 1, unary<ops::Relu>},
    {"Relu6", 1, 1, 1, 1, relu6},
    {"Reshape", 1, 1, 2, 2, reshape},
    {"ResizeBilinear", 1, 1, 2, 2, resize_bilinear, true},
    {"ResizeNearestNeighbor", 1, 1, 2, 2, resize_nearest, true},
    {"ResourceGather", 1, 1, 2, 2, gather},
    {"ReverseV2", 1, 1, 2, 2, reverse},
    {"Rint", 1, 1, 1, 1, unary<ops::Round>},
    {"Round", 1, 1, 1, 1, unary<ops::Round>},
    {"Rsqrt", 1, 1, 1, 1, rsqrt},
    {"ScatterNd", 1, 1, 3, 3, scatter_nd},
    {"Select", 1, 1, 3, 3, select},
    {"SelectV2", 1, 1, 3, 3, select_v2},
    {"Selu", 1, 1, 1, 1, unary<ops::Selu>},
    {"Shape", 1, 1, 1, 1, shape},
    {"Sigmoid", 1, 1, 1, 1, unary<ops::Sigmoid>},
    {"Sign", 1, 1, 1, 1, unary<ops::Sign>},
    {"Sin", 1, 1, 1, 1, unary<ops::Sin>},
    {"Sinh", 1, 1, 1, 1, unary<ops::Sinh>},
    {"Size", 1, 1, 1, 1, size},
    {"Slice", 1, 1, 3, 3, slice},
    {"Softmax", 1, 1, 1, 1, softmax},
    {"Softplus", 1, 1, 1, 1, unary<ops::Softplus>},
    {"Softsign", 1, 1, 1, 1, unary<ops::Softsign>},
    {"SpaceToBatchND", 1, 1, 3, 3, space_to_batch},
    {"SpaceToDepth", 1, 1, 1, 1, space_to_depth},
    {"Split", 1, 1, 2, 2, split},
    {"SplitV", 1, 1, 3, 3, split_v},
    {"Sqrt", 1, 1, 1, 1, unary<ops::Sqrt>},
    {"Square", 1, 1, 1, 1, square},
    {"SquaredDifference", 1, 1, 2, 2, squared_difference},
    {"Squeeze", 1, 1, 1, 1, squeeze},
    {"StatelessIf", 1, 1, 1, kAny, frontend::branch},
    {"StatelessWhile", 1, 1, 1, kAny, frontend::loop},
    {"StridedSlice", 1, 1, 4, 4, strided_slice},
    {"Sub", 1, 1, 2, 2, binary<ops::Sub>},
    {"Sum", 1, 1, 2, 2, sum},
    {"Tan", 1, 1, 1, 1, unary<ops::Tan>},
    {"Tanh", 1, 1, 1, 1, unary<ops::Tanh>},
    {"TensorArrayConcatV3", 1, 1, 2, 2, concatenated_array},
    {"TensorArrayGatherV3", 1, 1, 3, 3, gather_array},
    {"TensorArrayReadV3", 1, 1, 3, 3, read_array},
    {"TensorArrayScatterV3", 1, 1, 4, 4, scatter_array},
    {"TensorArraySizeV3", 1, 1, 2, 2, array_length},
    {"TensorArraySplitV3", 1, 1, 4, 4, split_array},
    {"TensorArrayV3", 1, 1, 1, 1, tensor_array},
    {"TensorArrayWriteV3", 1, 1, 4, 4, write_array},
    {"TensorListConcat", 1, 1, 1, 1, concatenated_list},
    {"TensorListConcatLists", 1, 1, 2, 2, joined_lists},
    {"TensorListConcatV2", 1, 1, 3, 3, concatenated_list_v2},
    {"TensorListFromTensor", 1, 1, 2, 2, list_of_rows},
    {"TensorListGather", 1, 1, 3, 3, list_element},
    {"TensorListGetItem", 1, 1, 3, 3, list_element},
    {"TensorListLength", 1, 1, 1, 1, list_length},
    {"TensorListPopBack", 1, 1, 2, 2, pop_back},
    {"TensorListPushBack", 1, 1, 2, 2, push_back},
    {"TensorListReserve", 1, 1, 2, 2, list_of_zeros},
    {"TensorListResize", 1, 1, 2, 2, resized_list},
    {"TensorListScatter", 1, 1, 3, 3, scattered_list},
    {"TensorListScatterIntoExistingList", 1, 1, 3, 3, scatter_into_list},
    {"TensorListScatterV2", 1, 1, 4, 4, scattered_list},
    {"TensorListSetItem", 1, 1, 3, 3, set_list_element},
    {"TensorListSplit", 1, 1, 3, 3, list_of_parts},
    {"TensorListStack", 1, 1, 2, 2, list_as_tensor},
    {"Tile", 1, 1, 2, 2, tile},
    {"TopKV2", 1, 1, 2, 2, top_k},
    {"Transpose", 1, 1, 2, 2, transpose},
    {"TruncateDiv", 1, 1, 2, 2, binary<ops::Div>},
    {"TruncateMod", 1, 1, 2, 2, truncate_mod},
    {"Unpack", 1, 1, 1, 1, unpack},
    {"While", 1, 1, 1, kAny, frontend::loop},
    {"ZerosLike", 1, 1, 1, 1, zeros_like},
};

}  // namespace

std::span<const frontend::Translator> translators() { return kTranslators; }

Result<std::vector<int64_t>> numbers(const Translation& t, size_t i, const char* what) {
  const Tensor& values = t.input(i).constant;
  if (values.defined() && !is_integer(values.dtype()))
    return error(ErrorKind::Input, std::string(what) + " are no integers");
  if (values.defined()) return values.as_ints();
  std::vector<int64_t> known;
  for (const Dim& d : t.contents(i).value_or(Dims{Dim::unknown()})) {
    if (!d.is_constant()) return Translation::unsupported(std::string(what) + " that are computed");
    known.push_back(d.value());
  }
  return known;
}

Result<int64_t> number(const Translation& t, size_t i, const char* what) {
  LAPIS_TRY(const std::vector<int64_t> values, numbers(t, i, what));
  if (values.size() != 1)
    return error(ErrorKind::Input, std::string(what) + " should be one number, not " + std::to_string(values.size()));
  return values[0];
}

Result<int64_t> rank_of(const Translation& t, size_t i) {
  if (t.input(i).type.ranked()) return t.input(i).type.rank();
  return Translation::unsupported("data of unknown rank");
}

Result<Value*> as_int64(Translation& t, size_t i) {
  const Type& type = t.input(i).type;
  const auto known = type.ranked() && type.rank() <= 1 ? t.contents(i) : std::nullopt;
  if (known && std::ranges::all_of(*known, [](const Dim& d) { return d.is_constant(); })) {
    std::vector<int64_t> values;
    for (const Dim& d : *known) values.push_back(d.value());
    return type.rank() == 0 ? t.constant(Tensor::scalar(values[0])) : ints(t, std::move(values));
  }
  LAPIS_TRY(Value * x, t.real(i, Layout::AsWritten));
  return frontend::cast(t, x, DType::Int64);
}

bool has_channels_first(const Translation& t) { return t.get<std::string>("data_format", "NHWC").starts_with("NC"); }

}  // namespace lapis::tensorflow_frontend
