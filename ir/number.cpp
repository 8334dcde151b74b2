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
  if (const auto whole = parsed<int64_t>(text); whole && *whole != 0) return Number(*whole);  // -0 is a float
  if (const auto whole = parsed<uint64_t>(text)) return Number(*whole);
  const auto real = parsed<double>(text);
  return real ? std::optional(Number(*real)) : std::nullopt;
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
  if (is_float(type.dtype)) return ops::from_doubles(type.dtype, type.shape(), {real_});
  if (!is_of(type.dtype)) return misfit(*this, type.dtype);
  return ops::from_integers(type.dtype, type.shape(), {static_cast<int64_t>(static_cast<uint64_t>(*whole_))});
}

}  // namespace lapis
