// Exported programs (torch.export.save, .pt2) to a SourceGraph: both generations of the archive.
#pragma once

#include "frontends/common/archive.h"
#include "frontends/common/options.h"
#include "frontends/common/source_graph.h"

namespace lapis::pytorch_frontend {

using frontend::Archive;

bool is_exported_program(std::span<const std::byte> bytes);
// Sizes that the user gives for symbols are checked against the ranges of the program.
Result<frontend::SourceGraph> read_exported_program(const MappedFile& file, const ImportOptions& options);

}  // namespace lapis::pytorch_frontend
