// Milliseconds of the processor that were used here: what others do on the same cores does not count.
#pragma once

#include <ctime>

namespace lapis {

inline double milliseconds_of(clockid_t clock) {
  timespec t{};
  ::clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

// By this thread.
inline double processor_milliseconds() { return milliseconds_of(CLOCK_THREAD_CPUTIME_ID); }
// By all threads of the program.
inline double program_milliseconds() { return milliseconds_of(CLOCK_PROCESS_CPUTIME_ID); }

}  // namespace lapis
