// What small values hold where constants and shapes determine it:
// how often something repeats, where something stands, which way a branch goes.
#pragma once

#include <unordered_map>

#include "ir/graph.h"

namespace lapis::onnx_frontend {

class KnownTensors {
 public:
  // Of a typed value; null if it is not known.
  const Tensor* of(const Value& value) { return of(value, 0); }

 private:
  const Tensor* of(const Value& value, int depth);
  Tensor computed(const Value& value, int depth);

  std::unordered_map<const Value*, Tensor> known_;  // undefined: not known
};

}  // namespace lapis::onnx_frontend
