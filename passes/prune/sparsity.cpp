#include "passes/prune/sparsity.h"

#include <array>
#include <charconv>
#include <cmath>

namespace lapis {

namespace {

using Kind = SparsityPattern::Kind;

constexpr std::array<std::string_view, 4> kScopes = {"tensor", "channel", "global", "lamp"};
constexpr int64_t kLargest = 64;  // rows or columns of a pattern

// The share that a pattern N:M prunes.
double ratio_of(const SparsityPattern& groups) {
  return 1 - static_cast<double>(groups.rows) / static_cast<double>(groups.columns);
}

// "4x1" around 'x'.
std::optional<SparsityPattern> two_numbers(std::string_view text, char between, Kind kind) {
  const size_t at = text.find(between);
  if (at == std::string_view::npos) return std::nullopt;
  const auto number = [](std::string_view digits) {
    int64_t value = 0;
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return failure == std::errc() && end == digits.data() + digits.size() && value <= kLargest ? value : 0;
  };
  const SparsityPattern pattern{kind, number(text.substr(0, at)), number(text.substr(at + 1))};
  return pattern.rows > 0 && pattern.columns > 0 ? std::optional(pattern) : std::nullopt;
}

}  // namespace

std::optional<std::string> Sparsity::problem() const {
  if (!(ratio >= 0 && ratio < 1)) return "`ratio` must be 0 or more and less than 1";
  if (pattern.kind == Kind::Groups && on() && std::abs(ratio - ratio_of(pattern)) > 1e-9)
    return "the pattern " + name_of(pattern) + " prunes " + std::to_string(pattern.columns - pattern.rows) + " of " +
           std::to_string(pattern.columns) + " weights, which is another `ratio`";
  if (pattern.kind == Kind::Groups && scope != SparsityScope::Tensor)
    return "the pattern " + name_of(pattern) + " has its weights counted by themselves: it has no `scope`";
  if (scope == SparsityScope::Channel && pattern.kind != Kind::Unstructured)
    return "the scope channel is for unstructured sparsity, not for the pattern " + name_of(pattern);
  if (scope == SparsityScope::Lamp && pattern.kind == Kind::Channels)
    return "the scope lamp is for weights and blocks of them; channels are relative to the others of their Conv "
           "already";
  return std::nullopt;
}

Sparsity SparsitySettings::applied_to(Sparsity sparsity) const {
  sparsity.pattern = pattern.value_or(sparsity.pattern);
  if (pattern && pattern->kind == Kind::Groups) sparsity.ratio = ratio_of(*pattern);
  sparsity.ratio = ratio.value_or(sparsity.ratio);
  sparsity.scope = scope.value_or(sparsity.scope);
  sparsity.compensate = compensate.value_or(sparsity.compensate);
  return sparsity;
}

std::string name_of(const SparsityPattern& pattern) {
  switch (pattern.kind) {
    case Kind::Unstructured: return "unstructured";
    case Kind::Groups: return std::to_string(pattern.rows) + ":" + std::to_string(pattern.columns);
    case Kind::Blocks: return std::to_string(pattern.rows) + "x" + std::to_string(pattern.columns);
    case Kind::Channels: return "channel";
  }
  return {};
}

std::optional<SparsityPattern> sparsity_pattern_from_name(std::string_view name) {
  if (name == "unstructured") return SparsityPattern{Kind::Unstructured, 1, 1};
  if (name == "channel") return SparsityPattern{Kind::Channels, 1, 1};
  const auto groups = two_numbers(name, ':', Kind::Groups);
  if (groups && groups->rows < groups->columns) return groups;
  return two_numbers(name, 'x', Kind::Blocks);
}

std::string_view name_of(SparsityScope scope) { return kScopes[static_cast<size_t>(scope)]; }

std::optional<SparsityScope> sparsity_scope_from_name(std::string_view name) {
  for (size_t i = 0; i < kScopes.size(); ++i)
    if (kScopes[i] == name) return static_cast<SparsityScope>(i);
  return std::nullopt;
}

std::vector<std::string> sparsity_scope_names() { return {kScopes.begin(), kScopes.end()}; }

}  // namespace lapis
