// Fused operators of oneDNN (_sg_mkldnn_conv, _sg_mkldnn_fully_connected) written
// out as the operators that they stand for.
#pragma once

#include "frontends/mxnet/params.h"
#include "frontends/mxnet/symbol.h"

namespace lapis::mxnet_frontend {

// What a quantized node computes in the type of another one says so by this attribute:
// it is converted to its own type as bits are.
inline constexpr const char* kComputedAs = "lapis.computed_as";

// Weights of quantized ones, which MXNet keeps as floats and rounds when the model first runs, are rounded here;
// they become parameters.
Result<Symbol> write_out_fused(Symbol symbol, Parameters& parameters);

}  // namespace lapis::mxnet_frontend
