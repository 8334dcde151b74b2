// An MXNet symbol file and the parameters beside it to a SourceGraph. Labels and what only training needs are left out.
#pragma once

#include "frontends/common/source_graph.h"
#include "frontends/mxnet/params.h"

namespace lapis::mxnet_frontend {

// Locations in diagnostics are nodes and variables; the caller adds the file. `file_bytes` is what both files bring.
Result<frontend::SourceGraph> read_symbol(std::span<const std::byte> symbol, const Parameters& parameters,
                                          size_t file_bytes);

}  // namespace lapis::mxnet_frontend
