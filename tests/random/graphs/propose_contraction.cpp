// Contractions, pools, normalizations and quantization: operands that share channels.
#include "ir/ops/attributes.h"
#include "tests/random/graphs/propose.h"

namespace lapis::random_graphs {
namespace {

constexpr TypeSet kBytes = types(DType::Int8, DType::UInt8);

// ---- windows --------------------------------------------------------------------------------------------------------

// Strides, dilations and pads for windows over `spatial` axes; each may be left out.
void draw_window(Draft& d, Attributes& a, size_t spatial, const Shape& kernel, bool negative_pads) {
  Random& random = d.random;
  if (random.chance(50)) a["strides"] = draw_ints(random, spatial, 1, random.one_of({1, 2, 2, 3}));
  if (random.chance(30)) a["dilations"] = draw_ints(random, spatial, 1, random.one_of({1, 2, 3}));
  if (random.chance(15)) {
    a["auto_pad"] = random.pick<std::string>({"SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"});
    return;
  }
  if (!random.chance(60)) return;
  std::vector<int64_t> pads(2 * spatial);
  for (size_t i = 0; i < pads.size(); ++i)
    pads[i] = random.between(0, std::max<int64_t>(0, std::min<int64_t>(kernel[i % spatial] - 1, 2)));
  if (negative_pads && random.chance(4)) pads[random.below(pads.size())] = random.one_of({-1, -2, 3, 5});
  a["pads"] = std::move(pads);
}

struct ConvShapes {
  Shape x, w;
  int64_t group;
};

int64_t draw_channels(Random& random) { return random.one_of({1, 1, 2, 3, 4, 5, 8, 16, 17, 0 + 7}); }

ConvShapes draw_conv(Draft& d, bool transposed) {
  Random& random = d.random;
  const auto spatial = static_cast<size_t>(random.one_of({1, 2, 2, 2, 2, 3}));
  ConvShapes s;
  s.group = random.one_of({1, 1, 1, 2, 3, 8, 16});
  int64_t in = s.group > 3 ? 1 : draw_channels(random),
          out = s.group > 3 ? random.between(1, 2) : draw_channels(random);
  if (s.group == 1 && in > 8) out = std::min<int64_t>(out, 8);
  if (random.chance(1)) in = 0;
  s.x = {random.one_of({1, 1, 1, 2, 3, random.chance(3) ? 0 : 1}), in * s.group};
  s.w = transposed ? Shape{in * s.group, out} : Shape{out * s.group, in};
  for (size_t i = 0; i < spatial; ++i) {
    s.x.push_back(spatial == 3 ? random.between(1, 4) : random.one_of({1, 2, 3, 4, 5, 7, 8, 9}));
    s.w.push_back(random.one_of({1, 1, 2, 3, 3}));
  }
  return s;
}

Attributes conv_attributes(Draft& d, const ConvShapes& s) {
  Attributes a;
  const Shape kernel(s.w.begin() + 2, s.w.end());
  draw_window(d, a, kernel.size(), kernel, true);
  if (s.group != 1 || d.random.chance(30)) a["group"] = s.group;
  if (d.random.chance(50)) a["kernel_shape"] = std::vector<int64_t>(kernel);
  return a;
}

// Weights are constants more often than other operands.
Value* weight(Draft& d, DType dtype, const Shape& shape) {
  const int kept = std::exchange(d.constants, 85);
  Value* value = d.random.chance(85) ? d.fresh(dtype, shape) : d.like(dtype, shape);
  d.constants = kept;
  return value;
}

std::optional<Proposal> propose_conv(Draft& d, const OpDef& op) {
  const DType dtype = draw_dtype(d.random, op.inputs[0].types);
  const bool transposed = op.name == "ConvTranspose";
  const ConvShapes s = draw_conv(d, transposed);
  Proposal p;
  p.inputs = {d.like(dtype, s.x), weight(d, dtype, s.w)};
  if (d.random.chance(60)) p.inputs.push_back(weight(d, dtype, {transposed ? s.w[1] * s.group : s.w[0]}));
  p.attributes = conv_attributes(d, s);
  if (transposed && d.random.chance(20)) p.attributes["output_padding"] = draw_ints(d.random, s.w.size() - 2, 0, 1);
  return p;
}

Value* zero_point(Draft& d, DType dtype, const Shape& shape) {
  Tensor t(dtype, shape);
  visit_dtype(dtype, [&]<class T>(T) {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
      for (T& v : t.mutable_data<T>())
        v = static_cast<T>(d.random.one_of({0, 0, 1, 7, 128, 255, -1, 127, static_cast<int64_t>(d.random.next())}));
  });
  const int kept = std::exchange(d.constants, 90);
  Value* value = d.fresh(std::move(t));
  d.constants = kept;
  return value;
}

Value* scale(Draft& d, DType dtype, const Shape& shape) {
  Tensor t(dtype, shape);
  visit_dtype(dtype, [&]<class T>(T) {
    for (T& v : t.mutable_data<T>()) {
      const auto s =
          d.random.pick<float>({1, 0.5f, 0.1f, 0.02f, 0.007f, 2, 1e-3f, 30, d.random.chance(5) ? 1e-30f : 0.3f});
      if constexpr (std::is_same_v<T, Float16>)
        v = to_float16(s);
      else if constexpr (std::is_same_v<T, BFloat16>)
        v = to_bfloat16(s);
      else
        v = static_cast<T>(s);
    }
  });
  const int kept = std::exchange(d.constants, 90);
  Value* value = d.fresh(std::move(t));
  d.constants = kept;
  return value;
}

Shape scalar_or_one(Draft& d) { return d.random.chance(80) ? Shape{} : Shape{1}; }

std::optional<Proposal> propose_conv_integer(Draft& d, const OpDef& op) {
  const DType x = draw_dtype(d.random, op.inputs[0].types), w = draw_dtype(d.random, op.inputs[1].types);
  const ConvShapes s = draw_conv(d, false);
  Proposal p;
  p.inputs = {d.like(x, s.x), weight(d, w, s.w)};
  p.inputs.push_back(d.random.chance(60) ? zero_point(d, x, {}) : nullptr);
  p.inputs.push_back(d.random.chance(40) ? zero_point(d, w, d.random.chance(50) ? Shape{} : Shape{s.w[0]}) : nullptr);
  p.attributes = conv_attributes(d, s);
  return p;
}

std::optional<Proposal> propose_qlinear_conv(Draft& d, const OpDef&) {
  const DType x = draw_dtype(d.random, kBytes), w = draw_dtype(d.random, kBytes), y = draw_dtype(d.random, kBytes);
  const ConvShapes s = draw_conv(d, false);
  const Shape per = d.random.chance(50) ? Shape{} : Shape{s.w[0]};
  Proposal p;
  p.inputs = {d.like(x, s.x),
              scale(d, DType::Float32, {}),
              zero_point(d, x, {}),
              weight(d, w, s.w),
              scale(d, DType::Float32, per),
              zero_point(d, w, per),
              scale(d, DType::Float32, {}),
              zero_point(d, y, {})};
  if (d.random.chance(50)) p.inputs.push_back(weight(d, DType::Int32, {s.w[0]}));
  p.attributes = conv_attributes(d, s);
  return p;
}

std::optional<Proposal> propose_pool(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types, 3, 5);
  if (!x) return std::nullopt;
  const auto spatial = static_cast<size_t>(x->type().rank() - 2);
  Proposal p;
  p.inputs = {x};
  Shape kernel = draw_ints(d.random, spatial, 1, 3);
  for (size_t i = 0; i < spatial; ++i)
    kernel[i] = std::max<int64_t>(1, std::min(kernel[i], x->type().shape()[i + 2] + 1));
  p.attributes["kernel_shape"] = std::vector<int64_t>(kernel);
  draw_window(d, p.attributes, spatial, kernel, false);
  for (const char* flag : {"ceil_mode", "count_include_pad", "storage_order"})
    if (op.attribute(flag) && d.random.chance(30)) p.attributes[flag] = int64_t{1};
  if (op.outputs.size() > 1 && d.random.chance(40)) p.outputs = 2;
  return p;
}

std::optional<Proposal> propose_global_pool(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types, 3, 5);
  if (!x) return std::nullopt;
  return Proposal{{x}, draw_attributes(d, op), 1};
}

