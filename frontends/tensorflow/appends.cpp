#include "frontends/tensorflow/appends.h"

#include <algorithm>
#include <optional>

namespace lapis::tensorflow_frontend {
namespace {

using frontend::SourceGraph;
using frontend::SourceNode;

constexpr size_t kFirstState = 2;  // of the body's inputs

// The number of the node that computes a value.
std::optional<size_t> maker_of(const SourceGraph& graph, const std::string& value) {
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    if (std::ranges::find(graph.nodes[i].outputs, value) != graph.nodes[i].outputs.end()) return i;
  return std::nullopt;
}

// What nodes have handed on as `value`.
std::string origin_of(const SourceGraph& graph, std::string value) {
  const auto hands_on = [&](size_t i) { return graph.nodes[i].op == "Identity" && graph.nodes[i].inputs.size() == 1; };
  for (auto i = maker_of(graph, value); i && hands_on(*i); i = maker_of(graph, value))
    value = graph.nodes[*i].inputs[0];
  return value;
}

std::optional<size_t> producer_of(const SourceGraph& graph, const std::string& value) {
  return maker_of(graph, origin_of(graph, value));
}

std::optional<int64_t> number(const SourceGraph& graph, const std::string& value) {
  const auto it = graph.values.find(value);
  const bool is_one = it != graph.values.end() && it->second.constant.defined() && it->second.constant.size() == 1 &&
                      is_integer(it->second.constant.dtype());
  return is_one ? std::optional(it->second.constant.as_int(0)) : std::nullopt;
}

bool flag(const SourceNode& node, const char* name) {
  const auto it = node.attributes.find(name);
  const bool* value = it == node.attributes.end() ? nullptr : std::get_if<bool>(&it->second);
  return value && *value;
}

// How many elements a list has that a loop begins with.
std::optional<int64_t> length(const SourceGraph& graph, const std::string& list) {
  const auto made = producer_of(graph, list);
  if (!made) return std::nullopt;
  const SourceNode& node = graph.nodes[*made];
  if (node.op == "EmptyTensorList") return 0;
  if (node.op == "TensorListReserve" && node.inputs.size() == 2) return number(graph, node.inputs[1]);
  const bool grows = node.op == "TensorArrayV3" && node.inputs.size() == 1 && flag(node, "dynamic_size");
  return grows ? number(graph, node.inputs[0]) : std::nullopt;
}

struct Write {
  size_t node;  // its number
  std::string list, place, item;
};

class Loop {
 public:
  Loop(SourceGraph& body, const SourceGraph& around, const std::vector<std::string>& states)
      : body_(body), around_(around), states_(states) {}

  void run() {
    for (size_t i = 0; i < states_.size(); ++i)
      if (const auto write = write_of(i); write && is_at_end(i, write->place)) push(*write);
  }

 private:
  const std::string& input(size_t state) const { return body_.inputs[kFirstState + state]; }
  const std::string& result(size_t state) const { return body_.outputs[1 + state]; }

  // What sets an element of state i, which nothing else reads, so that it grows where it must.
  std::optional<Write> write_of(size_t i) const {
    const auto made = producer_of(body_, result(i));
    if (!made || readers(input(i)) != 1) return std::nullopt;
    const SourceNode& node = body_.nodes[*made];
    std::optional<Write> write;
    if (node.op == "TensorListSetItem" && node.inputs.size() == 3 && flag(node, "resize_if_index_out_of_bounds"))
      write = Write{*made, node.inputs[0], node.inputs[1], node.inputs[2]};
    if (node.op == "TensorArrayWriteV3" && node.inputs.size() == 4)
      write = Write{*made, node.inputs[3], node.inputs[1], node.inputs[2]};
    return write && write->list == input(i) ? write : std::nullopt;
  }

  ptrdiff_t readers(const std::string& value) const {
    ptrdiff_t count = std::ranges::count(body_.outputs, value);
    for (const SourceNode& node : body_.nodes) count += std::ranges::count(node.inputs, value);
    return count;
  }

  // A counter that begins with the number of elements, and is one more after each iteration.
  bool is_at_end(size_t list, const std::string& place) const {
    for (size_t i = 0; i < states_.size(); ++i) {
      if (input(i) != place) continue;
      const auto begins = number(around_, states_[i]);
      return begins && begins == length(around_, states_[list]) && counts(i);
    }
    return false;
  }

  bool counts(size_t i) const {
    const auto made = producer_of(body_, result(i));
    if (!made) return false;
    const SourceNode& step = body_.nodes[*made];
    if ((step.op != "Add" && step.op != "AddV2") || step.inputs.size() != 2) return false;
    const size_t other = step.inputs[0] == input(i) ? 1 : 0;
    return step.inputs[1 - other] == input(i) && number_in_body(step.inputs[other]) == 1;
  }

  // A constant of the body, or one around that goes through it as it is.
  std::optional<int64_t> number_in_body(const std::string& value) const {
    for (size_t i = 0; i < states_.size(); ++i)
      if (input(i) == value && origin_of(body_, result(i)) == value) return number(around_, states_[i]);
    return number(body_, value);
  }

  void push(const Write& write) {
    body_.nodes[write.node].op = "TensorListPushBack";
    body_.nodes[write.node].inputs = {write.list, write.item};
  }

  SourceGraph& body_;
  const SourceGraph& around_;
  const std::vector<std::string>& states_;
};

}  // namespace

void push_what_is_written_in_order(SourceGraph& body, const SourceGraph& around,
                                   const std::vector<std::string>& states) {
  if (body.inputs.size() == states.size() + kFirstState && body.outputs.size() == states.size() + 1)
    Loop(body, around, states).run();
}

}  // namespace lapis::tensorflow_frontend
