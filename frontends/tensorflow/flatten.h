// A GraphDef to a SourceGraph: the part that is wanted, without what only training or TensorFlow's runtime needs. Calls
// of functions are replaced by what they call, Identity and its like by what they stand for, variables by their values,
// branches whose predicate is constant by the one that is taken.
// Other branches and loops keep their functions as bodies.
#pragma once

#include <functional>

#include "frontends/tensorflow/graph_def.h"
#include "ir/number.h"

namespace lapis::tensorflow_frontend {

// A value of the graph, and what the model calls it outside.
struct Port {
  std::string name;  // "image"
  std::string ref;   // "serving_default_image:0"
};
struct Part {
  std::vector<Port> inputs, outputs;          // none: those that the graph has
  bool from_user = false;                     // named by hand, so that slips are worth a message
  std::map<std::string, Number> values = {};  // inputs that are always the same number
  static Port of(const std::string& name);
};

struct Model {
  GraphDef graph;
  std::shared_ptr<const std::byte> owner;  // of the bytes that constants lie over
  size_t bytes = 0;                        // of all files
  // The value of the variable that a node stands for; undefined where there is none:
  // then it is an operator that cannot be imported.
  std::function<Result<Tensor>(const NodeDef&)> variable = nullptr;
  // Where the user's program wrote a node of the graph (function ""), or of a function; null if nobody knows.
  std::function<std::string(const std::string& node, const std::string& function)> written_at = nullptr;
};

// Locations in diagnostics are nodes; the caller adds the file. `model` must live as long as nothing is left to read.
Result<frontend::SourceGraph> flatten(const Model& model, const Part& part);

}  // namespace lapis::tensorflow_frontend
