// Every record against ONNX's own schema registry: nothing about an operator's signature is Lapis's opinion.
#include <gtest/gtest.h>
#include <onnx/defs/schema.h>

#include <algorithm>
#include <set>

#include "ir/ops/ops.h"

namespace lapis {
namespace {

constexpr int kOpset = 25;

class Schema : public ::testing::TestWithParam<const OpDef*> {
 protected:
  void SetUp() override {
    schema_ = onnx::OpSchemaRegistry::Schema(std::string(def().name), kOpset, std::string(def().domain));
    ASSERT_NE(schema_, nullptr) << "ONNX has no operator " << def().name;
  }
  const OpDef& def() const { return *GetParam(); }
  const onnx::OpSchema* schema_ = nullptr;
};

AttrKind kind_of(onnx::AttributeProto::AttributeType type) {
  switch (type) {
    case onnx::AttributeProto::INT: return AttrKind::Int;
    case onnx::AttributeProto::FLOAT: return AttrKind::Float;
    case onnx::AttributeProto::STRING: return AttrKind::String;
    case onnx::AttributeProto::TENSOR: return AttrKind::Tensor;
    case onnx::AttributeProto::GRAPH: return AttrKind::Graph;
    case onnx::AttributeProto::INTS: return AttrKind::Ints;
    case onnx::AttributeProto::FLOATS: return AttrKind::Floats;
    case onnx::AttributeProto::STRINGS: return AttrKind::Strings;
    default: throw std::logic_error("an attribute kind that Lapis has no name for");
  }
}

Attribute attribute_of(const onnx::AttributeProto& a) {
  switch (a.type()) {
    case onnx::AttributeProto::INT: return a.i();
    case onnx::AttributeProto::FLOAT: return a.f();
    case onnx::AttributeProto::STRING: return a.s();
    case onnx::AttributeProto::INTS: return std::vector<int64_t>(a.ints().begin(), a.ints().end());
    case onnx::AttributeProto::FLOATS: return std::vector<float>(a.floats().begin(), a.floats().end());
    case onnx::AttributeProto::STRINGS: return std::vector<std::string>(a.strings().begin(), a.strings().end());
    default: throw std::logic_error("a default that Lapis has no value for");
  }
}

void expect_same_operand(const OperandDef& ours, const onnx::OpSchema::FormalParameter& theirs) {
  EXPECT_EQ(ours.optional, theirs.GetOption() == onnx::OpSchema::Optional) << ours.name;
  EXPECT_EQ(ours.variadic, theirs.GetOption() == onnx::OpSchema::Variadic) << ours.name;
  if (ours.types == kAnyType) return;  // the record leaves it to its infer function
  std::set<std::string> allowed;
  for (const auto* type : theirs.GetTypes()) allowed.insert(*type);
  for (int i = 1; i <= static_cast<int>(DType::Int2); ++i) {
    const auto dtype = static_cast<DType>(i);
    const std::string name = "tensor(" + std::string(name_of(dtype)) + ")";
    EXPECT_TRUE(!allows(ours.types, dtype) || allowed.contains(name))
        << "ONNX does not allow " << name << " for " << ours.name;
  }
}

TEST_P(Schema, HasTheVersionOfTheCanonicalOpset) { EXPECT_EQ(def().since_version, schema_->since_version()); }

TEST_P(Schema, HasTheOperandsOfOnnx) {
  ASSERT_EQ(def().inputs.size(), schema_->inputs().size());
  ASSERT_EQ(def().outputs.size(), schema_->outputs().size());
  for (size_t i = 0; i < def().inputs.size(); ++i) expect_same_operand(def().inputs[i], schema_->inputs()[i]);
  for (size_t i = 0; i < def().outputs.size(); ++i) expect_same_operand(def().outputs[i], schema_->outputs()[i]);
}

// Two operands are of one type in the record exactly if they are in ONNX; a variadic one with itself as well.
TEST_P(Schema, HasTheTypeVariablesOfOnnx) {
  const auto tied = [&](size_t i, size_t j) {
    const auto &a = schema_->inputs()[i], &b = schema_->inputs()[j];
    const bool variable = a.GetTypeStr().find('(') == std::string::npos;
    if (i == j) return variable && a.GetOption() == onnx::OpSchema::Variadic && a.GetIsHomogeneous();
    return variable && a.GetTypeStr() == b.GetTypeStr() && a.GetIsHomogeneous() && b.GetIsHomogeneous();
  };
  for (size_t i = 0; i < def().inputs.size(); ++i)
    for (size_t j = i; j < def().inputs.size(); ++j) {
      const OperandDef &a = def().inputs[i], &b = def().inputs[j];
      if (i == j && !a.variadic) continue;
      EXPECT_EQ(!a.variable.empty() && a.variable == b.variable, tied(i, j)) << a.name << " and " << b.name;
    }
}

TEST_P(Schema, HasTheAttributesOfOnnx) {
  for (const auto& [name, theirs] : schema_->attributes()) {
    if (theirs.type == onnx::AttributeProto::SPARSE_TENSOR) continue;  // the importer makes them dense
    const AttrDef* ours = def().attribute(name);
    ASSERT_NE(ours, nullptr) << "the record misses attribute " << name;
    EXPECT_EQ(ours->kind, kind_of(theirs.type)) << name;
    EXPECT_EQ(ours->required, theirs.required) << name;
    if (theirs.default_value.type() == onnx::AttributeProto::UNDEFINED) continue;
    ASSERT_TRUE(ours->default_value) << name;
    EXPECT_TRUE(*ours->default_value == attribute_of(theirs.default_value)) << name << " has another default";
  }
  for (const AttrDef& ours : def().attributes)
    EXPECT_TRUE(schema_->attributes().contains(std::string(ours.name))) << "ONNX has no attribute " << ours.name;
}

TEST_P(Schema, IsComplete) {
  EXPECT_NE(def().infer, nullptr);
  EXPECT_NE(def().evaluate, nullptr);
  EXPECT_TRUE(def().doc.ends_with('.')) << "a one-sentence doc is missing";
}

std::string test_name(const ::testing::TestParamInfo<const OpDef*>& info) { return std::string(info.param->name); }
INSTANTIATE_TEST_SUITE_P(AllOperators, Schema, ::testing::ValuesIn(all_ops()), test_name);

TEST(AllOps, AreSortedAndFoundByName) {
  EXPECT_TRUE(std::is_sorted(all_ops().begin(), all_ops().end(),
                             [](const OpDef* a, const OpDef* b) { return a->name < b->name; }));
  for (const OpDef* def : all_ops()) EXPECT_EQ(find_op(def->name, def->domain), def);
  EXPECT_EQ(find_op("Softmax", "ai.onnx"), &ops::Softmax);
  EXPECT_EQ(find_op("Softmax", "com.example"), nullptr);
}

}  // namespace
}  // namespace lapis
