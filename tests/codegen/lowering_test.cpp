// Lowering against the reference evaluator: the Plan, interpreted with plain loops, computes what the Graph means.
#include "codegen/lower/lower.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "codegen/kernels/schedule.h"
#include "codegen/lower/view.h"
#include "codegen/print_plan.h"
#include "ir/evaluate.h"
#include "ir/infer.h"
#include "ir/ops/ops.h"
#include "tests/codegen/plan_interpreter.h"

namespace lapis {
namespace {

using Ints = std::vector<int64_t>;

class LoweringTest : public ::testing::Test {
 protected:
  Tensor random(Shape shape, float low = -2, float high = 2) {
    Tensor t(DType::Float32, std::move(shape));
    std::uniform_real_distribution<float> uniform(low, high);
    for (float& v : t.mutable_data<float>()) v = uniform(generator_);
    return t;
  }
  template <class T> Tensor random_integers(Shape shape, int low, int high) {
    Tensor t(dtype_of<T>, std::move(shape));
    std::uniform_int_distribution<int> uniform(low, high);
    for (T& v : t.mutable_data<T>()) v = static_cast<T>(uniform(generator_));
    return t;
  }
  Value* input(const std::string& name, Tensor t) {
    Value* v = g.add_input(name, Type::of(t));
    feeds_[name] = std::move(t);
    return v;
  }
  Value* constant(Tensor t) { return g.add_constant(std::move(t)); }
  Value* node(const OpDef& op, std::vector<Value*> inputs, Attributes attributes = {}) {
    Node* n = g.add_node(op, std::move(inputs), std::move(attributes));
    const Status typed = infer_types(*n);
    EXPECT_TRUE(typed.ok()) << to_string(typed.diagnostics());
    return n->output();
  }
  Value* quantized(Value* x, float scale, uint8_t zero) {
    return node(ops::QuantizeLinear, {x, constant(Tensor::scalar(scale)), constant(Tensor::scalar(zero))});
  }
  Value* dequantized(Value* x, float scale, uint8_t zero) {
    return node(ops::DequantizeLinear, {x, constant(Tensor::scalar(scale)), constant(Tensor::scalar(zero))});
  }
  Value* qlinear_conv(Value* x, float sx, uint8_t zx, Shape w, Attributes attributes, float sy, uint8_t zy) {
    Tensor scales = random({w[0]}, 0.002f, 0.02f);
    Tensor bias = random_integers<int32_t>({w[0]}, -500, 500);
    return node(
        ops::QLinearConv,
        {x, constant(Tensor::scalar(sx)), constant(Tensor::scalar(zx)), constant(random_integers<int8_t>(w, -127, 127)),
         constant(scales), constant(Tensor(DType::Int8, {w[0]})), constant(Tensor::scalar(sy)),
         constant(Tensor::scalar(zy)), constant(bias)},
        std::move(attributes));
  }

  // Runs both and compares; exact for integers. Returns the plan for a closer look.
  Plan check(std::vector<Value*> outputs, double tolerance = 1e-5) {
    g.set_outputs(std::move(outputs));
    Plan plan;
    for (bool fuse : {false, true}) {
      Result<Plan> lowered = codegen::lower(g, {*Target::parse("x86-64+avx512vnni"), fuse});
      EXPECT_TRUE(lowered.ok()) << to_string(lowered.diagnostics());
      if (!lowered.ok()) return plan;
      plan = *std::move(lowered);
      std::vector<Tensor> inputs;
      for (const PlanIo& io : plan.inputs) inputs.push_back(feeds_.at(io.name));
      const auto got = testing::interpret(plan, inputs);
      const auto wanted = evaluate(g, feeds_);
      EXPECT_TRUE(wanted.ok()) << to_string(wanted.diagnostics());
      for (size_t i = 0; i < got.size(); ++i) compare(got[i], (*wanted)[i], tolerance, fuse, plan);
    }
    return plan;
  }

  Graph g{"test"};

