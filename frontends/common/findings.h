// Findings: everything that an import finds wrong, to be reported at once: each finding once, and the operators that
// cannot be imported as one list (unsupported.h).
//
//   findings.collect(infer_types(*node));
//   if (!findings.empty()) return findings.all();
#pragma once

#include <string>
#include <unordered_set>

#include "base/result.h"
#include "frontends/common/unsupported.h"

namespace lapis::frontend {

class Findings {
 public:
  void report(Diagnostic d);
  // `where` locates those that have no location of their own.
  void collect(Diagnostics found, const std::string& where = "");
  void collect(const Status& status, const std::string& where = "");
  void unsupported(const UnsupportedNode& node) { unsupported_.add(node); }

  bool empty() const { return diagnostics_.empty() && unsupported_.empty(); }
  Diagnostics all() const;  // the operators first

  // For searching what cannot be right any more for unsupported operators:
  // only those of the findings after `count` stay.
  size_t count() const { return diagnostics_.size(); }
  void forget_after(size_t count) { diagnostics_.resize(std::min(count, diagnostics_.size())); }

 private:
  std::unordered_set<std::string> seen_;
  Diagnostics diagnostics_;
  UnsupportedOperators unsupported_;
};

}  // namespace lapis::frontend
