// LSTM, GRU and RNN as one matrix product for the inputs of the whole sequence,
// and a Scan that multiplies the states only.
//
//   Y, Y_h, Y_c = LSTM (X, W, R, B)   =>   P = X W^T + Wb + Rb
//                                          h, c, Y = Scan (0, 0, P) < g = p + h R^T, c' = f c + i g, h' = o tanh(c') >
//
// A sequence of one step needs no Scan.
#include <algorithm>
#include <array>
#include <functional>
#include <numeric>

#include "ir/infer.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"
#include "ir/ops/recurrent.h"
#include "passes/expand/expand.h"

namespace lapis {
namespace {

using ops::ChosenActivation, ops::Recurrent;
using Ints = std::vector<int64_t>;

// Where a step is computed: in front of the recurrent node, or in the body of a Scan.
class Place {
 public:
  explicit Place(Rewriter& rw) : rw_(rw) {}
  Place(Rewriter& rw, Graph& body) : rw_(rw), body_(&body) {}

  Value* add(const OpDef& op, std::vector<Value*> inputs, Attributes attributes = {}) {
    if (!body_) return rw_.add(op, std::move(inputs), std::move(attributes));
    Node* node = body_->add_node(op, std::move(inputs), std::move(attributes));
    fits_ = fits_ && infer_types(*node).ok();
    return node->output();
  }
  template <class T>
  requires requires { T::fields; }
  Value* add(const OpDef& op, std::vector<Value*> inputs, const T& attributes) {
    return add(op, std::move(inputs), encode_attributes(attributes));
  }
  // In braces operands are made in the order in which they stand, whoever compiles this: so are the nodes.
  using Two = std::array<Value*, 2>;
  Value* mul(const Two& of) { return add(ops::Mul, {of[0], of[1]}); }
  Value* sum(const Two& of) { return add(ops::Add, {of[0], of[1]}); }
  // Constants stand in front, for all steps.
  Value* number(double value, DType type) { return rw_.scalar(value, type); }
  Value* ints(Ints values) { return rw_.ints(std::move(values)); }
  bool fits() const { return fits_; }  // every node takes its operands

 private:
  Rewriter& rw_;
  Graph* const body_ = nullptr;
  bool fits_ = true;
};

Value* slice_of(Place& at, Value* v, int64_t axis, int64_t begin, int64_t end) {
  return at.add(ops::Slice, {v, at.ints({begin}), at.ints({end}), at.ints({axis})});
}

// ---- one step -------------------------------------------------------------------------------------------------------

struct States {
  Value *h = nullptr, *c = nullptr;
};

// One direction of a layer; what does not change from step to step.
struct Layer {
  const Recurrent& r;
  int64_t direction, hidden;
  DType type;
  Value* recurrence;                // R, transposed: [hidden, gates * hidden]
  Value* recurrent_bias = nullptr;  // of a GRU that multiplies before it resets: [hidden]
  Value* peepholes = nullptr;       // [3 * hidden]
};

// The step of a layer with the given states, from what the input gives all its gates: [batch, gates * hidden].
class Step {
 public:
  Step(Place& at, const Layer& layer, Value* input, const States& states)
      : at_(at), l_(layer), input_(input), s_(states) {}

  States next() {
    switch (l_.r.gates) {
      case 4: return lstm();
      case 3: return {gru(), nullptr};
      default: return {activated(0, at_.sum({input_, at_.add(ops::MatMul, {s_.h, l_.recurrence})})), nullptr};
    }
  }

 private:
  Value* number(double v) { return at_.number(v, l_.type); }
  Value* gates(Value* all, int64_t first, int64_t count) {
    return slice_of(at_, all, 1, first * l_.hidden, (first + count) * l_.hidden);
  }

  Value* plain(const ChosenActivation& a, Value* x) {
    const std::string_view name = a.function->name;
    if (name == "Affine") return at_.sum({at_.mul({x, number(a.alpha)}), number(a.beta)});
    if (name == "ScaledTanh") return at_.mul({at_.add(ops::Tanh, {at_.mul({x, number(a.beta)})}), number(a.alpha)});
    if (name == ops::ThresholdedRelu.name) return from(a.alpha, x);
    Attributes attributes;
    if (a.function->alpha) attributes["alpha"] = a.alpha;
    if (a.function->beta) attributes["beta"] = a.beta;
    return at_.add(*find_op(name), {x}, std::move(attributes));
  }
  // x >= bound ? x : 0. The operator ThresholdedRelu gives 0 for the bound, too,
  // where a gate that is clipped often lies.
  Value* from(double bound, Value* x) {
    return at_.add(ops::Where, {at_.add(ops::GreaterOrEqual, {x, number(bound)}), x, number(0)});
  }
  Value* activated(size_t function, Value* x) {
    if (const auto bound = l_.r.attrs.clip) x = at_.add(ops::Clip, {x, number(-*bound), number(*bound)});
    return plain(l_.r.activation(l_.direction, function), x);
  }
  Value* with_peephole(Value* gate, int64_t number, Value* state) {
    if (!l_.peepholes) return gate;
    return at_.sum(
        {gate, at_.mul({slice_of(at_, l_.peepholes, 0, number * l_.hidden, (number + 1) * l_.hidden), state})});
  }
  Value* one_minus(Value* x) { return at_.add(ops::Sub, {number(1), x}); }
  // 1 - f(x). As 1 - sigmoid(x) it would lose its digits where the gate is open, which a large state shows.
  Value* closed(size_t function, Value* x) {
    const bool symmetric = l_.r.activation(l_.direction, function).function->name == ops::Sigmoid.name;
    return symmetric ? activated(function, at_.add(ops::Neg, {x})) : one_minus(activated(function, x));
  }

