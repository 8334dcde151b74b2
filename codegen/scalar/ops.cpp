#include "codegen/scalar/ops.h"

#include <cmath>

#include "base/check.h"

namespace lapis::scalar {
namespace {

using enum Kind;
using enum Typing;

double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
double sigmoid(double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }
template <double (*kFunction)(double)> double function(double x) { return kFunction(x); }

// clang-format off
constexpr Row kRows[] = {
    // op              name             args kind        types     operands          imm cost epilogue  reference             ulp
    {Op::Accumulator,  "accumulator",   0, Memory,      Free,     kAny,                0,  0,  kWide},
    {Op::Load,         "load",          0, Memory,      Free,     kAny,                0,  0,  kStored},
    {Op::Gather,       "gather",        1, Memory,      Free,     kAny,                2,  20, kNone},
    {Op::Table,        "table",         1, Memory,      Bytes,    kAny,                0,  4,  kByte},
    {Op::Index,        "index",         0, Memory,      Free,     kAny,                0,  1,  kNone},
    {Op::Constant,     "constant",      0, Memory,      Free,     kAny,                1,  0,  kStored},
    {Op::Reduced,      "reduced",       0, Memory,      Free,     kAny,                0,  0,  kNone},
    {Op::Cast,         "cast",          1, Conversion,  Free,     kAny,                0,  1,  kStored},
    {Op::Bits,         "bits",          1, Conversion,  Free,     kAny,                0,  1,  kWide},
    {Op::Add,          "add",           2, Arithmetic,  Equal,    kNumbers,            0,  1,  kWide},
    {Op::Sub,          "sub",           2, Arithmetic,  Equal,    kNumbers,            0,  1,  kWide},
    {Op::Mul,          "mul",           2, Arithmetic,  Equal,    kNumbers,            0,  1,  kWide},
    {Op::MultiplyAdd,  "multiply_add",  3, Arithmetic,  Equal,    kReals,              0,  1,  kReal},
    {Op::Div,          "div",           2, Arithmetic,  Equal,    kNumbers,            0,  5,  kReal},
    {Op::Mod,          "mod",           2, Arithmetic,  Equal,    kNumbers,            0,  20, kNone},
    {Op::FMod,         "fmod",          2, Arithmetic,  Equal,    kNumbers,            0,  20, kNone},
    {Op::Pow,          "pow",           2, Arithmetic,  Equal,    kNumbers,            0,  20, kNone},
    {Op::Min,          "min",           2, Arithmetic,  Equal,    kAll,                0,  1,  kNumber},
    {Op::Max,          "max",           2, Arithmetic,  Equal,    kAll,                0,  1,  kNumber},
    {Op::AtLeast,      "at_least",      2, Arithmetic,  Equal,    kAll,                0,  1,  kNumber},
    {Op::AtMost,       "at_most",       2, Arithmetic,  Equal,    kAll,                0,  1,  kNumber},
    {Op::Neg,          "neg",           1, Arithmetic,  Equal,    kNumbers,            0,  1,  kReal},
    {Op::Abs,          "abs",           1, Arithmetic,  Equal,    kNumbers,            0,  1,  kReal},
    {Op::Sign,         "sign",          1, Arithmetic,  Equal,    kNumbers,            0,  1,  kNone},
    {Op::Floor,        "floor",         1, Arithmetic,  Equal,    kReals,              0,  1,  kReal},
    {Op::Ceil,         "ceil",          1, Arithmetic,  Equal,    kReals,              0,  1,  kReal},
    {Op::RoundEven,    "round_even",    1, Arithmetic,  Equal,    kReals,              0,  1,  kReal},
    {Op::Sqrt,         "sqrt",          1, Arithmetic,  Equal,    kReals,              0,  5,  kReal},
    {Op::Reciprocal,   "reciprocal",    1, Arithmetic,  Equal,    kReals,              0,  1,  kReal},
    {Op::ShiftLeft,    "shift_left",    1, Arithmetic,  Equal,    kIntegers,           1,  1,  kWord},
    {Op::ShiftRight,   "shift_right",   1, Arithmetic,  Equal,    kIntegers,           1,  1,  kWord},
    {Op::Exp,          "exp",           1, Elementary,  Equal,    kReals,              0,  15, kNone,   function<std::exp>,    1.0f},
    {Op::Expm1,        "expm1",         1, Elementary,  Equal,    kReals,              0,  15, kNone,   function<std::expm1>,  1.6f},
    {Op::Log,          "log",           1, Elementary,  Equal,    kReals,              0,  15, kNone,   function<std::log>,    1.0f},
    {Op::Log1p,        "log1p",         1, Elementary,  Equal,    kReals,              0,  15, kNone,   function<std::log1p>,  1.6f},
    {Op::Sin,          "sin",           1, Elementary,  Equal,    kReals,              0,  15, kNone,   function<std::sin>,    0.51f},
    {Op::Cos,          "cos",           1, Elementary,  Equal,    kReals,              0,  15, kNone,   function<std::cos>,    0.51f},
    {Op::Tan,          "tan",           1, Elementary,  Equal,    kReals,              0,  15, kNone,   function<std::tan>,    0.51f},
    {Op::Asin,         "asin",          1, Elementary,  Equal,    kReals,              0,  15, kNone,   function<std::asin>,   0.51f},
    {Op::Acos,         "acos",          1, Elementary,  Equal,    kReals,              0,  15, kNone,   function<std::acos>,   0.51f},
    {Op::Atan,         "atan",          1, Elementary,  Equal,    kReals,              0,  15, kNone,   function<std::atan>,   0.51f},
    {Op::Sinh,         "sinh",          1, Elementary,  Equal,    kReals,              0,  15, kNone,   function<std::sinh>,   0.51f},
    {Op::Cosh,         "cosh",          1, Elementary,  Equal,    kReals,              0,  15, kNone,   function<std::cosh>,   0.51f},
    {Op::Tanh,         "tanh",          1, Elementary,  Equal,    kReals,              0,  15, kNone,   function<std::tanh>,   2.0f},
    {Op::Asinh,        "asinh",         1, Elementary,  Equal,    kReals,              0,  15, kNone,   function<std::asinh>,  0.51f},
    {Op::Acosh,        "acosh",         1, Elementary,  Equal,    kReals,              0,  15, kNone,   function<std::acosh>,  0.51f},
    {Op::Atanh,        "atanh",         1, Elementary,  Equal,    kReals,              0,  15, kNone,   function<std::atanh>,  0.51f},
    {Op::Erf,          "erf",           1, Elementary,  Equal,    kReals,              0,  15, kNone,   function<std::erf>,    1.5f},
    {Op::NormalCdf,    "normal_cdf",    1, Elementary,  Equal,    kReals,              0,  15, kNone,   normal_cdf,            7.0f},
    {Op::Sigmoid,      "sigmoid",       1, Elementary,  Equal,    kReals,              0,  15, kNone,   sigmoid,               2.1f},
    {Op::IsNaN,        "is_nan",        1, Comparison,  Compared, kReals,              0,  1,  kTruth},
    {Op::IsInf,        "is_inf",        1, Comparison,  Compared, kReals,              0,  1,  kNone},
    {Op::Equal,        "equal",         2, Comparison,  Compared, kAll,                0,  1,  kTruth},
    {Op::Less,         "less",          2, Comparison,  Compared, kAll,                0,  1,  kTruth},
    {Op::LessOrEqual,  "less_or_equal", 2, Comparison,  Compared, kAll,                0,  1,  kTruth},
    {Op::And,          "and",           2, Arithmetic,  Equal,    kIntegers | kTruths, 0,  1,  kWord | kTruth},
    {Op::Or,           "or",            2, Arithmetic,  Equal,    kIntegers | kTruths, 0,  1,  kWord | kTruth},
    {Op::Xor,          "xor",           2, Arithmetic,  Equal,    kIntegers | kTruths, 0,  1,  kWord | kTruth},
    {Op::Not,          "not",           1, Arithmetic,  Equal,    kIntegers | kTruths, 0,  1,  kWord | kTruth},
    {Op::Select,       "select",        3, Arithmetic,  Chosen,   kAny,                0,  1,  kNumber},
    {Op::Quantize,     "quantize",      1, Conversion,  Free,     kAny,                2,  5,  kByte},
    {Op::Dequantize,   "dequantize",    1, Conversion,  Free,     kAny,                2,  1,  kReal},
};
// clang-format on

constexpr bool in_order() {
  for (size_t i = 0; i < std::size(kRows); ++i)
    if (kRows[i].op != static_cast<Op>(i)) return false;
  return std::size(kRows) == static_cast<size_t>(Op::Dequantize) + 1;
}
static_assert(in_order(), "one row an Op, in the order of the enumeration");

uint8_t registers_of(DType type) {
  if (type == DType::Float32) return kReal;
  if (type == DType::Int32) return kWord;
  if (type == DType::BFloat16) return kHalf;
  return is_quantized_storage(type) ? kByte : type == DType::Bool ? kTruth : kNone;
}
bool is_number(DType type) { return (registers_of(type) & kNumber) != 0; }

bool fits_cast(DType from, DType to) {
  if (from == DType::BFloat16 || to == DType::BFloat16)
    return (from == DType::BFloat16 || from == DType::Float32) && (to == DType::BFloat16 || to == DType::Float32);
  if (from == to || from == DType::Float32) return is_number(to);
  return is_number(from) && (to == DType::Float32 || to == DType::Int32);
}

}  // namespace

std::span<const Row> rows() { return kRows; }

const Row& row_of(Op op) {
  LAPIS_ASSERT(static_cast<size_t>(op) < std::size(kRows), "no scalar operation " << static_cast<int>(op));
  return kRows[static_cast<size_t>(op)];
}

bool takes(const Row& row, DType type) {
  if (row.operands == kAny) return true;
  const uint8_t wanted = is_float(type) ? kReals : type == DType::Bool ? kTruths : is_integer(type) ? kIntegers : kAny;
  return (row.operands & wanted) != 0;
}

bool fits_epilogue(const Instr& instr, const std::array<DType, 3>& operands) {
  const Row& row = row_of(instr.op);
  if (!(row.epilogue & registers_of(instr.type))) return false;
  const DType first = operands[0];
  switch (instr.op) {
    case Op::Cast: return fits_cast(first, instr.type);
    case Op::Quantize: return first == DType::Float32;
    case Op::Dequantize: return is_number(first) && first != DType::Float32;
    case Op::IsNaN: return first == DType::Float32;
    default: return row.typing != Compared || is_number(first);
  }
}

}  // namespace lapis::scalar
