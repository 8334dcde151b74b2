// Graph: a model in ONNX's own terms. Nodes apply operators to values;
// a value is an input, a constant or a node's output. After every pass a Graph is a valid ONNX model (ir/verify.h
// states the invariants); nothing ONNX cannot say lives here.
//
//   Graph g("example");
//   Value* x = g.add_input("x", Type::tensor(DType::Float32, Shape{1, 4}));
//   Node* relu = g.add_node(ops::Relu, {x});
//   g.set_outputs({relu->output()});
//
// Ownership: the Graph owns its Nodes and Values; pointers stay valid until the Node is erased. Subgraphs (If, Loop,
// Scan) are Graphs held by an attribute of their Node, and may use values of the enclosing graphs directly.
//
// Every edit takes constant time, whatever the number of nodes, uses and outputs, so that passes stay linear.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "base/flat_table.h"
#include "ir/type.h"

namespace lapis {

class Graph;
class Node;
struct OpDef;
struct GraphSurgeon;  // the verifier's tests break invariants with it that no member function can break

// The value of an attribute. Copying, moving and destroying it is compiled once, in graph.cpp: in every file that
// handles nodes it would be an eighth of a build.
struct Attribute : std::variant<int64_t, float, std::string, Tensor, std::shared_ptr<Graph>, std::vector<int64_t>,
                                std::vector<float>, std::vector<std::string>> {
  using variant::variant;
  Attribute();
  Attribute(const Attribute& other);
  Attribute(Attribute&& other) noexcept;
  Attribute& operator=(const Attribute& other);
  Attribute& operator=(Attribute&& other) noexcept;
  ~Attribute();
};
using Attributes = std::map<std::string, Attribute, std::less<>>;

// One use of a value: operand `index` of `node`.
struct Use {
  Node* node;
  size_t index;
  bool operator==(const Use&) const = default;
};

class Value {
 public:
  const std::string& name() const { return name_; }
  const Type& type() const { return type_; }
  void set_type(Type type);
  DType dtype() const { return type_.dtype; }

  Graph& graph() const { return *graph_; }
  Node* producer() const { return producer_; }  // null for inputs and constants
  size_t output_index() const { return output_index_; }
  bool is_input() const { return is_input_; }
  bool is_constant() const { return constant_.defined(); }
  const Tensor& constant() const { return constant_; }  // asserts nothing: undefined unless is_constant()

  const std::vector<Use>& uses() const { return uses_; }  // by nodes, those of nested subgraphs included
  bool is_graph_output() const { return listed_ > 0; }    // of its own graph
  // Used by exactly one operand and not a graph output.
  bool used_once() const { return uses_.size() == 1 && !is_graph_output(); }
  bool unused() const { return uses_.empty() && !is_graph_output(); }

 private:
  friend class Graph;
  friend class Node;
  friend struct GraphSurgeon;
  std::string name_;
  Type type_;
  Graph* graph_ = nullptr;
  Node* producer_ = nullptr;
  size_t output_index_ = 0;
  bool is_input_ = false;
  Tensor constant_;
  std::vector<Use> uses_;  // in no order that means something
  int listed_ = 0;         // how often among the outputs of its graph
  size_t listed_at_ = 0;   // where it was listed last
  std::list<Value>::iterator position_;
};

class Node {
 public:
  const OpDef& op() const { return *op_; }
  bool is(const OpDef& op) const { return op_ == &op; }
  const std::string& name() const { return name_; }
  void set_name(std::string name) { name_ = std::move(name); }
  // Where the node came from, for messages: the source model's node names, united when nodes fuse.
  const std::string& origin() const { return origin_.empty() ? name_ : origin_; }
  void set_origin(std::string origin) { origin_ = std::move(origin); }

  const std::vector<Value*>& inputs() const { return inputs_; }  // nullptr: an optional input that is absent
  Value* input(size_t i) const { return i < inputs_.size() ? inputs_[i] : nullptr; }
  void set_input(size_t i, Value* value);                          // grows the list with absent inputs if needed
  const std::vector<Value*>& outputs() const { return outputs_; }  // nullptr: an optional output that nobody wants
  Value* output(size_t i = 0) const { return i < outputs_.size() ? outputs_[i] : nullptr; }

  const Attributes& attributes() const { return attributes_; }
  const Attribute* attribute(std::string_view name) const;
  template <class T> const T* attribute_as(std::string_view name) const {
    const Attribute* a = attribute(name);
    return a ? std::get_if<T>(a) : nullptr;
  }
  void set_attribute(std::string name, Attribute value);
  void remove_attribute(std::string_view name);
  // The typed attributes of the operator's record, defaults filled in: node.attrs<SoftmaxAttrs>().axis   (ir/op.h)
  template <class T> T attrs() const;
  std::vector<Graph*> subgraphs() const;

  Graph& graph() const { return *graph_; }

