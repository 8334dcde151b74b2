// Whether something is in use, for what one thread at a time may use: a second one is turned away, never made to wait.
// A forked child finds it free, whatever its parent was doing.
//
//   const Occupancy::Stay stay(occupancy);
//   if (!stay) return error(...);
#pragma once

#include <atomic>

#include "runtime/thread_pool.h"

namespace lapis {

class Occupancy {
 public:
  class Stay {
   public:
    explicit Stay(Occupancy& place) : place_(place), entered_(place.enter()) {}
    ~Stay() {
      if (entered_) place_.user_.store(0, std::memory_order_release);
    }
    Stay(const Stay&) = delete;
    explicit operator bool() const { return entered_; }

   private:
    Occupancy& place_;
    const bool entered_;
  };

 private:
  bool enter() {
    const uint64_t here = process_generation();
    uint64_t other = 0;
    if (user_.compare_exchange_strong(other, here, std::memory_order_acquire)) return true;
    if (other == here) return false;  // otherwise it was in use in the parent when this process was forked
    return user_.compare_exchange_strong(other, here, std::memory_order_acquire);
  }
  std::atomic<uint64_t> user_{0};  // the process_generation() of who uses it, 0 while nobody does
};

}  // namespace lapis
