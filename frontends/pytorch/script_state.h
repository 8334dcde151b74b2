// What a run of forward() leaves in its module for the next one: the states of a model. Tensors that a module keeps
// under several names are one state, as they are one tensor in PyTorch.
//
//   self.h = torch.tanh(x + self.h)     h, of the type of tanh's result
//   self.count += 1                     count, a number
//   self.p.add_(x)                      p, and q where the module keeps the same tensor as q
#pragma once

#include <map>
#include <optional>
#include <set>

#include "base/result.h"
#include "frontends/pytorch/item.h"
#include "frontends/pytorch/script_known.h"
#include "frontends/pytorch/writer.h"

namespace lapis::pytorch_frontend {

struct State {
  Item value = {};                // of a number, a string or None
  std::optional<Type> type = {};  // of a tensor
  std::string is = {};            // the first state that is the same tensor, by its path

  bool operator==(const State& other) const;
};

// A list or tuple of states that the code has put into the module as a whole.
struct ListState {
  Item::Kind kind;
  size_t size;

  bool operator==(const ListState& other) const = default;
};

struct States {
  std::map<std::string, State> all;               // by path: "decoder.rnn.state", "cells.0"
  std::map<std::string, ListState> lists = {};    // by path; their elements are states of their own
  std::set<std::set<std::string>> families = {};  // paths of different tensors that may share elements

  bool operator==(const States& other) const = default;
};

// A module of which forward() is run once.
//
//   Memory memory(module, writer);
//   LAPIS_CHECK(memory.enter(states));
//   ... run forward() ...
//   LAPIS_TRY(States left, memory.leave(states, interpreter.changed_attributes(), outputs, known));
class Memory {
 public:
  using Items = std::map<std::string, Item>;  // by path

  Memory(const Item& module, Writer& writer);
  // Puts the states into the module: tensors become inputs of the graph.
  Status enter(const States& given);
  // The states for the next run. An error for what no graph can keep, and where a change in place is seen through
  // another attribute that the graph does not know of.
  Result<States> leave(const States& given, const Items& assigned, const std::vector<Item>& outputs,
                       KnownValues& known);

  const std::map<std::string, std::string>& inputs() const { return inputs_; }  // of states that are tensors
  // What the module has after the run of what was given or has changed.
  const Items& changed() const { return changed_; }

 private:
  Status check_lists(const Items& after) const;
  void find_assigned(const States& given, const Items& assigned);
  Status find_changes(const States& given, const Items& assigned);
  Result<States> states(KnownValues& known);
  void relate(States& states) const;
  bool is_changed(const std::string& path) const;
  bool is_used(const std::string& path, const std::vector<Item>& outputs) const;
  Status check_families(const States& given, const std::vector<Item>& outputs) const;
  Status check_parts() const;
  Status check_parting() const;

  Item module_;
  Writer& writer_;
  Items held_;  // before the run: weights, and what is in lists
  std::map<std::string, std::string> inputs_;
  Items changed_;
  std::map<std::string, ListState> lists_;  // that the run has assigned, or that were given
};

}  // namespace lapis::pytorch_frontend
