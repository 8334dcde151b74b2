// Loads and stores of the epilogue: whole vectors, halves, packed quads of bytes, and their tails, which never touch a
// byte outside.
#include <algorithm>
#include <cmath>

#include "codegen/x86/epilogue.h"

namespace lapis::x86 {
namespace {

const Opmask kBytes(1), kLanes(2), kCondition(3);

uint32_t repeated(uint32_t element, int bits) {
  return bits == 8 ? (element & 0xFF) * 0x01010101u : (element & 0xFFFF) * 0x00010001u;
}

}  // namespace

int Epilogue::bytes_of_quad(int first, int width) const {
  return static_cast<int>(
      std::min<int64_t>(int64_t{width} * e_.lanes(), site_->block.channels - int64_t{first} * e_.lanes()));
}

bool Epilogue::partial_vector() const { return lanes_inside() < e_.lanes(); }

int Epilogue::lanes_inside() const {
  return static_cast<int>(std::min<int64_t>(e_.lanes(), site_->block.channels - int64_t{vector_} * e_.lanes()));
}

// The packs leave four channels of each of `width` vectors side by side in every 128-bit lane.
void Epilogue::to_memory_order(int bytes, int width) {
  const int quarters = e_.lanes() / 4, indices = allocate();
  std::vector<uint32_t> dwords(static_cast<size_t>(e_.lanes()), 0);
  for (int d = 0; d < width * quarters; ++d)
    dwords[static_cast<size_t>(d)] = static_cast<uint32_t>(4 * (d % quarters) + d / quarters);
  e_.vmovups(v(indices), e_.constant(dwords));
  e_.vpermd(v(bytes), v(indices), v(bytes));
  release(indices);
}

// The bytes that a quad's vectors share, where sums are in pack order. Others widen straight from memory.
void Epilogue::load_raw_bytes(int first) {
  for (int id = 0; id <= a_.result; ++id) {
    const Instr& i = instr(id);
    if (i.op != Op::Load || !a_.live[static_cast<size_t>(id)] || !is_quantized_storage(i.type)) continue;
    const auto operand = static_cast<size_t>(i.slot);
    if (c_.operands[operand].kind == EpilogueOperand::Kind::PerChannel || raw_[operand] >= 0) continue;
    const int to = raw_[operand] = allocate();
    load_bytes(site_->operands[operand], first * e_.lanes(), to, bytes_of_quad(first, blocking_.quad));
  }
}

void Epilogue::store(int first, int width, const std::vector<int>& results) {
  if (bytes_out_) return pack_and_store(first, width, results);
  const bool halves = c_.output.dtype == DType::BFloat16;
  for (vector_ = first; vector_ < first + width; ++vector_) {
    const int result = results[static_cast<size_t>(vector_ - first)];
    if (halves)
      store_halves(site_->output, vector_ * e_.vector_bytes() / 2, result);
    else
      store_words(site_->output, vector_ * e_.vector_bytes(), result);
  }
}

void Epilogue::pack_and_store(int first, int width, const std::vector<int>& results) {
  const auto zero = static_cast<int>(value(a_.result).pending);
  auto pack_words = [&](int a, int b) {
    e_.vpackssdw(v(a), v(a), v(b));
    if (zero) e_.vpaddsw(v(a), v(a), e_.constant(repeated(static_cast<uint32_t>(zero), 16)));
  };
  const int bytes = results[0];
  pack_words(results[0], results[width > 1 ? 1 : 0]);
  if (width > 2) pack_words(results[2], results[width > 3 ? 3 : 2]);
  const int upper = width > 2 ? results[2] : bytes;
  if (a_.stored() == DType::UInt8)
    e_.vpackuswb(v(bytes), v(bytes), v(upper));
  else
    e_.vpacksswb(v(bytes), v(bytes), v(upper));
  clip_bytes(v(bytes));
  if (a_.table >= 0) look_up(bytes);
  if (!blocking_.in_pack_order()) to_memory_order(bytes, width);
  store_bytes(site_->output, first * e_.lanes(), bytes, bytes_of_quad(first, width));
}

void Epilogue::clip_bytes(Vec bytes) {
  const bool is_signed = a_.stored() == DType::Int8;
  auto bound = [&](double value) { return e_.constant(repeated(static_cast<uint32_t>(static_cast<int>(value)), 8)); };
  if (std::isfinite(a_.clip_low))
    is_signed ? e_.vpmaxsb(bytes, bytes, bound(a_.clip_low)) : e_.vpmaxub(bytes, bytes, bound(a_.clip_low));
  if (std::isfinite(a_.clip_high))
    is_signed ? e_.vpminsb(bytes, bytes, bound(a_.clip_high)) : e_.vpminub(bytes, bytes, bound(a_.clip_high));
}

// ---- tables of bytes ----

void Epilogue::look_up(int bytes) { permutes_bytes_ ? permute_table(bytes) : shuffle_table(bytes); }

// Halves of the table are two vectors each; the highest bit chooses the half.
void Epilogue::permute_table(int bytes) {
  const Reg64 table = site_->operands[static_cast<size_t>(a_.table)];
  const int low = allocate(), high = allocate(), first = allocate();
  const auto zmm = [](int index) { return Xbyak::Zmm(index); };
  for (const auto& [to, at] : {std::pair{low, 0}, std::pair{high, 128}}) {
    e_.vmovups(v(first), e_.ptr[table + at]);
    e_.vmovaps(v(to), v(bytes));
    e_.vpermi2b(zmm(to), zmm(first), e_.ptr[table + at + 64]);
  }
  e_.vpmovb2m(kCondition, v(bytes));
  e_.vpblendmb(zmm(bytes) | kCondition, zmm(low), zmm(high));
  for (const int r : {first, high, low}) release(r);
}

// A row of 16 elements at a time: bytes of other rows get their highest bit set, for which vpshufb gives 0.
void Epilogue::shuffle_table(int bytes) {
  const Reg64 table = site_->operands[static_cast<size_t>(a_.table)];
  const int sum = allocate(), row = allocate(), index = allocate();
  for (uint32_t i = 0; i < 16; ++i) {
    const int to = i == 0 ? sum : row;
    e_.avx512() ? e_.vbroadcasti32x4(v(to), e_.ptr[table + 16 * i]) : e_.vbroadcasti128(v(to), e_.ptr[table + 16 * i]);
    if (i > 0) e_.vxorps(v(index), v(bytes), e_.constant(repeated(16 * i, 8)));
    e_.vpaddusb(v(index), v(i > 0 ? index : bytes), e_.constant(repeated(0x70, 8)));
    e_.vpshufb(v(to), v(to), v(index));
    if (i > 0) e_.vorps(v(sum), v(sum), v(row));
  }
  e_.vmovaps(v(bytes), v(sum));
  for (const int r : {index, row, sum}) release(r);
}

// ---- bytes ----

void Epilogue::load_bytes(const Reg64& base, int offset, int reg, int count) {
  const Xbyak::Address from = e_.ptr[base + offset];
  if (count == 64) return e_.vmovups(v(reg), from);
  if (count == 32) return e_.vmovups(Emitter::half(reg), from);
  if (count == 16) return e_.vmovups(Emitter::quarter(reg), from);
  if (e_.avx512()) return e_.vmovdqu8(v(reg) | kBytes | e_.T_z, from);
  if (count < 16) return e_.load_partial(reg, base + offset, count);
  const int upper = allocate();
  e_.load_partial(upper, base + offset + 16, count - 16);
  e_.vmovups(Emitter::quarter(reg), from);
  e_.vinserti128(Emitter::half(reg), Emitter::half(reg), Emitter::quarter(upper), 1);
  release(upper);
}

void Epilogue::store_bytes(const Reg64& base, int offset, int reg, int count) {
  const Xbyak::Address to = e_.ptr[base + offset];
  if (count == 64) return e_.vmovups(to, v(reg));
  if (count == 32) return e_.vmovups(to, Emitter::half(reg));
  if (count == 16) return e_.vmovups(to, Emitter::quarter(reg));
  if (e_.avx512()) return e_.vmovdqu8(to | kBytes, v(reg));
  if (count < 16) return e_.store_partial(base + offset, reg, count);
  e_.vmovups(to, Emitter::quarter(reg));
  e_.vextracti128(Emitter::quarter(reg), Emitter::half(reg), 1);
  e_.store_partial(base + offset + 16, reg, count - 16);
}

// ---- 32-bit elements, and bytes widened to them ----

// Lanes of the AVX2 mask that are inside.
static std::vector<uint32_t> lane_mask(int lanes, int64_t count) {
  std::vector<uint32_t> mask(static_cast<size_t>(lanes), 0);
  std::fill_n(mask.begin(), count, ~uint32_t{0});
  return mask;
}

void Epilogue::load_words(const Reg64& base, int offset, int reg) {
  const Xbyak::Address from = e_.ptr[base + offset];
  if (!partial_vector()) return e_.vmovups(v(reg), from);
  if (e_.avx512()) return e_.vmovups(v(reg) | kLanes | e_.T_z, from);
  e_.vmovups(v(reg), e_.constant(lane_mask(e_.lanes(), lanes_inside())));
  e_.vmaskmovps(v(reg), v(reg), from);
}

void Epilogue::store_words(const Reg64& base, int offset, int reg) {
  const Xbyak::Address to = e_.ptr[base + offset];
  if (!partial_vector()) return e_.vmovups(to, v(reg));
  if (e_.avx512()) return e_.vmovups(to | kLanes, v(reg));
  const int mask = allocate();
  e_.vmovups(v(mask), e_.constant(lane_mask(e_.lanes(), lanes_inside())));
  e_.vmaskmovps(to, v(mask), v(reg));
  release(mask);
}

// The upper halves of 32-bit lanes.
void Epilogue::load_halves(const Reg64& base, int offset, int reg) {
  const Xbyak::Address from = e_.ptr[base + offset];
  if (!partial_vector()) {
    e_.vpmovzxwd(v(reg), from);
  } else if (e_.avx512()) {
    e_.vpmovzxwd(v(reg) | kLanes | e_.T_z, from);
  } else {
    e_.load_partial(reg, base + offset, 2 * lanes_inside());
    e_.vpmovzxwd(v(reg), Emitter::quarter(reg));
  }
  e_.vpslld(v(reg), v(reg), 16);
}

void Epilogue::store_halves(const Reg64& base, int offset, int reg) {
  const Xbyak::Address to = e_.ptr[base + offset];
  e_.vpsrld(v(reg), v(reg), 16);
  if (e_.avx512()) {
    e_.vpmovdw(Emitter::half(reg), v(reg));
    return partial_vector() ? e_.vmovdqu16(to | kLanes, Emitter::half(reg)) : e_.vmovups(to, Emitter::half(reg));
  }
  constexpr uint8_t kLowQuarters = 0x08;  // of both lanes
  e_.vpackusdw(v(reg), v(reg), v(reg));
  e_.vpermq(v(reg), v(reg), kLowQuarters);
  if (!partial_vector()) return e_.vmovups(to, Emitter::quarter(reg));
  e_.store_partial(base + offset, reg, 2 * lanes_inside());
}

void Epilogue::load_widened(const Reg64& base, int offset, int reg, bool is_signed) {
  const Xbyak::Address from = e_.ptr[base + offset];
  const bool partial = partial_vector();
  if (partial && !e_.avx512()) {
    e_.load_partial(reg, base + offset, lanes_inside());
    is_signed ? e_.vpmovsxbd(v(reg), Emitter::quarter(reg)) : e_.vpmovzxbd(v(reg), Emitter::quarter(reg));
    return;
  }
  const Vec to = partial ? v(reg) | kLanes | e_.T_z : v(reg);
  is_signed ? e_.vpmovsxbd(to, from) : e_.vpmovzxbd(to, from);
}

}  // namespace lapis::x86
