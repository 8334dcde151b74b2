// Loops that write the elements of a growing list one behind the other, as tf.TensorArray with dynamic_size does, push
// them onto it: then nothing asks where they belong, and the elements can be collected.
//
//   (i, list) -> (i + 1, list.write(i, x)), beginning with i = the number of elements of the list
#pragma once

#include "frontends/common/source_graph.h"

namespace lapis::tensorflow_frontend {

// `states` are the values of `around` that the states of the loop begin with; the body takes the iteration and the
// condition before them, and gives the condition.
void push_what_is_written_in_order(frontend::SourceGraph& body, const frontend::SourceGraph& around,
                                   const std::vector<std::string>& states);

}  // namespace lapis::tensorflow_frontend
