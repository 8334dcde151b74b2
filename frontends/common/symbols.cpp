#include "frontends/common/symbols.h"

#include <algorithm>
#include <cctype>

namespace lapis::frontend {
namespace {

std::string identifier_of(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) ? "_" + name : name;
}

}  // namespace

Dim Symbols::unnamed(const std::string& input, size_t axis) {
  return Dim::symbol(identifier_of(input) + "_dim" + std::to_string(axis));
}

void Symbols::note(const Type& input) {
  if (input.element) note(*input.element);
  if (!input.dims) return;
  for (const Dim& d : *input.dims)
    for (std::string& s : d.symbols()) symbols_.insert(std::move(s));
}

Type Symbols::bound(Type type) const {
  if (type.element) type.element = std::make_shared<const Type>(bound(*type.element));
  if (type.dims)
    for (Dim& d : *type.dims) d = d.bind(options_.dims);
  return type;
}

void Symbols::check(Findings& findings) const {
  for (const auto& [name, value] : options_.dims) {
    if (!symbols_.contains(name)) {
      Diagnostic d = error(ErrorKind::Mismatch, "the model has no symbolic dimension '" + name + "'");
      std::string known;
      for (const std::string& s : symbols_) known += (known.empty() ? "" : ", ") + s;
      findings.report(d.note("it has: " + (known.empty() ? "none" : known)));
    }
    if (value < 0)
      findings.report(error(ErrorKind::Mismatch, "dimension '" + name + "' cannot be " + std::to_string(value)));
  }
}

}  // namespace lapis::frontend
