// Attention: each step of a query takes from all steps of the values what its keys say.
#include <cmath>

#include "frontends/keras/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"

namespace lapis::keras_frontend {
namespace {

enum Slot : size_t { kQuery, kValue, kKey };

size_t key_slot(const Translation& t) { return t.has(kKey) ? kKey : kValue; }

Status check_operands(const Translation& t) {
  for (const size_t slot : {kQuery, kValue, kKey})
    if (t.has(slot) && (!t.input(slot).type.ranked() || t.input(slot).type.rank() != 3))
      return Translation::unsupported("data that is not [N, steps, values]");
  if (!t.has(kValue)) return error(ErrorKind::Input, "is called without values");
  return t.get<bool>("return_attention_scores", false) ? Status(Translation::unsupported("return_attention_scores"))
                                                       : ok();
}

// [queries, keys], true where a step does not lie behind that of the query.
Result<Value*> causal(Translation& t) {
  const Dim queries = t.input(kQuery).type.dim(1), keys = t.input(kValue).type.dim(1);
  if (!queries.is_constant() || !keys.is_constant())
    return Translation::unsupported("a causal mask over an open number of steps");
  LAPIS_TRY(Value * all, repeated(t, 1, {queries.value(), keys.value()}));
  LAPIS_TRY(Value * seen, t.add(ops::Trilu, {all}, ops::TriluAttrs{.upper = false}));
  return frontend::cast(t, seen, DType::Bool);
}

// A mask that the layer has, and the axes of scores that it lacks.
struct Part {
  size_t slot;
  Axes axes;
};

// Where a key counts for a query by all masks; null if there are none.
Result<Value*> counted(Translation& t, const std::vector<Part>& parts) {
  Value* all = nullptr;
  std::vector<Value*> masks;
  for (const Part& part : parts) {
    if (!t.has(part.slot)) continue;
    LAPIS_TRY(Value * mask, step_mask(t, part.slot));
    LAPIS_TRY(masks.emplace_back(), frontend::unsqueeze(t, mask, part.axes));
  }
  if (t.get<bool>("use_causal_mask", t.get<bool>("causal", false))) {
    LAPIS_TRY(masks.emplace_back(), causal(t));
  }
  for (Value* mask : masks) {
    LAPIS_TRY(all, all ? t.add(ops::And, {all, mask}) : Result<Value*>(mask));
  }
  return all;
}

Result<Value*> masked(Translation& t, Value* scores, const std::vector<Part>& parts) {
  LAPIS_TRY(Value * counts, counted(t, parts));
  return counts ? t.add(ops::Where, {counts, scores, frontend::scalar(t, kNever, scores->dtype())})
                : Result<Value*>(scores);
}

// Softmax of the scores, times the values.
Result<Value*> attended(Translation& t, Value* scores, Value* values) {
  LAPIS_TRY(Value * weights, t.add(ops::Softmax, {scores}, ops::SoftmaxAttrs{.axis = -1}));
  return t.add(ops::MatMul, {weights, values});
}

// What an Attention says of each query and key: their product, or a sum over the tanh of their sum. AdditiveAttention
// has a scale for each number of that sum.
enum Scores : size_t { kScale = 5, kOfSum };

Result<Value*> times(Translation& t, Value* x, size_t operand) {
  if (!t.has(operand)) return x;
  LAPIS_TRY(Value * factor, t.real(operand, Layout::AsWritten));
  return t.add(ops::Mul, {x, factor});
}

Result<Value*> scores_of_products(Translation& t, Value* query, Value* key) {
  LAPIS_TRY(key, frontend::transpose_matrices(t, key));
  LAPIS_TRY(Value * scores, t.add(ops::MatMul, {query, key}));
  return times(t, scores, kScale);
}

Result<Value*> scores_of_sums(Translation& t, Value* query, Value* key, bool is_additive) {
  LAPIS_TRY(query, frontend::unsqueeze(t, query, {2}));
  LAPIS_TRY(key, frontend::unsqueeze(t, key, {1}));
  LAPIS_TRY(Value * sum, t.add(ops::Add, {query, key}));
  if (!is_additive) {
    LAPIS_TRY(sum, times(t, sum, kScale));
  }
  LAPIS_TRY(Value * bounded, t.add(ops::Tanh, {sum}));
  if (is_additive) {
    LAPIS_TRY(bounded, times(t, bounded, kScale));
  }
  LAPIS_TRY(Value * scores, frontend::reduce(t, ops::ReduceSum, bounded, {-1}, false));
  return times(t, scores, kOfSum);
}

Status attention_by(Translation& t, Value* scores) {
  enum Mask : size_t { kQueryMask = 3, kValueMask };
  LAPIS_TRY(scores, masked(t, scores, {{kValueMask, {1}}}));
  LAPIS_TRY(Value * values, t.real(kValue, Layout::AsWritten));
  LAPIS_TRY(Value * y, attended(t, scores, values));
  if (t.has(kQueryMask)) {
    LAPIS_TRY(Value * asks, step_mask(t, kQueryMask));
    LAPIS_TRY(asks, frontend::unsqueeze(t, asks, {2}));
    LAPIS_TRY(y, t.add(ops::Where, {asks, y, frontend::scalar(t, 0, y->dtype())}));
  }
  return t.set(0, y, Layout::AsWritten);
}

// A constant operand of any shape as this one.
Result<Value*> weight(Translation& t, size_t operand, Shape shape) {
  const Tensor& tensor = t.input(operand).constant;
  if (tensor.size() != element_count(shape)) return error(ErrorKind::Input, "its weights do not fit each other");
  return frontend::reshape(t, t.constant(tensor), std::move(shape));
}

Result<Value*> with_bias(Translation& t, Value* x, size_t operand, int64_t count) {
  if (!t.has(operand)) return x;
  LAPIS_TRY(Value * bias, weight(t, operand, {count}));
  return t.add(ops::Add, {x, bias});
}

// [N, steps, values] by the kernel [values, heads, size] as [N, heads, steps, size].
Result<Value*> by_heads(Translation& t, size_t slot, size_t kernel) {
  const Tensor& tensor = t.input(kernel).constant;
  if (tensor.rank() != 3) return Translation::unsupported("kernels that are not [values, heads, size]");
  const int64_t heads = tensor.dim(1), size = tensor.dim(2);
  LAPIS_TRY(Value * x, t.real(slot, Layout::AsWritten));
  LAPIS_TRY(Value * w, weight(t, kernel, {tensor.dim(0), heads * size}));
  LAPIS_TRY(Value * y, t.add(ops::MatMul, {x, w}));
  LAPIS_TRY(y, with_bias(t, y, kernel + 1, heads * size));
  LAPIS_TRY(y, frontend::reshape(t, y, {0, 0, heads, size}));
  return frontend::transpose(t, y, {0, 2, 1, 3});
}

// The same, where each head serves as many others as there are more than it has.
Result<Value*> by_shared_heads(Translation& t, size_t slot, size_t kernel, int64_t heads) {
  LAPIS_TRY(Value * x, by_heads(t, slot, kernel));
  const Tensor& tensor = t.input(kernel).constant;
  const int64_t own = tensor.dim(1);
  if (own == heads) return x;
  if (own < 1 || heads % own != 0)
    return error(ErrorKind::Input, "has " + std::to_string(own) + " heads for " + std::to_string(heads));
  LAPIS_TRY(x, frontend::unsqueeze(t, x, {2}));
  LAPIS_TRY(x, t.add(ops::Tile, {x, frontend::ints(t, {1, 1, heads / own, 1, 1})}));
  return frontend::reshape(t, x, {0, heads, -1, tensor.dim(2)});
}

double size_of_heads(const Translation& t) { return number(t, "key_dim", number(t, "head_dim", 1)); }

// The heads beside each other, by the kernel [heads, size, values].
Result<Value*> joined(Translation& t, Value* x, size_t kernel) {
  const Tensor& tensor = t.input(kernel).constant;
  if (tensor.rank() != 3) return Translation::unsupported("an output of several axes");
  const int64_t width = tensor.dim(0) * tensor.dim(1);
  LAPIS_TRY(x, frontend::transpose(t, x, {0, 2, 1, 3}));
  LAPIS_TRY(x, frontend::reshape(t, x, {0, 0, width}));
  LAPIS_TRY(Value * w, weight(t, kernel, {width, tensor.dim(2)}));
  LAPIS_TRY(Value * y, t.add(ops::MatMul, {x, w}));
  return with_bias(t, y, kernel + 1, tensor.dim(2));
}

}  // namespace

Status attention(Translation& t) {
  LAPIS_CHECK(check_operands(t));
  const auto mode = t.get<std::string>("score_mode", "dot");
  const bool is_additive = t.node().op == "AdditiveAttention";
  if (mode != "dot" && mode != "concat") return Translation::unsupported("the score_mode '" + mode + "'");
  LAPIS_TRY(Value * query, t.real(kQuery, Layout::AsWritten));
  LAPIS_TRY(Value * key, t.real(key_slot(t), Layout::AsWritten));
  LAPIS_TRY(Value * scores, is_additive || mode == "concat" ? scores_of_sums(t, query, key, is_additive)
                                                            : scores_of_products(t, query, key));
  return attention_by(t, scores);
}

// As GroupQueryAttention too, where several heads of the query share one of the keys and values.
Status multi_head_attention(Translation& t) {
  enum Mask : size_t { kGivenMask = 3, kQueryMask, kValueMask, kKeyMask };
  enum Weight : size_t { kQueryKernel = 7, kKeyKernel = 9, kValueKernel = 11, kOutputKernel = 13 };
  LAPIS_CHECK(check_operands(t));
  if (t.get<bool>("use_gate", false)) return Translation::unsupported("use_gate");
  if (number(t, "sliding_window", 0) != 0) return Translation::unsupported("a sliding window");
  const std::vector<double> axes = numbers(t, "attention_axes");
  if (!axes.empty() && axes != std::vector<double>{1})
    return Translation::unsupported("attention over other axes than the first");
  LAPIS_TRY(Value * query, by_heads(t, kQuery, kQueryKernel));
  LAPIS_TRY(Value * factor, frontend::scalar_like(t, 1 / std::sqrt(size_of_heads(t)), query));
  LAPIS_TRY(query, t.add(ops::Mul, {query, factor}));
  const int64_t heads = query->type().dim(1).value();
  LAPIS_TRY(Value * key, by_shared_heads(t, key_slot(t), kKeyKernel, heads));
  LAPIS_TRY(key, frontend::transpose_matrices(t, key));
  LAPIS_TRY(Value * scores, t.add(ops::MatMul, {query, key}));
  LAPIS_TRY(scores,
            masked(t, scores, {{kGivenMask, {1}}, {kQueryMask, {1, 3}}, {kValueMask, {1, 2}}, {kKeyMask, {1, 2}}}));
  LAPIS_TRY(Value * values, by_shared_heads(t, kValue, kValueKernel, heads));
  LAPIS_TRY(Value * y, attended(t, scores, values));
  LAPIS_TRY(y, joined(t, y, kOutputKernel));
  return t.set(0, y, Layout::AsWritten);
}

}  // namespace lapis::keras_frontend
