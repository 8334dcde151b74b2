// Branches, loops, and what calls hand on (calls.h says what the reader makes of them).
#include "frontends/common/build.h"
#include "frontends/common/elementwise.h"
#include "frontends/tflite/translators.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::tflite_frontend {
namespace {

Status set_all(Translation& t, const std::vector<Value*>& results) {
  for (size_t i = 0; i < t.output_count(); ++i)
    if (!t.node().outputs[i].empty()) LAPIS_CHECK(t.set_stored(i, results[i], Layout::AsWritten));
  return ok();
}

// One truth value, which some files write as a vector.
Result<Value*> condition_of(Translation& t) {
  LAPIS_TRY(Value * condition, t.stored(0, Layout::AsWritten));
  if (condition->dtype() != DType::Bool) return error(ErrorKind::Input, "its condition is no truth value");
  return frontend::reshape(t, condition, {});
}

// Branches read values of the graph around them where TFLite gives them inputs.
Result<std::shared_ptr<Graph>> branch_of(Translation& t, size_t i, const std::vector<Value*>& values) {
  LAPIS_TRY(std::shared_ptr<Graph> body, t.body(i));
  const std::vector<Value*> inputs = body->inputs();
  if (inputs.size() != values.size() || body->outputs().size() != t.output_count())
    return error(ErrorKind::Input, "its graphs do not fit its operands and results");
  for (size_t k = 0; k < inputs.size(); ++k) {
    body->replace_all_uses(inputs[k], values[k]);
    body->remove_input(inputs[k]);
  }
  return body;
}

Result<std::vector<Value*>> operands_behind_condition(Translation& t) {
  std::vector<Value*> values;
  for (size_t i = 1; i < t.input_count(); ++i) {
    LAPIS_TRY(values.emplace_back(), t.stored(i, Layout::AsWritten));
  }
  return values;
}

}  // namespace

Status hand_on(Translation& t) {
  if (t.input_count() < t.output_count()) return error(ErrorKind::Input, "gives fewer values than it should");
  for (size_t i = 0; i < t.output_count(); ++i) {
    if (t.node().outputs[i].empty()) continue;
    const frontend::SourceValue& x = t.input(i);
    if (x.constant.defined()) {
      t.set_constant(i, x.constant, x.quantization);
      continue;
    }
    const Layout layout = frontend::plain_layout(t, i);
    LAPIS_TRY(Value * value, t.stored(i, layout));
    LAPIS_TRY(value, t.add(ops::Identity, {value}));
    LAPIS_CHECK(t.set_stored(i, value, layout));
  }
  return ok();
}

Status branch(Translation& t) {
  LAPIS_TRY(Value * condition, condition_of(t));
  LAPIS_TRY(const std::vector<Value*> values, operands_behind_condition(t));
  ops::IfAttrs attributes;
  LAPIS_TRY(attributes.then_branch, branch_of(t, 0, values));
  LAPIS_TRY(attributes.else_branch, branch_of(t, 1, values));
  LAPIS_TRY(const std::vector<Value*> results,
            t.add_all(ops::If, {condition}, encode_attributes(attributes), t.output_count()));
  return set_all(t, results);
}

Status repeat(Translation& t) {
  LAPIS_TRY(Value * condition, condition_of(t));
  LAPIS_TRY(const std::vector<Value*> states, operands_behind_condition(t));
  ops::LoopAttrs attributes;
  LAPIS_TRY(attributes.body, t.body(0));
  std::vector<Value*> inputs = {nullptr, condition};
  inputs.insert(inputs.end(), states.begin(), states.end());
  if (t.output_count() != states.size()) return error(ErrorKind::Input, "its results are not its states");
  LAPIS_TRY(const std::vector<Value*> results,
            t.add_all(ops::Loop, std::move(inputs), encode_attributes(attributes), t.output_count()));
  return set_all(t, results);
}

}  // namespace lapis::tflite_frontend
