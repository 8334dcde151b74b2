// A node on sequences that is being resolved: its operands, and the nodes that take its place (sequences.h).
#pragma once

#include <optional>

#include "frontends/onnx/sequences.h"

namespace lapis::onnx_frontend {

class SequenceNode {
 public:
  SequenceNode(const onnx::NodeProto& node, SequenceHost& host) : node_(node), host_(host) {}

  const onnx::NodeProto& proto() const { return node_; }
  SequenceHost& host() const { return host_; }
  bool has(int i) const;
  Item input(int i) const;
  // A sequence that the import knows; an error where it is an input of the model.
  Result<Item> sequence(int i) const;
  // The integer that operand i holds; nullopt if the model computes it.
  Result<std::optional<int64_t>> position(int i) const;
  int64_t integer(const std::string& attribute, int64_t otherwise) const;

  using Integers = std::vector<std::pair<std::string, int64_t>>;
  // Adds a node; the name of its result, or of its results.
  std::string apply(const std::string& op, const std::vector<std::string>& inputs, const Integers& attributes = {});
  std::vector<std::string> apply_all(const onnx::NodeProto& prepared, size_t outputs);
  // The node that gives the result.
  Status finish(const std::string& op, const std::vector<std::string>& inputs, const Integers& attributes = {});
  Status finish(Item result);
  std::string ints(std::vector<int64_t> values);
  std::string name(Value* value) { return host_.name_of(value); }
  std::vector<std::string> split(const std::string& value, const std::string& sizes, size_t count, int64_t axis);
  std::string transposed(const std::string& value, const std::vector<int64_t>& perm);
  // The shape of a value whose axes `axis` and `axis` + 1 become one.
  std::string merged_shape(const std::string& value, int64_t axis);
  // The first entry of each value along its first axis, the second of each, ...
  std::string interleaved(const std::vector<std::string>& values);
  // A tensor of one element as one without axes.
  std::string scalar(const std::string& value);

  Value* value(const std::string& name) const { return host_.item_of(name).tensor; }

  // The elements one by one, or nullopt if it is not known how many there are.
  Result<std::optional<std::vector<Value*>>> elements(const Item& sequence);
  // The elements along the first axis of one tensor.
  Result<std::string> stacked(const Item& sequence, const std::string& why);

 private:
  onnx::NodeProto made(const std::string& op, const std::vector<std::string>& inputs, const Integers& attributes) const;
  std::string fresh();

  const onnx::NodeProto& node_;
  SequenceHost& host_;
  size_t made_ = 0;
};

// What resolves one operator.
using Resolve = Status (*)(SequenceNode& node);
Status resolve_map(SequenceNode& node);
Status resolve_loop(SequenceNode& node);
Status resolve_if(SequenceNode& node);

// Whether nothing is known that speaks against an element of this type along the first axis of a tensor of that one.
bool is_row_of(const Type& stack, const Type& element);
std::optional<int64_t> length_of(const Item& sequence);
Item list_of(DType dtype, std::vector<Value*> elements);
Diagnostic unresolved(std::string reason, std::string advice);
inline constexpr size_t kHeldElement = 8,
                        kMadeElement = 256;  // about how many bytes an element takes; one that a node of its own makes
inline constexpr const char* kBindSizes = "give the sizes of the model's inputs, if they are open (--dim NAME=SIZE)";

}  // namespace lapis::onnx_frontend
