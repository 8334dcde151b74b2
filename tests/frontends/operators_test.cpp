// The support table: every frontend says of each operator what it becomes, once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "frontends/frontend.h"
#include "ir/op.h"

namespace lapis {
namespace {

using frontend::Support;
using frontend::SupportedOperator;

SupportedOperator operator_of(std::string_view framework, std::string_view name) {
  for (const Frontend& f : frontends())
    if (f.name == framework)
      for (const SupportedOperator& op : f.operators())
        if (op.op == name) return op;
  ADD_FAILURE() << framework << " has no " << name;
  return {};
}

TEST(Operators, AreListedOnceEach) {
  for (const Frontend& f : frontends()) {
    std::set<std::string> seen;
    for (const SupportedOperator& op : f.operators())
      EXPECT_TRUE(seen.insert(op.op).second) << f.name << " lists " << op.op << " twice";
    EXPECT_GT(seen.size(), 100u) << f.name;
  }
}

TEST(Operators, SayWhatTheyBecomeOrWhyNot) {
  for (const Frontend& f : frontends())
    for (const SupportedOperator& op : f.operators()) {
      if (op.how != Support::Translated) EXPECT_FALSE(op.says.empty()) << f.name << " " << op.op;
      if (op.how == Support::Refused && f.name != "onnx") EXPECT_FALSE(op.hint.empty()) << f.name << " " << op.op;
      if (op.how == Support::Translated && !op.says.empty() && f.name != "onnx")
        EXPECT_TRUE(find_op(op.says)) << f.name << " " << op.op;
    }
}

TEST(Operators, KnowTheOneOperatorThatTheyBecome) {
  EXPECT_EQ(operator_of("tflite", "LOGISTIC").says, "Sigmoid");
  EXPECT_EQ(operator_of("tensorflow", "AddV2").says, "Add");
  EXPECT_EQ(operator_of("pytorch", "aten.erf").says, "Erf");
  EXPECT_EQ(operator_of("mxnet", "broadcast_div").says, "Div");
  EXPECT_EQ(operator_of("tensorflow", "Conv2D").says, "");
  EXPECT_EQ(operator_of("tensorflow", "ReadVariableOp").how, Support::Resolved);
  EXPECT_EQ(operator_of("tflite", "LSTM").how, Support::Refused);
}

TEST(Operators, OfOnnxHaveARecordOrADefinition) {
  EXPECT_EQ(operator_of("onnx", "Conv").how, Support::Translated);
  EXPECT_EQ(operator_of("onnx", "AffineGrid").how, Support::Resolved);
}

}  // namespace
}  // namespace lapis
