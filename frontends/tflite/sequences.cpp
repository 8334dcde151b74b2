// LSTMs and simple networks along a sequence, as ONNX's operators: the same functions with their gates in another order. They begin from zeros in
// each run, as TFLite does once its variables are reset.
#include <algorithm>

#include "frontends/common/build.h"
#include "frontends/common/elementwise.h"
#include "frontends/tflite/translators.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"
#include "ir/ops/recurrent.h"

namespace lapis::tflite_frontend {
namespace {

// Operands of an LSTM: where its groups of four begin, which are for the gates input, forget, cell, output.
enum Operand : size_t {
  kInput,
  kWeights = 1,
  kRecurrence = 5,
  kPeepholes = 9,
  kBiases = 12,
  kProjection = 16,
  kOutputState = 18,
  kCellState,
  kNorms
};
constexpr size_t kGate[] = {0, 3, 1, 2};   // ONNX's order: input, output, forget, cell
constexpr size_t kPeephole[] = {0, 2, 1};  // input, output, forget of input, forget, output

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

Status set_sequence(Translation& t, Value* y) {
  LAPIS_TRY(y, turned(t, y, t.get<bool>("time_major", false)));
  return frontend::result(t, 0, y);
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
  std::string activation;
  double clip = 0;
};

Status check_lstm(const Translation& t) {
  if (!t.has(kOutputState) || !t.has(kCellState)) return error(ErrorKind::Input, "has no states");
  if (t.has(kProjection)) return Translation::unsupported("outputs that are projected");
  for (size_t i = kNorms; i < t.input_count(); ++i)
    if (t.has(i)) return Translation::unsupported("gates that are normalized");
  return ok();
}

Result<Lstm> parameters(Translation& t) {
  LAPIS_CHECK(check_lstm(t));
  Lstm l{};
  l.clip = t.get<double>("cell_clip", 0);
  LAPIS_TRY(l.activation, activation_of(t));
  LAPIS_TRY(l.x, sequence(t));
  LAPIS_TRY(l.weights, of_gates(t, kWeights, kGate));
  LAPIS_TRY(l.recurrence, of_gates(t, kRecurrence, kGate));
  LAPIS_TRY(l.biases, of_gates(t, kBiases, kGate));
  if (t.has(kPeepholes + 1)) {
    LAPIS_TRY(l.peepholes, of_gates(t, kPeepholes, kPeephole));
  }
  LAPIS_TRY(l.output, t.real(kOutputState, Layout::AsWritten));
  LAPIS_TRY(l.cell, t.real(kCellState, Layout::AsWritten));
  return l;
}

// A cell grows by at most 1 in a step, so that short sequences do not reach the numbers at which it is clipped.
bool may_clip(const Translation& t, const Lstm& l) {
  const Tensor& start = t.input(kCellState).constant;
  const Dim& steps = l.x->type().dim(0);
  if (l.clip <= 0) return false;
  if (!start.defined() || l.activation != "Tanh" || !steps.is_constant()) return true;
  for (int64_t i = 0; i < start.size(); ++i)
    if (start.as_double(i) != 0) return true;
  return static_cast<double>(steps.value()) > l.clip;
}

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
      return Translation::unsupported("cells that are clipped, along more than " + std::to_string(kMost) + " steps");
    LAPIS_TRY(Value * weights, frontend::transpose(t_, l_.weights, {1, 0}));
    LAPIS_TRY(recurrence_, frontend::transpose(t_, l_.recurrence, {1, 0}));
    LAPIS_TRY(Value * all, t_.add(ops::MatMul, {l_.x, weights}));
    LAPIS_TRY(all, t_.add(ops::Add, {all, l_.biases}));
    if (l_.peepholes) {
      LAPIS_TRY(peepholes_, t_.add_all(ops::Split, {l_.peepholes}, encode_attributes(ops::SplitAttrs{0, 3}), 3));
    }
    std::vector<Value*> outputs;
    for (int64_t i = 0; i < steps.value(); ++i) {
      Value* at = t_.constant(Tensor::scalar(i));
      LAPIS_TRY(Value * of_input, t_.add(ops::Gather, {all, at}, ops::AxisAttrs{.axis = 0}));
      LAPIS_CHECK(step(of_input));
      LAPIS_TRY(outputs.emplace_back(), frontend::unsqueeze(t_, h_, {0}));
    }
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
    return ok();
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

}  // namespace

Status sequence_lstm(Translation& t) {
  LAPIS_TRY(const Lstm l, parameters(t));
  if (!l.output->type().is_static() || l.output->type().rank() != 2)
    return error(ErrorKind::Input, "its state is " + l.output->type().to_string() + ", not [batch, cells]");
  LAPIS_TRY(Value * y, may_clip(t, l) ? Steps(t, l).run() : as_operator(t, l));
  return set_sequence(t, y);
}

// Operands: data, weights, weights of the state, bias, state.
Status sequence_rnn(Translation& t) {
  LAPIS_TRY(const std::string activation, activation_of(t));
  LAPIS_TRY(Value * x, sequence(t));
  std::vector<Value*> inputs = {x};
  LAPIS_TRY(Value * bias, t.real(3, Layout::AsWritten));
  LAPIS_TRY(Value * zeros, t.add(ops::Sub, {bias, bias}));
  LAPIS_TRY(Value * biases, t.add(ops::Concat, {bias, zeros}, ops::ConcatAttrs{.axis = 0}));
  for (const size_t i : {1, 2}) {
    LAPIS_TRY(Value * weights, t.real(i, Layout::AsWritten));
    LAPIS_TRY(inputs.emplace_back(), frontend::unsqueeze(t, weights, {0}));
  }
  LAPIS_TRY(inputs.emplace_back(), frontend::unsqueeze(t, biases, {0}));
  inputs.push_back(nullptr);
  LAPIS_TRY(Value * state, t.real(4, Layout::AsWritten));
  LAPIS_TRY(inputs.emplace_back(), frontend::unsqueeze(t, state, {0}));
  ops::RnnAttrs attributes;
  attributes.activations = {activation};
  if (!bias->type().is_static()) return Translation::unsupported("parameters of open size");
  attributes.hidden_size = element_count(bias->type().shape());
  LAPIS_TRY(Value * y, t.add(ops::RNN, inputs, attributes));
  LAPIS_TRY(y, frontend::squeeze(t, y, {1}));
  return set_sequence(t, y);
}

}  // namespace lapis::tflite_frontend
