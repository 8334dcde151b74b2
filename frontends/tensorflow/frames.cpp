#include "frontends/tensorflow/frames.h"

#include <algorithm>
#include <unordered_set>

#include "frontends/tensorflow/refs.h"

namespace lapis::tensorflow_frontend {
namespace {

using Index = std::unordered_map<std::string_view, size_t>;
using NodeSet = std::unordered_set<size_t>;
using Replacements = std::unordered_map<std::string, std::string>;  // what references to loop nodes are in a function

bool is_enter(const NodeDef& node) { return node.op == "Enter" || node.op == "RefEnter"; }
bool is_merge(const NodeDef& node) { return node.op == "Merge" || node.op == "RefMerge"; }
bool is_switch(const NodeDef& node) { return node.op == "Switch" || node.op == "RefSwitch"; }
bool is_next(const NodeDef& node) { return node.op == "NextIteration" || node.op == "RefNextIteration"; }
bool is_exit(const NodeDef& node) { return node.op == "Exit" || node.op == "RefExit"; }

Diagnostic damaged(const NodeDef& node, std::string message) {
  return error(ErrorKind::Input, std::move(message))
      .at("node '" + node.name + "' (" + node.op + ")")
      .help("the model is incomplete: export it again");
}

// What one frame consists of; nodes are numbers.
struct State {
  size_t enter = 0, merge = 0, next = 0;
  std::optional<size_t> choice = {}, exit = {};  // the Switch, which a state that nothing reads need not have
};
struct Frame {
  std::string name = {};
  std::vector<size_t> constants = {};  // Enter nodes of what no iteration changes
  std::vector<State> states = {};
  std::optional<size_t> condition = {};  // the LoopCond
  NodeSet nodes = {};                    // of the condition and the body, with frames within
};

class Loops {
 public:
  Loops(GraphDef& graph, std::vector<NodeDef>& nodes, int depth) : graph_(graph), nodes_(nodes), depth_(depth) {
    for (size_t i = 0; i < nodes.size(); ++i) index_.emplace(nodes[i].name, i);
    for (size_t i = 0; i < nodes.size(); ++i)
      for (const std::string& input : nodes[i].inputs)
        if (const auto from = find(input)) {
          followers_[*from].push_back(i);
          if (!is_control(input)) readers_[*from].push_back(i);
        }
  }

  Status run() {
    LAPIS_CHECK(find_frames());
    if (frames_.empty()) return ok();
    if (depth_ > frontend::kMaxDepth) return error(ErrorKind::Input, "loops stand in each other too deeply");
    std::vector<NodeDef> loops;
    for (Frame& frame : frames_)
      if (!lies_in_another(frame)) {
        LAPIS_TRY(loops.emplace_back(), loop_of(frame));
      }
    remove_frames();
    nodes_.insert(nodes_.end(), std::make_move_iterator(loops.begin()), std::make_move_iterator(loops.end()));
    return ok();
  }

 private:
  std::optional<size_t> find(std::string_view input) const {
    const auto it = index_.find(ref_of(operand(input)).node);
    return it == index_.end() ? std::nullopt : std::optional(it->second);
  }

  // The reader of `from` that is of a kind.
  std::optional<size_t> reader(size_t from, bool (*is)(const NodeDef&)) const {
    const auto it = readers_.find(from);
    if (it == readers_.end()) return std::nullopt;
    const auto found = std::ranges::find_if(it->second, [&](size_t i) { return is(nodes_[i]); });
    return found == it->second.end() ? std::nullopt : std::optional(*found);
  }

  // ---- frames -------------------------------------------------------------------------------------------------------

  Status find_frames() {
    std::map<std::string, size_t> by_name;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (!is_enter(nodes_[i])) continue;
      const auto* name = nodes_[i].attribute<std::string>("frame_name");
      if (!name || nodes_[i].inputs.empty()) return damaged(nodes_[i], "does not say what it enters");
      const auto [it, is_new] = by_name.emplace(*name, frames_.size());
      if (is_new) frames_.push_back({.name = *name});
      LAPIS_CHECK(add_enter(frames_[it->second], i));
    }
    if (frames_.size() * nodes_.size() > kMostWork)
      return error(ErrorKind::Input, "has " + std::to_string(frames_.size()) + " loops in one graph, too many to read");
    for (Frame& frame : frames_) LAPIS_CHECK(complete(frame));
    return ok();
  }

