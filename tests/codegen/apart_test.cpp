// What steps say of nodes that could have been computed with what they read.
#include "codegen/lower/apart.h"

#include <gtest/gtest.h>

#include "codegen/lower/lower.h"
#include "codegen/print_plan.h"
#include "frontends/onnx/import.h"

namespace lapis::codegen {
namespace {

struct Case {
  const char *name, *inputs, *outputs, *nodes;
  const char* said;  // of the first step of which something is said, or "" if of none
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class ApartTest : public ::testing::TestWithParam<Case> {};

TEST_P(ApartTest, NamesTheConditionThatFailed) {
  const Case& c = GetParam();
  const std::string text = "<ir_version: 10, opset_import: [\"\" : 21]> g (" + std::string(c.inputs) + ") => (" +
                           c.outputs + ") <float[4,4] w = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16}> {" + c.nodes + "}";
  const auto graph = parse_onnx_text(text, c.name);
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  const Result<Plan> plan = lower(**graph, {*Target::parse("x86-64+avx512")});
  ASSERT_TRUE(plan.ok()) << to_string(plan.diagnostics());
  std::string said;
  for (const Step& step : plan->steps)
    if (said.empty()) said = step.note;
  EXPECT_EQ(said, c.said) << to_string(*plan);
}

constexpr const char* kX = "float[3,4] x";
constexpr const char* kY = "float[3,4] y";
INSTANTIATE_TEST_SUITE_P(
    Conditions, ApartTest,
    ::testing::Values(
        Case{"Fused", kX, kY, "p = MatMul(x, w) y = Relu(p)", ""},
        Case{"Output", kX, "float[3,4] y, float[3,4] p", "p = MatMul(x, w) y = Relu(p)",
             "'p' is an output of the model too"},
        Case{"NotElementwise", kX, "float[3,4] y, float[3,4] q", "p = MatMul(x, w) y = Relu(p) q = Softmax(p)",
             "'p' is also read by 'q' (Softmax), which is not elementwise"},
        Case{"OtherShape", "float[3,4] x, float[2,3,4] z", "float[2,3,4] y", "p = MatMul(x, w) y = Add(p, z)",
             "its result has another shape than 'p'"},
        Case{"Operand", "float[3,4] x, float[4] z", kY, "p = MatMul(x, w) y = Add(p, z)",
             "kernels load numbers, one value a channel and what lies as their result does, and an operand is none of "
             "these"},
        Case{"Instruction", kX, kY, "p = MatMul(x, w) y = Sin(p)", "kernels do not compute it behind their sums"},
        Case{"SeveralResults", kX, "bool[3,4] y", "p = MatMul(x, w) y = Less(p, x)",
             "with it 'p' (MatMul) would leave several values, or one that its kernel cannot store"},
        Case{"ComputedOnce", kX, "float[3,4] y, float[3,4] z", "e = Exp(x) y = Sin(e) z = Cos(e)",
             "'e' is read by 2 nodes and computed once"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace lapis::codegen
