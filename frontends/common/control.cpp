#include "frontends/common/control.h"

#include <algorithm>
#include <map>
#include <set>

#include "frontends/common/build.h"
#include "frontends/common/declared.h"
#include "frontends/common/recurrent.h"
#include "ir/ops/control_flow.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::frontend {
namespace {

// One truth value, which some files write as a vector.
Result<Value*> condition_of(Translation& t) {
  LAPIS_TRY(Value * condition, t.stored(0, Layout::AsWritten));
  if (condition->dtype() != DType::Bool) return error(ErrorKind::Input, "its condition is no truth value");
  return reshape(t, condition, {});
}

// What a body knows of an operand.
SourceValue known(const Translation& t, size_t operand, const Value* value) {
  SourceValue known;
  known.constant = t.input(operand).constant;
  known.quantization = t.input(operand).quantization;
  known.unset = t.input(operand).unset;
  known.unfilled = t.input(operand).unfilled;
  known.type = known.constant.defined() ? Type::of(known.constant) : value->type();
  return known;
}

Result<std::vector<Value*>> operands_behind_condition(Translation& t) {
  std::vector<Value*> values;
  for (size_t i = 1; i < t.input_count(); ++i) {
    LAPIS_TRY(values.emplace_back(), t.stored(i, Layout::AsWritten));
  }
  return values;
}

// ---- values that nobody reads ---------------------------------------------------------------------------------------

// As one element: a number, or the size of a value around.
Result<Value*> size_of(Translation& t, const Dim& d, const std::vector<Value*>& around) {
  if (d.is_constant()) return ints(t, {d.value()});
  for (Value* value : around) {
    const Type& type = value->type();
    for (int64_t axis = 0; d.is_known() && type.ranked() && axis < type.rank(); ++axis) {
      if (type.dim(axis) != d) continue;
      LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {value}));
      return slice(t, shape, 0, axis, axis + 1);
    }
  }
  return Translation::unsupported("values of a size that only its graph knows");
}

}  // namespace

bool is_unfilled(const Type& list) {
  if (!list.ranked() || list.rank() < 2) return false;
  return std::any_of(list.dims->begin() + 1, list.dims->end(), [](const Dim& d) { return d.is(0); });
}

Result<Value*> zeros(Translation& t, const Type& type, const std::vector<Value*>& around) {
  if (!type.ranked()) return Translation::unsupported("values of unknown rank that not every way sets");
  if (type.is_static()) return filled(t, 0, type);
  std::vector<Value*> sizes;
  for (const Dim& d : *type.dims) {
    LAPIS_TRY(sizes.emplace_back(), size_of(t, d, around));
  }
  LAPIS_TRY(Value * shape, t.add(ops::Concat, sizes, ops::ConcatAttrs{.axis = 0}));
  return t.add(ops::Expand, {scalar(t, 0, type.dtype), shape});
}

