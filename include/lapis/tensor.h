// TensorView: an array somebody else owns. Tensor: one that owns its elements. Both row major.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lapis/config.h"

namespace lapis {
LAPIS_PUBLIC_NAMESPACE {
  // Element types that models exchange with the outside; the numbers are ONNX's.
  enum class DType : uint8_t {
    Float32 = 1,
    UInt8 = 2,
    Int8 = 3,
    UInt16 = 4,
    Int16 = 5,
    Int32 = 6,
    Int64 = 7,
    Bool = 9,
    Float16 = 10,
    Float64 = 11,
    UInt32 = 12,
    UInt64 = 13,
    BFloat16 = 16,
  };

  // Elements whose type C++20 does not have: their bits, in the format that the name says.
  struct Float16 {
    uint16_t bits = 0;
  };
  struct BFloat16 {
    uint16_t bits = 0;
  };

  // The element type of a C++ type; types that models do not exchange have none, and views of them do not compile.
  template <class T> inline constexpr DType dtype_of = DType{};
  template <> inline constexpr DType dtype_of<float> = DType::Float32;
  template <> inline constexpr DType dtype_of<double> = DType::Float64;
  template <> inline constexpr DType dtype_of<Float16> = DType::Float16;
  template <> inline constexpr DType dtype_of<BFloat16> = DType::BFloat16;
  template <> inline constexpr DType dtype_of<uint8_t> = DType::UInt8;
  template <> inline constexpr DType dtype_of<uint16_t> = DType::UInt16;
  template <> inline constexpr DType dtype_of<uint32_t> = DType::UInt32;
  template <> inline constexpr DType dtype_of<unsigned long> = DType::UInt64;
  template <> inline constexpr DType dtype_of<unsigned long long> = DType::UInt64;
  template <> inline constexpr DType dtype_of<int8_t> = DType::Int8;
  template <> inline constexpr DType dtype_of<int16_t> = DType::Int16;
  template <> inline constexpr DType dtype_of<int32_t> = DType::Int32;
  template <> inline constexpr DType dtype_of<long> = DType::Int64;
  template <> inline constexpr DType dtype_of<long long> = DType::Int64;
  template <> inline constexpr DType dtype_of<bool> = DType::Bool;
  template <class T>
  concept Element = dtype_of<T>
  != DType{};

  // Borrowed elements: `data` must stay valid and unchanged during the call it is given to.
  //   std::vector<float> pixels(3 * 224 * 224);
  //   lapis::TensorView image(pixels.data(), {1, 3, 224, 224});
  struct TensorView {
    const void* data = nullptr;
    DType dtype = DType::Float32;
    std::vector<int64_t> shape;

    TensorView() = default;
    TensorView(const void* data, DType dtype, std::vector<int64_t> shape)
        : data(data), dtype(dtype), shape(std::move(shape)) {}
    template <Element T>
    TensorView(const T* data, std::vector<int64_t> shape) : TensorView(data, dtype_of<T>, std::move(shape)) {}
  };

  // A result. Copies share the elements.
  class Tensor {
   public:
    Tensor() = default;
    Tensor(std::shared_ptr<const void> data, DType dtype, std::vector<int64_t> shape)
        : data_(std::move(data)), dtype_(dtype), shape_(std::move(shape)) {}

    DType dtype() const { return dtype_; }
    const std::vector<int64_t>& shape() const { return shape_; }
    int64_t size() const {
      int64_t count = 1;
      for (int64_t d : shape_) count *= d;
      return count;
    }
    const void* data() const { return data_.get(); }
    // The elements; empty if they are not of type T.
    template <Element T> std::span<const T> view() const {
      if (dtype_of<T> != dtype_) return {};
      return {static_cast<const T*>(data_.get()), static_cast<size_t>(size())};
    }
    operator TensorView() const { return {data_.get(), dtype_, shape_}; }

   private:
    std::shared_ptr<const void> data_;
    DType dtype_ = DType::Float32;
    std::vector<int64_t> shape_;
  };

}  // namespace v1
}  // namespace lapis
