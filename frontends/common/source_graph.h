// SourceGraph: a foreign model as its reader found it, in no framework's terms: nodes with typed attributes between
// named values. Readers make it from hostile files, translate.h makes a Graph of it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "ir/type.h"

namespace lapis::frontend {

// real = (stored - zero point) * scale, with one pair for all elements or one for each slice along `axis`.
struct Quantization {
  std::vector<float> scales;         // at least one; finite and above 0
  std::vector<int64_t> zero_points;  // as many
  int64_t axis = 0;
};

struct SourceValue {
  Type type;  // as declared; what is unknown is left open, but for inputs, where it has a name
  std::optional<Quantization> quantization;  // of integers that stand for reals
  Tensor constant;                           // undefined if it is computed
  bool given = false;                        // there before the first node: an input, a constant, state
  bool unset = false;       // a result that this way through the graph does not set: nobody reads what it is
  bool unfilled = false;    // a list that the loop around is to fill, of whose elements nothing is known yet
  std::string unsupported;  // what no node can have: "sparse tensors"; empty: nothing
};

// Like Attribute: copying, moving and destroying is compiled once.
struct SourceAttribute : std::variant<bool, int64_t, double, std::string, std::vector<int64_t>, std::vector<double>> {
  using variant::variant;
  SourceAttribute();
  SourceAttribute(const SourceAttribute& other);
  SourceAttribute(SourceAttribute&& other) noexcept;
  SourceAttribute& operator=(const SourceAttribute& other);
  SourceAttribute& operator=(SourceAttribute&& other) noexcept;
  ~SourceAttribute();
};
using SourceAttributes = std::map<std::string, SourceAttribute, std::less<>>;
// The attribute of this name, or `fallback` if there is none of its type.
template <class T> T attribute(const SourceAttributes& attributes, std::string_view name, T fallback) {
  const auto it = attributes.find(name);
  const T* value = it == attributes.end() ? nullptr : std::get_if<T>(&it->second);
  return value ? *value : fallback;
}

struct SourceGraph;

struct SourceNode {
  std::string op, name;  // as the format names them
  int64_t version = 1;   // of the operator
  SourceAttributes attributes;
  std::vector<std::string> inputs, outputs;  // "": absent
  std::string written_at = {};               // "model.py:17", where the framework kept it
  // Graphs that it runs: they see nothing around them, and their names begin with that of the node.
  std::vector<std::shared_ptr<const SourceGraph>> bodies = {};
};

struct SourceGraph {
  std::string name;
  std::unordered_map<std::string, SourceValue> values;  // every name below is in it
  std::vector<std::string> inputs, outputs;
  std::vector<SourceNode> nodes;  // in any order
  size_t file_bytes = 0;          // what the model brings, which limits what it may ask for
};

std::string location_of(const SourceNode& node);  // "node 'features/conv1' (CONV_2D, model.py:17)"

}  // namespace lapis::frontend
