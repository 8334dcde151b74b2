// What an epilogue needs and how it may be simplified, decided without emitting anything: value ranges from the
// constants, clips moved behind the rounding where they are byte instructions, registers.
#pragma once

#include <span>

#include "codegen/plan.h"
#include "codegen/x86/exact_division.h"

namespace lapis::x86 {

struct Interval {
  double low, high;
  bool finite() const;
};

struct EpilogueAnalysis {
  // `plan` gives the values of per-channel constants; null: nothing is known about them (register counts need no
  // values).
  EpilogueAnalysis(const Contraction& c, const Plan* plan);

  std::vector<Instr> program;  // the epilogue, simplified; ids unchanged
  int result;                  // the instruction that is stored
  std::vector<bool> live;      // computed at all
  std::vector<int> last_use;   // instruction that uses a value last; `result` itself for the result
  std::vector<Interval> range;
  // Clip of the stored bytes, applied after saturation: max with low, then min with high.
  double clip_low, clip_high;
  // The result is a Quantize of the sum of two Dequantize; its args are the two integers then.
  SumPlan sum;
  int zero_a = 0, zero_b = 0;
  int registers;  // beyond the accumulators: values, raw bytes, scratch

 private:
  void find_ranges(const Contraction& c, const Plan* plan);
  void move_clips();
  void fuse_sum();
  void find_uses();
  void count_registers(const Contraction& c);
};

}  // namespace lapis::x86
