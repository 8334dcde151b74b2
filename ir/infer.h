// Shape and type inference over symbolic dimensions: every value of a graph gets the best Type the records can prove.
#pragma once

#include <map>
#include <unordered_map>

#include "ir/op.h"

namespace lapis {

// What an operator's infer and propagate functions see.
class InferContext {
 public:
  using Contents = std::unordered_map<const Value*, Dims>;
  InferContext(const Node& node, const Contents& contents) : node_(node), contents_(contents) {}

  const Node& node() const { return node_; }
  size_t input_count() const { return node_.inputs().size(); }
  bool has(size_t i) const { return node_.input(i) != nullptr; }
  const Type& in(size_t i) const;                // asserts has(i)
  const Tensor* constant(size_t i) const;        // the input's tensor if it is constant, else null
  std::optional<Dims> contents(size_t i) const;  // symbolic contents of a small integer tensor (constants included)
  template <class T> T attrs() const { return node_.attrs<T>(); }

  // "Softmax (node 'attn_7'): axis 5 is out of range for float[1,12,64]", ready to be returned from infer.
  Diagnostic error(std::string message) const;
  Diagnostic unsupported(std::string message) const;  // valid ONNX that Lapis does not implement
  // Normalises a negative axis; an error if it does not lie in [-rank, rank).
  Result<int64_t> axis(int64_t axis, int64_t rank) const;

 private:
  const Node& node_;
  const Contents& contents_;
};

// What the node's record says of its first output's contents, if it has integers that the type holds: integers wrap at
// run time, and no formula says what they are then. Of a typed node.
std::optional<Dims> computed_contents(const InferContext& context);

// ONNX's multidirectional broadcasting; an error naming both shapes if they do not fit.
// Unknown ranks give an unknown rank.
Result<std::optional<Dims>> broadcast(const InferContext& context, const std::vector<const Type*>& operands);

// Infers all values in topological order, subgraphs included. All errors are collected.
// Declared output types are merged in.
Status infer_types(Graph& graph);
// Infers the outputs of one node whose inputs are already typed: for rewrites that add nodes to a typed graph.
Status infer_types(Node& node);

// What the operands of a typed node say of its outputs, without what the model declares of them: that may be wrong, and
// is found out at run time only.
Result<Types> types_without_declarations(const Node& node);

// Replaces symbols of the graph inputs by numbers ({"N", 1}) and infers again.
Status bind_symbols(Graph& graph, const std::map<std::string, int64_t>& values);
// Replaces input types by the given concrete shapes ({"x", [1,3,8,8]}) and infers again;
// an error if a shape contradicts the model.
Status bind_shapes(Graph& graph, const std::map<std::string, Shape>& shapes);
// The symbols that appear in the graph inputs' types.
std::vector<std::string> free_symbols(const Graph& graph);

}  // namespace lapis
