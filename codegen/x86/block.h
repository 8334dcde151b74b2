// The block of arguments of a contraction's code: which word is what.
#pragma once

namespace lapis::x86 {

enum Word {
  kUnitTable,
  kPackedWeights,
  kPackedParams,
  kPixelTable,
  kInputBuffer,
  kOutputBuffer,
  kOperands,  // then a word for each operand: its buffer, its table of bytes; nothing where it is packed with the
              // parameters
};

}  // namespace lapis::x86
