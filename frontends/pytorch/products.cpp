// Matrix products, attention, normalizations and embeddings.
#include <algorithm>
#include <cmath>
#include <limits>

#include "frontends/common/products.h"
#include "frontends/pytorch/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"

namespace lapis::pytorch_frontend {
namespace {

constexpr const char* kTraining = "training: call model.eval() before the model is exported";

// ---- products -------------------------------------------------------------------------------------------------------

bool is_matrix(const Value* x) { return x->type().ranked() && x->type().rank() == 2; }

Status einsum(Translation& t) {
  Args a(t);
  const std::string equation = a.word("equation", "");
  LAPIS_CHECK(a.status());
  LAPIS_TRY(const std::vector<Value*> all, a.tensors("tensors"));
  if (all.empty() || std::count(all.begin(), all.end(), nullptr) > 0) return error(ErrorKind::Input, "has no operands");
  return finish(t, frontend::einsum(t, all, equation));
}

Status linear(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * x, a.tensor("input"));
  LAPIS_TRY(Value * weight, a.tensor("weight"));
  Value* bias = nullptr;
  if (a.has("bias")) {
    LAPIS_TRY(bias, a.tensor("bias"));
  }
  return finish(t, affine(t, x, weight, bias));
}

// beta self + alpha mat1 mat2
Status addmm(Translation& t) {
  Args a(t);
  const ops::GemmAttrs attributes{static_cast<float>(a.number("alpha", 1)), static_cast<float>(a.number("beta", 1)),
                                  false, false};
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * c, self(a));
  LAPIS_TRY(Value * left, a.tensor("mat1"));
  LAPIS_TRY(Value * right, a.tensor("mat2"));
  // What counts nothing may be no number.
  const std::vector<Value*> inputs = attributes.beta == 0 ? std::vector{left, right} : std::vector{left, right, c};
  return finish(t, t.add(ops::Gemm, inputs, attributes));
}

Status baddbmm(Translation& t) {
  Args a(t);
  const double alpha = a.number("alpha", 1), beta = a.number("beta", 1);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * c, self(a));
  LAPIS_TRY(Value * left, a.tensor("batch1"));
  LAPIS_TRY(Value * right, a.tensor("batch2"));
  LAPIS_TRY(Value * y, t.add(ops::MatMul, {left, right}));
  if (alpha != 1) {
    LAPIS_TRY(y, t.add(ops::Mul, {y, number_like(t, alpha, y)}));
  }
  if (beta == 0) return frontend::result(t, 0, y);
  if (beta != 1) {
    LAPIS_TRY(c, t.add(ops::Mul, {c, number_like(t, beta, c)}));
  }
  return finish(t, t.add(ops::Add, {y, c}));
}

Status product_with(Translation& t, std::string_view name) {
  Args a(t);
  LAPIS_TRY(Value * left, self(a));
  LAPIS_TRY(Value * right, a.tensor(name));
  return finish(t, t.add(ops::MatMul, {left, right}));
}
Status matmul(Translation& t) { return product_with(t, "other"); }
Status mm(Translation& t) { return product_with(t, "mat2"); }
Status mv(Translation& t) { return product_with(t, "vec"); }
Status dot(Translation& t) { return product_with(t, "tensor"); }
Status vdot(Translation& t) { return product_with(t, "other"); }

// softmax(Q K^T * scale + mask) V
Result<Value*> scores(Translation& t, Args& a, Value* query, Value* key) {
  if (!query->type().ranked() || query->type().rank() < 2 || !query->type().dim(-1).is_constant())
    return Translation::unsupported("heads of open size");
  const auto width = static_cast<double>(query->type().dim(-1).value());
  const double scale = a.number("scale", 1 / std::sqrt(width));
  LAPIS_CHECK(a.status());
  return similarities(t, query, key, scale);
}

// Truth values say what may be seen; others are added.
Result<Value*> masked(Translation& t, Value* scores, Value* mask) {
  if (mask->dtype() != DType::Bool) return t.add(ops::Add, {scores, mask});
  return t.add(ops::Where, {mask, scores, number_like(t, -std::numeric_limits<double>::infinity(), scores)});
}

