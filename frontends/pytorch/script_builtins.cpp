// What the language of TorchScript has beside operators on tensors:
// conversions, questions about types, lists of what is computed.
#include <algorithm>

#include "frontends/pytorch/script_interpreter.h"
#include "frontends/pytorch/script_lists.h"
#include "frontends/pytorch/script_numbers.h"
#include "frontends/pytorch/script_strings.h"
#include "frontends/pytorch/types.h"
#include "ir/ops/loops.h"

namespace lapis::pytorch_frontend {
namespace {

using Kind = Item::Kind;

// Whether an item is of this type; nullopt if that is not known.
std::optional<bool> is_of_type(const Item& item, const std::string& type) {
  if (item.is(Kind::Optional) || item.is(Kind::Unset) || item.is(Kind::Symbol)) return std::nullopt;
  if (type == "Tensor") return item.is_tensor();
  if (type == "int") return item.is(Kind::Int);
  if (type == "float") return item.is(Kind::Float);
  if (type == "bool") return item.is(Kind::Bool);
  if (type == "str") return item.is(Kind::String);
  if (type == "NoneType") return item.is_none();
  if (type == "Dict") return item.is(Kind::Dict);
  if (type == "Tuple") return item.is(Kind::Tuple);
  if (type != "List") return std::nullopt;
  return item.elements().empty() && item.is(Kind::List) ? std::nullopt : std::optional(item.is(Kind::List));
}

// Numbers in lists within each other, row by row.
struct Numbers {
  std::vector<double> reals = {};
  std::vector<int64_t> integers = {};
  bool are_real = false, are_truths = true;

  bool add(const Item& item, Shape& shape, size_t axis) {
    if (item.is_sequence()) return add_row(item, shape, axis);
    if (axis < shape.size()) return false;
    const int64_t whole = item.is(Kind::Bool) ? item.truth : item.integer;
    are_real |= item.is(Kind::Float);
    are_truths &= item.is(Kind::Bool);
    integers.push_back(whole);
    reals.push_back(item.is(Kind::Float) ? item.real : static_cast<double>(whole));
    return item.is(Kind::Float) || item.is(Kind::Int) || item.is(Kind::Bool);
  }