  States lstm() {
    Value* all = at_.sum({input_, at_.add(ops::MatMul, {s_.h, l_.recurrence})});
    Value* to_in = with_peephole(gates(all, 0, 1), 0, s_.c);
    Value* in = activated(0, to_in);
    Value* forget = l_.r.input_forget ? closed(0, to_in) : activated(0, with_peephole(gates(all, 2, 1), 2, s_.c));
    Value* c = at_.sum({at_.mul({forget, s_.c}), at_.mul({in, activated(1, gates(all, 3, 1))})});
    Value* out = activated(0, with_peephole(gates(all, 1, 1), 1, c));
    return {at_.mul({out, activated(2, c)}), c};
  }

  Value* recurrent_part(Value* state, int64_t first, int64_t count) {
    return at_.add(ops::MatMul, {state, gates(l_.recurrence, first, count)});
  }

  Value* gru() {
    const bool resets_products = l_.r.linear_before_reset;
    Value* products = resets_products ? at_.add(ops::MatMul, {s_.h, l_.recurrence}) : recurrent_part(s_.h, 0, 2);
    Value* first = activated(0, at_.sum({gates(input_, 0, 2), gates(products, 0, 2)}));
    Value *update = gates(first, 0, 1), *reset = gates(first, 1, 1);
    Value* recurrent = nullptr;
    if (resets_products) {
      recurrent = gates(products, 2, 1);
      if (l_.recurrent_bias) recurrent = at_.sum({recurrent, l_.recurrent_bias});
      recurrent = at_.mul({reset, recurrent});
    } else {
      recurrent = recurrent_part(at_.mul({reset, s_.h}), 2, 1);
    }
    Value* candidate = activated(1, at_.sum({gates(input_, 2, 1), recurrent}));
    return at_.sum({at_.mul({one_minus(update), candidate}), at_.mul({update, s_.h})});
  }

  Place& at_;
  const Layer& l_;
  Value* const input_;
  const States s_;
};

// ---- the sequence ---------------------------------------------------------------------------------------------------

// What a direction gives.
struct Results {
  Value* all = nullptr;  // [length, batch, hidden], if wanted
  States last;           // [batch, hidden]
};

class Expansion {
 public:
  Expansion(Node& node, const Recurrent& r, Rewriter& rw) : node_(node), r_(r), rw_(rw), at_(rw) {
    x_ = r.attrs.layout ? at_.add(ops::Transpose, {node.input(ops::kX)}, ops::TransposeAttrs{{1, 0, 2}})
                        : node.input(ops::kX);
    hidden_ = node.input(ops::kR)->type().dim(2).value();
    length_ = x_->type().dim(0).constant();
  }

  // Whether it can be written as a Scan.
  std::optional<std::string> reason_against() const {
    if (length_ && *length_ == 0) return "its sequences are empty";
    if (has_lengths() && !length_)
      return "its sequences have lengths of their own, and at most how long they are is not known";
    if (const Value* lengths = node_.input(ops::kLengths); lengths && lengths->is_constant() && length_)
      if (!std::ranges::all_of(lengths->constant().as_ints(), [&](int64_t n) { return n >= 0 && n <= *length_; }))
        return "a sequence has a length that it cannot have";
    return std::nullopt;
  }

  bool replace() {
    if (has_lengths()) lengths_ = checked_lengths();
    std::vector<Results> directions;
    for (int64_t d = 0; d < r_.directions(); ++d) directions.push_back(direction(d));
    std::vector<Rewriter::Replacement> with;
    const auto add = [&](size_t output, auto&& make) {
      if (wants(output)) with.push_back({node_.output(output), make()});
    };
    const int64_t state_axis = r_.attrs.layout;
    add(0,
        [&] { return joined(directions, r_.attrs.layout ? 2 : 1, [&](const Results& d) { return sequence(d.all); }); });
    add(1, [&] { return joined(directions, state_axis, [](const Results& d) { return d.last.h; }); });
    add(2, [&] { return joined(directions, state_axis, [](const Results& d) { return d.last.c; }); });
    return fits_ && rw_.replace(with);
  }