  Status add_enter(Frame& frame, size_t enter) {
    const auto* constant = nodes_[enter].attribute<bool>("is_constant");
    const auto merge = reader(enter, is_merge);
    if ((constant && *constant) || !merge) {
      frame.constants.push_back(enter);
      return ok();
    }
    State state{.enter = enter, .merge = *merge};
    const NodeDef& circle = nodes_[*merge];
    const auto next = circle.inputs.size() == 2 ? find(circle.inputs[1]) : std::nullopt;
    if (!next || !is_next(nodes_[*next]) || nodes_[*next].inputs.empty())
      return damaged(circle, "does not come back from a NextIteration");
    state.next = *next;
    state.choice = reader(*merge, is_switch);
    if (state.choice) state.exit = reader(*state.choice, is_exit);
    frame.states.push_back(state);
    return ok();
  }

  Status complete(Frame& frame) {
    for (const State& state : frame.states) {
      if (!state.choice || nodes_[*state.choice].inputs.size() < 2) continue;
      frame.condition = find(nodes_[*state.choice].inputs[1]);
    }
    const size_t anywhere = frame.states.empty() ? frame.constants.front() : frame.states.front().enter;
    if (!frame.condition || nodes_[*frame.condition].inputs.empty())
      return damaged(nodes_[anywhere], "enters a loop without a condition");
    std::vector<size_t> ends = {*frame.condition};
    for (const State& state : frame.states) ends.push_back(state.next);
    frame.nodes = within(behind(ends, stops_of(frame)), stops_of(frame));
    return ok();
  }

  static NodeSet stops_of(const Frame& frame) {
    NodeSet stops(frame.constants.begin(), frame.constants.end());
    for (const State& state : frame.states) stops.insert(state.enter);
    return stops;
  }

  // The nodes that these need, and they themselves, up to `stops`, which are included.
  NodeSet behind(std::vector<size_t> open, const NodeSet& stops) const {
    NodeSet seen(open.begin(), open.end());
    while (!open.empty()) {
      const size_t at = open.back();
      open.pop_back();
      if (stops.contains(at)) continue;
      for (const std::string& input : nodes_[at].inputs)
        if (const auto from = find(input); from && seen.insert(*from).second) open.push_back(*from);
    }
    return seen;
  }

  // Of these nodes those that come behind `begins`: the others lie outside of the loop, which only waits for them.
  NodeSet within(const NodeSet& all, const NodeSet& begins) const {
    NodeSet inside;
    std::vector<size_t> open(begins.begin(), begins.end());
    while (!open.empty()) {
      const size_t at = open.back();
      open.pop_back();
      if (!inside.insert(at).second) continue;
      const auto followers = followers_.find(at);
      if (followers == followers_.end()) continue;
      for (const size_t follower : followers->second)
        if (all.contains(follower)) open.push_back(follower);
    }
    return inside;
  }

  bool lies_in_another(const Frame& frame) const {
    const size_t any = frame.states.empty() ? frame.constants.front() : frame.states.front().enter;
    return std::ranges::any_of(frames_,
                               [&](const Frame& other) { return &other != &frame && other.nodes.contains(any); });
  }

  // ---- the node and its functions -----------------------------------------------------------------------------------

  Result<NodeDef> loop_of(const Frame& frame) {
    NodeDef loop;
    loop.op = "While";
    loop.name = free_name(frame.name + "/loop");
    for (const State& state : frame.states) loop.inputs.push_back(nodes_[state.enter].inputs[0]);
    for (const size_t enter : frame.constants) loop.inputs.push_back(nodes_[enter].inputs[0]);
    LAPIS_TRY(loop.attributes["cond"], function(frame, loop.name + "/cond", true));
    LAPIS_TRY(loop.attributes["body"], function(frame, loop.name + "/body", false));
    for (size_t i = 0; i < frame.states.size(); ++i)
      if (frame.states[i].exit) leave(*frame.states[i].exit, name_of_output(loop.name, i));
    return loop;
  }

  std::string free_name(std::string name) const {
    while (index_.contains(name)) name += "_";
    return name;
  }

