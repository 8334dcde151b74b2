// What simplification promises: not one bit differs, whatever the numbers. Each graph is evaluated as it is and
// simplified on zeros of both signs, infinities, NaN and the edges of its types.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "frontends/onnx/import.h"
#include "ir/evaluate.h"
#include "ir/infer.h"
#include "passes/pipeline.h"
#include "passes/simplify/simplify.h"

namespace lapis {
namespace {

struct ExactCase {
  const char* name;
  const char* body;
};

// Patterns of rules whose sides differ if zeros, NaN, infinities or overflow are not thought of.
constexpr ExactCase kCases[] = {
    {"minus_zero", "(float[N] x) => (float[N] y) <float c = {0}> { t = Sub(x, c) y = Reciprocal(t) }"},
    {"minus_negative_zero", "(float[N] x) => (float[N] y) <float c = {-0.0}> { t = Sub(x, c) y = Reciprocal(t) }"},
    {"plus_zero", "(float[N] x) => (float[N] y) <float c = {0}> { t = Add(c, x) y = Reciprocal(t) }"},
    {"plus_negative_zero", "(float[N] x) => (float[N] y) <float c = {-0.0}> { t = Add(c, x) y = Reciprocal(t) }"},
    {"minus_constant", "(float[N] x) => (float[N] y) <float c = {0.1}> { y = Sub(x, c) }"},
    {"half_minus_negative_zero",
     "(float16[N] x) => (float16[N] y) <float16 c = {32768}> { t = Sub(x, c) y = Reciprocal(t) }"},
    {"times_one", "(float[N] x) => (float[N] y) <float c = {1}> { y = Mul(x, c) }"},
    {"over_one", "(double[N] x) => (double[N] y) <double c = {1}> { y = Div(x, c) }"},
    {"to_the_first", "(float[N] x) => (float[N] y) <float c = {1}> { y = Pow(x, c) }"},
    {"squared", "(float[N] x) => (float[N] y) <float c = {2}> { y = Pow(x, c) }"},
    {"squared_double", "(double[N] x) => (double[N] y) <double c = {2}> { y = Pow(x, c) }"},
    {"squared_integers", "(int32[N] x) => (int32[N] y) <float c = {2}> { y = Pow(x, c) }"},
    {"where_zeros",
     "(float[N] x) => (float[N] y) <float c = {0}, float a = {0}, float b = {-0.0}> { p = Greater(x, c) "
     "t = Where(p, a, b) y = Reciprocal(t) }"},
    {"equal_constants",
     "(float[N] x) => (float[N] y, float[N] z) <float a = {0}, float b = {-0.0}> { y = Add(x, a) z = "
     "Add(x, b) }"},
    {"max_zero", "(float[N] x) => (float[N] y) <float c = {0}> { t = Max(x, c) y = Reciprocal(t) }"},
    {"max_negative_zero", "(float[N] x) => (float[N] y) <float c = {-0.0}> { t = Max(c, x) y = Reciprocal(t) }"},
    {"min_zero", "(float[N] x) => (float[N] y) <float c = {0}> { t = Min(x, c) y = Reciprocal(t) }"},
    {"max_number", "(float[N] x) => (float[N] y) <float c = {-1}> { y = Max(x, c) }"},
    {"clip_zero", "(float[N] x) => (float[N] y) <float c = {0}> { t = Clip(x, c) y = Reciprocal(t) }"},
    {"clip_negative_zero", "(float[N] x) => (float[N] y) <float c = {-0.0}> { t = Clip(x, c) y = Reciprocal(t) }"},
    {"clip_of_clip",
     "(float[N] x) => (float[N] y) <float a = {-0.0}, float b = {0}, float c = {1}> { s = Clip(x, a) t = "
     "Clip(s, b, c) y = Reciprocal(t) }"},
    {"relu_of_relu", "(float[N] x) => (float[N] y) { s = Relu(x) t = Relu(s) y = Reciprocal(t) }"},
    {"relu_then_min", "(float[N] x) => (float[N] y) <float c = {0}> { s = Relu(x) t = Min(s, c) y = Reciprocal(t) }"},
    {"clip_not_a_number",
     "(float[N] x) => (float[N] y) <float a = {0}, float b = {6}> { s = Clip(x, a, b) y = Relu(s) }"},
    {"bounds_that_cross",
     "(float[N] x) => (float[N] y) <float a = {3}, float b = {-3}> { s = Clip(x, a, b) y = Relu(s) }"},
    {"max_minus_infinity",
     "(float[N] x) => (float[N] y) <float a = {1}, float b = {0}> { m = Div(a, b) n = Neg(m) y = "
     "Max(x, n) }"},
    {"cast_of_cast", "(int16[N] x) => (int8[N] y) { a = Cast<to = 1>(x) y = Cast<to = 3>(a) }"},
    {"cast_of_cast_integers", "(int16[N] x) => (int8[N] y) { a = Cast<to = 6>(x) y = Cast<to = 3>(a) }"},
    {"cast_up_and_down", "(float16[N] x) => (float16[N] y) { a = Cast<to = 1>(x) y = Cast<to = 10>(a) }"},
    {"cast_through_less", "(float[N] x) => (float[N] y) { a = Cast<to = 10>(x) y = Cast<to = 1>(a) }"},
    {"sum_of_three",
     "(float[N] x) => (float[N] y, float[N] z) <float b = {1e8}, float c = {-1e8}> { y = Sum(x, b, c) z = "
     "Sum(b, c, x) }"},
    {"pad_below_max_pool",
     "(float[1,1,N] x) => (float[1,1,M] y) <int64[6] p = {0,0,1,0,0,1}, float v = {-3.4028235e38}> "
     "{ a = Pad(x, p, v) y = MaxPool<kernel_shape = [2]>(a) }"},
    {"pad_above_abs",
     "(int8[1,1,N] x) => (int8[1,1,M] y) <int64[6] p = {0,0,1,0,0,1}> { b = Abs(x) a = Pad(b, p) y = "
     "MaxPool<kernel_shape = [2]>(a) }"},
    {"pad_of_crossing_clip",
     "(float[1,1,N] x) => (float[1,1,M] y) <int64[6] p = {0,0,1,0,0,1}, float l = {1}, float h = "
     "{-5}> { b = Clip(x, l, h) a = Pad(b, p) y = MaxPool<kernel_shape = [2]>(a) }"},
    {"pad_of_relu",
     "(float[1,1,N] x) => (float[1,1,M] y) <int64[6] p = {0,0,1,0,0,1}> { b = Relu(x) a = Pad(b, p) t = "
     "MaxPool<kernel_shape = [2]>(a) y = Reciprocal(t) }"},
    {"pad_of_relu_by_negative_zero",
     "(float[1,1,N] x) => (float[1,1,M] y) <int64[6] p = {0,0,1,0,0,1}, float v = {-0.0}> { b = Relu(x) a = Pad(b, p, "
     "v) t = MaxPool<kernel_shape = [2]>(a) y = Reciprocal(t) }"},
    {"pad_of_clip",
     "(float[1,1,N] x) => (float[1,1,M] y) <int64[6] p = {0,0,1,0,0,1}, float l = {0}, float h = {6}> { b = Clip(x, l, "
     "h) a = Pad(b, p) t = MaxPool<kernel_shape = [2]>(a) y = Reciprocal(t) }"},
    {"pad_of_abs",
     "(float[1,1,N] x) => (float[1,1,M] y) <int64[6] p = {0,0,1,0,0,1}> { b = Abs(x) a = Pad(b, p) t = "
     "MaxPool<kernel_shape = [2]>(a) y = Reciprocal(t) }"},
    {"pad_of_relu_then_add",
     "(float[1,1,N] x) => (float[1,1,M] y) <int64[6] p = {0,0,1,0,0,1}, float c = {0}> { b = Relu(x) a = Pad(b, p) t = "
     "MaxPool<kernel_shape = [2]>(a) s = Add(t, c) y = Reciprocal(s) }"},
    {"pad_of_relu_then_add_negative_zero",
     "(float[1,1,N] x) => (float[1,1,M] y) <int64[6] p = {0,0,1,0,0,1}, float[1,1,2] c = {-0.0, 0}, int64[3] shape = "
     "{1, -1, 1}> { b = Relu(x) a = Pad(b, p) t = MaxPool<kernel_shape = [2]>(a) r = Reshape(t, shape) s = Add(r, c) y "
     "= Reciprocal(s) }"},
    {"pad_into_conv",
     "(float[1,1,N] x) => (float[1,1,M] y) <int64[6] p = {0,0,1,0,0,1}, float[1,1,3] w = {1,-0.0,2}> { a "
     "= Pad(x, p) y = Conv(a, w) }"},
    {"transpose_add",
     "(float[2,N] x) => (float[2,N] y) <float[2,1] c = {0, -0.0}> { a = Transpose(x) b = Transpose(a) y = "
     "Sub(b, c) }"},
    {"norm_without_variance",
     "(float[1,2,8] x) => (float[1,2,8] y) <float[2] s = {1, 2}, float[2] b = {0, 0}, float[2] m = {1, 0}, float[2] v "
     "= "
     "{0, 0}> { y = BatchNormalization<epsilon = 0.0>(x, s, b, m, v) }"},
    {"slices",
     "(float[N] x) => (float[M] y) <int64[1] one = {1}, int64[1] end = {9223372036854775807}, int64[1] zero = {0}, "
     "int64[1] two = {2}> { a = Slice(x, one, end, zero, two) y = Slice(a, one, end, zero, two) }"},
};

template <class T> std::vector<T> special() {
  std::vector<T> values;
  using L = std::numeric_limits<T>;
  if constexpr (std::is_floating_point_v<T>) {
    values = {T(0),          -T(0),          T(1),           T(-1),           T(0.5),           T(-2.5),
              L::infinity(), -L::infinity(), L::quiet_NaN(), L::denorm_min(), -L::denorm_min(), L::max(),
              L::lowest(),   T(3),           T(300),         T(-1e30)};
  } else {
    for (const int64_t v : {int64_t{0}, int64_t{1}, int64_t{-1}, int64_t{2}, int64_t{77}, int64_t{300}, int64_t{46341}})
      values.push_back(static_cast<T>(v));
    values.insert(values.end(), {L::max(), L::lowest()});
    values.resize(16);
  }
  return values;
}

Tensor special_tensor(const Type& type) {
  Tensor tensor(type.dtype, type.shape());
  const std::vector<float> halves = special<float>();
  const bool plain = visit_dtype(type.dtype, [&](auto tag) {
    using T = decltype(tag);
    const auto to = tensor.mutable_data<T>();
    for (size_t i = 0; i < to.size(); ++i) {
      if constexpr (std::is_same_v<T, Float16>)
        to[i] = to_float16(halves[i % 16]);
      else if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>)
        to[i] = special<T>()[i % 16];
    }
  });
  EXPECT_TRUE(plain);
  return tensor;
}

// NaN is NaN; everything else to the bit.
bool same_bits(const Tensor& a, const Tensor& b, int64_t i) {
  const double x = a.as_double(i), y = b.as_double(i);
  return (std::isnan(x) && std::isnan(y)) || std::bit_cast<uint64_t>(x) == std::bit_cast<uint64_t>(y);
}

class Exact : public ::testing::TestWithParam<ExactCase> {};

TEST_P(Exact, SimplifiedGraphsGiveTheSameBits) {
  auto graph = parse_onnx_text("<ir_version: 10, opset_import: [\"\" : 21]> g " + std::string(GetParam().body), "case");
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  std::map<std::string, int64_t> dims;
  for (const std::string& symbol : free_symbols(**graph)) dims[symbol] = 16;
  ASSERT_TRUE(bind_symbols(**graph, dims).ok());
  Feeds feeds;
  for (const Value* input : (*graph)->inputs()) feeds[input->name()] = special_tensor(input->type());
  const auto simplified = (*graph)->clone();
  PassContext context;
  ASSERT_TRUE(simplify(*simplified, context).ok());
  const auto wanted = evaluate(**graph, feeds), got = evaluate(*simplified, feeds);
  ASSERT_TRUE(wanted.ok() && got.ok());
  for (size_t o = 0; o < wanted->size(); ++o) {
    const Tensor &w = (*wanted)[o], &g = (*got)[o];
    ASSERT_EQ(w.shape(), g.shape());
    for (int64_t i = 0; i < w.size(); ++i)
      EXPECT_TRUE(same_bits(w, g, i)) << "element " << i << " is " << g.as_double(i) << ", wanted " << w.as_double(i);
  }
}

INSTANTIATE_TEST_SUITE_P(Rules, Exact, ::testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace lapis
