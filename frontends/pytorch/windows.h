// What operators with windows have alike: a number for each axis, padding on both sides, data without a batch.
#pragma once

#include "frontends/pytorch/args.h"

namespace lapis::pytorch_frontend {

// One number stands for all axes.
Result<std::vector<int64_t>> for_axes(std::vector<int64_t> list, size_t axes);
// As ONNX has pads; none if all are 0.
std::vector<int64_t> both_sides(const std::vector<int64_t>& pads);
// Data without a batch gets one.
Result<Value*> with_batch(Translation& t, Value* x, size_t axes, bool& added);
Result<Value*> without_batch(Translation& t, Result<Value*> y, bool added);

}  // namespace lapis::pytorch_frontend
