#include "frontends/common/recurrent.h"

#include <algorithm>
#include <map>

#include "frontends/common/build.h"
#include "ir/match.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"
#include "ir/ops/recurrent.h"

namespace lapis::frontend {
namespace {

using namespace pattern;

// ---- what a body consists of ----------------------------------------------------------------------------------------

// Behind nodes that change how a value is written, not what it says.
Value* meaning_of(Value* v) {
  while (v && v->producer() &&
         (v->producer()->is(ops::Identity) || v->producer()->is(ops::Cast) || v->producer()->is(ops::Reshape) ||
          v->producer()->is(ops::Unsqueeze) || v->producer()->is(ops::Squeeze)))
    v = v->producer()->input(0);
  return v;
}

// Columns of a matrix [N, gates * units].
struct Columns {
  Value* of = nullptr;
  int64_t begin = 0, width = 0;
};

std::optional<Columns> part_of_split(const Value* v) {
  const Node& split = *v->producer();
  const auto axis = split.attrs<ops::SplitAttrs>().axis;
  if (axis != 1 && axis != -1) return std::nullopt;
  Columns columns{split.input(0), 0, v->type().dim(1).value()};
  for (size_t i = 0; i < v->output_index(); ++i) {
    const Dim& width = split.output(i)->type().dim(1);
    if (!width.is_constant()) return std::nullopt;
    columns.begin += width.value();
  }
  return columns;
}

std::vector<int64_t> constant_numbers(const Value* v) {
  return v && v->is_constant() && is_integer(v->dtype()) ? v->constant().as_ints() : std::vector<int64_t>();
}

// Of the second axis, the first one whole.
std::optional<Columns> part_of_slice(const Value* v) {
  const Node& slice = *v->producer();
  const std::vector<int64_t> begins = constant_numbers(slice.input(1)), axes = constant_numbers(slice.input(3)),
                             steps = constant_numbers(slice.input(4));
  if (begins.size() != axes.size() || (slice.input(4) && steps.empty())) return std::nullopt;
  if (std::ranges::any_of(steps, [](int64_t step) { return step != 1; })) return std::nullopt;
  const Type& from = slice.input(0)->type();
  if (!from.ranked() || from.rank() != 2 || !(from.dim(0) == v->type().dim(0))) return std::nullopt;
  for (size_t i = 0; i < axes.size(); ++i)
    if (axes[i] == 1 && begins[i] >= 0) return Columns{slice.input(0), begins[i], v->type().dim(1).value()};
  return std::nullopt;
}

std::optional<Columns> columns_of(Value* v) {
  v = without_identity(v);
  if (!v->producer() || !v->type().ranked() || v->type().rank() != 2 || !v->type().dim(1).is_constant())
    return std::nullopt;
  if (v->producer()->is(ops::Split)) return part_of_split(v);
  return v->producer()->is(ops::Slice) ? part_of_slice(v) : std::nullopt;
}

// Functions of gates and states, as ONNX's recurrent operators name them.
std::string activation_of(const Value* v) {
  const std::pair<const OpDef*, const char*> kNames[] = {{&ops::Sigmoid, "Sigmoid"},
                                                         {&ops::Tanh, "Tanh"},
                                                         {&ops::Relu, "Relu"},
                                                         {&ops::Softsign, "Softsign"},
                                                         {&ops::Softplus, "Softplus"}};
  for (const auto& [op, name] : kNames)
    if (v->producer() && v->producer()->is(*op)) return name;
  return "";
}

// `v` as a function of something, which is captured.
struct Activated {
  std::string* name;
  Value** inner;
  bool operator()(Value* v, const Graph&) const {
    if (!v) return false;
    v = without_identity(v);
    *name = activation_of(v);
    if (!name->empty()) *inner = v->producer()->input(0);
    return !name->empty();
  }
};

// ---- the loop as steps along a list ---------------------------------------------------------------------------------

struct Weights {
  Value *w = nullptr, *r = nullptr;  // in the graph around: [values, gates * units], [units, gates * units]
  std::vector<Value*> biases;        // those of the data; of a GRU those of its state are apart
};

class Steps {
 public:
  Steps(Translation& t, const LoopParts& loop) : t_(t), loop_(loop), kinds_(loop.starts.size(), Kind::Other) {}

  // Whether the loop counts from 0 up to the length of a list and reads one element of it in each step.
  bool are_along_a_list() {
    for (size_t i = 0; i < loop_.starts.size(); ++i) classify(i);
    return find_list() && stops_at_its_end();
  }

