// Whether this build has sanitizers, for tests of what they cannot bear: they map more address space than any RLIMIT_AS allows, and
// start no threads after a fork.
//
//   if (kSanitized) GTEST_SKIP() << "sanitizers need unlimited address space";
#pragma once

namespace lapis::testing {

#ifdef LAPIS_SANITIZED  // cmake/targets.cmake
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace lapis::testing
