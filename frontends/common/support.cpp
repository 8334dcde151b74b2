#include "frontends/common/support.h"

#include <algorithm>

namespace lapis::frontend {
namespace {

SupportedOperator translated(const Translator& row) {
  SupportedOperator op{.op = std::string(row.op), .oldest = row.oldest, .newest = row.newest};
  if (row.translate.becomes) op.says = row.translate.becomes->name;
  return op;
}

// What a reader resolves in some models only.
bool has_translator(const Dialect& dialect, std::string_view op) {
  return std::ranges::any_of(dialect.translators, [&](const Translator& row) { return row.op == op; });
}

}  // namespace

std::string_view name_of(Support how) {
  constexpr std::string_view kNames[] = {"translated", "resolved", "refused"};
  return kNames[static_cast<size_t>(how)];
}

std::vector<SupportedOperator> operators_of(const Dialect& dialect) {
  std::vector<SupportedOperator> all;
  for (const Translator& row : dialect.translators) all.push_back(translated(row));
  for (const Resolved& row : dialect.resolved)
    if (!has_translator(dialect, row.op))
      all.push_back({.op = std::string(row.op), .how = Support::Resolved, .says = std::string(row.meaning)});
  for (const Refused& row : dialect.refused)
    all.push_back({std::string(row.op), Support::Refused, std::string(row.reason), std::string(row.hint)});
  std::ranges::sort(all, {}, &SupportedOperator::op);
  return all;
}

}  // namespace lapis::frontend
