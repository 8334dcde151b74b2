// The typed attributes of the elementwise, data movement, indexing and control flow operators, shared with passes and
// codegen.
#pragma once

#include "ir/op.h"

namespace lapis::ops {

// ---- elementwise ---------------------------------------------------------------------------------------------------

struct LeakyReluAttrs {
  float alpha = 0.01f;
  static constexpr auto fields = std::tuple(field("alpha", &LeakyReluAttrs::alpha));
};

struct AlphaAttrs {  // Celu, Elu, Swish, ThresholdedRelu
  float alpha = 1;
  static constexpr auto fields = std::tuple(field("alpha", &AlphaAttrs::alpha));
};

struct SeluAttrs {
  float alpha = 1.67326319217681884765625f, gamma = 1.05070102214813232421875f;
  static constexpr auto fields = std::tuple(field("alpha", &SeluAttrs::alpha), field("gamma", &SeluAttrs::gamma));
};

struct HardSigmoidAttrs {
  float alpha = 0.2f, beta = 0.5f;
  static constexpr auto fields =
      std::tuple(field("alpha", &HardSigmoidAttrs::alpha), field("beta", &HardSigmoidAttrs::beta));
};

struct GeluAttrs {
  std::string approximate = "none";  // or "tanh"
  static constexpr auto fields = std::tuple(field("approximate", &GeluAttrs::approximate));
};

struct IsInfAttrs {
  bool detect_negative = true, detect_positive = true;
  static constexpr auto fields = std::tuple(field("detect_negative", &IsInfAttrs::detect_negative),
                                            field("detect_positive", &IsInfAttrs::detect_positive));
};

struct ModAttrs {
  bool fmod = false;  // the sign of the dividend instead of the divisor's
  static constexpr auto fields = std::tuple(field("fmod", &ModAttrs::fmod));
};

struct BitShiftAttrs {
  std::string direction;  // "LEFT" or "RIGHT"
  static constexpr auto fields = std::tuple(required("direction", &BitShiftAttrs::direction));
};

struct CastAttrs {
  std::string round_mode = "up";  // matters for float8e8m0 only
  bool saturate = true;           // matters for 8-bit floats only
  int64_t to = 0;                 // a DType
  static constexpr auto fields = std::tuple(field("round_mode", &CastAttrs::round_mode),
                                            field("saturate", &CastAttrs::saturate), required("to", &CastAttrs::to));
};

struct CastLikeAttrs {
  std::string round_mode = "up";
  bool saturate = true;
  static constexpr auto fields =
      std::tuple(field("round_mode", &CastLikeAttrs::round_mode), field("saturate", &CastLikeAttrs::saturate));
};

// ---- movement ------------------------------------------------------------------------------------------------------

struct AxisAttrs {  // Gather, GatherElements
  int64_t axis = 0;
  static constexpr auto fields = std::tuple(field("axis", &AxisAttrs::axis));
};

struct FlattenAttrs {
  int64_t axis = 1;
  static constexpr auto fields = std::tuple(field("axis", &FlattenAttrs::axis));
};

struct ReshapeAttrs {
  bool allowzero = false;  // a 0 in the shape is a size, not "copy this dimension"
  static constexpr auto fields = std::tuple(field("allowzero", &ReshapeAttrs::allowzero));
};

struct EinsumAttrs {
  std::string equation;
  static constexpr auto fields = std::tuple(required("equation", &EinsumAttrs::equation));
};

struct TransposeAttrs {
  std::vector<int64_t> perm;  // empty: reversed
  static constexpr auto fields = std::tuple(field("perm", &TransposeAttrs::perm));
};

struct ConcatAttrs {
  int64_t axis = 0;
  static constexpr auto fields = std::tuple(required("axis", &ConcatAttrs::axis));
};

struct SplitAttrs {
  int64_t axis = 0;
  std::optional<int64_t> num_outputs;
  static constexpr auto fields =
      std::tuple(field("axis", &SplitAttrs::axis), field("num_outputs", &SplitAttrs::num_outputs));
};

struct PadAttrs {
  std::string mode = "constant";  // or "reflect", "edge", "wrap"
  static constexpr auto fields = std::tuple(field("mode", &PadAttrs::mode));
};

struct DepthToSpaceAttrs {
  int64_t blocksize = 0;
  std::string mode = "DCR";  // or "CRD": which comes first in the depth, the block or the channel
  static constexpr auto fields =
      std::tuple(required("blocksize", &DepthToSpaceAttrs::blocksize), field("mode", &DepthToSpaceAttrs::mode));
};

struct SpaceToDepthAttrs {
  int64_t blocksize = 0;
  static constexpr auto fields = std::tuple(required("blocksize", &SpaceToDepthAttrs::blocksize));
};

struct ShapeAttrs {
  std::optional<int64_t> end;
  int64_t start = 0;
  static constexpr auto fields = std::tuple(field("end", &ShapeAttrs::end), field("start", &ShapeAttrs::start));
};

struct ConstantOfShapeAttrs {
  Tensor value;  // one element; float 0 if undefined
  static constexpr auto fields = std::tuple(field("value", &ConstantOfShapeAttrs::value));
};

struct EyeLikeAttrs {
  std::optional<int64_t> dtype;  // a DType; the input's if absent
  int64_t k = 0;                 // the diagonal
  static constexpr auto fields = std::tuple(field("dtype", &EyeLikeAttrs::dtype), field("k", &EyeLikeAttrs::k));
};

struct ConstantAttrs {  // exactly one is given
  std::optional<Tensor> value;
  std::optional<float> value_float;
  std::optional<std::vector<float>> value_floats;
  std::optional<int64_t> value_int;
  std::optional<std::vector<int64_t>> value_ints;
  std::optional<std::string> value_string;
  std::optional<std::vector<std::string>> value_strings;
  static constexpr auto fields =
      std::tuple(field("value", &ConstantAttrs::value), field("value_float", &ConstantAttrs::value_float),
                 field("value_floats", &ConstantAttrs::value_floats), field("value_int", &ConstantAttrs::value_int),
                 field("value_ints", &ConstantAttrs::value_ints), field("value_string", &ConstantAttrs::value_string),
                 field("value_strings", &ConstantAttrs::value_strings));
};

// ---- indexing ------------------------------------------------------------------------------------------------------

struct GatherNDAttrs {
  int64_t batch_dims = 0;
  static constexpr auto fields = std::tuple(field("batch_dims", &GatherNDAttrs::batch_dims));
};

struct ScatterElementsAttrs {
  int64_t axis = 0;
  std::string reduction = "none";  // or "add", "mul", "min", "max"
  static constexpr auto fields =
      std::tuple(field("axis", &ScatterElementsAttrs::axis), field("reduction", &ScatterElementsAttrs::reduction));
};

struct ScatterNDAttrs {
  std::string reduction = "none";
  static constexpr auto fields = std::tuple(field("reduction", &ScatterNDAttrs::reduction));
};

struct OneHotAttrs {
  int64_t axis = -1;
  static constexpr auto fields = std::tuple(field("axis", &OneHotAttrs::axis));
};

struct NonMaxSuppressionAttrs {
  bool center_point_box = false;  // boxes are centers and sizes; else two opposite corners
  static constexpr auto fields = std::tuple(field("center_point_box", &NonMaxSuppressionAttrs::center_point_box));
};

struct TriluAttrs {
  bool upper = true;
  static constexpr auto fields = std::tuple(field("upper", &TriluAttrs::upper));
};

struct CompressAttrs {
  std::optional<int64_t> axis;  // absent: the input is flattened
  static constexpr auto fields = std::tuple(field("axis", &CompressAttrs::axis));
};

// ---- control flow --------------------------------------------------------------------------------------------------

struct IfAttrs {
  std::shared_ptr<Graph> else_branch, then_branch;
  static constexpr auto fields =
      std::tuple(required("else_branch", &IfAttrs::else_branch), required("then_branch", &IfAttrs::then_branch));
};

struct LoopAttrs {
  std::shared_ptr<Graph> body;
  static constexpr auto fields = std::tuple(required("body", &LoopAttrs::body));
};

struct ScanAttrs {
  std::shared_ptr<Graph> body;
  int64_t num_scan_inputs = 0;
  std::vector<int64_t> scan_input_axes, scan_input_directions;  // empty: axis 0, forward
  std::vector<int64_t> scan_output_axes, scan_output_directions;
  static constexpr auto fields =
      std::tuple(required("body", &ScanAttrs::body), required("num_scan_inputs", &ScanAttrs::num_scan_inputs),
                 field("scan_input_axes", &ScanAttrs::scan_input_axes),
                 field("scan_input_directions", &ScanAttrs::scan_input_directions),
                 field("scan_output_axes", &ScanAttrs::scan_output_axes),
                 field("scan_output_directions", &ScanAttrs::scan_output_directions));
};

}  // namespace lapis::ops
