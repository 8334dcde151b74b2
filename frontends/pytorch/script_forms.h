// What the ways through a branch, and the turns of a loop, have in common. A form is an item in which every tensor and
// number that differs is open: it has no name yet. Its parts are the operands and results of If and Loop.
//
//   common((x, 1), (y, 1))        (open tensor, 1)
//   common(None, x)               Optional(open truth value, open tensor)
//   common(unset, x)              open tensor
#pragma once

#include <span>

#include "frontends/pytorch/item.h"

namespace lapis::pytorch_frontend {

bool same(const Item& a, const Item& b);

// The form of both; an unset item that says why it cannot be read, if they have none.
Item common(const Item& a, const Item& b);
// Every tensor and number of the item is open.
Item opened(const Item& item);
bool same_form(const Item& a, const Item& b);

// What `item` has where `form` is open, in order.
void collect(const Item& form, const Item& item, std::vector<Item>& parts);
// The form with the first of these names where it is open; `names` is left with the others.
Item filled(const Item& form, std::span<const std::string>& names);

}  // namespace lapis::pytorch_frontend
