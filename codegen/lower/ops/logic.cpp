// Comparisons, bits, and choices between values.
#include "codegen/lower/ops/families.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::codegen {
namespace {

template <Op kOp> int compare(Scalar& s) { return s.as(DType::Bool, kOp, {s.in(0), s.in(1)}); }
template <Op kOp> int compare_swapped(Scalar& s) { return s.as(DType::Bool, kOp, {s.in(1), s.in(0)}); }

template <Op kOp> int classify(Scalar& s) { return s.as(DType::Bool, kOp, {s.in(0)}); }

int where(Scalar& s) { return s.as(s.result_type(), Op::Select, {s.as_is(0), s.as_is(1), s.as_is(2)}); }

int shifted(Scalar& s, Op direction, int x, int64_t by) { return s.raw({direction, s.type(), {x, -1, -1}, -1, by}); }

// Bit for bit of the distance: by 1, 2, 4, ... where that bit is set; from the width on, nothing is left.
int bit_shift(Scalar& s) {
  const Op direction = s.attrs<ops::BitShiftAttrs>().direction == "LEFT" ? Op::ShiftLeft : Op::ShiftRight;
  const int by = s.in(1), width = bit_width(s.type());
  int x = s.in(0);
  for (int step = 1; step < width; step *= 2) {
    const int stays = s.as(DType::Bool, Op::Equal, {s.op(Op::And, {by, s.k(step)}), s.k(0)});
    x = s.select({stays, x, shifted(s, direction, x, step)});
  }
  return s.select({s.less({by, s.k(width)}), x, s.k(0)});
}

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
      code_for(ops::BitShift).scalar(bit_shift),
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
