// LSTM, GRU and RNN: parameters that share gates, directions and sizes of states.
#include "tests/random/graphs/propose.h"

namespace lapis::random_graphs {
namespace {

struct Sizes {
  int64_t length, batch, input, hidden, directions, gates;
  bool batch_first;
  Shape x() const { return batch_first ? Shape{batch, length, input} : Shape{length, batch, input}; }
  Shape state() const { return batch_first ? Shape{batch, directions, hidden} : Shape{directions, batch, hidden}; }
};

Sizes draw_sizes(Random& random, int64_t gates, Attributes& a) {
  Sizes s{random.one_of({1, 1, 2, 3, 5}),
          random.one_of({1, 1, 2, 3}),
          random.between(1, 5),
          random.one_of({1, 2, 4, 8, 9}),
          1,
          gates,
          random.chance(20)};
  if (random.chance(3)) (random.chance(50) ? s.length : s.batch) = 0;
  if (random.chance(60)) a["hidden_size"] = s.hidden;
  if (s.batch_first) a["layout"] = int64_t{1};
  if (random.chance(50)) {
    const std::string direction = random.pick<std::string>({"forward", "reverse", "bidirectional"});
    if (direction == "bidirectional") s.directions = 2;
    a["direction"] = direction;
  }
  return s;
}

void draw_activations(Random& random, int64_t count, Attributes& a) {
  if (!random.chance(25)) return;
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i)
    names.push_back(random.pick<std::string>({"Sigmoid", "Tanh", "Relu", "HardSigmoid", "Softsign", "LeakyRelu",
                                              "ScaledTanh", "Elu", "Affine", "ThresholdedRelu", "Softplus"}));
  a["activations"] = std::move(names);
  if (random.chance(50)) a["activation_alpha"] = std::vector<float>{0.5f, 0.25f};
  if (random.chance(50)) a["activation_beta"] = std::vector<float>{0.125f};
}

Value* lengths(Draft& d, const Sizes& s) {
  Tensor t(DType::Int32, {s.batch});
  for (int32_t& n : t.mutable_data<int32_t>()) n = static_cast<int32_t>(d.random.between(0, s.length));
  return d.fresh(std::move(t));
}

std::optional<Proposal> propose_recurrent(Draft& d, const OpDef& op) {
  Random& random = d.random;
  const bool is_lstm = op.name == "LSTM", is_gru = op.name == "GRU";
  const DType dtype = draw_dtype(random, random.chance(80) ? types(DType::Float32) : op.inputs[0].types);
  Proposal p;
  const Sizes s = draw_sizes(random, is_lstm ? 4 : is_gru ? 3 : 1, p.attributes);
  const int64_t rows = s.gates * s.hidden;
  const auto parameter = [&](const Shape& shape) { return d.fresh(draw_tensor(random, dtype, shape, Mood::Ordinary)); };
  const auto maybe = [&](int percent, const auto& make) { return random.chance(percent) ? make() : nullptr; };
  p.inputs = {d.like(dtype, s.x()), parameter({s.directions, rows, s.input}),
              parameter({s.directions, rows, s.hidden})};
  p.inputs.push_back(maybe(60, [&] { return parameter({s.directions, 2 * rows}); }));
  p.inputs.push_back(maybe(20, [&] { return lengths(d, s); }));
  p.inputs.push_back(maybe(40, [&] { return d.like(dtype, s.state()); }));
  if (is_lstm) {
    p.inputs.push_back(maybe(40, [&] { return d.like(dtype, s.state()); }));
    p.inputs.push_back(maybe(25, [&] { return parameter({s.directions, 3 * s.hidden}); }));
  }
  draw_activations(random, s.directions * (is_lstm ? 3 : is_gru ? 2 : 1), p.attributes);
  if (random.chance(10)) p.attributes["clip"] = random.pick<float>({0.5f, 3});
  if (is_lstm && random.chance(15)) p.attributes["input_forget"] = int64_t{1};
  if (is_gru && random.chance(40)) p.attributes["linear_before_reset"] = int64_t{1};
  p.outputs = static_cast<size_t>(random.between(1, static_cast<int64_t>(op.outputs.size())));
  return p;
}

}  // namespace

ProposerTable recurrent_proposers() {
  return {{"GRU", propose_recurrent}, {"LSTM", propose_recurrent}, {"RNN", propose_recurrent}};
}

}  // namespace lapis::random_graphs
