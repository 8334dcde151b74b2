#include "ir/number.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

#include "ir/ops/loops.h"

namespace lapis {
namespace {

template <class T> std::optional<T> parsed(std::string_view text) {
  T value{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failed == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

// "1500" for "1.5e3"; what is no whole number of 64 bits stays as it is.
std::string without_exponent(std::string_view text) {
  const std::string_view mantissa = text.substr(0, text.find_first_of("eE"));
  if (mantissa.size() == text.size()) return std::string(text);
  const std::string_view whole = mantissa.substr(0, mantissa.find('.'));
  const std::string_view fraction = mantissa.substr(std::min(mantissa.size(), whole.size() + 1));
  std::string_view exponent = text.substr(mantissa.size() + 1);
  if (exponent.starts_with('+')) exponent.remove_prefix(1);
  const int zeros = parsed<int>(exponent).value_or(-1) - static_cast<int>(fraction.size());
  if (zeros < 0 || zeros > 19) return std::string(text);
  return std::string(whole) + std::string(fraction) + std::string(static_cast<size_t>(zeros), '0');
}

struct Bounds {
  __int128 lowest, highest;
};

Bounds bounds_of(DType dtype) {
  if (dtype == DType::Bool) return {0, 1};
  const IntegerRange range = integer_range(dtype);
  return {range.lowest, range.highest};
}

std::string printed(__int128 number) {
  return number < 0 ? std::to_string(static_cast<int64_t>(number)) : std::to_string(static_cast<uint64_t>(number));
}

Diagnostic overflow(const Number& number, DType dtype) {
  return error(ErrorKind::Usage, number.to_string() + " is beyond the largest " + std::string(name_of(dtype)))
      .help("give a smaller number, or inf");
}

Diagnostic misfit(const Number& number, DType dtype) {
  if (!is_integer(dtype) && dtype != DType::Bool)
    return error(ErrorKind::Usage, number.to_string() + " is no " + std::string(name_of(dtype)))
        .help("give it at run time");
  const Bounds bounds = bounds_of(dtype);
  return error(ErrorKind::Usage, number.to_string() + " is no " + std::string(name_of(dtype)))
      .help("give a whole number from " + printed(bounds.lowest) + " to " + printed(bounds.highest));
}

}  // namespace

// A double up to 2^53 can only have been meant as what it is.
Number::Number(double real) : real_(real) {
  constexpr double kExact = 9007199254740992;
  if (real == std::floor(real) && std::abs(real) <= kExact) whole_ = static_cast<Wide>(real);
}

std::optional<Number> Number::parse(std::string_view text) {
  const auto real = parsed<double>(text);
  if (!real) return std::nullopt;
  const std::string plain = without_exponent(text);
  if (const auto whole = parsed<int64_t>(plain); whole && *whole != 0) return Number(*whole);  // -0 is a float
  if (const auto whole = parsed<uint64_t>(plain)) return Number(*whole);
  return Number(*real);
}

std::optional<int64_t> Number::integer() const {
  return is_of(DType::Int64) ? std::optional(static_cast<int64_t>(*whole_)) : std::nullopt;
}

std::string Number::to_string() const {
  if (whole_) return printed(*whole_);
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", real_);
  return text;
}

bool Number::is_of(DType dtype) const {
  if (!whole_ || !(is_integer(dtype) || dtype == DType::Bool)) return false;
  const Bounds bounds = bounds_of(dtype);
  return *whole_ >= bounds.lowest && *whole_ <= bounds.highest;
}

Result<Tensor> Number::as(const Type& type) const {
  if (is_float(type.dtype)) {
    Tensor tensor = ops::from_doubles(type.dtype, type.shape(), {real_});
    if (std::isfinite(real_) && !std::isfinite(tensor.as_double(0))) return overflow(*this, type.dtype);
    return tensor;
  }
  if (!is_of(type.dtype)) return misfit(*this, type.dtype);
  return ops::from_integers(type.dtype, type.shape(), {static_cast<int64_t>(static_cast<uint64_t>(*whole_))});
}

}  // namespace lapis
