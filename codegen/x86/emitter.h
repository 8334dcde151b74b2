// Base of all xbyak emitters: calling convention, registers by number, frame slots, embedded vector
// constants. Private to codegen/x86; includes xbyak, so nothing outside this folder may include it.
#pragma once

#include <xbyak/xbyak.h>

#include <map>
#include <memory>

#include "codegen/plan.h"

namespace lapis::x86 {

using Xbyak::Label, Xbyak::Opmask, Xbyak::Reg64;
using Vec = Xbyak::Ymm;  // zmm or ymm by its kind: mnemonics take the size from the operand

class Emitter : public Xbyak::CodeGenerator {
 public:
  explicit Emitter(int lanes);

  int lanes() const { return lanes_; }
  bool avx512() const { return lanes_ == 16; }
  int vector_bytes() const { return 4 * lanes_; }
  Vec vec(int index) const { return avx512() ? static_cast<Vec>(Xbyak::Zmm(index)) : Vec(index); }
  static Vec half(int index) { return Vec(index); }
  static Xbyak::Xmm quarter(int index) { return Xbyak::Xmm(index); }
  static constexpr int kGprs = 15;
  static Reg64 gpr(int index) { return Reg64(index < 4 ? index : index + 1); }  // all but rsp

  // A vector of the function's constant pool that repeats `pattern` over its lanes.
  Xbyak::Address constant(const std::vector<uint32_t>& pattern);
  Xbyak::Address constant(uint32_t word) { return constant(std::vector<uint32_t>{word}); }
  Xbyak::Address constant_float(float value);
  // Data behind the code that is not a vector.
  Label& table(const std::vector<int32_t>& words);

  // Fewer than 16 bytes, exactly: in pieces of 8, 4, 2 and 1.
  void load_partial(int reg, const Xbyak::RegExp& from, int count);
  void store_partial(const Xbyak::RegExp& to, int reg, int count);

  Xbyak::Address slot(int index) { return qword[rsp + 8 * index]; }
  Xbyak::Address vector_slot(int index) { return ptr[rsp + (vectors_at_ + index * vector_bytes())]; }

 protected:
  // Saves registers; rdi, rsi, rdx still hold the arguments.
  // Room for `vectors` whole vectors, aligned, comes on request.
  void enter(int slots, int vectors = 0);
  void leave();
  std::vector<uint8_t> finish();

 private:
  struct Data {
    std::vector<uint32_t> words;
    Label label;
  };
  Label& data(std::vector<uint32_t> words);

  int lanes_;
  int frame_bytes_ = 0, vectors_at_ = 0, saved_stack_ = -1;  // slot of the stack pointer where the frame is aligned
  std::map<std::vector<uint32_t>, std::unique_ptr<Label>> pool_;
};

}  // namespace lapis::x86
