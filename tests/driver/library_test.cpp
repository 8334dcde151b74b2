// Models with contractions that a library computes: the reference's results on the caller's threads, beside code;
// and no file that holds them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "codegen/object/object.h"
#include "driver/compile.h"
#include "driver/runner.h"
#include "ir/infer.h"
#include "ir/ops/ops.h"
#include "runtime/artifact.h"
#include "tests/driver/compare.h"

namespace lapis {
namespace {

using ::testing::HasSubstr;
using testing::relative_error;

class LibraryRow : public ::testing::Test {
 protected:
  LibraryRow() {
    Value* x = graph_.add_input("x", Type::tensor(DType::Float32, Shape{2, 8, 12, 10}));
    Value* a = add("a", ops::Relu, {add("conv1", ops::Conv, {x, weights({16, 8, 3, 3}), weights({16})}, pads())});
    Value* b = add("b", ops::Relu, {add("sum", ops::Add, {add("conv2", ops::Conv, {a, weights({16, 16, 1, 1})}), a})});
    Value* c = add("conv3", ops::Conv, {b, weights({24, 16, 3, 3})},
                   {{"pads", std::vector<int64_t>{1, 1, 1, 1}}, {"strides", std::vector<int64_t>{2, 2}}});
    Value* y = add("fc", ops::MatMul, {add("flat", ops::Flatten, {c}), weights({720, 5})});
    graph_.set_outputs({y});
    x_ = random({2, 8, 12, 10});
  }

  // With the library wherever it fits.
  Result<Compiled> made() {
    CompileOptions options;
    LAPIS_TRY(const Compiled plain, compile(graph_, options));
    std::string lines;
    for (const auto& [name, schedule] : codegen::schedules_of(plain.plan)) lines += "onednn_f32 : " + name + "\n";
    LAPIS_TRY(options.schedules, codegen::parse_schedules(lines, "test"));
    return compile(graph_, options);
  }
  static bool is_missing(const Result<Compiled>& result) {
    return !result.ok() && (to_string(result.diagnostics()).find("without oneDNN") != std::string::npos ||
                            to_string(result.diagnostics()).find("cannot be loaded") != std::string::npos);
  }

  Tensor random(Shape shape) {
    Tensor t(DType::Float32, std::move(shape));
    for (float& v : t.mutable_data<float>()) v = std::uniform_real_distribution<float>(-1, 1)(generator_);
    return t;
  }
  Value* weights(Shape shape) { return graph_.add_constant(random(std::move(shape))); }
  static Attributes pads() { return {{"pads", std::vector<int64_t>{1, 1, 1, 1}}}; }
  Value* add(const std::string& name, const OpDef& op, std::vector<Value*> inputs, Attributes attributes = {}) {
    Node* node = graph_.add_node(op, std::move(inputs), std::move(attributes));
    EXPECT_TRUE(infer_types(*node).ok());
    graph_.rename(node->output(), name);
    return node->output();
  }

  std::mt19937 generator_{7};
  Graph graph_{"network"};
  Tensor x_;
};

TEST_F(LibraryRow, GivesTheResultsOfTheReference) {
  const Result<Compiled> result = made();
  if (is_missing(result)) GTEST_SKIP() << to_string(result.diagnostics());
  ASSERT_TRUE(result.ok()) << to_string(result.diagnostics());
  int calls = 0;
  for (const StepInfo& step : result->program.steps) calls += step.kernel == "onednn_f32";
  EXPECT_EQ(calls, 4);
  const auto reference = open_graph(graph_, {.backend = Backend::Reference});
  const auto expected = (*reference)->run({x_});
  ASSERT_TRUE(expected.ok());
  std::vector<Tensor> first;
  for (const int threads : {1, 2, 3}) {
    const auto runner = open_program(result->program, {.threads = threads});
    const auto got = (*runner)->run({x_});
    ASSERT_TRUE(got.ok()) << to_string(got.diagnostics());
    EXPECT_LT(relative_error((*got)[0], (*expected)[0]), 1e-5);
    if (first.empty()) first = *got;
    EXPECT_EQ(*got, first) << threads << " threads";
  }
}

// The program keeps alive what its code calls.
TEST_F(LibraryRow, LivesAsLongAsItsProgram) {
  Program program;
  {
    Result<Compiled> result = made();
    if (is_missing(result)) GTEST_SKIP() << to_string(result.diagnostics());
    program = result->program;
  }
  const auto runner = open_program(std::move(program));
  EXPECT_TRUE((*runner)->run({x_}).ok());
}

TEST_F(LibraryRow, IsInNoFile) {
  const Result<Compiled> result = made();
  if (is_missing(result)) GTEST_SKIP() << to_string(result.diagnostics());
  const auto object = write_object(result->plan, result->code, {"model", ::testing::TempDir()});
  ASSERT_FALSE(object.ok());
  EXPECT_THAT(to_string(object.diagnostics()), HasSubstr("(Conv) is computed by onednn_f32, a library"));
  const Status saved = save_artifact(result->program, ::testing::TempDir() + "library.lapis");
  ASSERT_FALSE(saved.ok());
  EXPECT_THAT(to_string(saved.diagnostics()), HasSubstr("(Conv) is computed by onednn_f32, a library"));
}

}  // namespace
}  // namespace lapis
