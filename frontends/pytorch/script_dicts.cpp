#include "frontends/pytorch/script_dicts.h"

#include <algorithm>

#include "frontends/pytorch/script_lists.h"
#include "frontends/pytorch/script_numbers.h"

namespace lapis::pytorch_frontend {
namespace {

using Kind = Item::Kind;
using Items = std::vector<Item>;

// The number of a key among keys and values in turn; their count if it is not there, nullopt if that is not known.
std::optional<size_t> place_of(const Item& dict, const Item& key) {
  const Items& all = dict.elements();
  for (size_t i = 0; i + 1 < all.size(); i += 2) {
    const auto same = equal(all[i], key);
    if (!same) return std::nullopt;
    if (*same) return i;
  }
  return all.size();
}

bool is_key(const Item& item) {
  return item.is_text() || item.is(Kind::Int) || item.is(Kind::Float) || item.is(Kind::Bool);
}

Status put(const Item& dict, const Item& key, const Item& value, size_t at) {
  LAPIS_CHECK(check_elements(dict, {value}));
  Items& all = *dict.items;
  if (at < all.size()) {
    all[at + 1] = value;
  } else {
    all.push_back(key);
    all.push_back(value);
  }
  return ok();
}

Computed length(const Items& a) {
  return a.size() == 1 ? some(Item::of_int(static_cast<int64_t>(a[0].elements().size() / 2))) : none();
}

Computed contains(const Items& a) {
  const auto found = a.size() == 2 ? value_of(a[0], a[1]) : std::nullopt;
  return found ? some(Item::of_bool(*found != nullptr)) : none();
}

Computed listed(const Items& a, size_t first) {
  Items items;
  for (size_t i = first; i < a[0].elements().size(); i += 2) items.push_back(a[0].elements()[i]);
  return some(Item::list(std::move(items)));
}
Computed keys(const Items& a) { return listed(a, 0); }
Computed values(const Items& a) { return listed(a, 1); }

Computed pairs(const Items& a) {
  Items items;
  const Items& all = a[0].elements();
  for (size_t i = 0; i + 1 < all.size(); i += 2) items.push_back(Item::list({all[i], all[i + 1]}, Kind::Tuple));
  return some(Item::list(std::move(items)));
}

Computed copied(const Items& a) { return some(Item::list(a[0].elements(), Kind::Dict)); }

// None, or what is given for it, where there is none.
Computed get(const Items& a) {
  const auto found = a.size() == 2 || a.size() == 3 ? value_of(a[0], a[1]) : std::nullopt;
  if (!found) return none();
  return some(*found ? **found : a.size() == 3 ? a[2] : Item());
}

Computed set_item(const Items& a) {
  const auto at = a.size() == 3 && is_key(a[1]) ? place_of(a[0], a[1]) : std::nullopt;
  if (!at) return none();
  LAPIS_CHECK(put(a[0], a[1], a[2], *at));
  return some({});
}

Computed set_default(const Items& a) {
  const auto at = a.size() == 3 && is_key(a[1]) ? place_of(a[0], a[1]) : std::nullopt;
  if (!at) return none();
  if (*at == a[0].elements().size()) LAPIS_CHECK(put(a[0], a[1], a[2], *at));
  return some(a[0].elements()[*at + 1]);
}

Computed pop(const Items& a) {
  const auto at = a.size() == 2 || a.size() == 3 ? place_of(a[0], a[1]) : std::nullopt;
  if (!at) return none();
  Items& all = *a[0].items;
  if (*at == all.size()) return a.size() == 3 ? some(a[2]) : failed("takes a key that a dict does not have");
  Item taken = all[*at + 1];
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(*at);
  all.erase(begin, begin + 2);
  return some(std::move(taken));
}
Computed removed(const Items& a) {
  if (a.size() != 2) return none();
  LAPIS_TRY(const auto taken, pop(a));
  return taken ? some({}) : none();
}

Computed update(const Items& a) {
  if (a.size() != 2 || !a[1].is(Kind::Dict)) return none();
  const Items added = a[1].elements();
  for (size_t i = 0; i + 1 < added.size(); i += 2) {
    const auto at = place_of(a[0], added[i]);
    if (!at) return none();
    LAPIS_CHECK(put(a[0], added[i], added[i + 1], *at));
  }
  return some({});
}

Computed clear(const Items& a) {
  a[0].items->clear();
  return some({});
}

struct DictRow {
  std::string_view name;
  bool changes;
  Computed (*compute)(const Items&);
};
constexpr DictRow kDicts[] = {
    {"Delete", true, removed},
    {"__contains__", false, contains},
    {"_set_item", true, set_item},
    {"clear", true, clear},
    {"copy", false, copied},
    {"dict", false, copied},
    {"get", false, get},
    {"items", false, pairs},
    {"keys", false, keys},
    {"len", false, length},
    {"pop", true, pop},
    {"popitem", true, nullptr},  // of which key is not said
    {"setdefault", true, set_default},
    {"update", true, update},
    {"values", false, values},
};

const DictRow* row_of(std::string_view function) {
  const auto* row =
      std::find_if(std::begin(kDicts), std::end(kDicts), [&](const DictRow& r) { return r.name == function; });
  return row == std::end(kDicts) ? nullptr : row;
}

}  // namespace

std::optional<const Item*> value_of(const Item& dict, const Item& key) {
  const auto at = place_of(dict, key);
  if (!at) return std::nullopt;
  return *at < dict.elements().size() ? &dict.elements()[*at + 1] : nullptr;
}

Computed compute_dict(std::string_view function, const std::vector<Item>& arguments) {
  const DictRow* row = row_of(function);
  return row && row->compute ? row->compute(arguments) : none();
}

bool changes_dict(std::string_view function) {
  const DictRow* row = row_of(function);
  return row && row->changes;
}

}  // namespace lapis::pytorch_frontend
