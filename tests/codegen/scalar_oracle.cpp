#include "tests/codegen/scalar_oracle.h"

#include <cmath>
#include <cstring>

#include "codegen/scalar/ops.h"
#include "ir/ops/numerics.h"

namespace lapis::testing {
namespace {

using namespace ops;

// A number in the arithmetic of T: as Cast converts it. Halves are floats that hold what a half can.
template <class T> T as(Immediate x) {
  if constexpr (std::is_same_v<T, bool>) return x.as_double() != 0;
  if (x.kind() == Immediate::Kind::Signed) return static_cast<T>(x.as_int());
  if (x.kind() == Immediate::Kind::Unsigned) return static_cast<T>(x.bits());
  if constexpr (std::is_integral_v<T>)
    return truncated<T>(x.as_double());
  else
    return static_cast<T>(x.as_double());
}

// Calls f with a value of the type that elements of `dtype` compute in.
template <class F> Immediate in_type(DType dtype, F&& f) {
  Immediate result;
  const bool known = visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    if constexpr (std::is_class_v<T>)
      result = f(float{});
    else
      result = f(tag);
  });
  LAPIS_ASSERT(known, "no arithmetic on " << name_of(dtype));
  return result;
}

Float16 half(Immediate x) {
  return to_float16(x.kind() == Immediate::Kind::Real ? rounded_to_odd(x.as_double()) : as<float>(x));
}

// What an element of the type can hold.
Immediate held(DType dtype, Immediate x) {
  if (dtype == DType::Float16) return to_float(half(x));
  if (dtype == DType::BFloat16) return to_float(to_bfloat16(as<float>(x)));
  return in_type(dtype, [&]<class T>(T) -> Immediate { return as<T>(x); });
}

template <class T> T real_unary(Op op, T x) {
  switch (op) {
    case Op::Neg: return -x;
    case Op::Abs: return std::fabs(x);
    case Op::Sign: return x > 0 ? T(1) : x < 0 ? T(-1) : x + T(0);
    case Op::Floor: return std::floor(x);
    case Op::Ceil: return std::ceil(x);
    case Op::RoundEven: return std::nearbyint(x);
    case Op::Sqrt: return std::sqrt(x);
    case Op::Reciprocal: return 1 / x;
    default: return static_cast<T>(scalar::row_of(op).reference(static_cast<double>(x)));
  }
}

template <class T> T integer_unary(Op op, T x) {
  switch (op) {
    case Op::Neg: return wrapping(std::minus<>(), T(0), x);
    case Op::Abs: return x < 0 ? wrapping(std::minus<>(), T(0), x) : x;
    case Op::Sign: return x > 0 ? T(1) : x == 0 ? T(0) : static_cast<T>(-1);
    case Op::Not: return static_cast<T>(~x);
    default: LAPIS_UNREACHABLE("no unary " << scalar::row_of(op).name << " of integers in the oracle");
  }
}

template <class T> T binary(Op op, T a, T b) {
  switch (op) {
    case Op::Add: return wrapping(std::plus<>(), a, b);
    case Op::Sub: return wrapping(std::minus<>(), a, b);
    case Op::Mul: return wrapping(std::multiplies<>(), a, b);
    case Op::Div: return quotient(a, b);
    case Op::Mod: return modulo(a, b);
    case Op::FMod: return remainder_of(a, b);
    case Op::Pow: return power(a, b);
    case Op::Min: return min_of(a, b);
    case Op::Max: return max_of(a, b);
    case Op::AtLeast: return at_least(a, b);
    case Op::AtMost: return at_most(a, b);
    default: break;
  }
  if constexpr (std::is_integral_v<T>) {
    if (op == Op::And) return static_cast<T>(a & b);
    if (op == Op::Or) return static_cast<T>(a | b);
    if (op == Op::Xor) return static_cast<T>(a ^ b);
  }
  LAPIS_UNREACHABLE("no binary " << scalar::row_of(op).name << " in the oracle");
}

template <class T> bool predicate(Op op, T a, T b) {
  switch (op) {
    case Op::Equal: return a == b;
    case Op::Less: return a < b;
    case Op::LessOrEqual: return a <= b;
    case Op::IsNaN: return is_nan(a);
    default: return std::isinf(static_cast<double>(a));
  }
}

bool logical(Op op, bool a, bool b) {
  switch (op) {
    case Op::And:
    case Op::Min:
    case Op::AtMost: return a && b;
    case Op::Or:
    case Op::Max:
    case Op::AtLeast: return a || b;
    case Op::Xor: return a != b;
    case Op::Not: return !a;
    default: LAPIS_UNREACHABLE("no " << scalar::row_of(op).name << " of truth values in the oracle");
  }
}

