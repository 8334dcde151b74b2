#include "tuning/search/space.h"

#include <algorithm>
#include <cstdio>
#include <unordered_map>
#include <unordered_set>

#include "passes/quantize/place.h"
#include "passes/quantize/roles.h"
#include "tuning/fixed_inputs.h"

namespace lapis {

// "25 % pruned (channel)"
static std::string described(const Sparsity& sparsity) {
  char percent[32];
  std::snprintf(percent, sizeof percent, "%.3g %% pruned", 100 * sparsity.ratio);
  const std::string pattern = name_of(sparsity.pattern);
  return percent + (pattern == name_of(SparsityPattern()) ? "" : " (" + pattern + ")");
}

std::string Configuration::key() const {
  std::string text = std::to_string(candidate) + ":";
  for (const bool stays : fp32) text += stays ? '1' : '0';
  return text;
}

std::optional<Configuration> Configuration::from_key(std::string_view key, size_t candidates, size_t units) {
  const size_t colon = key.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon > 6 || key.size() - colon - 1 != units)
    return std::nullopt;
  Configuration c;
  for (const char digit : key.substr(0, colon)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    c.candidate = 10 * c.candidate + static_cast<size_t>(digit - '0');
  }
  for (const char bit : key.substr(colon + 1)) {
    if (bit != '0' && bit != '1') return std::nullopt;
    c.fp32.push_back(bit == '1');
  }
  return c.candidate < candidates ? std::optional(c) : std::nullopt;
}

size_t Configuration::fp32_units() const { return static_cast<size_t>(std::count(fp32.begin(), fp32.end(), true)); }

Configuration Configuration::with(size_t unit, bool in_fp32) const {
  Configuration changed = *this;
  changed.fp32[unit] = in_fp32;
  return changed;
}

Recipe SearchSpace::recipe(const Configuration& configuration) const {
  Recipe recipe = candidates[configuration.candidate].recipe;
  for (size_t u = 0; u < units.size(); ++u)
    for (const std::string& node : units[u].nodes)
      if (configuration.fp32[u]) recipe.keep_float({Selector::By::Name, node});
  return recipe;
}

std::vector<size_t> SearchSpace::bases() const {
  std::vector<size_t> found;
  for (size_t c = 0; c < candidates.size(); ++c)
    if (!candidates[c].base) found.push_back(c);
  return found;
}

std::vector<Configuration> SearchSpace::variants_of(const Configuration& configuration) const {
  const size_t base = candidates[configuration.candidate].base.value_or(configuration.candidate);
  std::vector<Configuration> all;
  for (size_t c = 0; c < candidates.size(); ++c)
    if (candidates[c].base == base) all.push_back({c, configuration.fp32});
  return all;
}

std::vector<Candidate> with_variants(std::vector<Candidate> candidates, const Variants& variants) {
  std::vector<Sparsity> pruned = {Sparsity()};
  pruned.insert(pruned.end(), variants.pruned.begin(), variants.pruned.end());
  const size_t bases = candidates.size();
  for (size_t base = 0; base < bases; ++base)
    for (const Sparsity& sparsity : pruned)
      for (const bool bf16 : {false, true}) {
        if ((!sparsity.on() && !bf16) || (bf16 && !variants.bf16)) continue;
        Candidate c = candidates[base];
        c.base = base;
        if (sparsity.on()) {
          c.recipe.defaults.sparsity = sparsity;
          c.on_top = described(sparsity);
        }
        if (bf16) {
          c.recipe.defaults.floats = DType::BFloat16;
          c.on_top += c.on_top.empty() ? "bf16" : ", bf16";
        }
        c.name += ", " + c.on_top;
        candidates.push_back(std::move(c));
      }
  return candidates;
}

namespace {

std::unordered_set<std::string> quantized_nodes(const Placement& placement) {
  std::unordered_set<std::string> names;
  for (const NodeDecision& d : placement.decisions)
    if (d.quantized) names.insert(d.node);
  return names;
}

// The unit whose bytes the node goes on with, if it is no beginning of one.
std::optional<size_t> continues(const Node& node, const std::unordered_map<const Node*, size_t>& unit_of) {
  if (quant_of(node) == Quant::Contraction) return std::nullopt;
  const std::vector<Value*> operands = data_operands(node);
  if (operands.size() != 1 || !operands[0]->producer()) return std::nullopt;
  const auto at = unit_of.find(operands[0]->producer());
  return at == unit_of.end() ? std::nullopt : std::optional(at->second);
}

}  // namespace

Result<SearchSpace> make_space(const Graph& graph, std::vector<Candidate> candidates, const Target& target) {
  std::unordered_set<std::string> wanted;
  for (const Candidate& c : candidates) {
    LAPIS_TRY(const Placement placement, plan_qdq(graph, c.recipe, target));
    wanted.merge(quantized_nodes(placement));
  }
  SearchSpace space{std::move(candidates), {}};
  std::unordered_map<const Node*, size_t> unit_of;
  for (const Node* node : graph.nodes()) {
    if (!wanted.contains(node->name())) continue;
    std::optional<size_t> unit = continues(*node, unit_of);
    if (!unit) {
      unit = space.units.size();
      space.units.push_back({node->name(), std::string(node->op().name), {}});
    }
    space.units[*unit].nodes.push_back(node->name());
    unit_of[node] = *unit;
  }
  if (space.units.empty()) {
    const std::string undecided =
        undecided_branches(graph, "give numbers to inputs in `model.values`, or as `constant` of the dataset file");
    return error(ErrorKind::Unsupported,
                 "no candidate makes any node of the model int8, so that there is nothing to tune")
        .help(undecided.empty() ? "`lapis quantize` says of each node why it stays float" : undecided);
  }
  return space;
}

}  // namespace lapis
