#include "driver/peak.h"

#include <algorithm>

#include "base/stopwatch.h"
#include "codegen/x86/peak.h"
#include "runtime/abi.h"
#include "runtime/memory.h"

namespace lapis {

Result<double> measure_peak(DType dtype, const Target& target) {
  const x86::PeakLoop loop = x86::emit_peak(dtype, target);
  LAPIS_TRY(const CodeMemory code, CodeMemory::seal(std::as_bytes(std::span(loop.code))));
  const auto run = reinterpret_cast<abi::StepFn>(const_cast<std::byte*>(code.data()));
  constexpr int64_t kIterations = 200'000;  // about a millisecond
  double best = 0;
  for (int repeat = 0; repeat < 8; ++repeat) {
    const Stopwatch watch;
    run(nullptr, 0, kIterations);
    const double seconds = watch.seconds();
    best = std::max(best, static_cast<double>(kIterations * loop.macs_per_unit) / seconds / 1e9);
  }
  return best;
}

}  // namespace lapis
