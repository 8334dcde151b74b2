// Type: what ONNX can say about a value: a tensor of dtype and (symbolic) shape, or a sequence or optional of such.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "ir/dim.h"

namespace lapis {

using Dims = std::vector<Dim>;

struct Type {
  enum class Kind : uint8_t { Tensor, Sequence, Optional };
  Kind kind = Kind::Tensor;
  DType dtype = DType::Undefined;       // of a tensor
  std::optional<Dims> dims;             // of a tensor; nullopt: not even the rank is known
  std::shared_ptr<const Type> element;  // of a sequence or optional

  static Type tensor(DType dtype, std::optional<Dims> dims = std::nullopt) {
    return {Kind::Tensor, dtype, std::move(dims), nullptr};
  }
  static Type tensor(DType dtype, const Shape& shape) {
    return {Kind::Tensor, dtype, Dims(shape.begin(), shape.end()), nullptr};
  }
  static Type of(const Tensor& t) { return tensor(t.dtype(), t.shape()); }
  static Type sequence(Type element) {
    return {Kind::Sequence, DType::Undefined, std::nullopt, std::make_shared<const Type>(std::move(element))};
  }
  static Type optional(Type element) {
    return {Kind::Optional, DType::Undefined, std::nullopt, std::make_shared<const Type>(std::move(element))};
  }

  bool is_tensor() const { return kind == Kind::Tensor; }
  bool ranked() const { return dims.has_value(); }
  int64_t rank() const;                // asserts ranked()
  const Dim& dim(int64_t axis) const;  // negative counts from the end; asserts
  bool is_static() const;              // a tensor whose every dimension is a number
  std::optional<Shape> static_shape() const;
  Shape shape() const;  // asserts is_static()
  // Why no tensor can be of this type, as far as its dimensions are known (base/tensor.h, shape_problem);
  // elements included.
  std::optional<std::string> size_problem() const;
  bool operator==(const Type& other) const;  // unknown dims compare equal to each other here (same knowledge)
  std::string to_string() const;             // "float[N,3,224,224]", "seq(float[?])"
};

std::string to_string(const Dims& dims);
// Both facts combined; nullopt if they contradict each other (different dtype, rank, or constant dim).
std::optional<Type> merge(const Type& a, const Type& b);

}  // namespace lapis
