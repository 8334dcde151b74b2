// The frame of every kernel function: runs work units, which are runs of tiles of pixels over one block of channels.
// What happens in a tile is the subclass's business; how it ends is the epilogue's.
#pragma once

#include "codegen/x86/block.h"
#include "codegen/x86/epilogue.h"

namespace lapis::x86 {

class TileKernel : public Emitter {
 public:
  TileKernel(const Contraction& c, const Plan& plan);
  std::vector<uint8_t> emit();

 protected:
  virtual void constants() {}                            // once per call, before the first unit
  virtual void release() {}                              // once per call, behind the last one
  virtual void start_unit(const kernels::Block&) {}      // once per unit
  virtual void start_run(const kernels::Block&, int) {}  // once per run of tiles of as many pixels
  virtual void tile(const kernels::Block& block, int mr) = 0;
  // Vectors of the frame that the kernel needs at most.
  virtual int frame_vectors() const { return epilogue_.may_spill() ? most_sums() : 0; }

  enum Slot {
    kUnit,
    kUnitEnd,
    kAllWeights,
    kAllParams,
    kAllPixels,
    kInput,
    kOutput,
    kTable,
    kBig,
    kSmall,
    kWeights,
    kParams,
    kUnitInput,
    kTap,
    kUnitOutput,
    kFirstOperand
  };
  // Slots of operand i: address of its buffer or table, and of the unit's first channel in it (of a PerPixel operand,
  // where its first number lies).
  int operand_base(size_t i) const { return kFirstOperand + 2 * static_cast<int>(i); }
  int operand_unit(size_t i) const { return operand_base(i) + 1; }

  // Four unsigned bytes of x times four signed bytes of w, added to `to`.
  void dot_bytes(const Vec& to, const Vec& x, const Xbyak::Operand& w) {
    vpdpbusd(to, x, w, row_.needs == Isa::AvxVnni ? Xbyak::VexEncoding : Xbyak::EvexEncoding);
  }
  // gpr(m) = address of the unit's input at pixel m of the tile, m < mr.
  void load_pixels(int mr, Reg64 scratch, Reg64 scratch2);
  // Fetches the lines that the tile's epilogue will read and write, while the sums are being formed.
  void prefetch_results(const kernels::Block& block, int mr, Reg64 scratch, Reg64 scratch2);
  // Emits `body` to run once for every tap, whose displacement is then in `at`; both registers may change in it.
  template <class Body> void for_each_tap(Reg64 at, Reg64 count, Body body) {
    if (blocking_.taps == 1) {
      mov(at, static_cast<uint64_t>(int64_t{c_.taps[0]}));
      return body();
    }
    Label next;
    mov(slot(kTap), 0);
    L(next);
    mov(count, slot(kTap));
    lea(at, ptr[rip + table(c_.taps)]);
    movsxd(at, dword[at + count * 4]);
    inc(count);
    mov(slot(kTap), count);
    body();
    cmp(slot(kTap), static_cast<int>(blocking_.taps));
    jl(next, T_NEAR);
  }
  // Address of pixel m of the tile in column `column`: `to` = table entry + slot.
  void pixel_address(Reg64 to, Reg64 table, int m, int column, int base_slot);
  // Emits the epilogue of `mr` pixels; sum(m, n) is a vector register. Uses all general registers.
  template <class Sum> void finish_tile(const kernels::Block& block, int mr, std::vector<int> free, Sum sum) {
    start_epilogue();
    // Long epilogues need registers that sums keep; those wait in the frame, which is cheap beside a function.
    const bool spilled = epilogue_.spills(static_cast<int>(free.size()));
    for (int m = 0; spilled && m < mr; ++m)
      for (int n = 0; n < block.nr; ++n) {
        vmovaps(vector_slot(m * block.nr + n), vec(sum(m, n)));
        free.push_back(sum(m, n));
      }
    if (spilled) return finish_pixels(block, mr, std::move(free));
    for (int m = 0; m < mr; ++m) {
      std::vector<int> sums;
      for (int n = 0; n < block.nr; ++n) sums.push_back(sum(m, n));
      finish_pixel(block, m, {std::move(sums), false}, free);
    }
  }
  // The same for sums that wait in the frame: sum (m, n) in vector slot m * nr + n.
  void finish_stored_tile(const kernels::Block& block, int mr, std::vector<int> free) {
    start_epilogue();
    finish_pixels(block, mr, std::move(free));
  }
  int most_sums() const;

  const Contraction& c_;
  const kernels::Kernel& row_;
  const kernels::Blocking blocking_;
  Epilogue epilogue_;

 private:
  void enter_function();
  void load_word(int word, int to);
  void unit();
  void unit_addresses();
  void run_block(const kernels::Block& block);
  void run_tiles(const kernels::Block& block, int mr, Slot count);
  void start_epilogue();
  void prefetch_column(const kernels::Block& block, int mr, int column, int slot, DType type, bool write, Reg64 table,
                       Reg64 address);
  struct Sums {
    std::vector<int> at;  // registers or, if spilled, vector slots
    bool spilled;
  };
  void finish_pixel(const kernels::Block& block, int m, Sums sums, std::vector<int>& free);
  void finish_pixels(const kernels::Block& block, int mr, std::vector<int> free);
};

}  // namespace lapis::x86
