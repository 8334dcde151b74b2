// Products of two computed operands by kernels: packed at run time from any strides, batched, with zero points on both
// sides. Bytes of integers are the reference's, on every level of this host and with any number of threads.
#include <gtest/gtest.h>

#include <random>

#include "driver/compile.h"
#include "driver/runner.h"
#include "ir/infer.h"
#include "ir/ops/ops.h"
#include "tests/driver/compare.h"

namespace lapis {
namespace {

using testing::host_levels;
using testing::relative_error;

struct Case {
  Shape a, b;                               // of matrices [.., M, K] and [.., K, N]
  bool turned_a = false, turned_b = false;  // given as [.., K, M] and [.., N, K]
  DType type_a = DType::Float32, type_b = DType::Float32;
  int zero_a = 0, zero_b = 0;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << to_string(c.a) << " x " << to_string(c.b) << (c.turned_a ? ", left turned" : "")
             << (c.turned_b ? ", right turned" : "") << ", " << name_of(c.type_a) << " - " << c.zero_a << " by "
             << name_of(c.type_b) << " - " << c.zero_b;
}

class ComputedProduct : public ::testing::Test {
 protected:
  Tensor random(DType type, Shape shape) {
    Tensor t(type, std::move(shape));
    if (type == DType::Float32) {
      for (float& v : t.mutable_data<float>()) v = std::uniform_real_distribution<float>(-1, 1)(generator_);
    } else {
      for (int64_t i = 0; i < t.size(); ++i) t.mutable_raw()[i] = static_cast<std::byte>(generator_());
    }
    return t;
  }

  Value* add(const OpDef& op, std::vector<Value*> inputs, Attributes attributes = {}) {
    Node* node = graph_->add_node(op, std::move(inputs), std::move(attributes));
    const Status typed = infer_types(*node);
    EXPECT_TRUE(typed.ok()) << to_string(typed.diagnostics());
    return node->output();
  }

  // An input, given turned if it is to be turned by strides, and computed: kernels read it where it lies in the arena.
  Value* operand(const std::string& name, DType type, Shape shape, bool turned) {
    std::vector<int64_t> turn(shape.size());
    for (size_t i = 0; i < turn.size(); ++i) turn[i] = static_cast<int64_t>(i);
    if (turned) std::swap(turn[turn.size() - 1], turn[turn.size() - 2]);
    if (turned) std::swap(shape[shape.size() - 1], shape[shape.size() - 2]);
    inputs_.push_back(random(type, shape));
    Value* x = graph_->add_input(name, Type::of(inputs_.back()));
    x = add(ops::Max, {x, graph_->add_constant(type == DType::Float32 ? Tensor::scalar(-0.9f)
                                               : type == DType::Int8  ? Tensor::scalar(int8_t{-120})
                                                                      : Tensor::scalar(uint8_t{3}))});
    return turned ? add(ops::Transpose, {x}, {{"perm", turn}}) : x;
  }

  Value* zero(DType type, int value) {
    return graph_->add_constant(type == DType::Int8 ? Tensor::scalar(static_cast<int8_t>(value))
                                                    : Tensor::scalar(static_cast<uint8_t>(value)));
  }

  Value* product(const Case& c) {
    graph_ = std::make_unique<Graph>("product");
    inputs_.clear();
    Value *a = operand("a", c.type_a, c.a, c.turned_a), *b = operand("b", c.type_b, c.b, c.turned_b);
    if (c.type_a == DType::Float32) return add(ops::MatMul, {a, b});
    return add(ops::MatMulInteger, {a, b, zero(c.type_a, c.zero_a), zero(c.type_b, c.zero_b)});
  }

  // That share a right operand.
  static int64_t rows_of(const Case& c) {
    return c.b.size() > 2 ? c.a[c.a.size() - 2] : element_count(c.a) / c.a.back();
  }

  static bool has_kernel(const Program& program) {
    return std::ranges::any_of(program.steps, [](const StepInfo& s) { return s.kernel.starts_with("conv_"); });
  }

