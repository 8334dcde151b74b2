// LSTM, GRU and SimpleRNN, in one direction or both, as ONNX's operators:
// the same functions with their gates in another order.
#include "ir/ops/recurrent.h"

#include <map>

#include "frontends/common/recurrent_layers.h"
#include "frontends/keras/steps.h"
#include "frontends/keras/translators.h"
#include "ir/ops/data_attributes.h"

namespace lapis::keras_frontend {
namespace {

// How a kind of network differs from others.
struct Kind {
  const OpDef& op;
  std::vector<int64_t> order;  // ONNX's gates among Keras'
  size_t states;               // h, and c of an LSTM
  // The numbers of each gate's matrices are those that cuDNN wants, [units, F] and [units, units], whatever shape Keras
  // writes them in; there is an input's and a recurrent bias, and a GRU resets what its recurrent kernel gives.
  bool is_cudnn = false;
};
const Kind* kind_of(const std::string& layer) {
  static const std::map<std::string, Kind> kKinds = {{"CuDNNGRU", {ops::GRU, {0, 1, 2}, 1, true}},
                                                     {"CuDNNLSTM", {ops::LSTM, {0, 3, 1, 2}, 2, true}},
                                                     {"GRU", {ops::GRU, {0, 1, 2}, 1}},       // z r h
                                                     {"LSTM", {ops::LSTM, {0, 3, 1, 2}, 2}},  // i f c o becomes i o f c
                                                     {"SimpleRNN", {ops::RNN, {0}, 1}}};
  const auto kind = kKinds.find(layer);
  return kind == kKinds.end() ? nullptr : &kind->second;
}

// Blocks of rows in another order.
Result<Value*> reordered(Translation& t, Value* gates, const Kind& kind, int64_t units) {
  if (kind.order.size() == 1) return gates;
  std::vector<Value*> parts;
  for (const int64_t gate : kind.order) {
    LAPIS_TRY(parts.emplace_back(), frontend::slice(t, gates, 0, gate * units, (gate + 1) * units));
  }
  return t.add(ops::Concat, parts, ops::ConcatAttrs{0});
}

// Operands `first`, `first` + 1 and `first` + 2: kernel [F, gates * units], recurrent kernel [units, gates * units],
// and bias, if there is one: [gates * units], or [2, gates * units] of a GRU that resets what its recurrent kernel
// gives.
struct Cell {
  Value *w = nullptr, *r = nullptr, *b = nullptr;
};
Status check_cell(const Translation& t, const Kind& kind, size_t first, int64_t rows) {
  const Tensor &kernel = t.input(first).constant, &recurrent = t.input(first + 1).constant;
  const int64_t units = t.get<int64_t>("units", 0);
  const bool fits = kernel.defined() && kernel.rank() == 2 && kernel.dim(1) == rows && recurrent.defined() &&
                    recurrent.rank() == 2 && recurrent.dim(0) == units && recurrent.dim(1) == rows;
  const Tensor bias = t.has(first + 2) ? t.input(first + 2).constant : Tensor();
  const Shape two = kind.is_cudnn ? Shape{2 * rows} : Shape{2, rows};
  if (fits && (!bias.defined() || bias.size() == rows || bias.shape() == two)) return ok();
  return error(ErrorKind::Input, "its weights do not fit its " + std::to_string(units) + " units");
}

Result<Value*> bias_of(Translation& t, const Kind& kind, size_t operand, int64_t units) {
  const auto rows = static_cast<int64_t>(kind.order.size()) * units;
  const Tensor& tensor = t.input(operand).constant;
  const bool has_two = tensor.size() == 2 * rows;
  LAPIS_TRY(Value * bias, t.real(operand, Layout::AsWritten));
  std::vector<Value*> both;
  for (int64_t i = 0; i < (has_two ? 2 : 1); ++i) {
    LAPIS_TRY(Value * one, frontend::reshape(t, bias, {-1}));
    LAPIS_TRY(one, frontend::slice(t, one, 0, i * rows, (i + 1) * rows));
    LAPIS_TRY(both.emplace_back(), reordered(t, one, kind, units));
  }
  if (!has_two) {
    LAPIS_TRY(both.emplace_back(), repeated(t, 0, {rows}));
  }
  return t.add(ops::Concat, both, ops::ConcatAttrs{0});
}

// [F, gates * units] as [gates * units, F], with its gates in ONNX's order.
Result<Value*> matrix_of(Translation& t, const Kind& kind, size_t operand, int64_t units) {
  if (!kind.is_cudnn) {
    LAPIS_TRY(Value * gates, t.parameter(operand, {1, 0}));
    return reordered(t, gates, kind, units);
  }
  LAPIS_TRY(Value * kernel, t.real(operand, Layout::AsWritten));
  std::vector<Value*> gates;
  for (const int64_t gate : kind.order) {
    LAPIS_TRY(Value * part, frontend::slice(t, kernel, 1, gate * units, (gate + 1) * units));
    LAPIS_TRY(gates.emplace_back(), frontend::reshape(t, part, {units, -1}));
  }
  return t.add(ops::Concat, gates, ops::ConcatAttrs{0});
}

Result<Cell> cell_of(Translation& t, const Kind& kind, size_t first) {
  constexpr int64_t kMost = int64_t{1} << 40;
  const int64_t units = t.get<int64_t>("units", 0);
  if (units < 1 || units > kMost) return error(ErrorKind::Input, "has " + std::to_string(units) + " units");
  LAPIS_CHECK(check_cell(t, kind, first, static_cast<int64_t>(kind.order.size()) * units));
  Cell cell;
  LAPIS_TRY(cell.w, matrix_of(t, kind, first, units));
  LAPIS_TRY(cell.r, matrix_of(t, kind, first + 1, units));
  if (t.has(first + 2)) {
    LAPIS_TRY(cell.b, bias_of(t, kind, first + 2, units));
  }
  return cell;
}

// ---- activations ----------------------------------------------------------------------------------------------------

Status add_activation(const Translation& t, const char* option, const char* fallback, std::vector<std::string>& names,
                      ops::RecurrentAttrs& attributes) {
  constexpr float kOldSlope = 0.2f, kNewSlope = 1.0f / 6;
  const auto name = t.get<std::string>(option, fallback);
  const auto numbers = [&](float alpha, std::optional<float> beta) {
    attributes.activation_alpha.push_back(alpha);
    if (beta) attributes.activation_beta.push_back(*beta);
  };
  static const std::map<std::string, const char*> kPlain = {
      {"relu", "Relu"}, {"sigmoid", "Sigmoid"}, {"softplus", "Softplus"}, {"softsign", "Softsign"}, {"tanh", "Tanh"}};
  if (const auto plain = kPlain.find(name); plain != kPlain.end()) {
    names.emplace_back(plain->second);
  } else if (name == "linear") {
    names.emplace_back("Affine");
    numbers(1, 0.0f);
  } else if (name == "elu") {
    names.emplace_back("Elu");
    numbers(1, std::nullopt);
  } else if (name == "hard_sigmoid") {
    names.emplace_back("HardSigmoid");
    numbers(t.get<int64_t>("keras_version", 2) < 3 ? kOldSlope : kNewSlope, 0.5f);
  } else {
    return Translation::unsupported("the activation '" + name + "' of a recurrent layer");
  }
  return ok();
}

// Of gates first, then of what goes into states, for each direction.
Status add_activations(const Translation& t, const Kind& kind, size_t directions, std::vector<std::string>& names,
                       ops::RecurrentAttrs& attributes) {
  for (size_t d = 0; d < directions; ++d) {
    if (kind.order.size() > 1) LAPIS_CHECK(add_activation(t, "recurrent_activation", "sigmoid", names, attributes));
    for (size_t state = 0; state < kind.states; ++state)
      LAPIS_CHECK(add_activation(t, "activation", "tanh", names, attributes));
  }
  return ok();
}

template <class Attrs>
Result<Attributes> attributes_of(const Translation& t, const Kind& kind, Attrs attributes, size_t directions) {
  attributes.direction = directions == 2 ? "bidirectional" : t.get<bool>("go_backwards", false) ? "reverse" : "forward";
  attributes.hidden_size = t.get<int64_t>("units", 0);
  attributes.activations.clear();
  LAPIS_CHECK(add_activations(t, kind, directions, attributes.activations, attributes));
  return encode_attributes(attributes);
}

Result<Attributes> attributes_of(const Translation& t, const Kind& kind, size_t directions) {
  if (kind.states == 2) return attributes_of(t, kind, ops::LstmAttrs(), directions);
  if (kind.order.size() == 1) return attributes_of(t, kind, ops::RnnAttrs(), directions);
  ops::GruAttrs attributes;
  attributes.linear_before_reset = kind.is_cudnn || t.get<bool>("reset_after", false);
  return attributes_of(t, kind, attributes, directions);
}

// ---- the operator ---------------------------------------------------------------------------------------------------

// What it gives: all steps [steps, directions, N, units], then the last states [directions, N, units].
Result<std::vector<Value*>> all_steps(Translation& t, const Kind& kind, size_t slots, size_t directions,
                                      const std::optional<Steps>& steps) {
  for (const char* other : {"stateful", "time_major"})
    if (t.get<bool>(other, false)) return Translation::unsupported(other);
  LAPIS_TRY(const int64_t rank, rank_of(t));
  if (rank != 3)
    return error(ErrorKind::Input, "its data is " + t.input(0).type.to_string() + ", not [N, steps, values]");
  LAPIS_TRY(const Attributes attributes, attributes_of(t, kind, directions));
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  if (steps) {
    LAPIS_TRY(x, rows_at(t, x, steps->order));
  }
  LAPIS_TRY(x, frontend::transpose(t, x, {1, 0, 2}));
  std::vector<Value*> w, r, b, inputs = {x};
  for (size_t d = 0; d < directions; ++d) {
    LAPIS_TRY(const Cell cell, cell_of(t, kind, slots + 3 * d));
    w.push_back(cell.w);
    r.push_back(cell.r);
    b.push_back(cell.b);
  }
  for (const std::vector<Value*>& all : {w, r, b}) {
    LAPIS_TRY(inputs.emplace_back(), frontend::stacked(t, all));
  }
  inputs.push_back(steps ? steps->lengths : nullptr);
  for (size_t state = 0; state < kind.states && t.has(1); ++state) {
    std::vector<Value*> given;
    for (size_t d = 0; d < directions; ++d) {
      const size_t operand = 1 + d * kind.states + state;
      if (!t.has(operand)) return Translation::unsupported("some of its states as operands, and others not");
      LAPIS_TRY(given.emplace_back(), t.real(operand, Layout::AsWritten));
    }
    LAPIS_TRY(inputs.emplace_back(), frontend::stacked(t, given));
  }
  return t.add_all(kind.op, inputs, attributes, 1 + kind.states);
}

// The state of one direction, [N, units].
Result<Value*> state_of(Translation& t, Value* states, size_t directions, int64_t d) {
  if (directions > 1) {
    LAPIS_TRY(states, frontend::slice(t, states, 0, d, d + 1));
  }
  return frontend::squeeze(t, states, {0});
}

// Of the steps that the mask in this slot counts; all of them, if there is none.
Result<std::optional<Steps>> masked_steps(Translation& t, size_t slot) {
  if (!t.has(slot)) return std::optional<Steps>();
  if (t.get<bool>("zero_output_for_mask", false) && !t.get<bool>("return_sequences", false))
    return Translation::unsupported("zero_output_for_mask for the last step alone");
  LAPIS_TRY(Steps steps, steps_of(t, slot));
  return std::optional(steps);
}

// The last step that counts; where there is none, zeros and not the state from before.
Result<Value*> last_of(Translation& t, const std::vector<Value*>& y, size_t directions, int64_t d,
                       const std::optional<Steps>& counting) {
  LAPIS_TRY(Value * last, state_of(t, y[1], directions, d));
  return counting && t.has(1) ? last_or_zeros(t, *counting, last) : last;
}

// What one direction gives: all steps [N, steps, units], or the last [N, units].
// Both directions together leave out what the mask does.
Result<Value*> result_of(Translation& t, const std::vector<Value*>& y, size_t directions, int64_t d,
                         const std::optional<Steps>& counting) {
  if (!t.get<bool>("return_sequences", false)) return last_of(t, y, directions, d, counting);
  Value* steps = y[0];
  if (directions > 1) {
    LAPIS_TRY(steps, frontend::slice(t, steps, 1, d, d + 1));
  }
  LAPIS_TRY(steps, frontend::squeeze(t, steps, {1}));
  LAPIS_TRY(steps, frontend::transpose(t, steps, {1, 0, 2}));
  if (!counting) return steps;
  const bool zeros = directions > 1 || t.get<bool>("zero_output_for_mask", false);
  return spread(t, *counting, steps, {d == 1 || t.get<bool>("go_backwards", false), zeros});
}

Status set_states(Translation& t, const Kind& kind, const std::vector<Value*>& y, size_t directions) {
  for (size_t i = 1; i < t.output_count(); ++i) {
    LAPIS_TRY(Value * state,
              state_of(t, y[1 + (i - 1) % kind.states], directions, static_cast<int64_t>((i - 1) / kind.states)));
    LAPIS_CHECK(t.set(i, state, Layout::AsWritten));
  }
  return ok();
}

Result<Value*> merged(Translation& t, const std::vector<Value*>& both, const std::string& mode) {
  if (mode == "concat") return t.add(ops::Concat, both, ops::ConcatAttrs{-1});
  if (mode == "mul") return t.add(ops::Mul, both);
  if (mode != "sum" && mode != "ave") return Translation::unsupported("the merge_mode '" + mode + "'");
  LAPIS_TRY(Value * y, t.add(ops::Add, both));
  if (mode == "sum") return y;
  LAPIS_TRY(Value * half, frontend::scalar_like(t, 0.5, y));
  return t.add(ops::Mul, {y, half});
}

}  // namespace

Status recurrent(Translation& t) {
  const Kind& kind = *kind_of(t.node().op);
  const size_t mask = 1 + kind.states;
  LAPIS_TRY(const std::optional<Steps> steps, masked_steps(t, mask));
  LAPIS_TRY(const std::vector<Value*> y, all_steps(t, kind, mask + 1, 1, steps));
  LAPIS_TRY(Value * result, result_of(t, y, 1, 0, steps));
  // Keras gives the steps in the order in which they were taken, ONNX in that of the data.
  if (t.get<bool>("go_backwards", false) && t.get<bool>("return_sequences", false)) {
    LAPIS_TRY(result, frontend::slice(t, result, 1, -1, INT64_MIN, -1));
  }
  LAPIS_CHECK(t.set(0, result, Layout::AsWritten));
  return set_states(t, kind, y, 1);
}

Status bidirectional(Translation& t) {
  constexpr size_t kMask = 5;
  const std::string cell = t.get<std::string>("cell", "");
  const Kind* kind = kind_of(cell);
  if (!kind) return Translation::unsupported("a wrapper of the layer " + cell);
  if (t.get<bool>("go_backwards", false)) return Translation::unsupported("a layer that goes backwards anyway");
  if (t.get<bool>("directions_differ", false)) return Translation::unsupported("directions with different options");
  LAPIS_TRY(const std::optional<Steps> steps, masked_steps(t, kMask));
  LAPIS_TRY(const std::vector<Value*> y, all_steps(t, *kind, kMask + 1, 2, steps));
  std::vector<Value*> both;
  for (int64_t d = 0; d < 2; ++d) {
    LAPIS_TRY(both.emplace_back(), result_of(t, y, 2, d, steps));
  }
  LAPIS_TRY(Value * result, merged(t, both, t.get<std::string>("merge_mode", "concat")));
  LAPIS_CHECK(t.set(0, result, Layout::AsWritten));
  return set_states(t, *kind, y, 2);
}

}  // namespace lapis::keras_frontend