 private:
  bool add_row(const Item& list, Shape& shape, size_t axis) {
    const auto count = static_cast<int64_t>(list.elements().size());
    if (axis == shape.size() && reals.empty()) shape.push_back(count);
    if (axis >= shape.size() || shape[axis] != count) return false;
    return std::all_of(list.elements().begin(), list.elements().end(),
                       [&](const Item& one) { return add(one, shape, axis + 1); });
  }
};

// nullopt if one of them is computed.
std::optional<Tensor> known_tensor(const Item& data) {
  Numbers numbers;
  Shape shape;
  if (!numbers.add(data, shape, 0)) return std::nullopt;
  if (numbers.are_real || numbers.reals.empty()) return ops::from_doubles(DType::Float32, shape, numbers.reals);
  const Tensor integers = Tensor::vector<int64_t>(numbers.integers).reshaped(shape);
  return numbers.are_truths ? ops::from_doubles(DType::Bool, shape, numbers.reals) : integers;
}

// Facts about tensors that are the same for all that Lapis has.
struct Fact {
  std::string_view name;
  bool holds;
};
constexpr Fact kFacts[] = {
    {"is_cpu", true},  {"is_cuda", false},   {"is_ipu", false},        {"is_meta", false},       {"is_mkldnn", false},
    {"is_mps", false}, {"is_nested", false}, {"is_sparse", false},     {"is_sparse_csr", false}, {"is_vulkan", false},
    {"is_xla", false}, {"is_xpu", false},    {"requires_grad", false},
};

const Fact* fact(std::string_view name) {
  const auto* found = std::find_if(std::begin(kFacts), std::end(kFacts), [&](const Fact& f) { return f.name == name; });
  return found == std::end(kFacts) ? nullptr : found;
}

}  // namespace

// annotate(T, x), unchecked_cast(T, x), uninitialized(T), getattr(x, "name"), int(x), ...
Result<Item> Interpreter::call_named(const std::string& name, const Expression& e, Frame& frame) {
  const size_t count = e.parts.size() - 1;
  if (name == "uninitialized") return Item::unset();
  if (name == "annotate" && count == 2) return evaluate(e.parts[2], frame);
  if (name == "isinstance" && count == 2) return isinstance(e, frame);
  if (name == "unchecked_cast" && count == 2) {
    LAPIS_TRY(Item value, evaluate(e.parts[2], frame));
    return value.is(Kind::Optional) ? readable(value.elements()[1], frame) : value;
  }
  return call_function(name, e, frame);
}

// int(x), getattr(x, "name"), print(x), ...
Result<Item> Interpreter::call_function(const std::string& name, const Expression& e, Frame& frame) {
  LAPIS_TRY(Arguments arguments, arguments_of(e, frame));
  const std::vector<Item>& a = arguments.items;
  const bool is_number = name == "int" || name == "float" || name == "bool";
  if (name == "getattr" && a.size() == 2 && a[1].is_text()) return attribute_of(a[0], a[1].text, frame);
  if (is_number && a.size() == 1) return as_number(name, a[0], frame);
  if (name == "print") return Item();
  if (name == "str" && a.size() == 1) return text_of(a[0]);
  if (name == "sorted") return call_operator("aten.sorted", std::move(arguments), frame);
  return problem(ErrorKind::Unsupported, "the function '" + name + "'", frame);
}

// isinstance(x, T), isinstance(x, (T, List[U])); what a list is of says nothing more.
Result<Item> Interpreter::isinstance(const Expression& e, Frame& frame) {
  LAPIS_TRY(const Item item, evaluate(e.parts[1], frame));
  const Expression& asked = e.parts[2];
  const std::vector<Expression> one = {asked};
  bool holds = false;
  for (const Expression& type : asked.kind == Expression::Kind::Tuple ? asked.parts : one) {
    const bool has_parts = type.kind == Expression::Kind::Subscript;
    const auto fits = is_of_type(item, has_parts ? type.parts[0].text : type.text);
    if (!fits) return problem(ErrorKind::Unsupported, "the type of " + item.description() + " as a truth value", frame);
    holds |= *fits;
  }
  return Item::of_bool(holds);
}

// Of a known number, rounded toward zero where an integer is wanted.
Result<Item> Interpreter::known_number(const std::string& type, const Item& value, const Frame& frame) {
  constexpr double kMost = 9e18;
  if (value.is(Kind::Float))
    return type == "int" ? Item::of_int(static_cast<int64_t>(std::clamp(value.real, -kMost, kMost))) : value;
  const int64_t whole = value.is(Kind::Bool) ? value.truth : value.integer;
  if (value.is(Kind::Int) || value.is(Kind::Bool))
    return type == "int" ? Item::of_int(whole) : Item::of_float(static_cast<double>(whole));
  return problem(ErrorKind::Unsupported, value.description() + " as a number", frame);
}

// Of a computed number: what has a fraction becomes an integer, what is a number a truth value.
Result<Item> Interpreter::converted(const std::string& type, const Item& value, Frame& frame) {
  if (type == "float") return Item::symbol(value.text);
  const auto dtype = scalar_type_of(type == "int" ? DType::Int64 : DType::Bool);
  LAPIS_TRY(const Item cast, emit("aten._to_copy", {{value, Item::of_int(*dtype)}, {"", "dtype"}}, frame));
  if (value.is(Kind::Symbol)) return Item::symbol(cast.text);
  LAPIS_TRY(const Item number, emit("aten.item", {{cast}, {""}}, frame));
  return Item::symbol(number.text);
}

Result<Item> Interpreter::as_number(const std::string& type, const Item& value, Frame& frame) {
  if (value.is(Kind::Tensor) || value.is(Kind::Symbol)) return converted(type, value, frame);
  if (value.is(Kind::Weight)) {
    const bool is_one =
        value.weight->defined() && value.weight->size() == 1 && visit_dtype(value.weight->dtype(), [](auto) {});
    if (!is_one) return problem(ErrorKind::Unsupported, "a tensor of several elements as a number", frame);
    if (type == "int") return Item::of_int(value.weight->as_int(0));
    const double real = value.weight->as_double(0);
    return type == "bool" ? Item::of_bool(real != 0) : Item::of_float(real);
  }
  if (type != "bool") return known_number(type, value, frame);
  const auto truth = truth_of(value);
  return truth ? Result<Item>(Item::of_bool(*truth))
               : problem(ErrorKind::Unsupported, value.description() + " as a truth value", frame);
}

// What TorchScript has beside operators on tensors.
Result<Item> Interpreter::call_primitive(const std::string& op, Arguments arguments, Frame& frame) {
  const std::vector<Item>& a = arguments.items;
  if (op == "RaiseException")
    return problem(ErrorKind::Unsupported, "the code raises an exception for the inputs that the model is imported for",
                   frame)
        .help("give other sizes or numbers: --shape, --value");
  if (op == "device" || op == "layout") return Item();
  if (op == "type" && a.size() == 1 && a[0].is_none()) return Item::of_string("cpu");
  if (const Fact* found = fact(op)) return Item::of_bool(found->holds);
  if (op == "dtype" && a.size() == 1) return emit("prim.dtype", std::move(arguments), frame);
  constexpr std::string_view kPassing[] = {"ImplicitTensorToNum", "NumToTensor", "data", "unchecked_unwrap_optional"};
  if (std::find(std::begin(kPassing), std::end(kPassing), op) != std::end(kPassing) && a.size() == 1) return a[0];
  return call_numeric(op, std::move(arguments), frame);
}

// min(a, b), max([a, b, c]), abs(a)
Result<Item> Interpreter::call_numeric(const std::string& op, Arguments arguments, Frame& frame) {
  const std::vector<Item>& a = arguments.items;
  const bool is_extreme = op == "min" || op == "max";
  if (is_extreme && a.size() == 1 && a[0].is_sequence()) return folded("prim." + op, a[0], frame);
  if (!is_extreme && op != "abs") return problem(ErrorKind::Unsupported, "the function prim::" + op, frame);
  LAPIS_TRY(const auto known, known_result("aten." + op, a, frame));
  if (known) return *known;
  return emit(is_extreme ? "torch.sym_" + op : "aten.abs", std::move(arguments), frame);
}

// ---- lists of what is computed --------------------------------------------------------------------------------------

// The sum, the smallest, the largest of a list: one after the other.
Result<Item> Interpreter::folded(const std::string& op, const Item& list, Frame& frame) {
  const std::vector<Item>& items = list.elements();
  if (items.empty() && op == "aten.add") return Item::of_int(0);
  if (items.empty()) return problem(ErrorKind::Input, "its code asks an empty list for its smallest or largest", frame);
  Item result = items[0];
  for (size_t i = 1; i < items.size(); ++i) {
    Arguments both{{result, items[i]}, {"", ""}};
    LAPIS_TRY(result, op == "aten.add" ? call_operator(op, std::move(both), frame)
                                       : call_primitive(op.substr(op.find('.') + 1), std::move(both), frame));
  }
  return result;
}

// A tensor of numbers that stand in lists, of which some may be computed.
Result<Item> Interpreter::tensor_of(const Item& data, Frame& frame) {
  if (const auto known = known_tensor(data)) return Item::of_weight(*known);
  if (!data.is_sequence()) return emit("aten.tensor", {{data}, {""}}, frame);
  std::vector<Item> parts;
  for (const Item& one : data.elements()) {
    LAPIS_TRY(parts.emplace_back(), tensor_of(one, frame));
  }
  return emit("aten.stack", {{Item::list(std::move(parts)), Item::of_int(0)}, {"", ""}}, frame);
}

// Its sizes and type, as far as the sizes of the inputs tell them.
std::optional<Type> Interpreter::type_of(const Item& tensor) {
  if (tensor.is(Kind::Weight)) return tensor.weight->defined() ? std::optional(Type::of(*tensor.weight)) : std::nullopt;
  if (!tensor.is(Kind::Tensor) || writer_->is_body()) return std::nullopt;
  return known_.type(*writer_, tensor.text);
}

// Into how many parts these arguments cut a tensor; nullopt if that is not known.
std::optional<int64_t> Interpreter::count_of_parts(const Item& parts) {
  const auto& given = parts.object->attributes;
  const auto argument = [&](std::string_view name) {
    const auto it = given.find(name);
    return it == given.end() ? Item() : it->second;
  };
  for (const char* name : {"split_sizes", "split_size", "tensors"})
    if (argument(name).is_sequence()) return static_cast<int64_t>(argument(name).elements().size());
  if (argument("sections").is_sequence()) return static_cast<int64_t>(argument("sections").elements().size()) + 1;
  if (argument("sections").is(Kind::Int)) return argument("sections").integer;
  const auto type = type_of(argument("self"));
  const Item dim = argument("dim").is_none() ? Item::of_int(0) : argument("dim");
  if (!type || !type->ranked() || !dim.is(Kind::Int)) return std::nullopt;
  const auto axis = position(dim.integer, static_cast<size_t>(type->rank()));
  if (!axis || !type->dim(static_cast<int64_t>(*axis)).is_constant()) return std::nullopt;
  const int64_t size = type->dim(static_cast<int64_t>(*axis)).value();
  const auto cut = [&](int64_t length) {
    return std::max<int64_t>(1, (size + length - 1) / std::max<int64_t>(1, length));
  };
  if (argument("split_size").is(Kind::Int)) return cut(argument("split_size").integer);
  if (!argument("chunks").is(Kind::Int)) return size;  // unbind
  return argument("chunks").integer < 1 ? std::nullopt : std::optional(cut(cut(argument("chunks").integer)));
}

// Sizes and parts of tensors as the lists that they are in TorchScript.
Result<Item> Interpreter::listed(const Item& item, Frame& frame) {
  std::vector<Item> items;
  if (item.is(Kind::Sizes)) {
    const auto type = type_of(Item::tensor(item.text));
    if (!type || !type->ranked())
      return problem(ErrorKind::Unsupported, "the sizes of a tensor whose number of axes is not known", frame)
          .help("give the sizes of the inputs: --shape INPUT=1x256");
    for (int64_t axis = 0; axis < type->rank(); ++axis) {
      LAPIS_TRY(items.emplace_back(), element(item, Item::of_int(axis), frame));
      if (type->dim(axis).is_constant()) items.back() = Item::of_int(type->dim(axis).value());
    }
  } else if (is_parts(item)) {
    const auto count = count_of_parts(item);
    if (!count || *count > static_cast<int64_t>(kMostResults))
      return problem(ErrorKind::Unsupported, "parts of a tensor whose number is not known", frame)
          .help("give the sizes of the inputs: --shape INPUT=1x256");
    LAPIS_TRY(items, unpacked(item, static_cast<size_t>(*count), frame));
  } else {
    return item;
  }
  Item list = Item::list(std::move(items));
  own_lists_.insert(list.items.get());
  return list;
}

// A computed number as the number that it is for these sizes of the inputs, where they tell it.
Item Interpreter::settled(const Item& item) {
  if (item.is_sequence()) {
    std::vector<Item> items;
    for (const Item& one : item.elements()) items.push_back(settled(one));
    return Item::list(std::move(items), item.kind);
  }
  if (!item.is(Kind::Symbol) || writer_->is_body()) return item;
  return known_.number(*writer_, item.text).value_or(item);
}

}  // namespace lapis::pytorch_frontend
