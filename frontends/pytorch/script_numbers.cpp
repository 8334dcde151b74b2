#include "frontends/pytorch/script_numbers.h"

#include <algorithm>
#include <cmath>
#include <compare>

#include "frontends/pytorch/script_dicts.h"
#include "frontends/pytorch/script_lists.h"
#include "frontends/pytorch/script_strings.h"

namespace lapis::pytorch_frontend {
namespace {

using Kind = Item::Kind;
using Items = std::vector<Item>;

bool is_integer(const Item& item) { return item.is(Kind::Int) || item.is(Kind::Bool); }
bool is_number(const Item& item) { return is_integer(item) || item.is(Kind::Float); }
int64_t integer_of(const Item& item) { return item.is(Kind::Bool) ? item.truth : item.integer; }
double real_of(const Item& item) { return item.is(Kind::Float) ? item.real : static_cast<double>(integer_of(item)); }

// ---- numbers --------------------------------------------------------------------------------------------------------

// nullopt where the result leaves 64 bits, or none exists.
using OfIntegers = std::optional<int64_t> (*)(int64_t, int64_t);
using OfReals = double (*)(double, double);

std::optional<int64_t> added(int64_t a, int64_t b) {
  int64_t r = 0;
  return __builtin_add_overflow(a, b, &r) ? std::nullopt : std::optional(r);
}
std::optional<int64_t> subtracted(int64_t a, int64_t b) {
  int64_t r = 0;
  return __builtin_sub_overflow(a, b, &r) ? std::nullopt : std::optional(r);
}
std::optional<int64_t> multiplied(int64_t a, int64_t b) {
  int64_t r = 0;
  return __builtin_mul_overflow(a, b, &r) ? std::nullopt : std::optional(r);
}
std::optional<int64_t> floored(int64_t a, int64_t b) {
  if (b == 0 || (a == INT64_MIN && b == -1)) return std::nullopt;
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}
std::optional<int64_t> rest(int64_t a, int64_t b) {
  const auto whole = floored(a, b);
  return whole ? std::optional(a - *whole * b) : std::nullopt;
}
std::optional<int64_t> shifted_left(int64_t a, int64_t b) {
  constexpr int64_t kBits = 64;
  if (b < 0 || b >= kBits) return std::nullopt;
  return static_cast<int64_t>(static_cast<uint64_t>(a) << static_cast<uint64_t>(b));
}
std::optional<int64_t> shifted_right(int64_t a, int64_t b) {
  constexpr int64_t kBits = 64;
  return b < 0 || b >= kBits ? std::nullopt : std::optional(a >> b);
}
std::optional<int64_t> smaller(int64_t a, int64_t b) { return std::min(a, b); }
std::optional<int64_t> larger(int64_t a, int64_t b) { return std::max(a, b); }

struct ArithmeticRow {
  std::string_view name;
  OfIntegers integers;  // null: the result is real
  OfReals reals;        // null: only integers have it
};
constexpr ArithmeticRow kArithmetic[] = {
    {"add", added, [](double a, double b) { return a + b; }},
    {"sub", subtracted, [](double a, double b) { return a - b; }},
    {"mul", multiplied, [](double a, double b) { return a * b; }},
    {"div", nullptr, [](double a, double b) { return a / b; }},
    {"floordiv", floored, [](double a, double b) { return std::floor(a / b); }},
    {"floor_divide", floored, [](double a, double b) { return std::floor(a / b); }},
    {"remainder", rest, [](double a, double b) { return a - b * std::floor(a / b); }},
    {"pow", nullptr, [](double a, double b) { return std::pow(a, b); }},
    {"fmod", nullptr, [](double a, double b) { return std::fmod(a, b); }},
    {"atan2", nullptr, [](double a, double b) { return std::atan2(a, b); }},
    {"copysign", nullptr, [](double a, double b) { return std::copysign(a, b); }},
    {"__lshift__", shifted_left, nullptr},
    {"__rshift__", shifted_right, nullptr},
    {"min", smaller, [](double a, double b) { return std::min(a, b); }},
    {"max", larger, [](double a, double b) { return std::max(a, b); }},
};

Computed arithmetic(const ArithmeticRow& row, const Item& a, const Item& b) {
  if (!row.reals && !(is_integer(a) && is_integer(b))) return none();
  if (!row.integers || !is_integer(a) || !is_integer(b))
    return std::optional(Item::of_float(row.reals(real_of(a), real_of(b))));
  const auto result = row.integers(integer_of(a), integer_of(b));
  if (!result) return failed("computes a number that does not exist or does not fit 64 bits");
  return std::optional(Item::of_int(*result));
}

// Integers beyond 2^53 are no doubles.
std::partial_ordering order(const Item& a, const Item& b) {
  return is_integer(a) && is_integer(b) ? integer_of(a) <=> integer_of(b) : real_of(a) <=> real_of(b);
}

struct ComparisonRow {
  std::string_view name;
  bool (*holds)(std::partial_ordering);
};
constexpr ComparisonRow kComparisons[] = {
    {"eq", std::is_eq},   {"ne", std::is_neq}, {"lt", std::is_lt},
    {"le", std::is_lteq}, {"gt", std::is_gt},  {"ge", std::is_gteq},
};

bool is_plain(const Item& item) { return is_number(item) || item.is_text(); }
bool equal_plain(const Item& a, const Item& b) {
  return is_number(a) && is_number(b) ? is_eq(order(a, b)) : a.is_text() && b.is_text() && a.text == b.text;
}

// ---- functions ------------------------------------------------------------------------------------------------------

Computed binary_number(std::string_view name, const Items& a) {
  if (a.size() != 2 || !is_number(a[0]) || !is_number(a[1])) return none();
  for (const ArithmeticRow& row : kArithmetic)
    if (row.name == name) return arithmetic(row, a[0], a[1]);
  for (const ComparisonRow& row : kComparisons)
    if (row.name == name) return some(Item::of_bool(row.holds(order(a[0], a[1]))));
  return none();
}

// The smallest or largest of a list.
Computed extreme(std::string_view name, const Items& a) {
  if (a.size() != 1 || a[0].elements().empty()) return none();
  std::optional<Item> found = a[0].elements()[0];
  for (const Item& item : a[0].elements()) {
    LAPIS_TRY(found, binary_number(name, {*found, item}));
    if (!found) return none();
  }
  return found;
}

bool is_same_object(const Item& a, const Item& b) {
  if (a.is(Kind::Tensor) && b.is(Kind::Tensor)) return a.text == b.text;
  if (a.is(Kind::Weight) && b.is(Kind::Weight)) return a.weight == b.weight;
  return a.is_none() && b.is_none();
}

Computed equality(std::string_view name, const Items& a) {
  if (a.size() != 2) return none();
  const bool asks_identity = name == "__is__" || name == "__isnot__";
  const bool wanted = name == "eq" || name == "__is__";
  if (asks_identity) return some(Item::of_bool(is_same_object(a[0], a[1]) == wanted));
  const auto same = equal(a[0], a[1]);
  return same ? some(Item::of_bool(*same == wanted)) : none();
}

// Of truth values a truth value, of integers their bits.
Computed bits(std::string_view name, const Items& a) {
  if (a.size() != 2 || !is_integer(a[0]) || !is_integer(a[1])) return none();
  const int64_t x = integer_of(a[0]), y = integer_of(a[1]);
  const int64_t result = name == "__and__" ? x & y : name == "__or__" ? x | y : x ^ y;
  return some(a[0].is(Kind::Bool) && a[1].is(Kind::Bool) ? Item::of_bool(result != 0) : Item::of_int(result));
}

Computed opposite(std::string_view, const Items& a) {
  const auto truth = a.size() == 1 ? truth_of(a[0]) : std::nullopt;
  return truth ? some(Item::of_bool(!*truth)) : none();
}

Computed negative(std::string_view, const Items& a) {
  if (a.size() != 1 || !is_number(a[0])) return none();
  if (a[0].is(Kind::Float)) return some(Item::of_float(-a[0].real));
  const auto result = subtracted(0, integer_of(a[0]));
  if (!result) return failed("computes a number that does not fit 64 bits");
  return some(Item::of_int(*result));
}

// Numbers of the turns of `range(begin, end, step)`, and the number in turn i.
Computed range_length(std::string_view, const Items& a) {
  if (a.size() != 3 || !is_integer(a[0]) || !is_integer(a[1]) || !is_integer(a[2])) return none();
  const int64_t step = integer_of(a[2]);
  const auto distance = subtracted(integer_of(a[1]), integer_of(a[0]));
  if (!distance || step == 0 || step == INT64_MIN) return failed("counts without end");
  const auto turns = step > 0 ? floored(*distance, step) : floored(-*distance, -step);
  const bool has_rest = turns && *distance % step != 0;
  return some(Item::of_int(std::max<int64_t>(0, turns.value_or(0) + (has_rest ? 1 : 0))));
}
Computed derived_index(std::string_view, const Items& a) {
  if (a.size() != 3 || !is_integer(a[0]) || !is_integer(a[1]) || !is_integer(a[2])) return none();
  const auto way = multiplied(integer_of(a[0]), integer_of(a[2]));
  const auto at = way ? added(integer_of(a[1]), *way) : std::nullopt;
  return at ? some(Item::of_int(*at)) : Computed(failed("counts beyond 64 bits"));
}

Computed rounded(std::string_view name, const Items& a) {
  if (a.size() != 1 || !is_number(a[0])) return none();
  if (is_integer(a[0])) return some(Item::of_int(integer_of(a[0])));
  const double whole = name == "ceil" ? std::ceil(a[0].real) : std::floor(a[0].real);
  constexpr double kLimit = 9e18;
  if (!(std::abs(whole) < kLimit)) return failed("computes a number that does not fit 64 bits");
  return some(Item::of_int(static_cast<int64_t>(whole)));
}

Computed absolute(std::string_view name, const Items& a) {
  if (a.size() != 1 || !is_number(a[0])) return none();
  return real_of(a[0]) < 0 ? negative(name, a) : some(a[0]);
}

// Half to even.
Computed nearest(std::string_view, const Items& a) {
  if (a.size() != 1 || !is_number(a[0])) return none();
  return some(Item::of_float(std::nearbyint(real_of(a[0]))));
}

struct RealRow {
  std::string_view name;
  double (*compute)(double);
};
constexpr RealRow kReals[] = {
    {"acos", std::acos},   {"asin", std::asin},   {"atan", std::atan},   {"cos", std::cos},   {"cosh", std::cosh},
    {"erf", std::erf},     {"exp", std::exp},     {"expm1", std::expm1}, {"fabs", std::fabs}, {"log", std::log},
    {"log10", std::log10}, {"log1p", std::log1p}, {"sin", std::sin},     {"sinh", std::sinh}, {"sqrt", std::sqrt},
    {"tan", std::tan},     {"tanh", std::tanh},
};

std::optional<Item> function_of_real(std::string_view name, const Items& a) {
  if (a.size() != 1 || !is_number(a[0])) return std::nullopt;
  const auto* row =
      std::find_if(std::begin(kReals), std::end(kReals), [&](const RealRow& r) { return r.name == name; });
  return row == std::end(kReals) ? std::nullopt : std::optional(Item::of_float(row->compute(real_of(a[0]))));
}

Computed no(std::string_view, const Items&) { return some(Item::of_bool(false)); }
Computed nothing(std::string_view, const Items&) { return some({}); }

struct FunctionRow {
  std::string_view name;
  Computed (*compute)(std::string_view, const Items&);
};
constexpr FunctionRow kFunctions[] = {
    {"__and__", bits},
    {"__derive_index", derived_index},
    {"__is__", equality},
    {"__isnot__", equality},
    {"__not__", opposite},
    {"__or__", bits},
    {"__range_length", range_length},
    {"__xor__", bits},
    {"_is_tracing", no},
    {"abs", absolute},
    {"ceil", rounded},
    {"device", nothing},
    {"eq", equality},
    {"floor", rounded},
    {"is_autocast_cpu_enabled", no},
    {"is_autocast_enabled", no},
    {"is_grad_enabled", no},
    {"is_scripting", no},
    {"max", extreme},
    {"min", extreme},
    {"ne", equality},
    {"neg", negative},
    {"round", nearest},
    {"set_grad_enabled", nothing},
    {"warn", nothing},
};

}  // namespace

// Of known numbers, strings and flat lists of them; nullopt for others.
std::optional<bool> equal(const Item& a, const Item& b) {
  if (is_plain(a) && is_plain(b)) return equal_plain(a, b);
  if (a.is_none() || b.is_none()) return a.is_none() && b.is_none();
  if (!a.is_sequence() || !b.is_sequence()) return std::nullopt;
  if (a.elements().size() != b.elements().size()) return false;
  for (size_t i = 0; i < a.elements().size(); ++i) {
    const Item &x = a.elements()[i], &y = b.elements()[i];
    if (!is_plain(x) || !is_plain(y)) return std::nullopt;
    if (!equal_plain(x, y)) return false;
  }
  return true;
}

Result<std::optional<Item>> compute(std::string_view function, const std::vector<Item>& arguments) {
  LAPIS_TRY(std::optional<Item> number, binary_number(function, arguments));
  if (number) return number;
  for (const FunctionRow& row : kFunctions)
    if (row.name == function) {
      LAPIS_TRY(const auto result, row.compute(function, arguments));
      if (result) return result;
    }
  if (const auto real = function_of_real(function, arguments)) return real;
  if (!arguments.empty() && arguments[0].is(Kind::String)) return compute_string(function, arguments);
  if (!arguments.empty() && arguments[0].is(Kind::Dict)) return compute_dict(function, arguments);
  return compute_list(function, arguments);
}

std::optional<bool> truth_of(const Item& item) {
  switch (item.kind) {
    case Kind::Bool: return item.truth;
    case Kind::Int: return item.integer != 0;
    case Kind::Float: return item.real != 0;
    case Kind::String: return item.truth ? std::nullopt : std::optional(!item.text.empty());
    case Kind::None: return false;
    case Kind::List:
    case Kind::Dict: return !item.elements().empty();
    default: return std::nullopt;
  }
}

}  // namespace lapis::pytorch_frontend
