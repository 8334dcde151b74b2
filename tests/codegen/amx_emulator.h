// Runs AMX code on machines without AMX. An AMX instruction is illegal there: a handler decodes it, does to a software
// tile state what the processor would do to its registers, and resumes behind it. It is strict: what a processor
// refuses (a register without a shape, shapes that do not belong together) ends the run with the reason, and so does
// what none of our code may leave behind, tiles that were not released.
//
//   const std::string fault = run_with_amx([&] { function(&frame, 0, units); });   // "" if nothing was wrong
//
// Where the processor has AMX, and the kernel permits it, code runs on it and nothing is found.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace lapis::testing {

struct AmxInstruction {
  enum class Kind : uint8_t { Configure, Release, Zero, Load, Store, DotUU, DotUS, DotSU, DotSS, DotBf16 };
  Kind kind;
  int tile = 0;               // what is written, or stored
  int a = 0, b = 0;           // factors, of Dot*
  int base = -1, index = -1;  // general registers; -1: none
  int scale = 1, displacement = 0;
  int length = 0;                 // bytes
  std::string to_string() const;  // as LLVM's disassembler prints it in Intel syntax
};

// The instruction at `code`, if it is one of these and none that the processor refuses for its encoding.
std::optional<AmxInstruction> decode_amx(const uint8_t* code);

// The tile registers. What returns a string does nothing to them where that is not empty:
// it is why the processor refuses.
class TileState {
 public:
  static constexpr int kTiles = 8, kRows = 16, kRowBytes = 64;

  std::string configure(const uint8_t* shapes);  // 64 bytes
  void release() { *this = {}; }
  std::string zero(int tile);
  std::string load(int tile, const uint8_t* base, int64_t pitch);
  std::string store(int tile, uint8_t* base, int64_t pitch) const;
  std::string multiply(AmxInstruction::Kind kind, int sums, int a, int b);
  bool configured() const { return palette_ != 0; }

 private:
  struct Tile {
    int rows = 0, bytes = 0;
    std::array<std::array<uint8_t, kRowBytes>, kRows> data = {};
  };
  std::string usable(int tile) const;
  int palette_ = 0;
  std::array<Tile, kTiles> tiles_ = {};
};

// What was wrong, else "". `run` must not leave destructors behind where code of its own stops.
std::string run_with_amx(const std::function<void()>& run);

// Emulated instructions of this thread so far.
int64_t emulated_instructions();

}  // namespace lapis::testing
