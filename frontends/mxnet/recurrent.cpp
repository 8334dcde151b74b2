// The fused LSTM, GRU and simple networks, whose parameters are one vector:
// all weights, layer by layer and direction by direction, then all biases.
#include "frontends/common/recurrent_layers.h"
#include "frontends/mxnet/translators.h"

namespace lapis::mxnet_frontend {
namespace {

using frontend::RecurrentKind;
using frontend::RecurrentNetwork;

const RecurrentKind* kind_of(const std::string& mode) {
  static const RecurrentKind lstm{ops::LSTM, {0, 3, 1, 2}, 2};  // i f c o becomes i o f c
  static const RecurrentKind gru{ops::GRU, {1, 0, 2}, 1};       // r z n becomes z r h
  static const RecurrentKind tanh{ops::RNN, {0}, 1, "Tanh"}, relu{ops::RNN, {0}, 1, "Relu"};
  if (mode == "lstm") return &lstm;
  if (mode == "gru") return &gru;
  if (mode == "rnn_tanh") return &tanh;
  return mode == "rnn_relu" ? &relu : nullptr;
}

struct Sizes {
  int64_t layers, directions, hidden, gates;
  int64_t rows() const { return gates * hidden; }
  int64_t cells() const { return layers * directions; }
  int64_t inner_width() const { return directions * hidden; }  // of what a layer reads, but for the first
};

// How wide the data is follows from how many parameters there are.
Result<int64_t> width_of_data(const Sizes& s, int64_t parameters) {
  const int64_t hidden = s.cells() * s.rows() * s.hidden, biases = s.cells() * 2 * s.rows();
  const int64_t inner = (s.layers - 1) * s.directions * s.rows() * s.inner_width();
  const int64_t left = parameters - hidden - biases - inner, each = s.directions * s.rows();
  if (left <= 0 || left % each != 0)
    return error(ErrorKind::Input, std::to_string(parameters) + " parameters do not fit " + std::to_string(s.layers) +
                                       " layers of " + std::to_string(s.hidden) + " units");
  return left / each;
}

// Takes tensors off the front of the vector of parameters.
class Parameters {
 public:
  Parameters(Translation& t, Value* vector) : t_(t), vector_(vector) {}
  Result<Value*> take(int64_t rows, int64_t columns) {
    LAPIS_TRY(Value * part, take(rows * columns));
    return frontend::reshape(t_, part, {rows, columns});
  }
  Result<Value*> take(int64_t count) {
    taken_ += count;
    return frontend::slice(t_, vector_, 0, taken_ - count, taken_);
  }

 private:
  Translation& t_;
  Value* vector_;
  int64_t taken_ = 0;
};

Result<std::vector<Value*>> parameters_of(Translation& t, const Sizes& s) {
  LAPIS_TRY(Value * vector, operand(t, 1));
  if (!vector->type().ranked() || vector->type().rank() != 1 || !vector->type().dim(0).is_constant())
    return Translation::unsupported("parameters of open size");
  LAPIS_TRY(const int64_t width, width_of_data(s, vector->type().dim(0).value()));
  Parameters parameters(t, vector);
  constexpr size_t kEach = 4;  // w_ih, w_hh, b_ih, b_hh
  std::vector<Value*> all(static_cast<size_t>(s.cells()) * kEach);
  for (size_t cell = 0; cell < all.size(); cell += kEach) {
    const bool is_first = cell < static_cast<size_t>(s.directions) * kEach;
    LAPIS_TRY(all[cell], parameters.take(s.rows(), is_first ? width : s.inner_width()));
    LAPIS_TRY(all[cell + 1], parameters.take(s.rows(), s.hidden));
  }
  for (size_t cell = 0; cell < all.size(); cell += kEach) {
    LAPIS_TRY(all[cell + 2], parameters.take(s.rows()));
    LAPIS_TRY(all[cell + 3], parameters.take(s.rows()));
  }
  return all;
}

Result<Sizes> sizes_of(Options& o, const RecurrentKind& kind) {
  constexpr int64_t kMostLayers = 1000, kMostUnits = int64_t{1} << 24;
  Sizes s{o.integer("num_layers", 0), o.flag("bidirectional", false) ? 2 : 1, o.integer("state_size", 0),
          static_cast<int64_t>(kind.order.size())};
  LAPIS_CHECK(o.status());
  if (s.layers < 1 || s.layers > kMostLayers)
    return error(ErrorKind::Input, "has " + std::to_string(s.layers) + " layers");
  if (s.hidden < 1 || s.hidden > kMostUnits)
    return error(ErrorKind::Input, "has " + std::to_string(s.hidden) + " units");
  return s;
}

Status refuse_rare(const Options& o) {
  for (const char* name : {"projection_size", "lstm_state_clip_min", "lstm_state_clip_max"})
    if (o.has(name)) return Translation::unsupported("the option '" + std::string(name) + "'");
  return ok();
}

}  // namespace

Status recurrent(Translation& t) {
  Options o(t);
  const std::string mode = o.word("mode", "");
  const RecurrentKind* kind = kind_of(mode);
  if (!kind) return error(ErrorKind::Input, "has the mode '" + mode + "', which is none");
  LAPIS_TRY(const Sizes sizes, sizes_of(o, *kind));
  if (o.flag("use_sequence_length", false)) return Translation::unsupported("lengths of sequences");
  LAPIS_CHECK(refuse_rare(o));
  LAPIS_TRY(Value * x, operand(t));
  RecurrentNetwork network{static_cast<size_t>(sizes.layers), static_cast<size_t>(sizes.directions), {}, {}};
  LAPIS_TRY(network.parameters, parameters_of(t, sizes));
  for (size_t i = 0; i < kind->states; ++i) {
    if (!t.has(2 + i)) return error(ErrorKind::Input, "has no state " + std::to_string(i));
    LAPIS_TRY(network.states.emplace_back(), operand(t, 2 + i));
  }
  LAPIS_TRY(const std::vector<Value*> results, frontend::recurrent_layers(t, *kind, network, x));
  for (size_t i = 0; i < std::min(results.size(), t.output_count()); ++i)
    LAPIS_CHECK(t.set(i, results[i], Layout::AsWritten));
  return ok();
}

}  // namespace lapis::mxnet_frontend
