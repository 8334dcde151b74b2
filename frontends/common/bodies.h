// Graphs that nodes run (SourceNode::bodies), put together of others:
// readers know a condition and what is repeated, ONNX's Loop wants one graph.
#pragma once

#include "base/result.h"
#include "frontends/common/source_graph.h"

namespace lapis::frontend {

// The nodes of `from` in `to`, names behind `prefix`, inputs as `arguments`, which are as many;
// the names of the outputs.
std::vector<std::string> append_graph(SourceGraph& to, const SourceGraph& from, const std::string& prefix,
                                      const std::vector<std::string>& arguments);

// A graph of its own, in which all names stand behind `prefix`.
SourceGraph with_prefix(const SourceGraph& from, const std::string& prefix);

// The same with results that are values of their own.
SourceGraph own_body(const SourceGraph& from, const std::string& prefix, const SourceNode& same);

// What a loop repeats: (iteration, condition, states...) -> (condition, states...), of a graph states -> states and one
// states -> condition. The states behind those that `step` gives do not change; all that do not are listed in
// `unchanged`. `same` is the format's node that hands a value on.
SourceGraph loop_body(const SourceGraph& step, const SourceGraph& condition, const std::string& prefix,
                      const SourceNode& same, std::vector<int64_t>& unchanged);

}  // namespace lapis::frontend
