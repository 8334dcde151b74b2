#include "frontends/common/findings.h"

namespace lapis::frontend {

void Findings::report(Diagnostic d) {
  if (seen_.insert(to_string(d)).second) diagnostics_.push_back(std::move(d));
}

void Findings::collect(Diagnostics found, const std::string& where) {
  for (Diagnostic& d : found) {
    if (d.location.empty()) d.at(where);
    report(std::move(d));
  }
}

void Findings::collect(const Status& status, const std::string& where) {
  if (!status.ok()) collect(status.diagnostics(), where);
}

Diagnostics Findings::all() const {
  Diagnostics all = unsupported_.diagnostics();
  all.insert(all.end(), diagnostics_.begin(), diagnostics_.end());
  return all;
}

}  // namespace lapis::frontend
