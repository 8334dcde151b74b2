// LSTMs and simple networks along a sequence, in one direction or both, as ONNX's operators:
// the same functions with their gates in another order. They begin from zeros in each run, as TFLite does once its
// variables are reset.
#include <algorithm>

#include "frontends/common/build.h"
#include "frontends/common/elementwise.h"
#include "frontends/tflite/translators.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"
#include "ir/ops/recurrent.h"

namespace lapis::tflite_frontend {
namespace {

// Operands of an LSTM: where its groups of four begin, which are for the gates input, forget, cell, output. Those of
// the way back stand behind those of the way there, and the states of both behind them.
struct Way {
  size_t weights, output_state;
  bool backwards = false;

  size_t recurrence() const { return weights + 4; }
  size_t peepholes() const { return weights + 8; }
  size_t biases() const { return weights + 11; }
  size_t projection() const { return weights + 15; }
  size_t cell_state() const { return output_state + 1; }
};
constexpr size_t kInput = 0;
constexpr Way kOnly = {1, 18}, kThere = {1, 35}, kBack = {18, 37, true};
constexpr size_t kNorms = 20, kAuxiliary = 39;  // what operands there are behind
constexpr size_t kGate[] = {0, 3, 1, 2};        // ONNX's order: input, output, forget, cell
constexpr size_t kPeephole[] = {0, 2, 1};       // input, output, forget of input, forget, output

// By number, as those that are fused.
Result<std::string> activation_of(const Translation& t) {
  constexpr int64_t kRelu = 1, kTanh = 4;
  const auto number = t.get<int64_t>("cell_activation", kTanh);
  if (number == kTanh) return std::string("Tanh");
  if (number == kRelu) return std::string("Relu");
  return Translation::unsupported("cells with the activation number " + std::to_string(number));
}

Result<Value*> turned(Translation& t, Value* x, bool time_major) {
  return time_major ? Result<Value*>(x) : frontend::transpose(t, x, {1, 0, 2});
}

// [steps, batch, ...], whichever of them is first in the file.
Result<Value*> sequence(Translation& t) {
  LAPIS_TRY(Value * x, t.real(kInput, Layout::AsWritten));
  if (!x->type().ranked() || x->type().rank() != 3)
    return error(ErrorKind::Input, "its data is " + x->type().to_string() + ", not a batch of sequences");
  return turned(t, x, t.get<bool>("time_major", false));
}

Status set_sequence(Translation& t, size_t output, Value* y) {
  LAPIS_TRY(y, turned(t, y, t.get<bool>("time_major", false)));
  return frontend::result(t, output, y);
}

// Beside each other, or each for itself.
Status set_both(Translation& t, Value* there, Value* back) {
  if (t.get<bool>("merge_outputs", false)) {
    LAPIS_TRY(Value * both, t.add(ops::Concat, {there, back}, ops::ConcatAttrs{.axis = -1}));
    return set_sequence(t, 0, both);
  }
  if (t.output_count() != 2) return error(ErrorKind::Input, "has no output for its second direction");
  LAPIS_CHECK(set_sequence(t, 0, there));
  return set_sequence(t, 1, back);
}

Status check_none_from(const Translation& t, size_t first, const char* what) {
  for (size_t i = first; i < t.input_count(); ++i)
    if (t.has(i)) return Translation::unsupported(what);
  return ok();
}

// What a gate has; where there is no input gate, it opens as the forget gate closes: sigmoid(-x) = 1 - sigmoid(x).
Result<Value*> of_gate(Translation& t, size_t group, size_t gate) {
  if (t.has(group + gate)) return t.real(group + gate, Layout::AsWritten);
  if (gate != 0 || !t.has(group + 1)) return error(ErrorKind::Input, "lacks parameters of a gate");
  LAPIS_TRY(Value * forget, t.real(group + 1, Layout::AsWritten));
  return t.add(ops::Neg, {forget});
}

Result<Value*> of_gates(Translation& t, size_t group, std::span<const size_t> order) {
  std::vector<Value*> parts;
  for (const size_t gate : order) {
    LAPIS_TRY(parts.emplace_back(), of_gate(t, group, gate));
  }
  return t.add(ops::Concat, parts, ops::ConcatAttrs{.axis = 0});
}

struct Lstm {
  Value *x, *weights, *recurrence, *biases, *peepholes = nullptr, *output, *cell;
  Tensor start;  // of the cell, if it is constant
  std::string activation;
  double clip = 0;
  bool backwards = false;
  double output_scale = 0;  // above 0: outputs are integers of 8 bits
  int64_t output_zero_point = 0;
};

Status check_state(const Value* state) {
  if (state->type().is_static() && state->type().rank() == 2) return ok();
  return error(ErrorKind::Input, "its state is " + state->type().to_string() + ", not [batch, cells]");
}

// What the option says, or where the integers of a cell end.
double clip_of(const Translation& t) {
  const auto option = t.get<double>("cell_clip", 0), range = t.get<double>("cell_range", 0);
  return option > 0 && range > 0 ? std::min(option, range) : std::max(option, range);
}

Result<Lstm> parameters(Translation& t, const Way& way) {
  if (!t.has(way.output_state) || !t.has(way.cell_state())) return error(ErrorKind::Input, "has no states");
  if (t.has(way.projection())) return Translation::unsupported("outputs that are projected");
  Lstm l{};
  l.backwards = way.backwards;
  l.start = t.input(way.cell_state()).constant;
  l.clip = clip_of(t);
  l.output_scale = t.get<double>("output_scale", 0);
  l.output_zero_point = t.get<int64_t>("output_zero_point", 0);
  LAPIS_TRY(l.activation, activation_of(t));
  LAPIS_TRY(l.x, sequence(t));
  LAPIS_TRY(l.weights, of_gates(t, way.weights, kGate));
  LAPIS_TRY(l.recurrence, of_gates(t, way.recurrence(), kGate));
  LAPIS_TRY(l.biases, of_gates(t, way.biases(), kGate));
  if (t.has(way.peepholes() + 1)) {
    LAPIS_TRY(l.peepholes, of_gates(t, way.peepholes(), kPeephole));
  }
  LAPIS_TRY(l.output, t.real(way.output_state, Layout::AsWritten));
  LAPIS_TRY(l.cell, t.real(way.cell_state(), Layout::AsWritten));
  LAPIS_CHECK(check_state(l.output));
  return l;
}

// Whether a step does what ONNX's operator does not. A cell grows by at most 1 in a step, so that short sequences do
// not reach the numbers at which it is clipped.
bool needs_steps(const Lstm& l) {
  const Dim& steps = l.x->type().dim(0);
  if (l.output_scale > 0) return true;
  if (l.clip <= 0) return false;
  if (!l.start.defined() || l.activation != "Tanh" || !steps.is_constant()) return true;
  for (int64_t i = 0; i < l.start.size(); ++i)
    if (l.start.as_double(i) != 0) return true;
  return static_cast<double>(steps.value()) > l.clip;
}

std::string direction(bool backwards) { return backwards ? "reverse" : "forward"; }

Result<Value*> as_operator(Translation& t, const Lstm& l) {
  LAPIS_TRY(Value * zeros, t.add(ops::Sub, {l.biases, l.biases}));
  LAPIS_TRY(Value * biases, t.add(ops::Concat, {l.biases, zeros}, ops::ConcatAttrs{.axis = 0}));
  std::vector<Value*> inputs = {l.x};
  for (Value* value : {l.weights, l.recurrence, biases}) {
    LAPIS_TRY(inputs.emplace_back(), frontend::unsqueeze(t, value, {0}));
  }
  inputs.push_back(nullptr);
  for (Value* value : {l.output, l.cell}) {
    LAPIS_TRY(inputs.emplace_back(), frontend::unsqueeze(t, value, {0}));
  }
  if (l.peepholes) {
    LAPIS_TRY(inputs.emplace_back(), frontend::unsqueeze(t, l.peepholes, {0}));
  }
  ops::LstmAttrs attributes;
  attributes.direction = direction(l.backwards);
  attributes.activations = {"Sigmoid", l.activation, l.activation};
  attributes.hidden_size = l.output->type().dim(1).value();
  LAPIS_TRY(Value * y, t.add(ops::LSTM, inputs, attributes));
  return frontend::squeeze(t, y, {1});
}

// Cells that ONNX's LSTM has not: step by step.
class Steps {
 public:
  Steps(Translation& t, const Lstm& l) : t_(t), l_(l), h_(l.output), c_(l.cell) {}

