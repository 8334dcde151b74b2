// The invariants of code that was made from a Plan: what connects the functions of an image with the steps they are
// for. Those of the plan itself: verify_plan.h.
//
//   A1  Every step has a symbol. Loops and contractions have a function that lies in the image, others have none.
//   A2  A function gets the addresses of buffers that its step touches, of what was packed for it, of the library that
//       the plan has for it, and of the status; of nothing else. Each is in the memory, and of the size, that the plan
//       gives the buffer, and begins inside of it.
//   A3  Only arena buffers and outputs are marked as written, those that the step stores to among them.
//   A4  The form of a loop has as many dimensions and views as the loop.
#pragma once

#include "base/diagnostic.h"
#include "codegen/plan.h"

namespace lapis::codegen {

// Every violation, with its step. Linear in the number of steps.
Diagnostics verify(const CodeImage& image, const Plan& plan);

}  // namespace lapis::codegen
