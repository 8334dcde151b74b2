// Branches and loops whose graphs a reader has put into SourceNode::bodies, as ONNX's If, Loop and Scan:
//
//   branch: inputs (condition, values...); bodies then and else: (values...) -> (results...)
//   loop:   inputs (condition, states...); body: (iteration, condition, states...) -> (condition, states...)
//   scan:   inputs (states..., sequences..., values...); body: (states..., slices..., values...) -> (states...,
//           results...), of which as many as the attributes kStates and kSequences say
//
// What a body's inputs are follows from the operands: constants are constants in it too, values that a branch reads and
// states that no iteration changes are read from the graph around. The states that the reader has seen to go through
// the body as they are stand in the attribute kUnchanged.
#pragma once

#include "frontends/common/translate.h"

namespace lapis::frontend {

inline constexpr const char* kUnchanged = "lapis.unchanged";  // their numbers, from 0

// The numbers of the results of a branch that are lists of tensors, as is_unfilled() knows them.
inline constexpr const char* kLists = "lapis.lists";

inline constexpr const char* kStates = "lapis.states";
inline constexpr const char* kSequences = "lapis.sequences";

// A list of tensors, which is one tensor with an axis in front,
// has elements of the size 0 where that is not known before somebody sets one.
bool is_unfilled(const Type& list);

// Zeros of a type whose sizes are numbers or those of values around.
Result<Value*> zeros(Translation& t, const Type& type, const std::vector<Value*>& around);

Status branch(Translation& t);
Status loop(Translation& t);
Status scan(Translation& t);

}  // namespace lapis::frontend
