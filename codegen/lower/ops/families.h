// The families of operators that have code, one file each; op_table.cpp concatenates their rows.
#pragma once

#include "codegen/lower/op_lowering.h"

namespace lapis::codegen {

OpLowerings activation_rows();
OpLowerings along_axis_rows();
OpLowerings arithmetic_rows();
OpLowerings control_flow_rows();
OpLowerings convolution_rows();
OpLowerings copy_rows();
OpLowerings gather_rows();
OpLowerings logic_rows();
OpLowerings matrix_product_rows();
OpLowerings normalization_rows();
OpLowerings pooling_rows();
OpLowerings quantization_rows();
OpLowerings reduction_rows();
OpLowerings resize_rows();
OpLowerings softmax_rows();
OpLowerings transcendental_rows();
OpLowerings view_rows();

}  // namespace lapis::codegen