  Value* next(size_t state) const { return without_identity(loop_.body.outputs()[state + 1]); }
  Value* input(size_t state) const { return loop_.inputs[state]; }
  size_t count() const { return loop_.starts.size(); }
  bool is_other(size_t state) const { return kinds_[state] == Kind::Other; }
  Translation& translation() const { return t_; }
  Value* list() const { return loop_.starts[*list_]; }
  Value* start(size_t state) const { return loop_.starts[state]; }

  // What a value of the body is in the graph around; null if it is computed of what changes.
  Value* around(Value* v) const {
    if (v->is_constant()) return t_.constant(v->constant());
    for (size_t i = 0; i < count(); ++i)
      if (loop_.inputs[i] == v && loop_.unchanged[i]) return loop_.starts[i];
    return v->producer() && v->producer()->op().has(Trait::Movement) ? made_around(v) : nullptr;
  }

  // The matrix that the element of this step is multiplied by, or that `state` is.
  Value* weights_of_element(Value* product) const {
    return factor(product, [&](Value* v) { return is_element(v); });
  }
  Value* weights_of(Value* state, Value* product) const {
    return factor(product, [&](Value* v) { return v == state; });
  }

  // Whether the state is a list of what the steps give, all or only the last.
  bool collects(size_t state, Value* given) const {
    Value* made = next(state);
    if (meaning_of(made) == given) return made->type().ranked() && made->type().dim(0).is(1);
    const Node* set = made->producer();
    return set && set->is(ops::ScatterND) && set->input(0) == input(state) && meaning_of(set->input(2)) == given &&
           is_step(set->input(1));
  }
  bool keeps_last_only(size_t state) const { return !next(state)->producer()->is(ops::ScatterND); }

  // Counters are behind their last step; lists and other states come from the caller.
  Result<std::vector<Value*>> results(const std::map<size_t, Value*>& given) {
    std::vector<Value*> all = loop_.starts;
    for (size_t i = 0; i < count(); ++i) {
      if (const auto it = given.find(i); it != given.end()) all[i] = it->second;
      if (kinds_[i] != Kind::Counter) continue;
      LAPIS_TRY(all[i], behind_last_step(i));
    }
    return all;
  }

 private:
  enum class Kind : uint8_t { Counter, Unchanged, Other };

  // Parts of parameters that the body takes apart: the node once more, outside.
  Value* made_around(Value* v) const {
    const Node& node = *v->producer();
    std::vector<Value*> inputs;
    for (Value* input : node.inputs()) {
      inputs.push_back(input ? around(input) : nullptr);
      if (input && !inputs.back()) return nullptr;
    }
    const auto again = t_.add_all(node.op(), std::move(inputs), node.attributes(), node.outputs().size());
    return again.ok() ? (*again)[v->output_index()] : nullptr;
  }

  void classify(size_t state) {
    if (loop_.unchanged[state]) kinds_[state] = Kind::Unchanged;
    Value *a = nullptr, *one = nullptr;
    const bool counts = !loop_.unchanged[state] && constant_number(loop_.starts[state]) &&
                        match(*next(state), commutative(ops::Add, bind(a), constant(one))) && a == input(state) &&
                        constant_number(one) == 1;
    if (counts) kinds_[state] = Kind::Counter;
  }

  // A counter that begins at 0 is the number of the step.
  bool is_step(Value* v) const {
    v = meaning_of(v);
    for (size_t i = 0; i < count(); ++i)
      if (kinds_[i] == Kind::Counter && input(i) == v) return constant_number(start(i)) == 0;
    return false;
  }

  bool find_list() {
    for (const Node* node : loop_.body.nodes()) {
      if (!node->is(ops::Gather) || node->attrs<ops::AxisAttrs>().axis != 0 || !is_step(node->input(1))) continue;
      for (size_t i = 0; i < count(); ++i)
        if (loop_.unchanged[i] && input(i) && node->input(0) == input(i)) list_ = i;
    }
    return list_ && list()->type().ranked() && list()->type().rank() == 3;
  }

  bool is_element(Value* v) const {
    v = without_identity(v);
    const Node* node = v->producer();
    return node && node->is(ops::Gather) && node->input(0) == input(*list_) && is_step(node->input(1)) &&
           v->type().ranked() && v->type().rank() == 2;
  }

