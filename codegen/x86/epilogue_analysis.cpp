#include "codegen/x86/epilogue_analysis.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "codegen/kernels/schedule.h"

namespace lapis::x86 {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr Interval kAnything{-kInfinity, kInfinity};

bool is_byte(DType type) { return type == DType::UInt8 || type == DType::Int8; }
bool is_int(DType type) { return is_byte(type) || type == DType::Int32; }

Interval of_type(DType type) {
  if (!is_integer(type)) return kAnything;
  const IntegerRange r = integer_range(type);
  return {static_cast<double>(r.lowest), static_cast<double>(r.highest)};
}

// Bounds after a float32 operation: one rounding outward is enough.
Interval rounded(double low, double high) {
  if (!(low >= -3e38 && high <= 3e38)) return kAnything;
  const double slack = 1e-6;
  return {low - slack * std::abs(low), high + slack * std::abs(high)};
}

Interval per_channel_range(const View& view, const Plan& plan) {
  const auto offset = static_cast<size_t>(plan.buffers[static_cast<size_t>(view.buffer)].offset);
  Interval range{kInfinity, -kInfinity};
  visit_dtype(view.dtype, [&](auto tag) {
    using T = decltype(tag);
    if constexpr (std::is_arithmetic_v<T>) {
      for (int64_t i = 0; i < view.shape[0]; ++i) {
        T value;
        std::memcpy(
            &value,
            plan.constants.data() + offset + (view.offset + i * view.strides[0]) * static_cast<int64_t>(sizeof(T)),
            sizeof(T));
        if (!(static_cast<double>(value) >= range.low)) range.low = static_cast<double>(value);
        if (!(static_cast<double>(value) <= range.high)) range.high = static_cast<double>(value);
      }
    }
  });
  return range.finite() ? range : kAnything;
}

Interval quantized(const Instr& i, Interval x) {
  const Interval type = of_type(i.type);
  if (!x.finite()) return type;
  const double scale = i.imm.as_double(), zero = i.imm2.as_double();
  return {std::max(type.low, std::floor(x.low / scale) - 1 + zero),
          std::min(type.high, std::ceil(x.high / scale) + 1 + zero)};
}

Interval product(Interval a, Interval b) {
  if (!a.finite() || !b.finite()) return kAnything;
  const auto [low, high] = std::minmax({a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high});
  return rounded(low, high);
}

// An integer sum or product that may wrap can be anything; a float one is rounded.
Interval of_result(DType type, Interval exact) {
  const Interval all = of_type(type);
  if (type == DType::Float32) return exact.finite() ? rounded(exact.low, exact.high) : kAnything;
  return exact.low >= all.low && exact.high <= all.high ? exact : all;
}

Interval range_of(const Instr& i, Interval a, Interval b, Interval c) {
  switch (i.op) {
    case Op::Constant: return {i.imm.as_double(), i.imm.as_double()};
    case Op::Cast:
      return is_integer(i.type) ? Interval{std::max(of_type(i.type).low, std::trunc(a.low)),
                                           std::min(of_type(i.type).high, std::trunc(a.high))}
                                : rounded(a.low, a.high);
    case Op::Add: return of_result(i.type, {a.low + b.low, a.high + b.high});
    case Op::Sub: return of_result(i.type, {a.low - b.high, a.high - b.low});
    case Op::Mul:
      return i.type == DType::Float32 || (a.finite() && b.finite()) ? of_result(i.type, product(a, b))
                                                                    : of_type(i.type);
    case Op::Min:
    case Op::AtMost:
      return a.finite() && b.finite() ? Interval{std::min(a.low, b.low), std::min(a.high, b.high)} : of_type(i.type);
    case Op::Max:
    case Op::AtLeast:
      return a.finite() && b.finite() ? Interval{std::max(a.low, b.low), std::max(a.high, b.high)} : of_type(i.type);
    case Op::Neg: return of_result(i.type, {-a.high, -a.low});
    case Op::Abs: return of_result(i.type, {0, std::max(-a.low, a.high)});
    case Op::Floor:
    case Op::Ceil:
    case Op::RoundEven: return a.finite() ? Interval{std::floor(a.low), std::ceil(a.high)} : kAnything;
    case Op::Select: return {std::min(b.low, c.low), std::max(b.high, c.high)};
    case Op::Quantize: return quantized(i, a);
    case Op::Dequantize: {
      const double scale = i.imm.as_double(), zero = i.imm2.as_double();
      return product({a.low - zero, a.high - zero}, {scale, scale});
    }
    default: return of_type(i.type);
  }
}

double quantized_constant(const Instr& quantize, double x) {
  const Interval type = of_type(quantize.type);
  return std::clamp(
      std::nearbyint(static_cast<double>(static_cast<float>(x) / static_cast<float>(quantize.imm.as_double()))) +
          quantize.imm2.as_double(),
      type.low, type.high);
}

}  // namespace

