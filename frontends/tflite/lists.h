// Lists of tensors, which TFLite's converter writes as one tensor with an axis more: an element is set by joining what
// lies before it, the new element, and what lies behind it. The two parts have sizes that depend on the position,
// though the whole does not.
#pragma once

#include "frontends/common/source_graph.h"

namespace lapis::tflite_frontend {

// concat(x[:i], element, x[i + 1:]) becomes DYNAMIC_UPDATE_SLICE(x, element, [i, ...]).
void set_elements_in_place(frontend::SourceGraph& graph);

}  // namespace lapis::tflite_frontend