// ---- matrices -------------------------------------------------------------------------------------------------------

int64_t draw_extent(Random& random) {
  if (random.chance(3)) return 0;
  return random.one_of({1, 1, 2, 3, 4, 5, 7, 8, 13, 16, 17, 32, 33});
}

std::optional<Proposal> propose_gemm(Draft& d, const OpDef& op) {
  Random& random = d.random;
  const DType dtype = draw_dtype(random, op.inputs[0].types);
  const int64_t m = draw_extent(random), n = draw_extent(random), k = draw_extent(random);
  const bool ta = random.chance(30), tb = random.chance(40);
  Proposal p;
  p.inputs = {d.like(dtype, ta ? Shape{k, m} : Shape{m, k}), weight(d, dtype, tb ? Shape{n, k} : Shape{k, n})};
  if (random.chance(70))
    p.inputs.push_back(d.like(dtype, random.pick<Shape>({{}, {1}, {n}, {n}, {1, n}, {m, 1}, {m, n}, {m, n}, {1, 1}})));
  if (ta) p.attributes["transA"] = int64_t{1};
  if (tb) p.attributes["transB"] = int64_t{1};
  if (random.chance(35)) p.attributes["alpha"] = random.pick<float>({0.5f, 2, 0, -1, 0.3f});
  if (random.chance(35)) p.attributes["beta"] = random.pick<float>({0.5f, 2, 0, -1, 0.3f});
  return p;
}

