// Depthwise contractions: every output channel has its own input channel, so vectors run over channels and the sum
// over taps.
#include "codegen/kernels/structures.h"
#include "codegen/x86/kernels.h"
#include "codegen/x86/tile_kernel.h"

namespace lapis::x86 {
namespace {

const Opmask kLanes(2), kBytes(4);

// ---- floats ----

class DepthwiseFloat : public TileKernel {
 public:
  using TileKernel::TileKernel;

 private:
  void tile(const kernels::Block& block, int mr) override {
    const int nr = block.nr, sums = mr * nr;
    auto sum = [&](int m, int n) { return m * nr + n; };
    load_pixels(mr, weights_, scratch_);
    mov(weights_, slot(kWeights));
    mov(scratch_, slot(kParams));
    for (int m = 0; m < mr; ++m)
      for (int n = 0; n < nr; ++n) vmovups(vec(sum(m, n)), ptr[scratch_ + n * vector_bytes()]);
    for (size_t t = 0; t < c_.taps.size(); ++t)
      for (int n = 0; n < nr; ++n) {
        vmovups(vec(sums), ptr[weights_ + (static_cast<int>(t) * nr + n) * vector_bytes()]);
        const bool whole = int64_t{n + 1} * lanes() <= block.channels;
        for (int m = 0; m < mr; ++m) {
          const Xbyak::Address x = ptr[gpr(m) + (c_.taps[t] + n * vector_bytes())];
          if (whole) {
            vfmadd231ps(vec(sum(m, n)), vec(sums), x);
          } else {
            load_tail(sums + 1, x, static_cast<int>(block.channels) - n * lanes());
            vfmadd231ps(vec(sum(m, n)), vec(sums), vec(sums + 1));
          }
        }
      }
    std::vector<int> free;
    for (int r = row_.registers() - 1; r >= sums; --r) free.push_back(r);
    finish_tile(block, mr, free, sum);
  }

  void load_tail(int to, const Xbyak::Address& from, int count) {
    if (avx512()) return vmovups(vec(to) | kLanes | T_z, from);
    std::vector<uint32_t> mask(static_cast<size_t>(lanes()), 0);
    std::fill_n(mask.begin(), count, ~uint32_t{0});
    vmovups(vec(to), constant(mask));
    vmaskmovps(vec(to), vec(to), from);
  }

  const Reg64 weights_ = gpr(12), scratch_ = gpr(13);
};

// ---- bytes ----

// Four taps of 64 channels (32 with ymm) are four vectors of bytes. Two levels of vpunpck make of them four vectors
// whose lanes hold the four taps of one channel. The channel order this gives is the one that the packs of the
// epilogue undo.
class DepthwiseBytes : public TileKernel {
 public:
  using TileKernel::TileKernel;

 private:
  static constexpr int kVectors = 4;

  void start_unit(const kernels::Block& block) override {
    partial_ = block.channels < int64_t{kVectors} * lanes();
    if (avx512() && partial_) {
      mov(scratch_, ~uint64_t{0} >> (64 - block.channels));
      kmovq(kBytes, scratch_);
    }
    mov(weights_, slot(kWeights));
    for (int i = 0; i < resident(); ++i) vmovups(vec(first_resident() + i), ptr[weights_ + i * vector_bytes()]);
  }

  void tile(const kernels::Block& block, int mr) override {
    mr_ = mr;
    block_ = &block;
    load_pixels(mr, weights_, scratch_);
    start_sums();
    mov(weights_, slot(kWeights));
    if (flips()) vmovups(flip(), constant(0x80808080u));
    if (blocking_.paired)
      rows_of_pair();
    else
      for (int g = 0; g < blocking_.steps; ++g)
        for (int m = 0; m < mr; ++m) four_taps(g, m);
    if (blocking_.quad == 1) to_memory_order();
    std::vector<int> free;
    for (int r = first_resident() - 1; r >= temporary(0).getIdx(); --r) free.push_back(r);
    finish_tile(block, mr, free, [&](int m, int n) { return m * kVectors + n; });
  }