bool Interval::finite() const { return low > -kInfinity && high < kInfinity; }

EpilogueAnalysis::EpilogueAnalysis(const Contraction& c, const Plan* plan)
    : program(c.epilogue), result(static_cast<int>(c.epilogue.size()) - 1) {
  find_ranges(c, plan);
  move_clips();
  if (plan) fuse_sum();
  find_uses();
  count_registers(c);
}

void EpilogueAnalysis::find_ranges(const Contraction& c, const Plan* plan) {
  for (const Instr& i : program) {
    auto arg = [&](int n) {
      return i.args[static_cast<size_t>(n)] >= 0 ? range[static_cast<size_t>(i.args[static_cast<size_t>(n)])]
                                                 : kAnything;
    };
    const EpilogueOperand* operand = i.op == Op::Load ? &c.operands[static_cast<size_t>(i.slot)] : nullptr;
    if (operand && plan && operand->kind == EpilogueOperand::Kind::PerChannel)
      range.push_back(per_channel_range(operand->view, *plan));
    else
      range.push_back(range_of(i, arg(0), arg(1), arg(2)));
  }
}

// Stored bytes: strips  Min/Max(q, constant)  and, because rounding is monotone,  Quantize(Min/Max(x, constant))  into
// one clip.
void EpilogueAnalysis::move_clips() {
  clip_low = -kInfinity;
  clip_high = kInfinity;
  if (!is_byte(program.back().type)) return;
  auto at = [&](int id) -> Instr& { return program[static_cast<size_t>(id)]; };
  auto prepend = [&](Op op, double bound) {  // the clip found so far comes after this one
    if (op == Op::Max || op == Op::AtLeast)
      clip_low = std::max(clip_low, bound);
    else
      clip_high = std::min(clip_high, std::max(bound, clip_low));
  };
  auto is_number = [&](int id) { return at(id).op == Op::Constant && !std::isnan(at(id).imm.as_double()); };
  // The variable operand of a minimum, maximum or bound with a constant, or -1.
  auto clipped = [&](int id) {
    const Instr& i = at(id);
    const bool bound = i.op == Op::AtLeast || i.op == Op::AtMost;
    if (!bound && i.op != Op::Min && i.op != Op::Max) return -1;
    if (is_number(i.args[1])) return i.args[0];
    return !bound && is_number(i.args[0]) ? i.args[1] : -1;
  };
  auto bound = [&](int id) {
    const Instr& i = at(id);
    return at(is_number(i.args[1]) ? i.args[1] : i.args[0]).imm.as_double();
  };
  for (;;) {
    const Instr& i = at(result);
    if (i.op == Op::Cast && at(i.args[0]).type == i.type) {
      result = i.args[0];
      continue;
    }
    const int inner = clipped(result);
    if (inner < 0) break;
    prepend(i.op, bound(result));
    result = inner;
  }
  Instr& quantize = at(result);
  if (quantize.op == Op::Quantize) {
    for (int inner; (inner = clipped(quantize.args[0])) >= 0 && range[static_cast<size_t>(inner)].finite();
         quantize.args[0] = inner)
      prepend(at(quantize.args[0]).op, quantized_constant(quantize, bound(quantize.args[0])));
  }
  const Interval type = of_type(program.back().type);
  if (clip_low <= type.low) clip_low = -kInfinity;
  if (clip_high >= type.high) clip_high = kInfinity;
}

void EpilogueAnalysis::fuse_sum() {
  auto at = [&](int id) -> const Instr& { return program[static_cast<size_t>(id)]; };
  Instr& quantize = program[static_cast<size_t>(result)];
  if (quantize.op != Op::Quantize || at(quantize.args[0]).op != Op::Add) return;
  const Instr &a = at(at(quantize.args[0]).args[0]), &b = at(at(quantize.args[0]).args[1]);
  if (a.op != Op::Dequantize || b.op != Op::Dequantize || a.args[0] == b.args[0]) return;
  if (!is_byte(at(a.args[0]).type) || !is_byte(at(b.args[0]).type)) return;
  auto centred = [&](const Instr& i) {
    const IntegerRange type = integer_range(at(i.args[0]).type);
    const auto zero = static_cast<int>(i.imm2.as_int());
    return ByteRange{static_cast<int>(type.lowest) - zero, static_cast<int>(type.highest) - zero};
  };
  const IntegerRange type = integer_range(quantize.type);
  const auto zero = static_cast<int>(quantize.imm2.as_int());
  auto scale = [](const Instr& i) { return static_cast<float>(i.imm.as_double()); };
  sum = plan_sum(scale(a), centred(a), scale(b), centred(b), scale(quantize), static_cast<int>(type.lowest) - zero,
                 static_cast<int>(type.highest) - zero);
  if (!sum.exact) return;
  zero_a = static_cast<int>(a.imm2.as_int());
  zero_b = static_cast<int>(b.imm2.as_int());
  quantize.args = {a.args[0], b.args[0], -1};
}

