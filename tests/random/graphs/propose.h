// Operands and attributes that an operator may get, one function a family: the records say which types and attributes
// there are, but not which axes, shapes and pads belong together. An operator without a row is drawn generically:
// operands of one type that broadcast.
//
//   if (auto proposal = propose(draft, ops::Conv)) draft.apply(ops::Conv, *proposal);
#pragma once

#include <map>

#include "tests/random/graphs/draft.h"

namespace lapis::random_graphs {

using Proposer = std::optional<Proposal> (*)(Draft& draft, const OpDef& op);
using ProposerTable = std::map<std::string_view, Proposer>;

// One table a file; proposers() is all of them.
ProposerTable contraction_proposers();
ProposerTable movement_proposers();
ProposerTable indexing_proposers();
ProposerTable reduction_proposers();
ProposerTable elementwise_proposers();
ProposerTable control_flow_proposers();
ProposerTable recurrent_proposers();
const ProposerTable& proposers();

// nullopt if there is nothing to draw (an operator of types that tensors are not drawn of).
std::optional<Proposal> propose(Draft& draft, const OpDef& op);
// The same with something wrong: an operand too many, of another type or shape, an attribute out of its range.
std::optional<Proposal> propose_spoiled(Draft& draft, const OpDef& op);

// ---- what the families share ----------------------------------------------------------------------------------------

// Optional attributes of the record, about half of them, at values that the record may allow.
Attributes draw_attributes(Draft& draft, const OpDef& op);
// An axis of a value of this rank, counted from either end, rarely one beyond.
int64_t draw_axis(Random& random, int64_t rank);
std::vector<int64_t> draw_ints(Random& random, size_t count, int64_t lowest, int64_t highest);

Value* propose_view(Draft& draft, Value* value);
Value* reshape_to(Draft& draft, Value* value, const Shape& shape);
// Cut out of a larger value of the same rank; null if it is not larger everywhere.
Value* slice_to(Draft& draft, Value* value, const Shape& shape);

}  // namespace lapis::random_graphs