// Nobody sees what comes behind.
Result<Value*> causal(Translation& t, Value* scores) {
  LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {scores}));
  LAPIS_TRY(Value * last, frontend::slice(t, shape, 0, -2, INT64_MAX));
  LAPIS_TRY(Value * ones, t.add(ops::Expand, {frontend::scalar(t, 1, DType::Float32), last}));
  LAPIS_TRY(Value * lower, t.add(ops::Trilu, {ones}, ops::TriluAttrs{false}));
  LAPIS_TRY(Value * mask, frontend::cast(t, lower, DType::Bool));
  return masked(t, scores, mask);
}

// Each head as often as others share it, of [..., heads, steps, width].
Result<Value*> shared_heads(Translation& t, const Value* query, Value* x) {
  const Type &wanted = query->type(), &given = x->type();
  const bool is_known = wanted.ranked() && given.ranked() && wanted.rank() == 4 && given.rank() == 4 &&
                        wanted.dim(1).is_constant() && given.dim(1).is_constant() && given.dim(1).value() > 0;
  if (!is_known) return Translation::unsupported("heads of open number in groups");
  const int64_t heads = wanted.dim(1).value(), times = heads / given.dim(1).value();
  if (times * given.dim(1).value() != heads) return error(ErrorKind::Input, "has heads that do not share its groups");
  LAPIS_TRY(Value * apart, frontend::unsqueeze(t, x, {2}));
  LAPIS_TRY(Value * repeated, t.add(ops::Tile, {apart, frontend::ints(t, {1, 1, times, 1, 1})}));
  LAPIS_TRY(Value * sizes, t.add(ops::ShapeOf, {x}));
  LAPIS_TRY(Value * batch, frontend::slice(t, sizes, 0, 0, 1));
  LAPIS_TRY(Value * matrix, frontend::slice(t, sizes, 0, 2, 4));
  LAPIS_TRY(Value * shape, t.add(ops::Concat, {batch, frontend::ints(t, {heads}), matrix}, ops::ConcatAttrs{0}));
  return t.add(ops::Reshape, {repeated, shape});
}

// Which rows of the mask let anything be seen, [..., 1].
Result<Value*> sees_any(Translation& t, Value* mask) {
  Value* seen = mask;
  if (mask->dtype() != DType::Bool) {
    Value* hidden = number_like(t, -std::numeric_limits<double>::infinity(), mask);
    LAPIS_TRY(Value * hides, t.add(ops::Equal, {mask, hidden}));
    LAPIS_TRY(seen, t.add(ops::Not, {hides}));
  }
  LAPIS_TRY(seen, frontend::cast(t, seen, DType::UInt8));
  LAPIS_TRY(Value * most, frontend::reduce(t, ops::ReduceMax, seen, {-1}, true));
  return frontend::cast(t, most, DType::Bool);
}

// A row that sees nothing gives 0, not the NaN of a softmax of nothing.
Result<Value*> where_it_sees(Translation& t, Value* y, Value* mask) {
  LAPIS_TRY(Value * sees, sees_any(t, mask));
  return t.add(ops::Where, {sees, y, number_like(t, 0, y)});
}

Status attention(Translation& t) {
  Args a(t);
  const bool is_causal = a.flag("is_causal", false), groups = a.flag("enable_gqa", false);
  if (a.number("dropout_p", 0) != 0) return Translation::unsupported(kTraining);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * query, a.tensor("query"));
  LAPIS_TRY(Value * key, a.tensor("key"));
  LAPIS_TRY(Value * value, a.tensor("value"));
  if (groups) {
    LAPIS_TRY(key, shared_heads(t, query, key));
    LAPIS_TRY(value, shared_heads(t, query, value));
  }
  Value* mask = nullptr;
  LAPIS_TRY(Value * y, scores(t, a, query, key));
  if (a.has("attn_mask")) {
    LAPIS_TRY(mask, a.tensor("attn_mask"));
    LAPIS_TRY(y, masked(t, y, mask));
  }
  if (is_causal) {
    LAPIS_TRY(y, causal(t, y));
  }
  LAPIS_TRY(Value * weights, t.add(ops::Softmax, {y}, ops::SoftmaxAttrs{}));
  LAPIS_TRY(y, t.add(ops::MatMul, {weights, value}));
  return finish(t, mask ? where_it_sees(t, y, mask) : Result<Value*>(y));
}

