// Dense contractions. A tile is mr pixels by nr vectors of channels; its sums stay in registers while the kernel walks
// the taps and, in each tap, the input in steps of four bytes. Weights come from a panel, whose pitch from step to step
// does not depend on the tile. Pixels are pointers, so tiles may straddle rows and images.
#include "codegen/x86/kernels.h"
#include "codegen/x86/tile_kernel.h"

namespace lapis::x86 {
namespace {

constexpr int kMostUnrolledSteps = 48;  // straight-line code up to here; beyond it would crowd the op cache
constexpr int kUnroll = 4;

const Opmask kEvenWords(4);

class ContractionKernel : public TileKernel {
 public:
  using TileKernel::TileKernel;

 private:
  using Dot = kernels::Dot;

  void constants() override {
    if (!odd()) return;
    mov(at_.cvt32(), 0x55555555);
    kmovd(kEvenWords, at_.cvt32());
  }

  void tile(const kernels::Block& block, int mr) override {
    mr_ = mr;
    nr_ = block.nr;
    pitch_ = block.pitch;
    load_pixels(mr, weights_, at_);
    prefetch_results(block, mr, weights_, at_);
    load_bias();
    mov(weights_, slot(kWeights));
    if (flips()) vmovups(flip(), constant(0x80808080u));
    if (blocking_.taps * blocking_.steps <= kMostUnrolledSteps)
      all_steps();
    else
      for_each_tap(at_, count_, [&] { steps_of_tap(); });
    finish_tile(block, mr, spare(), [&](int m, int n) { return m * nr_ + n; });
  }

  // ---- registers ----

  Vec sum(int m, int n) const { return vec(m * nr_ + n); }
  int after_sums() const { return mr_ * nr_; }
  Vec weight(int n) const { return vec(after_sums() + n); }
  Vec weight_odd(int n) const { return vec(after_sums() + nr_ + n); }  // Madd: the odd bytes as words
  bool weights_from_memory() const { return mr_ == 1 && row_.dot != Dot::Madd; }
  int after_weights() const {
    return after_sums() + (weights_from_memory() ? 0 : row_.dot == Dot::Madd ? 2 * nr_ : nr_);
  }
  Vec input() const { return vec(after_weights()); }
  Vec input_odd() const { return vec(after_weights() + 1); }
  Vec product() const { return vec(after_weights() + 2); }
  Vec flip() const { return vec(after_weights() + 1); }
  // The last step of a tap has one bfloat16, and what lies behind it may be no number: zero weights would not drop it.
  bool odd() const { return blocking_.half; }
  bool flips() const { return row_.dot == Dot::Vnni && c_.a == DType::Int8; }
  std::vector<int> spare() const {
    std::vector<int> free;
    for (int r = row_.registers() - 1; r >= after_sums(); --r) free.push_back(r);
    return free;
  }
  Reg64 pixel(int m) const { return gpr(m); }

  // ---- start of a tile ----

  void load_bias() {
    mov(at_, slot(kParams));
    for (int n = 0; n < nr_; ++n) vmovups(sum(0, n), ptr[at_ + n * vector_bytes()]);
    for (int m = 1; m < mr_; ++m)
      for (int n = 0; n < nr_; ++n) vmovaps(sum(m, n), sum(0, n));
  }

  // ---- loops over the sum ----

  void all_steps() {
    for (int64_t t = 0; t < blocking_.taps; ++t)
      for (int64_t s = 0; s < blocking_.steps; ++s)
        step(static_cast<int>(t * blocking_.steps + s), odd() && s + 1 == blocking_.steps,
             [&](int m) { return pixel(m) + (c_.taps[static_cast<size_t>(t)] + static_cast<int>(4 * s)); });
  }

  // at_: displacement of the tap.
  void steps_of_tap() {
    const int64_t whole = blocking_.steps - odd();
    const auto rounds = static_cast<int>(whole / kUnroll), rest = static_cast<int>(whole % kUnroll);
    if (rounds > 0) {
      Label again;
      mov(count_.cvt32(), rounds);
      align(32);
      L(again);
      run_steps(kUnroll, false);
      add(at_, 4 * kUnroll);
      dec(count_);
      jnz(again, T_NEAR);
    }
    run_steps(rest + odd(), odd());
  }

  void run_steps(int count, bool odd_end) {
    for (int s = 0; s < count; ++s) step(s, odd_end && s + 1 == count, [&](int m) { return pixel(m) + at_ + 4 * s; });
    if (count) add(weights_, count * pitch_);
  }

  // ---- one step: four bytes of every pixel ----

  template <class Address> void step(int s, bool half, Address address) {
    auto weights = [&](int n) { return ptr[weights_ + (s * pitch_ + n * vector_bytes())]; };
    if (!weights_from_memory())
      for (int n = 0; n < nr_; ++n) load_weight(n, weights(n));
    for (int m = 0; m < mr_; ++m) {
      load_input(ptr[address(m)], half);
      for (int n = 0; n < nr_; ++n) {
        if (weights_from_memory())
          dot(sum(m, n), input(), weights(n));
        else if (row_.dot == Dot::Madd)
          dot_words(m, n);
        else
          dot(sum(m, n), input(), weight(n));
      }
    }
  }

  void load_weight(int n, const Xbyak::Address& from) {
    if (row_.dot != Dot::Madd) return vmovups(weight(n), from);
    vmovups(weight_odd(n), from);
    vpsllw(weight(n), weight_odd(n), 8);
    vpsraw(weight(n), weight(n), 8);
    vpsraw(weight_odd(n), weight_odd(n), 8);
  }

  void load_input(const Xbyak::Address& from, bool half) {
    if (half) return vpbroadcastw(input() | kEvenWords | T_z, from);
    row_.dot == Dot::Fma ? vbroadcastss(input(), from) : vpbroadcastd(input(), from);
    if (flips()) vxorps(input(), input(), flip());
    if (row_.dot == Dot::Madd) split_input();
  }

  void split_input() {
    if (c_.a == DType::UInt8) {
      vpsrlw(input_odd(), input(), 8);
      vandps(input(), input(), constant(0x00FF00FFu));
    } else {
      vpsraw(input_odd(), input(), 8);
      vpsllw(input(), input(), 8);
      vpsraw(input(), input(), 8);
    }
  }

  void dot(const Vec& to, const Vec& x, const Xbyak::Operand& w) {
    if (row_.dot == Dot::Bf16) return vdpbf16ps(to, x, w);
    row_.dot == Dot::Fma ? vfmadd231ps(to, x, w) : dot_bytes(to, x, w);
  }

  void dot_words(int m, int n) {
    vpmaddwd(product(), input(), weight(n));
    vpaddd(sum(m, n), sum(m, n), product());
    vpmaddwd(product(), input_odd(), weight_odd(n));
    vpaddd(sum(m, n), sum(m, n), product());
  }

  const Reg64 weights_ = gpr(12), at_ = gpr(13), count_ = gpr(14);
  int mr_ = 0, nr_ = 0, pitch_ = 0;  // of the tile being emitted
};

}  // namespace

std::vector<uint8_t> emit_contraction(const Contraction& c, const Plan& plan) {
  return ContractionKernel(c, plan).emit();
}

}  // namespace lapis::x86
