#include "frontends/common/order.h"

#include <queue>
#include <unordered_map>

namespace lapis::frontend {
namespace {

class Sorter {
 public:
  Sorter(std::span<const OrderedNode> nodes, const std::function<bool(std::string_view)>& is_defined,
         const std::function<std::string(size_t)>& location_of)
      : nodes_(nodes), is_defined_(is_defined), location_of_(location_of), consumers_(nodes.size()) {}

  NodeOrder run() {
    for (size_t i = 0; i < nodes_.size(); ++i) define_outputs(i);
    pending_.resize(nodes_.size());
    for (size_t i = 0; i < nodes_.size(); ++i) connect(i);
    if (result_.diagnostics.empty()) sort();
    return std::move(result_);
  }

 private:
  void define_outputs(size_t i) {
    for (const std::string_view name : nodes_[i].writes) {
      if (name.empty()) continue;
      if (is_defined_(name) || !producer_.emplace(name, i).second)
        report(i, "defines '" + std::string(name) + "', which is defined already")
            .help("every value of a model needs a name of its own");
    }
  }

  void connect(size_t i) {
    for (const std::string_view name : nodes_[i].reads) {
      if (name.empty()) continue;
      const auto it = producer_.find(name);
      if (it != producer_.end()) {
        consumers_[it->second].push_back(i);
        ++pending_[i];
      } else if (!is_defined_(name)) {
        report(i, "reads '" + std::string(name) + "', which nothing in the model defines")
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
      result_.nodes.push_back(i);
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
      if (pending_[i] > 0 && count++ < kShown) d.note(location_of_(i) + " waits for another of them");
    result_.diagnostics.push_back(d.help("a loop must be written with an operator for loops"));
  }

  Diagnostic& report(size_t i, std::string message) {
    return result_.diagnostics.emplace_back(error(ErrorKind::Input, std::move(message)).at(location_of_(i)));
  }

  const std::span<const OrderedNode> nodes_;
  const std::function<bool(std::string_view)>& is_defined_;
  const std::function<std::string(size_t)>& location_of_;
  std::unordered_map<std::string_view, size_t> producer_;
  std::vector<std::vector<size_t>> consumers_;
  std::vector<size_t> pending_;
  NodeOrder result_;
};

}  // namespace

NodeOrder topological_order(std::span<const OrderedNode> nodes, const std::function<bool(std::string_view)>& is_defined,
                            const std::function<std::string(size_t)>& location_of) {
  return Sorter(nodes, is_defined, location_of).run();
}

}  // namespace lapis::frontend
