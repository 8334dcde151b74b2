// Writer: nodes of PyTorch's operators into a SourceGraph, in which values never change. Operators that work in place
// give their operand a new version; what else was a view of it is written back where that can be said, and otherwise
// must not be read any more.
//
//   Writer writer(file_bytes);
//   writer.add_input("x", Type::tensor(DType::Float32, {Dim::symbol("N"), 3}));
//   writer.add({.op = "aten.relu_", .name = "relu_",
//               .arguments = {{"self", Item::tensor("x")}}, .outputs = {"relu_"}});
//   return std::move(writer).finish({Item::tensor("x")});   // the output of relu_
//
// Graphs that nodes run have writers of their own, which take what they read of the
// values around as inputs (script_control.cpp).
//
// Arguments become attributes and inputs of the node: a tensor is an input, whose number is in the attribute "self@";
// numbers that are computed are inputs too. Lists have numbers in "size" and, where elements are computed, the inputs
// in "size@" (args.h reads this).
#pragma once

#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "base/result.h"
#include "frontends/common/source_graph.h"
#include "frontends/pytorch/item.h"

namespace lapis::pytorch_frontend {

inline constexpr int64_t kLiteral = -1, kAbsent = -2;  // in "size@": the number is in "size"; None

struct Argument {
  std::string name;
  Item value;
};

struct Call {
  std::string op, overload, name, written_at;  // "aten.add", "Tensor", "add_3", "model.py:17"
  std::vector<Argument> arguments;
  std::vector<std::string> outputs;  // names that nothing else has
};

class Writer {
 public:
  explicit Writer(size_t file_bytes) { graph_.file_bytes = file_bytes; }
  // Of a graph that a node of `around` will run; its names stand behind `prefix`.
  Writer(Writer& around, std::string prefix) : around_(&around), prefix_(std::move(prefix)) {}

  size_t file_bytes() const { return graph_.file_bytes; }
  void add_input(const std::string& name, Type type);
  void add_constant(const std::string& name, Tensor tensor);
  // The same tensor gets one name, whoever uses it.
  std::string name_of_weight(const Item& weight, const std::string& hint);
  std::string unique(const std::string& hint);
  bool is_body() const { return around_ != nullptr; }
  bool is_taken(const std::string& name) const { return graph_.values.contains(name); }
  // An error for arguments that no operator can have.
  Status add(Call call);
  // A node that runs graphs, whose operands its arguments are, and what its translator must know besides.
  Status add(Call call, std::vector<std::shared_ptr<const frontend::SourceGraph>> bodies,
             std::map<std::string, frontend::SourceAttribute> attributes = {});
  // Another graph here, with these values as its inputs; the names of what it gives.
  std::vector<std::string> append(const frontend::SourceGraph& graph, const std::string& prefix,
                                  std::vector<std::string> arguments);
  // The value that the last node of this name gives as its result number i,
  // for operators of which is not said how many they have.
  std::string output(const std::string& node, size_t i);
  size_t node_count() const { return graph_.nodes.size(); }
  // What this value is computed by, so far.
  frontend::SourceGraph part(const std::string& name) const;
  bool is_read(const std::string& name) const;
  // In place, itself or through what shares its elements.
  bool is_changed(const std::string& name) const { return versions_.contains(name) || stale_.contains(name); }
  bool is_changed_weight(const Item& weight) const;
  bool is_known(const Item& weight) const { return weights_.contains(weight.weight.get()); }
  // The value that stands for a tensor now, and what that may be a view of.
  std::string value_now(const Item& tensor);
  std::vector<std::string> shared_by(const Item& tensor) { return roots(value_now(tensor)); }
  Result<frontend::SourceGraph> finish(const std::vector<Item>& outputs) &&;

  // ---- graphs that nodes run ----------------------------------------------------------------------------------------
  // An input that is the value `start` of the graph around in the first turn.
  std::string add_state(const std::string& hint, const Item& start);
  // Results, which are values of their own.
  Status add_results(const std::vector<Item>& results, const std::string& written_at);
  // Values around that are read here, in the names that they have there; those of them that are changed in place here.
  const std::vector<std::string>& operands() const { return operands_; }
  std::vector<std::string> changed() const;
  // The graph with the inputs that were added, and then these operands.
  Result<frontend::SourceGraph> body(const std::vector<std::string>& operands) &&;
  // A value that is never read.
  Item unset();
  // The node with these results has changed `value` in place, or what a state started as;
  // its results may be views of values that the graph has read. The graph of a loop gives its condition first, which
  // the node does not.
  Status supersede(const std::string& value, const std::string& result);
  void share(const Writer& body, const std::vector<std::string>& results, size_t first_state);

 private:
  struct View {
    std::string op, base, root;  // "": one that cannot be written back
    std::vector<Argument> arguments;
    std::string part_of = "";  // the node that gives it and others, which share no element with it
  };

  frontend::SourceNode node_of(const Call& call);
  Status relate(const Call& call, const std::string& base);
  std::string inner(const std::string& name);
  std::vector<std::string> roots(const std::string& name) const;
  std::set<std::string> origins(const std::string& name) const;
  std::string why_stale(const std::string& name) const;
  void spoil(const std::string& name, const std::string& but);
  Status check_changes() const;
  Status encode(const Argument& argument, frontend::SourceNode& node);
  Status encode_list(const Argument& argument, frontend::SourceNode& node);
  // The number of an operand.
  int64_t refer(const Item& item, frontend::SourceNode& node);
  std::string current(std::string name) const;
  const std::string& root(const std::string& name) const;
  void note_view(const std::string& output, View view);
  Status change(const std::string& changed, const std::string& result);
  Status write_back(std::string changed, std::string result);
  std::string fresh(const std::string& name, int depth = 0);
  std::optional<Call> written_back(const View& view, const std::string& result);
  void define(const std::string& name);
  void drop_unread();

  frontend::SourceGraph graph_;
  std::unordered_map<std::string, std::string> versions_;  // what stands for a value that was changed in place
  std::unordered_map<std::string, View> views_;            // by the name of the view
  std::unordered_map<std::string, std::vector<std::string>> families_;  // views of one tensor, by its name
  std::unordered_map<std::string, std::string>
      stale_;               // values that must not be read, and where the code has changed them
  std::string written_at_;  // what was added last
  std::unordered_set<std::string> node_names_;
  std::unordered_map<std::string, size_t> numbers_;  // of nodes, by name
  std::unordered_map<const Tensor*, std::string> weights_;
  std::vector<std::shared_ptr<const Tensor>> kept_;  // so that no address comes twice
  std::unordered_map<std::string, size_t> suffixes_;

  Writer* around_ = nullptr;  // null: of the model itself
  std::string prefix_;
  std::vector<std::string> operands_;
  std::unordered_map<std::string, std::string> inner_,
      outer_;                        // of operands: from names around to names here, and back; of states: back
  std::vector<std::string> states_;  // their names here
  std::vector<std::pair<size_t, std::string>> shared_;  // results, and values around that they may be views of
  std::unordered_map<std::string, std::vector<std::string>> shares_;  // of what a node gives: what it may be a view of
};

}  // namespace lapis::pytorch_frontend
