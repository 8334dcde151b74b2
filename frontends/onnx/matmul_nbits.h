// MatMulNBits, ONNX Runtime's product with weights of 4 or 8 bits in blocks, and how the same is said in ONNX:
//
//       y = MatMulNBits(x, B [N, blocks, bytes], scales, zero points)
//   <=> y = MatMul(x, DequantizeLinear<block_size>(w [K, N], scales, zero points))
//
// It is read as the latter, and written where a model is wanted for runtimes that have code for it.
#pragma once

#include <optional>

#include "base/result.h"
#include "base/tensor.h"
#include "frontends/onnx/protos.h"
#include "frontends/onnx/upgrade.h"

namespace lapis::onnx_frontend {

struct BlockWeights {
  Tensor values;       // uint4 or uint8 [K, N]
  Tensor scales;       // [blocks, N]
  Tensor zero_points;  // of the values' type, like the scales
  int64_t block = 0;
};

// What the constant operands of a MatMulNBits say; `zero_points` may be undefined. Or why it cannot be said in ONNX.
Result<BlockWeights> unpack_matmul_nbits(const onnx::NodeProto& node, const Tensor& packed, const Tensor& scales,
                                         const Tensor& zero_points);

// Makes the node the MatMul, or the Add behind it, that it stands for.
Status read_matmul_nbits(onnx::NodeProto& node, UpgradeHost& host);

// Makes every MatMul and Gemm of the main graph whose weights are dequantized by blocks a MatMulNBits (and an Add);
// how many.
size_t write_matmul_nbits(onnx::ModelProto& model);

}  // namespace lapis::onnx_frontend
