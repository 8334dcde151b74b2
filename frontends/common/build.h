// What translators of every format write: constants, and nodes that move or combine axes. Constants are changed at
// once, so that weights stay constants.
//
//   LAPIS_TRY(Value* rows, reshape(t, x, {0, -1}));
//   LAPIS_TRY(Value* y, t.add(ops::Mul, {rows, scalar(t, 0.5, rows->dtype())}));
//   return result(t, 0, y);
#pragma once

#include "frontends/common/translate.h"

namespace lapis::frontend {

Value* ints(Translation& t, std::vector<int64_t> values);       // int64[n]: shapes, axes, pads
Value* scalar(Translation& t, double value, DType dtype);       // saturates; Float32 for a type that is not known
Value* filled(Translation& t, double value, const Type& like);  // of its static shape and type

Result<Value*> cast(Translation& t, Value* x, DType to);  // x itself if it is of this type
// As ONNX's Reshape: 0 copies a dimension, one -1 follows from the others.
Result<Value*> reshape(Translation& t, Value* x, Shape shape);
Result<Value*> transpose(Translation& t, Value* x, Axes perm);
Axes inverse(const Axes& perm);  // what turns the axes back
Result<Value*> swap_axes(Translation& t, Value* x, int64_t a, int64_t b);
Result<Value*> unsqueeze(Translation& t, Value* x, Axes axes);
Result<Value*> squeeze(Translation& t, Value* x, Axes axes);  // no axes: all of size 1
Result<Value*> slice(Translation& t, Value* x, int64_t axis, int64_t begin, int64_t end, int64_t step = 1);
// ReduceSum, ReduceMean, ... over these axes; none: over all.
Result<Value*> reduce(Translation& t, const OpDef& op, Value* x, Axes axes, bool keepdims);
// Matrices of the last two axes, the other way around.
Result<Value*> transpose_matrices(Translation& t, Value* x);

// The rank, or why it must be known.
Result<int64_t> rank_of(const Value* x);
// `axis` counted from the front; an error if it does not lie in [-rank, rank).
Result<int64_t> axis_of(int64_t axis, int64_t rank);
Result<Axes> axes_of(Axes axes, int64_t rank);

// Sets output i, if somebody reads it. What no node of this translation computes gets an Identity.
Status result(Translation& t, size_t i, Value* value);

}  // namespace lapis::frontend
