// Sequences and optionals of a model. Graphs have none:
// what takes and makes them is resolved while the model is imported.
//
//   s = SequenceConstruct (a, b)            a list: its elements are known one by one
//   x = SequenceAt (s, one)                 x is b
//   y = SequenceAt (s, i)                   y = Gather (Concat (Unsqueeze (a), Unsqueeze (b)), i)
//   t = SplitToSequence <keepdims = 0> (c)  a tensor with an axis in front,
//                                           if it is not known how many elements that makes
//
// A Loop that puts elements at the end of a sequence scans them (sequence_loops.cpp).
// An optional is what it holds, or absent.
#pragma once

#include "frontends/onnx/scope.h"
#include "frontends/onnx/upgrade.h"

namespace lapis::onnx_frontend {

// What a Loop carries, once sequences are taken out of it.
struct Carried {
  std::vector<Item> states;                          // their forms
  std::vector<std::pair<std::string, Item>> inside;  // what names of the body stand for that are no states any more
};

// The subgraphs of a node: what a Loop hands to them, and what they give, once they are filled.
struct Subgraphs {
  Carried carried = {};
  std::vector<std::vector<Item>> results = {};

  bool give_items() const {
    return std::ranges::any_of(results, [](const auto& all) {
      return std::ranges::any_of(all, [](const Item& item) { return !item.is_plain(); });
    });
  }
};

// What resolving asks of the import.
class SequenceHost : public UpgradeHost {
 public:
  virtual Item item_of(const std::string& name) = 0;
  virtual void define(const std::string& name, Item what) = 0;
  // A name by which nodes read a value.
  virtual std::string name_of(Value* value) = 0;
  // What a small value holds, if constants and shapes determine it.
  virtual const Tensor* known(const std::string& name) = 0;
  // Adds a node in place of the one that is resolved.
  virtual void emit(onnx::NodeProto node) = 0;
  virtual void emit_loop(onnx::NodeProto node, const Carried& carried) = 0;
  // The nodes of a subgraph here, and what its outputs are.
  virtual std::vector<Item> inlined(const onnx::GraphProto& body, const std::vector<Item>& inputs) = 0;
  // That the import makes so much for a list; an error where the model asks for more than is in proportion.
  virtual Status afford(size_t elements, size_t bytes_each) = 0;
};

// Operators that only work on sequences and optionals.
bool is_sequence_operator(const std::string& op);
// Whether a valid node of ONNX is resolved here, if it reads sequences or optionals or does not.
bool resolves_sequences(const onnx::NodeProto& node, bool reads_them);
// An error of kind Unsupported says what is not known when it is imported.
Status resolve_sequences(const onnx::NodeProto& node, SequenceHost& host);
// The form of each result of an If or a Loop, from what their subgraphs give.
Result<std::vector<Item>> common_form(const Subgraphs& subgraphs);
// A model's own output cannot be one.
Diagnostic sequence_as_output();

}  // namespace lapis::onnx_frontend
