// SVDF: a dense layer of low rank along time.
// Each filter remembers what it saw in the last runs; a unit is what `rank` filters make of their memories.
#include "frontends/common/build.h"
#include "frontends/common/formula.h"
#include "frontends/tflite/translators.h"

namespace lapis::tflite_frontend {
namespace {

using frontend::Formula;

enum Operand : size_t { kInput, kFeatureWeights, kTimeWeights, kBias, kState };

struct Sizes {
  int64_t batch, filters, memory, rank;
};

Result<Sizes> sizes_of(const Translation& t, const Value* x, const Value* weights, const Value* time,
                       const Value* state) {
  for (const Value* value : {x, weights, time, state})
    if (!value->type().is_static()) return Translation::unsupported("operands of open size");
  const Shape data = x->type().shape(), features = weights->type().shape(), times = time->type().shape(),
              memory = state->type().shape();
  const auto rank = t.get<int64_t>("rank", 0);
  const bool are_matrices = data.size() == 2 && features.size() == 2 && times.size() == 2 && memory.size() == 2;
  const bool fit = are_matrices && rank > 0 && features[0] == data[1] && features[1] == times[0] && times[1] > 0 &&
                   times[0] % rank == 0 && memory[0] == data[0] && memory[1] == times[0] * times[1];
  if (fit) return Sizes{data[0], times[0], times[1], rank};
  return error(ErrorKind::Input, "its weights, its state and its rank do not fit each other");
}

// As integers of the state are, for what is read of them in this run.
Result<Value*> rounded(Translation& t, Value* x) {
  const auto& scale = t.input(kState).quantization;
  if (!scale) return x;
  Value* step = frontend::scalar(t, scale->scales[0], DType::Float32);
  Value* zero = frontend::scalar(t, static_cast<double>(scale->zero_points[0]), t.input(kState).type.dtype);
  LAPIS_TRY(Value * integers, t.add(ops::QuantizeLinear, {x, step, zero}));
  return t.add(ops::DequantizeLinear, {integers, step, zero});
}

// TFLite's kernel of integers takes those of 8 bits with a memory of 16, and asks for a ReLU that it does not compute.
Status check_kind(const Translation& t) {
  constexpr int64_t kRelu = 1;
  const bool has_integers = t.input(kInput).quantization.has_value();
  if (has_integers != t.input(kState).quantization.has_value() || t.output(0).quantization.has_value() != has_integers)
    return Translation::unsupported("integers beside a state or results of reals");
  if (!has_integers) return ok();
  if (t.input(kInput).type.dtype != DType::Int8 || t.output(0).type.dtype != DType::Int8)
    return Translation::unsupported("integers that are not int8");
  if (t.get<int64_t>("cell_activation", 0) == kRelu) return ok();
  return Translation::unsupported("integers with another activation than RELU, with which TFLite does not run it");
}

}  // namespace

Status svdf(Translation& t) {
  if (t.output_count() != 2) return error(ErrorKind::Input, "its state is no variable");
  LAPIS_CHECK(check_kind(t));
  LAPIS_CHECK(check_bias(t, kBias));
  LAPIS_TRY(Value * x, t.real(kInput, Layout::AsWritten));
  LAPIS_TRY(Value * weights, t.parameter(kFeatureWeights, {1, 0}));
  LAPIS_TRY(Value * time, t.real(kTimeWeights, Layout::AsWritten));
  LAPIS_TRY(Value * state, t.real(kState, Layout::AsWritten));
  LAPIS_TRY(const Sizes s, sizes_of(t, x, weights, time, state));
  LAPIS_TRY(Value * seen, t.add(ops::MatMul, {x, weights}));
  LAPIS_TRY(seen, rounded(t, seen));
  Formula f(t);
  Value* before = f.slice(f.reshape(state, {s.batch, s.filters, s.memory}), 2, 1, s.memory);
  Value* memory = s.memory > 1 ? f.concat({before, f.unsqueeze(seen, {2})}, 2) : f.unsqueeze(seen, {2});
  Value* weighted = f.reshape(f.mul({memory, time}), {s.batch, s.filters / s.rank, s.rank * s.memory});
  Value* sums = f.op(ops::ReduceSum, {weighted, f.integers({2})}, Attributes{{"keepdims", int64_t{0}}});
  LAPIS_CHECK(f.status());
  if (t.has(kBias)) {
    LAPIS_TRY(Value * bias, t.real(kBias, Layout::AsWritten));
    LAPIS_TRY(sums, t.add(ops::Add, {sums, bias}));
  }
  if (!t.input(kInput).quantization) {
    LAPIS_TRY(sums, activated_by(t, sums, t.get<int64_t>("cell_activation", 0)));
  }
  LAPIS_CHECK(frontend::result(t, 0, sums));
  Value* next = f.reshape(memory, {s.batch, s.filters * s.memory});
  LAPIS_CHECK(f.status());
  return frontend::result(t, 1, next);
}

}  // namespace lapis::tflite_frontend
