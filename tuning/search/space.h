// What a search chooses among: candidates, which are recipes for the whole model,
// and for each unit of it whether it stays in fp32.
//
//   LAPIS_TRY(const SearchSpace space,
//             make_space(*graph, {{"minmax", minmax}, {"percentile", percentile}}, Target::host()));
//   Configuration c = space.int8(1);           // all that the candidate `percentile` makes int8
//   c.fp32[3] = true;                          // but for one unit
//   quantize_static(copy, calibration, {.recipe = space.recipe(c)});
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "passes/quantize/recipe.h"

namespace lapis {

struct Candidate {
  std::string name;  // for people: "minmax"
  Recipe recipe;
  // Of a candidate that is another one with pruning or bf16 on top: which, and what ("25 % pruned, bf16").
  std::optional<size_t> base = {};
  std::string on_top = {};
};

// What the search tries on top of its candidates.
struct Variants {
  std::vector<Sparsity> pruned;
  bool bf16 = false;  // of what is not int8
};
// The candidates, and each of them with one or both on top.
std::vector<Candidate> with_variants(std::vector<Candidate> candidates, const Variants& variants);

// Nodes that change their precision together: one that computes (a contraction, a sum, a concatenation) and what
// follows it on the same bytes: activations, pooling, reshapes.
struct NodeGroup {
  std::string name;  // of the first node
  std::string op;
  std::vector<std::string> nodes;
};

struct Configuration {
  size_t candidate = 0;
  std::vector<bool> fp32;  // by unit
  bool operator==(const Configuration&) const = default;

  std::string key() const;  // "1:00010"
  static std::optional<Configuration> from_key(std::string_view key, size_t candidates, size_t units);
  size_t fp32_units() const;
  bool all_fp32() const { return fp32_units() == fp32.size(); }
  Configuration with(size_t unit, bool in_fp32) const;
};

struct SearchSpace {
  std::vector<Candidate> candidates;
  std::vector<NodeGroup> units;

  Configuration int8(size_t candidate) const { return {candidate, std::vector<bool>(units.size(), false)}; }
  // All units in fp32, whatever the candidate.
  Configuration float32(size_t candidate = 0) const { return {candidate, std::vector<bool>(units.size(), true)}; }
  Recipe recipe(const Configuration& configuration) const;
  // Nothing is done to the model.
  bool is_untouched(const Configuration& c) const { return c.all_fp32() && !candidates[c.candidate].base; }
  std::vector<size_t> bases() const;  // candidates with nothing on top
  // The same with everything on top of it that there is.
  std::vector<Configuration> variants_of(const Configuration& configuration) const;
};

// The units of a simplified float model: what any of the candidates makes int8 on the target. Fails where a candidate
// does not fit the model, and where none quantizes anything.
Result<SearchSpace> make_space(const Graph& graph, std::vector<Candidate> candidates, const Target& target);

}  // namespace lapis
