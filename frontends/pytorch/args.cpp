#include "frontends/pytorch/args.h"

#include <algorithm>

#include "frontends/pytorch/types.h"
#include "frontends/pytorch/writer.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"

namespace lapis::pytorch_frontend {

const frontend::SourceAttribute* Args::find(std::string_view name) const {
  const auto& all = t_.node().attributes;
  const auto it = all.find(name);
  return it == all.end() ? nullptr : &it->second;
}

std::vector<int64_t> Args::references(std::string_view name) const {
  const auto* found = find(std::string(name) + "@");
  const auto* numbers = found ? std::get_if<std::vector<int64_t>>(found) : nullptr;
  return numbers ? *numbers : std::vector<int64_t>();
}

bool Args::is_operand(std::string_view name) const { return find(std::string(name) + "@") != nullptr; }
bool Args::has(std::string_view name) const { return find(name) != nullptr || is_operand(name); }

void Args::flaw(std::string_view name, const char* wanted) {
  if (flaw_.empty()) flaw_ = "an argument '" + std::string(name) + "' that is not " + wanted;
}

Status Args::status() const { return flaw_.empty() ? ok() : Status(Translation::unsupported(flaw_)); }

Result<Value*> Args::operand(int64_t number) { return t_.real(static_cast<size_t>(number), Layout::AsWritten); }

Result<Value*> Args::tensor(std::string_view name) {
  const std::vector<int64_t> at = references(name);
  if (at.size() == 1 && at[0] >= 0) return operand(at[0]);
  return error(ErrorKind::Input, "has no tensor '" + std::string(name) + "'");
}

Result<std::vector<Value*>> Args::tensors(std::string_view name) {
  std::vector<Value*> values;
  for (const int64_t at : references(name)) {
    if (at == kLiteral) return error(ErrorKind::Input, "has numbers where tensors are expected");
    Value* value = nullptr;
    if (at >= 0) {
      LAPIS_TRY(value, operand(at));
    }
    values.push_back(value);
  }
  return values;
}

Result<Value*> Args::number_or_tensor(std::string_view name, DType like) {
  if (is_operand(name)) return tensor(name);
  const auto* value = find(name);
  if (!value) return error(ErrorKind::Input, "has no argument '" + std::string(name) + "'");
  const auto* whole = std::get_if<int64_t>(value);
  if (whole && is_integer(like)) return t_.constant(ops::from_integers(like, {}, {*whole}));
  return frontend::scalar(t_, number(name, 0), like);
}

int64_t Args::integer(std::string_view name, int64_t fallback) {
  if (is_operand(name)) flaw(name, "known before the model runs");
  const auto* value = find(name);
  if (!value) return fallback;
  if (const auto* integer = std::get_if<int64_t>(value)) return *integer;
  flaw(name, "an integer");
  return fallback;
}

bool Args::is_list(std::string_view name) const {
  const auto* value = find(name);
  return value && std::holds_alternative<std::vector<int64_t>>(*value);
}

double Args::number(std::string_view name, double fallback) {
  if (is_operand(name)) flaw(name, "known before the model runs");
  const auto* value = find(name);
  if (!value) return fallback;
  if (const auto* integer = std::get_if<int64_t>(value)) return static_cast<double>(*integer);
  if (const auto* real = std::get_if<double>(value)) return *real;
  if (const auto* truth = std::get_if<bool>(value)) return *truth ? 1 : 0;
  flaw(name, "a number");
  return fallback;
}

bool Args::flag(std::string_view name, bool fallback) {
  if (is_operand(name)) flaw(name, "known before the model runs");
  const auto* value = find(name);
  if (!value) return fallback;
  if (const auto* truth = std::get_if<bool>(value)) return *truth;
  if (const auto* integer = std::get_if<int64_t>(value)) return *integer != 0;
  flaw(name, "a truth value");
  return fallback;
}

std::string Args::word(std::string_view name, std::string fallback) {
  const auto* value = find(name);
  if (!value) return fallback;
  if (const auto* text = std::get_if<std::string>(value)) return *text;
  flaw(name, "a word");
  return fallback;
}

std::vector<int64_t> Args::list(std::string_view name, std::vector<int64_t> fallback) {
  if (is_operand(name)) flaw(name, "known before the model runs");
  const auto* value = find(name);
  if (!value) return fallback;
  if (const auto* integer = std::get_if<int64_t>(value)) return {*integer};
  if (const auto* numbers = std::get_if<std::vector<int64_t>>(value)) return *numbers;
  flaw(name, "a list of integers");
  return fallback;
}

std::vector<double> Args::reals(std::string_view name) {
  if (is_operand(name)) flaw(name, "known before the model runs");
  const auto* value = find(name);
  if (!value) return {};
  if (const auto* real = std::get_if<double>(value)) return {*real};
  if (const auto* numbers = std::get_if<std::vector<double>>(value)) return *numbers;
  const std::vector<int64_t> whole = list(name);
  return {whole.begin(), whole.end()};
}

// An integer that a node before has found: the type of another tensor.
int64_t Args::known(std::string_view name) const {
  const std::vector<int64_t> at = references(name);
  const Tensor none, &number = at.size() == 1 && at[0] >= 0 ? t_.input(static_cast<size_t>(at[0])).constant : none;
  return number.defined() && number.size() == 1 && is_integer(number.dtype()) ? number.as_int(0) : -1;
}

std::optional<DType> Args::dtype(std::string_view name) {
  if (!has(name)) return std::nullopt;
  const auto found = dtype_of_scalar_type(is_operand(name) ? known(name) : integer(name, 0));
  if (!found) flaw(name, "a type that Lapis has");
  return found;
}

Result<std::vector<Size>> Args::sizes(std::string_view name) {
  const std::vector<int64_t> at = references(name);
  const auto* value = find(name);
  const auto* numbers = value ? std::get_if<std::vector<int64_t>>(value) : nullptr;
  std::vector<Size> sizes;
  if (at.empty()) {
    for (const int64_t number : list(name)) sizes.push_back({number});
    return sizes;
  }
  for (size_t i = 0; i < at.size(); ++i) {
    Size size{numbers && i < numbers->size() ? (*numbers)[i] : 0};
    if (at[i] >= 0) {
      LAPIS_TRY(size.computed, operand(at[i]));
    }
    sizes.push_back(size);
  }
  return sizes;
}

Result<Size> Args::size(std::string_view name, int64_t fallback) {
  if (!has(name)) return Size{fallback};
  LAPIS_TRY(const std::vector<Size> all, sizes(name));
  if (all.size() == 1) return all[0];
  return error(ErrorKind::Input, "has no number '" + std::string(name) + "'");
}

// No tensor has more elements on an axis, and sums of two such numbers fit 64 bits.
Status check_positions(std::initializer_list<int64_t> numbers) {
  constexpr int64_t kMost = kMaxTensorBytes;
  for (const int64_t number : numbers)
    if (number < -kMost || number > kMost) return error(ErrorKind::Input, "names position " + std::to_string(number));
  return ok();
}

Result<Value*> as_value(Translation& t, const Size& size) {
  if (!size.computed) return frontend::ints(t, {size.number});
  LAPIS_TRY(Value * integer, frontend::cast(t, size.computed, DType::Int64));
  return frontend::reshape(t, integer, {1});
}

Result<Value*> shape_of(Translation& t, const std::vector<Size>& sizes) {
  std::vector<int64_t> known;
  for (const Size& size : sizes)
    if (!size.computed) known.push_back(size.number);
  if (known.size() == sizes.size()) return frontend::ints(t, std::move(known));
  std::vector<Value*> parts;
  for (const Size& size : sizes) {
    LAPIS_TRY(parts.emplace_back(), as_value(t, size));
  }
  if (parts.size() == 1) return parts[0];
  return t.add(ops::Concat, parts, ops::ConcatAttrs{0});
}

}  // namespace lapis::pytorch_frontend
