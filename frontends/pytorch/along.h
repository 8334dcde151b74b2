// What operators do along one axis, of tensors without axes too.
#pragma once

#include "frontends/pytorch/translators.h"

namespace lapis::pytorch_frontend {

inline bool has_no_axes(const Value* x) { return x->type().ranked() && x->type().rank() == 0; }

// What an operator makes along an axis of x, in its own shape: of a tensor without axes, of one with one.
template <class Make> Result<std::vector<Value*>> along(Translation& t, Value* x, Make&& make) {
  if (!has_no_axes(x)) return make(x);
  LAPIS_TRY(Value * row, frontend::reshape(t, x, {1}));
  LAPIS_TRY(std::vector<Value*> made, make(row));
  for (Value*& y : made) {
    LAPIS_TRY(y, t.add(ops::Reshape, {y, frontend::ints(t, {})}));
  }
  return made;
}

template <class Make> Status finish_along(Translation& t, Value* x, Make&& make) {
  LAPIS_TRY(const std::vector<Value*> made, along(t, x, std::forward<Make>(make)));
  return finish_some(t, made);
}

// ONNX orders numbers only: truth values as such, and back.
inline Result<Value*> orderable(Translation& t, Value* x) {
  return x->dtype() == DType::Bool ? frontend::cast(t, x, DType::UInt8) : Result<Value*>(x);
}

}  // namespace lapis::pytorch_frontend
