#include "codegen/x86/epilogue.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "codegen/scalar/ops.h"

namespace lapis::x86 {
namespace {

constexpr uint32_t kSign = 0x80000000u;
const Opmask kBytes(1), kLanes(2), kCondition(3);
constexpr int kUnordered = 3, kOrdered = 7, kEqual = 0, kLess = 17, kLessOrEqual = 18,
              kNotLess = 29;                         // predicates of vcmpps, quiet
constexpr int kNearest = 8, kFloor = 9, kCeil = 10;  // vroundps, inexact suppressed
bool per_element(const EpilogueOperand& o) { return o.kind == EpilogueOperand::Kind::PerElement; }

uint8_t predicate_of(Op op) {
  switch (op) {
    case Op::Equal: return kEqual;
    case Op::Less: return kLess;
    case Op::LessOrEqual: return kLessOrEqual;
    default: return kUnordered;
  }
}

}  // namespace

Epilogue::Epilogue(Emitter& emitter, const Contraction& c, const Plan& plan, const kernels::Blocking& blocking)
    : e_(emitter),
      c_(c),
      blocking_(blocking),
      a_(c, &plan),
      bytes_out_(is_quantized_storage(c.output.dtype)),
      permutes_bytes_(emitter.avx512() && plan.target.has(Isa::Avx512Vbmi)) {
  int row = 1;  // 0 is the bias
  for (const EpilogueOperand& o : c.operands)
    param_row_.push_back(o.kind == EpilogueOperand::Kind::PerChannel ? row++ : 0);
}

void Epilogue::set_masks(const kernels::Block& block, Reg64 scratch) {
  if (!e_.avx512()) return;
  const int last = blocking_.quad_first(block.nr - 1);
  const auto bytes = static_cast<int>(block.channels) - last * e_.lanes();
  const auto words = static_cast<int>(block.channels) - (block.nr - 1) * e_.lanes();
  e_.mov(scratch, ~uint64_t{0} >> (64 - bytes));
  e_.kmovq(kBytes, scratch);
  if (words <= 0) return;  // whole vectors of the quad are outside: only bytes are stored
  e_.mov(scratch, ~uint64_t{0} >> (64 - words));
  e_.kmovq(kLanes, scratch);
}

void Epilogue::pixel(const Site& site, std::vector<int>& free) {
  site_ = &site;
  free_ = &free;
  const int most = together();
  for (int first = 0, width = 0; first < site.block.nr; first += width) {
    // A quad, or vectors that are stored one by one.
    width = blocking_.quad > 1 ? blocking_.quad_width(site.block, first) : std::min(most, site.block.nr - first);
    raw_.assign(c_.operands.size(), -1);
    if (blocking_.in_pack_order()) load_raw_bytes(first);
    std::vector<int> results;
    for (int done = 0; done < width; done += most) compute_vectors(first + done, std::min(most, width - done), results);
    if (blocking_.quad > 1) {
      store(first, width, results);
    } else {
      for (int i = 0; i < width; ++i) store(first + i, 1, {results[static_cast<size_t>(i)]});
    }
    for (const int r : results) release(r);
    for (const int r : raw_)
      if (r >= 0) release(r);
  }
}

// Vectors whose instructions are interleaved, so that the chain of a function does not wait for itself.
int Epilogue::together() const {
  constexpr int kMost = 4;
  if (!a_.functions) return 1;
  const int waiting = blocking_.quad - 1, each = site_->spilled ? a_.values : std::max(a_.values - 1, 1);
  return std::clamp((static_cast<int>(free_->size()) - a_.shared - waiting) / each, 1, kMost);
}

void Epilogue::compute_vectors(int first, int count, std::vector<int>& results) {
  values_.assign(static_cast<size_t>(count), std::vector<Value>(a_.program.size()));
  for (int id = 0; id <= a_.result; ++id)
    for (current_ = 0; current_ < count; ++current_) {
      vector_ = first + current_;
      if (a_.live[static_cast<size_t>(id)]) compute(id);
    }
  for (current_ = 0; current_ < count; ++current_) results.push_back(result_register());
  current_ = 0;
}

int Epilogue::result_register() {
  if (value(a_.result).kind == Value::Kind::Register) return value(a_.result).reg;
  const int r = allocate();
  e_.vmovups(v(r), value(a_.result).memory);
  return r;
}

// ---- registers ----

int Epilogue::allocate() {
  LAPIS_ASSERT(!free_->empty(), "the epilogue of '" << c_.name << "' needs more registers than count_registers said");
  const int r = free_->back();
  free_->pop_back();
  return r;
}

int Epilogue::borrow() { return borrowed_.emplace_back(allocate()); }

void Epilogue::release_dead(int id, int at) {
  for (const int arg : instr(id).args) {
    if (arg < 0 || a_.last_use[static_cast<size_t>(arg)] != at || arg == at) continue;
    if (value(arg).owned) release(value(arg).reg);
    value(arg) = {};
  }
}

int Epilogue::reg(int id) {
  Value& x = value(id);
  if (x.kind == Value::Kind::Memory) {
    const int r = borrow();
    e_.vmovups(v(r), x.memory);
    return r;
  }
  if (x.pending) e_.vpaddd(v(x.reg), v(x.reg), e_.constant(static_cast<uint32_t>(x.pending)));
  x.pending = 0;
  return x.reg;
}

const Xbyak::Operand& Epilogue::operand(int id) {
  if (value(id).kind == Value::Kind::Memory) return value(id).memory;
  held_ = v(reg(id));
  return held_;
}

int Epilogue::destination(int id) {
  for (const int arg : instr(id).args) {
    if (arg < 0 || a_.last_use[static_cast<size_t>(arg)] != id || !value(arg).owned) continue;
    value(arg).owned = false;
    return value(arg).reg;
  }
  return allocate();
}

// ---- one vector ----

void Epilogue::compute(int id) {
  const Instr& i = instr(id);
  switch (i.op) {
    case Op::Accumulator: accumulator(id); break;
    case Op::Constant:
    case Op::Load: load(id); break;
    case Op::Cast: cast(id); break;
    case Op::Min:
    case Op::Max:
    case Op::AtLeast:
    case Op::AtMost: min_max(id); break;
    case Op::Equal:
    case Op::Less:
    case Op::LessOrEqual:
    case Op::IsNaN: compare(id); break;
    case Op::Bits: copy(id); break;
    case Op::MultiplyAdd: multiply_add(id); break;
    case Op::ShiftLeft:
    case Op::ShiftRight: shift(id); break;
    case Op::And:
    case Op::Or:
    case Op::Xor:
    case Op::Not: bitwise(id); break;
    case Op::Select: select(id); break;
    case Op::Quantize: quantize(id); break;
    case Op::Dequantize: dequantize(id); break;
    default: arithmetic(id); break;
  }
  release_dead(id, id);
  for (const int r : borrowed_) release(r);
  borrowed_.clear();
}

void Epilogue::accumulator(int id) {
  const int sum = site_->sums[static_cast<size_t>(vector_)];
  if (!site_->spilled) return define(id, sum);
  const int to = allocate();
  e_.vmovups(v(to), e_.vector_slot(sum));
  define(id, to);
}

void Epilogue::load(int id) {
  const Instr& i = instr(id);
  if (i.op == Op::Constant) {
    const uint32_t word = is_float(i.type) ? std::bit_cast<uint32_t>(static_cast<float>(i.imm.as_double()))
                                           : static_cast<uint32_t>(i.imm.as_int());
    value(id) = {Value::Kind::Memory, -1, e_.constant(word)};
  } else if (c_.operands[static_cast<size_t>(i.slot)].kind == EpilogueOperand::Kind::PerPixel) {
    const int to = allocate();
    define(id, to);
    e_.vpbroadcastd(v(to), e_.ptr[site_->operands[static_cast<size_t>(i.slot)]]);
  } else if (!per_element(c_.operands[static_cast<size_t>(i.slot)])) {
    const int row = param_row_[static_cast<size_t>(i.slot)];
    value(id) = {Value::Kind::Memory, -1,
                 e_.ptr[site_->params + (row * site_->block.nr + vector_) * e_.vector_bytes()]};
  } else {
    load_element(id);
  }
}

void Epilogue::load_element(int id) {
  const Instr& i = instr(id);
  const auto operand = static_cast<size_t>(i.slot);
  const int to = allocate();
  define(id, to);
  if (i.type == DType::BFloat16) return load_halves(site_->operands[operand], vector_ * e_.vector_bytes() / 2, to);
  if (!is_quantized_storage(i.type)) return load_words(site_->operands[operand], vector_ * e_.vector_bytes(), to);
  const bool is_signed = i.type == DType::Int8;
  if (raw_[operand] < 0) return load_widened(site_->operands[operand], vector_ * e_.lanes(), to, is_signed);
  std::vector<uint32_t> shuffle;  // byte 4u + k of each 128-bit lane to the low (or, signed, high) byte of its dword k
  for (int k = 0; k < 4; ++k) {
    const auto byte = static_cast<uint32_t>(4 * (vector_ - blocking_.quad_first(vector_)) + k);
    shuffle.push_back(is_signed ? byte << 24 | 0x808080u : byte | 0x80808000u);
  }
  e_.vpshufb(v(to), v(raw_[operand]), e_.constant(shuffle));
  if (is_signed) e_.vpsrad(v(to), v(to), 24);
}

void Epilogue::cast(int id) {
  const Instr& i = instr(id);
  const int arg = i.args[0];
  const DType from = instr(arg).type;
  if (i.type == DType::BFloat16 && from != i.type) return to_half(id);
  if (from == DType::Float32 && is_integer(i.type)) return to_integer(id);
  if (is_integer(from) && i.type == DType::Float32) {
    const Xbyak::Operand& x = operand(arg);
    const int to = destination(id);
    e_.vcvtdq2ps(v(to), x);
    return define(id, to);
  }
  copy(id);
}

void Epilogue::to_integer(int id) {
  const Instr& i = instr(id);
  const int arg = i.args[0], x = reg(arg), to = allocate();
  int number = x;
  if (!finite(arg)) zero_nan(number = to, x);
  if (i.type == DType::Int32) {
    const int limit = borrow();  // 0x80000000 of too large a number becomes 0x7fffffff
    e_.vmovups(v(limit), e_.constant_float(0x1p31f));
    if (e_.avx512()) {
      e_.vcmpps(kCondition, v(number), v(limit), kNotLess);
      e_.vpmovm2d(v(limit), kCondition);
    } else {
      e_.vcmpps(v(limit), v(number), v(limit), kNotLess);
    }
    e_.vcvttps2dq(v(to), v(number));
    e_.vxorps(v(to), v(to), v(limit));
  } else {
    const IntegerRange range = integer_range(i.type);
    e_.vminps(v(to), v(number), e_.constant_float(static_cast<float>(range.highest)));
    e_.vcvttps2dq(v(to), v(to));
    e_.vpmaxsd(v(to), v(to), e_.constant(static_cast<uint32_t>(range.lowest)));
  }
  define(id, to);
}

// The upper half of x plus what carries into it: ties go to the even one, NaN stays NaN.
// vcvtneps2bf16 would flush subnormal numbers.
void Epilogue::to_half(int id) {
  constexpr uint32_t kUpper = 0xFFFF0000, kBelowTie = 0x7FFF, kQuiet = 0x00400000;
  const int arg = instr(id).args[0], x = reg(arg), to = allocate();
  e_.vpsrld(v(to), v(x), 16);
  e_.vandps(v(to), v(to), e_.constant(1));
  e_.vpaddd(v(to), v(to), e_.constant(kBelowTie));
  e_.vpaddd(v(to), v(to), v(x));
  if (!finite(arg)) {
    const int quiet = borrow();
    e_.vorps(v(quiet), v(x), e_.constant(kQuiet));
    if (e_.avx512()) {
      e_.vcmpps(kCondition, v(x), v(x), kUnordered);
      e_.vmovaps(v(to) | kCondition, v(quiet));
    } else {
      const int mask = borrow();
      e_.vcmpps(v(mask), v(x), v(x), kUnordered);
      e_.vblendvps(v(to), v(to), v(quiet), v(mask));
    }
  }
  e_.vandps(v(to), v(to), e_.constant(kUpper));
  define(id, to);
}

void Epilogue::copy(int id) {
  const Xbyak::Operand& x = operand(instr(id).args[0]);
  const int to = destination(id);
  if (!x.isREG() || x.getIdx() != to) e_.vmovups(v(to), x);
  define(id, to);
}

// Overwrites the addend or a factor that nobody needs any more, in the form of the instruction that does so.
void Epilogue::multiply_add(int id) {
  int x = instr(id).args[0], y = instr(id).args[1];
  const int z = instr(id).args[2];
  if (is_memory(x) || (!dies(x, id) && dies(y, id))) std::swap(x, y);
  const bool into_factor = !dies(z, id) && dies(x, id) && !(is_memory(y) && is_memory(z));
  if (into_factor) {
    const int b = is_memory(y) ? -1 : reg(y), c = is_memory(z) ? -1 : reg(z);
    const int to = value(x).reg;
    value(x).owned = false;
    b >= 0 ? e_.vfmadd213ps(v(to), v(b), operand(z)) : e_.vfmadd132ps(v(to), v(c), operand(y));
    return define(id, to);
  }
  const int a = reg(x);
  const bool over_addend = dies(z, id);
  const int to = over_addend ? value(z).reg : allocate();
  if (over_addend)
    value(z).owned = false;
  else
    e_.vmovups(v(to), operand(z));
  e_.vfmadd231ps(v(to), v(a), operand(y));
  define(id, to);
}

void Epilogue::bitwise(int id) {
  const Instr& i = instr(id);
  int first = i.args[0], second = i.args[1];
  if (second >= 0 && is_memory(first)) std::swap(first, second);
  const int a = reg(first);
  const Xbyak::Operand& b = second >= 0 ? operand(second) : held_;
  const int to = destination(id);
  switch (i.op) {
    case Op::And: e_.vandps(v(to), v(a), b); break;
    case Op::Or: e_.vorps(v(to), v(a), b); break;
    case Op::Xor: e_.vxorps(v(to), v(a), b); break;
    default: e_.vxorps(v(to), v(a), e_.constant(~uint32_t{0})); break;
  }
  define(id, to);
}

void Epilogue::shift(int id) {
  const Instr& i = instr(id);
  const auto by = static_cast<uint8_t>(i.imm.as_int());
  const int a = reg(i.args[0]);
  const int to = destination(id);
  i.op == Op::ShiftLeft ? e_.vpslld(v(to), v(a), by) : e_.vpsrad(v(to), v(a), by);
  define(id, to);
}

void Epilogue::arithmetic(int id) {
  const Instr& i = instr(id);
  const bool integer = i.type != DType::Float32;
  if (i.op == Op::Reciprocal) {
    const int one = borrow();
    e_.vmovups(v(one), e_.constant_float(1));
    const Xbyak::Operand& x = operand(i.args[0]);
    const int to = destination(id);
    e_.vdivps(v(to), v(one), x);
    return define(id, to);
  }
  int first = i.args[0], second = i.args[1];
  if ((i.op == Op::Add || i.op == Op::Mul) && value(first).kind == Value::Kind::Memory) std::swap(first, second);
  const int a = reg(first);
  const Xbyak::Operand& b = second >= 0 ? operand(second) : held_;
  const int to = destination(id);
  switch (i.op) {
    case Op::Add: integer ? e_.vpaddd(v(to), v(a), b) : e_.vaddps(v(to), v(a), b); break;
    case Op::Sub: integer ? e_.vpsubd(v(to), v(a), b) : e_.vsubps(v(to), v(a), b); break;
    case Op::Mul: integer ? e_.vpmulld(v(to), v(a), b) : e_.vmulps(v(to), v(a), b); break;
    case Op::Div: e_.vdivps(v(to), v(a), b); break;
    case Op::Neg: e_.vxorps(v(to), v(a), e_.constant(kSign)); break;
    case Op::Abs: e_.vandps(v(to), v(a), e_.constant(~kSign)); break;
    case Op::Sqrt: e_.vsqrtps(v(to), v(a)); break;
    case Op::RoundEven:
    case Op::Floor:
    case Op::Ceil: {
      const auto mode = static_cast<uint8_t>(i.op == Op::RoundEven ? kNearest : i.op == Op::Floor ? kFloor : kCeil);
      e_.avx512() ? e_.vrndscaleps(v(to), v(a), mode) : e_.vroundps(v(to), v(a), mode);
      break;
    }
    default: LAPIS_ASSERT(false, "'" << scalar::row_of(i.op).name << "' is not an epilogue instruction");
  }
  define(id, to);
}

// x, and 0 where it is NaN.
void Epilogue::zero_nan(int to, int x) {
  if (e_.avx512()) {
    e_.vcmpps(kCondition, v(x), v(x), kOrdered);
    e_.vmovaps(v(to) | kCondition | e_.T_z, v(x));
  } else {
    e_.vcmpps(v(to), v(x), v(x), kOrdered);
    e_.vandps(v(to), v(to), v(x));
  }
}

void Epilogue::min_max(int id) {
  const Instr& i = instr(id);
  const bool largest = i.op == Op::Max || i.op == Op::AtLeast;
  if (i.type != DType::Float32) return integer_extreme(id, largest);
  if (i.op == Op::AtLeast || i.op == Op::AtMost) return bound(id, i.args[0], i.args[1], largest);
  for (const bool swapped : {false, true}) {
    const int x = i.args[swapped ? 1 : 0], limit = i.args[swapped ? 0 : 1];
    const double value = instr(limit).op == Op::Constant ? instr(limit).imm.as_double() : NAN;
    // A number other than zero, or the zero that yields to the other one, leaves of x what has to be left.
    if (value < 0 || value > 0 || (value == 0 && std::signbit(value) == largest)) return bound(id, x, limit, largest);
  }
  extreme(id, largest);
}

void Epilogue::integer_extreme(int id, bool largest) {
  int first = instr(id).args[0], second = instr(id).args[1];
  if (value(first).kind == Value::Kind::Memory) std::swap(first, second);
  const int a = reg(first);
  const Xbyak::Operand& b = operand(second);
  const int to = destination(id);
  largest ? e_.vpmaxsd(v(to), v(a), b) : e_.vpminsd(v(to), v(a), b);
  define(id, to);
}

// vminps and vmaxps give their second source where either is NaN or both are zero, so the limit goes first: unless
// there can be neither.
void Epilogue::bound(int id, int x, int limit, bool largest) {
  const Instr& l = instr(limit);
  const bool any_order = finite(x) && l.op == Op::Constant && l.imm.as_double() != 0 && finite(limit);
  const int a = reg(any_order ? x : limit);
  const Xbyak::Operand& b = operand(any_order ? limit : x);
  const int to = destination(id);
  largest ? e_.vmaxps(v(to), v(a), b) : e_.vminps(v(to), v(a), b);
  define(id, to);
}

// In both orders, which differ where the operands are zeros or NaN: "and" and "or" choose among zeros, all bits set are
// a NaN.
void Epilogue::extreme(int id, bool largest) {
  const int a = reg(instr(id).args[0]), b = reg(instr(id).args[1]), to = allocate(), other = borrow();
  if (largest) {
    e_.vmaxps(v(to), v(a), v(b));
    e_.vmaxps(v(other), v(b), v(a));
    e_.vandps(v(to), v(to), v(other));
  } else {
    e_.vminps(v(to), v(a), v(b));
    e_.vminps(v(other), v(b), v(a));
    e_.vorps(v(to), v(to), v(other));
  }
  if (e_.avx512()) {
    e_.vcmpps(kCondition, v(a), v(b), kUnordered);
    e_.vpmovm2d(v(other), kCondition);
  } else {
    e_.vcmpps(v(other), v(a), v(b), kUnordered);
  }
  e_.vorps(v(to), v(to), v(other));
  define(id, to);
}

void Epilogue::compare(int id) {
  if (a_.in_select[static_cast<size_t>(id)]) return;
  const Instr& i = instr(id);
  const bool is_float = instr(i.args[0]).type == DType::Float32;
  const int a = reg(i.args[0]), b = i.op == Op::IsNaN ? a : reg(i.args[1]);
  const int to = destination(id);
  const auto predicate = predicate_of(i.op);
  if (e_.avx512()) {
    is_float ? e_.vcmpps(kCondition, v(a), v(b), predicate) : e_.vpcmpd(kCondition, v(a), v(b), predicate & 3);
    e_.vpmovm2d(v(to), kCondition);
  } else if (is_float) {
    e_.vcmpps(v(to), v(a), v(b), predicate);
  } else if (i.op == Op::Equal) {
    e_.vpcmpeqd(v(to), v(a), v(b));
  } else if (i.op == Op::Less) {
    e_.vpcmpgtd(v(to), v(b), v(a));
  } else {
    e_.vpcmpgtd(v(to), v(a), v(b));
    e_.vxorps(v(to), v(to), e_.constant(~uint32_t{0}));
  }
  define(id, to);
}

// A comparison as the mask that a blend takes: in kCondition, or in a register.
int Epilogue::condition(int id) {
  const Instr& i = instr(id);
  if (!a_.in_select[static_cast<size_t>(id)]) {
    const int mask = reg(id);
    if (e_.avx512()) e_.vpmovd2m(kCondition, v(mask));
    return mask;
  }
  const auto predicate = predicate_of(i.op);
  const int a = reg(i.args[0]);
  const Xbyak::Operand& b = operand(i.args[i.op == Op::IsNaN ? 0 : 1]);
  if (e_.avx512()) {
    e_.vcmpps(kCondition, v(a), b, predicate);
    return -1;
  }
  const int mask = borrow();
  e_.vcmpps(v(mask), v(a), b, predicate);
  return mask;
}

void Epilogue::select(int id) {
  const Instr& i = instr(id);
  const int mask = condition(i.args[0]), no = reg(i.args[2]);
  const Xbyak::Operand& yes = operand(i.args[1]);
  const int to = destination(id);
  if (e_.avx512())
    e_.vblendmps(v(to) | kCondition, v(no), yes);
  else
    e_.vblendvps(v(to), v(no), yes, v(mask));
  define(id, to);
  if (a_.in_select[static_cast<size_t>(i.args[0])]) release_dead(i.args[0], id);
}

}  // namespace lapis::x86
