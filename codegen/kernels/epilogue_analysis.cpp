#include "codegen/kernels/epilogue_analysis.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "codegen/kernels/schedule.h"
#include "codegen/scalar/ops.h"
#include "codegen/scalar/program.h"

namespace lapis::kernels {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr Interval kAnything{-kInfinity, kInfinity};

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
      if (i.type == DType::BFloat16) return kAnything;  // may round to infinity
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

// Bounds that say no more about numbers than their signs and the magnitude of the largest.
static Interval magnitude_of(Interval range) {
  constexpr int kLeastExponent = -2;  // where the product with any sum of 32 bits still converts to one
  const double largest = std::max(-range.low, range.high);
  const double bound = std::ldexp(1, std::max(largest > 0 ? std::ilogb(largest) + 1 : kLeastExponent, kLeastExponent));
  return {range.low < 0 ? -bound : 0, range.high > 0 ? bound : 0};
}

Interval per_channel_range(const View& view, const Plan& plan) {
  const auto offset = static_cast<size_t>(plan.buffers[static_cast<size_t>(view.buffer)].offset);
  if (view.dtype == DType::BFloat16) return kAnything;
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
  return range.finite() ? magnitude_of(range) : kAnything;
}

bool Interval::finite() const { return low > -kInfinity && high < kInfinity; }

EpilogueAnalysis::EpilogueAnalysis(const Contraction& c, const Plan* plan)
    : EpilogueAnalysis(c, plan, scalar::expand(c.epilogue)) {}

EpilogueAnalysis::EpilogueAnalysis(const Contraction& c, const Plan* plan, scalar::Expansion expansion)
    : program(std::move(expansion.body)), result(expansion.ids.back()), functions(scalar::has_functions(c.epilogue)) {
  forward_bits();
  if (functions) {
    program = scalar::in_order_of_need(program, result);
    result = static_cast<int>(program.size()) - 1;
  }
  take_table();
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

// A table at the end replaces bytes that are packed already.
void EpilogueAnalysis::take_table() {
  const Instr& last = program[static_cast<size_t>(result)];
  if (last.op != Op::Table) return;
  table = last.slot;
  result = last.args[0];
}

static bool ignores_types(const Instr& i) {
  const scalar::Kind kind = scalar::row_of(i.op).kind;
  return kind == scalar::Kind::Arithmetic;
}

// A register is a register: arithmetic reads bits under any name,
// only conversions and comparisons ask for the operand's type.
void EpilogueAnalysis::forward_bits() {
  for (Instr& i : program)
    for (int32_t& arg : i.args)
      while (arg >= 0 && ignores_types(i) && program[static_cast<size_t>(arg)].op == Op::Bits)
        arg = program[static_cast<size_t>(arg)].args[0];
}

// A minimum, maximum or bound of a variable by a constant number.
struct Clip {
  Op op;
  int variable;
  double bound;
};

static bool is_number(const Instr& i) { return i.op == Op::Constant && !std::isnan(i.imm.as_double()); }

static std::optional<Clip> clip_of(const std::vector<Instr>& program, int id) {
  const Instr& i = program[static_cast<size_t>(id)];
  const bool ordered = i.op == Op::AtLeast || i.op == Op::AtMost;  // the second operand is the bound
  if (!ordered && i.op != Op::Min && i.op != Op::Max) return std::nullopt;
  const Instr &a = program[static_cast<size_t>(i.args[0])], &b = program[static_cast<size_t>(i.args[1])];
  if (is_number(b)) return Clip{i.op, i.args[0], b.imm.as_double()};
  if (!ordered && is_number(a)) return Clip{i.op, i.args[1], a.imm.as_double()};
  return std::nullopt;
}

// Stored bytes: strips  Min/Max(q, constant)  and, because rounding is monotone,  Quantize(Min/Max(x, constant))  into
// one clip.
void EpilogueAnalysis::move_clips() {
  clip_low = -kInfinity;
  clip_high = kInfinity;
  const Interval type = of_type(stored());
  if (!is_quantized_storage(stored())) return;
  auto at = [&](int id) -> Instr& { return program[static_cast<size_t>(id)]; };
  auto prepend = [&](Op op, double bound) {  // the clip found so far comes after this one
    if (op == Op::Max || op == Op::AtLeast)
      clip_low = std::max(clip_low, bound);
    else
      clip_high = std::min(clip_high, std::max(bound, clip_low));
  };
  for (;;) {
    const Instr& i = at(result);
    const bool converts_nothing = i.op == Op::Cast && at(i.args[0]).type == i.type;
    const std::optional<Clip> clip = clip_of(program, result);
    if (!converts_nothing && !clip) break;
    if (clip) prepend(clip->op, clip->bound);
    result = clip ? clip->variable : i.args[0];
  }
  for (Instr& quantize = at(result); quantize.op == Op::Quantize;) {
    const std::optional<Clip> clip = clip_of(program, quantize.args[0]);
    if (!clip || !range[static_cast<size_t>(clip->variable)].finite()) break;
    prepend(clip->op, quantized_constant(quantize, clip->bound));
    quantize.args[0] = clip->variable;
  }
  if (clip_low <= type.low) clip_low = -kInfinity;
  if (clip_high >= type.high) clip_high = kInfinity;
}

void EpilogueAnalysis::fuse_sum() {
  auto at = [&](int id) -> const Instr& { return program[static_cast<size_t>(id)]; };
  Instr& quantize = program[static_cast<size_t>(result)];
  if (quantize.op != Op::Quantize || at(quantize.args[0]).op != Op::Add) return;
  const Instr &a = at(at(quantize.args[0]).args[0]), &b = at(at(quantize.args[0]).args[1]);
  if (a.op != Op::Dequantize || b.op != Op::Dequantize || a.args[0] == b.args[0]) return;
  if (!is_quantized_storage(at(a.args[0]).type) || !is_quantized_storage(at(b.args[0]).type)) return;
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
  find_comparisons();
  for (int id = result; id >= 0; --id) {
    if (!live[static_cast<size_t>(id)]) continue;
    const bool later = in_select[static_cast<size_t>(id)];  // its operands are read by the Select
    for (const int arg : program[static_cast<size_t>(id)].args) {
      if (arg < 0) continue;
      live[static_cast<size_t>(arg)] = true;
      const int use = later ? last_use[static_cast<size_t>(id)] : id;
      last_use[static_cast<size_t>(arg)] = std::max(last_use[static_cast<size_t>(arg)], use);
    }
  }
}

void EpilogueAnalysis::find_comparisons() {
  std::vector<int> readers(program.size(), 0), selects(program.size(), 0);
  for (const Instr& i : program)
    for (size_t a = 0; a < i.args.size(); ++a) {
      if (i.args[a] < 0) continue;
      ++readers[static_cast<size_t>(i.args[a])];
      selects[static_cast<size_t>(i.args[a])] += i.op == Op::Select && a == 0;
    }
  in_select.assign(program.size(), false);
  for (size_t id = 0; functions && id < program.size(); ++id) {
    const Instr& i = program[id];
    const bool compares = scalar::row_of(i.op).kind == scalar::Kind::Comparison &&
                          program[static_cast<size_t>(i.args[0])].type == DType::Float32;
    in_select[id] = compares && readers[id] == 1 && selects[id] == 1;
  }
}

// What takes a register while it is alive: constants and parameters are memory operands,
// masks of Selects are made there.
bool EpilogueAnalysis::in_register(int id, const Contraction& c) const {
  const Instr& i = program[static_cast<size_t>(id)];
  const bool memory = i.op == Op::Constant || (i.op == Op::Load && c.operands[static_cast<size_t>(i.slot)].kind ==
                                                                       EpilogueOperand::Kind::PerChannel);
  return !memory && !in_select[static_cast<size_t>(id)];
}

// Operands of `id` that are in registers and die there.
int EpilogueAnalysis::dying(int id, const Contraction& c) const {
  std::array<int32_t, 12> read;  // its own and those of comparisons that it makes
  auto end = read.begin();
  const auto note = [&](int32_t arg) {
    if (arg >= 0 && std::find(read.begin(), end, arg) == end) *end++ = arg;
  };
  for (const int32_t arg : program[static_cast<size_t>(id)].args) {
    note(arg);
    if (arg >= 0 && in_select[static_cast<size_t>(arg)])
      std::ranges::for_each(program[static_cast<size_t>(arg)].args, note);
  }
  return static_cast<int>(std::count_if(
      read.begin(), end, [&](int32_t arg) { return in_register(arg, c) && last_use[static_cast<size_t>(arg)] == id; }));
}

// The most registers that an instruction takes besides its operands: for the result, for operands that come from
// memory, for what it needs on the way.
int EpilogueAnalysis::scratch(int id, const Contraction& c) const {
  const Instr& i = program[static_cast<size_t>(id)];
  int count = dying(id, c) > 0 ? 0 : 1;
  for (const int32_t arg : i.args) {
    if (arg < 0) continue;
    if (in_select[static_cast<size_t>(arg)]) count += scratch(arg, c);
    count += !in_register(arg, c);
  }
  constexpr int kOfConversion = 3;
  if (i.op == Op::Quantize || i.op == Op::Cast) return count + kOfConversion;
  return count + (i.op == Op::Min || i.op == Op::Max || i.op == Op::Reciprocal);
}

void EpilogueAnalysis::count_registers(const Contraction& c) {
  constexpr int kScratch = 3;  // a constant that must sit in a register, a mask or quotient, the pack
  std::set<int32_t> raw;
  int alive = 0, during = 0, between = 0, most_scratch = kScratch;
  for (int id = 0; id <= result; ++id) {
    if (!live[static_cast<size_t>(id)]) continue;
    const Instr& i = program[static_cast<size_t>(id)];
    if (i.op == Op::Load && in_register(id, c)) raw.insert(i.slot);
    alive += in_register(id, c);
    during = std::max(during, alive);
    alive -= in_select[static_cast<size_t>(id)] ? 0 : dying(id, c);
    between = std::max(between, alive);
    if (functions) most_scratch = std::max(most_scratch, scratch(id, c));
  }
  values = std::max(functions ? between : during, 1);
  shared = static_cast<int>(raw.size()) + most_scratch;
}

namespace {

constexpr int kMostLoads = 8;       // a general register each
constexpr int kMostRegisters = 12;  // what a tile of one pixel leaves with 16 registers, whatever the row

}  // namespace

// As if every load were per element, so that lowering need not know yet which kind each will be.
bool epilogue_supports(const std::vector<Instr>& program) {
  Contraction c;
  c.epilogue = program;
  for (Instr& i : c.epilogue) {
    if (!scalar::reads_view(i.op)) continue;
    const bool table = i.op == Op::Table;
    i.slot = static_cast<int32_t>(c.operands.size());
    c.operands.push_back({table ? EpilogueOperand::Kind::Table : EpilogueOperand::Kind::PerElement, {}, -1});
  }
  scalar::Expansion expansion = scalar::expand(c.epilogue);
  for (const Instr& i : expansion.body) {
    const bool last = &i == &expansion.body[static_cast<size_t>(expansion.ids.back())];
    if (!scalar::fits_epilogue(i, scalar::operand_types(i, expansion.body)) || (i.op == Op::Table && !last))
      return false;
  }
  return static_cast<int>(c.operands.size()) <= kMostLoads &&
         EpilogueAnalysis(c, nullptr, std::move(expansion)).registers() <= kMostRegisters;
}

bool epilogue_stores(DType dtype) {
  return dtype == DType::Float32 || dtype == DType::BFloat16 || dtype == DType::Int32 || is_quantized_storage(dtype);
}

}  // namespace lapis::kernels