 private:
  friend class Graph;
  friend class Worklist;
  friend struct GraphSurgeon;
  const OpDef* op_ = nullptr;
  std::string name_, origin_;
  std::vector<Value*> inputs_, outputs_;
  std::vector<size_t> slots_;  // where each operand's use stands in the use list of its value
  Attributes attributes_;
  Graph* graph_ = nullptr;
  std::list<Node>::iterator position_;
  size_t waiting_ = 0;  // its place in the worklist of apply_rules, from 1 on; 0: none
};

class Graph {
 public:
  explicit Graph(std::string name = "graph", Graph* parent = nullptr) : name_(std::move(name)), parent_(parent) {}
  ~Graph();  // a subgraph takes its names and its uses of other graphs' values along
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  std::unique_ptr<Graph> clone() const;  // of a top-level graph; tensors are shared, not copied

  const std::string& name() const { return name_; }
  Graph* parent() const { return parent_; }
  std::map<std::string, std::string>& metadata() { return metadata_; }  // ONNX metadata_props
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  // Building. Empty names are made up; taken names get a suffix.
  // Node lists stay in topological order by the caller's choice of place.
  Value* add_input(std::string name, Type type);
  Value* add_constant(Tensor tensor, std::string name = "");
  // Appends, or inserts before `before`. `outputs` names the outputs ("" makes a name up);
  // output types are unknown until inferred.
  Node* add_node(const OpDef& op, std::vector<Value*> inputs, Attributes attributes = {},
                 std::vector<std::string> outputs = {""}, Node* before = nullptr, std::string name = "");
  std::shared_ptr<Graph> make_subgraph(std::string name) { return std::make_shared<Graph>(std::move(name), this); }
  // A copy of another graph's body as a subgraph of this one: `values` says what stands here for values of the graphs
  // around the body; others stay what they are.
  std::shared_ptr<Graph> copy_subgraph(const Graph& body, std::unordered_map<const Value*, Value*>& values);
  void set_outputs(std::vector<Value*> outputs);
  void set_output(size_t i, Value* value);
  void rename(Value* value, std::string name);  // graph inputs and outputs keep their names by contract of the callers

  const std::vector<Value*>& inputs() const { return inputs_; }
  const std::vector<Value*>& outputs() const { return outputs_; }
  Value* find_value(std::string_view name) const;  // this graph only
  // Nodes in topological order. Safe against erasing the current node: the iterator moves on before the body runs.
  class NodeRange;
  NodeRange nodes() const;
  size_t node_count() const { return nodes_.size(); }
  std::vector<Value*> constants() const;

  // Every use of `from` (graph outputs included) becomes a use of `to`.
  void replace_all_uses(Value* from, Value* to);
  void erase(Node* node);                  // its outputs must be unused
  void erase(Value* constant);             // must be unused
  void drop_output(Node* node, size_t i);  // an unused optional output becomes absent
  void erase_unused_constants();
  void remove_input(Value* input);  // must be unused
  void move_before(Node* node, Node* before);

  std::string unique_name(std::string_view hint);

  // Grows with every edit of the model that this graph is part of.
  // Where it is what it was, the model says what it said.
  uint64_t revision() const;
  // For who has undone all that was edited since then.
  void restore_revision(uint64_t revision);

 private:
  friend class Value;
  friend class Node;
  friend struct GraphSurgeon;
  bool is_taken(std::string_view name) const;
  std::string free_name(std::string hint);
  void name(Value* value, std::string name);
  void unname(Value* value);
  Value* new_value(std::list<Value>& values, std::string name, Type type);
  static void add_use(Node* node, size_t index);
  static void remove_use(Node* node, size_t index);
  void list(Value* value, size_t i);
  void unlist(Value* value);
  void forget(Value* value);
  void clear();
  void note_edit();
  void clone_into(Graph& copy, std::unordered_map<const Value*, Value*>& values) const;

  std::string name_;
  Graph* parent_;
  std::map<std::string, std::string> metadata_;
  // One allocation each, in the order in which they were made: passes walk over them from one end to the other.
  std::list<Node> nodes_;
  std::list<Value> values_, constants_;
  std::vector<Value*> inputs_, outputs_;
  // Of the top-level graph: shared by all scopes, so names are unique in the whole model.
  FlatTable<Value> names_;
  std::unordered_set<std::string> reserved_;  // taken, but by no value
  int64_t next_id_ = 0;
  uint64_t revision_ = 0;  // likewise
  bool ending_ = false;    // likewise: the whole model goes, and nobody needs to leave it
};

class Graph::NodeRange {
 public:
  using Inner = std::list<Node>::const_iterator;
  class iterator {
   public:
    iterator(Inner at, Inner end) : at_(at), next_(at == end ? at : std::next(at)), end_(end) {}
    Node* operator*() const { return const_cast<Node*>(&*at_); }  // a graph is const in its list of nodes, not in them
    iterator& operator++() {
      at_ = next_;
      if (next_ != end_) ++next_;
      return *this;
    }
    bool operator!=(const iterator& other) const { return at_ != other.at_; }

   private:
    Inner at_, next_, end_;
  };
  explicit NodeRange(const std::list<Node>& nodes) : nodes_(nodes) {}
  iterator begin() const { return {nodes_.begin(), nodes_.end()}; }
  iterator end() const { return {nodes_.end(), nodes_.end()}; }

 private:
  const std::list<Node>& nodes_;
};

inline Graph::NodeRange Graph::nodes() const { return NodeRange(nodes_); }

}  // namespace lapis
