// Which weights of a node are to become 0: the words of a recipe's `sparsity`
// (passes/quantize/recipe.h, docs/pruning.md).
//
//   sparsity: {ratio: 0.3}                          the smallest 30 % of a tensor
//   sparsity: {pattern: "2:4", compensate: true}    two of four neighbours, and the others make good what that loses
//   sparsity: {ratio: 0.5, pattern: channel}        half of the channels, which leave the model
//
// The weights of a Conv, Gemm or MatMul are a matrix here: a row for each output channel, in it the input channels of
// the first tap of the window, then those of the second, ...; so neighbours are what a kernel reads together. A grouped
// Conv is one matrix for each group.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lapis {

struct SparsityPattern {
  enum class Kind : uint8_t {
    Unstructured,  // "unstructured": each weight by itself
    Groups,        // "2:4": of 4 neighbouring input channels, 2 stay
    Blocks,        // "4x1", "16x4": that many output channels by that many neighbouring inputs, all or none
    Channels,      // "channel": output channels, with all that reads them
  };
  Kind kind = Kind::Unstructured;
  int64_t rows = 1, columns = 1;  // of Blocks; of Groups: how many stay, of how many
  bool operator==(const SparsityPattern&) const = default;
};

// Among which weights the smallest are looked for.
enum class SparsityScope : uint8_t {
  Tensor,   // "tensor": of one weight
  Channel,  // "channel": of one output channel
  Global,   // "global": of all weights of the model that have the same sparsity
  Lamp,     // "lamp": the same, each worth what it is of its tensor's weights that are not smaller (mask.h)
};

struct Sparsity {
  double ratio = 0;  // how much becomes 0; of Groups it follows from the pattern. 0: nothing
  SparsityPattern pattern;
  SparsityScope scope = SparsityScope::Tensor;
  bool compensate = false;  // the weights that stay are adjusted on samples (compensate.h)
  bool operator==(const Sparsity&) const = default;
  bool on() const { return ratio > 0; }
  bool among_all() const { return scope == SparsityScope::Global || scope == SparsityScope::Lamp; }
  // Why these settings contradict each other; nullopt: they do not.
  std::optional<std::string> problem() const;
};

// Part of it: what is given replaces what holds so far.
struct SparsitySettings {
  std::optional<double> ratio = {};
  std::optional<SparsityPattern> pattern = {};
  std::optional<SparsityScope> scope = {};
  std::optional<bool> compensate = {};
  bool operator==(const SparsitySettings&) const = default;
  bool empty() const { return *this == SparsitySettings(); }
  Sparsity applied_to(Sparsity sparsity) const;
};

inline constexpr std::string_view kSparsityPatterns =
    "unstructured, N:M (as 2:4), ROWSxCOLUMNS (as 4x1, 16x4), channel";

std::string name_of(const SparsityPattern& pattern);
std::string_view name_of(SparsityScope scope);
std::optional<SparsityPattern> sparsity_pattern_from_name(std::string_view name);
std::optional<SparsityScope> sparsity_scope_from_name(std::string_view name);
std::vector<std::string> sparsity_scope_names();

}  // namespace lapis
