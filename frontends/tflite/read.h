// A .tflite file to a SourceGraph: a FlatBuffer whose every offset is checked (flatbuffer.h).
#pragma once

#include "base/file.h"
#include "frontends/common/source_graph.h"

namespace lapis::tflite_frontend {

// Constants borrow from `file`. Locations in diagnostics are nodes and tensors; the caller adds the file. `signature`
// names one way to call the model, whose names the inputs and outputs then have; without it the first graph is read, as
// TFLite does.
Result<frontend::SourceGraph> read_model(const MappedFile& file, const std::string& signature = {});

}  // namespace lapis::tflite_frontend