// [batch..., m, k] and [batch..., k, n], either perhaps a vector.
std::pair<Shape, Shape> draw_product(Random& random) {
  const int64_t m = draw_extent(random), n = draw_extent(random), k = draw_extent(random);
  Shape a = {m, k}, b = {k, n};
  Shape batch = draw_ints(random, static_cast<size_t>(random.one_of({0, 0, 0, 1, 1, 2, 3})), 1, 3);
  if (!batch.empty() && random.chance(3)) batch[0] = 0;
  const Shape left = draw_partner(random, batch), right = random.chance(50) ? Shape{} : draw_partner(random, batch);
  a.insert(a.begin(), left.begin(), left.end());
  b.insert(b.begin(), right.begin(), right.end());
  if (random.chance(8)) a = {k};
  if (random.chance(8)) b = {k};
  return {a, b};
}

std::optional<Proposal> propose_matmul(Draft& d, const OpDef& op) {
  const auto [a, b] = draw_product(d.random);
  const DType dtype = draw_dtype(d.random, op.inputs[0].types);
  return Proposal{{d.like(dtype, a), d.random.chance(60) ? weight(d, dtype, b) : d.like(dtype, b)}, {}, 1};
}

struct Equation {
  const char* text;
  std::vector<const char*> axes;  // of each operand
};

// Products, sums, diagonals, and dots that broadcast:
// axes of one letter have one extent, those of "1" have one element.
std::optional<Proposal> propose_einsum(Draft& d, const OpDef& op) {
  const auto e = d.random.pick<Equation>({{"ij,jk->ik", {"ij", "jk"}},
                                          {"bqhd,bkhd->bhqk", {"bqhd", "bkhd"}},
                                          {"bsd,dhk->bhsk", {"bsd", "dhk"}},
                                          {"i,j", {"i", "j"}},
                                          {"...i,ij->...j", {"abi", "ij"}},
                                          {"...i,...i->...", {"a1i", "bi"}},
                                          {"...ii->...i", {"aii"}},
                                          {"iij->j", {"iij"}},
                                          {"ijk->kj", {"ijk"}},
                                          {"ij,ij->", {"ij", "ij"}}});
  const DType dtype = draw_dtype(d.random, op.inputs[0].types);
  std::map<char, int64_t> extents = {{'1', 1}};
  Proposal p;
  for (const std::string axes : e.axes) {
    Shape shape;
    for (const char c : axes) shape.push_back(extents.try_emplace(c, draw_extent(d.random) % 9).first->second);
    p.inputs.push_back(d.like(dtype, shape));
  }
  p.attributes["equation"] = std::string(e.text);
  return p;
}

