#include "frontends/common/unsupported.h"

namespace lapis::frontend {

void UnsupportedOperators::add(const UnsupportedNode& node) {
  constexpr size_t kShown = 3;
  Entry& entry = found_[{node.op, node.reason}];
  if (entry.count++ == 0) {
    entry.note = node.note;
    entry.hint = node.hint;
  }
  if (entry.first_nodes.size() < kShown) entry.first_nodes.push_back(node.where);
}

Diagnostics UnsupportedOperators::diagnostics() const {
  Diagnostics all;
  for (const auto& [what, entry] : found_) {
    const auto& [op, reason] = what;
    Diagnostic d = error(ErrorKind::Unsupported,
                         "operator " + op + " is not supported" + (reason.empty() ? "" : ": " + reason) + " (" +
                             std::to_string(entry.count) + (entry.count == 1 ? " node)" : " nodes)"));
    std::string names;
    for (const std::string& name : entry.first_nodes) names += (names.empty() ? "'" : ", '") + name + "'";
    d.note((entry.count > entry.first_nodes.size() ? "the first are " : "at ") + names);
    if (!entry.note.empty()) d.note(entry.note);
    all.push_back(d.help(entry.hint));
  }
  return all;
}

}  // namespace lapis::frontend
