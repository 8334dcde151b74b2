// What the modules of encoders become where PyTorch takes its short way through them:
// attention with all of its products, and a whole layer.
#include <cmath>

#include "frontends/pytorch/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"

namespace lapis::pytorch_frontend {
namespace {

struct Projections {
  Value *qkv_weight = nullptr, *qkv_bias = nullptr, *proj_weight = nullptr, *proj_bias = nullptr;
  int64_t width = 0, heads = 0;
};

Result<Projections> projections(Args& a) {
  Projections p;
  p.width = a.integer("embed_dim", 0);
  p.heads = a.integer(a.has("num_head") ? "num_head" : "num_heads", 0);
  LAPIS_CHECK(a.status());
  if (p.heads < 1 || p.width < p.heads || p.width % p.heads != 0)
    return error(ErrorKind::Input, std::to_string(p.heads) + " heads do not share " + std::to_string(p.width));
  if (a.has("mask")) return Translation::unsupported("a mask");
  LAPIS_TRY(p.qkv_weight, a.tensor("qkv_weight"));
  LAPIS_TRY(p.qkv_bias, a.tensor("qkv_bias"));
  LAPIS_TRY(p.proj_weight, a.tensor("proj_weight"));
  LAPIS_TRY(p.proj_bias, a.tensor("proj_bias"));
  return p;
}

// Part 0, 1 or 2 of what is projected: [N, heads, steps, width of a head].
Result<Value*> heads_of(Translation& t, const Projections& p, Value* x, int64_t part) {
  LAPIS_TRY(Value * weight, frontend::slice(t, p.qkv_weight, 0, part * p.width, (part + 1) * p.width));
  LAPIS_TRY(Value * bias, frontend::slice(t, p.qkv_bias, 0, part * p.width, (part + 1) * p.width));
  LAPIS_TRY(Value * y, affine(t, x, weight, bias));
  LAPIS_TRY(y, frontend::reshape(t, y, {0, 0, p.heads, p.width / p.heads}));
  return frontend::transpose(t, y, {0, 2, 1, 3});
}

struct Attended {
  Value *y = nullptr, *weights = nullptr;  // [N, steps, width], [N, heads, steps, steps]
};

Result<Attended> attended(Translation& t, const Projections& p, Value* query, Value* key, Value* value) {
  LAPIS_TRY(Value * q, heads_of(t, p, query, 0));
  LAPIS_TRY(Value * k, heads_of(t, p, key, 1));
  LAPIS_TRY(Value * v, heads_of(t, p, value, 2));
  const int64_t width_of_head = p.width / p.heads;
  const double scale = 1 / std::sqrt(static_cast<double>(width_of_head));
  LAPIS_TRY(Value * similar, similarities(t, q, k, scale));
  Attended result;
  LAPIS_TRY(result.weights, t.add(ops::Softmax, {similar}, ops::SoftmaxAttrs{}));
  LAPIS_TRY(Value * y, t.add(ops::MatMul, {result.weights, v}));
  LAPIS_TRY(y, frontend::transpose(t, y, {0, 2, 1, 3}));
  LAPIS_TRY(y, frontend::reshape(t, y, {0, 0, p.width}));
  LAPIS_TRY(result.y, affine(t, y, p.proj_weight, p.proj_bias));
  return result;
}

Status multi_head_attention(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Projections p, projections(a));
  const bool averages = a.flag("average_attn_weights", true);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * query, a.tensor("query"));
  LAPIS_TRY(Value * key, a.tensor("key"));
  LAPIS_TRY(Value * value, a.tensor("value"));
  LAPIS_TRY(Attended attention, attended(t, p, query, key, value));
  if (averages) {
    LAPIS_TRY(attention.weights, frontend::reduce(t, ops::ReduceMean, attention.weights, {1}, false));
  }
  return finish_some(t, {attention.y, attention.weights});
}

Result<Value*> normalized(Translation& t, Args& a, Value* x, const std::string& number) {
  LAPIS_TRY(Value * weight, a.tensor("norm_weight_" + number));
  LAPIS_TRY(Value * bias, a.tensor("norm_bias_" + number));
  const auto epsilon = static_cast<float>(a.number("eps", 1e-5));
  LAPIS_CHECK(a.status());
  return t.add(ops::LayerNormalization, {x, weight, bias},
               ops::LayerNormalizationAttrs{.axis = -1, .epsilon = epsilon});
}

Result<Value*> fed_forward(Translation& t, Args& a, Value* x) {
  std::vector<Value*> given;
  for (const char* name : {"ffn_weight_1", "ffn_bias_1", "ffn_weight_2", "ffn_bias_2"}) {
    LAPIS_TRY(given.emplace_back(), a.tensor(name));
  }
  const bool is_gelu = a.flag("use_gelu", false);
  LAPIS_CHECK(a.status());
  LAPIS_TRY(Value * y, affine(t, x, given[0], given[1]));
  LAPIS_TRY(y, t.add(is_gelu ? ops::Gelu : ops::Relu, {y}));
  return affine(t, y, given[2], given[3]);
}

// x + f(x), normalized before or behind.
template <class Function>
Result<Value*> residual(Translation& t, Args& a, Value* x, const std::string& number, Function&& f) {
  const bool norm_first = a.flag("norm_first", false);
  LAPIS_CHECK(a.status());
  Value* y = x;
  if (norm_first) {
    LAPIS_TRY(y, normalized(t, a, y, number));
  }
  LAPIS_TRY(y, f(y));
  LAPIS_TRY(y, t.add(ops::Add, {x, y}));
  return norm_first ? Result<Value*>(y) : normalized(t, a, y, number);
}

Status encoder_layer(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Projections p, projections(a));
  LAPIS_TRY(Value * x, a.tensor("src"));
  LAPIS_TRY(x, residual(t, a, x, "1", [&](Value* y) -> Result<Value*> {
              LAPIS_TRY(const Attended attention, attended(t, p, y, y, y));
              return attention.y;
            }));
  LAPIS_TRY(x, residual(t, a, x, "2", [&](Value* y) { return fed_forward(t, a, y); }));
  return frontend::result(t, 0, x);
}

constexpr AtenRow kRows[] = {
    {"aten._native_multi_head_attention",
     "query key value embed_dim num_head qkv_weight qkv_bias proj_weight proj_bias mask need_weights "
     "average_attn_weights mask_type",
     multi_head_attention},
    {"aten._transformer_encoder_layer_fwd",
     "src embed_dim num_heads qkv_weight qkv_bias proj_weight proj_bias use_gelu norm_first eps norm_weight_1 "
     "norm_bias_1 norm_weight_2 norm_bias_2 ffn_weight_1 ffn_bias_1 ffn_weight_2 ffn_bias_2 mask mask_type",
     encoder_layer},
};

}  // namespace

std::span<const AtenRow> encoder_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
