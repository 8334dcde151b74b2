// TensorFlow's protocol buffers, as far as they are read: graphs, functions and tensors.
// Names are copied, tensors are views of the bytes.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/file.h"
#include "frontends/common/limits.h"
#include "frontends/common/source_graph.h"

namespace lapis::tensorflow_frontend {

// Sizes, of which -1 is unknown; nullopt: not even the rank is known.
using ShapeProto = std::optional<std::vector<int64_t>>;

struct NodeDef {
  std::string name, op;
  std::vector<std::string> inputs;  // "name", "name:1"; in functions "name:output:0"; "^name" orders only
  // Types as the numbers of DType (0 for what Lapis has none for), shapes of known rank as sizes,
  // functions as their names.
  std::map<std::string, frontend::SourceAttribute, std::less<>> attributes;
  std::vector<std::string> functions;     // the attribute that is a list of them: the branches of a Case
  std::string_view tensor;                // the attribute `value` of a constant: a TensorProto
  std::vector<ShapeProto> output_shapes;  // the attribute `output_shapes` or `_output_shapes`

  template <class T> const T* attribute(std::string_view key) const {
    const auto it = attributes.find(key);
    return it == attributes.end() ? nullptr : std::get_if<T>(&it->second);
  }
};

struct FunctionDef {
  std::string name;
  std::vector<std::string> inputs, outputs;
  std::vector<NodeDef> nodes;
  std::map<std::string, std::string> returns;  // what each output is in the body
};

struct GraphDef {
  std::vector<NodeDef> nodes;
  std::unordered_map<std::string, FunctionDef> functions;
};

// Undefined for what Lapis has no type for: resources, variants.
DType dtype_of(uint64_t data_type);

// Errors: a flaw of the bytes. A graph with nothing in it is none.
Result<GraphDef> parse_graph(std::string_view bytes);
Result<ShapeProto> parse_shape(std::string_view bytes);

// A TensorProto; large ones lie over `bytes`, which `owner` keeps alive.
// What a few bytes are repeated to is counted by `copies`.
Result<Tensor> parse_tensor(std::string_view bytes, const std::shared_ptr<const std::byte>& owner,
                            frontend::Expansion& copies);
// Of raw little-endian bytes.
Result<Tensor> tensor_of(DType dtype, Shape shape, std::string_view content,
                         const std::shared_ptr<const std::byte>& owner, frontend::Expansion& copies);

inline std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace lapis::tensorflow_frontend