  Result<Value*> run() {
    constexpr int64_t kMost = 256;
    const Dim& steps = l_.x->type().dim(0);
    if (!steps.is_constant() || steps.value() > kMost)
      return Translation::unsupported("cells that are clipped or integers, along more than " + std::to_string(kMost) +
                                      " steps");
    LAPIS_TRY(Value * weights, frontend::transpose(t_, l_.weights, {1, 0}));
    LAPIS_TRY(recurrence_, frontend::transpose(t_, l_.recurrence, {1, 0}));
    LAPIS_TRY(Value * all, t_.add(ops::MatMul, {l_.x, weights}));
    LAPIS_TRY(all, t_.add(ops::Add, {all, l_.biases}));
    if (l_.peepholes) {
      LAPIS_TRY(peepholes_, t_.add_all(ops::Split, {l_.peepholes}, encode_attributes(ops::SplitAttrs{0, 3}), 3));
    }
    std::vector<Value*> outputs;
    for (int64_t i = 0; i < steps.value(); ++i) {
      Value* at = t_.constant(Tensor::scalar(l_.backwards ? steps.value() - 1 - i : i));
      LAPIS_TRY(Value * of_input, t_.add(ops::Gather, {all, at}, ops::AxisAttrs{.axis = 0}));
      LAPIS_CHECK(step(of_input));
      LAPIS_TRY(outputs.emplace_back(), frontend::unsqueeze(t_, h_, {0}));
    }
    if (l_.backwards) std::ranges::reverse(outputs);
    return t_.add(ops::Concat, outputs, ops::ConcatAttrs{.axis = 0});
  }

