// A number as somebody wrote it: an integer of 64 bits stays what it is, which not every double can say.
//
//   Number::parse("9007199254740993")->as(Type::tensor(DType::Int64, Shape{}))   // that, not ...992
//   Number(0.5).as(Type::tensor(DType::Int64, Shape{}))                          // error: 0.5 is no int64
#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "ir/type.h"

namespace lapis {

class Number {
 public:
  template <std::integral T> Number(T whole) : real_(static_cast<double>(whole)), whole_(whole) {}
  Number(double real);
  static std::optional<Number> parse(std::string_view text);  // "-3", "0.5", "1e3"

  double real() const { return real_; }
  std::optional<int64_t> integer() const;  // nullopt if it is none, or one that 64 bits do not hold
  std::string to_string() const;
  // A tensor of that type, which is static and has one element. An error for a number that is none of an integer type,
  // or beyond the largest of a float type.
  Result<Tensor> as(const Type& type) const;

  bool operator==(const Number&) const = default;

 private:
  using Wide = __int128;          // int64 and uint64
  bool is_of(DType dtype) const;  // an integer type or bool

  double real_;
  std::optional<Wide> whole_;
};

}  // namespace lapis
