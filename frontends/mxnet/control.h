// _foreach, _while_loop and _cond: nodes that run parts of the symbol, as the forms of common/control.h.
#pragma once

#include <string_view>

#include "base/result.h"
#include "frontends/common/source_graph.h"

namespace lapis::mxnet_frontend {

bool is_control_flow(std::string_view op);
// Puts the node into the graph, its operands and results in another order,
// and what decides whether it goes on in front of it. `parts` are its graphs.
Status add_control_flow(frontend::SourceNode node, const std::vector<frontend::SourceGraph>& parts,
                        frontend::SourceGraph& graph);

}  // namespace lapis::mxnet_frontend
