// The equation of Einsum: what each axis of its operands and of its result is called, and how long it is.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "ir/type.h"

namespace lapis::ops {

// A letter is itself. The axes that dots stand for are -1 for the last one, -2 for the one before it:
// they broadcast from the end.
using Labels = std::vector<int>;

inline bool has_label(const Labels& labels, int label) { return std::ranges::find(labels, label) != labels.end(); }

struct Summation {
  std::vector<Labels> terms;  // of each operand
  Labels result;
  std::map<int, Dim> sizes;  // of all labels; unknown where operands leave open which of their sizes it is
};

// The equation for operands of known ranks; the error says what is wrong with it or with them. An axis of one element
// is read again for each of another operand's, whether a letter or dots name it.
Result<Summation> read_equation(const std::string& equation, const std::vector<Type>& operands);

}  // namespace lapis::ops
