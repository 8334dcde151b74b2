// Whether this build has sanitizers, for tests of what they cannot bear: they map more address space than any RLIMIT_AS
// allows, and that of threads starts none after a fork.
//
//   if (kSanitized) GTEST_SKIP() << "sanitizers need unlimited address space";
#pragma once

namespace lapis::testing {

#ifdef LAPIS_SANITIZED  // cmake/targets.cmake
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

// What a sweep over sizes or damaged bytes goes on by. Where everything takes ten times as long, a fifth of it is
// tried: of bits that is each place in a byte in turn, and the fuzz targets go on with files under the same sanitizers.
inline constexpr int kStride = kSanitized ? 5 : 1;

#if defined(__SANITIZE_THREAD__)  // gcc
inline constexpr bool kThreadSanitized = true;
#elif defined(__has_feature)  // clang
inline constexpr bool kThreadSanitized = __has_feature(thread_sanitizer);
#else
inline constexpr bool kThreadSanitized = false;
#endif

}  // namespace lapis::testing
