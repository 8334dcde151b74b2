#include "frontends/pytorch/item.h"

#include <algorithm>

namespace lapis::pytorch_frontend {
namespace {

Item made(Item::Kind kind) {
  Item item;
  item.kind = kind;
  return item;
}

Item named(Item::Kind kind, std::string text) {
  Item item = made(kind);
  item.text = std::move(text);
  return item;
}

}  // namespace

Item Item::of_bool(bool value) {
  Item item = made(Kind::Bool);
  item.truth = value;
  return item;
}

Item Item::of_int(int64_t value) {
  Item item = made(Kind::Int);
  item.integer = value;
  return item;
}

Item Item::of_float(double value) {
  Item item = made(Kind::Float);
  item.real = value;
  return item;
}

Item Item::of_weight(Tensor tensor) {
  Item item = made(Kind::Weight);
  item.weight = std::make_shared<const Tensor>(std::move(tensor));
  return item;
}

Item Item::unknown_text() {
  Item item = made(Kind::String);
  item.truth = true;
  return item;
}

Item Item::list(std::vector<Item> items, Kind kind) {
  Item item = made(kind);
  for (const Item& one : items) item.depth = std::max(item.depth, one.depth + 1);
  item.items = std::make_shared<std::vector<Item>>(std::move(items));
  return item;
}

Item Item::of_string(std::string value) { return named(Kind::String, std::move(value)); }
Item Item::tensor(std::string name) { return named(Kind::Tensor, std::move(name)); }
Item Item::symbol(std::string name) { return named(Kind::Symbol, std::move(name)); }
Item Item::sizes(std::string name) { return named(Kind::Sizes, std::move(name)); }
Item Item::global(std::string name) { return named(Kind::Global, std::move(name)); }
Item Item::unset(std::string why) { return named(Kind::Unset, std::move(why)); }

const std::vector<Item>& Item::elements() const {
  static const std::vector<Item> none;
  return items ? *items : none;
}

const Item* Item::find(const std::string& key) const {
  const std::vector<Item>& all = elements();
  for (size_t i = 0; kind == Kind::Dict && i + 1 < all.size(); i += 2)
    if (all[i].is(Kind::String) && all[i].text == key) return &all[i + 1];
  return nullptr;
}

bool Item::is_flat() const {
  if (is(Kind::Object) || is(Kind::Dict)) return false;
  return std::none_of(elements().begin(), elements().end(), [](const Item& one) { return one.items || one.object; });
}

std::string Item::description() const {
  constexpr const char* kNames[] = {"None",
                                    "a truth value",
                                    "an integer",
                                    "a number",
                                    "a string",
                                    "a tensor",
                                    "a tensor",
                                    "a number",
                                    "the sizes of a tensor",
                                    "a list",
                                    "a tuple",
                                    "a dict",
                                    "an object",
                                    "a class or function",
                                    "a value that may be None",
                                    "a value that is not set"};
  return kNames[static_cast<size_t>(kind)];
}

}  // namespace lapis::pytorch_frontend
