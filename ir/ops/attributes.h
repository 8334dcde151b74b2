// The typed attributes of the contraction, pooling, quantization, normalization and reduction operators, shared with
// passes and codegen.
#pragma once

#include "ir/op.h"

namespace lapis::ops {

struct ConvAttrs {  // Conv, ConvInteger, QLinearConv
  std::string auto_pad = "NOTSET";
  std::vector<int64_t> dilations;  // empty: 1 everywhere
  int64_t group = 1;
  std::vector<int64_t> kernel_shape;  // empty: taken from the weight
  std::vector<int64_t> pads;          // begins, then ends; empty: 0
  std::vector<int64_t> strides;       // empty: 1
  static constexpr auto fields =
      std::tuple(field("auto_pad", &ConvAttrs::auto_pad), field("dilations", &ConvAttrs::dilations),
                 field("group", &ConvAttrs::group), field("kernel_shape", &ConvAttrs::kernel_shape),
                 field("pads", &ConvAttrs::pads), field("strides", &ConvAttrs::strides));
};

struct ConvTransposeAttrs {
  std::string auto_pad = "NOTSET";
  std::vector<int64_t> dilations;
  int64_t group = 1;
  std::vector<int64_t> kernel_shape;
  std::vector<int64_t> output_padding;
  std::vector<int64_t> output_shape;  // if given, pads are derived from it
  std::vector<int64_t> pads;
  std::vector<int64_t> strides;
  static constexpr auto fields =
      std::tuple(field("auto_pad", &ConvTransposeAttrs::auto_pad), field("dilations", &ConvTransposeAttrs::dilations),
                 field("group", &ConvTransposeAttrs::group), field("kernel_shape", &ConvTransposeAttrs::kernel_shape),
                 field("output_padding", &ConvTransposeAttrs::output_padding),
                 field("output_shape", &ConvTransposeAttrs::output_shape), field("pads", &ConvTransposeAttrs::pads),
                 field("strides", &ConvTransposeAttrs::strides));
};

struct GemmAttrs {
  float alpha = 1, beta = 1;
  bool transA = false, transB = false;
  static constexpr auto fields = std::tuple(field("alpha", &GemmAttrs::alpha), field("beta", &GemmAttrs::beta),
                                            field("transA", &GemmAttrs::transA), field("transB", &GemmAttrs::transB));
};

struct MaxPoolAttrs {
  std::string auto_pad = "NOTSET";
  bool ceil_mode = false;
  std::vector<int64_t> dilations, kernel_shape, pads;
  int64_t storage_order = 0;  // of Indices: 0 row major, 1 column major
  std::vector<int64_t> strides;
  static constexpr auto fields =
      std::tuple(field("auto_pad", &MaxPoolAttrs::auto_pad), field("ceil_mode", &MaxPoolAttrs::ceil_mode),
                 field("dilations", &MaxPoolAttrs::dilations), required("kernel_shape", &MaxPoolAttrs::kernel_shape),
                 field("pads", &MaxPoolAttrs::pads), field("storage_order", &MaxPoolAttrs::storage_order),
                 field("strides", &MaxPoolAttrs::strides));
};

struct AveragePoolAttrs {
  std::string auto_pad = "NOTSET";
  bool ceil_mode = false;
  bool count_include_pad = false;
  std::vector<int64_t> dilations, kernel_shape, pads, strides;
  static constexpr auto fields = std::tuple(
      field("auto_pad", &AveragePoolAttrs::auto_pad), field("ceil_mode", &AveragePoolAttrs::ceil_mode),
      field("count_include_pad", &AveragePoolAttrs::count_include_pad),
      field("dilations", &AveragePoolAttrs::dilations), required("kernel_shape", &AveragePoolAttrs::kernel_shape),
      field("pads", &AveragePoolAttrs::pads), field("strides", &AveragePoolAttrs::strides));
};

struct QuantizeLinearAttrs {
  int64_t axis = 1;
  int64_t block_size = 0;
  int64_t output_dtype = 0;  // a DType; 0: that of the zero point, or uint8
  int64_t precision = 0;     // a DType of the division; 0: that of the scale
  bool saturate = true;      // matters for 8-bit floats only
  static constexpr auto fields = std::tuple(
      field("axis", &QuantizeLinearAttrs::axis), field("block_size", &QuantizeLinearAttrs::block_size),
      field("output_dtype", &QuantizeLinearAttrs::output_dtype), field("precision", &QuantizeLinearAttrs::precision),
      field("saturate", &QuantizeLinearAttrs::saturate));
};

struct DequantizeLinearAttrs {
  int64_t axis = 1;
  int64_t block_size = 0;
  int64_t output_dtype = 0;  // a DType; 0: that of the scale
  static constexpr auto fields =
      std::tuple(field("axis", &DequantizeLinearAttrs::axis), field("block_size", &DequantizeLinearAttrs::block_size),
                 field("output_dtype", &DequantizeLinearAttrs::output_dtype));
};

struct SoftmaxAttrs {  // Softmax, LogSoftmax
  int64_t axis = -1;
  static constexpr auto fields = std::tuple(field("axis", &SoftmaxAttrs::axis));
};

struct ReduceAttrs {
  bool keepdims = true;
  bool noop_with_empty_axes = false;
  static constexpr auto fields = std::tuple(field("keepdims", &ReduceAttrs::keepdims),
                                            field("noop_with_empty_axes", &ReduceAttrs::noop_with_empty_axes));
};

struct ArgAttrs {  // ArgMax, ArgMin
  int64_t axis = 0;
  bool keepdims = true;
  bool select_last_index = false;
  static constexpr auto fields = std::tuple(field("axis", &ArgAttrs::axis), field("keepdims", &ArgAttrs::keepdims),
                                            field("select_last_index", &ArgAttrs::select_last_index));
};

struct TopKAttrs {
  int64_t axis = -1;
  bool largest = true, sorted = true;
  static constexpr auto fields = std::tuple(field("axis", &TopKAttrs::axis), field("largest", &TopKAttrs::largest),
                                            field("sorted", &TopKAttrs::sorted));
};

struct CumSumAttrs {
  bool exclusive = false, reverse = false;
  static constexpr auto fields =
      std::tuple(field("exclusive", &CumSumAttrs::exclusive), field("reverse", &CumSumAttrs::reverse));
};

struct BatchNormalizationAttrs {
  float epsilon = 1e-5f, momentum = 0.9f;
  bool training_mode = false;
  static constexpr auto fields = std::tuple(field("epsilon", &BatchNormalizationAttrs::epsilon),
                                            field("momentum", &BatchNormalizationAttrs::momentum),
                                            field("training_mode", &BatchNormalizationAttrs::training_mode));
};

struct LayerNormalizationAttrs {
  int64_t axis = -1;
  float epsilon = 1e-5f;
  int64_t stash_type = 1;  // DType of Mean and InvStdDev
  static constexpr auto fields =
      std::tuple(field("axis", &LayerNormalizationAttrs::axis), field("epsilon", &LayerNormalizationAttrs::epsilon),
                 field("stash_type", &LayerNormalizationAttrs::stash_type));
};

struct InstanceNormalizationAttrs {
  float epsilon = 1e-5f;
  static constexpr auto fields = std::tuple(field("epsilon", &InstanceNormalizationAttrs::epsilon));
};

struct GroupNormalizationAttrs {
  float epsilon = 1e-5f;
  int64_t num_groups = 1;
  int64_t stash_type = 1;
  static constexpr auto fields = std::tuple(field("epsilon", &GroupNormalizationAttrs::epsilon),
                                            required("num_groups", &GroupNormalizationAttrs::num_groups),
                                            field("stash_type", &GroupNormalizationAttrs::stash_type));
};

struct LrnAttrs {
  float alpha = 1e-4f, beta = 0.75f, bias = 1;
  int64_t size = 1;
  static constexpr auto fields = std::tuple(field("alpha", &LrnAttrs::alpha), field("beta", &LrnAttrs::beta),
                                            field("bias", &LrnAttrs::bias), required("size", &LrnAttrs::size));
};

struct DropoutAttrs {
  std::optional<int64_t> seed;
  static constexpr auto fields = std::tuple(field("seed", &DropoutAttrs::seed));
};

struct ResizeAttrs {
  bool antialias = false;
  std::vector<int64_t> axes;  // empty: all
  std::string coordinate_transformation_mode = "half_pixel";
  float cubic_coeff_a = -0.75f;
  bool exclude_outside = false;
  float extrapolation_value = 0;
  std::string keep_aspect_ratio_policy = "stretch";
  std::string mode = "nearest";
  std::string nearest_mode = "round_prefer_floor";
  static constexpr auto fields = std::tuple(
      field("antialias", &ResizeAttrs::antialias), field("axes", &ResizeAttrs::axes),
      field("coordinate_transformation_mode", &ResizeAttrs::coordinate_transformation_mode),
      field("cubic_coeff_a", &ResizeAttrs::cubic_coeff_a), field("exclude_outside", &ResizeAttrs::exclude_outside),
      field("extrapolation_value", &ResizeAttrs::extrapolation_value),
      field("keep_aspect_ratio_policy", &ResizeAttrs::keep_aspect_ratio_policy), field("mode", &ResizeAttrs::mode),
      field("nearest_mode", &ResizeAttrs::nearest_mode));
};

}  // namespace lapis::ops
