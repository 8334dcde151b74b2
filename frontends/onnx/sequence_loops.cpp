// Sequences that subgraphs carry: what a Loop puts at the end of one becomes a scanned result, one that it only reads
// is read from outside, and the elements of one that keeps its length are states.
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <unordered_set>

#include "frontends/onnx/nodes.h"
#include "frontends/onnx/sequence_node.h"
#include "frontends/onnx/types.h"

namespace lapis::onnx_frontend {
namespace {

using Kind = Item::Kind;

Result<const onnx::GraphProto*> graph_of(const onnx::NodeProto& node, const std::string& name) {
  const auto* a = attribute(node, name);
  if (!a || !a->has_g()) return error(ErrorKind::Input, "attribute '" + name + "' is no graph");
  return &a->g();
}

// ---- SequenceMap ---------------------------------------------------------------------------------------------------

DType declared_dtype(const onnx::ValueInfoProto& value) {
  const auto type = from_proto(value.type());
  return type.ok() ? type->dtype : DType::Undefined;
}

// Of each sequence the element at `i`; tensors as they are.
std::vector<Item> arguments(const std::vector<Item>& inputs, size_t i) {
  std::vector<Item> arguments;
  for (const Item& input : inputs) {
    if (input.kind != Kind::List) {
      arguments.push_back(input);
      continue;
    }
    Value* element = input.elements[i];
    arguments.push_back({.type = element->type(), .tensor = element});
  }
  return arguments;
}

Status check_lengths(const std::vector<Item>& inputs) {
  for (const Item& input : inputs)
    if (input.kind == Kind::List && input.elements.size() != inputs[0].elements.size())
      return error(ErrorKind::Input, "its sequences have " + std::to_string(inputs[0].elements.size()) + " and " +
                                         std::to_string(input.elements.size()) + " elements; it needs as many of each");
  return ok();
}

Status inline_map(SequenceNode& n, const onnx::GraphProto& body, const std::vector<Item>& inputs) {
  if (static_cast<size_t>(body.input_size()) != inputs.size() || body.output_size() < n.proto().output_size())
    return error(ErrorKind::Input, "has other operands or results than its body");
  LAPIS_CHECK(check_lengths(inputs));
  std::vector<Item> results;
  for (const auto& output : body.output()) results.push_back(list_of(declared_dtype(output), {}));
  for (size_t i = 0; i < inputs[0].elements.size(); ++i) {
    const std::vector<Item> given = n.host().inlined(body, arguments(inputs, i));
    for (size_t k = 0; k < results.size(); ++k) {
      if (!given[k].type.is_tensor()) return error(ErrorKind::Input, "its body gives a sequence or an optional");
      results[k].elements.push_back(given[k].tensor);
    }
  }
  for (size_t k = 0; k < results.size() && k < static_cast<size_t>(n.proto().output_size()); ++k)
    n.host().define(n.proto().output(static_cast<int>(k)), std::move(results[k]));
  return ok();
}

// ---- Loop ----------------------------------------------------------------------------------------------------------

// The body of a Loop as it is written: who makes a value, and how often it is read.
class Body {
 public:
  explicit Body(const onnx::GraphProto& graph) {
    for (const auto& node : graph.node()) {
      ++nodes_;
      for (const std::string& name : node.output()) makers_[name] = &node;
      const frontend::OrderedNode order = reads_and_writes(node);
      for (const std::string_view name : order.reads) ++reads_[std::string(name)];
    }
    for (const auto& output : graph.output()) ++reads_[output.name()];
  }

  const onnx::NodeProto* maker(const std::string& name) const {
    const auto it = makers_.find(name);
    return it == makers_.end() ? nullptr : it->second;
  }
  int reads(const std::string& name) const {
    const auto it = reads_.find(name);
    return it == reads_.end() ? 0 : it->second;
  }
  size_t nodes() const { return nodes_; }

