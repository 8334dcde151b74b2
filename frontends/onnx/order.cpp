#include "frontends/onnx/order.h"

#include <onnx/onnx_pb.h>

#include <queue>
#include <unordered_map>
#include <unordered_set>

namespace lapis::onnx_frontend {
namespace {

using Names = std::unordered_set<std::string>;

void collect_reads(const onnx::NodeProto& node, const std::vector<const Names*>& local, Names& reads);

void read(const std::string& name, const std::vector<const Names*>& local, Names& reads) {
  if (name.empty()) return;
  for (const Names* scope : local)
    if (scope->contains(name)) return;
  reads.insert(name);
}

// What a subgraph reads from the graphs around it.
void collect_captures(const onnx::GraphProto& graph, std::vector<const Names*> local, Names& reads) {
  Names own;
  for (const auto& v : graph.input()) own.insert(v.name());
  for (const auto& v : graph.initializer()) own.insert(v.name());
  for (const auto& v : graph.sparse_initializer()) own.insert(v.values().name());
  for (const auto& node : graph.node()) own.insert(node.output().begin(), node.output().end());
  local.push_back(&own);
  for (const auto& node : graph.node()) collect_reads(node, local, reads);
  for (const auto& v : graph.output()) read(v.name(), local, reads);
}

void collect_reads(const onnx::NodeProto& node, const std::vector<const Names*>& local, Names& reads) {
  for (const auto& name : node.input()) read(name, local, reads);
  for (const auto& attribute : node.attribute())
    if (attribute.has_g()) collect_captures(attribute.g(), local, reads);
}

class Sorter {
 public:
  Sorter(const std::vector<onnx::NodeProto*>& nodes, const std::function<bool(const std::string&)>& is_defined)
      : nodes_(nodes), is_defined_(is_defined) {}

  Order run() {
    for (size_t i = 0; i < nodes_.size(); ++i) define_outputs(i);
    pending_.resize(nodes_.size());
    for (size_t i = 0; i < nodes_.size(); ++i) connect(i);
    if (result_.diagnostics.empty()) sort();
    return std::move(result_);
  }

 private:
  void define_outputs(size_t i) {
    for (const std::string& name : nodes_[i]->output()) {
      if (name.empty()) continue;
      if (is_defined_(name) || !producer_.emplace(name, i).second)
        report(*nodes_[i], "defines '" + name + "', which is defined already")
            .help("every value of a model needs a name of its own");
    }
  }

  void connect(size_t i) {
    Names reads;
    collect_reads(*nodes_[i], {}, reads);
    for (const std::string& name : reads) {
      const auto it = producer_.find(name);
      if (it != producer_.end()) {
        consumers_[it->second].push_back(i);
        ++pending_[i];
      } else if (!is_defined_(name)) {
        report(*nodes_[i], "reads '" + name + "', which nothing in the model defines")
            .help("the model is incomplete: export it again");
      }
    }
  }

  void sort() {
    std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
    for (size_t i = 0; i < nodes_.size(); ++i)
      if (pending_[i] == 0) ready.push(i);
    while (!ready.empty()) {
      const size_t i = ready.top();
      ready.pop();
      result_.nodes.push_back(nodes_[i]);
      for (size_t c : consumers_[i])
        if (--pending_[c] == 0) ready.push(c);
    }
    if (result_.nodes.size() < nodes_.size()) report_cycle();
  }

  void report_cycle() {
    constexpr size_t kShown = 4;
    size_t count = 0;
    Diagnostic d = error(ErrorKind::Input, "nodes depend on each other in a circle");
    for (size_t i = 0; i < nodes_.size(); ++i)
      if (pending_[i] > 0 && count++ < kShown) d.note(location_of(*nodes_[i]) + " waits for another of them");
    result_.diagnostics.push_back(d.help("a loop must be written with the Loop or Scan operator"));
  }

  Diagnostic& report(const onnx::NodeProto& node, std::string message) {
    return result_.diagnostics.emplace_back(error(ErrorKind::Input, std::move(message)).at(location_of(node)));
  }

  const std::vector<onnx::NodeProto*>& nodes_;
  const std::function<bool(const std::string&)>& is_defined_;
  std::unordered_map<std::string, size_t> producer_;
  std::unordered_map<size_t, std::vector<size_t>> consumers_;
  std::vector<size_t> pending_;
  Order result_;
};

}  // namespace

std::string location_of(const onnx::NodeProto& node) {
  const std::string& name = !node.name().empty() || node.output_size() == 0 ? node.name() : node.output(0);
  return "node '" + name + "' (" + node.op_type() + ")";
}

Order topological_order(const std::vector<onnx::NodeProto*>& nodes,
                        const std::function<bool(const std::string&)>& is_defined) {
  return Sorter(nodes, is_defined).run();
}

}  // namespace lapis::onnx_frontend
