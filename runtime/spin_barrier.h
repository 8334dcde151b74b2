// Where threads of one run wait for each other. They spin briefly, then yield: safe when cores are fewer than threads.
//
//   SpinBarrier barrier;
//   // on each of `count` threads:
//   barrier.wait(count, [&] { sum_up(); });   // by the last to arrive, while the others wait
#pragma once

#include <immintrin.h>
#include <sched.h>

#include <atomic>
#include <cstdint>

namespace lapis {

inline constexpr int kSpinsBeforeYield = 2000;  // about 20 us: longer than any imbalance between well-split parts

inline void relax(int& spins) {
  if (++spins < kSpinsBeforeYield)
    _mm_pause();
  else
    ::sched_yield();
}

class SpinBarrier {
 public:
  // All `count` threads leave only after all have entered and the last has run `last()`.
  template <class Last> void wait(int count, Last&& last) {
    const uint64_t generation = generation_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == count) {
      last();
      arrived_.store(0, std::memory_order_relaxed);
      generation_.store(generation + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; generation_.load(std::memory_order_acquire) == generation;) relax(spins);
  }

 private:
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<uint64_t> generation_{0};
};

}  // namespace lapis