 private:
  std::unordered_map<std::string, const onnx::NodeProto*> makers_;
  std::unordered_map<std::string, int> reads_;
  size_t nodes_ = 0;
};

// What happens to a sequence on its way through the body of a Loop.
struct Passage {
  bool is_followed = false;          // from the body's output back to its input, through nodes that hand on or append
  bool is_read = false;              // by others too
  std::deque<std::string> appended;  // elements, in their order
  std::vector<const onnx::NodeProto*> nodes;
};

bool appends(const onnx::NodeProto& node) {
  const bool at_end = node.input_size() == 2 || (node.input_size() == 3 && node.input(2).empty());
  return node.op_type() == "SequenceInsert" && at_end;
}
bool hands_on(const onnx::NodeProto& node) { return node.op_type() == "Identity" && node.input_size() == 1; }

// Nobody has looked yet whether the nodes of the body lie in a circle.
Passage passage(const Body& body, const std::string& from, const std::string& to) {
  Passage way;
  std::string name = to;
  for (; name != from; name = way.nodes.back()->input(0)) {
    way.is_read |= body.reads(name) > 1;
    const onnx::NodeProto* node = body.maker(name);
    const bool goes_on = node && (hands_on(*node) || appends(*node)) && way.nodes.size() < body.nodes();
    if (!goes_on) return way;
    if (appends(*node)) way.appended.push_front(node->input(1));
    way.nodes.push_back(node);
  }
  way.is_read |= body.reads(from) > 1;
  way.is_followed = true;
  return way;
}

Diagnostic reads_what_grows() {
  return unresolved("the loop also reads a sequence that it puts elements into",
                    "carry what it reads through the loop as a tensor of its own");
}
Diagnostic changes_length() {
  return unresolved(
      "the loop changes how many elements a sequence has in another way than by one SequenceInsert at its end for each "
      "iteration",
      "let every iteration put as many elements at the end, or carry the elements in a tensor with an axis for them");
}

class LoopOfSequences {
 public:
  LoopOfSequences(SequenceNode& node, const onnx::GraphProto& body)
      : n_(node), old_(body), body_(body), loop_(node.proto()) {
    for (auto& attribute : *loop_.mutable_attribute())
      if (attribute.name() == "body") graph_ = attribute.mutable_g();
    loop_.mutable_input()->DeleteSubrange(2, loop_.input_size() - 2);
    loop_.clear_output();
    graph_->clear_input();
    graph_->clear_output();
  }

  Status run() {
    LAPIS_CHECK(check_counts());
    for (int i = 0; i < 2; ++i) *graph_->add_input() = old_.input(i);
    *graph_->add_output() = old_.output(0);
    for (int i = 0; i < states_count(); ++i) LAPIS_CHECK(add_state(i));
    for (int i = states_count(); i + 1 < old_.output_size(); ++i) add_result(i, old_.output(i + 1));
    for (Grown& grown : grown_) add_scanned(grown);
    drop_nodes();
    n_.host().emit_loop(std::move(loop_), carried_);
    for (const auto& [name, item] : unchanged_) n_.host().define(name, item);
    for (const Grown& grown : grown_) LAPIS_CHECK(define(grown));
    return ok();
  }

 private:
  struct Grown {
    std::string name;
    Item before;
    std::deque<std::string> elements;
    std::vector<std::string> scanned = {};
  };

  int states_count() const { return n_.proto().input_size() - 2; }
  std::string output(int i) const { return i < n_.proto().output_size() ? n_.proto().output(i) : ""; }

  Status check_counts() const {
    if (old_.input_size() == states_count() + 2 && old_.output_size() > states_count()) return ok();
    return error(ErrorKind::Input, "its body has " + std::to_string(old_.input_size()) + " inputs and " +
                                       std::to_string(old_.output_size()) + " outputs for " +
                                       std::to_string(states_count()) + " states");
  }

  void add_result(int i, const onnx::ValueInfoProto& inside) {
    loop_.add_output(output(i));
    *graph_->add_output() = inside;
  }

