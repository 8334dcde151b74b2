// Every operation of scalar programs (Op in codegen/plan.h): one row each, read by the printer, the verifier, cost
// estimates, both emitters and the tests.
//
//   row_of(Op::Sigmoid).name == "sigmoid", .arity == 1, .kind == Kind::Elementary
//
// An elementary function has no instruction of its own: expand.h writes it out in the others.
// What its result may differ by is in its row.
#pragma once

#include <span>
#include <string_view>

#include "codegen/plan.h"

namespace lapis::scalar {

enum class Kind : uint8_t {
  Memory,  // reads memory, a constant, an index or a result from elsewhere
  Conversion,
  Arithmetic,  // on bits too
  Comparison,
  Elementary,
};

// How the types of operands and result belong together.
enum class Typing : uint8_t {
  Free,      // as the operation says
  Equal,     // one type for all
  Compared,  // operands of one type, a truth value
  Chosen,    // a truth value, then operands of the result's type
  Bytes,     // a byte, a byte
};

// Types of results that the epilogue of a kernel computes in registers, 32 bits to an element.
enum Registers : uint8_t {
  kNone = 0,
  kReal = 1,
  kWord = 2,
  kByte = 4,
  kTruth = 8,
  kHalf = 16,  // bfloat16, as the float it is
  kWide = kReal | kWord,
  kNumber = kWide | kByte,
  kStored = kNumber | kHalf
};

// Types of operands, for Typing::Equal and Typing::Compared.
enum Operands : uint8_t {
  kAny = 0,
  kReals = 1,
  kIntegers = 2,
  kTruths = 4,
  kNumbers = kReals | kIntegers,
  kAll = kNumbers | kTruths
};

struct Row {
  Op op;
  std::string_view name;
  int8_t arity;
  Kind kind;
  Typing typing;
  uint8_t operands;                       // Operands
  int8_t immediates;                      // that mean something
  int8_t cost;                            // vector instructions, roughly: what a loop pays for one vector of results
  uint8_t epilogue;                       // Registers
  double (*reference)(double) = nullptr;  // of elementary functions: the value that the reference evaluator rounds
  float bound = 0;                        // ... and the largest error of a float, in units of its last place
};

const Row& row_of(Op op);
std::span<const Row> rows();  // by Op

// The bound on the error of doubles, for functions that have a form for them.
constexpr double kDoubleBound = 8;

// True if `slot` names a view of a loop, an operand of an epilogue.
inline bool reads_view(Op op) { return op == Op::Load || op == Op::Gather || op == Op::Table; }

// True if the operation is defined for operands of this type, as far as `operands` of its row says.
bool takes(const Row& row, DType type);

// True if a kernel's epilogue has an instruction for `instr` on operands of these types.
bool fits_epilogue(const Instr& instr, const std::array<DType, 3>& operands);

}  // namespace lapis::scalar
