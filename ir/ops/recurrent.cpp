// The recurrent operators: LSTM, GRU and RNN, one element of one gate after the other.
#include "ir/ops/recurrent.h"

#include <algorithm>
#include <cmath>

#include "ir/ops/elementwise.h"
#include "ir/ops/extents.h"
#include "ir/ops/loops.h"
#include "ir/ops/movement.h"
#include "ir/ops/ops.h"

namespace lapis::ops {
namespace {

// ---- activations ---------------------------------------------------------------------------------------------------

constexpr Activation kActivations[] = {
    {"Affine", [](double x, double a, double b) { return a * x + b; }, 1.0f, 0.0f},
    {"Elu", [](double x, double a, double) { return x < 0 ? a * std::expm1(x) : x; }, 1.0f, std::nullopt},
    {"HardSigmoid", [](double x, double a, double b) { return std::clamp(a * x + b, 0.0, 1.0); }, 0.2f, 0.5f},
    {"LeakyRelu", [](double x, double a, double) { return x < 0 ? a * x : x; }, 0.01f, std::nullopt},
    {"Relu", [](double x, double, double) { return x < 0 ? 0 : x; }, std::nullopt, std::nullopt},
    {"ScaledTanh", [](double x, double a, double b) { return a * std::tanh(b * x); }, 1.0f, 1.0f},
    {"Sigmoid", [](double x, double, double) { return logistic(x); }, std::nullopt, std::nullopt},
    {"Softplus", [](double x, double, double) { return std::log1p(std::exp(-std::abs(x))) + std::max(x, 0.0); },
     std::nullopt, std::nullopt},
    {"Softsign", [](double x, double, double) { return x / (1 + std::abs(x)); }, std::nullopt, std::nullopt},
    {"Tanh", [](double x, double, double) { return std::tanh(x); }, std::nullopt, std::nullopt},
    // Unlike the operator of this name, which leaves out alpha itself.
    {"ThresholdedRelu", [](double x, double a, double) { return x >= a ? x : 0; }, 1.0f, std::nullopt}};

const Activation* find_activation(const std::string& name) {
  const auto it = std::ranges::find(kActivations, name, &Activation::name);
  return it == std::end(kActivations) ? nullptr : &*it;
}

Diagnostic flaw(std::string message) { return error(ErrorKind::Unsupported, std::move(message)); }

// Values are handed out in the order of the functions that take one.
float next_or(const std::vector<float>& values, size_t& used, const std::optional<float>& fallback) {
  if (!fallback) return 0;
  return used < values.size() ? values[used++] : *fallback;
}

Result<std::vector<ChosenActivation>> chosen(const RecurrentAttrs& a, const std::vector<std::string>& names) {
  std::vector<ChosenActivation> result;
  size_t alphas = 0, betas = 0;
  for (const std::string& name : names) {
    const Activation* function = find_activation(name);
    if (!function) return flaw("'" + name + "' is no activation of recurrent operators");
    const float alpha = next_or(a.activation_alpha, alphas, function->alpha);
    result.push_back({function, alpha, next_or(a.activation_beta, betas, function->beta)});
  }
  return result;
}

// Those that are given, or `defaults` once a direction.
Status set_activations(Recurrent& r, std::vector<std::string> given, const std::vector<std::string>& defaults) {
  r.functions = defaults.size();
  const size_t wanted = r.functions * static_cast<size_t>(r.directions());
  if (given.empty())
    for (int64_t d = 0; d < r.directions(); ++d) given.insert(given.end(), defaults.begin(), defaults.end());
  if (given.size() < wanted)
    return flaw("has " + std::to_string(given.size()) + " activations, needed are " + std::to_string(wanted));
  given.resize(wanted);  // the default of an RNN names those of two directions
  LAPIS_TRY(r.activations, chosen(r.attrs, given));
  return ok();
}

Status check_attributes(const RecurrentAttrs& a) {
  if (a.direction != "forward" && a.direction != "reverse" && a.direction != "bidirectional")
    return flaw("direction is '" + a.direction + "', allowed are forward, reverse and bidirectional");
  if (a.layout != 0 && a.layout != 1) return flaw("layout is " + std::to_string(a.layout) + ", allowed are 0 and 1");
  return ok();
}

// ---- types ---------------------------------------------------------------------------------------------------------

Status check_rank(const InferContext& c, size_t i, int64_t rank) {
  if (!c.has(i) || !c.in(i).ranked() || c.in(i).rank() == rank) return ok();
  return c.error("input '" + std::string(c.node().op().input(i).name) + "' is " + c.in(i).to_string() + ", rank " +
                 std::to_string(rank) + " is needed");
}

Status check_shape(const InferContext& c, size_t i, const Dims& wanted) {
  LAPIS_CHECK(check_rank(c, i, static_cast<int64_t>(wanted.size())));
  if (!c.has(i) || !c.in(i).ranked()) return ok();
  for (size_t axis = 0; axis < wanted.size(); ++axis)
    if (differ(c.in(i).dim(static_cast<int64_t>(axis)), wanted[axis]))
      return c.error("input '" + std::string(c.node().op().input(i).name) + "' is " + c.in(i).to_string() +
                     ", needed is " + Type::tensor(c.in(i).dtype, wanted).to_string());
  return ok();
}

struct Extents {
  Dim length, batch, input, hidden;
};

Extents extents_of(const InferContext& c, const Recurrent& r) {
  Extents e;
  if (const Type& x = c.in(kX); x.ranked())
    e = {x.dim(r.attrs.layout), x.dim(1 - r.attrs.layout), x.dim(2), Dim::unknown()};
  if (const Type& w = c.in(kR); w.ranked()) e.hidden = w.dim(2);
  if (r.attrs.hidden_size) e.hidden = Dim(*r.attrs.hidden_size);
  return e;
}

// The states of all directions, laid out as the attribute says.
Dims state_dims(const Recurrent& r, const Extents& e) {
  return r.attrs.layout ? Dims{e.batch, Dim(r.directions()), e.hidden} : Dims{Dim(r.directions()), e.batch, e.hidden};
}

Status check_operands(const InferContext& c, const Recurrent& r, const Extents& e) {
  const Dim directions(r.directions()), rows = e.hidden * Dim(r.gates);
  LAPIS_CHECK(check_shape(c, kW, {directions, rows, e.input}));
  LAPIS_CHECK(check_shape(c, kR, {directions, rows, e.hidden}));
  LAPIS_CHECK(check_shape(c, kB, {directions, rows * Dim(2)}));
  LAPIS_CHECK(check_shape(c, kLengths, {e.batch}));
  for (const size_t state : {kInitialH, kInitialC}) LAPIS_CHECK(check_shape(c, state, state_dims(r, e)));
  return check_shape(c, kPeepholes, {directions, e.hidden * Dim(3)});
}

Result<Types> infer_recurrent(const InferContext& c) {
  const Result<Recurrent> r = recurrent_of(c.node());
  if (!r.ok()) return c.unsupported(r.diagnostics().front().message);
  for (const size_t i : {kX, kW, kR}) LAPIS_CHECK(check_rank(c, i, 3));
  const Extents e = extents_of(c, *r);
  LAPIS_CHECK(check_operands(c, *r, e));
  const Dim directions(r->directions());
  const Type all = Type::tensor(c.in(kX).dtype, r->attrs.layout ? Dims{e.batch, e.length, directions, e.hidden}
                                                                : Dims{e.length, directions, e.batch, e.hidden});
  const Type last = Type::tensor(c.in(kX).dtype, state_dims(*r, e));
  Types types = {all, last, last};
  types.resize(c.node().outputs().size());
  return types;
}

// ---- values --------------------------------------------------------------------------------------------------------

using Doubles = std::vector<double>;

Doubles doubles_or_zeros(const EvalContext& c, size_t i, int64_t count) {
  return c.has(i) ? to_doubles(c.in(i)) : Doubles(static_cast<size_t>(count), 0.0);
}

// One direction of one sequence, a step at a time. Rows of W, R and B are counted by gate, then by element.
class Cell {
 public:
  Cell(const EvalContext& c, const Recurrent& r, int64_t direction)
      : r_(r), d_(direction), input_(c.in(kW).dim(2)), hidden_(c.in(kR).dim(2)), rows_(r.gates * hidden_) {
    w_ = part(to_doubles(c.in(kW)), rows_ * input_);
    u_ = part(to_doubles(c.in(kR)), rows_ * hidden_);
    b_ = part(doubles_or_zeros(c, kB, r.directions() * 2 * rows_), 2 * rows_);
    if (c.node().is(LSTM) && c.has(kPeepholes)) p_ = part(to_doubles(c.in(kPeepholes)), 3 * hidden_);
  }