  Status add_state(int i) {
    LAPIS_TRY(const Item item, n_.sequence(i + 2));
    if (item.type.is_tensor()) {
      add_tensor(i, item);
      return ok();
    }
    const std::string inside = old_.input(i + 2).name();
    const Passage way = passage(body_, inside, old_.output(i + 1).name());
    if (way.is_followed && way.appended.empty()) return add_unchanged(i, item);
    if (way.is_followed && way.is_read) return reads_what_grows();
    if (way.is_followed) {
      grown_.push_back({output(i), item, way.appended});
      for (const auto* node : way.nodes) dropped_.insert(node->output(0));
      return ok();
    }
    LAPIS_TRY(auto elements, n_.elements(item));
    if (!elements || elements->empty()) return changes_length();
    return add_list(i, list_of(item.dtype(), *std::move(elements)));
  }

  void add_tensor(int i, const Item& item) {
    carried_.states.push_back(item);
    loop_.add_input(n_.proto().input(i + 2));
    *graph_->add_input() = old_.input(i + 2);
    add_result(i, old_.output(i + 1));
  }

  // The body reads it from outside.
  Status add_unchanged(int i, const Item& item) {
    carried_.inside.emplace_back(old_.input(i + 2).name(), item);
    unchanged_.emplace_back(output(i), item);
    return ok();
  }

  // Each element is a state.
  Status add_list(int i, const Item& item) {
    LAPIS_CHECK(n_.host().afford(item.elements.size(), kMadeElement));
    carried_.states.push_back(item);
    onnx::NodeProto list;
    list.set_op_type("SequenceConstruct");
    list.add_output(old_.input(i + 2).name());
    for (size_t k = 0; k < item.elements.size(); ++k) {
      loop_.add_input(n_.name(item.elements[k]));
      onnx::ValueInfoProto& element = *graph_->add_input();
      element.set_name(old_.input(i + 2).name() + "/" + std::to_string(k));
      if (item.dtype() != DType::Undefined) to_proto(Type::tensor(item.dtype()), *element.mutable_type());
      list.add_input(element.name());
    }
    *graph_->add_node() = std::move(list);
    add_result(i, old_.output(i + 1));
    return ok();
  }

  void add_scanned(Grown& grown) {
    for (const std::string& element : grown.elements) {
      graph_->add_output()->set_name(element);
      grown.scanned.push_back(n_.host().fresh_name(grown.name + "_" + std::to_string(grown.scanned.size())));
      loop_.add_output(grown.scanned.back());
    }
  }

  void drop_nodes() {
    auto& nodes = *graph_->mutable_node();
    nodes.erase(
        std::remove_if(nodes.begin(), nodes.end(),
                       [&](const auto& node) { return has_output(node, 0) && dropped_.contains(node.output(0)); }),
        nodes.end());
  }

  // The elements of all iterations behind those from before the loop.
  Status define(const Grown& grown) {
    Item result = {.type = grown.before.type, .kind = Kind::Stacked};
    std::string rows = grown.scanned.size() == 1 ? grown.scanned[0] : n_.interleaved(grown.scanned);
    result.tensor = n_.value(rows);
    if (!result.tensor) return ok();
    LAPIS_CHECK(check(grown.before, result.tensor->type()));
    if (length_of(grown.before) != 0) {
      LAPIS_TRY(const std::string before, n_.stacked(grown.before, kBehind));
      result.tensor = n_.value(n_.apply("Concat", {before, rows}, {{"axis", 0}}));
    }
    n_.host().define(grown.name, std::move(result));
    return ok();
  }

  static Status check(const Item& before, const Type& rows) {
    const DType has = before.dtype(), gets = rows.dtype;
    if (has != gets && has != DType::Undefined)
      return error(ErrorKind::Input, "puts elements of type " + std::string(name_of(gets)) + " into a sequence of " +
                                         std::string(name_of(has)))
          .help("insert a Cast, or correct the dtype of the SequenceEmpty");
    for (const Value* v : before.elements)
      if (!is_row_of(rows, v->type()))
        return unresolved(std::string(kBehind) + ", and these differ from them in shape: " + v->type().to_string() +
                              " and, one for each iteration, " + rows.to_string(),
                          "give all elements one shape, by Pad for example");
    return ok();
  }