 private:
  Status step(Value* of_input) {
    LAPIS_TRY(Value * of_state, t_.add(ops::MatMul, {h_, recurrence_}));
    LAPIS_TRY(Value * sums, t_.add(ops::Add, {of_input, of_state}));
    LAPIS_TRY(const std::vector<Value*> gates,
              t_.add_all(ops::Split, {sums}, encode_attributes(ops::SplitAttrs{1, 4}), 4));
    LAPIS_TRY(Value * in, gate(gates[0], 0));
    LAPIS_TRY(Value * forget, gate(gates[2], 2));
    LAPIS_TRY(Value * fresh, activated(gates[3]));
    LAPIS_TRY(Value * added, t_.add(ops::Mul, {in, fresh}));
    LAPIS_TRY(Value * kept, t_.add(ops::Mul, {forget, c_}));
    LAPIS_TRY(c_, t_.add(ops::Add, {kept, added}));
    LAPIS_TRY(c_, clipped(t_, c_, -l_.clip, l_.clip));
    LAPIS_TRY(Value * out, gate(gates[1], 1));
    LAPIS_TRY(Value * shown, activated(c_));
    LAPIS_TRY(h_, t_.add(ops::Mul, {out, shown}));
    if (l_.output_scale > 0) {
      LAPIS_TRY(h_, rounded(h_));
    }
    return ok();
  }

  // As the next step finds it.
  Result<Value*> rounded(Value* h) {
    Value* scale = frontend::scalar(t_, l_.output_scale, DType::Float32);
    Value* zero_point = frontend::scalar(t_, static_cast<double>(l_.output_zero_point), DType::Int8);
    LAPIS_TRY(Value * integers, t_.add(ops::QuantizeLinear, {h, scale, zero_point}));
    return t_.add(ops::DequantizeLinear, {integers, scale, zero_point});
  }