namespace {

// An unfilled list of `count` elements like those of `filled`; sizes that only the graph that fills it knows stay 0.
Result<Value*> unfilled(Translation& t, Type filled, const Dim& count, const std::vector<Value*>& around) {
  if (!filled.ranked() || filled.rank() == 0) return Translation::unsupported("a list of elements of unknown rank");
  Dims& dims = *filled.dims;
  dims[0] = count;
  for (size_t axis = 1; axis < dims.size(); ++axis)
    if (!dims[axis].is_known()) dims[axis] = 0;
  return zeros(t, filled, around);
}

Status set_result(Translation& t, size_t i, Value* value) {
  if (t.node().outputs[i].empty()) return ok();
  return t.set_stored(i, value, Layout::AsWritten);
}

// ---- branches -------------------------------------------------------------------------------------------------------

Result<std::shared_ptr<Graph>> branch_of(Translation& t, size_t i, const std::vector<Value*>& values) {
  std::vector<SourceValue> all;
  for (size_t k = 0; k < values.size(); ++k) all.push_back(known(t, k + 1, values[k]));
  if (t.body_input_count(i) != values.size())
    return error(ErrorKind::Input, "its graphs do not fit its operands and results");
  LAPIS_TRY(std::shared_ptr<Graph> body, t.body(i, all));
  if (body->outputs().size() != t.output_count())
    return error(ErrorKind::Input, "its graphs do not fit its operands and results");
  const std::vector<Value*> inputs = body->inputs();
  size_t next = 0;
  for (size_t k = 0; k < values.size(); ++k) {
    if (all[k].constant.defined()) continue;
    body->replace_all_uses(inputs[next], values[k]);
    body->remove_input(inputs[next++]);
  }
  return body;
}

// Whether body i of a branch hands on, as result k, what nothing has set: there, or around.
bool is_unset(const Translation& t, size_t i, size_t k) {
  const SourceGraph& body = *t.node().bodies[i];
  const std::string& result = body.outputs[k];
  if (body.values.at(result).unset) return true;
  for (const SourceNode& node : body.nodes) {
    if (node.outputs.empty() || node.outputs[0] != result || node.inputs.size() != 1) continue;
    const auto input = std::find(body.inputs.begin(), body.inputs.end(), node.inputs[0]);
    return input != body.inputs.end() && t.input(static_cast<size_t>(input - body.inputs.begin()) + 1).unset;
  }
  return false;
}

// Such results are zeros like those of the other branch.
Status set_unset(Translation& t, size_t i, Graph& branch, const Graph& other, const std::vector<Value*>& around) {
  for (size_t k = 0; k < branch.outputs().size(); ++k) {
    if (!is_unset(t, i, k) || is_unset(t, 1 - i, k)) continue;
    LAPIS_TRY(Value * any, zeros(t, other.outputs()[k]->type(), around));
    Node* same = branch.outputs()[k]->producer();
    branch.replace_all_uses(same->inputs()[0], any);
    branch.outputs()[k]->set_type(any->type());
  }
  return ok();
}

// A list that one branch leaves unfilled gets elements like those that it has behind the other one.
Status fill_lists(Translation& t, Graph& branch, const Graph& other, const std::vector<Value*>& around) {
  std::vector<Value*> outputs = branch.outputs();
  for (const int64_t list : t.get<std::vector<int64_t>>(kLists, {})) {
    const auto k = static_cast<size_t>(list);
    if (k >= outputs.size()) continue;
    const Type &has = outputs[k]->type(), &filled = other.outputs()[k]->type();
    if (!is_unfilled(has) || !filled.ranked() || is_unfilled(filled)) continue;
    LAPIS_TRY(Value * zeros, unfilled(t, filled, has.dim(0), around));
    Node* same = branch.add_node(ops::Identity, {zeros});
    same->output()->set_type(zeros->type());
    outputs[k] = same->output();
  }
  branch.set_outputs(std::move(outputs));
  return ok();
}

// Where something of unknown shape takes part, which is so in the first try of a loop only (below),
// the branch that has a shape decides.
void guess_types(const Translation& t, const Graph& then, const Graph& otherwise) {
  bool is_open = false;
  for (size_t i = 1; i < t.input_count(); ++i) is_open |= t.input(i).unset || t.input(i).unfilled;
  for (size_t k = 0; is_open && k < then.outputs().size(); ++k) {
    Value *a = then.outputs()[k], *b = otherwise.outputs()[k];
    if (a->type().ranked() && !b->type().ranked()) b->set_type(a->type());
    if (b->type().ranked() && !a->type().ranked()) a->set_type(b->type());
  }
}

// ---- loops ----------------------------------------------------------------------------------------------------------

class LoopBuilder {
 public:
  explicit LoopBuilder(Translation& t) : t_(t) {
    for (const int64_t i : t.get<std::vector<int64_t>>(kUnchanged, {})) unchanged_.insert(static_cast<size_t>(i));
  }

  Status run() {
    LAPIS_TRY(Value * condition, condition_of(t_));
    LAPIS_TRY(states_, operands_behind_condition(t_));
    if (t_.output_count() != states_.size()) return error(ErrorKind::Input, "its results are not its states");
    if (t_.body_input_count(0) != states_.size() + kFirstState)
      return error(ErrorKind::Input, "its graph does not fit its states");
    for (size_t i = 0; i < states_.size(); ++i)
      types_.push_back(is_unset(i) ? Type::tensor(DType::Float32) : start_of(states_[i]->type()));
    LAPIS_CHECK(translate_body());
    LAPIS_TRY(const std::vector<Value*> recurrent, as_recurrent(t_, parts()));
    if (!recurrent.empty()) return set_all(recurrent);
    LAPIS_CHECK(give_lists_their_elements());
    LAPIS_CHECK(set_unset());
    LAPIS_CHECK(collect_what_lists_get());
    read_from_around();
    return add_node(condition);
  }

 private:
  static constexpr size_t kFirstState = 2;  // behind the iteration and the condition
  static constexpr int kMostTries = 5;

  // The body tells the sizes of the elements of a list that it is to fill.
  static Type start_of(Type type) {
    if (!frontend::is_unfilled(type)) return type;
    if (type.rank() == 2) return Type::tensor(type.dtype);  // elements of a rank that is not known
    for (size_t axis = 1; axis < type.dims->size(); ++axis)
      if ((*type.dims)[axis].is(0)) (*type.dims)[axis] = Dim::unknown();
    return type;
  }

