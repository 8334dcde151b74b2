#include "frontends/pytorch/script_lists.h"

#include <algorithm>

#include "frontends/pytorch/script_numbers.h"

namespace lapis::pytorch_frontend {
namespace {

using Kind = Item::Kind;
using Items = std::vector<Item>;

constexpr size_t kMostElements = 1 << 20;

Computed length(std::string_view, const Items& a) {
  if (a.size() != 1) return none();
  if (a[0].is_sequence()) return some(Item::of_int(static_cast<int64_t>(a[0].elements().size())));
  if (a[0].is(Kind::Dict)) return some(Item::of_int(static_cast<int64_t>(a[0].elements().size() / 2)));
  if (a[0].is(Kind::String)) return some(Item::of_int(static_cast<int64_t>(a[0].text.size())));
  if (a[0].is(Kind::Weight) && a[0].weight->defined() && a[0].weight->rank() > 0)
    return some(Item::of_int(a[0].weight->dim(0)));
  return none();
}

Computed contains(std::string_view, const Items& a) {
  if (a.size() != 2) return none();
  if (a[0].is(Kind::Dict) && !a[1].is(Kind::String)) return none();
  if (a[0].is(Kind::Dict)) return some(Item::of_bool(a[0].find(a[1].text) != nullptr));
  bool found = false;
  for (const Item& item : a[0].elements()) {
    const auto same = equal(item, a[1]);
    if (!same) return none();
    found |= *same;
  }
  return a[0].is_sequence() ? some(Item::of_bool(found)) : none();
}

Computed joined(std::string_view name, const Items& a) {
  if (a.size() != 2 || !a[0].is_sequence() || !a[1].is_sequence() || name != "add") return none();
  if (a[0].elements().size() + a[1].elements().size() > kMostElements)
    return failed("makes lists that are out of proportion");
  Items all = a[0].elements();
  all.insert(all.end(), a[1].elements().begin(), a[1].elements().end());
  return some(Item::list(std::move(all)));
}

Computed copied_list(std::string_view, const Items& a) {
  return a.size() == 1 && a[0].is_sequence() ? some(Item::list(a[0].elements())) : none();
}

// list[begin:end:step]; ends that are absent or beyond the list are those of the list.
Computed sliced(std::string_view, const Items& given) {
  constexpr size_t kArguments = 4;
  if (given.empty() || given.size() > kArguments || !given[0].is_sequence()) return none();
  Items a = given;
  a.resize(kArguments);
  const auto count = static_cast<int64_t>(a[0].elements().size());
  const auto bound = [&](const Item& item, int64_t otherwise) {
    if (!item.is(Kind::Int)) return otherwise;
    return std::clamp<int64_t>(item.integer < 0 ? item.integer + count : item.integer, 0, count);
  };
  const auto is_number_or_none = [](const Item& item) { return item.is_none() || item.is(Kind::Int); };
  if (!std::all_of(a.begin() + 1, a.end(), is_number_or_none)) return none();
  const int64_t step = a[3].is(Kind::Int) ? a[3].integer : 1;
  if (step < 1) return failed("takes a part of a list backwards");
  Items part;
  for (int64_t i = bound(a[1], 0), end = bound(a[2], count); i < end; i += std::min(step, count))
    part.push_back(a[0].elements()[static_cast<size_t>(i)]);
  return some(Item::list(std::move(part), a[0].kind));
}

// ---- changes ----------------------------------------------------------------------------------------------------------------------

Status check_elements(const Item& list, const Items& added) {
  for (const Item& item : added) {
    if (!item.is_flat()) return failed("puts lists of lists into a list");
    if (item.items == list.items) return failed("puts a list into itself");
  }
  if (list.items->size() + added.size() > kMostElements) return failed("makes lists that are out of proportion");
  return ok();
}

Computed append(std::string_view, const Items& a) {
  if (a.size() != 2 || !a[0].is(Kind::List)) return none();
  LAPIS_CHECK(check_elements(a[0], {a[1]}));
  a[0].items->push_back(a[1]);
  return some(a[0]);
}

Computed extend(std::string_view, const Items& a) {
  if (a.size() != 2 || !a[0].is(Kind::List) || !a[1].is_sequence()) return none();
  const Items added = a[1].elements();
  LAPIS_CHECK(check_elements(a[0], added));
  a[0].items->insert(a[0].items->end(), added.begin(), added.end());
  return some(a[0]);
}

// Before the element of that number; beyond both ends, at the end.
Computed insert(std::string_view, const Items& a) {
  if (a.size() != 3 || !a[0].is(Kind::List) || !a[1].is(Kind::Int)) return none();
  LAPIS_CHECK(check_elements(a[0], {a[2]}));
  const auto count = static_cast<int64_t>(a[0].items->size());
  const int64_t at = std::clamp<int64_t>(a[1].integer < 0 ? a[1].integer + count : a[1].integer, 0, count);
  a[0].items->insert(a[0].items->begin() + at, a[2]);
  return some({});
}

Computed pop(std::string_view, const Items& a) {
  if (a.empty() || a.size() > 2 || !a[0].is(Kind::List) || (a.size() == 2 && !a[1].is(Kind::Int))) return none();
  const auto at = position(a.size() == 2 ? a[1].integer : -1, a[0].items->size());
  if (!at) return failed("takes an element that a list does not have");
  Item taken = (*a[0].items)[*at];
  a[0].items->erase(a[0].items->begin() + static_cast<std::ptrdiff_t>(*at));
  return some(std::move(taken));
}

Computed clear(std::string_view, const Items& a) {
  if (a.size() != 1 || !(a[0].is(Kind::List) || a[0].is(Kind::Dict))) return none();
  a[0].items->clear();
  return some({});
}

Computed reverse(std::string_view, const Items& a) {
  if (a.size() != 1 || !a[0].is(Kind::List)) return none();
  std::reverse(a[0].items->begin(), a[0].items->end());
  return some({});
}

Computed set_key(const Items& a) {
  if (!a[1].is(Kind::String)) return none();
  LAPIS_CHECK(check_elements(a[0], {a[2]}));
  Items& all = *a[0].items;
  for (size_t i = 0; i + 1 < all.size(); i += 2) {
    if (!all[i].is(Kind::String) || all[i].text != a[1].text) continue;
    all[i + 1] = a[2];
    return some({});
  }
  all.push_back(a[1]);
  all.push_back(a[2]);
  return some({});
}

Computed set_item(std::string_view, const Items& a) {
  if (a.size() == 3 && a[0].is(Kind::Dict)) return set_key(a);
  if (a.size() != 3 || !a[0].is(Kind::List) || !a[1].is(Kind::Int)) return none();
  LAPIS_CHECK(check_elements(a[0], {a[2]}));
  const auto at = position(a[1].integer, a[0].items->size());
  if (!at) return failed("sets an element that a list does not have");
  (*a[0].items)[*at] = a[2];
  return some(a[0]);
}

struct ListRow {
  std::string_view name;
  bool changes;
  Computed (*compute)(std::string_view, const Items&);  // null: not known how
};
constexpr ListRow kLists[] = {
    {"__contains__", false, contains},
    {"_set_item", true, set_item},
    {"add", false, joined},
    {"add_", true, extend},
    {"append", true, append},
    {"clear", true, clear},
    {"copy", false, copied_list},
    {"Delete", true, nullptr},
    {"extend", true, extend},
    {"insert", true, insert},
    {"len", false, length},
    {"list", false, copied_list},
    {"mul_", true, nullptr},
    {"pop", true, pop},
    {"popitem", true, nullptr},
    {"remove", true, nullptr},
    {"reverse", true, reverse},
    {"setdefault", true, nullptr},
    {"slice", false, sliced},
    {"sort", true, nullptr},
    {"update", true, nullptr},
};

const ListRow* row_of(std::string_view function) {
  const auto* row =
      std::find_if(std::begin(kLists), std::end(kLists), [&](const ListRow& r) { return r.name == function; });
  return row == std::end(kLists) ? nullptr : row;
}

}  // namespace

std::optional<size_t> position(int64_t at, size_t size) {
  const auto count = static_cast<int64_t>(size);
  const int64_t i = at < 0 ? at + count : at;
  return i < 0 || i >= count ? std::nullopt : std::optional(static_cast<size_t>(i));
}

Computed compute_list(std::string_view function, const std::vector<Item>& arguments) {
  const ListRow* row = row_of(function);
  return row && row->compute ? row->compute(function, arguments) : none();
}

bool nests_lists(std::string_view op, const std::vector<Item>& a) {
  const auto is_container = [](const Item& item) { return item.items != nullptr; };
  const ListRow* row = row_of(op.substr(op.find('.') + 1));
  const bool joins = row && row->compute == extend;
  return std::any_of(a.begin() + 1, a.end(), [&](const Item& item) {
    return joins ? std::any_of(item.elements().begin(), item.elements().end(), is_container) : is_container(item);
  });
}

bool changes_list(std::string_view op, const std::vector<Item>& a) {
  if (a.empty() || a[0].is(Kind::Tensor) || a[0].is(Kind::Weight)) return false;
  const ListRow* row = row_of(op.substr(op.find('.') + 1));
  return row && row->changes;
}

}  // namespace lapis::pytorch_frontend
