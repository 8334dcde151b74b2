// The class behind flatten.h: what it visits stands here and in flatten.cpp, how the graph meets the world in
// flatten_interface.cpp, what becomes graphs of their own in flatten_bodies.cpp.
#pragma once

#include <set>
#include <unordered_map>

#include "frontends/common/limits.h"
#include "frontends/common/support.h"
#include "frontends/tensorflow/flatten.h"
#include "frontends/tensorflow/refs.h"

namespace lapis::tensorflow_frontend {

Diagnostic unsupported(std::string message);
Diagnostic damaged(std::string message);

// What a value of a body is in the flat graph; nothing where the branch it lies in is not taken.
using Resolved = std::optional<std::string>;

struct State {
  enum class Mark : uint8_t { New, Open, Done } mark = Mark::New;
  std::vector<Resolved> outputs;
  std::optional<size_t> source;  // the node of the flat graph, which gets outputs as they are asked for
};

// The graph, or a function that is called.
struct Body {
  const std::vector<NodeDef>& nodes;
  std::string prefix;
  int depth;
  std::string function = {};  // its name; "": it is the graph
  std::unordered_map<std::string_view, Resolved> arguments = {};
  std::unordered_map<std::string_view, size_t> index = {};
  std::vector<State> states = {};

  Body(const std::vector<NodeDef>& all, std::string before, int level);
};

class Flattener {
 public:
  Flattener(const Model& model, const Part& part, frontend::Expansion& expansion);
  // For a graph that a node of another one runs.
  Flattener(const Flattener& around, std::string prefix, int depth);

  static std::vector<frontend::Resolved> resolved();
  Result<frontend::SourceGraph> run();

 private:
  using SourceGraph = frontend::SourceGraph;
  using SourceNode = frontend::SourceNode;
  using SourceValue = frontend::SourceValue;
  struct Operation {
    const NodeDef& node;
    const std::vector<Resolved>& inputs;  // without those that only order
  };
  using Handler = Status (Flattener::*)(Body&, const Operation&, State&);
  // What becomes of operators that do not stay.
  struct Row {
    std::string_view op;
    Handler handler;
    std::string_view meaning;
  };
  static constexpr size_t kMostDeadOutputs = 16;

  // ---- the part that is wanted: inputs, outputs, variables ----
  static std::string key_of(const Ref& ref) { return name_of_output(std::string(ref.node), ref.index); }
  Status add_cuts();
  // Inputs that nothing reads would vanish without a word.
  Status check_cuts() const;
  static Diagnostic nothing_called(std::string_view ref) {
    return error(ErrorKind::Input, "the model has no value '" + std::string(ref) + "'")
        .help("values are called like the nodes that compute them: NODE, or NODE:1 for the second output");
  }
  // Of the nodes that nobody reads those that compute something.
  std::vector<Port> last_values() const;
  void add_output(const Port& output, const std::string& value);
  std::string free_name(std::string name) const;
  Status add_input(const std::string& name, const NodeDef& node, size_t index);
  Status input(Body& body, const Operation& o, State& state);
  Status placeholder_with_default(Body& body, const Operation& o, State& state);
  Status variable(Body& body, const Operation& o, State& state);

  // ---- order ----
  // Visits what the values need, operands first. Not by recursion: a graph may be a chain of a million nodes.
  Status visit_all(Body& body, const std::vector<std::string>& refs);
  Status enter(Body& body, std::string_view input, std::vector<std::pair<size_t, size_t>>& open);
  bool is_cut(const Body& body, const Ref& ref) const { return body.depth == 0 && cuts_.contains(key_of(ref)); }
  static std::string location(const Body& body, const NodeDef& node);
  Result<Resolved> resolve(Body& body, std::string_view input);
  Result<Resolved> output_of(const Body& body, const NodeDef& node, State& state, size_t index);

  // ---- nodes ----
  Status visit(Body& body, size_t i);
  static std::span<const Row> rows();
  Handler handler_of(const NodeDef& node) const;
  static Status needs(const Operation& o, size_t inputs);
  Status nothing(Body&, const Operation&, State&) { return ok(); }
  Status alias(Body&, const Operation& o, State& state);
  Status aliases(Body&, const Operation& o, State& state);
  Status operation(Body& body, const Operation& o, State& state);
  SourceNode named(const Body& body, const Operation& o) const;
  // Further outputs come as they are asked for.
  Status add_node(const Body& body, const Operation& o, State& state, SourceNode node, size_t outputs = 1);
  Status constant(Body& body, const Operation& o, State& state);
  Status given(Body& body, const Operation& o, State& state, SourceValue value);

  // ---- functions ----
  Status call(Body& body, const Operation& o, State& state);
  Status inlined(const Body& body, const Operation& o, State& state, const std::string& function);
  // What a function gives of these arguments; its nodes stand in the graph then.
  Result<std::vector<Resolved>> called(const std::string& name, const std::vector<Resolved>& arguments,
                                       std::string prefix, int depth);

  // ---- branches and loops ----
  // The one number that a value is, where it is known.
  std::optional<double> number(const Resolved& value) const;
  Status switched(Body& body, const Operation& o, State& state);
  Status merge(Body& body, const Operation& o, State& state);
  Status operation_of_live(Body& body, const Operation& o, State& state);
  Status branch(Body& body, const Operation& o, State& state);
  Status choice(Body& body, const Operation& o, State& state);
  // What the function gives that the index chooses, of which `first` chooses the first and what none of them is the
  // last: If nodes, one in the other.
  Result<std::vector<Resolved>> chosen(std::span<const std::string> functions, int32_t first,
                                       const std::vector<Resolved>& index_and_arguments, const std::string& prefix,
                                       int depth);
  std::string is_number(const std::string& value, int32_t number, const std::string& prefix);
  // The condition stands twice: before the loop, and behind each iteration.
  Status loop(Body& body, const Operation& o, State& state);

  // ---- bodies: graphs of their own ----
  Result<std::shared_ptr<SourceGraph>> as_branch(const std::string& function, size_t arguments);
  Result<std::shared_ptr<SourceGraph>> as_choice(std::span<const std::string> functions, int32_t first,
                                                 size_t index_and_arguments);
  Result<std::shared_ptr<SourceGraph>> as_loop(const std::string& function, const std::string& condition, size_t states,
                                               std::vector<int64_t>& unchanged);
  const std::string& add_body_input(const std::string& name, Type type);
  std::vector<Resolved> body_inputs(size_t count);
  // The graph, with these results: those that are an input, a constant, or one value twice get names of their own.
  Result<std::shared_ptr<SourceGraph>> giving(const std::vector<Resolved>& results);

  const Model& model_;
  const Part& part_;
  Body top_;
  frontend::Expansion& expansion_;
  SourceGraph source_;
  std::unordered_map<std::string, std::string> cuts_;  // values of the graph that are inputs, and the names of these
  std::set<std::string> read_cuts_, used_values_;
  std::vector<std::pair<size_t, std::string>> found_inputs_;
};

}  // namespace lapis::tensorflow_frontend
