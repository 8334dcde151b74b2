#include "driver/peak.h"

#include <algorithm>
#include <chrono>

#include "codegen/x86/peak.h"
#include "runtime/abi.h"
#include "runtime/memory.h"

namespace lapis {

Result<double> measure_peak(DType dtype, const Target& target) {
  using Clock = std::chrono::steady_clock;
  const x86::PeakLoop loop = x86::emit_peak(dtype, target);
  LAPIS_TRY(const CodeMemory code, CodeMemory::seal(std::as_bytes(std::span(loop.code))));
  const auto run = reinterpret_cast<abi::StepFn>(const_cast<std::byte*>(code.data()));
  constexpr int64_t kIterations = 200'000;  // about a millisecond
  double best = 0;
  for (int repeat = 0; repeat < 8; ++repeat) {
    const auto start = Clock::now();
    run(nullptr, 0, kIterations);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::max(best, static_cast<double>(kIterations * loop.macs_per_unit) / seconds / 1e9);
  }
  return best;
}

}  // namespace lapis
