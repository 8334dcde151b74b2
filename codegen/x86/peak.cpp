#include "codegen/x86/peak.h"

#include "codegen/x86/emitter.h"

namespace lapis::x86 {
namespace {

class PeakEmitter : public Emitter {
 public:
  PeakEmitter(DType dtype, const Target& target)
      : Emitter(target.has(Isa::Avx512) ? 16 : 8),
        integer_(dtype == DType::UInt8),
        vnni_(target.has(Isa::Avx512Vnni)) {}

  PeakLoop emit() {
    const int sums = avx512() ? 24 : 12;  // enough chains to hide the latency
    enter(0);
    for (int i = 0; i < sums + 2; ++i) vpxord_any(vec(i));
    sub(rdx, rsi);
    Label loop;
    L(loop);
    for (int i = 0; i < sums; ++i) dot(vec(i), vec(sums), vec(sums + 1));
    dec(rdx);
    jnz(loop, T_NEAR);
    leave();
    const int64_t macs = int64_t{sums} * lanes() * (integer_ ? (vnni_ ? 4 : 2) : 1);
    return {finish(), macs};
  }

 private:
  void vpxord_any(const Vec& v) { avx512() ? vpxord(v, v, v) : vpxor(v, v, v); }
  void dot(const Vec& sum, const Vec& a, const Vec& b) {
    if (!integer_)
      vfmadd231ps(sum, a, b);
    else if (vnni_)
      vpdpbusd(sum, a, b);
    else
      vpmaddwd(sum, a, b);
  }
  bool integer_, vnni_;
};

}  // namespace

PeakLoop emit_peak(DType dtype, const Target& target) { return PeakEmitter(dtype, target).emit(); }

}  // namespace lapis::x86
