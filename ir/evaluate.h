// The reference evaluator: slow, obvious, trusted.
// It defines what every kernel must compute; constant folding runs it too.
#pragma once

#include <map>

#include "ir/op.h"

namespace lapis {

using Feeds = std::map<std::string, Tensor>;  // by value name

// What an operator's evaluate function sees: concrete tensors in, concrete tensors out.
class EvalContext {
 public:
  EvalContext(const Node& node, std::vector<const Tensor*> inputs)
      : node_(node), inputs_(std::move(inputs)), outputs_(node.outputs().size()) {}

  const Node& node() const { return node_; }
  size_t input_count() const { return inputs_.size(); }
  bool has(size_t i) const { return i < inputs_.size() && inputs_[i] != nullptr; }
  const Tensor& in(size_t i) const;  // asserts has(i)
  template <class T> T attrs() const { return node_.attrs<T>(); }
  bool wants(size_t i) const { return node_.output(i) != nullptr; }
  Tensor& out(size_t i, DType dtype, Shape shape);  // allocates output i
  void set_out(size_t i, Tensor tensor);
  std::vector<Tensor>& outputs() { return outputs_; }
  Diagnostic error(std::string message) const;
  Diagnostic unsupported(std::string message) const;
  // Runs a subgraph (If, Loop, Scan) with values for its inputs; outer values are visible to it.
  Result<std::vector<Tensor>> run(const Graph& subgraph, const std::vector<Tensor>& inputs) const;

 private:
  friend class ReferenceRun;
  const Node& node_;
  std::vector<const Tensor*> inputs_;
  std::vector<Tensor> outputs_;
  const class ReferenceRun* scope_ = nullptr;
};

// One node on concrete tensors (in operand order, null for absent ones).
Result<std::vector<Tensor>> evaluate_node(const Node& node, const std::vector<const Tensor*>& inputs);
// The whole graph; outputs in the order of graph.outputs(). Feeds are checked against the input types.
Result<std::vector<Tensor>> evaluate(const Graph& graph, const Feeds& feeds);

// Runs a model for a pass that needs its values (calibration, sensitivity).
// The driver hands in the JIT, tests the reference.
class Evaluator {
 public:
  virtual ~Evaluator() = default;
  // Loads a graph with static shapes; `watched` are values of it (beyond its outputs) that run() must also return.
  virtual Status load(const Graph& graph, const std::vector<std::string>& watched) = 0;
  // The watched values, then the graph outputs, by name.
  virtual Result<Feeds> run(const Feeds& feeds) = 0;
};
std::unique_ptr<Evaluator> reference_evaluator();

// Checks feeds against the graph's inputs: missing, unknown, wrong dtype or shape; all findings at once.
Diagnostics check_feeds(const Graph& graph, const Feeds& feeds);

}  // namespace lapis
