// How an operator becomes code: one row each, in codegen/lower/ops/<family>.cpp. A row says what the operator is to
// fusion and layout, in which forms it can be computed, and why it cannot. Nothing else in codegen knows operators by
// name.
//
//   code_for(ops::Relu).scalar(relu)
//   code_for(ops::Softmax).loop(softmax).inlines({0})
//   code_for(ops::MatMul).contraction(packed_float_product, kProduct).loop(matrix_product, product_loop)
#pragma once

#include "codegen/lower/scalar.h"
#include "codegen/plan.h"
#include "ir/op.h"

namespace lapis::codegen {

class Lowering;
struct FusedRegion;

enum class Role : uint8_t {
  Contraction,  // xbyak kernel: Conv, Gemm, MatMul with constant weights, and their integer forms
  Loop,         // LLVM loop with its own shape: reductions, softmax, normalization, pools, Gather
  Scalar,       // elementwise: an LLVM loop over the output, or part of another region
  View,         // no code: Transpose, Slice, Reshape, ...
  Copy,         // copies: Concat, Pad, Tile, ...
  Call,         // a routine of the runtime, or the reference evaluator
  Block,        // control flow: its bodies are code
};

// How the order of elements in memory goes through an operator.
enum class LayoutFlow : uint8_t {
  RowMajor,
  Follows,       // results are stored as the operands of their rank are
  ChannelsLast,  // asks for it, of operand 0 and of its result
};

using OperandMask = uint32_t;
constexpr OperandMask mask_of(std::initializer_list<int> operands) {
  OperandMask mask = 0;
  for (int i : operands) mask |= OperandMask{1} << i;
  return mask;
}
constexpr bool in_mask(OperandMask mask, size_t operand) { return operand < 32 && ((mask >> operand) & 1) != 0; }

using LowerFn = void (*)(Lowering&, const FusedRegion&);
// Ok, or the reason why the form does not take the node, and what to do.
using LegalFn = Status (*)(const Node&);

// Where an output lies that is no storage of its own: how it looks at operand 0, which lies as the view says, or at
// what its producer keeps anyway. Nothing: strides cannot say it of this operand; of a row-major one they can.
using ViewFn = std::optional<View> (*)(const Node&, size_t output, const View& operand);

// One way to compute an operator.
struct Form {
  Role role;
  LowerFn lower;
  LegalFn legal = nullptr;
};

// Which operands of a contraction are what.
struct Product {
  int weights = 1;
  int addend = -1;               // what is added to the sums
  int x_zero = -1, w_zero = -1;  // zero points
  bool requantizes = false;      // as QLinearConv does
};
// The operand of that number, or null for -1 and for one that is left out.
inline const Value* operand_of(const Node& node, int i) { return i < 0 ? nullptr : node.input(static_cast<size_t>(i)); }

// Floats that contractions take. Where the target has no kernel for bfloat16, its operands are copied to float.
constexpr TypeSet kKernelFloats = types(DType::Float32, DType::BFloat16);

// A sliding window over the spatial axes of operand 0: the value that lies around its border.
using PaddingFn = double (*)(const Node&);

struct OpLowering {
  const OpDef* op;
  std::vector<Form> forms = {};  // the first that takes the node
  OperandMask constant = 0;      // operands that code needs as constants
  // Of a scalar form: the table of an Op::Table, translated to a Load whose slot is the table's.
  OperandMask tables = 0;
  OperandMask inlined = 0;  // read a small number of times, so that what computes them can be done in place
  LayoutFlow layout = LayoutFlow::RowMajor;
  Translate translate = nullptr;  // of Role::Scalar
  // Operands behind the first are vectors along it, if they are no numbers.
  int64_t (*parameter_axis)(const Node&) = nullptr;
  bool (*recompute)(const Node&) = nullptr;  // computing it again costs less than storing its result
  PaddingFn padding = nullptr;
  ViewFn result_view = nullptr;
  std::optional<Product> product = std::nullopt;

  OpLowering& contraction(LegalFn legal, const Product& operands);
  OpLowering& loop(LowerFn lower, LegalFn legal = nullptr) { return form({Role::Loop, lower, legal}); }
  OpLowering& view(ViewFn results);
  OpLowering& copy(LowerFn lower, LegalFn legal = nullptr) { return form({Role::Copy, lower, legal}); }
  OpLowering& call(LowerFn lower, LegalFn legal = nullptr) { return form({Role::Call, lower, legal}); }
  OpLowering& block(LowerFn lower, LegalFn legal = nullptr) { return form({Role::Block, lower, legal}); }
  OpLowering& scalar(Translate t, LegalFn legal = nullptr);
  OpLowering& constants(std::initializer_list<int> operands) { return constant = mask_of(operands), *this; }
  OpLowering& looks_up(std::initializer_list<int> operands) { return tables = mask_of(operands), *this; }
  OpLowering& inlines(std::initializer_list<int> operands) { return inlined = mask_of(operands), *this; }
  OpLowering& follows() { return layout = LayoutFlow::Follows, *this; }
  OpLowering& channels_last() { return layout = LayoutFlow::ChannelsLast, *this; }
  OpLowering& window(PaddingFn around) { return padding = around, channels_last(); }
  OpLowering& parameters(int64_t (*axis)(const Node&)) { return parameter_axis = axis, *this; }
  OpLowering& keeps(ViewFn results) { return result_view = results, *this; }
  OpLowering& recomputed_if(bool (*cheap)(const Node&)) { return recompute = cheap, *this; }

 private:
  OpLowering& form(const Form& f) { return forms.push_back(f), *this; }
};
inline OpLowering code_for(const OpDef& op) { return {&op}; }
using OpLowerings = std::vector<OpLowering>;

// ---- reading the table (op_table.cpp) -------------------------------------------------------------------------------

// Its row, or null.
const OpLowering* row_of(const OpDef& op);
// How the node is computed, or why it cannot be.
Result<const Form*> form_of(const Node& node);
// How the reference evaluates it between two steps of code, or null if it cannot.
const Form* host_form_of(const Node& node);
// Records without a row: there is no code for them.
const std::vector<const OpDef*>& ops_without_code();

inline const OpLowering* row_of(const Node& node) { return row_of(node.op()); }
// Of a node in its scalar form.
inline bool is_table(const Node& node, size_t operand) { return in_mask(row_of(node)->tables, operand); }
bool has_window(const Node& node);
// The axis of a contraction's output that the kernel keeps contiguous:
// 1 for convolutions, the last one for matrix products.
int64_t channel_axis(const Node& contraction);

// ---- for rows -------------------------------------------------------------------------------------------------------

Diagnostic refuse(std::string reason, std::string help = {});
std::string name_of_operand(const Node& node, size_t i);
// Each of these operands, where it is there, is one constant number.
Status constant_scalars(const Node& node, std::initializer_list<size_t> which);
bool zero_or_absent(const Value* v);
bool constant_scalar_or_absent(const Value* v);

}  // namespace lapis::codegen
