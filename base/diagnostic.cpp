#include "base/diagnostic.h"

#include <algorithm>

#include "base/printable.h"

namespace lapis {

Diagnostic error(ErrorKind kind, std::string message) {
  return {Severity::Error, kind, {}, std::move(message), {}, {}};
}
Diagnostic warning(std::string message) {
  return {Severity::Warning, ErrorKind::Input, {}, std::move(message), {}, {}};
}

static const char* name_of(Severity severity) {
  switch (severity) {
    case Severity::Note: return "note";
    case Severity::Warning: return "warning";
    case Severity::Error: return "error";
  }
  return "error";
}

std::string to_string(const Diagnostic& d) {
  std::string text = d.location.empty() ? "" : printable(d.location) + ": ";
  text += std::string(name_of(d.severity)) + ": " + printable(d.message) + "\n";
  for (const std::string& note : d.notes) text += "  note: " + printable(note) + "\n";
  if (!d.hint.empty()) text += "  hint: " + printable(d.hint) + "\n";
  return text;
}

std::string to_string(const Diagnostics& diagnostics) {
  std::string text;
  for (const Diagnostic& d : diagnostics) text += to_string(d);
  return text;
}

bool has_errors(const Diagnostics& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(),
                     [](const Diagnostic& d) { return d.severity == Severity::Error; });
}

}  // namespace lapis