// ---- normalizations -------------------------------------------------------------------------------------------------

Result<Value*> tensor_or(Translation& t, Args& a, std::string_view name, double fallback, const Shape& shape,
                         const Value* x) {
  if (a.has(name)) return a.tensor(name);
  return frontend::filled(t, fallback, Type::tensor(x->dtype(), shape));
}

bool reads_statistics(const Translation& t) {
  const auto reads = [&](size_t i) { return i < t.node().outputs.size() && !t.node().outputs[i].empty(); };
  return reads(1) || reads(2);
}

struct Deviation {
  Value *away, *root;  // from the mean, of each element; and of all
};
Result<Deviation> deviation_of(Translation& t, Value* x, const Axes& axes, double epsilon, bool keepdims) {
  LAPIS_TRY(Value * mean, frontend::reduce(t, ops::ReduceMean, x, axes, true));
  LAPIS_TRY(Value * away, t.add(ops::Sub, {x, mean}));
  LAPIS_TRY(Value * squares, t.add(ops::Mul, {away, away}));
  LAPIS_TRY(Value * variance, frontend::reduce(t, ops::ReduceMean, squares, axes, keepdims));
  LAPIS_TRY(variance, t.add(ops::Add, {variance, number_like(t, epsilon, x)}));
  LAPIS_TRY(Value * root, t.add(ops::Sqrt, {variance}));
  return Deviation{away, root};
}

// The mean over these axes, and 1 over the deviation from it, as outputs 1 and 2 of y: what the operators of ONNX give
// beside their results is not compiled.
Status finish_with_statistics(Translation& t, Value* y, Value* x, const Axes& axes, bool keepdims, double epsilon) {
  if (!reads_statistics(t)) return frontend::result(t, 0, y);
  LAPIS_TRY(const Deviation d, deviation_of(t, x, axes, epsilon, keepdims));
  LAPIS_TRY(Value * inverse, t.add(ops::Reciprocal, {d.root}));
  LAPIS_TRY(Value * mean, frontend::reduce(t, ops::ReduceMean, x, axes, keepdims));
  return finish_some(t, {y, mean, inverse});
}

float epsilon_of(Args& a) { return static_cast<float>(a.number("eps", 1e-5)); }

Status batch_norm(Translation& t) {
  Args a(t);
  const bool trains = a.flag("training", a.flag("train", false));
  const float epsilon = epsilon_of(a);
  LAPIS_CHECK(a.status());
  if (trains || !a.has("running_mean") || !a.has("running_var")) return Translation::unsupported(kTraining);
  LAPIS_TRY(Value * x, a.tensor(a.has("input") ? "input" : "self"));
  LAPIS_TRY(Value * mean, a.tensor("running_mean"));
  LAPIS_TRY(Value * variance, a.tensor("running_var"));
  if (!mean->type().is_static()) return Translation::unsupported("statistics of open size");
  LAPIS_TRY(Value * weight, tensor_or(t, a, "weight", 1, mean->type().shape(), x));
  LAPIS_TRY(Value * bias, tensor_or(t, a, "bias", 0, mean->type().shape(), x));
  return finish(t, t.add(ops::BatchNormalization, {x, weight, bias, mean, variance},
                         ops::BatchNormalizationAttrs{.epsilon = epsilon}));
}

// Statistics of the operand itself, over all axes but that of channels: how instance normalization is decomposed.
Status batch_norm_of_itself(Translation& t) {
  Args a(t);
  const float epsilon = epsilon_of(a);
  LAPIS_CHECK(a.status());
  if (a.has("running_mean")) return Translation::unsupported(kTraining);
  LAPIS_TRY(Value * x, a.tensor("input"));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  Axes axes = {0}, others;
  for (int64_t axis = 2; axis < rank; ++axis) axes.push_back(axis), others.push_back(axis - 1);
  LAPIS_TRY(const Deviation d, deviation_of(t, x, axes, epsilon, true));
  LAPIS_TRY(Value * y, t.add(ops::Div, {d.away, d.root}));
  for (const auto& [name, op] : {std::pair("weight", &ops::Mul), std::pair("bias", &ops::Add)}) {
    if (!a.has(name)) continue;
    LAPIS_TRY(Value * each, a.tensor(name));
    if (!others.empty()) {
      LAPIS_TRY(each, frontend::unsqueeze(t, each, others));
    }
    LAPIS_TRY(y, t.add(*op, {y, each}));
  }
  return finish_with_statistics(t, y, x, axes, false, epsilon);
}

