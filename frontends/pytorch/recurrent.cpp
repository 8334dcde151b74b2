// LSTM and GRU, whole or one step, as ONNX's operators: the same functions with their gates in another order.
#include "frontends/common/recurrent_layers.h"
#include "frontends/pytorch/translators.h"

namespace lapis::pytorch_frontend {
namespace {

using frontend::ints;

using Kind = frontend::RecurrentKind;

const Kind& lstm_kind() {
  static const Kind kind{ops::LSTM, {0, 3, 1, 2}, 2};  // i f g o becomes i o f c
  return kind;
}
const Kind& gru_kind() {
  static const Kind kind{ops::GRU, {1, 0, 2}, 1};  // r z n becomes z r h
  return kind;
}

struct Network : frontend::RecurrentNetwork {
  bool batch_first = false;
};

Result<Network> network(Args& a, const Kind& kind) {
  constexpr int64_t kMostLayers = 1000;
  Network n;
  const int64_t layers = a.integer("num_layers", 1);
  n.directions = a.flag("bidirectional", false) ? 2 : 1;
  n.batch_first = a.flag("batch_first", false);
  const bool trains = a.flag("train", false) && a.number("dropout", 0) > 0, has_biases = a.flag("has_biases", true);
  LAPIS_CHECK(a.status());
  if (trains) return Translation::unsupported("training: call model.eval() before the model is exported");
  LAPIS_TRY(n.parameters, a.tensors("params"));
  LAPIS_TRY(n.states, a.tensors("hx"));
  if (layers < 1 || layers > kMostLayers) return error(ErrorKind::Input, "has " + std::to_string(layers) + " layers");
  n.layers = static_cast<size_t>(layers);
  if (n.parameters.size() != n.layers * n.directions * (has_biases ? 4 : 2) || n.states.size() != kind.states)
    return Translation::unsupported("projections, or another number of parameters");
  return n;
}

Status run(Translation& t, const Kind& kind) {
  Args a(t);
  LAPIS_TRY(const Network n, network(a, kind));
  LAPIS_TRY(Value * x, a.tensor("input"));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  if (rank != 3) return Translation::unsupported("sequences without a batch");
  if (n.batch_first) {
    LAPIS_TRY(x, frontend::transpose(t, x, {1, 0, 2}));
  }
  LAPIS_TRY(std::vector<Value*> results, frontend::recurrent_layers(t, kind, n, x));
  if (n.batch_first) {
    LAPIS_TRY(results[0], frontend::transpose(t, results[0], {1, 0, 2}));
  }
  return finish_some(t, results);
}

// One step: x [batch, width], states [batch, hidden].
Status step(Translation& t, const Kind& kind) {
  Args a(t);
  LAPIS_TRY(Value * x, a.tensor("input"));
  LAPIS_TRY(x, frontend::unsqueeze(t, x, {0}));
  std::vector<Value*> given, states;
  if (kind.states == 1) {
    LAPIS_TRY(states.emplace_back(), a.tensor("hx"));
  } else {
    LAPIS_TRY(states, a.tensors("hx"));
  }
  if (states.size() != kind.states) return error(ErrorKind::Input, "has " + std::to_string(states.size()) + " states");
  for (Value*& state : states) {
    LAPIS_TRY(state, frontend::unsqueeze(t, state, {0}));
  }
  for (const char* name : {"w_ih", "w_hh", "b_ih", "b_hh"})
    if (a.has(name)) {
      LAPIS_TRY(given.emplace_back(), a.tensor(name));
    }
  if (given.size() % 2 != 0 || given.size() < 2) return Translation::unsupported("one bias of two");
  LAPIS_TRY(std::vector<Value*> y, frontend::recurrent_layer(t, kind, x, given, states, 1));
  y.erase(y.begin());
  for (Value*& state : y) {
    LAPIS_TRY(state, frontend::squeeze(t, state, {0}));
  }
  return finish_some(t, y);
}

Status lstm(Translation& t) { return run(t, lstm_kind()); }
Status gru(Translation& t) {
  if (!Args(t).is_operand("hx")) return error(ErrorKind::Input, "has no state");
  return run(t, gru_kind());
}
Status lstm_cell(Translation& t) { return step(t, lstm_kind()); }
Status gru_cell(Translation& t) { return step(t, gru_kind()); }

constexpr AtenRow kRows[] = {
    {"aten.gru", "input hx params has_biases num_layers dropout train bidirectional batch_first", gru},
    {"aten.gru_cell", "input hx w_ih w_hh b_ih b_hh", gru_cell},
    {"aten.lstm", "input hx params has_biases num_layers dropout train bidirectional batch_first", lstm},
    {"aten.lstm_cell", "input hx w_ih w_hh b_ih b_hh", lstm_cell},
};

}  // namespace

std::span<const AtenRow> recurrent_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