  bool is_unset(size_t i) const { return t_.input(i + 1).unset; }
  bool is_unchanged(size_t i) const { return unchanged_.contains(i); }
  bool is_carried(size_t i) const { return !is_unchanged(i) && !collected_.contains(i); }
  bool is_constant(size_t i) const { return is_unchanged(i) && t_.input(i + 1).constant.defined(); }

  // A state has what its start and every iteration have in common:
  // the body is translated again where that is less than it was translated for.
  Status translate_body() {
    for (int i = 0; i < kMostTries; ++i) {
      is_first_ = i == 0;
      LAPIS_TRY(body_, t_.body(0, inputs_of_body()));
      if (body_->outputs().size() != states_.size() + 1)
        return error(ErrorKind::Input, "its graph does not fit its states");
      LAPIS_TRY(const bool widened, widen());
      if (!widened) return ok();
    }
    return Translation::unsupported("states whose shapes have nothing in common from one iteration to the next");
  }

  std::vector<SourceValue> inputs_of_body() const {
    std::vector<SourceValue> all(kFirstState);
    for (size_t i = 0; i < states_.size(); ++i) {
      all.push_back(known(t_, i + 1, states_[i]));
      if (is_unchanged(i)) continue;
      all.back().constant = Tensor();
      all.back().type = types_[i];
      all.back().unset = is_first_ && is_unset(i);
      all.back().unfilled = is_first_ && is_unfilled(i);
    }
    return all;
  }

  Result<bool> widen() {
    bool widened = false;
    for (size_t i = 0; i < states_.size(); ++i) {
      const Type& next = body_->outputs()[i + 1]->type();
      if (is_unchanged(i) || next == types_[i]) continue;
      const auto either = is_first_ && is_told_by_body(i) ? told_by_body(i) : ops::common(types_[i], next);
      if (!either)
        return error(ErrorKind::Input,
                     "a state starts as " + types_[i].to_string() + " but its graph gives " + next.to_string());
      widened |= *either != types_[i];
      types_[i] = *either;
    }
    return widened;
  }

  // In the first try of a loop around, a list that it is to fill has no shape at all.
  bool is_unfilled(size_t i) const { return t_.input(i + 1).unfilled || frontend::is_unfilled(states_[i]->type()); }
  bool is_told_by_body(size_t i) const { return is_unset(i) || is_unfilled(i); }
  std::optional<Type> told_by_body(size_t i) const {
    Type told = body_->outputs()[i + 1]->type();
    const Type& start = states_[i]->type();
    if (is_unset(i) || !told.ranked() || told.rank() == 0 || !start.ranked()) return told;
    if (!(told.dim(0) == start.dim(0))) (*told.dims)[0] = Dim::unknown();
    return told;
  }

  // ---- lists --------------------------------------------------------------------------------------------------------

  Status give_lists_their_elements() {
    for (size_t i = 0; i < states_.size(); ++i) {
      if (is_unchanged(i) || !frontend::is_unfilled(states_[i]->type())) continue;
      const Type& filled = body_->outputs()[i + 1]->type();
      LAPIS_TRY(states_[i], unfilled(t_, filled, states_[i]->type().dim(0), states_));
      LAPIS_TRY(Value * taken, body_input(i));
      taken->set_type(types_[i]);
    }
    return ok();
  }

  // What nothing sets before the loop starts as zeros of the type that the loop gives.
  Status set_unset() {
    for (size_t i = 0; i < states_.size(); ++i) {
      if (is_unchanged(i) || !is_unset(i)) continue;
      LAPIS_TRY(states_[i], zeros(t_, types_[i], states_));
    }
    return ok();
  }

  // ---- lists that grow ----------------------------------------------------------------------------------------------

  // A list that gets one element at its end in each iteration, and is not read, need not be carried:
  // the loop collects its elements.
  Status collect_what_lists_get() {
    for (size_t i = 0; i < states_.size(); ++i) {
      Value* element = is_unchanged(i) ? nullptr : element_at_end(i);
      if (!element) continue;
      Node* same = body_->add_node(ops::Identity, {element});
      same->output()->set_type(element->type());
      collected_.emplace(i, same->output());
    }
    if (collected_.empty()) return ok();
    LAPIS_TRY(trips_, trips_of(t_, parts()));
    if (trips_) count_instead();
    return ok();
  }

