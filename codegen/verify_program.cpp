#include "codegen/verify_program.h"

#include <algorithm>
#include <array>

#include "codegen/print_plan.h"
#include "codegen/scalar/ops.h"
#include "codegen/scalar/program.h"

namespace lapis::codegen {
namespace {

int arguments(const Instr& i) {
  return static_cast<int>(std::ranges::count_if(i.args, [](int32_t arg) { return arg >= 0; }));
}

bool types_match(const Instr& i, const std::vector<Instr>& body) {
  const std::array<DType, 3> types = scalar::operand_types(i, body);
  const auto given = std::span(types).first(static_cast<size_t>(scalar::row_of(i.op).arity));
  auto all = [](std::span<const DType> some, DType type) {
    return std::ranges::all_of(some, [&](DType t) { return t == type; });
  };
  if (!given.empty() && !scalar::takes(scalar::row_of(i.op), types[0])) return false;
  switch (scalar::row_of(i.op).typing) {
    case scalar::Typing::Free: return true;
    case scalar::Typing::Equal: return all(given, i.type);
    case scalar::Typing::Compared: return i.type == DType::Bool && all(given, types[0]);
    case scalar::Typing::Chosen: return types[0] == DType::Bool && all(given.subspan(1), i.type);
    case scalar::Typing::Bytes: return bit_width(types[0]) == 8 && bit_width(i.type) == 8;
  }
  return false;
}

const char* flaw_of_access(const Instr& i, const std::vector<Instr>& body, const ProgramPlace& place) {
  if (place.loaded(i.slot) != i.type) return " is not the type of what it loads";
  if (!types_match(i, body)) return " mixes types";
  const bool indexed = i.op != Op::Gather || (place.loop && is_integer(scalar::operand_types(i, body)[0]));
  return indexed ? nullptr : " is no gather of a loop by integers";
}

const char* flaw_of_operation(const Instr& i, const std::vector<Instr>& body, const ProgramPlace& place) {
  const auto exists = [&](size_t count) { return i.slot >= 0 && i.slot < static_cast<int32_t>(count); };
  switch (i.op) {
    case Op::Reduced:
      return exists(place.reduced.size()) && place.reduced[static_cast<size_t>(i.slot)] == i.type
                 ? nullptr
                 : " names no earlier reduction of its type";
    case Op::Accumulator: return !place.loop && &i == body.data() ? nullptr : " is not the beginning of an epilogue";
    case Op::Index:
      return place.loop && exists(place.loop->domain.size()) && i.type == DType::Int64 ? nullptr
                                                                                       : " names no dimension";
    default: return types_match(i, body) ? nullptr : " mixes types";
  }
}

std::optional<std::string> flaw_of(const Instr& i, const std::vector<Instr>& body, const ProgramPlace& place) {
  const auto id = static_cast<int32_t>(&i - body.data());
  const auto named = [&](const char* flaw) { return "%" + std::to_string(id) + " = " + to_string(i) + flaw; };
  if (!std::ranges::all_of(i.args, [&](int32_t arg) { return arg < id; })) return named(" uses what comes later");
  if (arguments(i) != scalar::row_of(i.op).arity) return named(" has too few or too many arguments");
  const char* flaw = scalar::reads_view(i.op) ? flaw_of_access(i, body, place) : flaw_of_operation(i, body, place);
  return flaw ? std::optional(named(flaw)) : std::nullopt;
}

}  // namespace

std::vector<std::string> flaws_of_program(const std::vector<Instr>& body, const ProgramPlace& place) {
  std::vector<std::string> flaws;
  for (const Instr& i : body)
    if (auto flaw = flaw_of(i, body, place)) flaws.push_back(*std::move(flaw));
  return flaws;
}

}  // namespace lapis::codegen
