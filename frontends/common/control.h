// Branches and loops whose graphs a reader has put into SourceNode::bodies, as ONNX's If and Loop:
//
//   branch: inputs (condition, values...); bodies then and else: (values...) -> (results...)
//   loop:   inputs (condition, states...); body: (iteration, condition, states...) -> (condition, states...)
//
// What a body's inputs are follows from the operands: constants are constants in it too, values that a branch reads and states that no iteration
// changes are read from the graph around. The states that the reader has seen to go through the body as they are stand in the attribute kUnchanged.
#pragma once

#include "frontends/common/translate.h"

namespace lapis::frontend {

inline constexpr const char* kUnchanged = "lapis.unchanged";  // their numbers, from 0

Status branch(Translation& t);
Status loop(Translation& t);

}  // namespace lapis::frontend
