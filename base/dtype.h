// DType: the element types of ONNX, with ONNX's own numbers (TensorProto.DataType), 4-bit, 8-bit and bfloat16 included.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace lapis {

enum class DType : uint8_t {
  Undefined = 0,
  Float32 = 1,
  UInt8 = 2,
  Int8 = 3,
  UInt16 = 4,
  Int16 = 5,
  Int32 = 6,
  Int64 = 7,
  String = 8,
  Bool = 9,
  Float16 = 10,
  Float64 = 11,
  UInt32 = 12,
  UInt64 = 13,
  Complex64 = 14,
  Complex128 = 15,
  BFloat16 = 16,
  Float8E4M3FN = 17,
  Float8E4M3FNUZ = 18,
  Float8E5M2 = 19,
  Float8E5M2FNUZ = 20,
  UInt4 = 21,
  Int4 = 22,
  Float4E2M1 = 23,
  Float8E8M0 = 24,
  UInt2 = 25,
  Int2 = 26,
};

// The type with this number in ONNX; Undefined if there is none.
constexpr DType dtype_of_number(int64_t number) {
  return number > 0 && number <= static_cast<int64_t>(DType::Int2) ? static_cast<DType>(number) : DType::Undefined;
}

// Width of one element in bits; 4- and 2-bit elements are packed, low bits first. 0 for String and Undefined.
int bit_width(DType dtype);
// Bytes that `count` elements take, packed types rounded up.
int64_t byte_size(DType dtype, int64_t count);

std::string_view name_of(DType dtype);                    // ONNX text syntax: "float", "uint8", "bfloat16"
std::optional<DType> parse_dtype(std::string_view name);  // the inverse; numpy's names ("float32", "<f4") too

bool is_float(DType dtype);    // every floating point type, the 8- and 4-bit ones included
bool is_integer(DType dtype);  // signed or unsigned, not bool
bool is_signed(DType dtype);
bool is_quantized_storage(DType dtype);  // what QuantizeLinear may produce in Lapis: uint8, int8

// The range of an integer type, uint64 included; asserts on others.
struct IntegerRange {
  int64_t lowest;
  uint64_t highest;
};
IntegerRange integer_range(DType dtype);

// Storage-only scalar types for typed views; arithmetic happens in float.
struct Float16 {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};
float to_float(Float16 value);
float to_float(BFloat16 value);
Float16 to_float16(float value);    // round half to even
BFloat16 to_bfloat16(float value);  // round half to even, NaN stays NaN

template <class T> struct DTypeOf;
template <> struct DTypeOf<float> { static constexpr DType value = DType::Float32; };
template <> struct DTypeOf<double> { static constexpr DType value = DType::Float64; };
template <> struct DTypeOf<uint8_t> { static constexpr DType value = DType::UInt8; };
template <> struct DTypeOf<int8_t> { static constexpr DType value = DType::Int8; };
template <> struct DTypeOf<uint16_t> { static constexpr DType value = DType::UInt16; };
template <> struct DTypeOf<int16_t> { static constexpr DType value = DType::Int16; };
template <> struct DTypeOf<uint32_t> { static constexpr DType value = DType::UInt32; };
template <> struct DTypeOf<int32_t> { static constexpr DType value = DType::Int32; };
template <> struct DTypeOf<uint64_t> { static constexpr DType value = DType::UInt64; };
template <> struct DTypeOf<int64_t> { static constexpr DType value = DType::Int64; };
template <> struct DTypeOf<bool> { static constexpr DType value = DType::Bool; };
template <> struct DTypeOf<Float16> { static constexpr DType value = DType::Float16; };
template <> struct DTypeOf<BFloat16> { static constexpr DType value = DType::BFloat16; };
template <class T> constexpr DType dtype_of = DTypeOf<T>::value;

// Calls visitor(T{}) with the C++ type of `dtype`.
// Returns false for types without one (String, complex, 8-bit floats, packed).
template <class Visitor> bool visit_dtype(DType dtype, Visitor&& visitor) {
  switch (dtype) {
    case DType::Float32: visitor(float{}); return true;
    case DType::Float64: visitor(double{}); return true;
    case DType::UInt8: visitor(uint8_t{}); return true;
    case DType::Int8: visitor(int8_t{}); return true;
    case DType::UInt16: visitor(uint16_t{}); return true;
    case DType::Int16: visitor(int16_t{}); return true;
    case DType::UInt32: visitor(uint32_t{}); return true;
    case DType::Int32: visitor(int32_t{}); return true;
    case DType::UInt64: visitor(uint64_t{}); return true;
    case DType::Int64: visitor(int64_t{}); return true;
    case DType::Bool: visitor(bool{}); return true;
    case DType::Float16: visitor(Float16{}); return true;
    case DType::BFloat16: visitor(BFloat16{}); return true;
    default: return false;
  }
}

}  // namespace lapis
