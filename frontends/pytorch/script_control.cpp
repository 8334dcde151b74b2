// Branches and loops of TorchScript. Those whose conditions are known are decided; others become nodes that run graphs,
// which common/control.h makes If and Loop of. What a variable is behind a branch or in the next turn is a result of
// these graphs.
#include <algorithm>
#include <map>

#include "frontends/common/control.h"
#include "frontends/pytorch/script_forms.h"
#include "frontends/pytorch/script_interpreter.h"
#include "frontends/pytorch/script_numbers.h"

namespace lapis::pytorch_frontend {
namespace {

using Kind = Item::Kind;

bool is_computed(const Item& item) { return item.is(Kind::Symbol) || item.is(Kind::Tensor); }

bool is_exception(const Statement& s) {
  const bool is_call = s.kind == Statement::Kind::Evaluate && s.value.kind == Expression::Kind::Call;
  return is_call && s.value.parts[0].kind == Expression::Kind::Attribute && s.value.parts[0].text == "RaiseException";
}

bool raises(const std::vector<Statement>& statements) {
  return std::any_of(statements.begin(), statements.end(), is_exception);
}

void note_assigned(const std::vector<Statement>& statements, std::vector<std::string>& names) {
  for (const Statement& s : statements) {
    for (const Expression& target : s.targets)
      if (target.kind == Expression::Kind::Name) names.push_back(target.text);
    note_assigned(s.body, names);
    note_assigned(s.otherwise, names);
  }
}

// Numbers as tensors, so that graphs can take and give them.
Item as_operand(const Item& item) {
  if (item.is(Kind::Bool)) return Item::of_weight(Tensor::scalar(item.truth));
  if (item.is(Kind::Int)) return Item::of_weight(Tensor::scalar(item.integer));
  if (item.is(Kind::Float)) return Item::of_weight(Tensor::scalar(static_cast<float>(item.real)));
  return item;
}

std::vector<Item> as_operands(const std::vector<Item>& items) {
  std::vector<Item> operands(items.size());
  std::transform(items.begin(), items.end(), operands.begin(), as_operand);
  return operands;
}

std::vector<Item> as_tensors(const std::vector<std::string>& names) {
  std::vector<Item> items(names.size());
  std::transform(names.begin(), names.end(), items.begin(), Item::tensor);
  return items;
}

void add_missing(std::vector<std::string>& to, const std::vector<std::string>& from) {
  for (const std::string& name : from)
    if (std::find(to.begin(), to.end(), name) == to.end()) to.push_back(name);
}

std::shared_ptr<const frontend::SourceGraph> shared(frontend::SourceGraph graph) {
  return std::make_shared<const frontend::SourceGraph>(std::move(graph));
}

}  // namespace

// Runs what belongs to a graph of its own.
struct Interpreter::Within {
  Within(Interpreter& interpreter, Writer& writer)
      : of(interpreter), around(std::exchange(interpreter.writer_, &writer)), lists(std::exchange(of.own_lists_, {})) {}
  ~Within() {
    of.writer_ = around;
    of.own_lists_ = std::move(lists);
  }
  Within(const Within&) = delete;
  Interpreter& of;
  Writer* around;
  std::unordered_set<const void*> lists;
};

// One way through a branch, or one turn of a loop: the variables behind it.
struct Interpreter::Way {
  std::unique_ptr<Writer> writer;
  Scope names = {};
  Item condition = {};                    // of the next turn
  std::vector<std::string> results = {};  // what the node that runs it gives
};

std::string Interpreter::name_of_node(const char* kind, const Frame& frame) {
  return writer_->unique(frame.path.empty() ? kind : frame.path + "." + kind);
}

Call Interpreter::control_call(const char* op, const std::string& name, size_t results, const Frame& frame) {
  Call call;
  call.op = op;
  call.name = name;
  call.written_at = place(frame);
  for (size_t i = 0; i < results; ++i)
    call.outputs.push_back(i == 0 ? name : writer_->unique(name + "." + std::to_string(i)));
  return call;
}

// What is wrong with the graphs of a node is said of the node.
Status Interpreter::located(Status status, const Frame& frame) const {
  if (status.ok()) return ok();
  Diagnostics found = std::move(status).diagnostics();
  for (Diagnostic& d : found)
    if (d.location.empty()) d.at(place(frame));
  return found;
}

// ---- branches -------------------------------------------------------------------------------------------------------

// By itself, or by the sizes of the inputs.
std::optional<bool> Interpreter::decided(const Item& condition) {
  if (const auto truth = truth_of(condition)) return truth;
  if (!is_computed(condition) || writer_->is_body()) return std::nullopt;
  const auto number = known_.number(*writer_, condition.text);
  return number ? truth_of(*number) : std::nullopt;
}

// Code that raises an exception says what the model is not for, so that the other way is the one that is taken.
Status Interpreter::branch(const Statement& s, Frame& frame) {
  LAPIS_TRY(const Item condition, evaluate(s.value, frame));
  if (const auto truth = decided(condition)) return run(*truth ? s.body : s.otherwise, frame);
  if (raises(s.body)) return run(s.otherwise, frame);
  if (raises(s.otherwise)) return run(s.body, frame);
  if (!is_computed(condition))
    return problem(ErrorKind::Unsupported, condition.description() + " as a truth value", frame);
  const std::string name = name_of_node("if", frame);
  LAPIS_TRY(Way then, way(s.body, name + "/then/", frame));
  LAPIS_TRY(Way otherwise, way(s.otherwise, name + "/else/", frame));
  frame.line = s.line;
  return located(join(name, condition, then, otherwise, frame), frame);
}

Result<Interpreter::Way> Interpreter::way(const std::vector<Statement>& statements, const std::string& prefix,
                                          Frame& frame) {
  steps_ += static_cast<int64_t>(frame.names.size());
  Way way{std::make_unique<Writer>(*writer_, prefix)};
  Scope before = frame.names;
  {
    const Within within(*this, *way.writer);
    LAPIS_CHECK(run(statements, frame));
  }
  way.names = std::exchange(frame.names, std::move(before));
  if (frame.has_returned)
    return problem(ErrorKind::Unsupported, "a return within a branch that depends on values", frame);
  return way;
}

// The node, and the variables behind it. Those that only one way knows nobody reads.
Status Interpreter::join(const std::string& name, const Item& condition, Way& then, Way& otherwise, Frame& frame) {
  std::map<std::string, Item> forms;
  std::vector<Item> of_then, of_else;
  for (const auto& [variable, item] : then.names) {
    const auto other = otherwise.names.find(variable);
    if (other != otherwise.names.end()) forms.emplace(variable, common(item, other->second));
  }
  for (const auto& [variable, form] : forms) {
    collect(form, then.names.at(variable), of_then);
    collect(form, otherwise.names.at(variable), of_else);
  }
  std::vector<std::string> changed = then.writer->changed();
  add_missing(changed, otherwise.writer->changed());
  for (std::vector<Item>* parts : {&of_then, &of_else})
    for (const std::string& value : changed) parts->push_back(Item::tensor(value));
  LAPIS_TRY(const std::vector<std::string> results,
            add_branch(name, condition, then, otherwise, of_then, of_else, frame));
  std::span<const std::string> names = results;
  for (const auto& [variable, form] : forms) frame.names[variable] = filled(form, names);
  for (const std::string& value : changed) {
    LAPIS_CHECK(writer_->supersede(value, names.front()));
    names = names.subspan(1);
  }
  writer_->share(*then.writer, results, 0);
  writer_->share(*otherwise.writer, results, 0);
  return ok();
}

Result<std::vector<std::string>> Interpreter::add_branch(const std::string& name, const Item& condition, Way& then,
                                                         Way& otherwise, const std::vector<Item>& of_then,
                                                         const std::vector<Item>& of_else, const Frame& frame) {
  std::vector<std::string> results;
  if (of_then.empty()) return results;
  LAPIS_CHECK(then.writer->add_results(as_operands(of_then), place(frame)));
  LAPIS_CHECK(otherwise.writer->add_results(as_operands(of_else), place(frame)));
  std::vector<std::string> operands = then.writer->operands();
  add_missing(operands, otherwise.writer->operands());
  Call call = control_call("higher_order.cond", name, of_then.size(), frame);
  results = call.outputs;
  LAPIS_TRY(frontend::SourceGraph then_graph, std::move(*then.writer).body(operands));
  LAPIS_TRY(frontend::SourceGraph else_graph, std::move(*otherwise.writer).body(operands));
  call.arguments = {{"pred", condition}, {"operands", Item::list(as_tensors(operands))}};
  LAPIS_CHECK(writer_->add(std::move(call), {shared(std::move(then_graph)), shared(std::move(else_graph))}));
  return results;
}

// ---- loops ----------------------------------------------------------------------------------------------------------

// Turns are taken one by one as long as it is known that there is another.
Status Interpreter::repeat(const Statement& s, Frame& frame) {
  if (s.kind == Statement::Kind::For) return repeat_counting(s, frame);
  while (true) {
    LAPIS_CHECK(step(frame));
    LAPIS_TRY(const Item condition, evaluate(s.value, frame));
    auto truth = truth_of(condition);
    if (!truth) {
      truth = decided(condition);
      LAPIS_TRY(const bool is_done, looped(s, condition, {}, truth.has_value(), frame));
      if (is_done) return ok();
    }
    if (!*truth) return ok();
    LAPIS_CHECK(run(s.body, frame));
    if (frame.has_returned) return ok();
  }
}

Status Interpreter::repeat_counting(const Statement& s, Frame& frame) {
  const bool is_range =
      s.value.kind == Expression::Kind::Call && s.value.parts.size() == 2 && s.value.parts[0].text == "range";
  if (!is_range) return problem(ErrorKind::Unsupported, "a loop over something else than a range", frame);
  LAPIS_TRY(const Item count, evaluate(s.value.parts[1], frame));
  if (!count.is(Kind::Int)) {
    if (!is_computed(count)) return problem(ErrorKind::Input, "its code counts to " + count.description(), frame);
    LAPIS_TRY(const Item condition, emit("_operator.gt", {{count, Item::of_int(0)}, {"", ""}}, frame));
    const Item known = settled(count);
    LAPIS_TRY(const bool is_done, looped(s, condition, count, known.is(Kind::Int), frame));
    return is_done ? ok() : count_to(known.integer, s, frame);
  }
  return count_to(count.integer, s, frame);
}

// A loop whose turns can be told is written out where a graph cannot do what it does: change attributes, fill lists.
Result<bool> Interpreter::looped(const Statement& s, const Item& condition, const Item& count, bool is_known,
                                 Frame& frame) {
  const Scope before = is_known ? frame.names : Scope();
  Status done = loop(s, condition, count, frame);
  if (done.ok() || !is_known) return done.ok() ? Result<bool>(true) : std::move(done).diagnostics();
  frame.names = before;
  frame.has_returned = false;
  return false;
}

Status Interpreter::count_to(int64_t count, const Statement& s, Frame& frame) {
  for (int64_t turn = 0; turn < count; ++turn) {
    LAPIS_CHECK(step(frame));
    LAPIS_CHECK(assign_to(s.targets[0], Item::of_int(turn), frame));
    LAPIS_CHECK(run(s.body, frame));
    if (frame.has_returned) return ok();
  }
  return ok();
}

// What a turn makes of a variable may be of another form than what it starts as (None, then a tensor):
// the turn is taken again for the form of both.
Status Interpreter::loop(const Statement& s, const Item& condition, const Item& count, Frame& frame) {
  constexpr int kMostTries = 4;
  if (!is_computed(condition))
    return problem(ErrorKind::Unsupported, condition.description() + " as a truth value", frame);
  Forms forms;
  std::vector<std::string> assigned;
  note_assigned(s.body, assigned);
  for (const std::string& variable : assigned)
    if (const auto it = frame.names.find(variable); it != frame.names.end()) forms[variable] = opened(it->second);
  const std::string name = name_of_node("loop", frame);
  for (int i = 0; i < kMostTries; ++i) {
    LAPIS_TRY(Way turn, this->turn(s, count, forms, name + "/body/", frame));
    bool is_stable = true;
    for (auto& [variable, form] : forms) {
      Item next = common(form, turn.names.at(variable));
      is_stable &= same_form(form, next);
      form = std::move(next);
    }
    frame.line = s.line;
    if (is_stable) return located(add_loop(name, condition, turn, forms, frame), frame);
  }
  return problem(ErrorKind::Unsupported, "a loop whose variables are of another kind in every turn", frame);
}

Result<Interpreter::Way> Interpreter::turn(const Statement& s, const Item& count, const Forms& forms,
                                           const std::string& prefix, Frame& frame) {
  steps_ += static_cast<int64_t>(frame.names.size());
  Way way{std::make_unique<Writer>(*writer_, prefix)};
  const std::string iteration = way.writer->unique("iteration"), goes_on = way.writer->unique("condition");
  way.writer->add_input(iteration, Type::tensor(DType::Int64, Dims()));
  way.writer->add_input(goes_on, Type::tensor(DType::Bool, Dims()));
  Scope before = frame.names;
  start(forms, *way.writer, frame);
  {
    const Within within(*this, *way.writer);
    if (s.kind == Statement::Kind::For) LAPIS_CHECK(assign_to(s.targets[0], Item::symbol(iteration), frame));
    LAPIS_CHECK(run(s.body, frame));
    LAPIS_TRY(way.condition, goes_on_after(s, iteration, count, frame));
  }
  way.names = std::exchange(frame.names, std::move(before));
  if (frame.has_returned)
    return problem(ErrorKind::Unsupported, "a return within a loop that depends on values", frame);
  return way;
}

// The variables as a turn finds them.
void Interpreter::start(const Forms& forms, Writer& turn, Frame& frame) {
  for (const auto& [variable, form] : forms) {
    std::vector<Item> starts;
    collect(form, frame.names.at(variable), starts);
    std::vector<std::string> states(starts.size());
    std::transform(starts.begin(), starts.end(), states.begin(),
                   [&, &hint = variable](const Item& one) { return turn.add_state(hint, one); });
    std::span<const std::string> names = states;
    frame.names[variable] = filled(form, names);
  }
}

Result<Item> Interpreter::goes_on_after(const Statement& s, const std::string& iteration, const Item& count,
                                        Frame& frame) {
  if (s.kind == Statement::Kind::While) return evaluate(s.value, frame);
  LAPIS_TRY(const Item next, emit("_operator.add", {{Item::symbol(iteration), Item::of_int(1)}, {"", ""}}, frame));
  return emit("_operator.lt", {{next, count}, {"", ""}}, frame);
}

Status Interpreter::add_loop(const std::string& name, const Item& condition, Way& turn, const Forms& forms,
                             Frame& frame) {
  std::vector<Item> starts, next = {as_operand(turn.condition)};
  for (const auto& [variable, form] : forms) {
    collect(form, frame.names.at(variable), starts);
    collect(form, turn.names.at(variable), next);
  }
  LAPIS_CHECK(turn.writer->add_results(as_operands(next), place(frame)));
  const std::vector<std::string> operands = turn.writer->operands(), changed = turn.writer->changed();
  if (starts.empty() && changed.empty()) return ok();
  LAPIS_CHECK(turn.writer->add_results(as_tensors(operands), place(frame)));
  std::vector<int64_t> unchanged;
  for (size_t i = 0; i < operands.size(); ++i)
    if (std::find(changed.begin(), changed.end(), operands[i]) == changed.end())
      unchanged.push_back(static_cast<int64_t>(starts.size() + i));
  Call call = control_call("higher_order.while_loop", name, starts.size() + operands.size(), frame);
  const std::vector<std::string> results = call.outputs;
  LAPIS_TRY(frontend::SourceGraph body, std::move(*turn.writer).body(operands));
  std::vector<Item> states = as_operands(starts);
  for (Item& state : states)
    if (state.is(Kind::Unset)) state = writer_->unset();
  const std::vector<Item> around = as_tensors(operands);
  states.insert(states.end(), around.begin(), around.end());
  call.arguments = {{"condition", condition}, {"states", Item::list(std::move(states))}};
  LAPIS_CHECK(writer_->add(std::move(call), {shared(std::move(body))}, {{frontend::kUnchanged, std::move(unchanged)}}));
  turn.results = results;
  return behind_loop(turn, forms, starts, changed, frame);
}

// The variables behind the last turn.
Status Interpreter::behind_loop(const Way& turn, const Forms& forms, const std::vector<Item>& starts,
                                const std::vector<std::string>& changed, Frame& frame) {
  std::span<const std::string> names = turn.results;
  for (const auto& [variable, form] : forms) frame.names[variable] = filled(form, names);
  const std::vector<std::string>& operands = turn.writer->operands();
  for (size_t i = 0; i < operands.size(); ++i)
    if (std::find(changed.begin(), changed.end(), operands[i]) != changed.end())
      LAPIS_CHECK(writer_->supersede(operands[i], turn.results[starts.size() + i]));
  writer_->share(*turn.writer, turn.results, 1);
  return ok();
}

}  // namespace lapis::pytorch_frontend
