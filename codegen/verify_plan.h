// The invariants of a finished Plan. Emitters rely on them without looking: a Plan that breaks one is a bug of
// lowering, and code made from it would compute something else or touch foreign memory.
//
// Buffers
//   B1  Constants lie in the image of constants, weights in one part of the weights, arena buffers in the arena; all on
//       its alignment. Inputs and outputs are those of the plan, with as many bytes as their type says. Every part of
//       the weights has a hash.
//   B2  Arena buffers that are alive at the same time share no byte.
//   B3  Nothing is read before earlier steps, or earlier phases of the same one, have written as many bytes of its
//       buffer as it reaches over, halo included. Constants and inputs are never written, every output is, as a whole.
// Programs
//   P1  Arguments are earlier instructions; loads, reductions and stores name views,
//       operands and reductions that exist, an index a dimension.
//   P2  Types match: of both arguments of arithmetic, of a load and its view, of a store and its view,
//       of a gather's index.
//   P3  The sum of a kernel is the first instruction of its epilogue and nowhere else;
//       gathers, indices and reduced values are in loops only.
// Loops
//   L1  Every view has one stride a dimension, and all of its elements lie in its buffer; a gather's whole axis does.
//   L2  Rows, which may be computed at the same time, store to different elements.
//   L3  A buffer that is stored to is accessed through that one view, or stored to through others that go the same way
//       and meet it nowhere: no row reads or overwrites what another one writes.
// Contractions
//   C1  Weights and bias have the declared types and sizes, channels are whole groups, batches of computed weights are
//       whole dimensions of the grid of pixels, and the epilogue begins with the accumulator.
//   C2  The output and operands of pixels are contiguous in channels;
//       operands of channels are constants of that many elements.
//   C3  Every pixel's taps, result and operands lie in their buffers,
//       and a column of the grid reaches as far as its view.
//   C4  It is scheduled: a row of the kernel table, tiles, no negative number of work units; what was packed lies in
//       the weights and the constants, what is computed in the arena. A library is called where the row is one, and
//       nowhere else.
//   C5  Pixels store to different elements, of a buffer that nothing is read from.
//   C6  What tables hold fits 32 bits: the addresses of all channels of all pixels, and offsets in what is packed.
// Calls
//   K1  Operands and results are row-major and lie in their buffers;
//       either a routine of the runtime or a host function is called.
//   K2  A result's buffer is that of no operand and of no other result.
// Control flow
//   F1  Conditions are one Bool, trips and counters one Int64;
//       a block ends inside of the block around it, behind its beginning.
//   F2  What only one branch writes, or only a repetition, counts as not written behind it.
//   F3  A repetition can end. A collection is its parts side by side.
#pragma once

#include "base/diagnostic.h"
#include "codegen/plan.h"

namespace lapis::codegen {

// Every violation, with its step. Linear in the size of the plan.
Diagnostics verify(const Plan& plan);

}  // namespace lapis::codegen
