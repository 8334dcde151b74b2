// What the operators that choose among boxes share: boxes in the order of their scores, and the greedy choice among them, written with operators of
// every graph, so that each of them has its size before the model runs.
#pragma once

#include "frontends/common/formula.h"

namespace lapis::frontend {

// Rows of a batch: float[M, N, W].
struct Sorted {
  Value* rows;
  Value* valid;  // bool[M, N]; those that are not stand behind all others
};

Value* column(Formula& f, Value* rows, int64_t at);                  // [M, N] of [M, N, W]
Value* take_rows(Formula& f, Value* rows, Value* index);             // [M, K, W] of [M, N, W] by int64[M, K]
Sorted sort_rows(Formula& f, Value* rows, Value* keys);              // by float[M, N], highest first; -inf: not valid
Value* as_keys(Formula& f, Value* valid, Value* scores);             // -inf for what is not valid
Sorted valid_first(Formula& f, Value* rows, Value* valid);           // in the order in which they are
Value* minus_one_unless(Formula& f, Value* condition, Value* rows);  // by [M, N]

// Corners of the boxes, [M, N] each; their classes, or null if those do not matter.
struct Boxes {
  Value *left, *top, *right, *bottom, *classes;
};
// A box is suppressed by one before it that stays, of its class, if they overlap by more than `threshold` (or by as much). bool[M, N].
Value* suppress(Translation& t, Formula& f, const Boxes& boxes, Value* valid, double threshold, bool or_equal);

}  // namespace lapis::frontend
