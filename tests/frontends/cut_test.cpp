// Parts of graphs: between values that become inputs and values that are the outputs.
#include "frontends/common/cut.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontends/onnx/import.h"
#include "ir/verify.h"

namespace lapis {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<Graph> model() {
  auto graph = parse_onnx_text(
      "<ir_version: 8, opset_import: [\"\" : 17]> g (float[2] x, float[2] z) => (float[2] y) "
      "{ a = Relu(x) b = Exp(a) c = Add(b, z) y = Neg(c) }",
      "m");
  EXPECT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  return *std::move(graph);
}

std::string refusal(const ImportOptions& options) {
  const auto graph = model();
  const Status done = frontend::cut(*graph, options);
  EXPECT_FALSE(done.ok());
  return done.ok() ? "" : to_string(done.diagnostics());
}

TEST(Cut, APartBeginsAndEndsAtValues) {
  const auto graph = model();
  const Status done = frontend::cut(*graph, {.inputs = {"a", "z"}, .outputs = {"c"}});
  ASSERT_TRUE(done.ok()) << to_string(done.diagnostics());
  EXPECT_TRUE(verify(*graph).empty()) << to_string(verify(*graph));
  EXPECT_EQ(graph->node_count(), 2u);
  ASSERT_EQ(graph->inputs().size(), 2u);
  EXPECT_EQ(graph->outputs()[0]->name(), "c");
  EXPECT_NE(graph->find_value("a"), nullptr);
  EXPECT_TRUE(graph->find_value("a")->is_input());
}

TEST(Cut, InputsThatAreLeftOverGo) {
  const auto graph = model();
  ASSERT_TRUE(frontend::cut(*graph, {.outputs = {"b"}}).ok());
  ASSERT_EQ(graph->inputs().size(), 1u);
  EXPECT_EQ(graph->inputs()[0]->name(), "x");
}

TEST(Cut, SlipsAreRefused) {
  EXPECT_THAT(refusal({.outputs = {"d"}}), HasSubstr("the model has no value 'd'"));
  EXPECT_THAT(refusal({.inputs = {"a"}, .outputs = {"y"}}), HasSubstr("the outputs depend on input 'z' too"));
  EXPECT_THAT(refusal({.inputs = {"x", "z"}, .outputs = {"b"}}), HasSubstr("the outputs do not depend on input 'z'"));
  EXPECT_THAT(refusal({.outputs = {"x"}}), HasSubstr("is computed by no node"));
  EXPECT_THAT(refusal({.signature = "s"}), HasSubstr("the model has no signatures"));
}

}  // namespace
}  // namespace lapis