Status layer_norm(Translation& t) {
  Args a(t);
  const std::vector<int64_t> shape = a.list("normalized_shape");
  const float epsilon = epsilon_of(a);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, a.tensor("input"));
  if (const auto problem = shape_problem(DType::Float32, shape))
    return error(ErrorKind::Input, "normalizes what cannot be: " + *problem);
  LAPIS_TRY(Value * weight, tensor_or(t, a, "weight", 1, shape, x));
  std::vector<Value*> inputs = {x, weight};
  if (a.has("bias")) {
    LAPIS_TRY(inputs.emplace_back(), a.tensor("bias"));
  }
  const ops::LayerNormalizationAttrs attributes{.axis = -static_cast<int64_t>(shape.size()), .epsilon = epsilon};
  LAPIS_TRY(Value * y, t.add(ops::LayerNormalization, inputs, attributes));
  Axes axes;
  for (int64_t axis = attributes.axis; axis < 0; ++axis) axes.push_back(axis);
  return finish_with_statistics(t, y, x, axes, true, epsilon);
}

// x / sqrt(mean(x^2) + eps) * weight
Status rms_norm(Translation& t) {
  Args a(t);
  const std::vector<int64_t> shape = a.list("normalized_shape");
  const double epsilon = a.number("eps", 1.1920928955078125e-7);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, a.tensor("input"));
  Axes axes;
  for (auto axis = -static_cast<int64_t>(shape.size()); axis < 0; ++axis) axes.push_back(axis);
  LAPIS_TRY(Value * squares, t.add(ops::Mul, {x, x}));
  LAPIS_TRY(Value * mean, frontend::reduce(t, ops::ReduceMean, squares, axes, true));
  LAPIS_TRY(mean, t.add(ops::Add, {mean, number_like(t, epsilon, x)}));
  LAPIS_TRY(Value * root, t.add(ops::Sqrt, {mean}));
  LAPIS_TRY(Value * y, t.add(ops::Div, {x, root}));
  if (!a.has("weight")) return frontend::result(t, 0, y);
  LAPIS_TRY(Value * weight, a.tensor("weight"));
  return finish(t, t.add(ops::Mul, {y, weight}));
}

Result<Shape> channels_of(const Value* x) {
  if (!x->type().ranked() || x->type().rank() < 2 || !x->type().dim(1).is_constant())
    return Translation::unsupported("channels of open number");
  return Shape{x->type().dim(1).value()};
}

Status group_norm(Translation& t) {
  Args a(t);
  const int64_t groups = a.integer(a.has("num_groups") ? "num_groups" : "group", 1);
  const float epsilon = epsilon_of(a);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * x, a.tensor("input"));
  LAPIS_TRY(const Shape channels, channels_of(x));
  LAPIS_TRY(Value * weight, tensor_or(t, a, "weight", 1, channels, x));
  LAPIS_TRY(Value * bias, tensor_or(t, a, "bias", 0, channels, x));
  LAPIS_TRY(Value * y, t.add(ops::GroupNormalization, {x, weight, bias},
                             ops::GroupNormalizationAttrs{.epsilon = epsilon, .num_groups = groups}));
  if (!reads_statistics(t)) return frontend::result(t, 0, y);
  LAPIS_TRY(Value * grouped, frontend::reshape(t, x, {0, groups, -1}));
  return finish_with_statistics(t, y, grouped, {2}, false, epsilon);
}

Status instance_norm(Translation& t) {
  Args a(t);
  const float epsilon = epsilon_of(a);
  const bool uses_input = a.flag("use_input_stats", true);
  LAPIS_CHECK(a.status());
  if (!uses_input) return Translation::unsupported("statistics of training");
  LAPIS_TRY(Value * x, a.tensor("input"));
  LAPIS_TRY(const Shape channels, channels_of(x));
  LAPIS_TRY(Value * weight, tensor_or(t, a, "weight", 1, channels, x));
  LAPIS_TRY(Value * bias, tensor_or(t, a, "bias", 0, channels, x));
  return finish(t, t.add(ops::InstanceNormalization, {x, weight, bias}, ops::InstanceNormalizationAttrs{epsilon}));
}