  // Less(counter + 1, limit), all of them joined by And: no limit lies before the end of the list, and one at it.
  bool stops_at_its_end() const {
    bool at_end = false;
    for (Value* term : terms_of(loop_.body.outputs()[0], ops::And)) {
      Value *counted = nullptr, *limit = nullptr;
      if (!match(*term, op(ops::Less, bind(counted), bind(limit)))) return false;
      const auto distance = trips(counted, limit);
      if (!distance) return false;
      const Dim& length = list()->type().dim(0);
      if (*distance == length)
        at_end = true;
      else if (!distance->is_constant() || !length.is_constant() || distance->value() < length.value())
        return false;
    }
    return at_end;
  }

  std::optional<Dim> trips(Value* counted, Value* limit) const {
    for (size_t i = 0; i < count(); ++i) {
      if (kinds_[i] != Kind::Counter || next(i) != without_identity(counted)) continue;
      const int64_t begin = *constant_number(start(i));
      if (const auto number = constant_number(limit)) return Dim(*number - begin);
      for (size_t k = 0; k < count() && begin == 0; ++k)
        if (loop_.unchanged[k] && input(k) == limit) return size_said(k);
    }
    return std::nullopt;
  }

  std::optional<Dim> size_said(size_t state) const {
    const auto known = t_.contents(state + 1);
    return known && known->size() == 1 && (*known)[0].is_known() ? std::optional((*known)[0]) : std::nullopt;
  }

  template <class Is> Value* factor(Value* product, Is is) const {
    const Node* node = product->producer();
    if (!node || !node->is(ops::MatMul) || !is(without_identity(node->input(0)))) return nullptr;
    return around(node->input(1));
  }

  Result<Value*> behind_last_step(size_t state) {
    const DType dtype = start(state)->dtype();
    LAPIS_TRY(Value * shape, t_.add(ops::ShapeOf, {list()}));
    LAPIS_TRY(Value * steps, slice(t_, shape, 0, 0, 1));
    LAPIS_TRY(steps, reshape(t_, steps, {}));
    LAPIS_TRY(steps, cast(t_, steps, dtype));
    return t_.add(ops::Add, {steps, start(state)});
  }

  Translation& t_;
  const LoopParts& loop_;
  std::vector<Kind> kinds_;
  std::optional<size_t> list_;
};

// ---- cells ----------------------------------------------------------------------------------------------------------

// x W + h R + biases, whatever their order; null pointers where it is something else.
Weights weights_of(const Steps& steps, Value* sums, Value* state) {
  Weights found;
  for (Value* term : terms_of(sums, ops::Add)) {
    if (Value* w = steps.weights_of_element(term); w && !found.w)
      found.w = w;
    else if (Value* r = state ? steps.weights_of(state, term) : nullptr; r && !found.r)
      found.r = r;
    else if (Value* bias = steps.around(term))
      found.biases.push_back(bias);
    else
      return {};
  }
  return found;
}

class Cell {
 public:
  explicit Cell(Steps& steps) : steps_(steps), t_(steps.translation()) {}

  Result<std::vector<Value*>> run() {
    if (!find() || !all_states_are_known()) return std::vector<Value*>();
    std::vector<Value*> inputs = {steps_.list()};
    LAPIS_TRY(inputs.emplace_back(), rows(weights_.w, gates_));
    LAPIS_TRY(inputs.emplace_back(), rows(weights_.r, gates_));
    LAPIS_TRY(inputs.emplace_back(), bias());
    inputs.push_back(nullptr);
    for (const size_t state : states()) {
      LAPIS_TRY(inputs.emplace_back(), unsqueeze(t_, steps_.start(state), {0}));
    }
    LAPIS_TRY(const std::vector<Value*> y, t_.add_all(*op_, inputs, attributes(), 1 + states().size()));
    return results(y);
  }

 private:
  bool find() {
    for (h_ = 0; h_ < steps_.count(); ++h_)
      if (steps_.is_other(h_) && (is_lstm() || is_gru() || is_simple())) return true;
    return false;
  }

  std::vector<size_t> states() const { return c_ ? std::vector{h_, *c_} : std::vector{h_}; }

  bool all_states_are_known() {
    for (size_t i = 0; i < steps_.count(); ++i)
      if (steps_.is_other(i) && i != h_ && i != c_ && !steps_.collects(i, steps_.next(h_))) return false;
    return steps_.start(h_)->type().ranked() && steps_.start(h_)->type().rank() == 2;
  }

  // ---- LSTM ---------------------------------------------------------------------------------------------------------

