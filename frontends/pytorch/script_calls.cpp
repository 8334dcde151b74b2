// What the code of TorchScript calls: methods, functions, what the language has, and operators, which become nodes.
#include <algorithm>
#include <cmath>

#include "frontends/pytorch/script_interpreter.h"
#include "frontends/pytorch/script_lists.h"
#include "frontends/pytorch/script_numbers.h"
#include "frontends/pytorch/translators.h"
#include "frontends/pytorch/types.h"

namespace lapis::pytorch_frontend {
namespace {

using Kind = Item::Kind;

// Operators with several results, or with a list of them.
constexpr std::string_view kSeveral[] = {"aten.split",
                                         "aten.split_with_sizes",
                                         "aten.chunk",
                                         "aten.unbind",
                                         "aten.unsafe_chunk",
                                         "aten.unsafe_split",
                                         "aten.topk",
                                         "aten.sort",
                                         "aten._native_multi_head_attention",
                                         "aten.lstm",
                                         "aten.gru",
                                         "aten.lstm_cell",
                                         "aten.var_mean",
                                         "aten.max_pool2d_with_indices",
                                         "aten.adaptive_max_pool1d",
                                         "aten.adaptive_max_pool2d",
                                         "aten.native_layer_norm",
                                         "aten.native_group_norm",
                                         "aten.native_batch_norm"};

bool gives_several(const std::string& op, const std::vector<Argument>& arguments) {
  if (std::find(std::begin(kSeveral), std::end(kSeveral), op) != std::end(kSeveral)) return true;
  const bool is_extreme = op == "aten.max" || op == "aten.min";
  return is_extreme && arguments.size() > 1 && arguments[1].name == "dim" && arguments[1].value.is(Kind::Int);
}

bool gives_number(const std::string& op, const std::vector<Argument>& arguments) {
  constexpr std::string_view kNumbers[] = {"aten.dim", "aten.numel", "aten.sym_size", "prim.dtype"};
  if (op == "aten.logical_not") return arguments.size() == 1 && arguments[0].value.is(Kind::Symbol);
  return op.starts_with("_operator.") || std::find(std::begin(kNumbers), std::end(kNumbers), op) != std::end(kNumbers);
}

// "self other *alpha" as names; those behind * are passed by name only.
std::vector<std::string> names_of(std::string_view arguments) {
  std::vector<std::string> names;
  while (!arguments.empty()) {
    const size_t end = std::min(arguments.find(' '), arguments.size());
    const std::string_view name = arguments.substr(0, end);
    if (name.starts_with('*')) break;
    names.emplace_back(name);
    arguments.remove_prefix(std::min(end + 1, arguments.size()));
  }
  return names;
}

bool is_tensor(const Item& item) { return item.is(Kind::Tensor) || item.is(Kind::Weight); }

// Overloads whose arguments stand in another order than the table says, told by their second argument, or by having none.
struct Overload {
  std::string_view op;
  bool (*fits)(const std::vector<Item>& arguments);
  const char* names;
};
bool is_alone(const std::vector<Item>& a) { return a.size() == 1; }
bool is_of_two_tensors(const std::vector<Item>& a) { return a.size() > 1 && is_tensor(a[1]); }
bool has_none(const std::vector<Item>& a) { return a.size() > 1 && a[1].is_none(); }
bool has_truth(const std::vector<Item>& a) { return a.size() == 2 && a[1].is(Kind::Bool); }
bool has_list(const std::vector<Item>& a) { return a.size() > 1 && a[1].is_sequence(); }
constexpr Overload kOverloads[] = {
    {"aten.arange", is_alone, "end"},
    {"aten.max", is_of_two_tensors, "self other"},
    {"aten.min", is_of_two_tensors, "self other"},
    {"aten.split", has_list, "self split_sizes dim"},
    {"aten.std", has_truth, "self unbiased"},
    {"aten.to", is_of_two_tensors, "self other non_blocking copy"},
    {"aten.to", has_none, "self device dtype non_blocking copy"},
    {"aten.var", has_truth, "self unbiased"},
    {"aten.var_mean", has_truth, "self unbiased"},
};

// The names of these arguments, which are passed by position.
std::vector<std::string> argument_names(const std::string& op, const AtenRow* row, const std::vector<Item>& arguments) {
  for (const Overload& overload : kOverloads)
    if (overload.op == op && overload.fits(arguments)) return names_of(overload.names);
  return row ? names_of(row->arguments) : std::vector<std::string>();
}

std::string without_underscore(const std::string& op) {
  return op.ends_with('_') && !op.ends_with("__") ? op.substr(0, op.size() - 1) : op;
}

// The operator on sizes that this one is, if no operand is a tensor: "_operator.mul".
std::string operator_of_numbers(const std::string& op, const std::vector<Item>& arguments) {
  if (arguments.size() != 2 || is_tensor(arguments[0]) || is_tensor(arguments[1])) return "";
  const std::string number =
      op == "aten.floor_divide" ? "_operator.floordiv" : "_operator." + op.substr(op.find('.') + 1);
  return find_aten(number) ? number : "";
}

}  // namespace

Result<Interpreter::Arguments> Interpreter::arguments_of(const Expression& e, Frame& frame) {
  Arguments arguments;
  for (size_t i = 1; i < e.parts.size(); ++i) {
    LAPIS_TRY(arguments.items.emplace_back(), evaluate(e.parts[i], frame));
  }
  arguments.keywords = e.keywords;
  return arguments;
}

Result<Item> Interpreter::call_expression(const Expression& e, Frame& frame) {
  LAPIS_CHECK(step(frame));
  const Expression& callee = e.parts[0];
  if (callee.kind == Expression::Kind::Name && !frame.names.contains(callee.text))
    return call_named(callee.text, e, frame);
  if (callee.kind == Expression::Kind::Attribute) {
    LAPIS_TRY(const Item object, evaluate(callee.parts[0], frame));
    if (object.object) {
      LAPIS_TRY(Arguments arguments, arguments_of(e, frame));
      return call_method(object, callee.text, std::move(arguments.items));
    }
  }
  LAPIS_TRY(const Item function, evaluate(callee, frame));
  if (!function.is(Kind::Global)) return problem(ErrorKind::Input, "its code calls " + function.description(), frame);
  LAPIS_TRY(Arguments arguments, arguments_of(e, frame));
  constexpr std::string_view kTorch = "torch.", kOps = "ops.";
  const std::string& text = function.text;
  if (text.starts_with(kTorch)) return call_operator("aten." + text.substr(kTorch.size()), std::move(arguments), frame);
  if (text.starts_with("ops.prim.")) return call_primitive(text.substr(9), arguments, frame);
  if (text.starts_with(kOps)) return call_operator(text.substr(kOps.size()), std::move(arguments), frame);
  LAPIS_TRY(const Function* found, library_.find_function(text));
  if (found) return call(*found, std::move(arguments), frame.path);
  if (!text.ends_with(".__new__")) return problem(ErrorKind::Input, "the archive has no code of " + text, frame);
  Item made;
  made.kind = Kind::Object;
  made.object = std::make_shared<Object>();
  made.object->type = text.substr(0, text.rfind('.'));
  return made;
}

// annotate(T, x), unchecked_cast(T, x), uninitialized(T), getattr(x, "name"), int(x), ...
Result<Item> Interpreter::call_named(const std::string& name, const Expression& e, Frame& frame) {
  const size_t count = e.parts.size() - 1;
  if (name == "uninitialized") return Item::unset();
  if (name == "annotate" && count == 2) return evaluate(e.parts[2], frame);
  if (name == "unchecked_cast" && count == 2) {
    LAPIS_TRY(Item value, evaluate(e.parts[2], frame));
    return value.is(Kind::Optional) ? readable(value.elements()[1], frame) : value;
  }
  if (name == "getattr" && count == 2 && e.parts[2].kind == Expression::Kind::String) {
    LAPIS_TRY(const Item object, evaluate(e.parts[1], frame));
    return attribute_of(object, e.parts[2].text, frame);
  }
  const bool is_number = name == "int" || name == "float" || name == "bool";
  if (is_number && count == 1) {
    LAPIS_TRY(const Item value, evaluate(e.parts[1], frame));
    return as_number(name, value, frame);
  }
  if (name == "str") return Item::of_string("");
  return problem(ErrorKind::Unsupported, "the function '" + name + "'", frame);
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
Result<Item> Interpreter::call_primitive(const std::string& op, const Arguments& arguments, Frame& frame) {
  const std::vector<Item>& a = arguments.items;
  if (op == "RaiseException")
    return problem(ErrorKind::Unsupported, "the code raises an exception for the inputs that the model is imported for",
                   frame)
        .help("give other sizes or numbers: --shape, --value");
  if (op == "device" || op == "layout") return Item();
  if (op == "dtype" && a.size() == 1) return emit("prim.dtype", arguments, frame);
  const bool passes =
      op == "NumToTensor" || op == "data" || op == "unchecked_unwrap_optional" || op == "ImplicitTensorToNum";
  if (passes && a.size() == 1) return a[0];
  if (op == "min" || op == "max") {
    LAPIS_TRY(const auto known, compute(op, a));
    if (known) return *known;
  }
  return problem(ErrorKind::Unsupported, "the function prim::" + op, frame);
}

// Whether a value is None, where a branch has decided that.
Result<std::optional<Item>> Interpreter::presence(const std::string& op, const std::vector<Item>& a, Frame& frame) {
  const bool asks = op == "aten.__is__" || op == "aten.__isnot__";
  if (!asks || a.size() != 2 || !a[0].is(Kind::Optional) || !a[1].is_none()) return std::optional<Item>();
  const Item there = a[0].elements()[0];
  if (op == "aten.__isnot__") return std::optional(there);
  LAPIS_TRY(Item absent, call_operator("aten.__not__", {{there}, {""}}, frame));
  return std::optional(std::move(absent));
}

// Lists are known by their elements, so that only code that is surely run may change them.
Status Interpreter::check_list(const std::string& op, const std::vector<Item>& a, const Frame& frame) {
  constexpr int kMostNestings = 1000;
  if (!changes_list(op, a)) return ok();
  if (nests_lists(op, a) && ++nestings_ > kMostNestings)
    return problem(ErrorKind::Input, "its code has lists within each other, out of proportion", frame);
  if (writer_->is_body() && !own_lists_.contains(a[0].items.get()))
    return problem(ErrorKind::Unsupported, "a list changes in a branch or loop that depends on values", frame);
  if (!a[0].is(Kind::List) && !a[0].is(Kind::Dict))
    return problem(ErrorKind::Unsupported, "a list changes whose elements depend on a branch or loop", frame);
  return ok();
}

Result<std::optional<Item>> Interpreter::known_result(const std::string& op, const std::vector<Item>& a,
                                                      const Frame& frame) {
  constexpr std::string_view kAten = "aten.";
  if (!op.starts_with(kAten)) return std::optional<Item>();
  Result<std::optional<Item>> known = compute(std::string_view(op).substr(kAten.size()), a);
  if (!known.ok()) return problem(ErrorKind::Input, known.diagnostics()[0].message, frame);
  if (*known && (*known)->is(Kind::List)) own_lists_.insert((*known)->items.get());
  return known;
}

// The sizes of a tensor stand under its name until one of them is asked for.
Result<Item> Interpreter::length(const Item& of, Frame& frame) {
  if (of.is(Kind::Symbol)) return emit("aten.dim", {{Item::tensor(of.text)}, {""}}, frame);
  return emit("aten.sym_size", {{of, Item::of_int(0)}, {"", ""}}, frame);
}

Result<Item> Interpreter::call_operator(const std::string& op, Arguments arguments, Frame& frame) {
  LAPIS_TRY(const auto on_reals, quantized_operator(op, arguments.items, frame));
  if (on_reals) return *on_reals;
  const QuantizedAs* found = quantized_as(arguments.items);
  if (!found) return plain_operator(op, std::move(arguments), frame);
  const QuantizedAs as = *found;
  LAPIS_TRY(const Item result, plain_operator(op, std::move(arguments), frame));
  return on_quantized(op, result, as, frame);
}

Result<Item> Interpreter::plain_operator(const std::string& op, Arguments arguments, Frame& frame) {
  const std::vector<Item>& a = arguments.items;
  LAPIS_TRY(const auto present, presence(op, a, frame));
  if (present) return *present;
  LAPIS_CHECK(check_list(op, a, frame));
  LAPIS_TRY(const auto known, known_result(op, a, frame));
  if (known) return *known;
  if (changes_list(op, a))
    return problem(ErrorKind::Unsupported, "a change of a list that is not known before the model runs: " + op, frame);
  if (op == "aten.len" && a.size() == 1) return length(a[0], frame);
  if (op == "aten.__getitem__" && a.size() == 2) return element(a[0], a[1], frame);
  if (op == "aten.size" && a.size() == 1 && is_tensor(a[0]))
    return Item::symbol(a[0].is(Kind::Weight) ? writer_->name_of_weight(a[0], a[0].text) : a[0].text);
  if (op == "aten.size") return emit("aten.sym_size", std::move(arguments), frame);
  if (op == "aten.__not__") return emit("aten.logical_not", std::move(arguments), frame);
  const std::string number = operator_of_numbers(op, a);
  return emit(number.empty() ? op : number, std::move(arguments), frame);
}

// A node of the graph.
Result<Item> Interpreter::emit(const std::string& op, Arguments arguments, Frame& frame) {
  const AtenRow* row = find_aten(without_underscore(op));
  const auto positional = std::find_if(arguments.keywords.begin(), arguments.keywords.end(),
                                       [](const std::string& k) { return !k.empty(); });
  const auto count = positional - arguments.keywords.begin();
  const std::vector<std::string> names =
      argument_names(op, row, {arguments.items.begin(), arguments.items.begin() + count});
  Call call;
  call.op = op;
  call.written_at = place(frame);
  const std::string stem = without_underscore(op).substr(op.find('.') + 1);
  call.name = writer_->unique(frame.path.empty() ? stem : frame.path + "." + stem);
  for (size_t i = 0; i < arguments.items.size(); ++i) {
    const std::string& keyword = arguments.keywords[i];
    std::string name = !keyword.empty() ? keyword : i < names.size() ? names[i] : "argument" + std::to_string(i);
    call.arguments.push_back({std::move(name), std::move(arguments.items[i])});
  }
  const bool several = row && gives_several(op, call.arguments);
  if (!several) call.outputs = {call.name};
  const std::string name = call.name;
  const bool is_number = gives_number(op, call.arguments);
  LAPIS_CHECK(writer_->add(std::move(call)));
  if (!several) return is_number ? Item::symbol(name) : Item::tensor(name);
  static_cast<void>(writer_->output(name, 0));  // which takes the name
  Item results;
  results.kind = Kind::Object;
  results.object = std::make_shared<Object>();
  results.object->type = kResults;
  results.object->path = name;
  return results;
}

}  // namespace lapis::pytorch_frontend
