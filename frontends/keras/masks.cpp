#include "frontends/keras/masks.h"

#include <algorithm>

#include "frontends/keras/classes.h"

namespace lapis::keras_frontend {
namespace {

using frontend::SourceNode;
using View = std::string_view;

constexpr const char* kMadeInSteps = "?";  // a mask that is made within each step, of all steps together

bool is_merging(View layer) {
  return is_one_of(layer, {"Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"});
}

// Whether the result has the mask of the (first) operand.
// Identity, Normalization and Rescaling learned it with Keras 3.
bool hands_on(View layer, int64_t version) {
  return is_one_of(layer, {"Activation",
                           "ActivityRegularization",
                           "AlphaDropout",
                           "BatchNormalization",
                           "Dense",
                           "Dropout",
                           "ELU",
                           "GaussianDropout",
                           "GaussianNoise",
                           "GroupNormalization",
                           "LayerNormalization",
                           "LeakyReLU",
                           "PReLU",
                           "ReLU",
                           "Softmax",
                           "SpatialDropout1D",
                           "SpatialDropout2D",
                           "SpatialDropout3D",
                           "ThresholdedReLU",
                           "UnitNormalization"}) ||
         (version >= 3 && is_one_of(layer, {"Identity", "Normalization", "Rescaling"}));
}

// Where zeros may stand for steps that do not count.
bool is_table(const SourceNode& node) {
  const auto reverse = node.attributes.find("reverse");
  const bool is_reversed = reverse != node.attributes.end() && reverse->second == frontend::SourceAttribute(true);
  return node.op == "Embedding" || (node.op == "ReversibleEmbedding" && !is_reversed);
}

// The operand whose mask belongs into a slot: that of the same place for "mask", that of the name for "query_mask".
std::optional<size_t> operand_of(const std::vector<View>& slots, size_t slot) {
  constexpr View kEnding = "_mask";
  const View name = slots[slot];
  if (name == "mask")
    return static_cast<size_t>(std::count(slots.begin(), slots.begin() + static_cast<ptrdiff_t>(slot), name));
  if (!name.ends_with(kEnding)) return std::nullopt;
  const auto at = std::ranges::find(slots, name.substr(0, name.size() - kEnding.size()));
  return at == slots.end() ? std::nullopt : std::optional(static_cast<size_t>(at - slots.begin()));
}

// Keras 3 gives "mask" only to layers that are called with one argument, so that states take the mask away.
bool takes_masks(const SourceNode& node, int64_t version) {
  const std::vector<View> slots = slots_of(node.op);
  const auto is_state = [&](size_t slot) { return slots[slot] == "initial_state" && !node.inputs[slot].empty(); };
  bool has_state = false;
  for (size_t slot = 0; slot < slots.size(); ++slot) has_state = has_state || is_state(slot);
  return version < 3 || !has_state;
}

// What the first slot for a mask holds, whoever filled it.
std::string first_mask(const SourceNode& node) {
  const std::vector<View> slots = slots_of(node.op);
  for (size_t slot = 0; slot < slots.size() && slot < node.inputs.size(); ++slot)
    if (operand_of(slots, slot)) return node.inputs[slot];
  return "";
}

bool returns_steps(const Json& config) {
  const Json* inner = frontend::member(config, "layer");
  return flag(inner ? config_of(*inner) : config, "return_sequences", false);
}

Masks::Made computed(std::string op, const SourceNode& layer, std::vector<std::string> inputs) {
  SourceNode node;
  node.op = std::move(op);
  node.name = layer.name + "/mask";
  node.inputs = std::move(inputs);
  node.attributes = layer.attributes;
  return {"", std::move(node)};
}

}  // namespace

std::string Masks::of(const std::string& value) const {
  const auto it = masks_.find(value);
  return it == masks_.end() ? "" : it->second;
}

std::string Masks::hand_over(SourceNode& node, bool was_given_masks) const {
  const auto has_mask = [&](const std::string& value) { return !of(value).empty(); };
  if (node.op == "Multiply" && version_ >= 3 && std::ranges::any_of(node.inputs, has_mask))
    return "a mask: Keras multiplies by 1 where a step is left out, and gives 0 where all are";
  if (node.op == "GroupQueryAttention" && std::ranges::any_of(node.inputs, has_mask))
    return "a mask over the steps of an attention of which heads share their keys";
  const std::vector<View> slots = slots_of(node.op);
  if (node.inputs.size() != slots.size()) return "";
  was_given_masks = was_given_masks || !takes_masks(node, version_);
  std::vector<std::string> inputs = node.inputs;
  for (size_t slot = 0; slot < slots.size(); ++slot) {
    const auto operand = operand_of(slots, slot);
    if (!operand || !inputs[slot].empty() || (was_given_masks && slots[slot] == "mask")) continue;
    inputs[slot] = of(node.inputs[*operand]);
    if (inputs[slot] == kMadeInSteps) return "a mask that a layer within TimeDistributed makes";
  }
  node.inputs = std::move(inputs);
  return "";
}

Masks::Made Masks::made_by(const SourceNode& node, const Json& config) const {
  if (node.inputs.empty()) return {};
  if (node.op == "Masking") return computed("Masking.mask", node, {node.inputs[0]});
  if (is_table(node) && flag(config, "mask_zero", false)) return computed("Embedding.mask", node, {node.inputs[0]});
  if (is_merging(node.op)) return merged(node);
  if (node.op == "Concatenate") return concatenated(node);
  const std::string given = first_mask(node), handed = given.empty() ? of(node.inputs[0]) : given;
  if (is_recurrent(node.op) || is_conv_lstm(node.op) || node.op == "Bidirectional")
    return {returns_steps(config) ? handed : ""};
  if (is_attention(node.op)) return {given};
  if (node.op == "MultiHeadAttention") return {of(node.inputs[0])};
  return {hands_on(node.op, version_) ? handed : ""};
}

// Keras 3 counts a step that any operand counts, if all have masks;
// Keras 2 one that all of those count that have a mask.
Masks::Made Masks::merged(const SourceNode& node) const {
  std::vector<std::string> masks;
  for (const std::string& operand : node.inputs)
    if (std::string mask = of(operand); !mask.empty()) masks.push_back(std::move(mask));
  if (masks.empty() || (version_ >= 3 && masks.size() < node.inputs.size())) return {};
  if (std::ranges::find(masks, kMadeInSteps) != masks.end()) return {kMadeInSteps};
  if (masks.size() == 1) return {masks[0]};
  return computed(version_ >= 3 ? "Masks.any" : "Masks.all", node, std::move(masks));
}

// Each operand and its mask.
Masks::Made Masks::concatenated(const SourceNode& node) const {
  std::vector<std::string> both;
  bool has_mask = false;
  for (const std::string& operand : node.inputs) {
    both.insert(both.end(), {operand, of(operand)});
    if (both.back() == kMadeInSteps) return {kMadeInSteps};
    has_mask = has_mask || !both.back().empty();
  }
  return has_mask ? computed("Concatenate.mask", node, std::move(both)) : Made{};
}

void Masks::take_away(const SourceNode& node) {
  if (version_ < 3 || node.op != "MultiHeadAttention") return;
  const std::vector<View> slots = slots_of(node.op);
  for (size_t slot = 0; slot < slots.size() && slot < node.inputs.size(); ++slot)
    if (!slots[slot].ends_with("mask")) masks_.erase(node.inputs[slot]);
}

Masks::Made Masks::taken_apart(const std::string& name, const std::string& mask) const {
  if (mask.empty() || mask == kMadeInSteps) return {mask};
  SourceNode node;
  node.op = "TimeDistributed.mask";
  node.name = name + "/mask";
  node.inputs = {mask};
  return {"", std::move(node)};
}

void Masks::note_steps(const std::string& steps, const std::string& step, const std::string& mask) {
  note(steps, mask.empty() && !of(step).empty() ? kMadeInSteps : mask);
}

}  // namespace lapis::keras_frontend