  // ---- registers: sums, temporaries, then the resident weights at the end ----

  Vec sum(int m, int v) const { return vec(m * kVectors + v); }
  Vec temporary(int i) const { return vec(mr_ * kVectors + i); }
  Vec odd() const { return temporary(5); }
  Vec product() const { return temporary(6); }
  Vec flip() const { return temporary(5); }
  int resident() const { return kernels::resident_weights(row_, c_); }
  int first_resident() const { return row_.registers() - resident(); }
  bool flips() const { return row_.dot == kernels::Dot::Vnni && c_.a == DType::Int8; }

  // In quad order the bias is there from the start; else sums are rearranged first.
  void start_sums() {
    mov(scratch_, slot(kParams));
    for (int m = 0; m < mr_; ++m)
      for (int v = 0; v < kVectors; ++v) {
        if (blocking_.quad == kVectors)
          vmovups(sum(m, v), ptr[scratch_ + v * vector_bytes()]);
        else
          vxorps(sum(m, v), sum(m, v), sum(m, v));
      }
  }

  // ---- sums ----

  void four_taps(int g, int m) {
    const int first = 4 * g, count = std::min(4, static_cast<int>(c_.taps.size()) - first);
    for (int t = 0; t < count; ++t) load_channels(temporary(t).getIdx(), m, c_.taps[static_cast<size_t>(first + t)]);
    if (count == 1) return single_tap(g, m);
    interleave(count, [&](int v, const Vec& x) { dot(g, m, v, x); });
  }

  // A row of three taps of two neighbouring pixels is four columns.
  void rows_of_pair() {
    const int32_t step = c_.taps[1] - c_.taps[0];
    for (int row = 0; row < blocking_.steps / 2; ++row) {
      for (int column = 0; column < 4; ++column)
        load_channels(temporary(column).getIdx(), 0, c_.taps[static_cast<size_t>(3 * row)] + column * step);
      interleave(4, [&](int v, const Vec& x) {
        dot(2 * row, 0, v, x);
        dot(2 * row + 1, 1, v, x);
      });
    }
  }

  // Temporaries 0 to count - 1 become vectors of dwords with the bytes of one channel each; use(v, x) gets them one
  // after the other.
  template <class Use> void interleave(int count, Use use) {
    const Vec a = temporary(0), b = temporary(1), c = temporary(std::min(2, count - 1)),
              d = temporary(std::min(3, count - 1));
    const Vec high = temporary(2), x = temporary(3), low = temporary(4);
    vpunpcklbw(low, a, b);
    vpunpckhbw(a, a, b);
    if (count > 2) {
      vpunpcklbw(b, c, d);
      vpunpckhbw(high, c, d);
    }
    const Vec &low2 = count > 2 ? b : low, &high2 = count > 2 ? high : a;
    auto words = [&](int v, const Vec& to, const Vec& first, const Vec& second, bool lower) {
      lower ? vpunpcklwd(to, first, second) : vpunpckhwd(to, first, second);
      use(v, to);
    };
    words(0, x, low, low2, true);
    words(1, low, low, low2, false);
    words(2, x, a, high2, true);
    words(3, a, a, high2, false);
  }

  // The other three bytes of a lane meet zero weights: any shuffle that brings the byte there will do.
  void single_tap(int g, int m) {
    for (int v = 0; v < kVectors; ++v) {
      std::vector<uint32_t> shuffle;
      for (int k = 0; k < 4; ++k) shuffle.push_back(static_cast<uint32_t>(4 * v + k) | 0x80808000u);
      vpshufb(temporary(1), temporary(0), constant(shuffle));
      dot(g, m, v, temporary(1));
    }
  }

  void dot(int g, int m, int v, const Vec& x) {
    const int at = g * kVectors + v;
    if (row_.dot == kernels::Dot::Madd) return dot_words(m, v, at, x);
    if (at < resident())
      dot_bytes(sum(m, v), x, vec(first_resident() + at));
    else
      dot_bytes(sum(m, v), x, ptr[weights_ + at * vector_bytes()]);
  }

