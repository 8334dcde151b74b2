#include "frontends/pytorch/script_interpreter.h"

#include <cmath>

#include "frontends/pytorch/script_dicts.h"
#include "frontends/pytorch/script_lists.h"

namespace lapis::pytorch_frontend {
namespace {

using Kind = Item::Kind;

constexpr int kMostDepth = 64, kMostNested = 50, kMostLevels = 400;
constexpr int64_t kMostSteps = 2'000'000;

}  // namespace

// ---- diagnostics and limits -----------------------------------------------------------------------------------------

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

// ---- functions ------------------------------------------------------------------------------------------------------

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

// ---- assignments ----------------------------------------------------------------------------------------------------

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
  const bool is_made = own_lists_.contains(object.object.get());
  if (is_made || restored_.contains(object.object.get())) {
    object.object->attributes.insert_or_assign(name, std::move(value));
    return ok();
  }
  if (!value.is_flat()) return problem(ErrorKind::Unsupported, "an object that keeps others", frame);
  if (object.object->type.starts_with("__torch__.torch.")) return ok();  // no_grad and its kind
  if (writer_->is_body())
    return problem(ErrorKind::Unsupported, "a branch or loop that depends on values changes '" + name + "'", frame);
  const std::string path = object.object->path.empty() ? name : object.object->path + "." + name;
  changed_.insert_or_assign(path, value);
  object.object->attributes.insert_or_assign(name, std::move(value));
  return ok();
}

Result<std::vector<Item>> Interpreter::unpacked(const Item& value, size_t count, Frame& frame) {
  std::vector<Item> items;
  const bool is_results = value.object && (value.object->type == kResults || is_parts(value));
  const bool is_open = is_results || value.is(Kind::Sizes);
  if (!is_open && value.elements().size() != count)
    return problem(
        ErrorKind::Input,
        "its code takes " + std::to_string(count) + " values from " + std::to_string(value.elements().size()), frame);
  for (size_t i = 0; i < count; ++i) {
    LAPIS_TRY(items.emplace_back(), is_open ? element(value, Item::of_int(static_cast<int64_t>(i)), frame)
                                            : Result<Item>(value.elements()[i]));
  }
  return items;
}

// ---- expressions ----------------------------------------------------------------------------------------------------

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
  if (const auto it = frame.names.find(e.text); it != frame.names.end()) return readable(it->second, frame);
  struct Row {
    std::string_view name;
    Item value;
  };
  static const Row kNames[] = {{"None", {}},
                               {"True", Item::of_bool(true)},
                               {"False", Item::of_bool(false)},
                               {"inf", Item::of_float(HUGE_VAL)},
                               {"-inf", Item::of_float(-HUGE_VAL)},
                               {"nan", Item::of_float(std::nan(""))}};
  for (const Row& row : kNames)
    if (row.name == e.text) return row.value;
  for (const char* root : {"torch", "ops", "__torch__", "CONSTANTS"})
    if (e.text == root) return Item::global(e.text);
  return problem(ErrorKind::Input, "its code names '" + e.text + "', which is nothing", frame);
}

Result<Item> Interpreter::readable(const Item& item, const Frame& frame) const {
  if (item.is(Kind::Unset) && !item.text.empty()) return problem(ErrorKind::Unsupported, item.text, frame);
  return item;
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
  LAPIS_CHECK(restore(object));
  const auto it = object.object->attributes.find(name);
  if (it == object.object->attributes.end()) return class_constant(object.object->type, name, frame);
  Item found = it->second;
  const std::string path = object.object->path.empty() ? name : object.object->path + "." + name;
  if (found.object && found.object->path.empty()) found.object->path = path;
  if (found.is(Kind::Weight)) found.text = path;
  return found;
}

// Lets the code of an object make its attributes of what the archive holds of it.
Status Interpreter::restore(const Item& object) {
  const auto state = object.object->attributes.find(kState);
  if (state == object.object->attributes.end()) return ok();
  LAPIS_TRY(const ScriptClass* type, library_.find_class(object.object->type));
  if (!type || !type->methods.contains("__setstate__")) return ok();
  const Item held = state->second;
  object.object->attributes.erase(state);
  restored_.insert(object.object.get());
  LAPIS_CHECK(call_method(object, "__setstate__", {held}));
  restored_.erase(object.object.get());
  return ok();
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

// One of several results, or of the sizes of a tensor.
Result<Item> Interpreter::open_element(const Item& of, int64_t at, Frame& frame) {
  if (of.is(Kind::Sizes)) return emit("aten.sym_size", {{Item::tensor(of.text), Item::of_int(at)}, {"", ""}}, frame);
  if (at >= 0 && at < static_cast<int64_t>(kMostResults))
    return Item::tensor(writer_->output(of.object->path, static_cast<size_t>(at)));
  if (!is_parts(of)) return problem(ErrorKind::Input, "its code asks for a result that there is not", frame);
  LAPIS_TRY(const Item list, listed(of, frame));
  return element(list, Item::of_int(at), frame);
}

Result<Item> Interpreter::element(const Item& of, const Item& given, Frame& frame) {
  if (of.is(Kind::Dict)) {
    const auto found = value_of(of, given);
    if (!found) return problem(ErrorKind::Unsupported, "a dict with " + given.description() + " as a key", frame);
    return *found ? Result<Item>(**found)
                  : problem(ErrorKind::Input, "its code asks a dict for a key that it does not have", frame);
  }
  const Item at = settled(given);
  if (!at.is(Kind::Int))
    return problem(ErrorKind::Unsupported, "an index that is not known before the model runs", frame);
  const bool is_results = of.object && (of.object->type == kResults || is_parts(of));
  if (is_results || of.is(Kind::Sizes)) return open_element(of, at.integer, frame);
  if (of.is(Kind::String)) {
    LAPIS_TRY(const auto character, known_result("aten.__getitem__", {of, at}, frame));
    if (character) return *character;
  }
  if (!of.is_sequence()) return problem(ErrorKind::Unsupported, "an element of " + of.description(), frame);
  const size_t count = of.elements().size();
  const auto i = position(at.integer, count);
  if (!i)
    return problem(ErrorKind::Input,
                   "its code asks for element " + std::to_string(at.integer) + " of " + std::to_string(count), frame);
  return readable(of.elements()[*i], frame);
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
  own_lists_.insert(made.items.get());
  return made;
}

}  // namespace lapis::pytorch_frontend
