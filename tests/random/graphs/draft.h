// Draft: a graph while it is being drawn. Values with known shapes are in a pool that operands are taken from, so that
// chains, diamonds, shared and unused values come about; every node is inferred at once and taken back if the records
// refuse it.
#pragma once

#include <optional>

#include "ir/evaluate.h"
#include "tests/random/graphs/draw.h"

namespace lapis::random_graphs {

// One node that may be added.
struct Proposal {
  std::vector<Value*> inputs;
  Attributes attributes;
  size_t outputs = 1;
};

class Draft {
 public:
  explicit Draft(uint64_t seed);

  Random random;
  std::unique_ptr<Graph> graph;
  Feeds feeds;  // of the graph's inputs
  Mood mood;
  int constants = 50;  // percent of new operands that are constants
  int refused = 0;     // proposals that the records refused
  bool views = true;   // operands may be views of other values

  // A new input or constant.
  Value* fresh(DType dtype, const Shape& shape) { return fresh(draw_tensor(random, dtype, shape, mood)); }
  Value* fresh(Tensor tensor);
  Value* constant(Tensor tensor) { return graph->add_constant(std::move(tensor)); }
  // Parameters whose contents decide about shapes: constants, rarely inputs.
  Value* ints(std::vector<int64_t> values, DType dtype = DType::Int64);
  Value* scalar(DType dtype, double value, bool vector = false);
  // A value of just this type: one that is there, a view of one, or a new one.
  Value* like(DType dtype, const Shape& shape);
  // Any value of one of the types with such a rank; null if the types cannot be drawn.
  Value* some(TypeSet types, int64_t lowest_rank = 0, int64_t highest_rank = 5);

  // The new node, or null if the records refuse it. What it computes joins the pool as far as its shapes are known.
  Node* apply(const OpDef& op, Proposal proposal);
  // As apply, but nobody asks the records: the importer must.
  Node* force(const OpDef& op, Proposal proposal);
  // Some view of the value: the same elements moved.
  Value* view(Value* value);

  const std::vector<Value*>& pool() const { return pool_; }
  void choose_outputs();

 private:
  Value* pooled(TypeSet types, int64_t lowest_rank, int64_t highest_rank);
  Value* as_view(DType dtype, const Shape& shape);
  Node* insert(const OpDef& op, Proposal proposal);
  std::vector<Value*> pool_, loose_;  // with and without a known shape
};

}  // namespace lapis::random_graphs
