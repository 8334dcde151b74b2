#include "frontends/pytorch/script_interpreter.h"

#include <algorithm>
#include <cmath>

#include "frontends/pytorch/script_numbers.h"
#include "frontends/pytorch/translators.h"
#include "frontends/pytorch/types.h"

namespace lapis::pytorch_frontend {
namespace {

using Kind = Item::Kind;

constexpr int kMostDepth = 64, kMostNested = 50, kMostLevels = 400;
constexpr int64_t kMostSteps = 2'000'000;
constexpr size_t kMostResults = 4096;
constexpr const char* kResults = "$results";  // the type of what several values will be unpacked from

// Operators with several results, or with a list of them.
constexpr std::string_view kSeveral[] = {"aten.split",
                                         "aten.split_with_sizes",
                                         "aten.chunk",
                                         "aten.unbind",
                                         "aten.unsafe_chunk",
                                         "aten.unsafe_split",
                                         "aten.topk",
                                         "aten.sort",
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

// ---- diagnostics and limits -----------------------------------------------------------------------------------------------------

std::string Interpreter::place(const Frame& frame) const {
  return frame.function.file + ":" + std::to_string(frame.line);
}

Diagnostic Interpreter::problem(ErrorKind kind, const std::string& what, const Frame& frame) const {
  return error(kind, what)
      .at(place(frame))
      .help("torch.export.save(torch.export.export(model, inputs), FILE) may export it without that");
}

Status Interpreter::step(Frame& frame) {
  if (++steps_ > kMostSteps)
    return problem(ErrorKind::Input,
                   "its code takes more than " + std::to_string(kMostSteps) + " steps, which is out of proportion",
                   frame);
  return ok();
}

// ---- functions --------------------------------------------------------------------------------------------------------------------

Result<Item> Interpreter::call_method(const Item& self, const std::string& method, std::vector<Item> arguments) {
  const std::string& type = self.object->type;
  LAPIS_TRY(const ScriptClass* found, library_.find_class(type));
  const auto it = found ? found->methods.find(method) : decltype(found->methods.end()){};
  if (!found || it == found->methods.end())
    return error(ErrorKind::Input, "the archive has no code of " + type + "." + method);
  Arguments all;
  all.items = std::move(arguments);
  all.items.insert(all.items.begin(), self);
  all.keywords.resize(all.items.size());
  return call(it->second, std::move(all), self.object->path);
}

Result<Item> Interpreter::call(const Function& function, Arguments arguments, const std::string& path) {
  Frame frame{function, {}, path};
  if (depth_ >= kMostDepth)
    return problem(ErrorKind::Input, "its functions call each other more than " + std::to_string(kMostDepth) + " deep",
                   frame);
  ++depth_;
  LAPIS_CHECK(bind(frame, std::move(arguments)));
  Status done = run(function.body, frame);
  --depth_;
  if (!done.ok()) return std::move(done).diagnostics();
  return std::move(frame.result);
}

Status Interpreter::bind(Frame& frame, Arguments arguments) {
  const auto& parameters = frame.function.parameters;
  size_t position = 0;
  for (size_t i = 0; i < arguments.items.size(); ++i) {
    const bool by_position = arguments.keywords[i].empty();
    if (by_position && position >= parameters.size())
      return problem(ErrorKind::Input, "its code passes too many arguments", frame);
    frame.names[by_position ? parameters[position++].name : arguments.keywords[i]] = std::move(arguments.items[i]);
  }
  for (const Parameter& parameter : parameters) {
    if (frame.names.contains(parameter.name)) continue;
    if (parameter.fallback.empty())
      return problem(ErrorKind::Input, "its code passes no argument '" + parameter.name + "'", frame);
    LAPIS_TRY(frame.names[parameter.name], evaluate(parameter.fallback[0], frame));
  }
  return ok();
}

Status Interpreter::run(const std::vector<Statement>& statements, Frame& frame) {
  const Level inside(levels_);
  if (levels_ > kMostLevels) return problem(ErrorKind::Input, "its code is nested out of proportion", frame);
  for (const Statement& s : statements) {
    frame.line = s.line;
    LAPIS_CHECK(step(frame));
    LAPIS_CHECK(execute(s, frame));
    if (frame.has_returned) return ok();
  }
  return ok();
}

Status Interpreter::execute(const Statement& s, Frame& frame) {
  switch (s.kind) {
    case Statement::Kind::Pass: return ok();
    case Statement::Kind::If: return branch(s, frame);
    case Statement::Kind::While:
    case Statement::Kind::For: return repeat(s, frame);
    case Statement::Kind::With: return run(s.body, frame);  // no_grad: what it enters matters in training only
    case Statement::Kind::Assign: return assign(s, frame);
    case Statement::Kind::Evaluate: {
      LAPIS_CHECK(evaluate(s.value, frame));
      return ok();
    }
    case Statement::Kind::Return: break;
  }
  LAPIS_TRY(frame.result, evaluate(s.value, frame));
  frame.has_returned = true;
  return ok();
}

Status Interpreter::branch(const Statement& s, Frame& frame) {
  LAPIS_TRY(const Item condition, evaluate(s.value, frame));
  const auto truth = truth_of(condition);
  if (!truth)
    return problem(ErrorKind::Unsupported, "a branch depends on values that are not known before the model runs",
                   frame);
  return run(*truth ? s.body : s.otherwise, frame);
}

Status Interpreter::repeat(const Statement& s, Frame& frame) {
  const bool counts = s.kind == Statement::Kind::For;
  int64_t turns = 0;
  if (counts) {
    const bool is_range =
        s.value.kind == Expression::Kind::Call && s.value.parts.size() == 2 && s.value.parts[0].text == "range";
    if (!is_range) return problem(ErrorKind::Unsupported, "a loop over something else than a range", frame);
    LAPIS_TRY(const Item count, evaluate(s.value.parts[1], frame));
    if (!count.is(Kind::Int))
      return problem(ErrorKind::Unsupported, "a loop has a number of turns that is not known before the model runs",
                     frame);
    turns = count.integer;
  }
  for (int64_t turn = 0; !counts || turn < turns; ++turn) {
    LAPIS_CHECK(step(frame));
    if (counts) {
      LAPIS_CHECK(assign_to(s.targets[0], Item::of_int(turn), frame));
    } else {
      LAPIS_TRY(const Item condition, evaluate(s.value, frame));
      const auto truth = truth_of(condition);
      if (!truth)
        return problem(ErrorKind::Unsupported, "a loop has a number of turns that is not known before the model runs",
                       frame);
      if (!*truth) return ok();
    }
    LAPIS_CHECK(run(s.body, frame));
    if (frame.has_returned) return ok();
  }
  return ok();
}

// ---- assignments ------------------------------------------------------------------------------------------------------------------

Status Interpreter::assign(const Statement& s, Frame& frame) {
  LAPIS_TRY(Item value, evaluate(s.value, frame));
  if (!s.unpacks) return assign_to(s.targets[0], std::move(value), frame);
  LAPIS_TRY(std::vector<Item> values, unpacked(value, s.targets.size(), frame));
  for (size_t i = 0; i < s.targets.size(); ++i) LAPIS_CHECK(assign_to(s.targets[i], std::move(values[i]), frame));
  return ok();
}

Status Interpreter::assign_to(const Expression& target, Item value, Frame& frame) {
  if (target.kind == Expression::Kind::Name) {
    frame.names[target.text] = std::move(value);
    return ok();
  }
  if (target.kind != Expression::Kind::Attribute)
    return problem(ErrorKind::Unsupported, "an assignment to a part of something", frame);
  LAPIS_TRY(const Item object, evaluate(target.parts[0], frame));
  return set_attribute(object, target.text, std::move(value), frame);
}

// What objects keep is state; the code sees what it wrote, the graph does not keep it.
Status Interpreter::set_attribute(const Item& object, const std::string& name, Item value, Frame& frame) {
  if (!object.object)
    return problem(ErrorKind::Input, "its code gives " + object.description() + " an attribute", frame);
  if (!value.is_flat()) return problem(ErrorKind::Unsupported, "an object that keeps others", frame);
  if (object.object->type.starts_with("__torch__.torch.")) return ok();  // no_grad and its kind
  const std::string path = object.object->path.empty() ? name : object.object->path + "." + name;
  if (std::find(changed_.begin(), changed_.end(), path) == changed_.end()) changed_.push_back(path);
  object.object->attributes.insert_or_assign(name, std::move(value));
  return ok();
}

Result<std::vector<Item>> Interpreter::unpacked(const Item& value, size_t count, Frame& frame) {
  std::vector<Item> items;
  const bool is_results = value.object && value.object->type == kResults;
  if (!is_results && value.elements().size() != count)
    return problem(
        ErrorKind::Input,
        "its code takes " + std::to_string(count) + " values from " + std::to_string(value.elements().size()), frame);
  for (size_t i = 0; i < count; ++i)
    items.push_back(is_results ? Item::tensor(writer_.output(value.object->path, i)) : value.elements()[i]);
  return items;
}

// ---- expressions ------------------------------------------------------------------------------------------------------------------

Result<Item> Interpreter::evaluate(const Expression& e, Frame& frame) {
  const Level inside(levels_);
  if (levels_ > kMostLevels) return problem(ErrorKind::Input, "its code is nested out of proportion", frame);
  switch (e.kind) {
    case Expression::Kind::Name: return name(e, frame);
    case Expression::Kind::Integer: return Item::of_int(e.integer);
    case Expression::Kind::Real: return Item::of_float(e.real);
    case Expression::Kind::String: return Item::of_string(e.text);
    case Expression::Kind::List:
    case Expression::Kind::Tuple:
    case Expression::Kind::Dict: return list(e, frame);
    case Expression::Kind::Attribute: return attribute(e, frame);
    case Expression::Kind::Subscript: return subscript(e, frame);
    case Expression::Kind::Call: break;
  }
  return call_expression(e, frame);
}

Result<Item> Interpreter::name(const Expression& e, Frame& frame) {
  if (const auto it = frame.names.find(e.text); it != frame.names.end()) return it->second;
  struct Row {
    std::string_view name;
    Item value;
  };
  static const Row kNames[] = {{"None", {}},
                               {"True", Item::of_bool(true)},
                               {"False", Item::of_bool(false)},
                               {"inf", Item::of_float(INFINITY)},
                               {"-inf", Item::of_float(-INFINITY)},
                               {"nan", Item::of_float(NAN)}};
  for (const Row& row : kNames)
    if (row.name == e.text) return row.value;
  for (const char* root : {"torch", "ops", "__torch__", "CONSTANTS"})
    if (e.text == root) return Item::global(e.text);
  return problem(ErrorKind::Input, "its code names '" + e.text + "', which is nothing", frame);
}

Result<Item> Interpreter::attribute(const Expression& e, Frame& frame) {
  LAPIS_TRY(const Item object, evaluate(e.parts[0], frame));
  return attribute_of(object, e.text, frame);
}

Result<Item> Interpreter::constant(const std::string& name, const Frame& frame) {
  constexpr size_t kLongest = 10;  // "c12345678"
  const bool is_number =
      name.size() > 1 && name.size() <= kLongest && name.find_first_not_of("0123456789", 1) == std::string::npos;
  const size_t i = is_number ? std::stoul(name.substr(1)) : constants_.size();
  if (i < constants_.size()) return constants_[i];
  return problem(ErrorKind::Input, "its code names the constant '" + name + "', which the archive does not have",
                 frame);
}

Result<Item> Interpreter::attribute_of(const Item& object, const std::string& name, Frame& frame) {
  if (object.is(Kind::Global))
    return object.text == "CONSTANTS" ? constant(name, frame) : Item::global(object.text + "." + name);
  if (!object.object)
    return problem(ErrorKind::Input, "its code asks " + object.description() + " for '" + name + "'", frame);
  const auto it = object.object->attributes.find(name);
  if (it == object.object->attributes.end()) return class_constant(object.object->type, name, frame);
  Item found = it->second;
  const std::string path = object.object->path.empty() ? name : object.object->path + "." + name;
  if (found.object && found.object->path.empty()) found.object->path = path;
  if (found.is(Kind::Weight)) found.text = path;
  return found;
}

// "hidden_size : Final[int] = 128"
Result<Item> Interpreter::class_constant(const std::string& type, const std::string& name, Frame& frame) {
  LAPIS_TRY(const ScriptClass* found, library_.find_class(type));
  if (found)
    if (const auto it = found->constants.find(name); it != found->constants.end()) return evaluate(it->second, frame);
  return problem(ErrorKind::Input, "its code asks " + type + " for '" + name + "', which it does not have", frame);
}

Result<Item> Interpreter::subscript(const Expression& e, Frame& frame) {
  LAPIS_TRY(const Item of, evaluate(e.parts[0], frame));
  if (e.parts.size() != 2) return problem(ErrorKind::Input, "its code has an index of several parts", frame);
  LAPIS_TRY(const Item at, evaluate(e.parts[1], frame));
  return element(of, at, frame);
}

Result<Item> Interpreter::element(const Item& of, const Item& at, Frame& frame) {
  if (of.is(Kind::Dict)) {
    const Item* found = at.is(Kind::String) ? of.find(at.text) : nullptr;
    return found ? Result<Item>(*found)
                 : problem(ErrorKind::Input, "its code asks a dict for a key that it does not have", frame);
  }
  if (!at.is(Kind::Int))
    return problem(ErrorKind::Unsupported, "an index that is not known before the model runs", frame);
  if (of.object && of.object->type == kResults && at.integer >= 0 && at.integer < static_cast<int64_t>(kMostResults))
    return Item::tensor(writer_.output(of.object->path, static_cast<size_t>(at.integer)));
  if (of.is(Kind::Symbol)) {  // of the sizes of a tensor
    Arguments arguments{{Item::tensor(of.text), at}, {"", ""}};
    return emit("aten.sym_size", std::move(arguments), frame);
  }
  const auto count = static_cast<int64_t>(of.elements().size());
  const int64_t i = at.integer < 0 ? at.integer + count : at.integer;
  if (i < 0 || i >= count)
    return problem(ErrorKind::Input,
                   "its code asks for element " + std::to_string(at.integer) + " of " + std::to_string(count), frame);
  return of.elements()[static_cast<size_t>(i)];
}

Result<Item> Interpreter::list(const Expression& e, Frame& frame) {
  std::vector<Item> items;
  for (const Expression& part : e.parts) {
    LAPIS_TRY(items.emplace_back(), evaluate(part, frame));
  }
  const Kind kind = e.kind == Expression::Kind::List    ? Kind::List
                    : e.kind == Expression::Kind::Tuple ? Kind::Tuple
                                                        : Kind::Dict;
  Item made = Item::list(std::move(items), kind);
  if (made.depth > kMostNested)
    return problem(ErrorKind::Input, "its code has lists within each other, out of proportion", frame);
  return made;
}

// ---- calls --------------------------------------------------------------------------------------------------------------------------

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
  if (name == "uninitialized") return Item();
  if ((name == "annotate" || name == "unchecked_cast") && count == 2) return evaluate(e.parts[2], frame);
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

Result<Item> Interpreter::as_number(const std::string& type, const Item& value, Frame& frame) {
  if (value.is(Kind::Tensor) || value.is(Kind::Symbol)) return Item::symbol(value.text);
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
                   frame);
  if (op == "device" || op == "layout") return Item();
  const bool passes =
      op == "NumToTensor" || op == "data" || op == "unchecked_unwrap_optional" || op == "ImplicitTensorToNum";
  if (passes && a.size() == 1) return a[0];
  if (op == "min" || op == "max") {
    LAPIS_TRY(const auto known, compute(op, a));
    if (known) return *known;
  }
  return problem(ErrorKind::Unsupported, "the function prim::" + op, frame);
}

Result<Item> Interpreter::call_operator(const std::string& op, Arguments arguments, Frame& frame) {
  constexpr std::string_view kAten = "aten.";
  const std::vector<Item>& a = arguments.items;
  if (op.starts_with(kAten)) {
    Result<std::optional<Item>> known = compute(std::string_view(op).substr(kAten.size()), a);
    if (!known.ok()) return problem(ErrorKind::Input, known.diagnostics()[0].message, frame);
    if (*known) return **std::move(known);
  }
  if (op == "aten.__getitem__" && a.size() == 2) return element(a[0], a[1], frame);
  if (op == "aten.size" && a.size() == 1 && is_tensor(a[0]))
    return Item::symbol(a[0].is(Kind::Weight) ? writer_.name_of_weight(a[0], a[0].text) : a[0].text);
  if (op == "aten.size") return emit("aten.sym_size", std::move(arguments), frame);
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
  call.name = writer_.unique(frame.path.empty() ? stem : frame.path + "." + stem);
  for (size_t i = 0; i < arguments.items.size(); ++i) {
    const std::string& keyword = arguments.keywords[i];
    std::string name = !keyword.empty() ? keyword : i < names.size() ? names[i] : "argument" + std::to_string(i);
    call.arguments.push_back({std::move(name), std::move(arguments.items[i])});
  }
  const bool several = row && gives_several(op, call.arguments);
  if (!several) call.outputs = {call.name};
  const std::string name = call.name;
  const bool is_number = op.starts_with("_operator.") || op == "aten.sym_size" || op == "aten.numel";
  LAPIS_CHECK(writer_.add(std::move(call)));
  if (!several) return is_number ? Item::symbol(name) : Item::tensor(name);
  static_cast<void>(writer_.output(name, 0));  // which takes the name
  Item results;
  results.kind = Kind::Object;
  results.object = std::make_shared<Object>();
  results.object->type = kResults;
  results.object->path = name;
  return results;
}

}  // namespace lapis::pytorch_frontend
