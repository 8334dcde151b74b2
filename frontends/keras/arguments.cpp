#include "frontends/keras/arguments.h"

#include <algorithm>

#include "frontends/keras/classes.h"

namespace lapis::keras_frontend {
namespace {

bool fill_by_name(frontend::SourceNode& node, const std::string& name, const Names& values) {
  const std::vector<std::string_view> slots = slots_of(node.op);
  auto slot = static_cast<size_t>(std::ranges::find(slots, name) - slots.begin());
  for (const std::string& value : values) {
    if (slots.empty() && name != "mask")
      node.inputs.push_back(value);
    else if (slot < slots.size() && slots[slot] == name)
      node.inputs[slot++] = value;
    else
      return false;
  }
  return true;
}

// Where a list has a place for nothing in it, what is left of it does not say which is which.
bool has_all_masks(const std::vector<std::string_view>& slots, const Arguments& arguments) {
  const auto mask = arguments.named.find("mask");
  return mask == arguments.named.end() || slots.empty() ||
         std::ranges::count(slots, "mask") == static_cast<ptrdiff_t>(mask->second.size());
}

}  // namespace

bool fill_slots(frontend::SourceNode& node, const Arguments& arguments) {
  const std::vector<std::string_view> slots = slots_of(node.op);
  const auto in_order =
      static_cast<size_t>(std::ranges::count_if(slots, [](std::string_view slot) { return !slot.ends_with("mask"); }));
  node.inputs = arguments.operands;
  bool fits = slots.empty() || (node.inputs.size() <= in_order && has_all_masks(slots, arguments));
  if (fits && !slots.empty()) node.inputs.resize(slots.size());
  for (const auto& [name, values] : arguments.named) fits = fits && fill_by_name(node, name, values);
  return fits && !arguments.has_others;
}

}  // namespace lapis::keras_frontend