 private:
  bool wants(size_t output) const { return node_.output(output) && !node_.output(output)->unused(); }
  bool is_lstm() const { return node_.is(ops::LSTM); }
  bool has_lengths() const {
    const Value* lengths = node_.input(ops::kLengths);
    if (!lengths) return false;
    if (!lengths->is_constant() || !length_) return true;
    return !std::ranges::all_of(lengths->constant().as_ints(), [&](int64_t n) { return n == *length_; });
  }

  // Entry `d` of the first axis of a parameter.
  Value* of_direction(Value* all, int64_t d, int64_t axis = 0) {
    return at_.add(ops::Gather, {all, rw_.constant(Tensor::scalar(d))}, ops::AxisAttrs{axis});
  }
  Value* transposed(Value* matrix) { return at_.add(ops::Transpose, {matrix}, ops::TransposeAttrs{{1, 0}}); }
  Value* sequence(Value* all) {
    return r_.attrs.layout ? at_.add(ops::Transpose, {all}, ops::TransposeAttrs{{1, 0, 2}}) : all;
  }

  template <class Part> Value* joined(const std::vector<Results>& directions, int64_t axis, Part&& part) {
    std::vector<Value*> parts;
    parts.reserve(directions.size());
    for (const Results& d : directions) parts.push_back(at_.add(ops::Unsqueeze, {part(d), rw_.ints({axis})}));
    return parts.size() == 1 ? parts[0] : at_.add(ops::Concat, parts, ops::ConcatAttrs{axis});
  }

  // A state that nothing is said about is 0.
  Value* initial(size_t operand, int64_t d) {
    if (Value* given = node_.input(operand)) return of_direction(given, d, r_.attrs.layout);
    const Dim& batch = x_->type().dim(1);
    const auto zero = [&](Shape shape) { return rw_.constant(Tensor(x_->dtype(), std::move(shape))); };
    if (batch.is_constant()) return zero({batch.value(), hidden_});
    Value* size = slice_of(at_, at_.add(ops::ShapeOf, {x_}), 0, 1, 2);
    return at_.add(ops::Expand, {zero({}), at_.add(ops::Concat, {size, rw_.ints({hidden_})}, ops::ConcatAttrs{0})});
  }

  Layer layer(int64_t d) {
    Layer l{r_, d, hidden_, x_->dtype(), transposed(of_direction(node_.input(ops::kR), d))};
    if (is_lstm())
      if (Value* p = node_.input(ops::kPeepholes)) l.peepholes = of_direction(p, d);
    return l;
  }

  // What the inputs of all steps give all gates: [length, batch, gates * hidden].
  // Biases join in, but one that is multiplied later.
  Value* from_inputs(int64_t d, Layer& l) {
    Value* product = at_.add(ops::MatMul, {x_, transposed(of_direction(node_.input(ops::kW), d))});
    if (!node_.input(ops::kB)) return product;
    Value* both = of_direction(node_.input(ops::kB), d);
    const int64_t rows = r_.gates * hidden_;
    Value *bias = slice_of(at_, both, 0, 0, rows), *recurrent = slice_of(at_, both, 0, rows, 2 * rows);
    if (r_.linear_before_reset) {
      l.recurrent_bias = slice_of(at_, recurrent, 0, 2 * hidden_, rows);
      Value* none = rw_.constant(Tensor(x_->dtype(), {hidden_}));
      recurrent = at_.add(ops::Concat, {slice_of(at_, recurrent, 0, 0, 2 * hidden_), none}, ops::ConcatAttrs{0});
    }
    return at_.sum({product, at_.sum({bias, recurrent})});
  }

  Results direction(int64_t d) {
    Layer l = layer(d);
    Value* inputs = from_inputs(d, l);
    const States first{initial(ops::kInitialH, d), is_lstm() ? initial(ops::kInitialC, d) : nullptr};
    return length_ == 1 && !has_lengths() ? one_step(l, inputs, first) : scan(l, inputs, first);
  }

  Results one_step(const Layer& l, Value* inputs, const States& first) {
    const States last = Step(at_, l, of_direction(inputs, 0), first).next();
    return {wants(0) ? at_.add(ops::Unsqueeze, {last.h, rw_.ints({0})}) : nullptr, last};
  }

