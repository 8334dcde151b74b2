#include "base/dtype.h"

#include <bit>
#include <cmath>

#include "base/check.h"

namespace lapis {
namespace {

enum class Kind : uint8_t { None, Float, Signed, Unsigned, Bool, Complex, Text };

struct Info {
  DType dtype;
  std::string_view name;
  std::string_view numpy;       // dtype.name in numpy, empty if numpy has none
  std::string_view descriptor;  // what a .npy header says
  int bits;
  Kind kind;
};

constexpr Info kInfos[] = {
    {DType::Undefined, "undefined", "", "", 0, Kind::None},
    {DType::Float32, "float", "float32", "<f4", 32, Kind::Float},
    {DType::UInt8, "uint8", "uint8", "|u1", 8, Kind::Unsigned},
    {DType::Int8, "int8", "int8", "|i1", 8, Kind::Signed},
    {DType::UInt16, "uint16", "uint16", "<u2", 16, Kind::Unsigned},
    {DType::Int16, "int16", "int16", "<i2", 16, Kind::Signed},
    {DType::Int32, "int32", "int32", "<i4", 32, Kind::Signed},
    {DType::Int64, "int64", "int64", "<i8", 64, Kind::Signed},
    {DType::String, "string", "", "", 0, Kind::Text},
    {DType::Bool, "bool", "bool", "|b1", 8, Kind::Bool},
    {DType::Float16, "float16", "float16", "<f2", 16, Kind::Float},
    {DType::Float64, "double", "float64", "<f8", 64, Kind::Float},
    {DType::UInt32, "uint32", "uint32", "<u4", 32, Kind::Unsigned},
    {DType::UInt64, "uint64", "uint64", "<u8", 64, Kind::Unsigned},
    {DType::Complex64, "complex64", "complex64", "<c8", 64, Kind::Complex},
    {DType::Complex128, "complex128", "complex128", "<c16", 128, Kind::Complex},
    {DType::BFloat16, "bfloat16", "", "", 16, Kind::Float},
    {DType::Float8E4M3FN, "float8e4m3fn", "", "", 8, Kind::Float},
    {DType::Float8E4M3FNUZ, "float8e4m3fnuz", "", "", 8, Kind::Float},
    {DType::Float8E5M2, "float8e5m2", "", "", 8, Kind::Float},
    {DType::Float8E5M2FNUZ, "float8e5m2fnuz", "", "", 8, Kind::Float},
    {DType::UInt4, "uint4", "", "", 4, Kind::Unsigned},
    {DType::Int4, "int4", "", "", 4, Kind::Signed},
    {DType::Float4E2M1, "float4e2m1", "", "", 4, Kind::Float},
    {DType::Float8E8M0, "float8e8m0", "", "", 8, Kind::Float},
    {DType::UInt2, "uint2", "", "", 2, Kind::Unsigned},
    {DType::Int2, "int2", "", "", 2, Kind::Signed},
};

const Info& info(DType dtype) {
  const auto index = static_cast<size_t>(dtype);
  LAPIS_ASSERT(index < std::size(kInfos) && kInfos[index].dtype == dtype, "unknown DType " << index);
  return kInfos[index];
}

}  // namespace

int bit_width(DType dtype) { return info(dtype).bits; }
int64_t byte_size(DType dtype, int64_t count) {
  int64_t bits = 0;
  LAPIS_ASSERT(!__builtin_mul_overflow(count, bit_width(dtype), &bits) && bits <= INT64_MAX - 7,
               count << " elements of " << name_of(dtype) << " are more than 64 bits can count");
  return (bits + 7) / 8;
}
std::string_view name_of(DType dtype) { return info(dtype).name; }

std::optional<DType> parse_dtype(std::string_view name) {
  if (name.empty()) return std::nullopt;
  for (const Info& i : kInfos)
    if (i.dtype != DType::Undefined && (name == i.name || name == i.numpy || name == i.descriptor)) return i.dtype;
  return std::nullopt;
}

bool is_float(DType dtype) { return info(dtype).kind == Kind::Float; }
bool is_integer(DType dtype) { return info(dtype).kind == Kind::Signed || info(dtype).kind == Kind::Unsigned; }
bool is_signed(DType dtype) { return info(dtype).kind == Kind::Signed || info(dtype).kind == Kind::Float; }
bool is_quantized_storage(DType dtype) { return dtype == DType::UInt8 || dtype == DType::Int8; }

IntegerRange integer_range(DType dtype) {
  LAPIS_ASSERT(is_integer(dtype), name_of(dtype) << " is not an integer type");
  const int bits = bit_width(dtype);
  if (info(dtype).kind == Kind::Signed)
    return {static_cast<int64_t>(~uint64_t{0} << (bits - 1)), (uint64_t{1} << (bits - 1)) - 1};
  return {0, ~uint64_t{0} >> (64 - bits)};
}

float to_float(BFloat16 value) { return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16); }

BFloat16 to_bfloat16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return {static_cast<uint16_t>((bits >> 16) | 0x40)};
  return {static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16)};
}

float to_float(Float16 value) {
  const uint32_t sign = static_cast<uint32_t>(value.bits & 0x8000) << 16;
  const uint32_t exponent = (value.bits >> 10) & 0x1F, mantissa = value.bits & 0x3FF;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000 | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float subnormal = std::ldexp(static_cast<float>(mantissa), -24);
  return sign ? -subnormal : subnormal;
}

Float16 to_float16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  const uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) return {static_cast<uint16_t>(sign | 0x7E00)};
  if (magnitude >= 0x477FF000) return {static_cast<uint16_t>(sign | 0x7C00)};  // rounds past 65504
  if (magnitude < 0x38800000) {  // subnormal in half precision: let the float adder round at the right bit
    const float shifted = std::bit_cast<float>(magnitude) + std::bit_cast<float>(uint32_t{0x3F000000});
    return {static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3F000000))};
  }
  const uint32_t rounded = magnitude - 0x38000000 + 0xFFF + ((magnitude >> 13) & 1);
  return {static_cast<uint16_t>(sign | (rounded >> 13))};
}

}  // namespace lapis
