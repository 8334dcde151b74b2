// Comparisons, bits, and choices between values.
#include "codegen/lower/ops/families.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::codegen {
namespace {

template <Op kOp> int compare(Scalar& s) { return s.as(DType::Bool, kOp, s.in(0), s.in(1)); }
template <Op kOp> int compare_swapped(Scalar& s) { return s.as(DType::Bool, kOp, s.in(1), s.in(0)); }

template <Op kOp> int classify(Scalar& s) { return s.as(DType::Bool, kOp, s.in(0)); }

int where(Scalar& s) { return s.as(s.result_type(), Op::Select, s.as_is(0), s.as_is(1), s.as_is(2)); }

Status both_signs(const Node& node) {
  const auto a = node.attrs<ops::IsInfAttrs>();
  if (!a.detect_negative || !a.detect_positive) return refuse("infinities of one sign only");
  return ok();
}

}  // namespace

OpLowerings logic_rows() {
  return {
      code_for(ops::And).scalar(binary<Op::And>),
      code_for(ops::Or).scalar(binary<Op::Or>),
      code_for(ops::Xor).scalar(binary<Op::Xor>),
      code_for(ops::Not).scalar(unary<Op::Not>),
      code_for(ops::BitwiseAnd).scalar(binary<Op::And>),
      code_for(ops::BitwiseOr).scalar(binary<Op::Or>),
      code_for(ops::BitwiseXor).scalar(binary<Op::Xor>),
      code_for(ops::BitwiseNot).scalar(unary<Op::Not>),
      code_for(ops::Equal).scalar(compare<Op::Equal>),
      code_for(ops::Less).scalar(compare<Op::Less>),
      code_for(ops::LessOrEqual).scalar(compare<Op::LessOrEqual>),
      code_for(ops::Greater).scalar(compare_swapped<Op::Less>),
      code_for(ops::GreaterOrEqual).scalar(compare_swapped<Op::LessOrEqual>),
      code_for(ops::IsNaN).scalar(classify<Op::IsNaN>),
      code_for(ops::IsInf).scalar(classify<Op::IsInf>, both_signs),
      code_for(ops::Where).scalar(where),
  };
}

}  // namespace lapis::codegen