  void expect_reference(Value* y, double tolerance, bool by_kernel = true) {
    graph_->set_outputs({y});
    const auto reference = open_graph(*graph_, {.backend = Backend::ReferenceAfterPasses});
    ASSERT_TRUE(reference.ok()) << to_string(reference.diagnostics());
    const auto wanted = (*reference)->run(inputs_);
    ASSERT_TRUE(wanted.ok()) << to_string(wanted.diagnostics());
    for (const Target& target : host_levels()) {
      CompileOptions options;
      options.target = target;
      const auto compiled = compile(*graph_, std::move(options));
      ASSERT_TRUE(compiled.ok()) << to_string(compiled.diagnostics());
      EXPECT_EQ(has_kernel(compiled->program), by_kernel);
      for (const int threads : {1, 2, 3}) {
        const auto runner = open_program(compiled->program, {.threads = threads});
        ASSERT_TRUE(runner.ok());
        const auto got = (*runner)->run(inputs_);
        ASSERT_TRUE(got.ok()) << to_string(got.diagnostics());
        ASSERT_LE(relative_error(got->front(), wanted->front()), tolerance) << target.to_string() << " " << threads;
        if (tolerance == 0) {
          ASSERT_EQ(got->front(), wanted->front());
        }
      }
    }
  }

