#define LAPIS_IMPLEMENTATION
#include "frontends/public_translators.h"

#include <cstring>

#include "frontends/common/build.h"
#include "ir/op.h"

namespace lapis::v1 {

struct Translation::Impl {
  frontend::Translation& t;
  Status status = lapis::ok();

  bool fine() const { return status.ok(); }
  void fail(Status problem) {
    if (fine() && !problem.ok()) status = std::move(problem);
  }
  Operand operand(lapis::Result<Value*> made) {
    if (made.ok()) return operand_of(*made);
    fail(std::move(made).diagnostics());
    return {};
  }
  static Value* value(const Operand& operand) { return static_cast<Value*>(value_of(operand)); }
};

namespace {

Diagnostic usage(std::string message) { return lapis::error(ErrorKind::Usage, std::move(message)); }

template <class Variant> std::vector<double> as_numbers(const Variant& attribute) {
  return std::visit(
      []<class T>(const T& value) -> std::vector<double> {
        if constexpr (std::is_arithmetic_v<T>)
          return {static_cast<double>(value)};
        else if constexpr (std::is_same_v<T, std::string>)
          return {};
        else
          return {value.begin(), value.end()};
      },
      attribute);
}

// Whole numbers stand for reals too, and one number for a list.
std::optional<Attribute> as_kind(const NodeAttribute& given, AttrKind kind) {
  const std::vector<double> reals = as_numbers(given);
  const auto* text = std::get_if<std::string>(&given);
  const auto* whole = std::get_if<int64_t>(&given);
  const auto* list = std::get_if<std::vector<int64_t>>(&given);
  switch (kind) {
    case AttrKind::Int: return whole ? std::optional<Attribute>(*whole) : std::nullopt;
    case AttrKind::Float:
      return reals.size() == 1 ? std::optional<Attribute>(static_cast<float>(reals[0])) : std::nullopt;
    case AttrKind::String: return text ? std::optional<Attribute>(*text) : std::nullopt;
    case AttrKind::Ints:
      return list    ? std::optional<Attribute>(*list)
             : whole ? std::optional<Attribute>(std::vector{*whole})
                     : std::nullopt;
    case AttrKind::Floats:
      return text ? std::nullopt : std::optional<Attribute>(std::vector<float>(reals.begin(), reals.end()));
    default: return std::nullopt;
  }
}

std::string quoted(std::string_view name) { return "'" + std::string(name) + "'"; }

lapis::Result<Attributes> attributes_of(const OpDef& op, const NodeAttributes& given) {
  Attributes all;
  for (const auto& [name, attribute] : given) {
    const AttrDef* def = op.attribute(name);
    if (!def) return usage(std::string(op.name) + " has no attribute " + quoted(name));
    auto stored = as_kind(attribute, def->kind);
    if (!stored) return usage("attribute " + quoted(name) + " of " + std::string(op.name) + " is of another kind");
    all.emplace(name, *std::move(stored));
  }
  for (const AttrDef& def : op.attributes)
    if (def.required && !all.contains(def.name))
      return usage(std::string(op.name) + " needs the attribute " + quoted(def.name));
  return all;
}

// Of the operands, which are there unless something went wrong before.
Status check_count(const OpDef& op, size_t count) {
  if (count >= op.min_inputs() && count <= op.max_inputs()) return lapis::ok();
  return usage(std::string(op.name) + " cannot have " + std::to_string(count) + " operands");
}

lapis::Result<lapis::Tensor> copy_of(const TensorView& view) {
  lapis::Tensor tensor(static_cast<lapis::DType>(view.dtype), Shape(view.shape.begin(), view.shape.end()));
  if (!view.data && tensor.size() > 0) return usage("a constant without elements");
  if (view.data && tensor.size() > 0) std::memcpy(tensor.mutable_raw(), view.data, static_cast<size_t>(tensor.bytes()));
  return tensor;
}

const frontend::SourceAttribute* find(const frontend::SourceNode& node, std::string_view name) {
  const auto it = node.attributes.find(name);
  return it == node.attributes.end() ? nullptr : &it->second;
}

// A function of the program's, which may throw.
Status translate(const Translator& row, frontend::Translation& t) {
  Translation::Impl impl{t};
  Translation translation(impl);
  try {
    row.translate(translation);
  } catch (const std::exception& e) {
    return usage("the translator of '" + row.op + "' ended with an exception: " + e.what());
  }
  return std::move(impl.status);
}

}  // namespace

std::string_view Translation::op() const { return impl_.t.node().op; }
std::string_view Translation::name() const { return impl_.t.node().name; }
size_t Translation::inputs() const { return impl_.t.input_count(); }
size_t Translation::outputs() const { return impl_.t.output_count(); }

Operand Translation::input(size_t i) {
  if (!impl_.fine()) return {};
  if (!impl_.t.has(i)) return impl_.operand(lapis::error(ErrorKind::Input, "has no operand " + std::to_string(i)));
  return impl_.operand(impl_.t.real(i, frontend::Layout::AsWritten));
}

std::vector<double> Translation::numbers(std::string_view attribute) const {
  const auto* found = find(impl_.t.node(), attribute);
  return found ? as_numbers(*found) : std::vector<double>();
}

double Translation::number(std::string_view attribute, double fallback) const {
  const std::vector<double> all = numbers(attribute);
  return all.size() == 1 ? all[0] : fallback;
}

std::string Translation::text(std::string_view attribute, std::string_view fallback) const {
  const auto* found = find(impl_.t.node(), attribute);
  const auto* text = found ? std::get_if<std::string>(found) : nullptr;
  return text ? *text : std::string(fallback);
}

std::vector<int64_t> Translation::shape(Operand x) const {
  std::vector<int64_t> extents;
  const Value* value = Impl::value(x);
  if (!value || !value->type().ranked()) return extents;
  for (const Dim& d : *value->type().dims) extents.push_back(d.is_constant() ? d.value() : -1);
  return extents;
}

Operand Translation::constant(const TensorView& tensor) {
  if (!impl_.fine()) return {};
  lapis::Result<lapis::Tensor> copy = copy_of(tensor);
  if (!copy.ok()) return impl_.operand(std::move(copy).diagnostics());
  return impl_.operand(impl_.t.constant(*std::move(copy)));
}

Operand Translation::constant(double number) {
  if (!impl_.fine()) return {};
  return impl_.operand(frontend::scalar(impl_.t, number, lapis::DType::Float32));
}

Operand Translation::add(std::string_view op, const std::vector<Operand>& operands, const NodeAttributes& attributes) {
  if (!impl_.fine()) return {};
  const OpDef* record = find_op(op);
  if (!record) return impl_.operand(usage("neither ONNX nor Lapis has an operator '" + std::string(op) + "'"));
  std::vector<Value*> values;
  values.reserve(operands.size());
  for (const Operand& operand : operands) values.push_back(Impl::value(operand));
  impl_.fail(check_count(*record, values.size()));
  lapis::Result<Attributes> all = attributes_of(*record, attributes);
  if (!all.ok()) return impl_.operand(std::move(all).diagnostics());
  return impl_.fine() ? impl_.operand(impl_.t.add(*record, std::move(values), *std::move(all))) : Operand();
}

void Translation::set(size_t i, Operand result) {
  if (!impl_.fine()) return;
  if (i >= outputs() || !result)
    return impl_.fail(usage("sets output " + std::to_string(i) + " of " + std::to_string(outputs())));
  impl_.fail(frontend::result(impl_.t, i, Impl::value(result)));
}

void Translation::refuse(std::string_view reason) {
  impl_.fail(frontend::Translation::unsupported(std::string(reason)));
}

std::vector<frontend::OwnTranslator> own_translators(const std::vector<Translator>& rows) {
  std::vector<frontend::OwnTranslator> own;
  for (const Translator& row : rows) {
    own.push_back({row.framework, row.op, row.fewest_inputs, row.most_inputs, {}});
    if (row.translate) own.back().translate = [row](frontend::Translation& t) { return translate(row, t); };
  }
  return own;
}

}  // namespace lapis::v1