std::optional<Proposal> propose_matmul_integer(Draft& d, const OpDef&) {
  const auto [a, b] = draw_product(d.random);
  const DType x = draw_dtype(d.random, kBytes), w = draw_dtype(d.random, kBytes);
  Proposal p;
  p.inputs = {d.like(x, a), weight(d, w, b)};
  const Shape rows = a.size() == 2 && d.random.chance(20) ? Shape{a[0]} : scalar_or_one(d);
  const Shape columns = b.size() == 2 && d.random.chance(40) ? Shape{b[1]} : scalar_or_one(d);
  p.inputs.push_back(d.random.chance(60) ? zero_point(d, x, rows) : nullptr);
  p.inputs.push_back(d.random.chance(50) ? zero_point(d, w, columns) : nullptr);
  return p;
}

std::optional<Proposal> propose_qlinear_matmul(Draft& d, const OpDef& op) {
  const auto [a, b] = draw_product(d.random);
  const DType x = draw_dtype(d.random, kBytes), w = draw_dtype(d.random, kBytes), y = draw_dtype(d.random, kBytes);
  const DType s = draw_dtype(d.random, d.random.chance(85) ? types(DType::Float32) : op.inputs[1].types);
  const Shape columns = b.size() == 2 && d.random.chance(40) ? Shape{b[1]} : scalar_or_one(d);
  const Shape one = scalar_or_one(d);
  return Proposal{{d.like(x, a), scale(d, s, one), zero_point(d, x, one), weight(d, w, b), scale(d, s, columns),
                   zero_point(d, w, columns), scale(d, s, {}), zero_point(d, y, {})},
                  {},
                  1};
}

// ---- quantization ---------------------------------------------------------------------------------------------------

// The shape of scale and zero point: one value, one a slice, or one a block.
Shape draw_granularity(Draft& d, const Shape& x, Attributes& attributes) {
  if (x.empty() || d.random.chance(50)) return scalar_or_one(d);
  const int64_t axis = draw_axis(d.random, static_cast<int64_t>(x.size()));
  attributes["axis"] = axis;
  const auto at = static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(x.size()) : axis);
  if (at >= x.size()) return {1};
  if (d.random.chance(75)) return {x[at]};
  const int64_t block = d.random.between(1, 3);
  attributes["block_size"] = block;
  Shape blocks = x;
  blocks[at] = (x[at] + block - 1) / block;
  return blocks;
}

std::optional<Proposal> propose_quantize(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types);
  if (!x) return std::nullopt;
  Proposal p;
  const Shape shape = draw_granularity(d, x->type().shape(), p.attributes);
  const DType s = allows(op.inputs[1].types, x->dtype()) && d.random.chance(90) ? x->dtype() : DType::Float32;
  p.inputs = {x, scale(d, s, shape)};
  if (d.random.chance(80)) p.inputs.push_back(zero_point(d, draw_dtype(d.random, op.inputs[2].types), shape));
  return p;
}

std::optional<Proposal> propose_dequantize(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types);
  if (!x) return std::nullopt;
  Proposal p;
  const Shape shape = draw_granularity(d, x->type().shape(), p.attributes);
  p.inputs = {x, scale(d, d.random.chance(80) ? DType::Float32 : draw_dtype(d.random, op.inputs[1].types), shape)};
  if (d.random.chance(70)) p.inputs.push_back(zero_point(d, x->dtype(), shape));
  return p;
}

std::optional<Proposal> propose_dynamic_quantize(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types);
  return x ? std::optional(Proposal{{x}, {}, 3}) : std::nullopt;
}

// ---- normalizations -------------------------------------------------------------------------------------------------

