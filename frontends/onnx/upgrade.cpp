#include "frontends/onnx/upgrade.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
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

// ---- one function a change; each is named after the operator and the version that brought the change ----------------------------------

Status axes_to_input(NodeProto& node, UpgradeHost& host) {
  ints_to_input(node, host, "axes", 1);
  return ok();
}

Status batch_normalization_9(NodeProto& node, UpgradeHost&) {
  if (int_or(node, "spatial", 1) == 0)
    return unsupported("spatial = 0 (statistics for each position) has no form in newer opsets");
  remove_attribute(node, "spatial");
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

// Before opset 11 Resize sampled at floor(i / scale) along axes that it enlarged and at the ceiling along those that it shrank. Now
// one mode holds for all axes, so a node that does both becomes two.
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

// The coordinates of tf_half_pixel_for_nn lie half an element behind those of half_pixel: rounded down they are what half_pixel rounds
// half up, and rounded half down what it rounds up.
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

Status split_13(NodeProto& node, UpgradeHost& host) {
  ints_to_input(node, host, "split", 1);
  return ok();
}

Status split_18(NodeProto& node, UpgradeHost&) {
  if (node.input_size() < 2 || node.input(1).empty()) set_int(node, "num_outputs", node.output_size());
  return ok();
}

Status top_k_10(NodeProto& node, UpgradeHost& host) {
  set_input(node, 1, host.add_constant(Tensor::vector<int64_t>({int_or(node, "k", 1)}), node.output(0) + "_k"));
  remove_attribute(node, "k");
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

// Every change of meaning or form between the oldest accepted and the canonical opset. Changes that only add types, attributes or
// inputs with neutral defaults need no line.
struct Change {
  std::string_view op;
  int version;  // the first opset of the new form
  Status (*apply)(NodeProto& node, UpgradeHost& host);
};
constexpr Change kChanges[] = {
    {"BatchNormalization", 9, batch_normalization_9},
    {"BatchNormalization", 14, batch_normalization_14},
    {"Clip", 11, clip_11},
    {"DFT", 20, dft_20},
    {"Dropout", 10, dropout_10},
    {"Dropout", 12, dropout_12},
    {"GridSample", 20, grid_sample_20},
    {"GroupNormalization", 21, group_normalization_21},
    {"Hardmax", 13, softmax_13},
    {"LogSoftmax", 13, softmax_13},
    {"Pad", 11, pad_11},
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
    {"Resize", 11, resize_11},
    {"Resize", 13, resize_13},
    {"RoiAlign", 16, roi_align_16},
    {"Scan", 9, scan_9},
    {"Scatter", 11, scatter_11},
    {"Slice", 10, slice_10},
    {"Softmax", 13, softmax_13},
    {"Split", 13, split_13},
    {"Split", 18, split_18},
    {"Squeeze", 13, axes_to_input},
    {"TopK", 10, top_k_10},
    {"Unsqueeze", 13, axes_to_input},
    {"Upsample", 9, upsample_9},
    {"Upsample", 10, upsample_10},
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

}  // namespace

Status upgrade_node(NodeProto& node, int version, UpgradeHost& host) {
  while (const Change* change = next_change(node, version)) {
    LAPIS_CHECK(change->apply(node, host));
    version = change->version;
  }
  drop_empty_inputs(node, host);
  return ok();
}

}  // namespace lapis::onnx_frontend
