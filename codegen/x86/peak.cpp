#include "codegen/x86/peak.h"

#include "base/check.h"
#include "codegen/x86/emitter.h"

namespace lapis::x86 {
namespace {

struct Choice {
  Peak peak;
  int lanes = 0;
  int macs() const { return peak.macs * lanes; }
};

Choice strongest(DType dtype, const Target& target) {
  const auto peak = dtype == DType::Float32 ? &IsaRow::fp32 : dtype == DType::BFloat16 ? &IsaRow::bf16 : &IsaRow::int8;
  Choice best;
  for (const IsaRow& row : kIsas)
    if (const Choice c{row.*peak, row.vector_bytes / 4}; target.has(row.isa) && c.macs() >= best.macs()) best = c;
  LAPIS_ASSERT(best.macs() > 0, target.to_string() << " multiplies no " << name_of(dtype));
  return best;
}

class PeakEmitter : public Emitter {
 public:
  explicit PeakEmitter(const Choice& choice) : Emitter(choice.lanes), choice_(choice) {}

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
    return {finish(), int64_t{sums} * choice_.macs()};
  }

 private:
  void vpxord_any(const Vec& v) { avx512() ? vpxord(v, v, v) : vpxor(v, v, v); }
  void dot(const Vec& sum, const Vec& a, const Vec& b) {
    switch (choice_.peak.instruction) {
      case Multiply::Vfmadd231ps: return vfmadd231ps(sum, a, b);
      case Multiply::Vpmaddwd: return vpmaddwd(sum, a, b);
      case Multiply::Vpdpbusd: return vpdpbusd(sum, a, b, avx512() ? Xbyak::EvexEncoding : Xbyak::VexEncoding);
      case Multiply::Vdpbf16ps: return vdpbf16ps(sum, a, b);
      case Multiply::None: break;
    }
    LAPIS_UNREACHABLE("no peak was chosen");
  }
  const Choice choice_;
};

}  // namespace

PeakLoop emit_peak(DType dtype, const Target& target) { return PeakEmitter(strongest(dtype, target)).emit(); }

}  // namespace lapis::x86
