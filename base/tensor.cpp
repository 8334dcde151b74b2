#include "base/tensor.h"

#include <unistd.h>

#include <algorithm>
#include <complex>
#include <cstdlib>
#include <cstring>
#include <new>
#include <sstream>

#include "base/hash.h"
#include "base/immediate.h"
#include "base/small_float.h"

namespace lapis {
namespace {

int64_t checked_product(int64_t a, int64_t b) {
  int64_t product = 0;
  LAPIS_ASSERT(!__builtin_mul_overflow(a, b, &product), a << " * " << b << " elements are more than 64 bits can count");
  return product;
}

bool has_negative(std::span<const int64_t> shape) {
  return std::any_of(shape.begin(), shape.end(), [](int64_t d) { return d < 0; });
}

// More than kMaxTensorBytes, extents of 0 counted as 1.
bool too_large(DType dtype, std::span<const int64_t> shape) {
  const int64_t bits = dtype == DType::String ? 8 * static_cast<int64_t>(sizeof(std::string)) : bit_width(dtype);
  int64_t total = std::max<int64_t>(bits, 1);
  for (int64_t d : shape)
    if (__builtin_mul_overflow(total, std::max<int64_t>(d, 1), &total)) return true;
  return total / 8 > kMaxTensorBytes;
}

}  // namespace

std::optional<std::string> shape_problem(DType dtype, std::span<const int64_t> shape) {
  if (shape.size() > kMaxRank) return std::to_string(shape.size()) + " axes are more than " + std::to_string(kMaxRank);
  if (has_negative(shape)) return to_string(shape) + " has a negative extent";
  if (too_large(dtype, shape)) return to_string(shape) + " is larger than any memory";
  return std::nullopt;
}

int64_t element_count(std::span<const int64_t> shape) {
  int64_t count = 1;
  for (int64_t d : shape) count = checked_product(count, d);
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
    stride = checked_product(stride, shape[i]);
  }
  return strides;
}

// The system promises more memory than the machine has and kills who touches it, so that is asked first.
static bool exceeds_machine(size_t bytes) {
  static const double kMachine =
      static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
  return kMachine > 0 && static_cast<double>(bytes) > kMachine;
}

static std::shared_ptr<std::byte> allocate(int64_t bytes) {
  constexpr int64_t kAlignment = 64;
  const auto padded = static_cast<size_t>((bytes + kAlignment) / kAlignment * kAlignment);
  auto* memory = exceeds_machine(padded) ? nullptr : static_cast<std::byte*>(std::aligned_alloc(kAlignment, padded));
  if (!memory) throw std::bad_alloc();
  std::memset(memory, 0, padded);
  return {memory, [](std::byte* p) { std::free(p); }};
}

// The last line: whoever makes a tensor has looked at its extents.
// Sizes known only at run time may be beyond any memory.
static Shape checked(DType dtype, Shape shape) {
  LAPIS_ASSERT(!has_negative(shape), "a tensor of " << to_string(shape));
  if (shape_problem(dtype, shape)) throw std::bad_alloc();
  return shape;
}

Tensor::Tensor(DType dtype, Shape shape)
    : dtype_(dtype), shape_(checked(dtype, std::move(shape))), bytes_(allocate(bytes())), owned_(true) {
  if (dtype == DType::String) strings_ = std::make_shared<const std::vector<std::string>>(static_cast<size_t>(size()));
}

Tensor::Tensor(DType dtype, Shape shape, std::shared_ptr<const std::byte> bytes)
    : dtype_(dtype), shape_(checked(dtype, std::move(shape))), bytes_(std::move(bytes)) {}

Tensor Tensor::strings(Shape shape, std::vector<std::string> values) {
  Tensor t(DType::String, std::move(shape));  // checks the shape
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
  Tensor t = *this;
  t.shape_ = checked(dtype_, std::move(shape));
  LAPIS_ASSERT(t.size() == size(), "cannot view " << to_string(shape_) << " as " << to_string(t.shape_));
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
  if (!is_integer(dtype_) && dtype_ != DType::Bool) return Immediate(as_double(i)).as_int();
  if (bit_width(dtype_) < 8) return packed_element(*this, i);
  int64_t value = 0;
  visit_dtype(dtype_, [&](auto tag) {
    using T = decltype(tag);
    if constexpr (std::is_integral_v<T>)
      value = static_cast<int64_t>(+data<T>()[i]);  // + for int8_t, which is a number here
  });
  return value;
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

static bool is_complex(DType dtype) { return dtype == DType::Complex64 || dtype == DType::Complex128; }

static std::complex<double> complex_element(const Tensor& tensor, int64_t i) {
  if (tensor.dtype() == DType::Complex64) {
    std::complex<float> value;
    std::memcpy(&value, tensor.raw() + i * static_cast<int64_t>(sizeof value), sizeof value);
    return value;
  }
  std::complex<double> value;
  std::memcpy(&value, tensor.raw() + i * static_cast<int64_t>(sizeof value), sizeof value);
  return value;
}

std::string to_string(const Tensor& tensor, int64_t limit) {
  if (!tensor.defined()) return "undefined";
  std::ostringstream text;
  text << name_of(tensor.dtype()) << to_string(tensor.shape());
  if (limit == 0) return text.str();
  text << " {";
  const int64_t shown = std::min(limit, tensor.size());
  for (int64_t i = 0; i < shown; ++i) {
    text << (i ? ", " : "");
    if (tensor.dtype() == DType::String)
      text << '"' << tensor.string_data()[i] << '"';
    else if (is_complex(tensor.dtype()))
      text << complex_element(tensor, i);
    else
      text << tensor.as_double(i);
  }
  if (shown < tensor.size()) text << ", ...";
  text << "}";
  return text.str();
}

}  // namespace lapis
