// Options of operators, and what families of translators share.
#include <algorithm>

#include "frontends/mxnet/literal.h"
#include "frontends/mxnet/translators.h"

namespace lapis::mxnet_frontend {

const frontend::SourceAttribute* Options::find(std::string_view name) const {
  const auto& all = t_.node().attributes;
  const auto it = all.find(name);
  return it == all.end() ? nullptr : &it->second;
}

void Options::flaw(std::string_view name, const char* wanted) {
  if (flaw_.empty()) flaw_ = "its '" + std::string(name) + "' is not " + wanted;
}

int64_t Options::integer(std::string_view name, int64_t fallback) {
  const auto* value = find(name);
  if (!value) return fallback;
  if (const auto* number = std::get_if<int64_t>(value)) return *number;
  flaw(name, "an integer");
  return fallback;
}

double Options::number(std::string_view name, double fallback) {
  const auto* value = find(name);
  if (!value) return fallback;
  if (const auto* number = std::get_if<int64_t>(value)) return static_cast<double>(*number);
  if (const auto* number = std::get_if<double>(value)) return *number;
  if (const auto* truth = std::get_if<bool>(value)) return *truth ? 1 : 0;
  flaw(name, "a number");
  return fallback;
}

bool Options::flag(std::string_view name, bool fallback) {
  const auto* value = find(name);
  if (!value) return fallback;
  if (const auto* truth = std::get_if<bool>(value)) return *truth;
  if (const auto* number = std::get_if<int64_t>(value)) return *number != 0;
  flaw(name, "a truth value");
  return fallback;
}

std::string Options::word(std::string_view name, std::string fallback) {
  const auto* value = find(name);
  if (!value) return fallback;
  if (const auto* text = std::get_if<std::string>(value)) return *text;
  flaw(name, "a word");
  return fallback;
}

std::vector<int64_t> Options::list(std::string_view name, std::vector<int64_t> fallback) {
  const auto* value = find(name);
  if (!value) return fallback;
  if (const auto* number = std::get_if<int64_t>(value)) return {*number};
  if (const auto* numbers = std::get_if<std::vector<int64_t>>(value)) return *numbers;
  flaw(name, "a list of integers");
  return fallback;
}

std::vector<double> Options::numbers(std::string_view name, std::vector<double> fallback) {
  const auto* value = find(name);
  if (!value) return fallback;
  if (const auto* some = std::get_if<std::vector<double>>(value)) return *some;
  if (const auto* whole = std::get_if<std::vector<int64_t>>(value)) return {whole->begin(), whole->end()};
  return {number(name, 0)};
}

Status Options::status() const {
  if (flaw_.empty()) return ok();
  return error(ErrorKind::Input, flaw_);
}

Status finish(Translation& t, Result<Value*> y) {
  LAPIS_TRY(Value * value, std::move(y));
  return frontend::result(t, 0, value);
}

Result<DType> type_named(const std::string& name) {
  const auto dtype = parse_dtype(name);
  const bool is_known = dtype && visit_dtype(*dtype, [](auto) {});
  return is_known ? Result<DType>(*dtype) : Translation::unsupported("the type '" + name + "'");
}

Result<Value*> as_indices(Translation& t, size_t i) {
  LAPIS_TRY(Value * indices, operand(t, i));
  return frontend::cast(t, indices, DType::Int64);
}

Result<Value*> per_channel(Translation& t, Value* parameter, const Value* x) {
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  if (rank <= 2) return parameter;
  Shape shape(static_cast<size_t>(rank) - 1, 1);
  shape[0] = -1;
  return frontend::reshape(t, parameter, std::move(shape));
}

Result<Value*> as_numbers(Translation& t, Result<Value*> truth, Truth wanted) {
  LAPIS_TRY(Value * value, std::move(truth));
  if (wanted == Truth::Opposite) {
    LAPIS_TRY(value, t.add(ops::Not, {value}));
  }
  LAPIS_TRY(const Value* like, operand(t));
  return frontend::cast(t, value, like->dtype() == DType::Bool ? DType::Bool : like->dtype());
}

Result<Axes> reduced_axes(Translation& t, const Value* x) {
  Options o(t);
  Axes axes = o.list("axis");
  const bool exclude = o.flag("exclude", false);
  LAPIS_CHECK(o.status());
  if (axes.empty() && !exclude) return axes;
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(axes, frontend::axes_of(axes, rank));
  if (!exclude) return axes;
  Axes others;
  for (int64_t axis = 0; axis < rank; ++axis)
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) others.push_back(axis);
  return others;
}

Status reduction(Translation& t, const OpDef& op) {
  Options o(t);
  const bool keepdims = o.flag("keepdims", false);
  LAPIS_CHECK(o.status());
  LAPIS_TRY(Value * x, operand(t));
  LAPIS_TRY(Axes axes, reduced_axes(t, x));
  // What excludes all axes is the operand itself; to ONNX no axes are all.
  if (axes.empty() && t.get<bool>("exclude", false)) return frontend::result(t, 0, x);
  const bool is_one_number = axes.empty() && !keepdims;  // which is an array of one element in MXNet
  LAPIS_TRY(Value * y, frontend::reduce(t, op, x, std::move(axes), keepdims));
  return finish(t, is_one_number ? frontend::reshape(t, y, {1}) : Result<Value*>(y));
}

}  // namespace lapis::mxnet_frontend