  Doubles h, c;  // states; c of an LSTM only

  void step(const double* x) {
    switch (r_.gates) {
      case 4: return lstm(x);
      case 3: return gru(x);
      default: return rnn(x);
    }
  }

 private:
  Doubles part(const Doubles& all, int64_t size) const {
    return {all.begin() + d_ * size, all.begin() + (d_ + 1) * size};
  }
  static double dot(const Doubles& rows, int64_t row, const double* x, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += rows[static_cast<size_t>(row * count + i)] * x[i];
    return sum;
  }
  double from_input(int64_t row, const double* x) const {
    return dot(w_, row, x, input_) + b_[static_cast<size_t>(row)];
  }
  double from_state(int64_t row, const Doubles& state) const {
    return dot(u_, row, state.data(), hidden_) + b_[static_cast<size_t>(rows_ + row)];
  }
  // Without them nothing: 0 times an infinite state would be NaN.
  double peephole(int64_t gate, int64_t j, double state) const {
    return p_.empty() ? 0 : p_[static_cast<size_t>(gate * hidden_ + j)] * state;
  }
  // What clip bounds is what activations take.
  double activated(size_t function, double x) const {
    const double bound = r_.attrs.clip ? static_cast<double>(*r_.attrs.clip) : INFINITY;
    return r_.activation(d_, function)(std::clamp(x, -bound, bound));
  }
  // What gate number `gate` takes.
  double gate(int64_t gate, int64_t j, const double* x) const {
    const int64_t row = gate * hidden_ + j;
    return from_input(row, x) + from_state(row, h);
  }

