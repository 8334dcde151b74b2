#include "frontends/common/recurrent_layers.h"

#include "frontends/common/build.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"
#include "ir/ops/recurrent.h"

namespace lapis::frontend {
namespace {

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

// `given`: w_ih, w_hh and, if there are biases, b_ih and b_hh, for each direction.
Result<Parameters> parameters(Translation& t, const RecurrentKind& kind, const std::vector<Value*>& given,
                              size_t directions) {
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
  LAPIS_TRY(p.b, stacked(t, b));
  return p;
}

template <class Attrs> Attrs directed(size_t directions, int64_t hidden) {
  Attrs attributes;
  attributes.direction = directions == 2 ? "bidirectional" : "forward";
  attributes.hidden_size = hidden;
  return attributes;
}

Attributes attributes_of(const RecurrentKind& kind, size_t directions, int64_t hidden) {
  if (&kind.op == &ops::LSTM) return encode_attributes(directed<ops::LstmAttrs>(directions, hidden));
  if (&kind.op == &ops::GRU) {
    auto attributes = directed<ops::GruAttrs>(directions, hidden);
    attributes.linear_before_reset = true;
    return encode_attributes(attributes);
  }
  auto attributes = directed<ops::RnnAttrs>(directions, hidden);
  attributes.activations.assign(directions, kind.activation);
  return encode_attributes(attributes);
}

// [steps, directions, batch, hidden] as [steps, batch, directions * hidden].
Result<Value*> beside_each_other(Translation& t, Value* y, size_t directions) {
  if (directions == 1) return squeeze(t, y, {1});
  LAPIS_TRY(Value * turned, transpose(t, y, {0, 2, 1, 3}));
  return reshape(t, turned, {0, 0, -1});
}

}  // namespace

Result<Value*> stacked(Translation& t, std::vector<Value*> directions) {
  if (directions.empty() || !directions[0]) return static_cast<Value*>(nullptr);
  for (Value*& value : directions) {
    LAPIS_TRY(value, unsqueeze(t, value, {0}));
  }
  return directions.size() == 1 ? Result<Value*>(directions[0]) : t.add(ops::Concat, directions, ops::ConcatAttrs{0});
}

Result<std::vector<Value*>> recurrent_layer(Translation& t, const RecurrentKind& kind, Value* x,
                                            const std::vector<Value*>& given, const std::vector<Value*>& states,
                                            size_t directions) {
  LAPIS_TRY(const Parameters p, parameters(t, kind, given, directions));
  if (!p.r->type().ranked() || !p.r->type().dim(-1).is_constant())
    return Translation::unsupported("parameters of open size");
  std::vector<Value*> inputs = {x, p.w, p.r, p.b, nullptr};
  inputs.insert(inputs.end(), states.begin(), states.end());
  return t.add_all(kind.op, inputs, attributes_of(kind, directions, p.r->type().dim(-1).value()), 1 + kind.states);
}

Result<std::vector<Value*>> recurrent_layers(Translation& t, const RecurrentKind& kind, const RecurrentNetwork& n,
                                             Value* x) {
  const size_t each = n.parameters.size() / n.layers;
  std::vector<std::vector<Value*>> last(kind.states);
  for (size_t l = 0; l < n.layers; ++l) {
    std::vector<Value*> states;
    const auto begin = static_cast<int64_t>(l * n.directions), end = static_cast<int64_t>((l + 1) * n.directions);
    for (Value* state : n.states) {
      LAPIS_TRY(states.emplace_back(), slice(t, state, 0, begin, end));
    }
    const auto from = n.parameters.begin() + static_cast<ptrdiff_t>(l * each);
    LAPIS_TRY(const std::vector<Value*> y,
              recurrent_layer(t, kind, x, {from, from + static_cast<ptrdiff_t>(each)}, states, n.directions));
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

}  // namespace lapis::frontend
