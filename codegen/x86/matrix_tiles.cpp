// Dense contractions of bytes and bfloat16 with AMX. A tile register holds 16 rows of 64 bytes: 16 pixels of 64 input
// bytes, or 16 steps of four bytes of 16 channels, which is a piece of a panel as it is. Up to four of them are the
// sums of 16 pixels by 64 channels. Those go to the frame in the end, from where the epilogue takes them as it takes
// sums of other kernels that wait there.
#include <cstring>
#include <numeric>

#include "codegen/x86/kernels.h"
#include "codegen/x86/tile_kernel.h"

namespace lapis::x86 {
namespace {

using Xbyak::Tmm;

constexpr int kRows = kernels::kTileRows, kRowBytes = 64, kStepsAtOnce = 16;
// Tile registers: sums are 0 to 3. The rest of a tap is narrower, so that nothing beyond it is read or multiplied.
constexpr int kInputTile = 4, kWeightTile = 5, kInputRest = 6, kWeightRest = 7;
const Opmask kRest(4);

class MatrixTiles : public TileKernel {
 public:
  MatrixTiles(const Contraction& c, const Plan& plan)
      : TileKernel(c, plan),
        half_step_(blocking_.half),
        rounds_(static_cast<int>((blocking_.steps - half_step_) / kStepsAtOnce)),
        rest_(static_cast<int>(blocking_.steps) - rounds_ * kStepsAtOnce) {}

 private:
  int frame_vectors() const override { return most_sums() + kRows; }

  void constants() override {
    if (rest_ == 0) return;
    mov(at_, ~uint64_t{0} >> (kRowBytes - 4 * rest_ + 2 * half_step_));
    kmovq(kRest, at_);
  }

  // Shapes of the registers, which also zeroes them. What is not used has none.
  void start_run(const kernels::Block& block, int mr) override {
    std::vector<uint8_t> shapes(64, 0);
    auto shape = [&](int tile, int rows, int bytes) {
      shapes[16 + 2 * static_cast<size_t>(tile)] = static_cast<uint8_t>(bytes);
      shapes[48 + static_cast<size_t>(tile)] = static_cast<uint8_t>(rows);
    };
    shapes[0] = 1;  // palette
    for (int n = 0; n < block.nr; ++n) shape(n, mr, kRowBytes);
    if (rounds_ > 0) {
      shape(kInputTile, mr, kRowBytes);
      shape(kWeightTile, kStepsAtOnce, kRowBytes);
    }
    if (rest_ > 0) {
      shape(kInputRest, mr, 4 * rest_);
      shape(kWeightRest, rest_, kRowBytes);
    }
    std::vector<int32_t> words(shapes.size() / 4);
    std::memcpy(words.data(), shapes.data(), shapes.size());
    lea(at_, ptr[rip + table(words)]);
    ldtilecfg(ptr[at_]);
  }

  void release() override { tilerelease(); }

  void tile(const kernels::Block& block, int mr) override {
    mr_ = mr;
    nr_ = block.nr;
    pitch_ = block.pitch;
    direct_ = !half_step_ && kernels::pixels_in_runs(c_, mr);
    prefetch_results(block, mr, weights_, at_);
    load_bias();
    point_at_pixels();
    mov(weights_, slot(kWeights));
    mov(panel_pitch_, pitch_);
    for_each_tap(at_, count_, [&] { rounds_of_tap(); });
    store_sums();
    std::vector<int> free(32);
    std::iota(free.begin(), free.end(), 0);
    finish_stored_tile(block, mr, std::move(free));
  }

  // Every row of the sums begins as the bias: rows of pitch 0.
  void load_bias() {
    mov(at_, slot(kParams));
    xor_(count_, count_);
    for (int n = 0; n < nr_; ++n) tileloadd(Tmm(n), ptr[at_ + count_ + n * kRowBytes]);
  }

  // pixel_, pixel_pitch_: the first row and the distance of the next, of the pixels themselves or of their copies.
  void point_at_pixels() {
    mov(table_, slot(kTable));
    mov(unit_input_, slot(kUnitInput));
    if (!direct_) return mov(pixel_pitch_, kRowBytes);
    movsxd(pixel_, dword[table_]);
    if (mr_ > 1) {
      movsxd(pixel_pitch_, dword[table_ + row_of_pixel(1)]);
      sub(pixel_pitch_, pixel_);
    } else {
      xor_(pixel_pitch_, pixel_pitch_);
    }
    add(pixel_, unit_input_);
  }

  int row_of_pixel(int m) const { return static_cast<int>(m * blocking_.columns * 4); }

  // ---- the sum ----

  // at_: displacement of the tap.
  void rounds_of_tap() {
    if (rounds_ > 0) {
      Label again;
      mov(count_.cvt32(), rounds_);
      L(again);
      multiply(Tmm(kInputTile), Tmm(kWeightTile));
      add(at_, kRowBytes);
      add(weights_, kStepsAtOnce * pitch_);
      dec(count_);
      jnz(again, T_NEAR);
    }
    if (rest_ == 0) return;
    multiply(Tmm(kInputRest), Tmm(kWeightRest));
    add(weights_, rest_ * pitch_);
  }

  void multiply(const Tmm& input, const Tmm& weights) {
    if (direct_) {
      lea(address_, ptr[pixel_ + at_]);
    } else {
      copy_pixels(input.getIdx() == kInputTile);
      lea(address_, vector_slot(most_sums()));
    }
    tileloadd(input, ptr[address_ + pixel_pitch_]);
    for (int n = 0; n < nr_; ++n) {
      tileloadd(weights, ptr[weights_ + panel_pitch_ + n * kRowBytes]);
      dot(Tmm(n), input, weights);
    }
  }

  void dot(const Tmm& sums, const Tmm& input, const Tmm& weights) {
    switch (c_.a) {
      case DType::BFloat16: return tdpbf16ps(sums, input, weights);
      case DType::UInt8: return tdpbusd(sums, input, weights);
      default: return tdpbssd(sums, input, weights);
    }
  }

  // Of pixels that do not lie one as far from the next as all others: a row each into the frame.
  void copy_pixels(bool whole) {
    for (int m = 0; m < mr_; ++m) {
      movsxd(address_, dword[table_ + row_of_pixel(m)]);
      add(address_, unit_input_);
      if (whole)
        vmovups(vec(0), ptr[address_ + at_]);
      else
        vmovdqu8(vec(0) | kRest | T_z, ptr[address_ + at_]);
      vmovaps(vector_slot(most_sums() + m), vec(0));
    }
  }

  void store_sums() {
    mov(count_, nr_ * kRowBytes);
    lea(address_, vector_slot(0));
    for (int n = 0; n < nr_; ++n) tilestored(ptr[address_ + count_ + n * kRowBytes], Tmm(n));
  }

  const Reg64 pixel_ = gpr(0), pixel_pitch_ = gpr(1), panel_pitch_ = gpr(2), table_ = gpr(3), unit_input_ = gpr(4),
              address_ = gpr(5), weights_ = gpr(12), at_ = gpr(13), count_ = gpr(14);
  const bool half_step_;  // the last step of a tap has one bfloat16, and what lies behind it may be no number: it is in
                          // the rest
  const int rounds_, rest_;  // of a tap: steps in sixteens, and those that are left
  int mr_ = 0, nr_ = 0, pitch_ = 0;
  bool direct_ = false;
};

}  // namespace

std::vector<uint8_t> emit_matrix_tiles(const Contraction& c, const Plan& plan) { return MatrixTiles(c, plan).emit(); }

}  // namespace lapis::x86