  // Destroys x.
  void dot_words(int m, int v, int at, const Vec& x) {
    if (c_.a == DType::UInt8) {
      vpsrlw(odd(), x, 8);
      vandps(x, x, constant(0x00FF00FFu));
    } else {
      vpsraw(odd(), x, 8);
      vpsllw(x, x, 8);
      vpsraw(x, x, 8);
    }
    vpmaddwd(product(), x, ptr[weights_ + 2 * at * vector_bytes()]);
    vpaddd(sum(m, v), sum(m, v), product());
    vpmaddwd(product(), odd(), ptr[weights_ + (2 * at + 1) * vector_bytes()]);
    vpaddd(sum(m, v), sum(m, v), product());
  }

  void load_channels(int to, int m, int displacement) {
    const Xbyak::RegExp from = gpr(m) + displacement;
    if (!partial_)
      vmovups(vec(to), ptr[from]);
    else if (avx512())
      vmovdqu8(vec(to) | kBytes | T_z, ptr[from]);
    else
      load_tail(to, from, static_cast<int>(block_->channels));
    if (flips()) vxorps(vec(to), vec(to), flip());
  }

  // Below 32 bytes; the last temporary is free while taps are loaded.
  void load_tail(int to, const Xbyak::RegExp& from, int count) {
    if (count < 16) return load_partial(to, from, count);
    const int upper = product().getIdx();
    load_partial(upper, from + 16, count - 16);
    vmovups(quarter(to), ptr[from]);
    vinserti128(half(to), half(to), quarter(upper), 1);
  }

  // ---- memory order: 128-bit lane l of vector v holds channels 16 l + 4 v ----

  void to_memory_order() {
    mov(scratch_, slot(kParams));
    for (int m = 0; m < mr_; ++m) {
      avx512() ? transpose_lanes(m) : swap_lanes(m);
      for (int v = 0; v < block_->nr; ++v) vpaddd(sum(m, v), sum(m, v), ptr[scratch_ + v * vector_bytes()]);
    }
  }

  void transpose_lanes(int m) {
    const Vec a = sum(m, 0), b = sum(m, 1), c = sum(m, 2), d = sum(m, 3);
    const Xbyak::Zmm ab_low(temporary(0).getIdx()), ab_high(temporary(1).getIdx()), cd_low(temporary(2).getIdx()),
        cd_high(temporary(3).getIdx());
    vshufi32x4(ab_low, a, b, 0x44);
    vshufi32x4(ab_high, a, b, 0xEE);
    vshufi32x4(cd_low, c, d, 0x44);
    vshufi32x4(cd_high, c, d, 0xEE);
    vshufi32x4(a, ab_low, cd_low, 0x88);
    vshufi32x4(b, ab_low, cd_low, 0xDD);
    vshufi32x4(c, ab_high, cd_high, 0x88);
    vshufi32x4(d, ab_high, cd_high, 0xDD);
  }

  void swap_lanes(int m) {
    const Vec a = sum(m, 0), b = sum(m, 1), c = sum(m, 2), d = sum(m, 3), ab_high = temporary(0), cd_low = temporary(1);
    vperm2i128(ab_high, a, b, 0x31);
    vperm2i128(a, a, b, 0x20);
    vperm2i128(cd_low, c, d, 0x20);
    vperm2i128(d, c, d, 0x31);
    vmovaps(b, cd_low);
    vmovaps(c, ab_high);
  }

  const Reg64 weights_ = gpr(12), scratch_ = gpr(13);
  int mr_ = 0;
  bool partial_ = false;
  const kernels::Block* block_ = nullptr;
};

}  // namespace

std::vector<uint8_t> emit_depthwise_float(const Contraction& c, const Plan& plan) {
  return DepthwiseFloat(c, plan).emit();
}
std::vector<uint8_t> emit_depthwise_bytes(const Contraction& c, const Plan& plan) {
  return DepthwiseBytes(c, plan).emit();
}

}  // namespace lapis::x86