  static constexpr const char* kBehind = "the loop puts elements behind those that the sequence has";

  SequenceNode& n_;
  const onnx::GraphProto& old_;
  const Body body_;
  onnx::NodeProto loop_;
  onnx::GraphProto* graph_ = nullptr;  // of loop_
  Carried carried_;
  std::vector<std::pair<std::string, Item>> unchanged_;  // by the name behind the loop
  std::vector<Grown> grown_;
  std::unordered_set<std::string> dropped_;
};

// ---- If ------------------------------------------------------------------------------------------------------------

std::string in_words(const Item& item) {
  switch (item.kind) {
    case Kind::Tensor: return "a tensor";
    case Kind::List: return "a sequence of " + std::to_string(item.elements.size());
    case Kind::Stacked: return "a sequence of a computed length";
    case Kind::Absent: return "nothing";
  }
  return "";
}

Diagnostic branches_differ(const Item& a, const Item& b) {
  return unresolved("one of its branches gives " + in_words(a) + ", the other one " + in_words(b) +
                        ", and the condition is computed by the model",
                    "let both branches give as many elements, or make the condition a constant");
}

}  // namespace

// Where it is not known how many elements there are, the loop by which ONNX defines the operator takes its place.
Status resolve_map(SequenceNode& n) {
  std::vector<Item> inputs;
  for (int i = 0; i < n.proto().input_size(); ++i) {
    LAPIS_TRY(Item item, n.sequence(i));
    inputs.push_back(std::move(item));
  }
  const auto is_open = [](const Item& item) { return item.kind == Kind::Stacked; };
  LAPIS_TRY(const onnx::GraphProto* body, graph_of(n.proto(), "body"));
  if (std::ranges::none_of(inputs, is_open)) return inline_map(n, *body, inputs);
  n.host().emit(n.proto());
  return ok();
}

Status resolve_loop(SequenceNode& n) {
  LAPIS_TRY(const onnx::GraphProto* body, graph_of(n.proto(), "body"));
  return LoopOfSequences(n, *body).run();
}

Status resolve_if(SequenceNode& n) {
  const Tensor* condition = n.host().known(n.proto().input(0));
  if (!condition || condition->size() != 1 || condition->dtype() != DType::Bool) {
    n.host().emit(n.proto());
    return ok();
  }
  const bool truth = condition->data<bool>()[0];
  LAPIS_TRY(const onnx::GraphProto* branch, graph_of(n.proto(), truth ? "then_branch" : "else_branch"));
  if (branch->output_size() != n.proto().output_size())
    return error(ErrorKind::Input, "its branch has another number of results");
  const std::vector<Item> results = n.host().inlined(*branch, {});
  for (size_t i = 0; i < results.size(); ++i) n.host().define(n.proto().output(static_cast<int>(i)), results[i]);
  return ok();
}

Result<std::vector<Item>> common_form(const Subgraphs& subgraphs) {
  const bool is_if = subgraphs.results.size() > 1;
  const std::vector<Item>& first = subgraphs.results[0];
  const std::vector<Item>& others = is_if ? subgraphs.results[1] : subgraphs.carried.states;
  std::vector<Item> results(first.begin() + !is_if, first.end());  // a loop's condition is none
  for (size_t i = 0; i < results.size(); ++i) {
    const Item other = i < others.size() ? others[i] : Item();
    if (!results[i].same_form(other)) return is_if ? branches_differ(results[i], other) : changes_length();
  }
  return results;
}

Diagnostic sequence_as_output() {
  return error(ErrorKind::Unsupported, "is a sequence or an optional; Lapis gives tensors only")
      .help("make its elements outputs (SequenceAt), or one tensor of them (ConcatFromSequence)");
}

}  // namespace lapis::onnx_frontend
