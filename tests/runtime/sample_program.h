// A Program written by hand in machine code: y[i] = x[63 - i] + 5 for 64 bytes, in two steps over an arena, so that the
// second needs what other threads did in the first.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace lapis {
struct Program;
}

namespace lapis::testing {

inline constexpr int64_t kSampleSize = 64;

Program sample_program();
// The same with a third step that reports an index out of range.
Program faulting_program();
// One step that sets y[0] and then waits until x[0] is not 0: a run that lasts as long as a test wants.
Program waiting_program();
// Three steps of 64 units between five that have one: what threads share and what one does alone, in turn.
Program mixed_program();
std::array<uint8_t, kSampleSize> mixed_result(const std::array<uint8_t, kSampleSize>& x);
// The result of sample_program for `x`.
std::array<uint8_t, kSampleSize> sample_result(const std::array<uint8_t, kSampleSize>& x);
std::array<uint8_t, kSampleSize> sample_input();

// A file name below the temporary folder that no other process uses.
std::string temporary_file(const std::string& name);
// Saves sample_program there.
std::string sample_artifact(const std::string& name, bool faulting = false);

}  // namespace lapis::testing