  // With what it sees of the cell, before or behind the cell's own step.
  Result<Value*> gate(Value* sum, size_t peephole) {
    if (!peepholes_.empty()) {
      LAPIS_TRY(Value * seen, t_.add(ops::Mul, {c_, peepholes_[peephole]}));
      LAPIS_TRY(sum, t_.add(ops::Add, {sum, seen}));
    }
    return t_.add(ops::Sigmoid, {sum});
  }

  Result<Value*> activated(Value* x) { return t_.add(l_.activation == "Tanh" ? ops::Tanh : ops::Relu, {x}); }

  Translation& t_;
  const Lstm& l_;
  Value *h_, *c_, *recurrence_ = nullptr;
  std::vector<Value*> peepholes_;
};

Result<Value*> lstm(Translation& t, const Way& way) {
  LAPIS_TRY(const Lstm l, parameters(t, way));
  return needs_steps(l) ? Steps(t, l).run() : as_operator(t, l);
}

// Operands from `first` on: weights, weights of the state, bias, state.
Result<Value*> rnn(Translation& t, size_t first, bool backwards) {
  for (size_t i = first; i < first + 4; ++i)
    if (!t.has(i)) return error(ErrorKind::Input, "lacks operand " + std::to_string(i));
  ops::RnnAttrs attributes;
  LAPIS_TRY(const std::string activation, activation_of(t));
  attributes.activations = {activation};
  attributes.direction = direction(backwards);
  LAPIS_TRY(Value * x, sequence(t));
  std::vector<Value*> inputs = {x};
  LAPIS_TRY(Value * bias, t.real(first + 2, Layout::AsWritten));
  LAPIS_TRY(Value * zeros, t.add(ops::Sub, {bias, bias}));
  LAPIS_TRY(Value * biases, t.add(ops::Concat, {bias, zeros}, ops::ConcatAttrs{.axis = 0}));
  for (const size_t i : {first, first + 1}) {
    LAPIS_TRY(Value * weights, t.real(i, Layout::AsWritten));
    LAPIS_TRY(inputs.emplace_back(), frontend::unsqueeze(t, weights, {0}));
  }
  LAPIS_TRY(inputs.emplace_back(), frontend::unsqueeze(t, biases, {0}));
  inputs.push_back(nullptr);
  LAPIS_TRY(Value * state, t.real(first + 3, Layout::AsWritten));
  LAPIS_TRY(inputs.emplace_back(), frontend::unsqueeze(t, state, {0}));
  if (!bias->type().is_static()) return Translation::unsupported("parameters of open size");
  attributes.hidden_size = element_count(bias->type().shape());
  LAPIS_TRY(Value * y, t.add(ops::RNN, inputs, attributes));
  return frontend::squeeze(t, y, {1});
}

}  // namespace

Status sequence_lstm(Translation& t) {
  LAPIS_CHECK(check_none_from(t, kNorms, "gates that are normalized"));
  LAPIS_TRY(Value * y, lstm(t, kOnly));
  return set_sequence(t, 0, y);
}

Status bidirectional_lstm(Translation& t) {
  LAPIS_CHECK(check_none_from(t, kAuxiliary, "an auxiliary input"));
  LAPIS_TRY(Value * there, lstm(t, kThere));
  LAPIS_TRY(Value * back, lstm(t, kBack));
  return set_both(t, there, back);
}

Status sequence_rnn(Translation& t) {
  LAPIS_TRY(Value * y, rnn(t, 1, false));
  return set_sequence(t, 0, y);
}

Status bidirectional_rnn(Translation& t) {
  constexpr size_t kThereFrom = 1, kBackFrom = 5, kMore = 9;
  LAPIS_CHECK(check_none_from(t, kMore, "an auxiliary input"));
  LAPIS_TRY(Value * there, rnn(t, kThereFrom, false));
  LAPIS_TRY(Value * back, rnn(t, kBackFrom, true));
  return set_both(t, there, back);
}

}  // namespace lapis::tflite_frontend