  // What a body that makes Concat(list, Unsqueeze(element)) of a list, and reads neither, adds to it.
  Value* element_at_end(size_t i) const {
    const Value* list = body_->inputs()[kFirstState + position_of_input(i)];
    const Node* join = only_reason_for(body_->outputs()[i + 1]);
    if (!join || !join->is(ops::Concat) || join->inputs().size() != 2 || join->input(0) != list || !is_read_once(list))
      return nullptr;
    const Node* row = join->input(1)->producer();
    if (!row || !row->is(ops::Unsqueeze) || constant_number(row->input(1)) != 0) return nullptr;
    Value* element = row->input(0);
    return element && element->type().ranked() ? element : nullptr;
  }

  static bool is_read_once(const Value* v) { return v && v->uses().size() == 1 && !v->is_graph_output(); }

  // The node that makes a result, if it makes nothing else.
  static const Node* only_reason_for(const Value* result) {
    const Node* node = result->uses().empty() ? result->producer() : nullptr;
    while (node && node->is(ops::Identity)) {
      const Value* before = node->input(0);
      node = is_read_once(before) ? before->producer() : nullptr;
    }
    return node;
  }

  // The number of iterations is known before the loop, and the size of what it collects with it.
  void count_instead() {
    Value* condition = body_->outputs()[0];
    Node* goes_on = body_->add_node(ops::Identity, {body_->inputs()[1]});
    goes_on->output()->set_type(body_->inputs()[1]->type());
    body_->set_output(0, goes_on->output());
    erase_unread(condition);
  }

  // What nothing in the body reads any more.
  void erase_unread(Value* value) {
    Node* node = value->producer();
    const auto is_read = [](const Value* v) { return v && !v->unused(); };
    if (!node || &value->graph() != body_.get() || std::ranges::any_of(node->outputs(), is_read)) return;
    const std::vector<Value*> inputs(node->inputs().begin(), node->inputs().end());
    body_->erase(node);
    for (Value* input : inputs)
      if (input) erase_unread(input);
  }

  // ---- what it may be besides ---------------------------------------------------------------------------------------

  LoopParts parts() const {
    LoopParts parts{*body_, {}, states_, {}};
    size_t next = kFirstState;
    for (size_t i = 0; i < states_.size(); ++i) {
      parts.unchanged.push_back(is_unchanged(i));
      parts.inputs.push_back(is_constant(i) ? nullptr : body_->inputs()[next++]);
    }
    return parts;
  }

  Status set_all(std::vector<Value*> results) {
    for (size_t i = 0; i < results.size(); ++i) {
      if (is_unchanged(i)) {
        LAPIS_TRY(results[i], t_.add(ops::Identity, {results[i]}));
      }
      LAPIS_CHECK(set_result(t_, i, results[i]));
    }
    return ok();
  }

  // ---- the node -----------------------------------------------------------------------------------------------------

  // Among those of states; states that are constants have none.
  size_t position_of_input(size_t i) const {
    size_t at = 0;
    for (size_t k = 0; k < i; ++k) at += is_constant(k) ? 0 : 1;
    return at;
  }
  Result<Value*> body_input(size_t i) const {
    const size_t at = kFirstState + position_of_input(i);
    if (at < body_->inputs().size()) return body_->inputs()[at];
    return error(ErrorKind::Input, "its graph does not fit its states");
  }

  void read_from_around() {
    std::vector<Value*> outputs = {body_->outputs()[0]};
    std::vector<std::pair<Value*, Value*>> around;
    size_t at = kFirstState;
    for (size_t i = 0; i < states_.size(); ++i) {
      if (is_carried(i)) outputs.push_back(body_->outputs()[i + 1]);
      if (is_constant(i)) continue;
      if (!is_carried(i)) around.emplace_back(body_->inputs()[at], states_[i]);
      ++at;
    }
    std::vector<Value*> joined;
    for (const auto& [i, element] : collected_) {
      joined.push_back(body_->outputs()[i + 1]);
      outputs.push_back(element);
    }
    body_->set_outputs(std::move(outputs));
    for (Value* list : joined) erase_unread(list);
    for (const auto& [input, value] : around) {
      body_->replace_all_uses(input, value);
      body_->remove_input(input);
    }
  }

