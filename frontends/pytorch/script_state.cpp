#include "frontends/pytorch/script_state.h"

#include <algorithm>
#include <charconv>
#include <unordered_set>

#include "frontends/pytorch/script_forms.h"

namespace lapis::pytorch_frontend {
namespace {

using Kind = Item::Kind;
using Items = Memory::Items;

// ---- attributes -----------------------------------------------------------------------------------------------------

Item* part_of(const Item& whole, std::string_view name) {
  if (whole.object) {
    const auto found = whole.object->attributes.find(name);
    return found == whole.object->attributes.end() ? nullptr : &found->second;
  }
  size_t at = 0;
  const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), at);
  const bool is_index = problem == std::errc() && end == name.data() + name.size();
  return is_index && at < whole.elements().size() ? &(*whole.items)[at] : nullptr;
}

// Null if the module has no such attribute.
Item* attribute(const Item& module, std::string_view path) {
  const Item* whole = &module;
  for (size_t end = path.find('.'); whole && end != std::string_view::npos; end = path.find('.')) {
    whole = part_of(*whole, path.substr(0, end));
    path.remove_prefix(end + 1);
  }
  return whole ? part_of(*whole, path) : nullptr;
}

bool is_tensor(const Item& item) { return item.is(Kind::Tensor) || (item.is(Kind::Weight) && item.weight->defined()); }

// Weights, what is in lists, and how much: "w", "cells.0", "cells.". What several attributes keep comes once.
Items held_by(const Item& module) {
  Items found;
  std::unordered_set<const void*> seen;
  std::vector<std::pair<std::string, Item>> open = {{"", module}};
  const auto visit = [&](const std::string& path, const Item& item, bool is_element) {
    const void* parts = item.object ? static_cast<const void*>(item.object.get()) : item.items.get();
    if (parts && seen.insert(parts).second) open.emplace_back(path + ".", item);
    if (!parts && (is_element || is_tensor(item))) found.emplace(path, item);
  };
  while (!open.empty()) {
    const auto [stem, item] = std::move(open.back());
    open.pop_back();
    if (item.object)
      for (const auto& [name, one] : item.object->attributes) visit(stem + name, one, false);
    if (item.items) found.emplace(stem, Item::of_int(static_cast<int64_t>(item.items->size())));
    for (size_t i = 0; i < item.elements().size(); ++i) visit(stem + std::to_string(i), item.elements()[i], true);
  }
  return found;
}

constexpr std::string_view kAsInput = "make the state an input and an output of the model";

// Sizes that were given already are no advice.
Diagnostic unknown(std::string what, const KnownValues& known) {
  const std::string advice = known.sizes_given() ? "" : "give the sizes of the inputs: --shape INPUT=1x256, or ";
  return error(ErrorKind::Unsupported, std::move(what)).help(advice + std::string(kAsInput));
}

Result<State> state_of(const Item& item, const Writer& writer, KnownValues& known) {
  if (is_tensor(item) && item.is(Kind::Weight)) return State{.type = Type::of(*item.weight)};
  if (item.is(Kind::Tensor)) {
    if (const auto type = known.type(writer, item.text)) return State{.type = *type};
    return unknown("a tensor whose sizes are not known", known);
  }
  const auto number = item.is(Kind::Symbol) ? known.number(writer, item.text) : std::nullopt;
  const Item& value = number ? *number : item;
  const bool is_plain =
      value.is_none() || value.is(Kind::Bool) || value.is(Kind::Int) || value.is(Kind::Float) || value.is(Kind::String);
  if (is_plain) return State{.value = value};
  if (item.is(Kind::Symbol)) return unknown("a number that is not known before the model runs", known);
  return error(ErrorKind::Unsupported, item.description() + " of what a graph does not keep")
      .help("keep its tensors and numbers in attributes of their own, or " + std::string(kAsInput));
}

