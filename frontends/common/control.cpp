#include "frontends/common/control.h"

#include <algorithm>
#include <set>

#include "frontends/common/build.h"
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

Status set_result(Translation& t, size_t i, Value* value) {
  if (t.node().outputs[i].empty()) return ok();
  return t.set_stored(i, value, Layout::AsWritten);
}

// ---- branches -------------------------------------------------------------------------------------------------------------

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

// ---- loops ----------------------------------------------------------------------------------------------------------------

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
    for (const Value* state : states_) types_.push_back(start_of(state->type()));
    LAPIS_CHECK(translate_body());
    LAPIS_TRY(const std::vector<Value*> recurrent, as_recurrent(t_, parts()));
    if (!recurrent.empty()) return set_all(recurrent);
    LAPIS_CHECK(give_lists_their_elements());
    read_from_around();
    return add_node(condition);
  }

 private:
  static constexpr size_t kFirstState = 2;  // behind the iteration and the condition
  static constexpr int kMostTries = 4;

  // A list that the loop is to fill begins without elements (tensorflow/lists.cpp), whose sizes its body tells.
  static bool is_unfilled(const Type& type) {
    if (!type.ranked() || type.rank() < 2) return false;
    return std::any_of(type.dims->begin() + 1, type.dims->end(), [](const Dim& d) { return d.is(0); });
  }
  static Type start_of(Type type) {
    if (!is_unfilled(type)) return type;
    if (type.rank() == 2) return Type::tensor(type.dtype);  // elements of a rank that is not known
    for (size_t axis = 1; axis < type.dims->size(); ++axis)
      if ((*type.dims)[axis].is(0)) (*type.dims)[axis] = Dim::unknown();
    return type;
  }

  bool is_unchanged(size_t i) const { return unchanged_.contains(i); }
  bool is_carried(size_t i) const { return !is_unchanged(i); }
  bool is_constant(size_t i) const { return is_unchanged(i) && t_.input(i + 1).constant.defined(); }

  // A state has what its start and every iteration have in common: the body is translated again where that is less than it was translated for.
  Status translate_body() {
    for (int i = 0; i < kMostTries; ++i) {
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
    }
    return all;
  }

  Result<bool> widen() {
    bool widened = false;
    for (size_t i = 0; i < states_.size(); ++i) {
      const Type& next = body_->outputs()[i + 1]->type();
      if (is_unchanged(i) || next == types_[i]) continue;
      const auto either = ops::common(types_[i], next);
      if (!either)
        return error(ErrorKind::Input,
                     "a state starts as " + types_[i].to_string() + " but its graph gives " + next.to_string());
      widened |= *either != types_[i];
      types_[i] = *either;
    }
    return widened;
  }

  // ---- lists ------------------------------------------------------------------------------------------------------------

  Status give_lists_their_elements() {
    for (size_t i = 0; i < states_.size(); ++i) {
      if (is_unchanged(i) || !is_unfilled(states_[i]->type())) continue;
      const Dim count = states_[i]->type().dim(0);
      Type filled = body_->outputs()[i + 1]->type();
      if (!filled.ranked() || filled.rank() == 0) return Translation::unsupported("a list of elements of unknown rank");
      const bool grows = !((*filled.dims)[0] == count);
      (*filled.dims)[0] = count;
      LAPIS_TRY(states_[i], zeros(filled));
      LAPIS_TRY(Value * taken, body_input(i));
      if (grows) (*filled.dims)[0] = Dim::unknown();
      taken->set_type(filled);
    }
    return ok();
  }

  Result<Value*> zeros(const Type& type) {
    std::vector<Value*> sizes;
    for (const Dim& d : *type.dims) {
      LAPIS_TRY(sizes.emplace_back(), size_of(d));
    }
    LAPIS_TRY(Value * shape, t_.add(ops::Concat, sizes, ops::ConcatAttrs{.axis = 0}));
    return t_.add(ops::Expand, {scalar(t_, 0, type.dtype), shape});
  }

  // As one element: a number, or the size of an operand.
  Result<Value*> size_of(const Dim& d) {
    if (d.is_constant()) return ints(t_, {d.value()});
    for (Value* state : states_) {
      const Type& type = state->type();
      for (int64_t axis = 0; d.is_known() && type.ranked() && axis < type.rank(); ++axis) {
        if (type.dim(axis) != d) continue;
        LAPIS_TRY(Value * shape, t_.add(ops::ShapeOf, {state}));
        return slice(t_, shape, 0, axis, axis + 1);
      }
    }
    return Translation::unsupported("a list whose elements have a size that only its loop knows");
  }

  // ---- what it may be besides -----------------------------------------------------------------------------------------------

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

  // ---- the node ---------------------------------------------------------------------------------------------------------

  // The input of the body for state i; those that are constants have none.
  Result<Value*> body_input(size_t i) const {
    size_t at = kFirstState;
    for (size_t k = 0; k < i; ++k) at += is_constant(k) ? 0 : 1;
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
      if (is_unchanged(i)) around.emplace_back(body_->inputs()[at], states_[i]);
      ++at;
    }
    body_->set_outputs(std::move(outputs));
    for (const auto& [input, value] : around) {
      body_->replace_all_uses(input, value);
      body_->remove_input(input);
    }
  }

  Status add_node(Value* condition) {
    std::vector<Value*> inputs = {nullptr, condition};
    for (size_t i = 0; i < states_.size(); ++i)
      if (is_carried(i)) inputs.push_back(states_[i]);
    const size_t carried = inputs.size() - kFirstState;
    if (carried == 0) return Translation::unsupported("a loop that changes nothing");
    LAPIS_TRY(const std::vector<Value*> results,
              t_.add_all(ops::Loop, std::move(inputs), encode_attributes(ops::LoopAttrs{.body = body_}), carried));
    std::vector<Value*> all = states_;
    size_t next = 0;
    for (size_t i = 0; i < all.size(); ++i)
      if (is_carried(i)) all[i] = results[next++];
    return set_all(std::move(all));
  }

  Translation& t_;
  std::set<size_t> unchanged_;
  std::vector<Value*> states_;
  std::vector<Type> types_;
  std::shared_ptr<Graph> body_;
};

}  // namespace

Status branch(Translation& t) {
  LAPIS_TRY(Value * condition, condition_of(t));
  LAPIS_TRY(const std::vector<Value*> values, operands_behind_condition(t));
  ops::IfAttrs attributes;
  LAPIS_TRY(attributes.then_branch, branch_of(t, 0, values));
  LAPIS_TRY(attributes.else_branch, branch_of(t, 1, values));
  LAPIS_TRY(const std::vector<Value*> results,
            t.add_all(ops::If, {condition}, encode_attributes(attributes), t.output_count()));
  for (size_t i = 0; i < results.size(); ++i) LAPIS_CHECK(set_result(t, i, results[i]));
  return ok();
}

Status loop(Translation& t) { return LoopBuilder(t).run(); }

}  // namespace lapis::frontend
