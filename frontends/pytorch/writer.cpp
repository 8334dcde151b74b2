#include "frontends/pytorch/writer.h"

#include <algorithm>
#include <utility>

#include "frontends/common/bodies.h"
#include "frontends/pytorch/views.h"

namespace lapis::pytorch_frontend {
namespace {

using frontend::SourceNode;
using frontend::SourceValue;

constexpr const char* kStale = "values that an operator has changed in place through another view";

// "aten.relu_", but not "aten.__and__".
bool is_in_place(const std::string& op) { return op.ends_with('_') && !op.ends_with("__"); }

bool is_reference(const Item& item) {
  return item.is(Item::Kind::Weight) || item.is(Item::Kind::Tensor) || item.is(Item::Kind::Symbol);
}

// Numbers as they stand; nullopt if there is another kind of element.
template <class T> std::optional<std::vector<T>> numbers(const std::vector<Item>& items) {
  std::vector<T> values;
  for (const Item& item : items) {
    if (item.is(Item::Kind::Int))
      values.push_back(static_cast<T>(item.integer));
    else if (item.is(Item::Kind::Bool))
      values.push_back(static_cast<T>(item.truth));
    else if (item.is(Item::Kind::Float) && std::is_same_v<T, double>)
      values.push_back(static_cast<T>(item.real));
    else
      return std::nullopt;
  }
  return values;
}

// What outputs are computed by: numbers of nodes, as they stand, and names of values.
struct Needed {
  std::vector<size_t> nodes;
  std::unordered_set<std::string_view> read;
};

Needed needed_for(const frontend::SourceGraph& graph, const std::vector<std::string>& outputs) {
  std::unordered_map<std::string_view, size_t> producers;
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    for (const std::string& output : graph.nodes[i].outputs) producers.emplace(output, i);
  Needed needed;
  needed.read.insert(outputs.begin(), outputs.end());
  std::vector<std::string_view> open(needed.read.begin(), needed.read.end());
  std::vector<bool> is_needed(graph.nodes.size());
  while (!open.empty()) {
    const auto producer = producers.find(open.back());
    open.pop_back();
    if (producer == producers.end() || is_needed[producer->second]) continue;
    is_needed[producer->second] = true;
    for (const std::string& input : graph.nodes[producer->second].inputs)
      if (needed.read.insert(input).second) open.push_back(input);
  }
  for (size_t i = 0; i < is_needed.size(); ++i)
    if (is_needed[i]) needed.nodes.push_back(i);
  return needed;
}

Diagnostic no_argument(const Argument& argument) {
  return error(ErrorKind::Unsupported, "its argument '" + argument.name + "' is " + argument.value.description());
}

}  // namespace

// ---- values ---------------------------------------------------------------------------------------------------------

// What is read before anything defines it is found when nodes are put in order.
void Writer::define(const std::string& name) {
  if (!name.empty()) graph_.values.emplace(name, SourceValue());
}

void Writer::add_input(const std::string& name, Type type) {
  SourceValue value;
  value.type = std::move(type);
  value.given = true;
  graph_.values.emplace(name, std::move(value));
  graph_.inputs.push_back(name);
}

void Writer::add_constant(const std::string& name, Tensor tensor) {
  SourceValue value;
  value.type = Type::of(tensor);
  value.constant = std::move(tensor);
  value.given = true;
  graph_.values.emplace(name, std::move(value));
}

std::string Writer::name_of_weight(const Item& weight, const std::string& hint) {
  std::string& name = weights_[weight.weight.get()];
  if (!name.empty()) return name;
  name = unique(hint.empty() ? "constant" : hint);
  kept_.push_back(weight.weight);
  if (weight.weight->defined()) {
    add_constant(name, *weight.weight);
  } else {
    SourceValue value;
    value.given = true;
    value.unsupported = "tensors of a type that Lapis does not have";
    graph_.values.emplace(name, std::move(value));
  }
  return name;
}

std::string Writer::unique(const std::string& hint) {
  const std::string stem = hint.starts_with(prefix_) ? hint : prefix_ + hint;
  std::string name = stem;
  size_t& suffix = suffixes_[stem];
  while (is_taken(name)) name = stem + "_" + std::to_string(++suffix);
  return name;
}

// A name that is missing is one that nothing defines.
std::string Writer::current(std::string name) const {
  if (name.empty()) return "?";
  for (auto it = versions_.find(name); it != versions_.end(); it = versions_.find(name)) name = it->second;
  return name;
}

Result<frontend::SourceGraph> Writer::finish(const std::vector<Item>& outputs) && {
  std::unordered_set<std::string> listed;
  for (const Item& item : outputs) {
    if (!is_reference(item))
      return error(ErrorKind::Unsupported, "the model gives " + item.description() + " beside tensors");
    if (item.is(Item::Kind::Weight)) name_of_weight(item, "output");
    std::string name = fresh(value_now(item));
    if (stale_.contains(name)) return error(ErrorKind::Unsupported, "the model gives " + why_stale(name));
    define(name);
    if (!listed.insert(name).second) {  // an output has a name of its own
      const std::string copy = unique(name);
      LAPIS_CHECK(add({"aten.clone", "", copy, "", {{"self", Item::tensor(name)}}, {copy}}));
      name = copy;
    }
    graph_.outputs.push_back(std::move(name));
  }
  drop_unread();
  return std::move(graph_);
}

// Nodes that no output needs, and outputs of others that nobody reads,
// so that what cannot be translated may stand there.
void Writer::drop_unread() {
  const Needed needed = needed_for(graph_, graph_.outputs);
  std::vector<SourceNode> kept;
  for (const size_t i : needed.nodes) {
    SourceNode& node = graph_.nodes[i];
    std::vector<std::string> outputs = node.outputs;
    for (size_t output = 1; output < outputs.size(); ++output)
      if (!needed.read.contains(outputs[output])) outputs[output].clear();
    kept.push_back(std::move(node));
    kept.back().outputs = std::move(outputs);
  }
  graph_.nodes = std::move(kept);
}

frontend::SourceGraph Writer::part(const std::string& name) const {
  frontend::SourceGraph part;
  part.file_bytes = graph_.file_bytes;
  part.outputs = {current(name)};
  const Needed needed = needed_for(graph_, part.outputs);
  const auto take = [&](const std::string& value) {
    if (const auto it = graph_.values.find(value); it != graph_.values.end()) part.values.insert(*it);
  };
  take(part.outputs[0]);
  for (const size_t i : needed.nodes) {
    part.nodes.push_back(graph_.nodes[i]);
    std::for_each(part.nodes.back().inputs.begin(), part.nodes.back().inputs.end(), take);
    std::for_each(part.nodes.back().outputs.begin(), part.nodes.back().outputs.end(), take);
  }
  for (const std::string& input : graph_.inputs)
    if (needed.read.contains(input)) part.inputs.push_back(input);
  return part;
}

bool Writer::is_changed_weight(const Item& weight) const {
  const auto known = weights_.find(weight.weight.get());
  return known != weights_.end() && is_changed(known->second);
}

std::string Writer::value_now(const Item& tensor) {
  return current(tensor.is(Item::Kind::Weight) ? name_of_weight(tensor, tensor.text) : inner(tensor.text));
}

bool Writer::is_read(const std::string& name) const {
  return std::any_of(graph_.nodes.begin(), graph_.nodes.end(), [&](const SourceNode& node) {
    return std::find(node.inputs.begin(), node.inputs.end(), name) != node.inputs.end();
  });
}

// ---- arguments ------------------------------------------------------------------------------------------------------

int64_t Writer::refer(const Item& item, SourceNode& node) {
  std::string name = fresh(value_now(item));
  if (stale_.contains(name)) {
    SourceValue value;
    value.given = true;
    value.unsupported = why_stale(name);
    name = unique("changed");
    graph_.values.emplace(name, std::move(value));
  }
  define(name);
  node.inputs.push_back(std::move(name));
  return static_cast<int64_t>(node.inputs.size()) - 1;
}

Status Writer::encode(const Argument& argument, SourceNode& node) {
  const Item& item = argument.value;
  auto& attributes = node.attributes;
  if (argument.name == "out" && !item.is_none()) return no_argument(argument);  // which the operator would change
  if (is_reference(item)) {
    attributes.insert_or_assign(argument.name + "@", std::vector<int64_t>{refer(item, node)});
    return ok();
  }
  switch (item.kind) {
    case Item::Kind::None: return ok();
    case Item::Kind::Bool: attributes.insert_or_assign(argument.name, item.truth); return ok();
    case Item::Kind::Int: attributes.insert_or_assign(argument.name, item.integer); return ok();
    case Item::Kind::Float: attributes.insert_or_assign(argument.name, item.real); return ok();
    case Item::Kind::String: attributes.insert_or_assign(argument.name, item.text); return ok();
    case Item::Kind::List:
    case Item::Kind::Tuple: return encode_list(argument, node);
    default: return no_argument(argument);
  }
}

Status Writer::encode_list(const Argument& argument, SourceNode& node) {
  const std::vector<Item>& items = argument.value.elements();
  if (auto whole = numbers<int64_t>(items)) {
    node.attributes.insert_or_assign(argument.name, *std::move(whole));
    return ok();
  }
  if (auto real = numbers<double>(items)) {
    node.attributes.insert_or_assign(argument.name, *std::move(real));
    return ok();
  }
  std::vector<int64_t> literals, references;
  for (const Item& item : items) {
    if (!is_reference(item) && !item.is_none() && !item.is(Item::Kind::Int)) return no_argument(argument);
    literals.push_back(item.is(Item::Kind::Int) ? item.integer : 0);
    references.push_back(is_reference(item) ? refer(item, node) : item.is_none() ? kAbsent : kLiteral);
  }
  node.attributes.insert_or_assign(argument.name, std::move(literals));
  node.attributes.insert_or_assign(argument.name + "@", std::move(references));
  return ok();
}

// A view whose elements have changed is taken again of what it was taken of, where that is known.
std::string Writer::fresh(const std::string& name, int depth) {
  constexpr int kMostLevels = 16;
  const auto found = stale_.contains(name) ? views_.find(name) : views_.end();
  if (found == views_.end() || shares_of(found->second.op) != Shares::All || depth == kMostLevels) return name;
  const View view = found->second;
  const std::string base = fresh(current(view.base), depth + 1);
  if (stale_.contains(base)) return name;
  Call call{view.op, "", name, "", view.arguments, {unique(name)}};
  call.arguments[0].value = Item::tensor(base);
  std::string again = call.outputs[0];
  if (!add(std::move(call)).ok()) return name;
  stale_.erase(name);
  versions_[name] = again;
  return again;
}

// ---- nodes ----------------------------------------------------------------------------------------------------------

// Without its arguments.
SourceNode Writer::node_of(const Call& call) {
  SourceNode node;
  node.op = is_in_place(call.op) ? call.op.substr(0, call.op.size() - 1) : call.op;
  node.name = call.name;
  for (size_t i = 1; !node_names_.insert(node.name).second; ++i) node.name = call.name + "_" + std::to_string(i);
  node.written_at = call.written_at;
  if (!call.overload.empty()) node.attributes.emplace("overload", call.overload);
  node.outputs = call.outputs;
  return node;
}

Status Writer::add(Call call) {
  SourceNode node = node_of(call);
  for (const Argument& argument : call.arguments)
    if (Status encoded = encode(argument, node); !encoded.ok()) {
      Diagnostics found = std::move(encoded).diagnostics();
      for (Diagnostic& d : found) d.at(location_of(node));
      return found;
    }
  const bool has_base = !call.arguments.empty() && is_reference(call.arguments[0].value);
  if (is_in_place(call.op) && !has_base)
    return error(ErrorKind::Unsupported, call.op + " changes what is no tensor in place").at(location_of(node));
  const std::string base = has_base ? node.inputs[0] : "";
  if (is_in_place(call.op) && graph_.values.at(base).unsupported.starts_with(kStale))
    return error(ErrorKind::Unsupported, call.op + " changes " + graph_.values.at(base).unsupported)
        .at(location_of(node));
  for (const std::string& output : call.outputs) define(output);
  if (!call.written_at.empty()) written_at_ = call.written_at;
  numbers_[call.name] = graph_.nodes.size();
  graph_.nodes.push_back(std::move(node));
  return has_base ? relate(call, base) : ok();
}

Status Writer::add(Call call, std::vector<std::shared_ptr<const frontend::SourceGraph>> bodies,
                   std::map<std::string, frontend::SourceAttribute> attributes) {
  LAPIS_CHECK(add(std::move(call)));
  graph_.nodes.back().bodies = std::move(bodies);
  graph_.nodes.back().attributes.merge(std::move(attributes));
  return ok();
}

std::vector<std::string> Writer::append(const frontend::SourceGraph& graph, const std::string& prefix,
                                        std::vector<std::string> arguments) {
  for (std::string& argument : arguments) {
    argument = current(argument);
    define(argument);
  }
  return frontend::append_graph(graph_, graph, prefix, arguments);
}

// What a call makes of its first operand: another version of it, or views.
Status Writer::relate(const Call& call, const std::string& base) {
  if (is_in_place(call.op) && !call.outputs.empty()) return change(base, call.outputs[0]);
  const std::string whole = call.outputs.size() == 1 ? call.op : "";
  const Shares shares = shares_of(call.op);
  for (const std::string& output : call.outputs)
    if (shares != Shares::Nothing)
      note_view(output, {whole, base, root(base), call.arguments, shares == Shares::Parts ? call.name : ""});
  return ok();
}

const std::string& Writer::root(const std::string& name) const {
  const auto it = views_.find(name);
  return it == views_.end() ? name : it->second.root;
}

void Writer::note_view(const std::string& output, View view) {
  families_[view.root].push_back(output);
  views_[output] = std::move(view);
}

std::string Writer::output(const std::string& node, size_t i) {
  const auto found = numbers_.find(node);
  if (found == numbers_.end() && around_) return around_->output(node, i);
  SourceNode& from = graph_.nodes[numbers_.at(node)];
  while (from.outputs.size() <= i) {
    from.outputs.push_back(unique(node));
    define(from.outputs.back());
    const Shares shares = from.inputs.empty() ? Shares::Nothing : shares_of(from.op);
    if (shares != Shares::Nothing)
      note_view(from.outputs.back(),
                {"", from.inputs[0], root(from.inputs[0]), {}, shares == Shares::Parts ? from.name : ""});
  }
  return from.outputs[i];
}

// `changed` is now `result`. Views of it, and what it is a view of, are stale, unless they can be written again.
Status Writer::change(const std::string& changed, const std::string& result) {
  const std::string top = root(changed);
  const auto constant = graph_.values.find(top);
  if (around_ && constant != graph_.values.end() && constant->second.constant.defined())
    return error(ErrorKind::Unsupported, "a branch or loop that depends on values changes a constant in place");
  spoil(changed, changed);
  versions_[changed] = result;
  return write_back(changed, result);
}

std::string Writer::why_stale(const std::string& name) const {
  const std::string& at = stale_.at(name);
  return kStale + (at.empty() ? "" : ", at " + at);
}

// What may share its elements with this value must not be read any more.
void Writer::spoil(const std::string& name, const std::string& but) {
  const auto part_of = [&](const std::string& value) {
    const auto view = views_.find(value);
    return view == views_.end() ? "" : view->second.part_of;
  };
  const std::string parts = part_of(name);
  for (const std::string& top : roots(name)) {
    std::vector<std::string> relatives = std::exchange(families_[top], {});
    relatives.push_back(top);
    for (const std::string& relative : relatives)
      if (!parts.empty() && relative != name && part_of(relative) == parts)
        families_[top].push_back(relative);  // another part of the same
      else if (relative != but)
        stale_.emplace(relative, written_at_);
  }
}

// What the view was taken of, and what that was taken of, with the changed view in its place,
// of which it is a view again.
Status Writer::write_back(std::string changed, std::string result) {
  constexpr int kMostLevels = 16;
  std::vector<std::pair<std::string, View>> views;
  for (int level = 0; level < kMostLevels; ++level) {
    const auto it = views_.find(changed);
    if (it == views_.end()) break;
    const View view = it->second;
    auto call = written_back(view, result);
    if (!call) break;
    stale_.erase(view.base);
    const std::string whole = call->outputs[0];
    LAPIS_CHECK(add(*std::move(call)));
    views_.erase(whole);
    views.push_back({result, {view.op, whole, "", view.arguments}});
    versions_[view.base] = whole;
    changed = view.base;
    result = whole;
  }
  for (auto& [name, view] : views) {
    view.root = result;
    note_view(name, std::move(view));
  }
  return ok();
}

// nullopt: that cannot be said.
std::optional<Call> Writer::written_back(const View& view, const std::string& result) {
  const bool scatters = view.op == "aten.slice" || view.op == "aten.select" || view.op == "aten.diagonal";
  const bool reshapes = view.op == "aten.view" || view.op == "aten.unsqueeze" || view.op == "aten.squeeze";
  if (!scatters && !reshapes) return std::nullopt;
  Call call{scatters ? view.op + "_scatter" : "aten.view_as",
            "",
            view.base + "_changed",
            "",
            {},
            {unique(view.base + "_changed")}};
  if (!scatters) {
    call.arguments = {{"self", Item::tensor(result)}, {"other", Item::tensor(view.base)}};
    return call;
  }
  call.arguments = {{"self", Item::tensor(view.base)}, {"src", Item::tensor(result)}};
  call.arguments.insert(call.arguments.end(), view.arguments.begin() + 1, view.arguments.end());
  return call;
}

// ---- graphs that nodes run ------------------------------------------------------------------------------------------

// The name here of a value, which becomes an input if it is one of the graph around.
std::string Writer::inner(const std::string& name) {
  if (!around_ || name.empty() || name.starts_with(prefix_)) return name;
  const std::string outer = around_->current(around_->inner(name));
  if (const auto it = inner_.find(outer); it != inner_.end()) return it->second;
  std::string made = unique(prefix_ + "around/" + outer.substr(outer.rfind('/') + 1));
  add_input(made, Type());
  if (around_->stale_.contains(outer)) stale_.emplace(made, around_->stale_.at(outer));
  operands_.push_back(outer);
  inner_.emplace(outer, made);
  outer_.emplace(made, outer);
  return made;
}

std::string Writer::add_state(const std::string& hint, const Item& start) {
  std::string name = unique(hint);
  add_input(name, Type());
  states_.push_back(name);
  if (start.is(Item::Kind::Tensor)) outer_.emplace(name, around_->current(around_->inner(start.text)));
  return name;
}

Status Writer::add_results(const std::vector<Item>& results, const std::string& written_at) {
  for (const Item& item : results) {
    const std::string name = unique("result");
    LAPIS_CHECK(
        add({"aten.alias", "", name, written_at, {{"self", item.is(Item::Kind::Unset) ? unset() : item}}, {name}}));
    graph_.values.at(name).unset = item.is(Item::Kind::Unset);
    for (const std::string& top : roots(name))
      if (const auto it = outer_.find(top); it != outer_.end()) shared_.emplace_back(graph_.outputs.size(), it->second);
    graph_.outputs.push_back(name);
  }
  return ok();
}

Item Writer::unset() {
  const std::string name = unique("unset");
  add_constant(name, Tensor::scalar<float>(0));
  graph_.values.at(name).unset = true;
  return Item::tensor(name);
}

std::vector<std::string> Writer::changed() const {
  std::vector<std::string> changed;
  for (const std::string& operand : operands_)
    if (versions_.contains(inner_.at(operand))) changed.push_back(operand);
  return changed;
}

Result<frontend::SourceGraph> Writer::body(const std::vector<std::string>& operands) && {
  for (const std::string& operand : operands) inner(operand);
  LAPIS_CHECK(check_changes());
  graph_.file_bytes = around_->file_bytes();
  graph_.inputs.resize(graph_.inputs.size() - operands_.size());
  for (const std::string& operand : operands) graph_.inputs.push_back(inner_.at(operand));
  drop_unread();
  return std::move(graph_);
}

// What a value may be a view of.
std::vector<std::string> Writer::roots(const std::string& name) const {
  std::vector<std::string> all = {root(name)};
  if (const auto it = shares_.find(all[0]); it != shares_.end())
    all.insert(all.end(), it->second.begin(), it->second.end());
  return all;
}

// The same in the outermost graph that knows it.
std::set<std::string> Writer::origins(const std::string& name) const {
  std::set<std::string> all;
  for (const std::string& top : roots(name)) {
    const auto it = outer_.find(top);
    all.merge(it == outer_.end() ? std::set{top} : around_->origins(it->second));
  }
  return all;
}

// A graph that reads two views of one thing sees both change, in each turn.
Status Writer::check_changes() const {
  for (const auto& [here, around] : outer_) {
    if (!versions_.contains(here)) continue;
    const std::set<std::string> mine = around_->origins(around);
    for (const auto& [other, outer] : outer_) {
      const std::set<std::string> theirs = around_->origins(outer);
      const bool meet = std::any_of(mine.begin(), mine.end(), [&](const std::string& m) { return theirs.contains(m); });
      if (other != here && meet)
        return error(
            ErrorKind::Unsupported,
            "a branch or loop that depends on values changes in place what it also reads through another view");
    }
  }
  return ok();
}

Status Writer::supersede(const std::string& value, const std::string& result) { return change(value, result); }

void Writer::share(const Writer& body, const std::vector<std::string>& results, size_t first_state) {
  std::vector<std::pair<size_t, std::string>> pairs = body.shared_;
  for (size_t i = 0; i < body.states_.size(); ++i) {
    const auto start = body.outer_.find(body.states_[i]);
    if (start == body.outer_.end()) continue;
    if (body.versions_.contains(body.states_[i])) spoil(start->second, "");
    pairs.emplace_back(i + first_state, start->second);  // of a loop without turns
  }
  for (const auto& [i, outer] : pairs) {
    if (i < first_state) continue;
    const std::string& result = results[i - first_state];
    for (const std::string& top : roots(outer)) {
      shares_[result].push_back(top);
      families_[top].push_back(result);
    }
  }
}

}  // namespace lapis::pytorch_frontend
