// Subgraphs that operators run: CALL is inlined, branches and loops get them as bodies (SourceNode::bodies),
// CALL_ONCE gives variables their values.
#pragma once

#include "base/result.h"
#include "frontends/common/source_graph.h"

namespace lapis::tflite_frontend {

// SourceValue::unsupported of variables, but for operators that find them as zeros.
inline constexpr std::string_view kVariable = "variable tensors";

// The graph `main` of a model with everything that it needs of the others.
//
//   CALL, READ_VARIABLE   operands to be handed on as results: what the called graph gives, the value of the variable
//   IF                    operands condition, values...; bodies then, else: (values...) -> (results...)
//   WHILE                 operands first condition, states...; body: (iteration, condition, states...)
//                         -> (condition, states...)
//
// LSTMs and the like find their variables, in which they would keep states from run to run, as zeros.
Result<frontend::SourceGraph> resolve_calls(const std::vector<frontend::SourceGraph>& graphs, size_t main);

}  // namespace lapis::tflite_frontend
