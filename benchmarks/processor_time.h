// Milliseconds of the processor that this thread has used: what others do on the same cores does not count.
#pragma once

#include <ctime>

namespace lapis {

inline double processor_milliseconds() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

}  // namespace lapis