template <class T> Immediate compute(Op op, bool has_second, Immediate a, Immediate b) {
  if constexpr (std::is_same_v<T, bool>)
    return logical(op, as<bool>(a), as<bool>(b));
  else if (has_second)
    return binary(op, as<T>(a), as<T>(b));
  else if constexpr (std::is_floating_point_v<T>)
    return real_unary(op, as<T>(a));
  else
    return integer_unary(op, as<T>(a));
}

Immediate reinterpreted(Immediate x, DType from, DType to) {
  std::array<std::byte, 8> bytes = {};
  write_element(bytes.data(), from, x);
  return read_element(bytes.data(), to);
}

Immediate shifted(const Instr& i, Immediate x) {
  const int64_t by = i.imm.as_int();
  return in_type(i.type, [&]<class T>(T) -> Immediate {
    if constexpr (!std::is_integral_v<T>)
      LAPIS_UNREACHABLE("shifts are of integers");
    else if (i.op == Op::ShiftLeft)
      return static_cast<T>(static_cast<uint64_t>(as<T>(x)) << by);
    else
      return static_cast<T>(as<T>(x) >> by);
  });
}

Immediate multiply_add(DType type, Immediate a, Immediate b, Immediate c) {
  return held(type, in_type(type, [&]<class T>(T) -> Immediate {
                if constexpr (!std::is_floating_point_v<T>)
                  LAPIS_UNREACHABLE("integers are multiplied and added one after the other");
                else
                  return std::fma(as<T>(a), as<T>(b), as<T>(c));
              }));
}

}  // namespace

Immediate read_element(const void* at, DType dtype) {
  Immediate value;
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    T element;
    std::memcpy(&element, at, sizeof element);
    if constexpr (std::is_class_v<T>)
      value = to_float(element);
    else
      value = element;
  });
  return value;
}

void write_element(void* at, DType dtype, Immediate value) {
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    T element;
    if constexpr (std::is_same_v<T, Float16>)
      element = half(value);
    else if constexpr (std::is_same_v<T, BFloat16>)
      element = to_bfloat16(as<float>(value));
    else
      element = as<T>(value);
    std::memcpy(at, &element, sizeof element);
  });
}

Immediate apply(const Instr& i, const std::array<Immediate, 3>& args, const std::array<DType, 3>& types) {
  const auto& [a, b, c] = args;
  const auto scale = static_cast<float>(i.imm.as_double());
  if (i.op == Op::Constant) return held(i.type, i.imm);
  if (i.op == Op::Cast) return held(i.type, a);
  if (i.op == Op::Select) return as<bool>(a) ? b : c;
  if (i.op == Op::Quantize)
    return Immediate(ops::quantize(as<float>(a) / scale, i.imm2.as_int(), integer_range(i.type))).held_as(i.type);
  if (i.op == Op::Dequantize) {
    const auto centred =
        static_cast<int32_t>(static_cast<uint32_t>(a.as_int()) - static_cast<uint32_t>(i.imm2.as_int()));
    return held(i.type, static_cast<float>(centred) * scale);
  }
  if (i.op == Op::Bits) return reinterpreted(a, types[0], i.type);
  if (i.op == Op::ShiftLeft || i.op == Op::ShiftRight) return shifted(i, a);
  if (i.op == Op::MultiplyAdd) return multiply_add(i.type, a, b, c);
  if (scalar::row_of(i.op).kind == scalar::Kind::Comparison)
    return in_type(types[0], [&]<class T>(T) -> Immediate { return predicate(i.op, as<T>(a), as<T>(b)); });
  return held(i.type, in_type(i.type, [&]<class T>(T) { return compute<T>(i.op, i.args[1] >= 0, a, b); }));
}

Immediate combine(Loop::Reduce kind, DType dtype, Immediate a, Immediate b) {
  constexpr Op kOps[] = {Op::Add, Op::Max, Op::Min, Op::Mul};
  return in_type(dtype, [&]<class T>(T) { return compute<T>(kOps[static_cast<size_t>(kind)], true, a, b); });
}

bool same_number(Immediate a, Immediate b) {
  const bool nan = a.kind() == Immediate::Kind::Real && b.kind() == Immediate::Kind::Real && is_nan(a.as_double()) &&
                   is_nan(b.as_double());
  return nan || a == b;
}

}  // namespace lapis::testing