  // An Exit is what the loop gives.
  void leave(size_t exit, std::string result) {
    left_.insert(exit);
    nodes_[exit].op = "Identity";
    nodes_[exit].inputs = {std::move(result)};
  }

  // Its arguments are the states and the constants of the frame.
  // The condition reads states at their Merge, the body behind their Switch.
  Result<std::string> function(const Frame& frame, const std::string& name, bool is_condition) {
    FunctionDef function;
    function.name = name;
    Replacements arguments;
    NodeSet stops;
    const auto take = [&](size_t node, size_t output) {
      std::string argument = "argument_" + std::to_string(function.inputs.size());
      arguments.emplace(name_of_output(nodes_[node].name, output), argument);
      stops.insert(node);
      return argument;
    };
    for (const State& state : frame.states) {
      const size_t at = is_condition || !state.choice ? state.merge : *state.choice;
      function.inputs.push_back(take(at, at == state.merge ? 0 : 1));
    }
    for (const size_t enter : frame.constants) function.inputs.push_back(take(enter, 0));
    LAPIS_CHECK(fill(function, frame, arguments, stops, is_condition));
    Loops inner(graph_, function.nodes, depth_ + 1);
    LAPIS_CHECK(inner.run());
    graph_.functions.insert_or_assign(name, std::move(function));
    return name;
  }

  Status fill(FunctionDef& function, const Frame& frame, const Replacements& arguments, const NodeSet& stops,
              bool is_condition) {
    std::vector<std::string> results;
    if (is_condition)
      results.push_back(nodes_[*frame.condition].inputs[0]);
    else
      for (const State& state : frame.states) results.push_back(nodes_[state.next].inputs[0]);
    std::vector<size_t> ends;
    for (const std::string& result : results)
      if (const auto end = find(result)) ends.push_back(*end);
    const NodeSet all = behind(ends, stops);
    std::vector<size_t> order(all.begin(), all.end());
    std::sort(order.begin(), order.end());
    for (const size_t i : order)
      if (!stops.contains(i)) function.nodes.push_back(with_arguments(nodes_[i], arguments, stops));
    if (!is_condition)  // what no iteration changes is handed on
      for (size_t i = frame.states.size(); i < function.inputs.size(); ++i) results.push_back(function.inputs[i]);
    for (const std::string& result : results) {
      function.outputs.push_back("result_" + std::to_string(function.outputs.size()));
      function.returns.emplace(function.outputs.back(), replaced(result, arguments));
    }
    return ok();
  }

  static std::string replaced(const std::string& input, const Replacements& arguments) {
    const Ref ref = ref_of(input);
    const auto it = arguments.find(name_of_output(std::string(ref.node), ref.index));
    return it == arguments.end() ? input : it->second;
  }

  // Edges that only order do not lead out of the function.
  NodeDef with_arguments(NodeDef node, const Replacements& arguments, const NodeSet& stops) const {
    std::erase_if(node.inputs, [&](const std::string& input) {
      const auto from = find(input);
      return is_control(input) && (!from || stops.contains(*from));
    });
    for (std::string& input : node.inputs) input = replaced(input, arguments);
    return node;
  }

  void remove_frames() {
    NodeSet gone;
    for (const Frame& frame : frames_) {
      gone.insert(frame.nodes.begin(), frame.nodes.end());
      for (const State& state : frame.states) {
        gone.insert({state.enter, state.merge, state.next});
        if (state.choice) gone.insert(*state.choice);
        if (state.exit && !left_.contains(*state.exit)) gone.insert(*state.exit);  // of a loop within another one
      }
    }
    std::vector<NodeDef> kept;
    for (size_t i = 0; i < nodes_.size(); ++i)
      if (!gone.contains(i)) kept.push_back(std::move(nodes_[i]));
    nodes_ = std::move(kept);
  }

  static constexpr size_t kMostWork = size_t{1} << 32;

  GraphDef& graph_;
  std::vector<NodeDef>& nodes_;
  const int depth_;
  Index index_;
  std::unordered_map<size_t, std::vector<size_t>> readers_, followers_;  // these only wait for a node too
  std::vector<Frame> frames_;
  NodeSet left_;  // Exit nodes that have become results
};

}  // namespace

Status structure_loops(GraphDef& graph) { return Loops(graph, graph.nodes, 0).run(); }

}  // namespace lapis::tensorflow_frontend
