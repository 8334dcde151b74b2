// Every invariant of code, broken on purpose in an image that was emitted, is found and named.
#include "codegen/verify_code.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codegen/emit.h"
#include "codegen/lower/lower.h"
#include "ir/infer.h"
#include "ir/ops/ops.h"

namespace lapis {
namespace {

using ::testing::HasSubstr;

// Softmax of a product, sorted: a contraction, a loop, a call.
class VerifyCode : public ::testing::Test {
 protected:
  void SetUp() override {
    Graph graph("test");
    Value* x = graph.add_input("x", Type::tensor(DType::Float32, Shape{3, 8}));
    Value* k = graph.add_constant(Tensor::vector<int64_t>({2}));
    Node* product = graph.add_node(ops::MatMul, {x, graph.add_constant(Tensor(DType::Float32, {8, 16}))});
    EXPECT_TRUE(infer_types(*product).ok());
    Node* softmax = graph.add_node(ops::Softmax, {product->output()});
    EXPECT_TRUE(infer_types(*softmax).ok());
    Node* top = graph.add_node(ops::TopK, {softmax->output(), k}, {}, {"values", "indices"});
    EXPECT_TRUE(infer_types(*top).ok());
    graph.set_outputs({top->output(0), top->output(1)});
    auto lowered = codegen::lower(graph, {*Target::parse("x86-64+avx2")});
    ASSERT_TRUE(lowered.ok()) << to_string(lowered.diagnostics());
    plan = *std::move(lowered);
    ASSERT_EQ(plan.steps.size(), 3U);
    auto emitted = codegen::emit(plan);
    ASSERT_TRUE(emitted.ok()) << to_string(emitted.diagnostics());
    image = *std::move(emitted);
    ASSERT_EQ(findings(), "");
  }

  // Of a step: the first argument that is an address in that memory.
  abi::Argument& argument(size_t step, abi::Argument::Kind kind) {
    for (abi::Argument& a : image.symbols[step].arguments)
      if (a.kind == kind) return a;
    throw std::logic_error("no such argument");
  }
  std::string findings() { return to_string(codegen::verify(image, plan)); }

  static constexpr size_t kProduct = 0, kSoftmax = 1, kTopK = 2;
  Plan plan;
  CodeImage image;
};

TEST_F(VerifyCode, A1EveryStepHasASymbol) {
  image.symbols.pop_back();
  EXPECT_THAT(findings(), HasSubstr("has other steps than its plan"));
}
TEST_F(VerifyCode, A1FunctionsLieInTheImage) {
  image.symbols[kSoftmax].offset = image.bytes.size();
  EXPECT_THAT(findings(), HasSubstr("lies outside of the code"));
}
TEST_F(VerifyCode, A1LoopsHaveAFunction) {
  image.symbols[kSoftmax].size = 0;
  EXPECT_THAT(findings(), HasSubstr("is code without a function"));
}
TEST_F(VerifyCode, A1CallsHaveNone) {
  image.symbols[kTopK].size = 1;
  EXPECT_THAT(findings(), HasSubstr("has one and is no code"));
}
TEST_F(VerifyCode, A2AddressesAreOfWhatTheStepTouches) {
  argument(kSoftmax, abi::Argument::Kind::Arena).value += 64;
  EXPECT_THAT(findings(), HasSubstr("what it does not touch"));
}
TEST_F(VerifyCode, A2RegionsAreBuffers) {
  argument(kSoftmax, abi::Argument::Kind::Arena).bytes += 1;
  EXPECT_THAT(findings(), HasSubstr("what it does not touch"));
}
TEST_F(VerifyCode, A2AddressesBeginInTheirRegion) {
  abi::Argument& a = argument(kSoftmax, abi::Argument::Kind::Arena);
  a.within = a.bytes + 1;
  EXPECT_THAT(findings(), HasSubstr("what it does not touch"));
}
TEST_F(VerifyCode, A2PackedWeightsAreItsOwn) {
  argument(kProduct, abi::Argument::Kind::Weights).value += 64;
  EXPECT_THAT(findings(), HasSubstr("what it does not touch"));
}
TEST_F(VerifyCode, A2OnlyALibraryIsOfThisProcess) {
  argument(kProduct, abi::Argument::Kind::Weights) = {.kind = abi::Argument::Kind::Process, .value = 4096};
  EXPECT_THAT(findings(), HasSubstr("gets the address of what it does not touch"));
}
TEST_F(VerifyCode, A3InputsAreNotWritten) {
  argument(kProduct, abi::Argument::Kind::Io).written = true;
  EXPECT_THAT(findings(), HasSubstr("what nobody may store to"));
}
TEST_F(VerifyCode, A3WeightsAreNotWritten) {
  argument(kProduct, abi::Argument::Kind::Weights).written = true;
  EXPECT_THAT(findings(), HasSubstr("what nobody may store to"));
}
TEST_F(VerifyCode, A3WhatIsWrittenIsMarked) {
  for (abi::Argument& a : image.symbols[kProduct].arguments) a.written = false;
  EXPECT_THAT(findings(), HasSubstr("not marked as written"));
}
TEST_F(VerifyCode, A4FormsAreThoseOfTheirLoop) {
  auto& loop = std::get<Loop>(plan.steps[kSoftmax].region);
  LoopForm form{loop.domain, {}, std::vector<bool>(loop.domain.size()), {}};
  for (const View& v : loop.views) {
    form.strides.push_back(v.strides);
    form.free_strides.emplace_back(loop.domain.size());
  }
  loop.form = std::make_shared<const LoopForm>(form);
  EXPECT_EQ(findings(), "");
  form.strides.pop_back();
  loop.form = std::make_shared<const LoopForm>(form);
  EXPECT_THAT(findings(), HasSubstr("its form is that of another loop"));
}

}  // namespace
}  // namespace lapis