  void lstm(const double* x) {
    Doubles next_h(h.size()), next_c(c.size());
    for (int64_t j = 0; j < hidden_; ++j) {
      const double state = c[static_cast<size_t>(j)], in = activated(0, gate(0, j, x) + peephole(0, j, state)),
                   forget = r_.input_forget ? 1 - in : activated(0, gate(2, j, x) + peephole(2, j, state)),
                   kept = forget * state + in * activated(1, gate(3, j, x)),
                   out = activated(0, gate(1, j, x) + peephole(1, j, kept));
      next_c[static_cast<size_t>(j)] = kept;
      next_h[static_cast<size_t>(j)] = out * activated(2, kept);
    }
    h = std::move(next_h);
    c = std::move(next_c);
  }

  void gru(const double* x) {
    Doubles next(h.size()), update(h.size()), reset(h.size()), state(h.size());
    for (int64_t j = 0; j < hidden_; ++j) {
      const auto i = static_cast<size_t>(j);
      update[i] = activated(0, gate(0, j, x));
      reset[i] = activated(0, gate(1, j, x));
      state[i] = reset[i] * h[i];
    }
    for (int64_t j = 0; j < hidden_; ++j) {
      const auto i = static_cast<size_t>(j);
      const int64_t row = 2 * hidden_ + j;
      const double from_last = r_.linear_before_reset ? reset[i] * from_state(row, h) : from_state(row, state);
      next[i] = (1 - update[i]) * activated(1, from_input(row, x) + from_last) + update[i] * h[i];
    }
    h = std::move(next);
  }

  void rnn(const double* x) {
    Doubles next(h.size());
    for (int64_t j = 0; j < hidden_; ++j) next[static_cast<size_t>(j)] = activated(0, gate(0, j, x));
    h = std::move(next);
  }

