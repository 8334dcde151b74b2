// LSTM and GRU, whole or one step, as ONNX's operators: the same functions with their gates in another order.
#include "ir/ops/recurrent.h"
#include "frontends/pytorch/translators.h"
#include "ir/ops/data_attributes.h"

namespace lapis::pytorch_frontend {
namespace {

using frontend::ints;

// How a kind of network differs from others.
struct Kind {
  const OpDef& op;
  std::vector<size_t> order;  // ONNX's gates among PyTorch's
  size_t states;              // h, and c of an LSTM
};
const Kind& lstm_kind() {
  static const Kind kind{ops::LSTM, {0, 3, 1, 2}, 2};  // i f g o becomes i o f c
  return kind;
}
const Kind& gru_kind() {
  static const Kind kind{ops::GRU, {1, 0, 2}, 1};  // r z n becomes z r h
  return kind;
}

// Gates are blocks of rows.
Result<Value*> reordered(Translation& t, Value* gates, const std::vector<size_t>& order) {
  const auto count = static_cast<int64_t>(order.size());
  if (!gates->type().ranked() || gates->type().rank() < 1 || !gates->type().dim(0).is_constant() ||
      gates->type().dim(0).value() % count != 0)
    return Translation::unsupported("parameters of open size");
  LAPIS_TRY(const std::vector<Value*> parts,
            t.add_all(ops::Split, {gates}, encode_attributes(ops::SplitAttrs{0, count}), order.size()));
  std::vector<Value*> turned;
  for (const size_t gate : order) turned.push_back(parts[gate]);
  return t.add(ops::Concat, turned, ops::ConcatAttrs{0});
}

// W, R, B of one layer, each with an axis for directions in front.
struct Parameters {
  Value *w = nullptr, *r = nullptr, *b = nullptr;
};

Result<Value*> stacked(Translation& t, std::vector<Value*> directions) {
  for (Value*& value : directions) {
    LAPIS_TRY(value, frontend::unsqueeze(t, value, {0}));
  }
  if (directions.size() == 1) return directions[0];
  return t.add(ops::Concat, directions, ops::ConcatAttrs{0});
}

// `given`: w_ih, w_hh and, if there are biases, b_ih and b_hh, for each direction.
Result<Parameters> parameters(Translation& t, const Kind& kind, const std::vector<Value*>& given, size_t directions) {
  const size_t each = given.size() / directions;
  std::vector<Value*> w, r, b;
  for (size_t d = 0; d < directions; ++d) {
    LAPIS_TRY(w.emplace_back(), reordered(t, given[d * each], kind.order));
    LAPIS_TRY(r.emplace_back(), reordered(t, given[d * each + 1], kind.order));
    if (each < 4) continue;
    LAPIS_TRY(Value * input, reordered(t, given[d * each + 2], kind.order));
    LAPIS_TRY(Value * hidden, reordered(t, given[d * each + 3], kind.order));
    LAPIS_TRY(b.emplace_back(), t.add(ops::Concat, {input, hidden}, ops::ConcatAttrs{0}));
  }
  Parameters p;
  LAPIS_TRY(p.w, stacked(t, w));
  LAPIS_TRY(p.r, stacked(t, r));
  if (!b.empty()) {
    LAPIS_TRY(p.b, stacked(t, b));
  }
  return p;
}

Attributes attributes_of(const Kind& kind, size_t directions, int64_t hidden) {
  const std::string direction = directions == 2 ? "bidirectional" : "forward";
  if (kind.states == 2) {
    ops::LstmAttrs attributes;
    attributes.direction = direction;
    attributes.hidden_size = hidden;
    return encode_attributes(attributes);
  }
  ops::GruAttrs attributes;
  attributes.direction = direction;
  attributes.hidden_size = hidden;
  attributes.linear_before_reset = true;
  return encode_attributes(attributes);
}

// One layer on x [steps, batch, width] with states [directions, batch, hidden]: y, then the states behind the last step.
Result<std::vector<Value*>> layer(Translation& t, const Kind& kind, Value* x, const std::vector<Value*>& given,
                                  const std::vector<Value*>& states, size_t directions) {
  LAPIS_TRY(const Parameters p, parameters(t, kind, given, directions));
  if (!p.r->type().ranked() || !p.r->type().dim(-1).is_constant())
    return Translation::unsupported("parameters of open size");
  std::vector<Value*> inputs = {x, p.w, p.r, p.b, nullptr};
  inputs.insert(inputs.end(), states.begin(), states.end());
  return t.add_all(kind.op, inputs, attributes_of(kind, directions, p.r->type().dim(-1).value()), 1 + kind.states);
}

// [steps, directions, batch, hidden] as [steps, batch, directions * hidden].
Result<Value*> beside_each_other(Translation& t, Value* y, size_t directions) {
  if (directions == 1) return frontend::squeeze(t, y, {1});
  LAPIS_TRY(Value * turned, frontend::transpose(t, y, {0, 2, 1, 3}));
  return frontend::reshape(t, turned, {0, 0, -1});
}

struct Network {
  size_t layers = 1, directions = 1;
  bool batch_first = false;
  std::vector<Value*> parameters, states;
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

Result<std::vector<Value*>> all_layers(Translation& t, const Kind& kind, const Network& n, Value* x) {
  const size_t each = n.parameters.size() / n.layers;
  std::vector<std::vector<Value*>> last(kind.states);
  for (size_t l = 0; l < n.layers; ++l) {
    std::vector<Value*> states;
    const auto begin = static_cast<int64_t>(l * n.directions), end = static_cast<int64_t>((l + 1) * n.directions);
    for (Value* state : n.states) {
      LAPIS_TRY(states.emplace_back(), frontend::slice(t, state, 0, begin, end));
    }
    const auto from = n.parameters.begin() + static_cast<ptrdiff_t>(l * each);
    LAPIS_TRY(const std::vector<Value*> y,
              layer(t, kind, x, {from, from + static_cast<ptrdiff_t>(each)}, states, n.directions));
    LAPIS_TRY(x, beside_each_other(t, y[0], n.directions));
    for (size_t s = 0; s < kind.states; ++s) last[s].push_back(y[s + 1]);
  }
  std::vector<Value*> results = {x};
  for (const std::vector<Value*>& states : last) {
    LAPIS_TRY(results.emplace_back(),
              states.size() == 1 ? Result<Value*>(states[0]) : t.add(ops::Concat, states, ops::ConcatAttrs{0}));
  }
  return results;
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
  LAPIS_TRY(std::vector<Value*> results, all_layers(t, kind, n, x));
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
  LAPIS_TRY(std::vector<Value*> y, layer(t, kind, x, given, states, 1));
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