Diagnostic shared_elements(const std::string& changed, const std::string& other) {
  return error(ErrorKind::Unsupported,
               "forward() changes '" + changed + "' in place, which shares its storage with '" + other + "'")
      .help("give both elements of their own: clone() one of them");
}

}  // namespace

bool State::operator==(const State& other) const {
  if (type.has_value() != other.type.has_value()) return false;
  return type ? *type == *other.type && is == other.is : same(value, other.value);
}

Memory::Memory(const Item& module, Writer& writer) : module_(module), writer_(writer), held_(held_by(module)) {}

Status Memory::enter(const States& given) {
  for (const auto& [path, list] : given.lists)
    if (Item* held = attribute(module_, path)) *held = Item::list(std::vector<Item>(list.size), list.kind);
  for (const auto& [path, state] : given.all) {
    Item value = state.value;
    if (state.type) {
      std::string& name = inputs_[path];
      name = state.is == path ? writer_.unique(path) : inputs_.at(state.is);
      if (state.is == path) writer_.add_input(name, *state.type);
      value = Item::tensor(name);
    }
    Item* held = attribute(module_, path);
    if (!held) return error(ErrorKind::Unsupported, "forward() changes '" + path + "' of an object that it makes");
    *held = std::move(value);
  }
  return ok();
}

Result<States> Memory::leave(const States& given, const Items& assigned, const std::vector<Item>& outputs,
                             KnownValues& known) {
  LAPIS_CHECK(find_changes(given, assigned));
  LAPIS_CHECK(check_families(given, outputs));
  LAPIS_CHECK(check_parts());
  LAPIS_CHECK(check_parting());
  return states(known);
}

// What several attributes hold is found once.
Status Memory::check_lists(const Items& after) const {
  for (const auto& [path, list] : lists_)
    if (!after.contains(path + "."))
      return error(ErrorKind::Unsupported, "forward() puts one list into '" + path + "' and another attribute")
          .help("copy() it");
  return ok();
}

// Lists that are assigned are what their elements are now.
void Memory::find_assigned(const States& given, const Items& assigned) {
  lists_ = given.lists;
  for (const auto& [path, item] : assigned) {
    lists_.erase(path);
    if (!item.is_sequence()) changed_.emplace(path, item);
    if (item.is_sequence()) lists_.emplace(path, ListState{item.kind, item.elements().size()});
  }
  for (const auto& [path, list] : lists_)
    for (size_t i = 0; i < list.size; ++i)
      if (const Item* element = attribute(module_, path + "." + std::to_string(i)))
        changed_.emplace(path + "." + std::to_string(i), *element);
}

// Attributes that were assigned, elements of lists that are others now, weights that were changed in place,
// and what was given.
Status Memory::find_changes(const States& given, const Items& assigned) {
  find_assigned(given, assigned);
  const Items after = held_by(module_);
  LAPIS_CHECK(check_lists(after));
  for (const auto& [path, before] : held_) {
    const auto now = after.find(path);
    if (before.is(Kind::Weight) && writer_.is_changed_weight(before) && !inputs_.contains(path))
      changed_.emplace(path, now == after.end() ? before : now->second);
    if (now == after.end() || same(before, now->second)) continue;
    const bool is_length = path.ends_with('.');
    if (!is_length) changed_.emplace(path, now->second);
    if (is_length && !lists_.contains(path.substr(0, path.size() - 1)))
      return error(ErrorKind::Unsupported, "forward() changes the length of '" + path.substr(0, path.size() - 1) + "'")
          .help(std::string(kAsInput));
  }
  for (const auto& [path, state] : given.all)
    if (attribute(module_, path)) changed_.emplace(path, state.type ? Item::tensor(inputs_.at(path)) : state.value);
  return ok();
}