  Results scan(const Layer& l, Value* inputs, const States& first) {
    auto body = node_.graph().make_subgraph("step");
    Place at(rw_, *body);
    States before = states_of(*body, first);
    const Type& all = inputs->type();
    Value* input = body->add_input("input", Type::tensor(all.dtype, Dims(all.dims->begin() + 1, all.dims->end())));
    States after = Step(at, l, input, before).next();
    std::vector<Value*> operands = {first.h};
    if (first.c) operands.push_back(first.c);
    operands.push_back(inputs);
    Value* sequence_part = after.h;
    if (has_lengths()) {
      operands.push_back(counted());
      sequence_part = within_lengths(at, *body, before, after);
    }
    std::vector<Value*> results = {after.h};
    if (after.c) results.push_back(after.c);
    const size_t states = results.size();
    if (wants(0)) results.push_back(at.add(ops::Identity, {sequence_part}));  // no value is an output twice
    body->set_outputs(results);
    fits_ = fits_ && at.fits();
    Node* node = rw_.add_node(ops::Scan, operands, scan_attributes(body, l.direction), results.size());
    return {wants(0) ? node->output(states) : nullptr, {node->output(0), after.c ? node->output(1) : nullptr}};
  }

  static States states_of(Graph& body, const States& first) {
    States s;
    s.h = body.add_input("h", first.h->type());
    if (first.c) s.c = body.add_input("c", first.c->type());
    return s;
  }

  Attributes scan_attributes(std::shared_ptr<Graph> body, int64_t direction) const {
    ops::ScanAttrs a;
    a.body = std::move(body);
    a.num_scan_inputs = has_lengths() ? 2 : 1;
    if (r_.is_reverse(direction)) {
      a.scan_input_directions.assign(static_cast<size_t>(a.num_scan_inputs), 1);
      if (wants(0)) a.scan_output_directions = {1};
    }
    return encode_attributes(a);
  }

  // 0, 1, ...: which step it is, whatever direction they are taken in.
  Value* counted() { return numbers_to(*length_); }
  Value* numbers_to(int64_t end) {
    std::vector<int32_t> numbers(static_cast<size_t>(end));
    std::iota(numbers.begin(), numbers.end(), 0);
    return rw_.constant(Tensor::vector(std::move(numbers)));
  }

  // The lengths, looked up among those that are possible: a Gather finds out what is none.
  // Its indices may count from the end, these not.
  Value* checked_lengths() {
    Value* lengths = node_.input(ops::kLengths);
    Value* is_none = at_.add(ops::Less, {lengths, at_.number(0, DType::Int32)});
    Value* beyond = at_.number(static_cast<double>(*length_ + 1), DType::Int32);
    Value* index = at_.add(ops::Where, {is_none, beyond, lengths});
    return at_.add(ops::Gather, {numbers_to(*length_ + 1), index}, ops::AxisAttrs{0});
  }

  // Behind its end a sequence keeps its states, and gives 0.
  Value* within_lengths(Place& at, Graph& body, const States& before, States& after) {
    Value* step = body.add_input("step", Type::tensor(DType::Int32, Dims{}));
    Value* is_within = at.add(ops::Less, {step, lengths_});
    Value* rows = at.add(ops::Unsqueeze, {is_within, at.ints({1})});
    after.h = at.add(ops::Where, {rows, after.h, before.h});
    if (after.c) after.c = at.add(ops::Where, {rows, after.c, before.c});
    return at.add(ops::Where, {rows, after.h, at.number(0, x_->dtype())});
  }

  Node& node_;
  const Recurrent& r_;
  Rewriter& rw_;
  Place at_;
  Value* x_;  // [length, batch, input]
  int64_t hidden_ = 0;
  std::optional<int64_t> length_;
  Value* lengths_ = nullptr;  // if sequences have their own
  bool fits_ = true;
};

bool is_recurrent(const Node& node) { return node.is(ops::LSTM) || node.is(ops::GRU) || node.is(ops::RNN); }

// LSTM, GRU, RNN  =>  MatMul, Scan
bool recurrent(Value& y, Rewriter& rw) {
  Node& node = *y.producer();
  if (!is_recurrent(node) || y.unused()) return false;
  for (const size_t i : {ops::kX, ops::kW, ops::kR})
    if (!node.input(i)->type().ranked()) return rw.skip(y, "the rank of an operand is not known");
  if (!node.input(ops::kR)->type().dim(2).is_constant()) return rw.skip(y, "how large its states are is not known");
  const Result<Recurrent> r = ops::recurrent_of(node);
  if (!r.ok()) return rw.skip(y, r.diagnostics().front().message);
  Expansion expansion(node, *r, rw);
  if (const auto reason = expansion.reason_against()) return rw.skip(y, *reason);
  return expansion.replace();
}

constexpr Rule kRules[] = {{"expand.recurrent", recurrent}};

}  // namespace

std::span<const Rule> recurrent_rules() { return kRules; }

}  // namespace lapis