  bool is_lstm() {
    Value *out = nullptr, *shown = nullptr;
    std::string gate, show;
    const auto opens = Activated{&gate, &out};
    const auto shows = Activated{&show, &shown};
    for (size_t c = 0; c < steps_.count(); ++c) {
      if (!steps_.is_other(c) || c == h_) continue;
      const auto is_cell = [&](Value* v, const Graph& g) {
        return shows(v, g) && without_identity(shown) == steps_.next(c);
      };
      if (!match(*steps_.next(h_), commutative(ops::Mul, is_cell, opens))) continue;
      if (!is_lstm_cell(c, gate, show, out)) continue;
      c_ = c;
      return true;
    }
    return false;
  }

  bool is_lstm_cell(size_t c, const std::string& gate, const std::string& show, Value* out) {
    std::string forget_gate, in_gate, new_value;
    Value *forget = nullptr, *in = nullptr, *fresh = nullptr;
    Value* const kept = steps_.input(c);
    const auto keeps = commutative(ops::Mul, same(kept), Activated{&forget_gate, &forget});
    const auto adds = commutative(ops::Mul, Activated{&new_value, &fresh}, Activated{&in_gate, &in});
    if (!match(*steps_.next(c), commutative(ops::Add, keeps, adds))) return false;
    if (in_gate != gate) {  // the product was matched the other way around
      std::swap(in_gate, new_value);
      std::swap(in, fresh);
    }
    activations_ = {gate, new_value, show};
    op_ = &ops::LSTM;
    return forget_gate == gate && in_gate == gate && take_gates({in, out, forget, fresh});
  }

  // All gates are columns of one matrix, of the same width.
  bool take_gates(const std::vector<Value*>& gates) {
    gates_.clear();
    Value* sums = nullptr;
    for (Value* gate : gates) {
      const auto columns = columns_of(gate);
      if (!columns || (sums && columns->of != sums)) return false;
      sums = columns->of;
      gates_.push_back(*columns);
    }
    return take_weights(sums);
  }

  bool take_weights(Value* sums) {
    weights_ = weights_of(steps_, sums, steps_.input(h_));
    return weights_.w && weights_.r && has_units(gates_);
  }

  bool has_units(const std::vector<Columns>& gates) const {
    const Type& state = steps_.start(h_)->type();
    return state.ranked() && state.rank() == 2 &&
           std::ranges::all_of(gates, [&](const Columns& gate) { return state.dim(1).is(gate.width); });
  }

  // ---- GRU: h' = z h + (1 - z) tanh(xh + r rh) ----------------------------------------------------------------------

  bool is_gru() {
    std::string gate, other_gate, new_value;
    Value *update = nullptr, *again = nullptr, *fresh = nullptr;
    double one = 0;
    Value* const state = steps_.input(h_);
    const auto keeps = commutative(ops::Mul, same(state), Activated{&gate, &update});
    const auto rest = op(ops::Sub, pattern::scalar(one), Activated{&other_gate, &again});
    if (!match(*steps_.next(h_),
               commutative(ops::Add, keeps, commutative(ops::Mul, rest, Activated{&new_value, &fresh}))))
      return false;
    if (one != 1 || gate != other_gate || again != update) return false;
    activations_ = {gate, new_value};
    op_ = &ops::GRU;
    return is_new_value(fresh, update, gate);
  }

  bool is_new_value(Value* fresh, Value* update, const std::string& gate) {
    std::string reset_gate;
    Value *of_data = nullptr, *of_state = nullptr, *reset = nullptr;
    const auto resets = commutative(ops::Mul, Activated{&reset_gate, &reset}, bind(of_state));
    if (!match(*without_identity(fresh), commutative(ops::Add, resets, bind(of_data))) || reset_gate != gate)
      return false;
    std::vector<Columns> data, state;
    for (Value* sum : {update, reset})
      if (!take_both(sum, data, state)) return false;
    const auto last_data = columns_of(of_data), last_state = columns_of(of_state);
    if (!last_data || !last_state) return false;
    data.push_back(*last_data);
    state.push_back(*last_state);
    return take_gru_weights(data, state);
  }

  // A sum of columns of what the data gives and the same columns of what the state gives.
  bool take_both(Value* sum, std::vector<Columns>& data, std::vector<Columns>& state) const {
    const std::vector<Value*> terms = terms_of(sum, ops::Add);
    if (terms.size() != 2) return false;
    for (Value* term : terms) {
      const auto columns = columns_of(term);
      if (!columns) return false;
      (weights_of(steps_, columns->of, nullptr).w ? data : state).push_back(*columns);
    }
    return data.size() == state.size();
  }