void EpilogueAnalysis::find_uses() {
  live.assign(program.size(), false);
  last_use.assign(program.size(), -1);
  live[static_cast<size_t>(result)] = true;
  last_use[static_cast<size_t>(result)] = result;
  for (int id = result; id >= 0; --id) {
    if (!live[static_cast<size_t>(id)]) continue;
    for (const int arg : program[static_cast<size_t>(id)].args) {
      if (arg < 0) continue;
      live[static_cast<size_t>(arg)] = true;
      last_use[static_cast<size_t>(arg)] = std::max(last_use[static_cast<size_t>(arg)], id);
    }
  }
}

void EpilogueAnalysis::count_registers(const Contraction& c) {
  constexpr int kScratch = 3;  // a constant that must sit in a register, a mask or quotient, the pack
  int peak = 0, raw = 0;
  for (const EpilogueOperand& o : c.operands) raw += o.kind == EpilogueOperand::Kind::PerElement;
  for (int id = 0; id <= result; ++id) {
    int alive = 0;
    for (int v = 0; v <= id; ++v) {
      const Instr& i = program[static_cast<size_t>(v)];
      const bool memory = i.op == Op::Constant || (i.op == Op::Load && c.operands[static_cast<size_t>(i.slot)].kind ==
                                                                           EpilogueOperand::Kind::PerChannel);
      alive += !memory && live[static_cast<size_t>(v)] && last_use[static_cast<size_t>(v)] >= id;
    }
    peak = std::max(peak, alive);
  }
  registers = std::max(peak - 1, 0) + raw + kScratch;
}

}  // namespace lapis::x86

namespace lapis::kernels {
namespace {

DType type_of(const std::vector<Instr>& previous, int arg) {
  return arg < 0 ? DType::Undefined : previous[static_cast<size_t>(arg)].type;
}

bool supported_cast(DType from, DType to) {
  if (from == to) return x86::is_int(to) || to == DType::Float32;
  if (from == DType::Float32) return x86::is_int(to);
  return x86::is_int(from) && (to == DType::Float32 || to == DType::Int32);
}

}  // namespace

namespace {

constexpr int kMostLoads = 8;       // a general register each
constexpr int kMostRegisters = 12;  // what a tile of one pixel leaves with 16 registers, whatever the row

// If every load were per element, so that lowering need not know yet which kind each will be.
bool fits_any_tile(const std::vector<Instr>& previous, const Instr& instr) {
  Contraction c;
  c.epilogue = previous;
  c.epilogue.push_back(instr);
  for (Instr& i : c.epilogue) {
    if (i.op != Op::Load) continue;
    i.slot = static_cast<int32_t>(c.operands.size());
    c.operands.push_back({EpilogueOperand::Kind::PerElement, {}, -1});
  }
  return static_cast<int>(c.operands.size()) <= kMostLoads &&
         x86::EpilogueAnalysis(c, nullptr).registers <= kMostRegisters;
}

}  // namespace

bool epilogue_supports(const Instr& instr, const std::vector<Instr>& previous) {
  if (!fits_any_tile(previous, instr)) return false;
  const DType type = instr.type, a = type_of(previous, instr.args[0]);
  const bool number = type == DType::Float32 || x86::is_int(type),
             wide = type == DType::Float32 || type == DType::Int32;
  switch (instr.op) {
    case Op::Accumulator: return wide;
    case Op::Load:
    case Op::Constant: return number;
    case Op::Cast: return supported_cast(a, type);
    case Op::Add:
    case Op::Sub:
    case Op::Mul: return wide;
    case Op::Min:
    case Op::Max:
    case Op::AtLeast:
    case Op::AtMost: return number;
    case Op::Div:
    case Op::Neg:
    case Op::Abs:
    case Op::Sqrt:
    case Op::Reciprocal:
    case Op::Floor:
    case Op::Ceil:
    case Op::RoundEven: return type == DType::Float32;
    case Op::Equal:
    case Op::Less:
    case Op::LessOrEqual: return a == DType::Float32 || x86::is_int(a);
    case Op::Select: return number && previous[static_cast<size_t>(instr.args[0])].op != Op::Constant;
    case Op::Quantize: return x86::is_byte(type) && a == DType::Float32;
    case Op::Dequantize: return type == DType::Float32 && x86::is_int(a);
    default: return false;
  }
}

bool epilogue_stores(DType dtype) { return dtype == DType::Float32 || x86::is_int(dtype); }

}  // namespace lapis::kernels
