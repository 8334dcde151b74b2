#include "base/tensor.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <sstream>

#include "base/hash.h"
#include "base/small_float.h"

namespace lapis {

int64_t element_count(std::span<const int64_t> shape) {
  int64_t count = 1;
  for (int64_t d : shape) count *= d;
  return count;
}

std::string to_string(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? "," : "") + std::to_string(shape[i]);
  return text + "]";
}

Shape row_major_strides(std::span<const int64_t> shape) {
  Shape strides(shape.size());
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

static std::shared_ptr<std::byte> allocate(int64_t bytes) {
  constexpr int64_t kAlignment = 64;
  const auto padded = static_cast<size_t>((bytes + kAlignment) / kAlignment * kAlignment);
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(kAlignment, padded));
  if (!memory) throw std::bad_alloc();
  std::memset(memory, 0, padded);
  return {memory, [](std::byte* p) { std::free(p); }};
}

Tensor::Tensor(DType dtype, Shape shape)
    : dtype_(dtype), shape_(std::move(shape)), bytes_(allocate(bytes())), owned_(true) {}

Tensor::Tensor(DType dtype, Shape shape, std::shared_ptr<const std::byte> bytes)
    : dtype_(dtype), shape_(std::move(shape)), bytes_(std::move(bytes)) {}

Tensor Tensor::strings(Shape shape, std::vector<std::string> values) {
  Tensor t(DType::String, std::move(shape));
  LAPIS_ASSERT(static_cast<int64_t>(values.size()) == t.size(), "string count does not match the shape");
  t.strings_ = std::make_shared<const std::vector<std::string>>(std::move(values));
  return t;
}

std::byte* Tensor::mutable_raw() {
  if (!owned_ || bytes_.use_count() != 1) {
    auto copy = allocate(bytes());
    if (bytes_) std::memcpy(copy.get(), bytes_.get(), static_cast<size_t>(bytes()));
    bytes_ = std::move(copy);
    owned_ = true;
  }
  return const_cast<std::byte*>(bytes_.get());
}

const std::vector<std::string>& Tensor::string_data() const {
  check_type(DType::String);
  static const std::vector<std::string> kEmpty;
  return strings_ ? *strings_ : kEmpty;
}

Tensor Tensor::reshaped(Shape shape) const {
  LAPIS_ASSERT(element_count(shape) == size(), "cannot view " << to_string(shape_) << " as " << to_string(shape));
  Tensor t = *this;
  t.shape_ = std::move(shape);
  return t;
}

// Bits of element i of a tensor of at most 8 bits an element, low bits first.
static int element_bits(const Tensor& t, int64_t i) {
  const int bits = bit_width(t.dtype());
  const int64_t per_byte = 8 / bits;
  return (std::to_integer<int>(t.raw()[i / per_byte]) >> (i % per_byte * bits)) & ((1 << bits) - 1);
}

static int64_t packed_element(const Tensor& t, int64_t i) {
  const int bits = bit_width(t.dtype()), value = element_bits(t, i);
  const bool negative = is_signed(t.dtype()) && (value >> (bits - 1)) != 0;
  return negative ? value - (1 << bits) : value;
}

double Tensor::as_double(int64_t i) const {
  if (is_integer(dtype_) && bit_width(dtype_) < 8) return static_cast<double>(packed_element(*this, i));
  if (is_small_float(dtype_)) return from_small_float(dtype_, static_cast<uint8_t>(element_bits(*this, i)));
  double value = 0;
  const bool known = visit_dtype(dtype_, [&](auto tag) {
    using T = decltype(tag);
    if constexpr (std::is_class_v<T>)
      value = to_float(data<T>()[i]);
    else
      value = static_cast<double>(data<T>()[i]);
  });
  LAPIS_ASSERT(known, "no numeric value in a tensor of " << name_of(dtype_));
  return value;
}

int64_t Tensor::as_int(int64_t i) const {
  if (dtype_ == DType::Int64) return data<int64_t>()[i];
  return static_cast<int64_t>(as_double(i));
}

std::vector<int64_t> Tensor::as_ints() const {
  std::vector<int64_t> values(static_cast<size_t>(size()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = as_int(static_cast<int64_t>(i));
  return values;
}

bool Tensor::operator==(const Tensor& other) const {
  if (dtype_ != other.dtype_ || shape_ != other.shape_) return false;
  if (dtype_ == DType::Undefined) return true;
  if (dtype_ == DType::String) return string_data() == other.string_data();
  return bytes_ == other.bytes_ || std::memcmp(raw(), other.raw(), static_cast<size_t>(bytes())) == 0;
}

uint64_t Tensor::hash() const {
  Hasher h;
  h.add(static_cast<uint64_t>(dtype_));
  for (int64_t d : shape_) h.add(static_cast<uint64_t>(d));
  if (dtype_ == DType::String) {
    for (const std::string& s : string_data()) h.add(s);
  } else if (bytes_) {
    h.add_bytes(raw(), static_cast<size_t>(bytes()));
  }
  return h.value();
}

std::string to_string(const Tensor& tensor, int64_t limit) {
  if (!tensor.defined()) return "undefined";
  std::ostringstream text;
  text << name_of(tensor.dtype()) << to_string(tensor.shape()) << " {";
  const int64_t shown = std::min(limit, tensor.size());
  for (int64_t i = 0; i < shown; ++i) {
    text << (i ? ", " : "");
    if (tensor.dtype() == DType::String)
      text << '"' << tensor.string_data()[i] << '"';
    else
      text << tensor.as_double(i);
  }
  if (shown < tensor.size()) text << ", ...";
  text << "}";
  return text.str();
}

}  // namespace lapis
