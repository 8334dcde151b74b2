// Tensor: dtype + shape + shared, immutable-by-convention bytes.
// Copying a Tensor shares its bytes; `mutable_data` unshares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/dtype.h"

namespace lapis {

using Shape = std::vector<int64_t>;

// No tensor is larger, so sums and products of sizes,
// strides and offsets of tensors fit 64 bits wherever they are made.
inline constexpr int64_t kMaxTensorBytes = int64_t{1} << 48;
inline constexpr size_t kMaxRank = 64;
// Why no tensor can have this shape: too many axes, a negative extent, more than kMaxTensorBytes. An extent of 0 counts
// as 1, because strides must fit too. nullopt: it can.
std::optional<std::string> shape_problem(DType dtype, std::span<const int64_t> shape);

int64_t element_count(std::span<const int64_t> shape);    // asserts that it fits 64 bits
std::string to_string(std::span<const int64_t> shape);    // "[1,3,224,224]"
Shape row_major_strides(std::span<const int64_t> shape);  // in elements

class Tensor {
 public:
  Tensor() = default;
  // Zero-filled, 64-byte aligned. std::bad_alloc if there is not that much memory, or could never be.
  Tensor(DType dtype, Shape shape);
  // Borrows bytes that `owner` keeps alive (a mapped file); nothing is copied.
  Tensor(DType dtype, Shape shape, std::shared_ptr<const std::byte> bytes);

  template <class T> static Tensor of(Shape shape, std::vector<T> values) {
    Tensor t(dtype_of<T>, std::move(shape));
    LAPIS_ASSERT(static_cast<int64_t>(values.size()) == t.size(), values.size()
                                                                      << " values for shape " << to_string(t.shape()));
    for (size_t i = 0; i < values.size(); ++i) t.mutable_data<T>()[i] = values[i];
    return t;
  }
  template <class T> static Tensor scalar(T value) { return of<T>({}, {value}); }
  template <class T> static Tensor vector(std::vector<T> values) {
    const auto n = static_cast<int64_t>(values.size());
    return of<T>({n}, std::move(values));
  }
  static Tensor strings(Shape shape, std::vector<std::string> values);

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int64_t rank() const { return static_cast<int64_t>(shape_.size()); }
  int64_t dim(int64_t axis) const { return shape_[axis < 0 ? axis + rank() : axis]; }
  int64_t size() const { return element_count(shape_); }  // elements
  int64_t bytes() const { return byte_size(dtype_, size()); }
  bool defined() const { return dtype_ != DType::Undefined; }

  const std::byte* raw() const { return bytes_.get(); }
  std::byte* mutable_raw();  // unshares first

  template <class T> std::span<const T> data() const {
    check_type(dtype_of<T>);
    return {reinterpret_cast<const T*>(raw()), static_cast<size_t>(size())};
  }
  template <class T> std::span<T> mutable_data() {
    check_type(dtype_of<T>);
    return {reinterpret_cast<T*>(mutable_raw()), static_cast<size_t>(size())};
  }
  const std::vector<std::string>& string_data() const;

  Tensor reshaped(Shape shape) const;  // same bytes, same element count
  // Element i as double / int64, whatever the (numeric, unpacked or 4/2-bit) dtype is:
  // for small parameter tensors, not for loops. as_int is exact for every integer type (uint64 keeps its bits); numbers
  // with a fraction truncate, saturate, and NaN is 0.
  double as_double(int64_t i) const;
  int64_t as_int(int64_t i) const;
  std::vector<int64_t> as_ints() const;

  bool operator==(const Tensor& other) const;  // dtype, shape and bytes
  uint64_t hash() const;

 private:
  void check_type(DType wanted) const {
    LAPIS_ASSERT(dtype_ == wanted, "tensor holds " << name_of(dtype_) << ", not " << name_of(wanted));
  }
  DType dtype_ = DType::Undefined;
  Shape shape_;
  std::shared_ptr<const std::byte> bytes_;
  bool owned_ = false;  // bytes_ came from our own allocation and may be written when unshared
  std::shared_ptr<const std::vector<std::string>> strings_;
};

// "float[2,3] {1, 2, 3, ...}" with at most `limit` elements.
std::string to_string(const Tensor& tensor, int64_t limit = 8);

}  // namespace lapis
