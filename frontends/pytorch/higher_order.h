// Branches and loops of exported programs (torch.cond, while_loop, scan, map):
// operators whose arguments are graphs, which become the bodies of a node.
#pragma once

#include <functional>

#include "base/result.h"
#include "frontends/common/json.h"
#include "frontends/pytorch/writer.h"

namespace lapis::pytorch_frontend {

// Reads one of the graphs among the arguments.
using ReadGraph = std::function<Result<frontend::SourceGraph>(const frontend::Json& graph)>;

bool is_higher_order(const std::string& op);
// `call` has its operator, its place and its outputs; `inputs` are those of the node in the file.
Status add_higher_order(Call call, const frontend::Json& inputs, const ReadGraph& read, Writer& writer);

}  // namespace lapis::pytorch_frontend
