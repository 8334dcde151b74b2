#include "frontends/onnx/upgrade.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "frontends/onnx/import.h"
#include "frontends/onnx/nodes.h"

namespace lapis::onnx_frontend {
namespace {

using onnx::NodeProto;

Diagnostic unsupported(std::string message) { return error(ErrorKind::Unsupported, std::move(message)); }

// The attribute's integers become input i.
void ints_to_input(NodeProto& node, UpgradeHost& host, const std::string& name, int i) {
  const auto* a = attribute(node, name);
  if (!a) return;
  set_input(node, i, host.add_constant(Tensor::vector(ints(*a)), node.output(0) + "_" + name));
  remove_attribute(node, name);
}

Tensor scalar_of(DType dtype, float value) {
  switch (dtype) {
    case DType::Float16: return Tensor::scalar(to_float16(value));
    case DType::BFloat16: return Tensor::scalar(to_bfloat16(value));
    case DType::Float64: return Tensor::scalar(static_cast<double>(value));
    default: return Tensor::scalar(value);
  }
}

// The attribute's number becomes input i, of the type of input 0.
void scalar_to_input(NodeProto& node, UpgradeHost& host, const std::string& name, int i,
                     std::optional<float> otherwise = {}) {
  if (!attribute(node, name) && !otherwise) return;
  const float value = float_or(node, name, otherwise.value_or(0));
  const Type* type = host.type_of(node.input(0));
  set_input(node, i,
            host.add_constant(scalar_of(type ? type->dtype : DType::Float32, value), node.output(0) + "_" + name));
  remove_attribute(node, name);
}

// The value of a constant operand as numbers; an error that names it where the model computes it.
Result<std::vector<double>> numbers(const NodeProto& node, UpgradeHost& host, int i, const std::string& name) {
  const Tensor* tensor = i < node.input_size() ? host.constant_of(node.input(i)) : nullptr;
  if (!tensor) return unsupported("'" + name + "' must be constant to be upgraded");
  std::vector<double> values;
  for (int64_t at = 0; at < tensor->size(); ++at) values.push_back(tensor->as_double(at));
  return values;
}

// ---- one function a change; each is named after the operator and the version that brought the change ----------------

// Axes of extent 1 behind the last one of operand i.
void append_axes(NodeProto& node, UpgradeHost& host, int i, int64_t rank, int64_t count) {
  std::vector<int64_t> axes(static_cast<size_t>(count));
  std::iota(axes.begin(), axes.end(), rank);
  const std::string longer = host.fresh_name(node.input(i));
  host.add_before(make_node(
      "Unsqueeze", {node.input(i), host.add_constant(Tensor::vector(std::move(axes)), longer + "_axes")}, longer));
  node.set_input(i, longer);
}

// Before opset 7 an attribute said whether the node is of a model that is trained.
Status only_inference(NodeProto& node, const std::string& otherwise) {
  if (int_or(node, "is_test", 0) == 0) return unsupported("is in training mode (is_test = 0): " + otherwise);
  remove_attribute(node, "is_test");
  return ok();
}

Status axes_to_input(NodeProto& node, UpgradeHost& host) {
  ints_to_input(node, host, "axes", 1);
  return ok();
}

Status batch_normalization_7(NodeProto& node, UpgradeHost&) {
  return only_inference(node, "its statistics are those of the batch");
}

Status batch_normalization_9(NodeProto& node, UpgradeHost&) {
  if (int_or(node, "spatial", 1) == 0)
    return unsupported("spatial = 0 (statistics for each position) has no form in newer opsets");
  remove_attribute(node, "spatial");
  return ok();
}

// The second operand was broadcast where the node said so: from `axis` of the first one on, or against its last axes.
Status broadcasting_7(NodeProto& node, UpgradeHost& host) {
  const bool aligned = int_or(node, "broadcast", 0) != 0 && attribute(node, "axis");
  const int64_t axis = int_or(node, "axis", 0);
  remove_attribute(node, "broadcast");
  remove_attribute(node, "axis");
  if (!aligned) return ok();
  const Type *a = host.type_of(node.input(0)), *b = host.type_of(node.input(1));
  if (!a || !b || !a->ranked() || !b->ranked())
    return unsupported("the ranks of its operands must be known to align them at axis " + std::to_string(axis));
  const int64_t behind = a->rank() - (axis < 0 ? axis + a->rank() : axis) - b->rank();
  if (behind < 0) return error(ErrorKind::Input, "its second operand has more axes than the first one from axis on");
  if (behind > 0) append_axes(node, host, 1, b->rank(), behind);
  return ok();
}

Status cast_6(NodeProto& node, UpgradeHost&) {
  const std::string name = string_or(node, "to", "");
  onnx::TensorProto::DataType type = onnx::TensorProto::UNDEFINED;
  if (!onnx::TensorProto::DataType_Parse(name, &type)) return error(ErrorKind::Input, "'" + name + "' is no type");
  set_int(node, "to", type);
  return ok();
}

Status concat_4(NodeProto& node, UpgradeHost&) {
  set_int(node, "axis", int_or(node, "axis", 1));
  return ok();
}

Status batch_normalization_14(NodeProto& node, UpgradeHost&) {
  for (int i = 1; i < node.output_size(); ++i)
    if (has_output(node, i)) return unsupported("is in training mode (its statistics are outputs)");
  if (node.output_size() > 1) node.mutable_output()->DeleteSubrange(1, node.output_size() - 1);
  return ok();
}

// A bound that is left out was the largest float; now it is none.
Status clip_11(NodeProto& node, UpgradeHost& host) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  scalar_to_input(node, host, "min", 1, -kLargest);
  scalar_to_input(node, host, "max", 2, kLargest);
  return ok();
}

Status dft_20(NodeProto& node, UpgradeHost& host) {
  set_input(node, 2, host.add_constant(Tensor::scalar(int_or(node, "axis", 1)), node.output(0) + "_axis"));
  remove_attribute(node, "axis");
  return ok();
}

Status dropout_12(NodeProto& node, UpgradeHost& host) {
  if (attribute(node, "ratio"))
    set_input(node, 1, host.add_constant(Tensor::scalar(float_or(node, "ratio", 0.5f)), node.output(0) + "_ratio"));
  remove_attribute(node, "ratio");
  return ok();
}

Status dropout_7(NodeProto& node, UpgradeHost&) { return only_inference(node, "which elements it drops is random"); }

// The mask was of the type of the data before it became truth values.
Status dropout_10(NodeProto& node, UpgradeHost& host) {
  if (!has_output(node, 1)) return ok();
  const std::string data = node.input(0), mask = node.output(1), truth = host.fresh_name(mask);
  LAPIS_CHECK(dropout_12(node, host));
  node.set_output(1, truth);
  host.add_before(std::move(node));
  node = make_node("CastLike", {truth, data}, mask);
  return ok();
}

Status grid_sample_20(NodeProto& node, UpgradeHost&) {
  const auto* mode = attribute(node, "mode");
  if (mode && mode->s() == "bilinear") set_string(node, "mode", "linear");
  if (mode && mode->s() == "bicubic") set_string(node, "mode", "cubic");
  return ok();
}

// Scale and bias were one a group and are one a channel now: repeat each C / G times.
Status group_normalization_21(NodeProto& node, UpgradeHost& host) {
  const Type* x = host.type_of(node.input(0));
  const int64_t groups = int_or(node, "num_groups", 0);
  const bool known = x && x->ranked() && x->rank() >= 2 && x->dim(1).is_constant();
  if (!known || groups <= 0 || x->dim(1).value() % groups != 0)
    return unsupported("needs a known number of channels to be upgraded from opset 18");
  const int64_t each = x->dim(1).value() / groups;
  for (int i = 1; i <= 2; ++i) {
    const std::string column = host.fresh_name(node.input(i)), table = host.fresh_name(node.input(i)),
                      flat = host.fresh_name(node.input(i));
    host.add_before(
        make_node("Reshape",
                  {node.input(i), host.add_constant(Tensor::vector<int64_t>({groups, 1}), column + "_shape")}, column));
    host.add_before(make_node(
        "Expand", {column, host.add_constant(Tensor::vector<int64_t>({groups, each}), table + "_shape")}, table));
    host.add_before(
        make_node("Reshape", {table, host.add_constant(Tensor::vector<int64_t>({-1}), flat + "_shape")}, flat));
    node.set_input(i, flat);
  }
  return ok();
}

Status pad_11(NodeProto& node, UpgradeHost& host) {
  ints_to_input(node, host, "pads", 1);
  if (const float value = float_or(node, "value", 0); value != 0 || std::signbit(value))
    scalar_to_input(node, host, "value", 2);
  remove_attribute(node, "value");
  return ok();
}

// The power was a float.
Status lp_pool_2(NodeProto& node, UpgradeHost&) {
  const float p = float_or(node, "p", 2);
  if (p != std::floor(p)) return unsupported("its p is no integer");
  set_int(node, "p", static_cast<int64_t>(p));
  return ok();
}

Status pad_2(NodeProto& node, UpgradeHost&) {
  const auto* paddings = attribute(node, "paddings");
  if (!paddings) return error(ErrorKind::Input, "has no paddings");
  set_ints(node, "pads", ints(*paddings));
  remove_attribute(node, "paddings");
  return ok();
}

// One slope for each channel lay along axis 1 of any x.
Status prelu_7(NodeProto& node, UpgradeHost& host) {
  const Type *x = host.type_of(node.input(0)), *slope = host.type_of(node.input(1));
  if (!x || !slope || !x->ranked() || !slope->ranked())
    return unsupported("the ranks of its operands must be known to align its slope with the channels");
  const bool by_channel = slope->rank() == 1 && !slope->dim(0).is(1) && x->rank() > 2;
  if (by_channel) append_axes(node, host, 1, 1, x->rank() - 2);
  return ok();
}

// Scales of halves divided in float; now they divide in their own type unless the node says otherwise.
Status quantize_linear_23(NodeProto& node, UpgradeHost& host) {
  const Type* scale = node.input_size() > 1 ? host.type_of(node.input(1)) : nullptr;
  const bool may_be_half = !scale || scale->dtype == DType::Float16 || scale->dtype == DType::BFloat16;
  if (may_be_half && !attribute(node, "precision")) set_int(node, "precision", onnx::TensorProto::FLOAT);
  return ok();
}

// Resize by `scales`, sampling as it did before opset 11.
NodeProto asymmetric_resize(NodeProto node, const std::string& scales, const std::string& nearest_mode) {
  set_input(node, 1, "");
  set_input(node, 2, scales);
  set_string(node, "coordinate_transformation_mode", "asymmetric");
  set_string(node, "nearest_mode", nearest_mode);
  return node;
}

// Before opset 11 Resize sampled at floor(i / scale) along axes that it enlarged and at the ceiling along those that it
// shrank. Now one mode holds for all axes, so a node that does both becomes two.
Status resize_11(NodeProto& node, UpgradeHost& host) {
  if (attribute(node, "coordinate_transformation_mode")) return ok();  // was an Upsample
  const std::string scales = node.input(1);
  const auto* mode = attribute(node, "mode");
  const Tensor* known = host.constant_of(scales);
  if (known && known->dtype() != DType::Float32) return error(ErrorKind::Input, "scales must be float");
  const bool interpolates = mode && mode->s() != "nearest";
  if (!known && !interpolates)
    return unsupported("the scales must be constant: whether they shrink decides how opset 10 samples");
  std::vector<float> shrink, enlarge;
  for (int64_t i = 0; known && i < known->size(); ++i) {
    const float scale = known->data<float>()[static_cast<size_t>(i)];
    shrink.push_back(std::min(scale, 1.0f));
    enlarge.push_back(std::max(scale, 1.0f));
  }
  const bool shrinks = !interpolates && std::any_of(shrink.begin(), shrink.end(), [](float s) { return s < 1; });
  const bool enlarges = std::any_of(enlarge.begin(), enlarge.end(), [](float s) { return s > 1; });
  if (!shrinks || !enlarges) {
    node = asymmetric_resize(std::move(node), scales, shrinks ? "ceil" : "floor");
    return ok();
  }
  const std::string smaller = host.fresh_name(node.output(0));
  NodeProto first = asymmetric_resize(node, host.add_constant(Tensor::vector(shrink), smaller + "_scales"), "ceil");
  first.set_output(0, smaller);
  host.add_before(std::move(first));
  node = asymmetric_resize(std::move(node), host.add_constant(Tensor::vector(enlarge), smaller + "_scales"), "floor");
  node.set_input(0, smaller);
  return ok();
}

// The coordinates of tf_half_pixel_for_nn lie half an element behind those of half_pixel: rounded down they are what
// half_pixel rounds half up, and rounded half down what it rounds up.
Status resize_13(NodeProto& node, UpgradeHost&) {
  const auto* coordinates = attribute(node, "coordinate_transformation_mode");
  if (!coordinates || coordinates->s() != "tf_half_pixel_for_nn") return ok();
  const std::string mode = string_or(node, "mode", "nearest"),
                    nearest = string_or(node, "nearest_mode", "round_prefer_floor");
  if (mode != "nearest" || (nearest != "floor" && nearest != "round_prefer_floor"))
    return unsupported("tf_half_pixel_for_nn with mode '" + mode + "' and nearest_mode '" + nearest +
                       "' has no form in newer opsets");
  set_string(node, "coordinate_transformation_mode", "half_pixel");
  set_string(node, "nearest_mode", nearest == "floor" ? "round_prefer_ceil" : "ceil");
  return ok();
}

Status recurrent_7(NodeProto& node, UpgradeHost&) {
  remove_attribute(node, "output_sequence");  // an output that nobody wants says it now
  return ok();
}

Status reshape_5(NodeProto& node, UpgradeHost& host) {
  ints_to_input(node, host, "shape", 1);
  return ok();
}

Status roi_align_16(NodeProto& node, UpgradeHost&) {
  if (!attribute(node, "coordinate_transformation_mode"))
    set_string(node, "coordinate_transformation_mode", "output_half_pixel");
  return ok();
}

Status scan_9(NodeProto&, UpgradeHost&) { return unsupported("the batched Scan of opset 8 is not supported"); }

Status scatter_11(NodeProto& node, UpgradeHost&) {
  node.set_op_type("ScatterElements");
  return ok();
}

Status selu_6(NodeProto& node, UpgradeHost&) {
  set_float(node, "alpha", float_or(node, "alpha", 1.6732f));
  set_float(node, "gamma", float_or(node, "gamma", 1.0507f));
  return ok();
}

Status slice_10(NodeProto& node, UpgradeHost& host) {
  ints_to_input(node, host, "starts", 1);
  ints_to_input(node, host, "ends", 2);
  ints_to_input(node, host, "axes", 3);
  return ok();
}

bool may_be_empty(const Type* type) {
  return !type || !type->ranked() || std::any_of(type->dims->begin(), type->dims->end(), [](const Dim& d) {
    return !d.is_constant() || d.value() == 0;
  });
}

// Softmax(axis) used to see x as a matrix of the axes before `axis` and those from `axis` on.
Status softmax_13(NodeProto& node, UpgradeHost& host) {
  const int64_t axis = int_or(node, "axis", 1);
  const Type* x = host.type_of(node.input(0));
  const bool last = axis == -1 || (x && x->ranked() && axis == x->rank() - 1);
  set_int(node, "axis", -1);
  if (last) return ok();
  const std::string y = node.output(0), matrix = host.fresh_name(y), result = host.fresh_name(y),
                    shape = host.fresh_name(y);
  NodeProto flatten = make_node("Flatten", {node.input(0)}, matrix);
  set_int(flatten, "axis", axis);
  host.add_before(make_node("Shape", {node.input(0)}, shape));
  host.add_before(std::move(flatten));
  NodeProto inner = node;
  inner.set_input(0, matrix);
  inner.set_output(0, result);
  host.add_before(std::move(inner));
  const std::string name = node.name();
  node = make_node("Reshape", {result, shape}, y);
  if (may_be_empty(x)) set_int(node, "allowzero", 1);
  node.set_name(name);
  return ok();
}

// The sizes were an attribute or numbers of the type of x.
Status split_2(NodeProto& node, UpgradeHost& host) {
  if (node.input_size() < 2) return ok();
  LAPIS_TRY(const std::vector<double> sizes, numbers(node, host, 1, "split"));
  node.mutable_input()->RemoveLast();
  set_ints(node, "split", {sizes.begin(), sizes.end()});
  return ok();
}

Status split_13(NodeProto& node, UpgradeHost& host) {
  ints_to_input(node, host, "split", 1);
  return ok();
}

Status split_18(NodeProto& node, UpgradeHost&) {
  if (node.input_size() < 2 || node.input(1).empty()) set_int(node, "num_outputs", node.output_size());
  return ok();
}

// So many times along one axis.
Status tile_6(NodeProto& node, UpgradeHost& host) {
  LAPIS_TRY(const std::vector<double> times, numbers(node, host, 1, "tiles"));
  LAPIS_TRY(const std::vector<double> axis, numbers(node, host, 2, "axis"));
  const Type* x = host.type_of(node.input(0));
  if (!x || !x->ranked()) return unsupported("the rank of its input must be known to be upgraded");
  const double rank = static_cast<double>(x->rank());
  if (times.size() != 1 || axis.size() != 1 || axis[0] < 0 || axis[0] >= rank)
    return error(ErrorKind::Input, "needs one number of tiles and one axis of its input");
  std::vector<int64_t> repeats(static_cast<size_t>(x->rank()), 1);
  repeats[static_cast<size_t>(axis[0])] = static_cast<int64_t>(times[0]);
  node.mutable_input()->RemoveLast();
  set_input(node, 1, host.add_constant(Tensor::vector(std::move(repeats)), node.output(0) + "_repeats"));
  return ok();
}

Status top_k_10(NodeProto& node, UpgradeHost& host) {
  set_input(node, 1, host.add_constant(Tensor::vector<int64_t>({int_or(node, "k", 1)}), node.output(0) + "_k"));
  remove_attribute(node, "k");
  return ok();
}

// The scales were of two axes, and so was the name of the mode.
Status upsample_7(NodeProto& node, UpgradeHost&) {
  if (string_or(node, "mode", "") == "bilinear") set_string(node, "mode", "linear");
  const float height = float_or(node, "height_scale", 1), width = float_or(node, "width_scale", 1);
  remove_attribute(node, "height_scale");
  remove_attribute(node, "width_scale");
  set_floats(node, "scales", {1, 1, height, width});
  return ok();
}

Status upsample_9(NodeProto& node, UpgradeHost& host) {
  const auto* scales = attribute(node, "scales");
  if (!scales) return error(ErrorKind::Input, "has no scales");
  set_input(node, 1,
            host.add_constant(Tensor::vector(std::vector<float>(scales->floats().begin(), scales->floats().end())),
                              node.output(0) + "_scales"));
  remove_attribute(node, "scales");
  return ok();
}

// Upsample never shrinks.
Status upsample_10(NodeProto& node, UpgradeHost&) {
  const std::string scales = node.input(1);
  node = asymmetric_resize(std::move(node), scales, "floor");
  node.set_op_type("Resize");
  return ok();
}

// Every change of meaning or form between the oldest accepted and the canonical opset. Changes that only add types,
// attributes or inputs with neutral defaults need no line.
struct Change {
  std::string_view op;
  int version;  // the first opset of the new form
  Status (*apply)(NodeProto& node, UpgradeHost& host);
};
constexpr Change kChanges[] = {
    {"Add", 7, broadcasting_7},
    {"And", 7, broadcasting_7},
    {"BatchNormalization", 7, batch_normalization_7},
    {"BatchNormalization", 9, batch_normalization_9},
    {"BatchNormalization", 14, batch_normalization_14},
    {"Cast", 6, cast_6},
    {"Clip", 11, clip_11},
    {"Concat", 4, concat_4},
    {"DFT", 20, dft_20},
    {"Div", 7, broadcasting_7},
    {"Dropout", 7, dropout_7},
    {"Dropout", 10, dropout_10},
    {"Dropout", 12, dropout_12},
    {"Equal", 7, broadcasting_7},
    {"Gemm", 7, broadcasting_7},
    {"GlobalLpPool", 2, lp_pool_2},
    {"Greater", 7, broadcasting_7},
    {"GridSample", 20, grid_sample_20},
    {"GroupNormalization", 21, group_normalization_21},
    {"GRU", 7, recurrent_7},
    {"Hardmax", 13, softmax_13},
    {"Less", 7, broadcasting_7},
    {"LogSoftmax", 13, softmax_13},
    {"LpPool", 2, lp_pool_2},
    {"LSTM", 7, recurrent_7},
    {"Mul", 7, broadcasting_7},
    {"Or", 7, broadcasting_7},
    {"Pad", 2, pad_2},
    {"Pad", 11, pad_11},
    {"Pow", 7, broadcasting_7},
    {"PRelu", 7, prelu_7},
    {"QuantizeLinear", 23, quantize_linear_23},
    {"ReduceL1", 18, axes_to_input},
    {"ReduceL2", 18, axes_to_input},
    {"ReduceLogSum", 18, axes_to_input},
    {"ReduceLogSumExp", 18, axes_to_input},
    {"ReduceMax", 18, axes_to_input},
    {"ReduceMean", 18, axes_to_input},
    {"ReduceMin", 18, axes_to_input},
    {"ReduceProd", 18, axes_to_input},
    {"ReduceSum", 13, axes_to_input},
    {"ReduceSumSquare", 18, axes_to_input},
    {"Reshape", 5, reshape_5},
    {"Resize", 11, resize_11},
    {"Resize", 13, resize_13},
    {"RNN", 7, recurrent_7},
    {"RoiAlign", 16, roi_align_16},
    {"Scan", 9, scan_9},
    {"Scatter", 11, scatter_11},
    {"Selu", 6, selu_6},
    {"Slice", 10, slice_10},
    {"Softmax", 13, softmax_13},
    {"Split", 2, split_2},
    {"Split", 13, split_13},
    {"Split", 18, split_18},
    {"Squeeze", 13, axes_to_input},
    {"Sub", 7, broadcasting_7},
    {"Tile", 6, tile_6},
    {"TopK", 10, top_k_10},
    {"Unsqueeze", 13, axes_to_input},
    {"Upsample", 7, upsample_7},
    {"Upsample", 9, upsample_9},
    {"Upsample", 10, upsample_10},
    {"Xor", 7, broadcasting_7},
};

// The next change that concerns the node; upgrades may change its operator.
const Change* next_change(const NodeProto& node, int version) {
  const auto it = std::find_if(std::begin(kChanges), std::end(kChanges),
                               [&](const Change& c) { return c.op == node.op_type() && c.version > version; });
  return it == std::end(kChanges) ? nullptr : it;
}

// Exporters pass empty tensors for inputs that they do not use; ONNX says the same by leaving them out.
void drop_empty_inputs(NodeProto& node, UpgradeHost& host) {
  if (node.op_type() != "Resize") return;
  for (int i = 1; i < node.input_size(); ++i) {
    const Tensor* tensor = host.constant_of(node.input(i));
    if (tensor && tensor->size() == 0) node.set_input(i, "");
  }
}

// One number an axis, none of which a sum of a few could take out of 64 bits; nullopt where the list cannot be.
std::optional<std::vector<int64_t>> each_axis(const NodeProto& node, std::string_view name, size_t axes,
                                              int64_t fallback) {
  const auto* given = attribute(node, name);
  std::vector<int64_t> list = given ? ints(*given) : std::vector<int64_t>();
  if (list.empty()) list.assign(axes, fallback);
  const auto sensible = [&](int64_t v) { return v >= fallback && v <= INT32_MAX; };
  const bool fits = list.size() == axes && std::all_of(list.begin(), list.end(), sensible);
  return fits ? std::optional(std::move(list)) : std::nullopt;
}

// The pads of a ConvTranspose whose result has the size of x times the strides, which do not depend on that of x;
// nullopt where they are not known, or where less than that is there: such a result ends in zeros.
std::optional<std::vector<int64_t>> same_pads(const NodeProto& node, const Type& w, bool upper) {
  const auto axes = static_cast<size_t>(w.rank() - 2);
  const auto strides = each_axis(node, "strides", axes, 1), dilations = each_axis(node, "dilations", axes, 1),
             added = each_axis(node, "output_padding", axes, 0);
  if (!strides || !dilations || !added) return std::nullopt;
  std::vector<int64_t> pads(2 * axes);
  for (size_t i = 0; i < axes; ++i) {
    const int64_t taps = w.dim(static_cast<int64_t>(i) + 2).constant().value_or(0);
    if (taps < 1 || taps > INT32_MAX) return std::nullopt;
    const int64_t total = (taps - 1) * (*dilations)[i] + 1 + (*added)[i] - (*strides)[i];
    if (total < 0) return std::nullopt;
    pads[i] = upper ? total / 2 : total - total / 2;
    pads[i + axes] = total - pads[i];
  }
  return pads;
}

// ONNX's own inference adds output_padding to the size that SAME asks for, and refuses a declared one without it; of
// pads in numbers both say the same.
void pad_by_numbers(NodeProto& node, UpgradeHost& host) {
  if (node.op_type() != "ConvTranspose" || node.input_size() < 2 || attribute(node, "output_shape")) return;
  const std::string mode = string_or(node, "auto_pad", "NOTSET");
  const Type* w = host.type_of(node.input(1));
  if ((mode != "SAME_UPPER" && mode != "SAME_LOWER") || !w || !w->ranked() || w->rank() < 3) return;
  const auto pads = same_pads(node, *w, mode == "SAME_UPPER");
  if (!pads) return;
  set_ints(node, "pads", *pads);
  remove_attribute(node, "auto_pad");
}

}  // namespace

Status upgrade_node(NodeProto& node, int version, UpgradeHost& host) {
  constexpr int kNoHints = 6;  // from here on; before, nodes said which inputs' memory they may take
  if (version < kNoHints) remove_attribute(node, "consumed_inputs");
  while (const Change* change = next_change(node, version)) {
    LAPIS_CHECK(change->apply(node, host));
    version = change->version;
  }
  drop_empty_inputs(node, host);
  pad_by_numbers(node, host);
  return ok();
}

}  // namespace lapis::onnx_frontend
