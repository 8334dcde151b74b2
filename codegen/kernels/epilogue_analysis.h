// What an epilogue needs and how it may be simplified, decided without emitting anything: value ranges from the
// constants, clips moved behind the rounding where they are byte instructions, registers.
#pragma once

#include <span>

#include "codegen/kernels/exact_division.h"
#include "codegen/scalar/expand.h"

namespace lapis::kernels {

struct Interval {
  double low, high;
  bool finite() const;
};

// Bounds of a per-channel constant, as coarse as they may be: layers whose constants are alike share their code.
Interval per_channel_range(const View& view, const Plan& plan);

struct EpilogueAnalysis {
  // `plan` gives the values of per-channel constants; null: nothing is known about them (register counts need no
  // values).
  EpilogueAnalysis(const Contraction& c, const Plan* plan);
  EpilogueAnalysis(const Contraction& c, const Plan* plan, scalar::Expansion expansion);  // of its epilogue

  std::vector<Instr> program;  // the epilogue, functions written out, simplified
  int result;                  // the instruction that is stored
  bool functions;              // some were written out: long programs, for which sums may wait in memory
  int table = -1;              // operand by which the stored bytes are replaced in the end
  std::vector<bool> live;      // computed at all
  std::vector<int> last_use;   // instruction that uses a value last; `result` itself for the result
  std::vector<Interval> range;
  // Clip of the stored bytes, applied after saturation: max with low, then min with high.
  double clip_low, clip_high;
  // The result is a Quantize of the sum of two Dequantize; its args are the two integers then.
  SumPlan sum;
  int zero_a = 0, zero_b = 0;
  int values;                   // of one vector that are alive at a time, the accumulator among them
  int shared;                   // registers for raw bytes and scratch, however many vectors are computed together
  std::vector<bool> in_select;  // comparisons that are made where the one Select that reads them is
  int registers() const { return values - 1 + shared; }  // beyond the accumulators

  DType stored() const { return program[static_cast<size_t>(result)].type; }  // before the table

 private:
  void find_ranges(const Contraction& c, const Plan* plan);
  void take_table();
  void forward_bits();
  void move_clips();
  void fuse_sum();
  void find_uses();
  void find_comparisons();
  void count_registers(const Contraction& c);
  bool in_register(int id, const Contraction& c) const;
  int dying(int id, const Contraction& c) const;
  int scratch(int id, const Contraction& c) const;
};

}  // namespace lapis::kernels