  bool take_gru_weights(const std::vector<Columns>& data, const std::vector<Columns>& state) {
    for (size_t i = 0; i < data.size(); ++i)
      if (data[i].of != data[0].of || state[i].of != state[0].of || data[i].begin != state[i].begin) return false;
    weights_ = weights_of(steps_, data[0].of, nullptr);
    const Weights of_state = weights_of(steps_, state[0].of, steps_.input(h_));
    weights_.r = of_state.r;
    state_biases_ = of_state.biases;
    gates_ = data;
    return weights_.w && weights_.r && !of_state.w && has_units(data) && has_units(state);
  }

  // ---- h' = tanh(x W + h R + b) -------------------------------------------------------------------------------------

  bool is_simple() {
    std::string name;
    Value* sums = nullptr;
    const Type& state = steps_.start(h_)->type();
    if (!match(*steps_.next(h_), Activated{&name, &sums}) || !state.ranked() || state.rank() != 2 ||
        !state.dim(1).is_constant())
      return false;
    activations_ = {name};
    op_ = &ops::RNN;
    gates_.assign(1, Columns{sums, 0, state.dim(1).value()});
    return take_weights(sums);
  }

  // ---- the operator -------------------------------------------------------------------------------------------------

  // [values, gates * units] as [1, gates * units, values], in ONNX's order of gates.
  Result<Value*> rows(Value* weights, const std::vector<Columns>& gates) {
    LAPIS_TRY(Value * ordered, in_order(weights, gates, 1));
    LAPIS_TRY(ordered, transpose(t_, ordered, {1, 0}));
    return unsqueeze(t_, ordered, {0});
  }

  Result<Value*> in_order(Value* all, const std::vector<Columns>& gates, int64_t axis) {
    std::vector<Value*> parts;
    for (const Columns& gate : gates) {
      LAPIS_TRY(parts.emplace_back(), slice(t_, all, axis, gate.begin, gate.begin + gate.width));
    }
    return parts.size() == 1 ? Result<Value*>(parts[0]) : t_.add(ops::Concat, parts, ops::ConcatAttrs{.axis = axis});
  }

  Result<Value*> bias() {
    std::vector<Value*> both;
    for (const auto* biases : {&weights_.biases, &state_biases_}) {
      LAPIS_TRY(Value * all, sum_of(*biases));
      LAPIS_TRY(both.emplace_back(), in_order(all, gates_, 0));
    }
    LAPIS_TRY(Value * joined, t_.add(ops::Concat, both, ops::ConcatAttrs{.axis = 0}));
    return unsqueeze(t_, joined, {0});
  }

  // As a vector, of zeros if there are none.
  Result<Value*> sum_of(const std::vector<Value*>& biases) {
    const int64_t width = static_cast<int64_t>(gates_.size()) * gates_[0].width;
    Value* sum = filled(t_, 0, Type::tensor(steps_.list()->dtype(), Shape{width}));
    for (Value* bias : biases) {
      LAPIS_TRY(Value * flat, reshape(t_, bias, {-1}));
      LAPIS_TRY(sum, t_.add(ops::Add, {sum, flat}));
    }
    return sum;
  }

  template <class Attrs> Attributes with_activations(Attrs attributes) const {
    attributes.activations = activations_;
    attributes.hidden_size = gates_[0].width;
    return encode_attributes(attributes);
  }
  Attributes attributes() const {
    if (op_ == &ops::LSTM) return with_activations(ops::LstmAttrs());
    if (op_ == &ops::RNN) return with_activations(ops::RnnAttrs());
    ops::GruAttrs gru;
    gru.linear_before_reset = true;
    return with_activations(gru);
  }

  Result<std::vector<Value*>> results(const std::vector<Value*>& y) {
    std::map<size_t, Value*> given;
    LAPIS_TRY(Value * all, squeeze(t_, y[0], {1}));
    for (size_t i = 0; i < steps_.count(); ++i)
      if (steps_.is_other(i)) given[i] = steps_.keeps_last_only(i) ? y[1] : all;
    size_t next = 1;
    for (const size_t state : states()) {
      LAPIS_TRY(given[state], squeeze(t_, y[next++], {0}));
    }
    return steps_.results(given);
  }

  Steps& steps_;
  Translation& t_;
  const OpDef* op_ = nullptr;
  size_t h_ = 0;
  std::optional<size_t> c_;
  std::vector<std::string> activations_;
  std::vector<Columns> gates_;  // of the data, in ONNX's order
  Weights weights_;
  std::vector<Value*> state_biases_;
};

}  // namespace

Result<std::vector<Value*>> as_recurrent(Translation& t, const LoopParts& loop) {
  Steps steps(t, loop);
  if (!steps.are_along_a_list()) return std::vector<Value*>();
  return Cell(steps).run();
}

}  // namespace lapis::frontend