std::optional<Proposal> propose_channel_normalization(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types, 2, 5);
  if (!x) return std::nullopt;
  const Shape channels = {x->type().shape()[1]};
  Proposal p;
  p.inputs = {x};
  for (size_t i = 1; i < op.inputs.size(); ++i) {
    Tensor t = draw_tensor(d.random, x->dtype(), channels, d.mood);
    if (op.inputs[i].name == "input_var" && d.random.chance(90))
      t = draw_tensor(d.random, x->dtype(), channels, Mood::Ordinary);
    p.inputs.push_back(d.random.chance(80) ? d.constant(std::move(t)) : d.fresh(std::move(t)));
  }
  if (d.random.chance(40)) p.attributes["epsilon"] = d.random.pick<float>({1e-5f, 1e-3f, 0.5f, 0});
  if (op.name == "GroupNormalization")
    p.attributes["num_groups"] = channels[0] % 2 ? std::max<int64_t>(channels[0], 1) : d.random.one_of({1, 2});
  if (op.attribute("training_mode") && d.random.chance(10)) p.attributes["training_mode"] = int64_t{1}, p.outputs = 3;
  return p;
}

std::optional<Proposal> propose_layer_normalization(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types, 1, 5);
  if (!x) return std::nullopt;
  const Shape& shape = x->type().shape();
  const int64_t axis = draw_axis(d.random, static_cast<int64_t>(shape.size()));
  const int64_t from = std::clamp<int64_t>(axis < 0 ? axis + static_cast<int64_t>(shape.size()) : axis, 0,
                                           static_cast<int64_t>(shape.size()));
  const Shape tail(shape.begin() + from, shape.end());
  Proposal p;
  p.inputs = {x, weight(d, x->dtype(), d.random.chance(80) ? tail : draw_partner(d.random, tail))};
  if (d.random.chance(70)) p.inputs.push_back(weight(d, x->dtype(), tail));
  p.attributes["axis"] = axis;
  if (d.random.chance(30)) p.attributes["epsilon"] = d.random.pick<float>({1e-5f, 1e-3f, 0.5f});
  if (d.random.chance(10)) p.outputs = 3;
  return p;
}

std::optional<Proposal> propose_lrn(Draft& d, const OpDef& op) {
  Value* x = d.some(op.inputs[0].types, 3, 5);
  if (!x) return std::nullopt;
  Proposal p{{x}, {{"size", d.random.one_of({1, 2, 3, 5})}}, 1};
  if (d.random.chance(40)) p.attributes["alpha"] = d.random.pick<float>({1e-4f, 0.5f, 1});
  if (d.random.chance(40)) p.attributes["beta"] = d.random.pick<float>({0.75f, 0.5f, 1});
  if (d.random.chance(30)) p.attributes["bias"] = d.random.pick<float>({1, 2});
  return p;
}

}  // namespace

ProposerTable contraction_proposers() {
  return {{"Conv", propose_conv},
          {"ConvTranspose", propose_conv},
          {"ConvInteger", propose_conv_integer},
          {"QLinearConv", propose_qlinear_conv},
          {"AveragePool", propose_pool},
          {"MaxPool", propose_pool},
          {"GlobalAveragePool", propose_global_pool},
          {"GlobalMaxPool", propose_global_pool},
          {"Gemm", propose_gemm},
          {"MatMul", propose_matmul},
          {"Einsum", propose_einsum},
          {"MatMulInteger", propose_matmul_integer},
          {"QLinearMatMul", propose_qlinear_matmul},
          {"QuantizeLinear", propose_quantize},
          {"DequantizeLinear", propose_dequantize},
          {"DynamicQuantizeLinear", propose_dynamic_quantize},
          {"BatchNormalization", propose_channel_normalization},
          {"InstanceNormalization", propose_channel_normalization},
          {"GroupNormalization", propose_channel_normalization},
          {"LayerNormalization", propose_layer_normalization},
          {"LRN", propose_lrn}};
}

}  // namespace lapis::random_graphs
