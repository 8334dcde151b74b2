// What the recurrent operators (LSTM, GRU, RNN) have in common: attributes, activations, and how their parameters lie.
//
//   LAPIS_TRY(const Recurrent r, recurrent_of(node));
//   for (int64_t d = 0; d < r.directions(); ++d) ... r.activation(d, 0) ...
#pragma once

#include "ir/op.h"

namespace lapis::ops {

struct RecurrentAttrs {
  std::vector<float> activation_alpha, activation_beta;
  std::optional<float> clip;
  std::string direction = "forward";  // or "reverse", "bidirectional"
  std::optional<int64_t> hidden_size;
  int64_t layout = 0;  // 1: the batch is the first axis of X, Y and the states
  static constexpr auto fields =
      std::tuple(field("activation_alpha", &RecurrentAttrs::activation_alpha),
                 field("activation_beta", &RecurrentAttrs::activation_beta), field("clip", &RecurrentAttrs::clip),
                 field("direction", &RecurrentAttrs::direction), field("hidden_size", &RecurrentAttrs::hidden_size),
                 field("layout", &RecurrentAttrs::layout));
};

struct LstmAttrs : RecurrentAttrs {
  std::vector<std::string> activations;
  bool input_forget = false;
  static constexpr auto fields = std::tuple_cat(
      RecurrentAttrs::fields,
      std::tuple(field("activations", &LstmAttrs::activations), field("input_forget", &LstmAttrs::input_forget)));
};

struct GruAttrs : RecurrentAttrs {
  std::vector<std::string> activations;
  bool linear_before_reset = false;
  static constexpr auto fields =
      std::tuple_cat(RecurrentAttrs::fields, std::tuple(field("activations", &GruAttrs::activations),
                                                        field("linear_before_reset", &GruAttrs::linear_before_reset)));
};

struct RnnAttrs : RecurrentAttrs {
  std::vector<std::string> activations = {"Tanh", "Tanh"};
  static constexpr auto fields =
      std::tuple_cat(RecurrentAttrs::fields, std::tuple(field("activations", &RnnAttrs::activations)));
};

// A function that gates or states go through, by its name in ONNX.
struct Activation {
  std::string_view name;
  double (*value)(double x, double alpha, double beta);
  std::optional<float> alpha, beta;  // their defaults; absent: it has no such parameter
};

struct ChosenActivation {
  const Activation* function;
  float alpha = 0, beta = 0;
  double operator()(double x) const { return function->value(x, alpha, beta); }
};

// One recurrent node, its attributes read and checked.
struct Recurrent {
  RecurrentAttrs attrs;
  int64_t gates = 0;          // stacked in W, R and B: i o f c of an LSTM, z r h of a GRU
  size_t functions = 0;       // of one direction: f, g, h of an LSTM, f, g of a GRU, f of an RNN
  bool input_forget = false;  // the forget gate is 1 - the input gate
  bool linear_before_reset = false;
  std::vector<ChosenActivation> activations;

  int64_t directions() const { return attrs.direction == "bidirectional" ? 2 : 1; }
  bool is_reverse(int64_t direction) const { return direction == 1 || attrs.direction == "reverse"; }
  const ChosenActivation& activation(int64_t direction, size_t i) const {
    return activations[static_cast<size_t>(direction) * functions + i];
  }
};

// Of an LSTM, GRU or RNN; or which attribute ONNX does not define.
Result<Recurrent> recurrent_of(const Node& node);

// Operands of all three, and those that an LSTM has besides.
enum RecurrentOperand : size_t { kX, kW, kR, kB, kLengths, kInitialH, kInitialC, kPeepholes };

}  // namespace lapis::ops
