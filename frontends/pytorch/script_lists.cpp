#include "frontends/pytorch/script_lists.h"

#include <algorithm>

#include "frontends/pytorch/script_dicts.h"
#include "frontends/pytorch/script_numbers.h"

namespace lapis::pytorch_frontend {
namespace {

using Kind = Item::Kind;
using Items = std::vector<Item>;

constexpr size_t kMostElements = 1 << 20;

Computed length(std::string_view, const Items& a) {
  if (a.size() != 1) return none();
  if (a[0].is_sequence()) return some(Item::of_int(static_cast<int64_t>(a[0].elements().size())));
  if (a[0].is(Kind::Weight) && a[0].weight->defined() && a[0].weight->rank() > 0)
    return some(Item::of_int(a[0].weight->dim(0)));
  return none();
}

// How often an element is there, and where first; nullopt if not all of them are known.
struct Found {
  int64_t count = 0, first = -1;
};
std::optional<Found> found(const Items& a) {
  if (a.size() != 2 || !a[0].is_sequence()) return std::nullopt;
  Found result;
  const Items& items = a[0].elements();
  for (size_t i = 0; i < items.size(); ++i) {
    const auto same = equal(items[i], a[1]);
    if (!same) return std::nullopt;
    if (*same && result.count++ == 0) result.first = static_cast<int64_t>(i);
  }
  return result;
}

Computed contains(std::string_view, const Items& a) {
  const auto there = found(a);
  return there ? some(Item::of_bool(there->count > 0)) : none();
}
Computed count(std::string_view, const Items& a) {
  const auto there = found(a);
  return there ? some(Item::of_int(there->count)) : none();
}
Computed index(std::string_view, const Items& a) {
  const auto there = found(a);
  if (!there) return none();
  return there->count > 0 ? some(Item::of_int(there->first)) : failed("looks for what a list does not have");
}

// Of a list of known ones.
Computed any_or_all(std::string_view name, const Items& a) {
  if (a.size() != 1 || !a[0].is_sequence()) return none();
  bool all = true, any = false;
  for (const Item& item : a[0].elements()) {
    const auto truth = truth_of(item);
    if (!truth) return none();
    all &= *truth;
    any |= *truth;
  }
  return some(Item::of_bool(name == "all" ? all : any));
}

Computed repeated(std::string_view, const Items& a) {
  if (a.size() != 2) return none();
  const bool is_turned = a[1].is(Kind::List);
  const Item &list = a[is_turned ? 1 : 0], &times = a[is_turned ? 0 : 1];
  if (!list.is(Kind::List) || !times.is(Kind::Int)) return none();
  const size_t turns = static_cast<size_t>(std::clamp<int64_t>(times.integer, 0, kMostElements + 1));
  if (turns * list.elements().size() > kMostElements) return failed("makes lists that are out of proportion");
  Items all;
  for (size_t i = 0; i < turns; ++i) all.insert(all.end(), list.elements().begin(), list.elements().end());
  return some(Item::list(std::move(all)));
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

Computed sliced(std::string_view, const Items& a) {
  if (a.empty() || !a[0].is_sequence()) return none();
  LAPIS_TRY(const auto range, range_of(a, static_cast<int64_t>(a[0].elements().size())));
  if (!range) return none();
  Items part;
  for (int64_t i = range->begin; i < range->end; i += range->step)
    part.push_back(a[0].elements()[static_cast<size_t>(i)]);
  return some(Item::list(std::move(part), a[0].kind));
}

// In order, or the other way around; nullopt if an element is not known.
Result<std::optional<Items>> in_order(const Items& a) {
  const bool has_way = a.size() == 2 && a[1].is(Kind::Bool);
  if (a.empty() || !a[0].is(Kind::List) || a.size() > (has_way ? 2 : 1)) return std::optional<Items>();
  Items items = a[0].elements();
  const auto is_sortable = [](const Item& item) {
    return item.is(Kind::Int) || item.is(Kind::Float) || item.is_text();
  };
  if (!std::all_of(items.begin(), items.end(), is_sortable)) return std::optional<Items>();
  const auto before = [](const Item& x, const Item& y) {
    if (x.is(Kind::String)) return x.text < y.text;
    return x.is(Kind::Int) ? x.integer < y.integer : x.real < y.real;
  };
  if (has_way && a[1].truth)
    std::stable_sort(items.begin(), items.end(), [&](const Item& x, const Item& y) { return before(y, x); });
  else
    std::stable_sort(items.begin(), items.end(), before);
  return std::optional(std::move(items));
}

Computed sorted(std::string_view, const Items& a) {
  LAPIS_TRY(auto items, in_order(a));
  return items ? some(Item::list(*std::move(items))) : none();
}

// ---- changes --------------------------------------------------------------------------------------------------------

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

Computed removed_at(std::string_view name, const Items& a) {
  if (a.size() != 2) return none();
  LAPIS_TRY(const auto taken, pop(name, a));
  return taken ? some({}) : none();
}

Computed removed(std::string_view, const Items& a) {
  const auto there = found(a);
  if (!there || !a[0].is(Kind::List)) return none();
  if (there->count == 0) return failed("removes what a list does not have");
  a[0].items->erase(a[0].items->begin() + there->first);
  return some({});
}

Computed sort(std::string_view, const Items& a) {
  LAPIS_TRY(auto items, in_order(a));
  if (!items) return none();
  *a[0].items = *std::move(items);
  return some({});
}

Computed repeat(std::string_view name, const Items& a) {
  if (a.empty() || !a[0].is(Kind::List)) return none();
  LAPIS_TRY(const auto made, repeated(name, a));
  if (!made) return none();
  *a[0].items = made->elements();
  return some(a[0]);
}

Computed clear(std::string_view, const Items& a) {
  if (a.size() != 1 || !a[0].is(Kind::List)) return none();
  a[0].items->clear();
  return some({});
}

Computed reverse(std::string_view, const Items& a) {
  if (a.size() != 1 || !a[0].is(Kind::List)) return none();
  std::reverse(a[0].items->begin(), a[0].items->end());
  return some({});
}

Computed set_item(std::string_view, const Items& a) {
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
    {"Delete", true, removed_at},  {"Size", false, copied_list}, {"__contains__", false, contains},
    {"_set_item", true, set_item}, {"add", false, joined},       {"add_", true, extend},
    {"all", false, any_or_all},    {"any", false, any_or_all},   {"append", true, append},
    {"clear", true, clear},        {"copy", false, copied_list}, {"count", false, count},
    {"extend", true, extend},      {"index", false, index},      {"insert", true, insert},
    {"len", false, length},        {"list", false, copied_list}, {"mul", false, repeated},
    {"mul_", true, repeat},        {"pop", true, pop},           {"remove", true, removed},
    {"reverse", true, reverse},    {"slice", false, sliced},     {"sort", true, sort},
    {"sorted", false, sorted},
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

Status check_elements(const Item& list, const std::vector<Item>& added) {
  for (const Item& item : added) {
    if (!item.is_flat()) return failed("puts lists of lists into a list");
    if (item.items == list.items) return failed("puts a list into itself");
  }
  if (list.items->size() + added.size() > kMostElements) return failed("makes lists that are out of proportion");
  return ok();
}

Result<std::optional<Range>> range_of(const std::vector<Item>& arguments, int64_t count) {
  constexpr size_t kArguments = 4;
  if (arguments.size() > kArguments) return std::optional<Range>();
  Items a = arguments;
  a.resize(kArguments);
  const auto bound = [&](const Item& item, int64_t otherwise) {
    if (!item.is(Kind::Int)) return otherwise;
    return std::clamp<int64_t>(item.integer < 0 ? item.integer + count : item.integer, 0, count);
  };
  const auto is_number_or_none = [](const Item& item) { return item.is_none() || item.is(Kind::Int); };
  if (!std::all_of(a.begin() + 1, a.end(), is_number_or_none)) return std::optional<Range>();
  const int64_t step = a[3].is(Kind::Int) ? a[3].integer : 1;
  if (step < 1) return failed("takes a part of a list backwards");
  return std::optional(Range{bound(a[1], 0), bound(a[2], count), std::min(step, count + 1)});
}

Computed compute_list(std::string_view function, const std::vector<Item>& arguments) {
  const ListRow* row = row_of(function);
  return row && row->compute ? row->compute(function, arguments) : none();
}

bool is_list_function(std::string_view op) { return row_of(op.substr(op.find('.') + 1)) != nullptr; }

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
  const std::string_view function = op.substr(op.find('.') + 1);
  if (a[0].is(Kind::Dict)) return changes_dict(function);
  const ListRow* row = row_of(function);
  return row && row->changes;
}

}  // namespace lapis::pytorch_frontend