  const Recurrent& r_;
  const int64_t d_, input_, hidden_, rows_;
  Doubles w_, u_, b_, p_;
};

// Where the elements of sequence n, direction d lie in X, Y and the states.
struct Positions {
  int64_t length, batch, directions, hidden, layout;
  int64_t x(int64_t t, int64_t n) const { return layout ? n * length + t : t * batch + n; }
  int64_t y(int64_t t, int64_t n, int64_t d) const {
    return layout ? (n * length + t) * directions + d : (t * directions + d) * batch + n;
  }
  int64_t state(int64_t n, int64_t d) const { return layout ? n * directions + d : d * batch + n; }
};

Doubles taken(const Doubles& from, int64_t row, int64_t size) {
  return {from.begin() + row * size, from.begin() + (row + 1) * size};
}
void put(Doubles& to, int64_t row, const Doubles& values) {
  std::ranges::copy(values, to.begin() + row * static_cast<int64_t>(values.size()));
}

Result<std::vector<int64_t>> lengths_of(const EvalContext& c, const Positions& at) {
  std::vector<int64_t> lengths(static_cast<size_t>(at.batch), at.length);
  if (c.has(kLengths)) lengths = c.in(kLengths).as_ints();
  for (const int64_t n : lengths)
    if (n < 0 || n > at.length)
      return c.error("a sequence is " + std::to_string(n) + " long, of at most " + std::to_string(at.length));
  return lengths;
}

// Behind the end of a sequence its results are 0.
Status evaluate_recurrent(EvalContext& c) {
  LAPIS_TRY(const Recurrent r, recurrent_of(c.node()));
  const Shape& x = c.in(kX).shape();
  const Positions at{x[static_cast<size_t>(r.attrs.layout)], x[static_cast<size_t>(1 - r.attrs.layout)], r.directions(),
                     c.in(kR).dim(2), r.attrs.layout};
  LAPIS_TRY(const std::vector<int64_t> lengths, lengths_of(c, at));
  const int64_t states = at.directions * at.batch * at.hidden;
  const Doubles input = to_doubles(c.in(kX));
  Doubles h = doubles_or_zeros(c, kInitialH, states), cell_states = doubles_or_zeros(c, kInitialC, states),
          y(static_cast<size_t>(at.length * states), 0.0);
  for (int64_t d = 0; d < at.directions; ++d) {
    Cell cell(c, r, d);
    for (int64_t n = 0; n < at.batch; ++n) {
      cell.h = taken(h, at.state(n, d), at.hidden);
      cell.c = taken(cell_states, at.state(n, d), at.hidden);
      const int64_t length = lengths[static_cast<size_t>(n)];
      for (int64_t i = 0; i < length; ++i) {
        const int64_t t = r.is_reverse(d) ? length - 1 - i : i;
        cell.step(input.data() + at.x(t, n) * x[2]);
        put(y, at.y(t, n, d), cell.h);
      }
      put(h, at.state(n, d), cell.h);
      put(cell_states, at.state(n, d), cell.c);
    }
  }
  const DType dtype = c.in(kX).dtype();
  const Shape last = at.layout ? Shape{at.batch, at.directions, at.hidden} : Shape{at.directions, at.batch, at.hidden};
  const Shape all = at.layout ? Shape{at.batch, at.length, at.directions, at.hidden}
                              : Shape{at.length, at.directions, at.batch, at.hidden};
  if (c.wants(0)) c.set_out(0, from_doubles(dtype, all, y));
  if (c.wants(1)) c.set_out(1, from_doubles(dtype, last, h));
  if (c.wants(2)) c.set_out(2, from_doubles(dtype, last, cell_states));
  return ok();
}

OpBuilder recurrent(std::string_view name, std::string_view doc) {
  return op(name)
      .since(22)
      .doc(doc)
      .in("X", kFloats, "T")
      .in("W", kFloats, "T")
      .in("R", kFloats, "T")
      .optional_in("B", kFloats, "T")
      .optional_in("sequence_lens", types(DType::Int32))
      .optional_in("initial_h", kFloats, "T")
      .infer(infer_recurrent)
      .evaluate(evaluate_recurrent)
      .traits(Trait::Pure);
}

}  // namespace

Result<Recurrent> recurrent_of(const Node& node) {
  Recurrent r;
  std::vector<std::string> given, defaults;
  if (node.is(LSTM)) {
    const auto a = node.attrs<LstmAttrs>();
    r = {.attrs = a, .gates = 4, .functions = 3, .input_forget = a.input_forget, .activations = {}};
    given = a.activations, defaults = {"Sigmoid", "Tanh", "Tanh"};
  } else if (node.is(GRU)) {
    const auto a = node.attrs<GruAttrs>();
    r = {.attrs = a, .gates = 3, .functions = 2, .linear_before_reset = a.linear_before_reset, .activations = {}};
    given = a.activations, defaults = {"Sigmoid", "Tanh"};
  } else {
    const auto a = node.attrs<RnnAttrs>();
    r = {.attrs = a, .gates = 1, .functions = 1, .activations = {}};
    given = a.activations, defaults = {"Tanh"};
  }
  LAPIS_CHECK(check_attributes(r.attrs));
  LAPIS_CHECK(set_activations(r, std::move(given), defaults));
  return r;
}

const OpDef GRU = recurrent("GRU", "Gated recurrent units over sequences.")
                      .optional_out("Y", kFloats)
                      .optional_out("Y_h", kFloats)
                      .attrs<GruAttrs>();

const OpDef LSTM = recurrent("LSTM", "Long short-term memory over sequences.")
                       .optional_in("initial_c", kFloats, "T")
                       .optional_in("P", kFloats, "T")
                       .optional_out("Y", kFloats)
                       .optional_out("Y_h", kFloats)
                       .optional_out("Y_c", kFloats)
                       .attrs<LstmAttrs>();

const OpDef RNN = recurrent("RNN", "A layer whose output is among its inputs of the next step, over sequences.")
                      .optional_out("Y", kFloats)
                      .optional_out("Y_h", kFloats)
                      .attrs<RnnAttrs>();

}  // namespace lapis::ops