Result<States> Memory::states(KnownValues& known) {
  States states;
  Diagnostics found;
  for (const auto& [path, item] : changed_) {
    Result<State> state = state_of(item, writer_, known);
    if (state.ok())
      states.all.emplace(path, *std::move(state));
    else
      found.push_back(
          error(ErrorKind::Unsupported, "forward() changes '" + path + "', " + state.diagnostics()[0].message)
              .help(state.diagnostics()[0].hint));
  }
  LAPIS_CHECK(status_of(std::move(found)));
  states.lists = lists_;
  relate(states);
  return states;
}

// Those that are one tensor from the beginning stay one. What only becomes one with another starts as its own.
void Memory::relate(States& states) const {
  std::map<std::pair<std::string, const Tensor*>, std::string> first;  // path by what is there now, and was at first
  Items tensors;
  for (const auto& [path, item] : held_)
    if (item.is(Kind::Weight) && writer_.is_known(item)) tensors.emplace(path, item);
  for (auto& [path, state] : states.all) {
    if (!state.type) continue;
    const Item& now = tensors.insert_or_assign(path, changed_.at(path)).first->second;
    const auto held = held_.find(path);
    const Tensor* start = held == held_.end() ? nullptr : held->second.weight.get();
    state.is = start ? first.emplace(std::pair(writer_.value_now(now), start), path).first->second : path;
  }
  std::map<std::string, std::set<std::string>> families;  // paths by what they may be views of
  for (const auto& [path, item] : tensors) {
    const auto state = states.all.find(path);
    for (const std::string& root : writer_.shared_by(item))
      families[root].insert(state == states.all.end() ? path : state->second.is);
  }
  for (const auto& [root, family] : families)
    if (family.size() > 1) states.families.insert(family);
}

// ---- changes in place -----------------------------------------------------------------------------------------------

bool Memory::is_changed(const std::string& path) const {
  if (const auto input = inputs_.find(path); input != inputs_.end()) return writer_.is_changed(input->second);
  const auto weight = held_.find(path);
  return weight != held_.end() && weight->second.is(Kind::Weight) && writer_.is_changed_weight(weight->second);
}

// Whether the run has read it, gives it, or leaves it behind.
bool Memory::is_used(const std::string& path, const std::vector<Item>& outputs) const {
  const auto input = inputs_.find(path);
  if (input == inputs_.end()) return true;
  const auto is_it = [&](const Item& item) { return item.is(Kind::Tensor) && item.text == input->second; };
  return writer_.is_read(input->second) || std::any_of(outputs.begin(), outputs.end(), is_it) ||
         std::any_of(changed_.begin(), changed_.end(), [&](const auto& entry) { return is_it(entry.second); });
}

// Of what is two inputs of the graph, and one tensor, or a part of it, in the module.
Status Memory::check_families(const States& given, const std::vector<Item>& outputs) const {
  for (const std::set<std::string>& family : given.families)
    for (const std::string& path : family)
      for (const std::string& other : family)
        if (path != other && is_changed(path) && is_used(other, outputs)) return shared_elements(path, other);
  return ok();
}

// Of weights over the same bytes that are not the same tensor.
Status Memory::check_parts() const {
  for (const auto& [path, weight] : held_) {
    if (weight.storage == 0 || !writer_.is_changed_weight(weight)) continue;
    for (const auto& [other, beside] : held_)
      if (beside.storage == weight.storage && beside.weight != weight.weight) return shared_elements(path, other);
  }
  return ok();
}

// Of what was one tensor before the run and is not behind it: the next run begins otherwise.
Status Memory::check_parting() const {
  std::map<const Tensor*, std::string> first;
  for (const auto& [path, weight] : held_) {
    if (!weight.is(Kind::Weight) || !is_changed(path)) continue;
    const auto [it, is_new] = first.emplace(weight.weight.get(), path);
    if (!is_new && writer_.value_now(changed_.at(it->second)) != writer_.value_now(changed_.at(path)))
      return shared_elements(it->second, path);
  }
  return ok();
}

}  // namespace lapis::pytorch_frontend
