// If, Loop and Scan: branches and repetitions whose bodies are compiled too.
#include <algorithm>
#include <set>

#include "codegen/lower/loop_builder.h"
#include "codegen/lower/ops/families.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"

namespace lapis::codegen {
namespace {

Shape shape_of(const Value* v) { return v->type().shape(); }

// Models declare single numbers as vectors of one, too.
View shaped_as(const View& view, const Shape& shape) { return view.shape == shape ? view : *reshaped(view, shape); }
bool same_elements(const Value* a, const Value* b) {
  return a->dtype() == b->dtype() &&
         (shape_of(a) == shape_of(b) || (element_count(shape_of(a)) == 1 && element_count(shape_of(b)) == 1));
}

Status check_static(const std::vector<Value*>& values) {
  for (const Value* v : values)
    if (!v->type().is_tensor() || !v->type().is_static())
      return refuse("the shape of '" + v->name() + "' in its body, " + v->type().to_string() +
                    ", is not known when compiling");
  return ok();
}

// Conditions, trips and iterations: one number.
Status check_one(const Value* v, const char* what) {
  if (!v || element_count(shape_of(v)) == 1) return ok();
  return refuse(std::string(what) + " '" + v->name() + "' is " + v->type().to_string() + ", not one value");
}

// ---- If -------------------------------------------------------------------------------------------------------------

Status branches_agree(const Node& node) {
  const auto a = node.attrs<ops::IfAttrs>();
  LAPIS_CHECK(check_one(node.input(0), "the condition"));
  for (const Graph* body : {a.then_branch.get(), a.else_branch.get()}) {
    LAPIS_CHECK(check_static(body->outputs()));
    for (size_t i = 0; i < node.outputs().size(); ++i)
      if (node.output(i) && !same_elements(node.output(i), body->outputs()[i]))
        return refuse("its branches give different shapes");
  }
  return ok();
}

void branch(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  const auto a = node.attrs<ops::IfAttrs>();
  std::vector<View> results;
  for (const Value* output : node.outputs()) results.push_back(output ? l.allocate(output) : View{});
  const size_t at = l.emit(Branch{node.name(), l.view_of(node.input(0)), 0, 0}, region, "control");
  const auto lower_into_results = [&](const Graph& body) {
    if (!l.lower_graph(body)) return;
    for (size_t i = 0; i < results.size(); ++i)
      if (node.output(i))
        l.emit_copy(shaped_as(l.view_of(body.outputs()[i]), results[i].shape), results[i], node.output(i)->name());
  };
  lower_into_results(*a.then_branch);
  l.step<Branch>(at).otherwise = l.next_step();
  lower_into_results(*a.else_branch);
  l.step<Branch>(at).end = l.next_step();
}

// ---- what Loop and Scan share ---------------------------------------------------------------------------------------

// A body that runs again and again, states that it hands from one iteration to the next, and results of all iterations.
class Repetition {
 public:
  Repetition(Lowering& l, const FusedRegion& region, const Graph& body) : l_(l), region_(region), body_(body) {
    repeat.name = region.anchor->name();
    repeat.counter = l.plain_storage(repeat.name + ".iteration", DType::Int64, {});
  }

  Repeat repeat;

  // What the body takes as `input` and gives as output `next`; begins as `initial`.
  View add_state(const View& initial, const Value* input, size_t next) {
    View storage = l_.plain_storage(input->name(), input->dtype(), shape_of(input));
    l_.emit_copy(shaped_as(initial, storage.shape), storage, input->name());
    l_.alias(input, storage);
    states_.push_back({storage, body_.outputs()[next]});
    return storage;
  }

  // What the body gives as output `part` in all of `count` iterations, side by side along a new first axis.
  View collect(size_t part, int64_t count, bool backwards) {
    const Value* result = body_.outputs()[part];
    Shape all = shape_of(result);
    const View slice = l_.plain_storage(result->name() + ".part", result->dtype(), all);
    all.insert(all.begin(), count);
    View whole = l_.plain_storage(result->name() + ".all", result->dtype(), all);
    repeat.collections.push_back({slice, whole, backwards});
    parts_.push_back({slice, result});
    return whole;
  }

  // `begin` makes what the body takes anew in every iteration.
  template <class Begin> void run(Begin&& begin) {
    const size_t at = l_.emit(std::move(repeat), region_, "control");
    begin();
    if (l_.lower_graph(body_)) {
      for (const Kept& part : parts_) l_.emit_copy(l_.view_of(part.result), part.storage, part.result->name());
      hand_on();
    }
    l_.step<Repeat>(at).end = l_.next_step();
  }

