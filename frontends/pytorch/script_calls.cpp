// What the code of TorchScript calls: methods, functions, what the language has, and operators, which become nodes.
#include <algorithm>

#include "frontends/pytorch/script_interpreter.h"
#include "frontends/pytorch/script_lists.h"
#include "frontends/pytorch/script_numbers.h"
#include "frontends/pytorch/translators.h"
#include "frontends/pytorch/types.h"

namespace lapis::pytorch_frontend {
namespace {

using Kind = Item::Kind;

// Operators with several results.
constexpr std::string_view kTuples[] = {"aten.topk",
                                        "aten.sort",
                                        "aten._native_multi_head_attention",
                                        "aten.lstm",
                                        "aten.gru",
                                        "aten.lstm_cell",
                                        "aten.var_mean",
                                        "aten.std_mean",
                                        "aten.aminmax",
                                        "aten.cummax",
                                        "aten.cummin",
                                        "aten.kthvalue",
                                        "aten.max_pool2d_with_indices",
                                        "aten.adaptive_max_pool1d",
                                        "aten.adaptive_max_pool2d",
                                        "aten.native_layer_norm",
                                        "aten.native_group_norm",
                                        "aten.native_batch_norm",
                                        "aten.max_pool3d_with_indices",
                                        "aten.max_pool1d_with_indices",
                                        "aten.adaptive_max_pool3d",
                                        "aten.native_dropout",
                                        "aten.embedding_bag",
                                        "aten._embedding_bag",
                                        "aten._embedding_bag_forward_only"};

// And those whose result is a list, of which the arguments tell how long it is.
constexpr std::string_view kLists[] = {"aten.split",
                                       "aten.split_with_sizes",
                                       "aten.chunk",
                                       "aten.unbind",
                                       "aten.unsafe_chunk",
                                       "aten.unsafe_split",
                                       "aten.meshgrid",
                                       "aten.tensor_split",
                                       "aten.broadcast_tensors",
                                       "aten.hsplit",
                                       "aten.vsplit",
                                       "aten.dsplit",
                                       "aten.unsafe_split_with_sizes"};

template <size_t N> bool is_in(const std::string_view (&names)[N], const std::string& op) {
  return std::find(std::begin(names), std::end(names), op) != std::end(names);
}

bool gives_several(const std::string& op, const std::vector<Argument>& arguments) {
  if (is_in(kTuples, op) || is_in(kLists, op)) return true;
  if (op == "aten.where") return arguments.size() == 1;
  constexpr std::string_view kAlongAxes[] = {"aten.max", "aten.min", "aten.median", "aten.nanmedian"};
  return is_in(kAlongAxes, op) && arguments.size() > 1 && arguments[1].name == "dim" &&
         arguments[1].value.is(Kind::Int);
}

bool gives_number(const std::string& op, const std::vector<Argument>& arguments) {
  constexpr std::string_view kNumbers[] = {
      "aten.dim",      "aten.equal", "aten.is_contiguous", "aten.is_floating_point", "aten.numel",
      "aten.sym_size", "prim.dtype", "torch.sym_max",      "torch.sym_min"};
  constexpr std::string_view kOfNumbers[] = {"aten.abs", "aten.ceil",  "aten.floor", "aten.logical_not",
                                             "aten.neg", "aten.round", "aten.sqrt"};
  if (is_in(kOfNumbers, op)) return arguments.size() == 1 && arguments[0].value.is(Kind::Symbol);
  return op.starts_with("_operator.") || is_in(kNumbers, op);
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

// Overloads whose arguments stand in another order than the table says, told by their second argument,
// or by having none.
struct Overload {
  std::string_view op;
  bool (*fits)(const std::vector<Item>& arguments);
  const char* names;
};
bool is_alone(const std::vector<Item>& a) { return a.size() == 1; }
bool is_of_two_tensors(const std::vector<Item>& a) { return a.size() > 1 && a[1].is_tensor(); }
bool has_none(const std::vector<Item>& a) { return a.size() > 1 && a[1].is_none(); }
bool has_truth(const std::vector<Item>& a) { return a.size() == 2 && a[1].is(Kind::Bool); }
bool has_list(const std::vector<Item>& a) { return a.size() > 1 && a[1].is_sequence(); }
constexpr Overload kOverloads[] = {
    {"aten.arange", is_alone, "end"},
    {"aten.max", is_of_two_tensors, "self other"},
    {"aten.min", is_of_two_tensors, "self other"},
    {"aten.split", has_list, "self split_sizes dim"},
    {"aten.std", has_truth, "self unbiased"},
    {"aten.std_mean", has_truth, "self unbiased"},
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

// Functions of lists that are known as soon as their numbers are.
bool is_of_lists(const std::string& op, const std::vector<Item>& a) {
  const bool compares = op == "aten.eq" || op == "aten.ne";
  const bool has_list = std::any_of(a.begin(), a.end(), [](const Item& item) { return item.is_sequence(); });
  return has_list && !a[0].is_tensor() && (compares || is_list_function(op));
}

// What is no item of its own until one of its elements is asked for.
bool is_open(const Item& item) {
  return item.is(Kind::Tensor) || item.is(Kind::Sizes) || (item.object && item.object->type == kParts);
}

// What a call that has several results gives.
Item made_results(const Call& call) {
  Item results;
  results.kind = Kind::Object;
  results.object = std::make_shared<Object>();
  const bool is_list = is_in(kLists, call.op);
  results.object->type = is_list ? kParts : kResults;
  results.object->path = call.name;
  if (is_list)
    for (const Argument& argument : call.arguments) results.object->attributes.emplace(argument.name, argument.value);
  return results;
}

// The operator on sizes that this one is, if no operand is a tensor: "_operator.mul".
std::string operator_of_numbers(const std::string& op, const std::vector<Item>& arguments) {
  if (arguments.size() != 2 || arguments[0].is_tensor() || arguments[1].is_tensor()) return "";
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
  if (text.starts_with("ops.prim.")) return call_primitive(text.substr(9), std::move(arguments), frame);
  if (text.starts_with(kOps)) return call_operator(text.substr(kOps.size()), std::move(arguments), frame);
  LAPIS_TRY(const Function* found, library_.find_function(text));
  if (found) return call(*found, std::move(arguments), frame.path);
  LAPIS_TRY(const ScriptClass* type, library_.find_class(text));
  if (type && type->is_tuple) return Item::list(std::move(arguments.items), Kind::Tuple);
  if (!text.ends_with(".__new__")) return problem(ErrorKind::Input, "the archive has no code of " + text, frame);
  Item made;
  made.kind = Kind::Object;
  made.object = std::make_shared<Object>();
  made.object->type = text.substr(0, text.rfind('.'));
  own_lists_.insert(made.object.get());
  kept_.push_back(made.object);
  return made;
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

Result<Item> Interpreter::length(const Item& of, Frame& frame) {
  if (is_parts(of)) {
    LAPIS_TRY(const Item list, listed(of, frame));
    return Item::of_int(static_cast<int64_t>(list.elements().size()));
  }
  if (of.is(Kind::Sizes)) {
    const auto type = type_of(Item::tensor(of.text));
    if (type && type->ranked()) return Item::of_int(type->rank());
    return emit("aten.dim", {{Item::tensor(of.text)}, {""}}, frame);
  }
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

// What is known of lists and numbers, also where only the sizes of the inputs tell these.
Result<std::optional<Item>> Interpreter::known_for_sizes(const std::string& op, const std::vector<Item>& a,
                                                         const Frame& frame) {
  LAPIS_TRY(auto known, known_result(op, a, frame));
  if (known || !is_of_lists(op, a)) return known;
  std::vector<Item> numbers;
  for (size_t i = 0; i < a.size(); ++i) numbers.push_back(i == 0 && changes_list(op, a) ? a[i] : settled(a[i]));
  return known_result(op, numbers, frame);
}

Result<Item> Interpreter::plain_operator(const std::string& op, Arguments arguments, Frame& frame) {
  const std::vector<Item>& a = arguments.items;
  LAPIS_TRY(const auto present, presence(op, a, frame));
  if (present) return *present;
  if (op == "aten.len" && a.size() == 1 && is_open(a[0])) return length(a[0], frame);
  if (op == "aten.__getitem__" && a.size() == 2) return element(a[0], a[1], frame);
  if (changes_list(op, a) && is_open(a[0]))
    return problem(ErrorKind::Unsupported, "a change of a list that an operator has made", frame);
  for (Item& item : arguments.items) {
    LAPIS_TRY(item, listed(item, frame));
  }
  LAPIS_CHECK(check_list(op, a, frame));
  LAPIS_TRY(const auto known, known_for_sizes(op, a, frame));
  if (known) return *known;
  if (changes_list(op, a))
    return problem(ErrorKind::Unsupported, "a change of a list that is not known before the model runs: " + op, frame);
  return operator_on_tensors(op, std::move(arguments), frame);
}

// size(x, 1), or size(x), which stands for all sizes.
Result<Item> Interpreter::size_of(Arguments arguments, Frame& frame) {
  const Item& x = arguments.items[0];
  if (arguments.items.size() > 1 || !x.is_tensor()) return emit("aten.sym_size", std::move(arguments), frame);
  return Item::sizes(x.is(Kind::Weight) ? writer_->name_of_weight(x, x.text) : x.text);
}

Result<Item> Interpreter::operator_on_tensors(const std::string& op, Arguments arguments, Frame& frame) {
  const std::vector<Item>& a = arguments.items;
  if (op == "aten.size" && !a.empty()) return size_of(std::move(arguments), frame);
  if (op == "aten.sum" && a.size() == 1 && a[0].is_sequence()) return folded("aten.add", a[0], frame);
  if (op == "aten.tensor" && !a.empty() && a[0].is_sequence()) {
    LAPIS_TRY(arguments.items[0], tensor_of(a[0], frame));
  }
  if (op == "aten.mul" && is_of_lists(op, a))
    return problem(ErrorKind::Unsupported, "a list that depends on what is not known before the model runs: " + op,
                   frame)
        .help("give the sizes of the inputs: --shape INPUT=1x256");
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
  Item results;
  if (several) results = made_results(call);
  if (!several) call.outputs = {call.name};
  const std::string name = call.name;
  const bool is_number = gives_number(op, call.arguments);
  LAPIS_CHECK(writer_->add(std::move(call)));
  if (!several) return is_number ? Item::symbol(name) : Item::tensor(name);
  static_cast<void>(writer_->output(name, 0));  // which takes the name
  return results;
}

}  // namespace lapis::pytorch_frontend