  Status add_node(Value* condition) {
    const bool is_counted = trips_ && condition->is_constant() && condition->constant().data<bool>()[0];
    std::vector<Value*> inputs = {trips_, is_counted ? nullptr : condition};
    for (size_t i = 0; i < states_.size(); ++i)
      if (is_carried(i)) inputs.push_back(states_[i]);
    const size_t results_count = inputs.size() - kFirstState + collected_.size();
    if (results_count == 0) return Translation::unsupported("a loop that changes nothing");
    LAPIS_TRY(
        const std::vector<Value*> results,
        t_.add_all(ops::Loop, std::move(inputs), encode_attributes(ops::LoopAttrs{.body = body_}), results_count));
    std::vector<Value*> all = states_;
    size_t next = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      if (is_carried(i)) all[i] = results[next++];
      if (is_first_around(i)) LAPIS_CHECK(complete_type(*all[i], types_[i]));
    }
    for (const auto& [i, element] : collected_) {
      LAPIS_TRY(all[i], behind(states_[i], results[next++]));
    }
    return set_all(std::move(all));
  }

  // A loop around that tries what its lists are goes by what this one makes of them.
  bool is_first_around(size_t i) const { return is_carried(i) && t_.input(i + 1).unfilled; }

  Result<Value*> behind(Value* list, Value* elements) {
    if (list->type().ranked() && list->type().dim(0).is(0)) return elements;
    return t_.add(ops::Concat, {list, elements}, ops::ConcatAttrs{.axis = 0});
  }

  Translation& t_;
  bool is_first_ = true;  // of the tries
  std::set<size_t> unchanged_;
  std::vector<Value*> states_;
  std::vector<Type> types_;
  std::shared_ptr<Graph> body_;
  std::map<size_t, Value*> collected_;  // what the body gives instead of these states, which are lists
  Value* trips_ = nullptr;
};

// ---- scans ----------------------------------------------------------------------------------------------------------

// What a step is given: a slice of a sequence, or what the operand is.
SourceValue given(const Translation& t, size_t i, const Value* operand, bool is_slice, bool is_constant) {
  SourceValue value;
  value.type = operand->type();
  if (is_slice && value.type.ranked() && value.type.rank() > 0) value.type.dims->erase(value.type.dims->begin());
  if (is_constant) value.constant = t.input(i).constant;
  return value;
}

}  // namespace

Status branch(Translation& t) {
  LAPIS_TRY(Value * condition, condition_of(t));
  LAPIS_TRY(const std::vector<Value*> values, operands_behind_condition(t));
  ops::IfAttrs attributes;
  LAPIS_TRY(attributes.then_branch, branch_of(t, 0, values));
  LAPIS_TRY(attributes.else_branch, branch_of(t, 1, values));
  guess_types(t, *attributes.then_branch, *attributes.else_branch);
  LAPIS_CHECK(set_unset(t, 0, *attributes.then_branch, *attributes.else_branch, values));
  LAPIS_CHECK(set_unset(t, 1, *attributes.else_branch, *attributes.then_branch, values));
  LAPIS_CHECK(fill_lists(t, *attributes.then_branch, *attributes.else_branch, values));
  LAPIS_CHECK(fill_lists(t, *attributes.else_branch, *attributes.then_branch, values));
  LAPIS_TRY(const std::vector<Value*> results,
            t.add_all(ops::If, {condition}, encode_attributes(attributes), t.output_count()));
  for (size_t i = 0; i < results.size(); ++i) LAPIS_CHECK(set_result(t, i, results[i]));
  return ok();
}

Status loop(Translation& t) { return LoopBuilder(t).run(); }

Status scan(Translation& t) {
  const auto states = static_cast<size_t>(t.get<int64_t>(kStates, 0)),
             sequences = static_cast<size_t>(t.get<int64_t>(kSequences, 0));
  std::vector<Value*> operands, inputs;
  std::vector<SourceValue> known;
  for (size_t i = 0; i < t.input_count(); ++i) {
    LAPIS_TRY(operands.emplace_back(), t.stored(i, Layout::AsWritten));
    const bool is_around = i >= states + sequences;
    known.push_back(given(t, i, operands[i], i >= states && !is_around, is_around));
    if (!is_around) inputs.push_back(operands[i]);
  }
  ops::ScanAttrs attributes;
  attributes.num_scan_inputs = static_cast<int64_t>(sequences);
  LAPIS_TRY(attributes.body, t.body(0, known));
  const std::vector<Value*> of_body = attributes.body->inputs();
  size_t next = states + sequences;
  for (size_t i = next; i < operands.size(); ++i) {
    if (known[i].constant.defined()) continue;
    attributes.body->replace_all_uses(of_body[next], operands[i]);
    attributes.body->remove_input(of_body[next++]);
  }
  LAPIS_TRY(const std::vector<Value*> results,
            t.add_all(ops::Scan, inputs, encode_attributes(attributes), t.output_count()));
  for (size_t i = 0; i < results.size(); ++i) LAPIS_CHECK(set_result(t, i, results[i]));
  return ok();
}

}  // namespace lapis::frontend