 private:
  struct Kept {
    View storage;
    const Value* result;  // of the body, kept there at the end of an iteration
  };

  // All states change at once: what is made of one is set aside before any changes.
  void hand_on() {
    std::set<int> buffers;
    for (const Kept& s : states_) buffers.insert(s.storage.buffer);
    std::vector<View> next;
    for (const Kept& s : states_) {
      const View view = shaped_as(l_.view_of(s.result), s.storage.shape);
      next.push_back(buffers.contains(view.buffer) ? aside(view, s.result->name()) : view);
    }
    for (size_t i = 0; i < states_.size(); ++i) l_.emit_copy(next[i], states_[i].storage, states_[i].result->name());
  }

  View aside(const View& view, const std::string& name) {
    View copy = l_.plain_storage(name + ".aside", view.dtype, view.shape);
    l_.emit_copy(view, copy, name);
    return copy;
  }

  Lowering& l_;
  const FusedRegion& region_;
  const Graph& body_;
  std::vector<Kept> states_, parts_;
};

// Each state keeps its type from one iteration to the next.
Status states_stay(const Node& node, const Graph& body, size_t first_operand, size_t first_input, size_t first_output,
                   size_t count) {
  LAPIS_CHECK(check_static(body.inputs()));
  LAPIS_CHECK(check_static(body.outputs()));
  for (size_t i = 0; i < count; ++i) {
    const Value *initial = node.input(first_operand + i), *input = body.inputs()[first_input + i];
    if (!same_elements(initial, input) || !same_elements(input, body.outputs()[first_output + i]))
      return refuse("the state '" + input->name() + "' changes its type from one iteration to the next");
  }
  return ok();
}

// Results lie where states and collections do.
View kept_row_major(const Value& v) { return row_major_view(-1, v.dtype(), shape_of(&v)); }

// ---- Loop: (iteration, condition, states...) -> (condition, states..., collected...) --------------------------------

size_t loop_states(const Node& node) { return node.inputs().size() > 2 ? node.inputs().size() - 2 : 0; }

Status loop_stays(const Node& node) {
  const auto a = node.attrs<ops::LoopAttrs>();
  LAPIS_CHECK(states_stay(node, *a.body, 2, 2, 1, loop_states(node)));
  LAPIS_CHECK(check_one(node.input(0), "the trip count"));
  for (const Value* v : {node.input(1), a.body->inputs()[1], a.body->outputs()[0]})
    LAPIS_CHECK(check_one(v, "the condition"));
  return check_one(a.body->inputs()[0], "the iteration");
}

std::optional<View> kept_by_loop(const Node& node, size_t output, const View&) {
  return kept_row_major(*node.output(output));
}

// What it collects has a length because the model declares one.
bool only_declares_length(const Node& node) {
  const auto inferred = types_without_declarations(node);
  return inferred.ok() && std::any_of(inferred->begin() + static_cast<ptrdiff_t>(loop_states(node)), inferred->end(),
                                      [](const Type& t) { return t.ranked() && !t.dims->front().is_constant(); });
}

void loop(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  const auto a = node.attrs<ops::LoopAttrs>();
  const Graph& body = *a.body;
  const size_t states = loop_states(node);
  Repetition repetition(l, region, body);
  l.alias(body.inputs()[0], shaped_as(repetition.repeat.counter, shape_of(body.inputs()[0])));
  const bool conditional = node.input(1) != nullptr;
  const View first = conditional ? l.view_of(node.input(1)) : l.constant(Tensor::scalar(true), "true");
  const View condition = repetition.add_state(first, body.inputs()[1], 0);
  if (conditional)
    repetition.repeat.condition = condition;  // else what the body says about going on does not end the loop
  if (node.input(0)) repetition.repeat.trips = l.view_of(node.input(0));
  for (size_t i = 0; i < states; ++i) {
    const View state = repetition.add_state(l.view_of(node.input(i + 2)), body.inputs()[i + 2], i + 1);
    if (node.output(i)) l.alias(node.output(i), shaped_as(state, shape_of(node.output(i))));
  }
  for (size_t i = states; i < node.outputs().size(); ++i)
    if (const Value* y = node.output(i)) l.alias(y, repetition.collect(i + 1, shape_of(y)[0], false));
  repetition.repeat.only_declared = !repetition.repeat.collections.empty() && only_declares_length(node);
  repetition.run([] {});
}

// ---- Scan: (states..., slices...) -> (states..., collected...) ------------------------------------------------------

int64_t entry(const std::vector<int64_t>& values, size_t i) { return i < values.size() ? values[i] : 0; }
size_t scan_states(const Node& node) {
  return node.inputs().size() - static_cast<size_t>(node.attrs<ops::ScanAttrs>().num_scan_inputs);
}

int64_t scan_axis(const std::vector<int64_t>& axes, size_t i, const Value* sequence) {
  return ops::normalized(entry(axes, i), sequence->type().rank());
}

Status scan_stays(const Node& node) {
  const auto a = node.attrs<ops::ScanAttrs>();
  const size_t states = scan_states(node);
  LAPIS_CHECK(states_stay(node, *a.body, 0, 0, 0, states));
  for (size_t i = states; i < node.inputs().size(); ++i)
    if (element_count(shape_of(node.input(i))) == 0) return refuse("a sequence without elements");
  return ok();
}

// The slice of `sequence` along `axis` that belongs to the iteration, which counts from its end if `backwards`.
void read_slice(Lowering& l, const View& sequence, int64_t axis, bool backwards, const View& counter,
                const Value* slice) {
  const View to = l.plain_storage(slice->name(), slice->dtype(), shape_of(slice));
  l.alias(slice, to);
  const int64_t count = sequence.shape[static_cast<size_t>(axis)], stride = sequence.strides[static_cast<size_t>(axis)];
  View from = sequence;
  from.shape.erase(from.shape.begin() + axis);
  from.strides.erase(from.strides.begin() + axis);
  LoopBuilder b(l, slice->name(), to.shape);
  const Mapping here = straight(to.shape);
  int at = b.load_view(b.add_view(counter, here));
  if (backwards) {
    const int last = b.k(DType::Int64, count - 1);
    at = b.op(Op::Sub, {last, at});
  }
  const int loaded = b.program.add(Instr{Op::Gather, from.dtype, {at, -1, -1}, b.add_view(from, here), stride, count});
  b.store(b.add_view(to, here), loaded);
  b.end_phase(Loop::Over::Row);
  l.emit(b.finish(), "slice for " + slice->name(), std::string(name_of(to.dtype)));
}

// Axis 0 becomes axis `to`.
View with_first_axis_at(const View& view, int64_t to) {
  std::vector<int64_t> order;
  for (int64_t i = 1; i < static_cast<int64_t>(view.shape.size()); ++i) order.push_back(i);
  order.insert(order.begin() + to, 0);
  return permuted(view, order);
}

// Slices are collected along axis 0, wherever they are to lie.
std::optional<View> kept_by_scan(const Node& node, size_t output, const View&) {
  const Value& v = *node.output(output);
  if (output < scan_states(node)) return kept_row_major(v);
  const auto a = node.attrs<ops::ScanAttrs>();
  const int64_t axis = scan_axis(a.scan_output_axes, output - scan_states(node), &v);
  Shape all = shape_of(&v);
  std::rotate(all.begin(), all.begin() + axis, all.begin() + axis + 1);
  return with_first_axis_at(row_major_view(-1, v.dtype(), all), axis);
}

void scan(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  const auto a = node.attrs<ops::ScanAttrs>();
  const Graph& body = *a.body;
  const size_t states = scan_states(node);
  const Value* first = node.input(states);
  const int64_t length = shape_of(first)[static_cast<size_t>(scan_axis(a.scan_input_axes, 0, first))];
  Repetition repetition(l, region, body);
  repetition.repeat.trips = l.constant(Tensor::scalar(length), "length");
  for (size_t i = 0; i < states; ++i) {
    const View state = repetition.add_state(l.view_of(node.input(i)), body.inputs()[i], i);
    if (node.output(i)) l.alias(node.output(i), shaped_as(state, shape_of(node.output(i))));
  }
  for (size_t i = states; i < node.outputs().size(); ++i)
    if (const Value* y = node.output(i)) {
      const View all = repetition.collect(i, length, entry(a.scan_output_directions, i - states) != 0);
      l.alias(y, with_first_axis_at(all, scan_axis(a.scan_output_axes, i - states, y)));
    }
  const View counter = repetition.repeat.counter;
  repetition.run([&] {
    for (size_t i = states; i < node.inputs().size(); ++i)
      read_slice(l, l.view_of(node.input(i)), scan_axis(a.scan_input_axes, i - states, node.input(i)),
                 entry(a.scan_input_directions, i - states) != 0, counter, body.inputs()[i]);
  });
}

}  // namespace

OpLowerings control_flow_rows() {
  return {
      code_for(ops::If).block(branch, branches_agree),
      code_for(ops::Loop).block(loop, loop_stays).keeps(kept_by_loop),
      code_for(ops::Scan).block(scan, scan_stays).keeps(kept_by_scan),
  };
}

}  // namespace lapis::codegen