// A weight of given lengths: v, scaled to g over all axes but one, or over all.
Status weight_norm(Translation& t) {
  Args a(t);
  const int64_t dim = a.integer("dim", 0);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * v, a.tensor("v"));
  LAPIS_TRY(Value * g, a.tensor("g"));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(v));
  Axes axes;
  for (int64_t axis = 0; axis < rank; ++axis)
    if (axis != dim) axes.push_back(axis);
  LAPIS_TRY(Value * length, norm_of(t, v, 2, axes, true));
  LAPIS_TRY(Value * factor, t.add(ops::Div, {g, length}));
  return finish(t, t.add(ops::Mul, {v, factor}));
}

Status embedding(Translation& t) {
  Args a(t);
  LAPIS_TRY(Value * table, a.tensor("weight"));
  LAPIS_TRY(Value * indices, a.tensor("indices"));
  return finish(t, t.add(ops::Gather, {table, indices}));
}

constexpr AtenRow kRows[] = {
    {"aten._weight_norm", "v g dim", weight_norm},
    {"aten._native_batch_norm_legit", "input weight bias training momentum eps", batch_norm_of_itself},
    {"aten._native_batch_norm_legit_no_training", "input weight bias running_mean running_var momentum eps",
     batch_norm},
    {"aten.addmm", "self mat1 mat2 *beta alpha", addmm},
    {"aten.baddbmm", "self batch1 batch2 *beta alpha", baddbmm},
    {"aten.batch_norm", "input weight bias running_mean running_var training momentum eps cudnn_enabled", batch_norm},
    {"aten.bmm", "self mat2", mm},
    {"aten.dot", "self tensor", dot},
    {"aten.einsum", "equation tensors *path", einsum},
    {"aten.embedding", "weight indices padding_idx scale_grad_by_freq sparse", embedding},
    {"aten.group_norm", "input num_groups weight bias eps cudnn_enabled", group_norm},
    {"aten.instance_norm", "input weight bias running_mean running_var use_input_stats momentum eps cudnn_enabled",
     instance_norm},
    {"aten.layer_norm", "input normalized_shape weight bias eps cudnn_enable", layer_norm},
    {"aten.linear", "input weight bias", linear},
    {"aten.matmul", "self other", matmul},
    {"aten.mm", "self mat2", mm},
    {"aten.mv", "self vec", mv},
    {"aten.native_batch_norm", "input weight bias running_mean running_var training momentum eps", batch_norm},
    {"aten.native_group_norm", "input weight bias N C HxW group eps", group_norm},
    {"aten.native_layer_norm", "input normalized_shape weight bias eps", layer_norm},
    {"aten.rms_norm", "input normalized_shape weight eps", rms_norm},
    {"aten.scaled_dot_product_attention", "query key value attn_mask dropout_p is_causal *scale enable_gqa", attention},
    {"aten.vdot", "self other", vdot},
};

}  // namespace

Result<Value*> affine(Translation& t, Value* x, Value* weight, Value* bias) {
  if (is_matrix(x) && is_matrix(weight)) {
    std::vector<Value*> inputs = {x, weight};
    if (bias) inputs.push_back(bias);
    return t.add(ops::Gemm, inputs, ops::GemmAttrs{.transB = true});
  }
  LAPIS_TRY(const int64_t rank, frontend::rank_of(weight));
  LAPIS_TRY(Value * turned, rank == 2 ? frontend::transpose_matrices(t, weight) : Result<Value*>(weight));
  LAPIS_TRY(Value * y, t.add(ops::MatMul, {x, turned}));
  return bias ? t.add(ops::Add, {y, bias}) : Result<Value*>(y);
}

Result<Value*> similarities(Translation& t, Value* query, Value* key, double scale) {
  LAPIS_TRY(Value * turned, frontend::transpose_matrices(t, key));
  LAPIS_TRY(Value * y, t.add(ops::MatMul, {query, turned}));
  return t.add(ops::Mul, {y, number_like(t, scale, y)});
}

std::span<const AtenRow> product_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
