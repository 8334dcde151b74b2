// A .tflite file to a SourceGraph: a FlatBuffer whose every offset is checked (flatbuffer.h).
#pragma once

#include "base/file.h"
#include "frontends/common/source_graph.h"

namespace lapis::tflite_frontend {

// Constants borrow from `file`. Locations in diagnostics are nodes and tensors; the caller adds the file.
Result<frontend::SourceGraph> read_model(const MappedFile& file);

}  // namespace lapis::tflite_frontend
