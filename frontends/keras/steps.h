// Sequences of which some steps are left out, for networks that know only how long a sequence is: the steps that count
// move to the front, and what comes of them is spread over all steps again.
//
//   LAPIS_TRY(const Steps steps, steps_of(t, kMask));
//   LAPIS_TRY(x, rows_at(t, x, steps.order));                    // and steps.lengths goes to the network
//   LAPIS_TRY(y, spread(t, steps, y, {.backwards = false}));
#pragma once

#include "frontends/keras/translators.h"

namespace lapis::keras_frontend {

struct Steps {
  Value* counts = nullptr;   // bool [N, steps]: whether it does
  Value* before = nullptr;   // int64 [N, steps]: how many that count stand before it
  Value* first = nullptr;    // int64 [N, 1]: the row of the sequence's first step among all rows
  Value* order = nullptr;    // int64 [N, steps]: rows, those of steps that count first
  Value* lengths = nullptr;  // int32 [N]: how many count
};
Result<Steps> steps_of(Translation& t, size_t mask);

// Rows of x [N, steps, values].
Result<Value*> rows_at(Translation& t, Value* x, Value* rows);

// y [N, steps, values], of those that count first: at each step what the last one gave that counts, as one comes from
// the front or from behind; zeros before there is one, or at all steps that do not count.
struct Spread {
  bool backwards = false, zeros = false;
};
Result<Value*> spread(Translation& t, const Steps& steps, Value* y, const Spread& how);
// y [N, values], the last of a sequence; zeros where no step counts.
Result<Value*> last_or_zeros(Translation& t, const Steps& steps, Value* y);

}  // namespace lapis::keras_frontend
