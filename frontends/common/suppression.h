// What the operators that choose among boxes share: boxes in the order of their scores, and the greedy choice among
// them, written with operators of every graph, so that each of them has its size before the model runs.
#pragma once

#include <functional>

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
// A box is suppressed by one before it that stays, of its class,
// if they overlap by more than `threshold` (or by as much). bool[M, N].
Value* suppress(Translation& t, Formula& f, const Boxes& boxes, Value* valid, double threshold, bool or_equal);

// ---- the choice as TensorFlow and TFLite make it: the best candidate meets those that were chosen before it, which lo

// How far candidate `at`, int64[M, 1], overlaps those that were chosen, int64[M, K]: float[M, K].
// Within the body of a loop.
using Overlaps = std::function<Value*(Formula& inner, Value* at, Value* chosen)>;
// As shares of what both cover. Boxes are [M, N], or [1, N] for all; one without an area overlaps none.
// The function keeps no reference to `f`.
Overlaps shares_of(Formula& f, const Boxes& boxes);

enum class Rules {
  TensorFlow,  // beyond the limit a candidate ends, unless scores are lowered
  TFLite,      // at the limit too, and whether scores are lowered or not. A chosen box stays a candidate, which ends by
               // meeting itself
};
struct Limits {
  int64_t most = 0;
  Value *overlap = nullptr, *score = nullptr;  // numbers; scores that are lowered must stay above `score`
  double sigma = 0;                            // above 0: an overlap lowers a score by exp(-overlap^2 / (2 sigma))
  Rules rules = Rules::TensorFlow;
};
// Of each row, in the order of the choice; zeros behind the last one.
struct Chosen {
  Value *index, *scores;  // int64[M, most], float[M, most]
  Value* count;           // int64[M, 1]
};
// Candidates are the scores [M, N] above -inf; of equal ones the first.
Chosen choose(Translation& t, Formula& f, const Overlaps& overlaps, Value* scores, const Limits& limits);

}  // namespace lapis::frontend