 private:
  static void compare(const Tensor& got, const Tensor& wanted, double tolerance, bool fuse, const Plan& plan) {
    ASSERT_EQ(got.shape(), wanted.shape());
    ASSERT_EQ(got.dtype(), wanted.dtype());
    for (int64_t i = 0; i < got.size(); ++i) {
      const double error = std::abs(got.as_double(i) - wanted.as_double(i));
      ASSERT_LE(error, is_float(got.dtype()) ? tolerance * (1 + std::abs(wanted.as_double(i))) : 0)
          << "element " << i << (fuse ? ", fused\n" : ", not fused\n") << codegen::to_string(plan);
    }
  }
  std::mt19937 generator_{7};
  Feeds feeds_;
};

TEST_F(LoweringTest, ElementwiseChainIsOneLoop) {
  Value* x = input("x", random({2, 3, 5}));
  Value* y =
      node(ops::Relu, {node(ops::Add, {node(ops::Mul, {x, constant(random({5}))}), constant(Tensor::scalar(0.5f))})});
  const Plan plan = check({node(ops::Sub, {y, input("b", random({3, 1}))})});
  EXPECT_EQ(plan.steps.size(), 1u);
}

TEST_F(LoweringTest, PaddedConvolutionChainKeepsChannelsLast) {
  Value* x = input("x", random({2, 3, 9, 7}));
  Value* a = node(ops::Relu, {node(ops::Conv, {x, constant(random({8, 3, 3, 3})), constant(random({8}))},
                                   {{"pads", Ints{1, 1, 1, 1}}, {"strides", Ints{2, 2}}})});
  Value* b = node(ops::Conv, {a, constant(random({8, 1, 3, 3}))}, {{"group", int64_t{8}}, {"pads", Ints{0, 1, 2, 1}}});
  Value* c = node(ops::Conv,
                  {node(ops::Clip, {b, constant(Tensor::scalar(0.f)), constant(Tensor::scalar(6.f))}),
                   constant(random({4, 4, 1, 1}))},
                  {{"group", int64_t{2}}});
  check({c});
}

TEST_F(LoweringTest, ResidualBlockFusesIntoOneContraction) {
  Value* x = node(ops::Relu, {node(ops::Conv, {input("x", random({1, 4, 6, 6})), constant(random({8, 4, 1, 1}))})});
  Value* y = node(ops::Conv, {x, constant(random({8, 8, 3, 3})), constant(random({8}))}, {{"pads", Ints{1, 1, 1, 1}}});
  Value* out = node(ops::Relu, {node(ops::Add, {y, x})});
  const Plan plan = check({node(ops::Conv, {out, constant(random({5, 8, 1, 1}))})});
  int contractions = 0;
  for (const Step& s : plan.steps) contractions += std::holds_alternative<Contraction>(s.region);
  EXPECT_EQ(contractions, 3);
}

TEST_F(LoweringTest, QuantizedResidualBlockIsExact) {
  Value* x = quantized(input("x", random({1, 3, 8, 8})), 0.02f, 120);
  Value* a = qlinear_conv(x, 0.02f, 120, {16, 3, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}, 0.05f, 3);
  Value* b = qlinear_conv(a, 0.05f, 3, {16, 1, 3, 3}, {{"group", int64_t{16}}, {"pads", Ints{1, 1, 1, 1}}}, 0.06f, 110);
  Value* sum = node(ops::Add, {dequantized(b, 0.06f, 110), dequantized(a, 0.05f, 3)});
  Value* y = quantized(node(ops::Clip, {sum, constant(Tensor::scalar(0.f)), constant(Tensor::scalar(6.f))}), 0.03f, 0);
  Value* pooled =
      node(ops::MaxPool, {y}, {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}});
  check({dequantized(qlinear_conv(pooled, 0.03f, 0, {8, 16, 1, 1}, {}, 0.1f, 128), 0.1f, 128), pooled});
}

// What the kernels' epilogue cannot hold is computed behind it.
TEST_F(LoweringTest, EpiloguesThatNoKernelTakesAreCutOff) {
  Value* x = input("x", random({1, 8, 4, 4}));
  Value* sum = node(ops::Conv, {x, constant(random({8, 8, 1, 1}))});
  for (int i = 0; i < 11; ++i)
    sum = node(ops::Add, {sum, node(ops::Relu, {input("r" + std::to_string(i), random({1, 8, 4, 4}))})});
  EXPECT_GT(check({sum}).steps.size(), 1u) << "operands";
  Value* y = node(ops::Conv, {x, constant(random({8, 8, 1, 1}))});
  std::vector<Value*> alive;
  for (int i = 0; i < 20; ++i)
    alive.push_back(node(ops::Max, {y, constant(Tensor::scalar(0.1f * static_cast<float>(i)))}));
  Value* product = alive[0];
  for (size_t i = 1; i < alive.size(); ++i) product = node(ops::Mul, {product, alive[i]});
  EXPECT_GT(check({product}).steps.size(), 1u) << "registers";
}

// Tables of large images repeat themselves, and are there once.
TEST_F(LoweringTest, ConstantsOfAVolumeAreSmall) {
  Value* x = g.add_input("x", Type::tensor(DType::Float32, Shape{1, 2, 256, 256, 256}));
  for (int i = 0; i < 3; ++i)
    x = node(ops::Relu, {node(ops::Conv, {x, constant(random({2, 2, 3, 3, 3}))}, {{"pads", Ints{1, 1, 1, 1, 1, 1}}})});
  g.set_outputs({x});
  const Result<Plan> plan = codegen::lower(g, {*Target::parse("x86-64+avx512vnni")});
  ASSERT_TRUE(plan.ok()) << to_string(plan.diagnostics());
  EXPECT_LT(plan->constants.size(), size_t{2 * 4} * 256 * 256 * 256 / 100);
}

TEST_F(LoweringTest, SchedulesCanBeGiven) {
  Value* x = input("x", random({1, 8, 6, 6}));
  Value* y = node(ops::Relu, {node(ops::Conv, {x, constant(random({32, 8, 3, 3}))})});
  g.set_outputs({y});
  const Target target = *Target::parse("x86-64+avx512");
  const Plan plan = *codegen::lower(g, {target});
  codegen::Schedules schedules = codegen::schedules_of(plan);
  ASSERT_EQ(schedules.size(), 1u);
  auto lower = [&] { return codegen::lower(g, {.target = target, .schedules = schedules}); };
  EXPECT_EQ(lower()->hash(), plan.hash());
  const Result<codegen::Schedules> read =
      codegen::parse_schedules("# a comment\n\n" + codegen::to_text(schedules), "s");
  ASSERT_TRUE(read.ok()) << to_string(read.diagnostics());
  EXPECT_EQ(*read, schedules);
  Schedule& only = schedules.begin()->second;
  only = *kernels::parse_schedule("conv_f32_avx2 3x2 pixels 2");
  EXPECT_EQ(codegen::schedules_of(*lower()), schedules);
  only.mr = 12;
  EXPECT_NE(to_string(lower().diagnostics()).find("needs more registers than conv_f32_avx2 has"), std::string::npos);
  schedules = {{"another", {}}};
  EXPECT_NE(to_string(lower().diagnostics()).find("'another', which is no contraction"), std::string::npos);
  for (const char* text : {"conv_f32_avx2 a", "what : a", "any : a\nany : a"})
    EXPECT_FALSE(codegen::parse_schedules(text, "s").ok()) << text;
}

// Functions behind a contraction, as models write them.
class ActivationTest : public LoweringTest {
 protected:
  Value* number(float value) { return constant(Tensor::scalar(value)); }
  std::map<std::string, std::function<Value*(Value*)>> activations() {
    auto unary = [this](const OpDef& op) { return [this, &op](Value* x) { return node(op, {x}); }; };
    return {{"tanh", unary(ops::Tanh)},
            {"sigmoid", unary(ops::Sigmoid)},
            {"silu",
             [this](Value* x) {
               return node(ops::Mul, {x, node(ops::Sigmoid, {x})});
             }},
            {"swish", unary(ops::Swish)},
            {"hard swish", unary(ops::HardSwish)},
            {"mish", unary(ops::Mish)},
            {"softplus", unary(ops::Softplus)},
            {"elu", unary(ops::Elu)},
            {"gelu", unary(ops::Gelu)},
            {"gelu by erf", [this](Value* x) {
               Value* e = node(ops::Erf, {node(ops::Div, {x, number(1.41421356f)})});
               return node(ops::Mul, {node(ops::Mul, {x, node(ops::Add, {e, number(1)})}), number(0.5f)});
             }}};
  }
};

TEST_F(ActivationTest, FuseIntoMatrixProducts) {
  Value* x = input("x", random({7, 12}));
  std::vector<Value*> results;
  for (const auto& [name, activation] : activations()) {
    Value* product = node(ops::MatMul, {x, constant(random({12, 20}))});
    results.push_back(activation(node(ops::Add, {product, constant(random({20}))})));
  }
  const Plan plan = check(results);
  EXPECT_EQ(plan.steps.size(), results.size()) << codegen::to_string(plan);
  for (const Step& step : plan.steps)
    EXPECT_TRUE(std::holds_alternative<Contraction>(step.region)) << step.op << " of " << name_of(step.region);
}

TEST_F(ActivationTest, FuseIntoConvolutionsOnEveryTarget) {
  Value* image = input("x", random({1, 1, 5, 6}));
  std::vector<Value*> results;
  for (const auto& [name, activation] : activations()) {
    Value* first = activation(node(ops::Conv, {image, constant(random({8, 1, 1, 1}))}));
    Value* second = node(ops::Conv, {first, constant(random({16, 8, 3, 3}))}, {{"pads", Ints{1, 1, 1, 1}}});
    results.push_back(node(ops::GlobalAveragePool, {activation(second)}));
  }
  g.set_outputs(results);
  for (const char* target : {"x86-64+avx2", "x86-64+avx512"}) {
    const Result<Plan> plan = codegen::lower(g, {*Target::parse(target)});
    ASSERT_TRUE(plan.ok()) << to_string(plan.diagnostics());
    for (const Step& step : plan->steps) {
      const bool helps = step.nodes.empty() || step.op == "GlobalAveragePool";
      EXPECT_TRUE(helps || std::holds_alternative<Contraction>(step.region))
          << step.op << " of " << name_of(step.region) << " on " << target;
    }
  }
}

// The value that two readers share is a graph output too: it has to be stored, so nothing is fused behind it.
TEST_F(ActivationTest, ValuesThatLeaveAreNotFused) {
  Value* product = node(ops::MatMul, {input("x", random({7, 12})), constant(random({12, 20}))});
  Value* y = node(ops::Mul, {product, node(ops::Sigmoid, {product})});
  EXPECT_EQ(check({y, product}).steps.size(), 2u);
}

// A value that a third node reads behind a product of its own is not computed from the chain alone.
TEST_F(ActivationTest, ChainsEndWhereAnotherProductReads) {
  Value* first = node(ops::MatMul, {input("x", random({7, 12})), constant(random({12, 20}))});
  Value* second = node(ops::MatMul, {first, constant(random({20, 20}))});
  const Plan plan = check({node(ops::Add, {first, node(ops::Sigmoid, {second})})});
  EXPECT_EQ(plan.steps.size(), 2u) << codegen::to_string(plan);
}

TEST_F(LoweringTest, TablesOfBytesAreLookedUpInPlace) {
  Tensor table(DType::UInt8, {256});
  for (size_t i = 0; i < 256; ++i) table.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(i * 7 + 3);
  auto looked_up = [&](Value* x) {
    Value* index = node(ops::Cast, {x}, {{"to", static_cast<int64_t>(DType::Int32)}});
    return node(ops::Gather, {constant(table), index});
  };
  Value* x = quantized(input("x", random({1, 3, 8, 8})), 0.02f, 120);
  Value* y = qlinear_conv(x, 0.02f, 120, {16, 3, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}, 0.05f, 3);
  const Plan plan = check({looked_up(y), looked_up(x)});
  const std::string text = codegen::to_string(plan);
  EXPECT_EQ(text.find("gather"), std::string::npos) << text;
  int contractions = 0;
  for (const Step& step : plan.steps)
    if (const auto* c = std::get_if<Contraction>(&step.region)) {
      ++contractions;
      EXPECT_EQ(c->epilogue.back().op, Op::Table) << text;
    }
  EXPECT_EQ(contractions, 1);
}

TEST_F(LoweringTest, PoolsWithPadsAndOtherFillsThanTheConvolutionBeside) {
  Value* x = node(ops::Conv, {input("x", random({1, 2, 7, 7})), constant(random({4, 2, 1, 1}))});
  Value* c = node(ops::Conv, {x, constant(random({4, 4, 3, 3}))}, {{"pads", Ints{1, 1, 1, 1}}});
  Value* m = node(ops::MaxPool, {x}, {{"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 1, 1, 1}}});
  Value* a =
      node(ops::AveragePool, {x}, {{"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 1, 1, 1}}, {"strides", Ints{2, 2}}});
  Value* p = node(ops::AveragePool, {x},
                  {{"kernel_shape", Ints{2, 2}}, {"pads", Ints{1, 0, 0, 1}}, {"count_include_pad", int64_t{1}}});
  check({node(ops::Concat, {c, m, x}, {{"axis", int64_t{1}}}), a, p, node(ops::GlobalAveragePool, {x}),
         node(ops::GlobalMaxPool, {m})});
}

TEST_F(LoweringTest, AveragesOverWindowsLongerThanTheInput) {
  Value* x = input("x", random({1, 2, 7, 5}));
  auto average = [&](Ints kernel, Ints dilations, int64_t count_pads) {
    Ints pads;
    for (int side = 0; side < 2; ++side)
      for (size_t i = 0; i < 2; ++i) pads.push_back((kernel[i] - 1) * dilations[i]);
    return node(ops::AveragePool, {x},
                {{"kernel_shape", kernel},
                 {"pads", pads},
                 {"dilations", dilations},
                 {"strides", Ints{2, 3}},
                 {"count_include_pad", count_pads}});
  };
  check({average({20, 3}, {1, 2}, 0), average({4, 9}, {3, 1}, 0), average({4, 9}, {3, 1}, 1)});
}

// A product of such windows is more than anyone waits for, here or when it runs.
TEST_F(LoweringTest, LongWindowsAreLoweredAtOnce) {
  g.set_outputs({node(ops::AveragePool, {input("x", random({1, 1, 3, 3}))},
                      {{"kernel_shape", Ints{3, (int64_t{1} << 31) - 1}}, {"auto_pad", std::string("SAME_UPPER")}})});
  static_cast<void>(codegen::lower(g, {*Target::parse("x86-64+avx2")}));
}

TEST_F(LoweringTest, MatrixProductsWithConstantAndComputedOperands) {
  Value* x = input("x", random({2, 5, 12}));
  Value* q = node(ops::Add, {node(ops::MatMul, {x, constant(random({12, 8}))}), constant(random({8}))});
  Value* heads = node(ops::Transpose, {node(ops::Reshape, {q, constant(Tensor::vector<int64_t>({2, 5, 2, 4}))})},
                      {{"perm", Ints{0, 2, 1, 3}}});
  Value* scores =
      node(ops::Div, {node(ops::MatMul, {heads, node(ops::Transpose, {heads}, {{"perm", Ints{0, 1, 3, 2}}})}),
                      constant(Tensor::scalar(2.f))});
  Value* mixed = node(ops::MatMul, {node(ops::Softmax, {scores}, {{"axis", int64_t{-1}}}), heads});
  Value* back = node(ops::Reshape, {node(ops::Transpose, {mixed}, {{"perm", Ints{0, 2, 1, 3}}}),
                                    constant(Tensor::vector<int64_t>({2, 5, 8}))});
  check({node(ops::LayerNormalization, {back, constant(random({8})), constant(random({8}))}, {{"axis", int64_t{-1}}})});
}

TEST_F(LoweringTest, GemmWithBiasAndTransposedWeights) {
  Value* x = input("x", random({3, 7}));
  check({node(ops::Gemm, {x, constant(random({5, 7})), constant(random({5}))}, {{"transB", int64_t{1}}}),
         node(ops::Gemm, {x, constant(random({7, 4}))})});
}

TEST_F(LoweringTest, IntegerMatrixProductWithFloatResult) {
  Value* x = quantized(input("x", random({4, 9})), 0.03f, 77);
  Value* product = node(ops::MatMulInteger, {x, constant(random_integers<int8_t>({9, 6}, -127, 127)),
                                             constant(Tensor::scalar<uint8_t>(77))});
  Value* biased = node(ops::Add, {product, constant(random_integers<int32_t>({6}, -90, 90))});
  Value* y = node(ops::Mul, {node(ops::Cast, {biased}, {{"to", int64_t{1}}}), constant(random({6}, 0.001f, 0.01f))});
  const Plan plan = check({y});
  EXPECT_EQ(plan.steps.size(), 2u) << codegen::to_string(plan);
}

TEST_F(LoweringTest, MovementThroughViewsAndCopies) {
  Value* x = input("x", random({2, 4, 6, 3}));
  Value* sliced =
      node(ops::Slice, {x, constant(Tensor::vector<int64_t>({-1, 1})), constant(Tensor::vector<int64_t>({-100, 4})),
                        constant(Tensor::vector<int64_t>({2, 1})), constant(Tensor::vector<int64_t>({-2, 1}))});
  Value* padded = node(
      ops::Pad, {sliced, constant(Tensor::vector<int64_t>({0, 1, -1, 2, 0, 0, 1, 0})), constant(Tensor::scalar(1.5f))});
  Value* tiled = node(ops::Tile, {padded, constant(Tensor::vector<int64_t>({1, 2, 1, 1}))});
  Value* gathered =
      node(ops::Gather, {x, input("i", Tensor::of<int64_t>({2, 2}, {0, -1, 3, 2}))}, {{"axis", int64_t{1}}});
  Value* space = node(ops::DepthToSpace, {x}, {{"blocksize", int64_t{2}}});
  Value* depth =
      node(ops::SpaceToDepth, {node(ops::Transpose, {x}, {{"perm", Ints{0, 3, 1, 2}}})}, {{"blocksize", int64_t{2}}});
  check({tiled, gathered, space, depth, x,
         node(ops::Flatten, {node(ops::Transpose, {x}, {{"perm", Ints{3, 2, 1, 0}}})})});
}

// One element is left, and the step, which leads nowhere, times the stride is larger than 64 bits.
TEST_F(LoweringTest, StepsBeyondTheAxis) {
  Value* x = input("x", random({2, 4, 6}));
  const auto one = [&](int64_t start, int64_t end, int64_t step) {
    return node(ops::Slice, {x, constant(Tensor::vector<int64_t>({start})), constant(Tensor::vector<int64_t>({end})),
                             constant(Tensor::vector<int64_t>({1})), constant(Tensor::vector<int64_t>({step}))});
  };
  check({one(1, INT64_MAX, INT64_MAX), one(3, INT64_MIN, INT64_MIN + 1)});
}

TEST_F(LoweringTest, ReductionsAndNormalizations) {
  Value* x = input("x", random({2, 3, 4, 5}));
  Value* axes = constant(Tensor::vector<int64_t>({1, 3}));
  std::vector<Value*> outputs;
  for (const OpDef* op : {&ops::ReduceSum, &ops::ReduceMean, &ops::ReduceMax, &ops::ReduceMin, &ops::ReduceProd,
                          &ops::ReduceL1, &ops::ReduceL2, &ops::ReduceSumSquare, &ops::ReduceLogSumExp}) {
    outputs.push_back(node(*op, {x, axes}, {{"keepdims", int64_t{0}}}));
    outputs.push_back(node(ops::Sub, {x, node(*op, {x, axes})}));
  }
  outputs.push_back(node(ops::LogSoftmax, {x}, {{"axis", int64_t{1}}}));
  outputs.push_back(node(ops::InstanceNormalization, {x, constant(random({3})), constant(random({3}))}));
  check(outputs);
}

// 100,000 nodes behind one another: no recursion, no region that compilers choke on,
// and layouts flow back in linear time.
TEST_F(LoweringTest, LongChainsAreCutIntoRegions) {
  Value* y = input("x", random({1, 1, 2, 2}));
  for (int i = 0; i < 100000; ++i) {
    Node* n = g.add_node(ops::Neg, {y});
    n->output()->set_type(y->type());
    y = n->output();
  }
  g.set_outputs({node(ops::Conv, {y, constant(random({1, 1, 1, 1}))})});
  const Result<Plan> plan = codegen::lower(g, {*Target::parse("x86-64+avx2")});
  ASSERT_TRUE(plan.ok()) << to_string(plan.diagnostics());
  EXPECT_LT(plan->steps.size(), 2000u);
  size_t longest = 0;
  for (const Step& step : plan->steps)
    if (const auto* loop = std::get_if<Loop>(&step.region)) longest = std::max(longest, loop->phases[0].body.size());
  EXPECT_LE(longest, 200u);
}

TEST_F(LoweringTest, EqualWeightsAndTablesAreStoredOnce) {
  Value* x = input("x", random({1, 16, 6, 6}));
  Value* w = constant(random({16, 16, 3, 3}));
  auto conv = [&](Value* v) { return node(ops::Relu, {node(ops::Conv, {v, w}, {{"pads", Ints{1, 1, 1, 1}}})}); };
  const size_t one = check({conv(x)}).constants.size();
  const Plan four = check({conv(conv(conv(conv(x))))});
  EXPECT_LT(four.constants.size(), 2 * one);
}

// Tables of contractions hold 32-bit offsets: what they cannot reach is refused by its true reason, never truncated.
TEST_F(LoweringTest, WhatTablesCannotAddressIsRefused) {
  Value* image = g.add_input("image", Type::tensor(DType::Float32, Shape{1, 1, 40000, 40000}));
  Value* rows = g.add_input("rows", Type::tensor(DType::Float32, Shape{70000, 10000}));
  g.set_outputs({node(ops::Conv, {image, constant(random({1, 1, 1, 1}))}),
                 node(ops::MatMul, {rows, constant(Tensor(DType::Float32, {10000, 1}))})});
  const Result<Plan> plan = codegen::lower(g, {*Target::parse("x86-64+avx2")});
  ASSERT_FALSE(plan.ok());
  const std::string text = to_string(plan.diagnostics());
  EXPECT_EQ(plan.diagnostics().size(), 2u) << text;
  EXPECT_NE(text.find("an operand is larger than 2 GiB"), std::string::npos) << text;
}

// The last pixel begins below 2 GiB, its last channel does not.
TEST_F(LoweringTest, WhatTablesCannotAddressOfAPixelIsRefused) {
  Value* image = g.add_input("image", Type::tensor(DType::Float32, Shape{1, 1, 11184811, 2}));
  g.set_outputs({node(ops::Conv, {image, constant(random({24, 1, 1, 1}))})});
  const Result<Plan> plan = codegen::lower(g, {*Target::parse("x86-64+avx2")});
  ASSERT_FALSE(plan.ok());
  EXPECT_NE(to_string(plan.diagnostics()).find("an operand is larger than 2 GiB"), std::string::npos);
}

TEST_F(LoweringTest, UnsupportedNodesAreAllReported) {
  Value* x = input("x", random({4, 4}));
  Value* a = node(ops::Trilu, {x});
  g.set_outputs({node(ops::Trilu, {a})});
  const Result<Plan> plan = codegen::lower(g, {*Target::parse("x86-64+avx2")});
  ASSERT_FALSE(plan.ok());
  const std::string text = to_string(plan.diagnostics());
  EXPECT_NE(text.find("cannot compile 2 x Trilu"), std::string::npos) << text;
}

TEST(View, ReshapeFindsStridesOrSaysThatThereAreNone) {
  const View v =
      codegen::permuted(codegen::row_major_view(0, DType::Float32, {2, 3, 4}), {1, 0, 2});  // [3,2,4] strides [4,12,1]
  EXPECT_FALSE(codegen::reshaped(v, {6, 4}).has_value());
  EXPECT_EQ(codegen::reshaped(v, {3, 2, 2, 2})->strides, (Shape{4, 12, 2, 1}));
  EXPECT_EQ(codegen::reshaped(v, {3, 1, 2, 4})->strides, (Shape{4, 0, 12, 1}));
}

// Code that gets the address of such a part must not be handed one behind its buffer.
TEST(View, PartsWithoutElementsBeginWhereTheWholeDoes) {
  const View whole = codegen::row_major_view(0, DType::Float32, {3, 2});
  EXPECT_EQ(codegen::sliced(whole, 0, 1, 1, 2).offset, 2);
  const View column = codegen::sliced(whole, 1, 1, 1, 1), nothing = codegen::sliced(column, 0, 3, 1, 0);
  EXPECT_EQ(nothing.offset, 1);
  EXPECT_EQ(nothing.shape, (Shape{0, 1}));
}

}  // namespace
}  // namespace lapis
