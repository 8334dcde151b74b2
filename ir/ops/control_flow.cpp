// Operators with subgraphs: If, Loop, Scan. None is marked Pure: what they read from enclosing graphs is not among
// their operands.
#include "ir/ops/control_flow.h"

#include <algorithm>

#include "ir/ops/data_attributes.h"
#include "ir/ops/movement.h"
#include "ir/ops/ops.h"

namespace lapis::ops {

std::optional<Type> common(const Type& a, const Type& b) {
  if (a.kind != b.kind) return std::nullopt;
  if (!a.is_tensor()) return a == b ? std::optional(a) : std::nullopt;
  if (a.dtype != b.dtype && a.dtype != DType::Undefined && b.dtype != DType::Undefined) return std::nullopt;
  Type result = Type::tensor(a.dtype == DType::Undefined ? b.dtype : a.dtype);
  if (!a.ranked() || !b.ranked() || a.rank() != b.rank()) return result;
  result.dims = a.dims;
  for (size_t i = 0; i < a.dims->size(); ++i)
    if (!((*a.dims)[i] == (*b.dims)[i])) (*result.dims)[i] = Dim::unknown();
  return result;
}

namespace {

constexpr TypeSet kBool = types(DType::Bool);

Type element_type_only(const Type& type) { return type.is_tensor() ? Type::tensor(type.dtype) : type; }

Types output_types(const Graph& graph) {
  Types types;
  for (const Value* output : graph.outputs()) types.push_back(output->type());
  return types;
}

template <class Context> Status check_count(const Context& c, std::string_view what, size_t has, size_t wanted) {
  if (has == wanted) return ok();
  return c.error("the subgraph has " + std::to_string(has) + " " + std::string(what) + ", needed are " +
                 std::to_string(wanted));
}

// ---- If ------------------------------------------------------------------------------------------------------------

Result<Types> infer_if(const InferContext& c) {
  const auto a = c.attrs<IfAttrs>();
  const size_t outputs = c.node().outputs().size();
  for (const Graph* branch : {a.then_branch.get(), a.else_branch.get()}) {
    LAPIS_CHECK(check_count(c, "inputs", branch->inputs().size(), 0));
    LAPIS_CHECK(check_count(c, "outputs", branch->outputs().size(), outputs));
  }
  const Types on = output_types(*a.then_branch), off = output_types(*a.else_branch);
  if (const Tensor* condition = c.constant(0); condition && condition->size() == 1)
    return condition->data<bool>()[0] ? on : off;
  Types types;
  for (size_t i = 0; i < outputs; ++i) {
    const auto either = common(on[i], off[i]);
    if (!either)
      return c.error("the branches give different types: " + on[i].to_string() + " and " + off[i].to_string());
    types.push_back(*either);
  }
  return types;
}

Status evaluate_if(EvalContext& c) {
  const auto a = c.attrs<IfAttrs>();
  if (c.in(0).size() != 1) return c.error("the condition must be one truth value, not " + to_string(c.in(0)));
  LAPIS_TRY(std::vector<Tensor> results, c.run(c.in(0).data<bool>()[0] ? *a.then_branch : *a.else_branch, {}));
  for (size_t i = 0; i < results.size(); ++i) c.set_out(i, std::move(results[i]));
  return ok();
}

// ---- results of all iterations -------------------------------------------------------------------------------------

// Of no iteration at all; sizes nobody has told are taken as 0.
Tensor stacked_nothing(const Type& part, int64_t axis) {
  lapis::Shape shape;
  for (const Dim& d : part.dims.value_or(Dims())) shape.push_back(d.constant().value_or(0));
  shape.insert(shape.begin() + std::min(axis, static_cast<int64_t>(shape.size())), 0);
  return Tensor(part.dtype, std::move(shape));
}

// One more axis that counts the iterations.
Result<Tensor> stacked(const EvalContext& c, std::vector<Tensor> parts, const Type& type, int64_t axis) {
  if (parts.empty()) return stacked_nothing(type, axis);
  const lapis::Shape first = parts[0].shape();
  for (Tensor& part : parts) {
    if (part.shape() != first) return c.error("a scanned result changes its shape between iterations");
    lapis::Shape shape = part.shape();
    shape.insert(shape.begin() + axis, 1);
    part = part.reshaped(std::move(shape));
  }
  return concat(parts, axis);
}

Type stacked_type(const Type& part, int64_t axis, const Dim& count) {
  Type result = part;
  if (result.dims) result.dims->insert(result.dims->begin() + axis, count);
  return result;
}

// ---- Loop ----------------------------------------------------------------------------------------------------------
// body: (iteration, condition, states...) -> (condition, states..., scanned...)

size_t loop_states(size_t operands) { return operands > 2 ? operands - 2 : 0; }

// The shape of a state may change from one iteration to the next.
Types loop_body_inputs(const InferContext& c) {
  Types types = {Type::tensor(DType::Int64), Type::tensor(DType::Bool)};
  for (size_t i = 2; i < c.input_count(); ++i) types.push_back(c.has(i) ? element_type_only(c.in(i)) : Type());
  return types;
}

// A trip count or condition that is not one number tells nothing.
Status check_one(const InferContext& c, size_t i, std::string_view name) {
  if (!c.has(i) || !c.in(i).is_static() || element_count(c.in(i).shape()) == 1) return ok();
  return c.error(std::string(name) + " must be one value, not " + c.in(i).to_string());
}

bool is_true(const Value* v) { return v->is_constant() && v->constant().size() == 1 && v->constant().data<bool>()[0]; }

// How often the body runs, if that is known: nothing ends the loop before its trips are over.
Dim iterations(const InferContext& c, const Graph& body) {
  const Tensor* trips = c.constant(0);
  if (!trips || trips->size() != 1) return Dim::unknown();
  const Value* still = body.outputs()[0];
  while (still->producer() && still->producer()->is(Identity)) still = still->producer()->input(0);
  const bool goes_on = !c.has(1) || (is_true(c.node().input(1)) && (is_true(still) || still == body.inputs()[1]));
  return goes_on ? Dim(std::max<int64_t>(trips->as_int(0), 0)) : Dim::unknown();
}

Result<Types> infer_loop(const InferContext& c) {
  const auto a = c.attrs<LoopAttrs>();
  LAPIS_CHECK(check_one(c, 0, "the trip count"));
  LAPIS_CHECK(check_one(c, 1, "the condition"));
  if (!c.has(0) && !c.has(1)) return c.error("has neither a trip count nor a condition, so it never ends");
  const size_t states = loop_states(c.input_count()), outputs = c.node().outputs().size();
  LAPIS_CHECK(check_count(c, "inputs", a.body->inputs().size(), states + 2));
  LAPIS_CHECK(check_count(c, "outputs", a.body->outputs().size(), outputs + 1));
  if (outputs < states)
    return c.error("has " + std::to_string(outputs) + " outputs, one is needed for each of " + std::to_string(states) +
                   " states");
  const Types body = output_types(*a.body);
  if (!body[0].is_tensor() || (body[0].dtype != DType::Bool && body[0].dtype != DType::Undefined))
    return c.error("the condition that the body gives is " + body[0].to_string() + ", not bool");
  Types types;
  for (size_t i = 0; i < outputs; ++i) {
    if (i >= states) {
      types.push_back(stacked_type(body[i + 1], 0, iterations(c, *a.body)));
      continue;
    }
    const Type& declared = a.body->inputs()[i + 2]->type();
    if (!merge(declared, c.in(i + 2)))
      return c.error("a state starts as " + c.in(i + 2).to_string() + " but the body takes " + declared.to_string());
    const auto either = common(c.in(i + 2), body[i + 1]);
    if (!either)
      return c.error("a state starts as " + c.in(i + 2).to_string() + " but the body gives " + body[i + 1].to_string());
    types.push_back(*either);
  }
  return types;
}

// Scalars that some models declare as vectors of one element.
Tensor shaped_like(const Tensor& scalar, const Value& declared) {
  return declared.type().ranked() && declared.type().rank() == 1 ? scalar.reshaped({1}) : scalar;
}

Result<bool> truth_of(const EvalContext& c, const Tensor& condition) {
  if (condition.dtype() == DType::Bool && condition.size() == 1) return condition.data<bool>()[0];
  return c.error("the condition must be one truth value, not " + std::string(name_of(condition.dtype())) +
                 to_string(condition.shape()));
}

// Without a condition among the operands, what the body says about going on is handed to its next iteration but does
// not end the loop.
Status evaluate_loop(EvalContext& c) {
  const auto a = c.attrs<LoopAttrs>();
  const size_t state_count = loop_states(c.input_count());
  if (c.has(0) && c.in(0).size() != 1) return c.error("the trip count must be one number, not " + to_string(c.in(0)));
  const int64_t trips = c.has(0) ? c.in(0).as_int(0) : INT64_MAX;
  bool go = true;
  if (c.has(1)) {
    LAPIS_TRY(go, truth_of(c, c.in(1)));
  }
  std::vector<Tensor> states;
  for (size_t i = 0; i < state_count; ++i) states.push_back(c.in(i + 2));
  std::vector<std::vector<Tensor>> scanned(a.body->outputs().size() - 1 - state_count);
  for (int64_t trip = 0; trip < trips && (go || !c.has(1)); ++trip) {
    std::vector<Tensor> inputs = {shaped_like(Tensor::scalar(trip), *a.body->inputs()[0]),
                                  shaped_like(Tensor::scalar(go), *a.body->inputs()[1])};
    inputs.insert(inputs.end(), states.begin(), states.end());
    LAPIS_TRY(std::vector<Tensor> results, c.run(*a.body, inputs));
    LAPIS_TRY(go, truth_of(c, results[0]));
    for (size_t i = 0; i < state_count; ++i) states[i] = std::move(results[i + 1]);
    for (size_t i = 0; i < scanned.size(); ++i) {
      scanned[i].push_back(std::move(results[i + 1 + state_count]));
    }
  }
  for (size_t i = 0; i < state_count; ++i) c.set_out(i, std::move(states[i]));
  for (size_t i = 0; i < scanned.size(); ++i) {
    LAPIS_TRY(Tensor all, stacked(c, std::move(scanned[i]), a.body->outputs()[i + 1 + state_count]->type(), 0));
    c.set_out(state_count + i, std::move(all));
  }
  return ok();
}

// ---- Scan ----------------------------------------------------------------------------------------------------------
// body: (states..., one slice of each sequence...) -> (states..., scanned...)

int64_t entry(const std::vector<int64_t>& values, size_t i) { return i < values.size() ? values[i] : 0; }

// Number of states; an error if operands, attributes and body do not fit together.
template <class Context> Result<size_t> scan_states(const Context& c, const ScanAttrs& a) {
  const auto operands = static_cast<int64_t>(c.input_count());
  if (a.num_scan_inputs < 1 || a.num_scan_inputs > operands)
    return c.error("num_scan_inputs is " + std::to_string(a.num_scan_inputs) + " with " + std::to_string(operands) +
                   " operands");
  const auto states = static_cast<size_t>(operands - a.num_scan_inputs);
  LAPIS_CHECK(check_count(c, "inputs", a.body->inputs().size(), static_cast<size_t>(operands)));
  LAPIS_CHECK(check_count(c, "outputs", a.body->outputs().size(), c.node().outputs().size()));
  if (a.body->outputs().size() < states) return c.error("the body has fewer outputs than there are states");
  return states;
}

Types scan_body_inputs(const InferContext& c) {
  const auto a = c.attrs<ScanAttrs>();
  const size_t states = c.input_count() - static_cast<size_t>(std::clamp<int64_t>(
                                              a.num_scan_inputs, 0, static_cast<int64_t>(c.input_count())));
  Types types;
  for (size_t i = 0; i < c.input_count(); ++i) {
    Type type = c.has(i) ? c.in(i) : Type();
    if (i >= states && type.ranked()) {
      const auto axis = c.axis(entry(a.scan_input_axes, i - states), type.rank());
      if (axis.ok())
        type.dims->erase(type.dims->begin() + *axis);
      else
        type.dims.reset();  // infer reports it
    }
    types.push_back(std::move(type));
  }
  return types;
}

Result<Types> infer_scan(const InferContext& c) {
  const auto a = c.attrs<ScanAttrs>();
  LAPIS_TRY(const size_t states, scan_states(c, a));
  Dim length;
  for (size_t i = states; i < c.input_count(); ++i) {
    if (!c.in(i).ranked()) continue;
    LAPIS_TRY(const int64_t axis, checked_axis(c, entry(a.scan_input_axes, i - states), c.in(i).rank()));
    if (!length.is_constant()) length = c.in(i).dim(axis);
  }
  Types types = output_types(*a.body);
  for (size_t i = states; i < types.size(); ++i) {
    int64_t axis = 0;
    if (types[i].ranked()) {
      LAPIS_TRY(axis, checked_axis(c, entry(a.scan_output_axes, i - states), types[i].rank() + 1));
    }
    types[i] = stacked_type(types[i], axis, length);
  }
  return types;
}

// Element `at` along an axis, that axis removed.
Tensor slice_of(const Tensor& sequence, int64_t axis, int64_t at) {
  Offsets offsets = identity_offsets(sequence.shape());
  auto& along = offsets[static_cast<size_t>(axis)];
  along = {along[static_cast<size_t>(at)]};
  lapis::Shape shape = sequence.shape();
  shape.erase(shape.begin() + axis);
  return collect(sequence, offsets).reshaped(std::move(shape));
}

// The body's operands in iteration `trip`: the slices of all sequences.
Result<std::vector<Tensor>> scan_slices(const EvalContext& c, const ScanAttrs& a, size_t states, int64_t trip,
                                        int64_t length) {
  std::vector<Tensor> slices;
  for (size_t i = states; i < c.input_count(); ++i) {
    LAPIS_TRY(const int64_t axis, checked_axis(c, entry(a.scan_input_axes, i - states), c.in(i).rank()));
    if (c.in(i).dim(axis) != length) return c.error("the sequences differ in length");
    slices.push_back(slice_of(c.in(i), axis, entry(a.scan_input_directions, i - states) ? length - 1 - trip : trip));
  }
  return slices;
}

Status evaluate_scan(EvalContext& c) {
  const auto a = c.attrs<ScanAttrs>();
  LAPIS_TRY(const size_t states, scan_states(c, a));
  LAPIS_TRY(const int64_t first_axis, checked_axis(c, entry(a.scan_input_axes, 0), c.in(states).rank()));
  const int64_t length = c.in(states).dim(first_axis);
  std::vector<Tensor> current;
  for (size_t i = 0; i < states; ++i) current.push_back(c.in(i));
  std::vector<std::vector<Tensor>> scanned(a.body->outputs().size() - states);
  for (int64_t trip = 0; trip < length; ++trip) {
    LAPIS_TRY(const std::vector<Tensor> slices, scan_slices(c, a, states, trip, length));
    current.insert(current.end(), slices.begin(), slices.end());
    LAPIS_TRY(std::vector<Tensor> results, c.run(*a.body, current));
    for (size_t i = 0; i < scanned.size(); ++i) scanned[i].push_back(std::move(results[states + i]));
    current.assign(results.begin(), results.begin() + static_cast<ptrdiff_t>(states));
  }
  for (size_t i = 0; i < states; ++i) c.set_out(i, std::move(current[i]));
  for (size_t i = 0; i < scanned.size(); ++i) {
    const Type& part = a.body->outputs()[states + i]->type();
    const int64_t rank = scanned[i].empty() ? (part.ranked() ? part.rank() : 0) : scanned[i][0].rank();
    LAPIS_TRY(const int64_t axis, checked_axis(c, entry(a.scan_output_axes, i), rank + 1));
    if (entry(a.scan_output_directions, i)) std::reverse(scanned[i].begin(), scanned[i].end());
    LAPIS_TRY(Tensor all, stacked(c, std::move(scanned[i]), part, axis));
    c.set_out(states + i, std::move(all));
  }
  return ok();
}

}  // namespace

const OpDef If = op("If")
                     .since(25)
                     .doc("The results of one of two subgraphs.")
                     .in("cond", kBool)
                     .variadic_out("outputs")
                     .attrs<IfAttrs>()
                     .infer(infer_if)
                     .evaluate(evaluate_if);

const OpDef Loop =
    op("Loop")
        .since(25)
        .doc("A subgraph run again and again on its own results, as often as told and while its condition holds.")
        .optional_in("M", types(DType::Int64))
        .optional_in("cond", kBool)
        .variadic_in("v_initial")
        .variadic_out("v_final_and_scan_outputs")
        .attrs<LoopAttrs>()
        .infer(infer_loop)
        .evaluate(evaluate_loop)
        .body_inputs(loop_body_inputs);

const OpDef Scan =
    op("Scan")
        .since(25)
        .doc("A subgraph run once for each slice of its sequences, states handed on from one to the next.")
        .variadic_in("initial_state_and_scan_inputs")
        .variadic_out("final_state_and_scan_outputs")
        .attrs<ScanAttrs>()
        .infer(infer_scan)
        .evaluate(evaluate_scan)
        .body_inputs(scan_body_inputs);

}  // namespace lapis::ops
