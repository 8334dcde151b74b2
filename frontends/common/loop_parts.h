// What a loop consists of before it is a node, for those who see more in it than a loop, and how often it runs.
#pragma once

#include "frontends/common/translate.h"

namespace lapis::frontend {

struct LoopParts {
  const Graph& body;            // (iteration, condition, states...) -> (condition, states...)
  std::vector<Value*> inputs;   // of the body, by state; null for those that are constants in it
  std::vector<Value*> starts;   // what the states are before, in the graph around
  std::vector<bool> unchanged;  // states that go through the body as they are
};

// Behind nodes that change nothing.
Value* without_identity(Value* v);
// What a sum or a conjunction is made of, however it is nested.
std::vector<Value*> terms_of(Value* v, const OpDef& op);
std::optional<int64_t> constant_number(const Value* v);

// How often the loop runs if its condition holds at first, as one int64 in the graph around: where states that count by
// 1 are compared with limits that no iteration changes, and nothing else ends it. Null for other loops.
Result<Value*> trips_of(Translation& t, const LoopParts& loop);

}  // namespace lapis::frontend