  std::unique_ptr<Graph> graph_;
  std::vector<Tensor> inputs_;
  std::mt19937 generator_{11};
};

constexpr double kTolerance = 1e-5;

TEST_F(ComputedProduct, FloatsAreTheReferences) {
  const std::vector<Case> cases = {{{2, 3, 17, 24}, {2, 3, 24, 70}},     {{2, 3, 17, 24}, {2, 3, 24, 70}, true, true},
                                   {{33, 65}, {65, 130}, false, true},   {{3, 20, 9}, {9, 64}, false, true},
                                   {{20, 40}, {5, 40, 33}, false, true}, {{2, 4, 16, 32}, {2, 1, 32, 48}, true, true}};
  for (const Case& c : cases) {
    SCOPED_TRACE(::testing::Message() << c);
    expect_reference(product(c), kTolerance, c.turned_b);
  }
}

TEST_F(ComputedProduct, IntegersAreTheReferencesBytes) {
  for (const DType a : {DType::UInt8, DType::Int8})
    for (const DType b : {DType::UInt8, DType::Int8})
      for (const bool turned : {false, true}) {
        const int za = a == DType::UInt8 ? 131 : -7, zb = b == DType::UInt8 ? 101 : 9;
        const Case c{{2, 3, 19, 64}, {2, 3, 64, 70}, false, turned, a, b, za, zb};
        SCOPED_TRACE(::testing::Message() << c);
        expect_reference(product(c), 0);
        expect_reference(product({{2, 19, 31}, {2, 31, 70}, turned, turned, a, b, za, zb}), 0);
      }
}

// Where no part is left of a zero point, nothing is summed for it.
TEST_F(ComputedProduct, ZeroPointsThatVanish) {
  const Case c{{4, 16, 32}, {4, 32, 64}, false, false, DType::UInt8, DType::UInt8, 0, 128};
  expect_reference(product(c), 0);
}

// Shapes, strides, types and zero points at random.
TEST_F(ComputedProduct, AnyShapeAndStride) {
  auto any = [&](int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(generator_); };
  for (int i = 0; i < 25; ++i) {
    Case c;
    const int64_t m = any(16, 40), k = any(8, 70), n = any(60, 150);
    for (int64_t d = any(0, 2); d > 0; --d) {
      const int64_t extent = any(1, 3);
      c.a.push_back(any(0, 3) ? extent : 1);
      c.b.push_back(any(0, 3) ? extent : 1);
    }
    c.a.insert(c.a.end(), {m, k});
    c.b.insert(c.b.end(), {k, n});
    c.turned_a = any(0, 1);
    c.turned_b = any(0, 1);
    if (any(0, 2)) {
      c.type_a = any(0, 1) ? DType::UInt8 : DType::Int8;
      c.type_b = any(0, 1) ? DType::UInt8 : DType::Int8;
      c.zero_a = static_cast<int>(c.type_a == DType::UInt8 ? any(0, 255) : any(-128, 127));
      c.zero_b = static_cast<int>(c.type_b == DType::UInt8 ? any(0, 255) : any(-128, 127));
    }
    SCOPED_TRACE(::testing::Message() << c);
    const bool is_float = c.type_a == DType::Float32;
    expect_reference(product(c), is_float ? kTolerance : 0, rows_of(c) * k * n >= 1 << 14 && (c.turned_b || !is_float));
  }
}

TEST_F(ComputedProduct, SmallOnesStayLoops) {
  expect_reference(product({{4, 64}, {64, 64}, false, true}), kTolerance, false);
  expect_reference(product({{64, 64}, {64, 1}, false, true}), kTolerance, false);
  expect_reference(product({{16, 16}, {16, 16}, false, true}), kTolerance, false);
}

// What stands behind is computed in the kernel's registers,
// with parameters of channels beside starts that are computed.
TEST_F(ComputedProduct, TakesWhatStandsBehind) {
  for (const DType out : {DType::UInt8, DType::Float32}) {
    Value* y = product({{3, 20, 40}, {3, 40, 72}, false, true, DType::Int8, DType::UInt8, 3, 99});
    Tensor scales(DType::Float32, {72});
    for (float& s : scales.mutable_data<float>()) s = std::uniform_real_distribution<float>(1e-4f, 3e-3f)(generator_);
    y = add(ops::Cast, {y}, {{"to", static_cast<int64_t>(DType::Float32)}});
    y = add(ops::Mul, {y, graph_->add_constant(scales)});
    if (out == DType::UInt8)
      y = add(ops::QuantizeLinear,
              {y, graph_->add_constant(Tensor::scalar(1.0f)), graph_->add_constant(Tensor::scalar(uint8_t{128}))});
    expect_reference(y, 0);
  }
}

// Attention as QDQ models have it: pairs around both operands of both products.
TEST_F(ComputedProduct, QuantizedAttentionIsIntegers) {
  graph_ = std::make_unique<Graph>("attention");
  auto quantized = [&](Value* x, float scale, uint8_t zero) {
    Value *s = graph_->add_constant(Tensor::scalar(scale)), *z = graph_->add_constant(Tensor::scalar(zero));
    return add(ops::DequantizeLinear, {add(ops::QuantizeLinear, {x, s, z}), s, z});
  };
  auto head = [&](const std::string& name) {
    inputs_.push_back(random(DType::Float32, {2, 48, 4, 16}));
    return quantized(graph_->add_input(name, Type::of(inputs_.back())), 0.01f, 120);
  };
  using Axes = std::vector<int64_t>;
  Value *q = add(ops::Transpose, {head("q")}, {{"perm", Axes{0, 2, 1, 3}}}),
        *k = add(ops::Transpose, {head("k")}, {{"perm", Axes{0, 2, 3, 1}}}),
        *v = add(ops::Transpose, {head("v")}, {{"perm", Axes{0, 2, 1, 3}}});
  Value* scores = quantized(add(ops::MatMul, {q, k}), 0.02f, 118);
  Value* weights = quantized(add(ops::Softmax, {scores}, {{"axis", int64_t{-1}}}), 1.0f / 255, 0);
  Value* y = quantized(add(ops::MatMul, {weights, v}), 0.008f, 125);
  expect_reference(y, 0.02);  // a softmax may round to the other of two bytes
  const auto compiled = compile(*graph_);
  ASSERT_TRUE(compiled.ok());
  int kernels = 0;
  for (const StepInfo& s : compiled->program.steps) kernels += s.kernel.starts_with("conv_u8s8");
  EXPECT_EQ(kernels, 2);
}

}  // namespace
}  // namespace lapis
