// Routines that compiled code calls: work on whole tensors that is no loop nest. The runtime calls them, and object
// files embed those that they use as assembly. So a file of this folder refers to nothing outside of itself: no
// allocation, no exception, no function of a library.
//
//   void lapis_routine_NAME(void* const* operands, const int64_t* parameters)
//
// operands: the inputs, then the results, row-major, aligned to their elements. What the parameters are stands with
// each routine; "lines" are `outer` times `inner` lines of `count` elements, which lie `inner` elements apart.
#pragma once

#include <cstdint>

extern "C" {

// x -> sums. parameters: type, outer, count, inner, exclusive, reverse. As ONNX's CumSum, of 32- and 64-bit types;
// floats are summed in double and rounded each time, integers wrap around.
void lapis_routine_cumsum(void* const* operands, const int64_t* parameters);

// x -> values, indices (int64). parameters: type (DType), outer, count, inner, k, largest (1) or smallest (0). The k
// best of each line as ONNX's TopK, sorted; equal elements in their order, NaN above every number.
void lapis_routine_topk(void* const* operands, const int64_t* parameters);

}  // extern "C"
