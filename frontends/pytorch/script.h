// TorchScript archives (torch.jit.save, .pt) to a SourceGraph: the code of forward() is carried out on names instead of
// tensors. Calls of submodules and functions are entered, loops with a known number of turns and branches with known
// conditions decided; what is left are operators.
#pragma once

#include <set>

#include "frontends/common/archive.h"
#include "frontends/common/options.h"
#include "frontends/common/source_graph.h"

namespace lapis::pytorch_frontend {

using frontend::Archive;

struct ScriptModel {
  frontend::SourceGraph graph;
  std::set<std::string> numbers;  // inputs that are numbers: their values are in the graph
};

// Sizes and numbers that are given for what is no input, though it may be one of `others`.
Diagnostics unknown_inputs(const std::vector<std::string>& inputs, const ImportOptions& options,
                           const std::vector<std::string>& others = {});

bool is_torchscript(std::span<const std::byte> bytes);
// Numbers among the inputs of forward(), and sizes of its tensors beside those that a traced model kept, are what the
// user gives under their names ("sr", "x_dim1").
Result<ScriptModel> read_torchscript(const MappedFile& file, const ImportOptions& options);

}  // namespace lapis::pytorch_frontend
