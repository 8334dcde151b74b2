#include "frontends/pytorch/script_forms.h"

#include <algorithm>

namespace lapis::pytorch_frontend {
namespace {

using Kind = Item::Kind;

bool is_number(const Item& item) {
  return item.is(Kind::Symbol) || item.is(Kind::Bool) || item.is(Kind::Int) || item.is(Kind::Float);
}
bool is_value(const Item& item) { return item.is_tensor() || is_number(item); }
bool is_open(const Item& item) { return (item.is(Kind::Tensor) || item.is(Kind::Symbol)) && item.text.empty(); }
bool is_unset(const Item& item) { return item.is(Kind::Unset) && item.text.empty(); }
bool has_elements(const Item& item) { return item.is_sequence() || item.is(Kind::Optional); }

Item of_elements(const Item& of, Item (*change)(const Item&)) {
  std::vector<Item> items;
  for (const Item& one : of.elements()) items.push_back(change(one));
  return Item::list(std::move(items), of.is(Kind::Optional) ? Kind::Optional : Kind::Tuple);
}

// Where nothing was set, whatever is there will do.
Item or_unset(const Item& item) {
  if (item.is(Kind::Tensor)) return Item::tensor("");
  if (item.is(Kind::Symbol)) return Item::symbol("");
  if (item.is(Kind::Dict) || item.is(Kind::Object)) return Item::unset("an object that not every way sets");
  return has_elements(item) ? of_elements(item, or_unset) : item;
}

std::vector<Item> as_optional(const Item& item) {
  if (item.is(Kind::Optional)) return item.elements();
  if (item.is_none() || item.is(Kind::Unset)) return {Item::of_bool(false), Item::unset()};
  return {Item::of_bool(true), item};
}

Item common_parts(const Item& a, const Item& b);

Item common_elements(const std::vector<Item>& a, const std::vector<Item>& b, Kind kind) {
  std::vector<Item> items;
  for (size_t i = 0; i < a.size(); ++i) items.push_back(common_parts(a[i], b[i]));
  return Item::list(std::move(items), kind);
}

// Tuples that hold one tuple twice, which does so too, have parts beyond number.
bool fits(const Item& item, size_t& left) {
  if (left == 0) return false;
  --left;
  return !has_elements(item) ||
         std::all_of(item.elements().begin(), item.elements().end(), [&](const Item& one) { return fits(one, left); });
}

bool is_large(const Item& item) {
  size_t left = 10'000;
  return !fits(item, left);
}

Item too_large() { return Item::unset("a variable of more parts than a branch or loop can carry"); }

// What is not set takes the form of the other, unless one of both cannot be read.
Item common_with_unset(const Item& a, const Item& b) {
  if (is_unset(a)) return or_unset(b);
  if (is_unset(b)) return or_unset(a);
  return a.is(Kind::Unset) ? a : b;
}

Item common_sequences(const Item& a, const Item& b) {
  if (a.elements().size() == b.elements().size()) return common_elements(a.elements(), b.elements(), Kind::Tuple);
  return Item::unset("a list whose length depends on values that are not known before the model runs");
}

bool may_be_none(const Item& item) { return item.is_none() || item.is(Kind::Optional); }

Item common_parts(const Item& a, const Item& b) {
  if (same(a, b)) return a;
  if (a.is(Kind::Unset) || b.is(Kind::Unset)) return common_with_unset(a, b);
  if (is_value(a) && is_value(b)) return a.is_tensor() && b.is_tensor() ? Item::tensor("") : Item::symbol("");
  if (may_be_none(a) || may_be_none(b)) return common_elements(as_optional(a), as_optional(b), Kind::Optional);
  if (a.is_sequence() && b.is_sequence()) return common_sequences(a, b);
  return Item::unset("a variable that is " + a.description() + " or " + b.description() +
                     ", depending on values that are not known before the model runs");
}

Item opened_parts(const Item& item) {
  if (is_value(item)) return item.is_tensor() ? Item::tensor("") : Item::symbol("");
  return has_elements(item) ? of_elements(item, opened_parts) : item;
}

}  // namespace

bool same(const Item& a, const Item& b) {
  if (a.kind != b.kind || a.truth != b.truth || a.integer != b.integer || a.object != b.object) return false;
  if (a.is(Kind::Float) && !(a.real == b.real)) return false;
  if (a.is(Kind::Weight)) return a.weight == b.weight;
  if (is_open(a) || a.text != b.text) return false;
  return a.items == b.items ||
         (a.is(Kind::Tuple) && std::equal(a.elements().begin(), a.elements().end(), b.elements().begin(),
                                          b.elements().end(), pytorch_frontend::same));
}

Item common(const Item& a, const Item& b) {
  if (a.items && a.kind == b.kind && a.items == b.items) return a;
  return is_large(a) || is_large(b) ? too_large() : common_parts(a, b);
}

Item opened(const Item& item) { return is_large(item) ? too_large() : opened_parts(item); }

bool same_form(const Item& a, const Item& b) {
  if (is_open(a) || is_open(b)) return is_open(a) && is_open(b) && a.kind == b.kind;
  if (!has_elements(a) || !has_elements(b)) return same(a, b);
  return a.kind == b.kind &&
         std::equal(a.elements().begin(), a.elements().end(), b.elements().begin(), b.elements().end(), same_form);
}

void collect(const Item& form, const Item& item, std::vector<Item>& parts) {
  if (is_open(form)) return parts.push_back(item);
  if (!has_elements(form)) return;
  const std::vector<Item> elements = form.is(Kind::Optional) ? as_optional(item) : item.elements();
  for (size_t i = 0; i < form.elements().size(); ++i)
    collect(form.elements()[i], i < elements.size() ? elements[i] : Item::unset(), parts);
}

Item filled(const Item& form, std::span<const std::string>& names) {
  if (is_open(form)) {
    const std::string name = names.front();
    names = names.subspan(1);
    return form.is(Kind::Tensor) ? Item::tensor(name) : Item::symbol(name);
  }
  if (!has_elements(form)) return form;
  std::vector<Item> items;
  for (const Item& one : form.elements()) items.push_back(filled(one, names));
  return Item::list(std::move(items), form.kind);
}

}  // namespace lapis::pytorch_frontend
