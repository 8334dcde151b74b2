#include "codegen/x86/emitter.h"

#include <bit>
#include <cstring>

namespace lapis::x86 {
namespace {

constexpr int kCalleeSaved[] = {Xbyak::Operand::RBX, Xbyak::Operand::RBP, Xbyak::Operand::R12,
                                Xbyak::Operand::R13, Xbyak::Operand::R14, Xbyak::Operand::R15};

constexpr int kCacheLine = 64;

}  // namespace

Emitter::Emitter(int lanes) : CodeGenerator(1 << 14, Xbyak::AutoGrow), lanes_(lanes) {}

Label& Emitter::data(std::vector<uint32_t> words) {
  auto& entry = pool_[std::move(words)];
  if (!entry) entry = std::make_unique<Label>();
  return *entry;
}

Label& Emitter::table(const std::vector<int32_t>& words) { return data({words.begin(), words.end()}); }

Xbyak::Address Emitter::constant(const std::vector<uint32_t>& pattern) {
  std::vector<uint32_t> words;
  for (int i = 0; i < lanes_; ++i) words.push_back(pattern[static_cast<size_t>(i) % pattern.size()]);
  return ptr[rip + data(std::move(words))];
}

Xbyak::Address Emitter::constant_float(float value) { return constant(std::bit_cast<uint32_t>(value)); }

void Emitter::enter(int slots, int vectors) {
  for (const int r : kCalleeSaved) push(Reg64(r));
  frame_bytes_ = slots * 8;
  if (vectors == 0) return sub(rsp, frame_bytes_);
  saved_stack_ = slots;
  vectors_at_ = (frame_bytes_ + 8 + kCacheLine - 1) / kCacheLine * kCacheLine;
  mov(rax, rsp);
  sub(rsp, vectors_at_ + vectors * vector_bytes());
  and_(rsp, -kCacheLine);
  mov(slot(saved_stack_), rax);
}

void Emitter::leave() {
  if (saved_stack_ >= 0)
    mov(rsp, slot(saved_stack_));
  else
    add(rsp, frame_bytes_);
  for (size_t i = std::size(kCalleeSaved); i-- > 0;) pop(Reg64(kCalleeSaved[i]));
  vzeroupper();
  ret();
}

void Emitter::load_partial(int reg, const Xbyak::RegExp& from, int count) {
  const Xbyak::Xmm x = quarter(reg);
  vpxor(x, x, x);
  for (int at = 0; at < count;) {
    const Xbyak::Address piece = ptr[from + at];
    const int left = count - at;
    if (left >= 8)
      vpinsrq(x, x, piece, 0), at += 8;
    else if (left >= 4)
      vpinsrd(x, x, piece, static_cast<uint8_t>(at / 4)), at += 4;
    else if (left >= 2)
      vpinsrw(x, x, piece, static_cast<uint8_t>(at / 2)), at += 2;
    else
      vpinsrb(x, x, piece, static_cast<uint8_t>(at)), at += 1;
  }
}

void Emitter::store_partial(const Xbyak::RegExp& to, int reg, int count) {
  const Xbyak::Xmm x = quarter(reg);
  for (int at = 0; at < count;) {
    const Xbyak::Address piece = ptr[to + at];
    const int left = count - at;
    if (left >= 8)
      vpextrq(piece, x, 0), at += 8;
    else if (left >= 4)
      vpextrd(piece, x, static_cast<uint8_t>(at / 4)), at += 4;
    else if (left >= 2)
      vpextrw(piece, x, static_cast<uint8_t>(at / 2)), at += 2;
    else
      vpextrb(piece, x, static_cast<uint8_t>(at)), at += 1;
  }
}

std::vector<uint8_t> Emitter::finish() {
  for (auto& [words, label] : pool_) {
    align(64);
    L(*label);
    for (const uint32_t word : words) dd(word);
  }
  ready(PROTECT_RW);  // resolves jumps; the bytes are copied, never run from here
  return {getCode(), getCode() + getSize()};
}

}  // namespace lapis::x86
