// Quantize and Dequantize between floats and the integers of a register: division exactly as IEEE 754 rounds it,
// saturation, zero points that cancel.
#include <algorithm>
#include <cmath>
#include <utility>

#include "codegen/x86/epilogue.h"

namespace lapis::x86 {

// min(x, bound) that keeps NaN, in a new register.
int Epilogue::cap(int x, float bound) {
  const int limit = borrow(), to = allocate();
  e_.vmovups(v(limit), e_.constant_float(bound));
  e_.vminps(v(to), v(limit), v(x));
  return to;
}

const DivisionPlan& Epilogue::division(int id) {
  if (const auto known = divisions_.find(id); known != divisions_.end()) return known->second;
  const Instr& i = instr(id);
  const IntegerRange type = integer_range(i.type);
  const auto zero = static_cast<int>(i.imm2.as_int());
  return divisions_[id] =
             kernels::plan_division(static_cast<float>(i.imm.as_double()), static_cast<int>(type.lowest) - zero,
                                    static_cast<int>(type.highest) - zero);
}

// A register with x / scale, to be rounded by vcvtps2dq: `x` itself or a new one. The conversion gives INT_MIN for NaN
// and for numbers beyond int32: right below, so only large positive numbers must be capped.
int Epilogue::quotient(const int x, int id, bool may_overflow) {
  const auto scale = static_cast<float>(instr(id).imm.as_double());
  const DivisionPlan& plan = division(id);
  const bool multiplies = plan.kind == DivisionPlan::Kind::Multiply || plan.kind == DivisionPlan::Kind::MultiplyAndFma;
  const bool cap_first = may_overflow && multiplies;  // infinity times the correction would be NaN
  const int from = cap_first ? cap(x, scale * 0x1p30f) : x;
  int to = plan.kind == DivisionPlan::Kind::None ? x : allocate();
  switch (plan.kind) {
    case DivisionPlan::Kind::None: break;
    case DivisionPlan::Kind::Multiply: e_.vmulps(v(to), v(from), e_.constant_float(plan.reciprocal)); break;
    case DivisionPlan::Kind::MultiplyAndFma:
      e_.vmulps(v(to), v(from), e_.constant_float(plan.correction));
      e_.vfmadd231ps(v(to), v(from), e_.constant_float(plan.reciprocal));
      break;
    case DivisionPlan::Kind::Divide: e_.vdivps(v(to), v(from), e_.constant_float(scale)); break;
  }
  if (from != x) release(from);
  if (may_overflow && !multiplies) {
    const int quotient = to;
    to = cap(quotient, 0x1.fffffep30f);
    if (quotient != x) release(quotient);
  }
  return to;
}

void Epilogue::quantize(int id) {
  const Instr& i = instr(id);
  if (id == a_.result && a_.sum.exact) return quantize_sum(id);
  const Interval range = a_.range[static_cast<size_t>(i.args[0])];
  const bool may_overflow = !range.finite() || std::max(-range.low, range.high) / std::abs(i.imm.as_double()) > 1e9;
  const int x = reg(i.args[0]);
  const int rounded = quotient(x, id, may_overflow);
  const int to = rounded == x ? destination(id) : rounded;
  const auto zero = static_cast<int>(i.imm2.as_int());
  e_.vcvtps2dq(v(to), v(rounded));
  if (id != a_.result) {  // the packs saturate the result
    const IntegerRange type = integer_range(i.type);
    e_.vpmaxsd(v(to), v(to), e_.constant(static_cast<uint32_t>(static_cast<int>(type.lowest) - zero)));
    e_.vpminsd(v(to), v(to), e_.constant(static_cast<uint32_t>(static_cast<int>(type.highest) - zero)));
  }
  define(id, to, zero);
}

// to = float(value - zero). A zero point that a Quantize left pending cancels here.
void Epilogue::centre(int to, int id, int zero) {
  Value& x = value(id);
  const int pending = std::exchange(x.pending, 0), offset = zero - pending;
  const Xbyak::Operand& source = operand(id);
  x.pending = pending;
  if (!offset) return e_.vcvtdq2ps(v(to), source);
  if (source.isMEM()) e_.vmovups(v(to), source);
  e_.vpsubd(v(to), v(source.isMEM() ? to : source.getIdx()), e_.constant(static_cast<uint32_t>(offset)));
  e_.vcvtdq2ps(v(to), v(to));
}

void Epilogue::dequantize(int id) {
  const Instr& i = instr(id);
  const int to = destination(id);
  centre(to, i.args[0], static_cast<int>(i.imm2.as_int()));
  const auto scale = static_cast<float>(i.imm.as_double());
  if (scale != 1) e_.vmulps(v(to), v(to), e_.constant_float(scale));
  define(id, to);
}

void Epilogue::quantize_sum(int id) {
  const Instr& i = instr(id);
  const int a = borrow(), to = allocate();
  centre(to, i.args[1], a_.zero_b);
  e_.vmulps(v(to), v(to), e_.constant_float(a_.sum.b));
  centre(a, i.args[0], a_.zero_a);
  e_.vfmadd231ps(v(to), v(a), e_.constant_float(a_.sum.a));
  e_.vcvtps2dq(v(to), v(to));
  define(id, to, static_cast<int>(i.imm2.as_int()));
}

}  // namespace lapis::x86
