// Every invariant of ir/verify.h, broken once.
#include "ir/verify.h"

#include <gtest/gtest.h>

#include "ir/infer.h"
#include "ir/ops/ops.h"

namespace lapis {

struct GraphSurgeon {
  static void rename(Value& v, std::string name) { v.name_ = std::move(name); }
  static void set_input(Value& v, bool is_input) { v.is_input_ = is_input; }
  static void set_producer(Value& v, Node* node) { v.producer_ = node; }
  static std::vector<Use>& uses(Value& v) { return v.uses_; }
  static std::vector<Value*>& inputs(Node& n) { return n.inputs_; }
  static std::vector<Value*>& outputs(Node& n) { return n.outputs_; }
  static std::vector<Value*>& inputs(Graph& g) { return g.inputs_; }
  static void set_parent(Graph& g, Graph* parent) { g.parent_ = parent; }
};

namespace {

// y = Conv(x, w);  z = Relu(y);  a branch reads y from inside an If.
class VerifyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    x = graph.add_input("x", Type::tensor(DType::Float32, Shape{1, 3, 8, 8}));
    condition = graph.add_input("condition", Type::tensor(DType::Bool, Shape{}));
    w = graph.add_constant(Tensor(DType::Float32, {4, 3, 3, 3}), "w");
    conv = graph.add_node(ops::Conv, {x, w}, {}, {"y"});
    relu = graph.add_node(ops::Relu, {conv->output()}, {}, {"z"});
    branch = graph.make_subgraph("then");
    inner = branch->add_node(ops::Neg, {conv->output()}, {}, {"inner"});
    branch->set_outputs({inner->output()});
    auto other = graph.make_subgraph("else");
    other->set_outputs({other->add_node(ops::Relu, {conv->output()}, {}, {"other"})->output()});
    choice = graph.add_node(ops::If, {condition}, {{"then_branch", branch}, {"else_branch", other}}, {"chosen"});
    graph.set_outputs({relu->output(), choice->output()});
    ASSERT_TRUE(infer_types(graph).ok());
    ASSERT_EQ(to_string(verify(graph)), "");
  }

  // The findings mention `expected`, and the first one is located.
  void expect_broken(const std::string& expected) {
    const Diagnostics found = verify(graph);
    ASSERT_FALSE(found.empty()) << "nothing found, expected: " << expected;
    EXPECT_NE(to_string(found).find(expected), std::string::npos) << to_string(found);
    EXPECT_FALSE(found[0].location.empty());
  }

  Graph graph{"test"};
  Value *x, *condition, *w;
  Node *conv, *relu, *inner, *choice;
  std::shared_ptr<Graph> branch;
};

TEST_F(VerifyTest, S1NamesAreUniqueInTheWholeModel) {
  GraphSurgeon::rename(*inner->output(), "x");
  expect_broken("shares its name");
}

TEST_F(VerifyTest, S1EveryValueHasAName) {
  GraphSurgeon::rename(*w, "");
  expect_broken("has no name");
}

TEST_F(VerifyTest, S2AValueHasOneRole) {
  GraphSurgeon::set_input(*w, true);
  expect_broken("exactly one of input, constant and output");
  GraphSurgeon::set_input(*w, false);
}

TEST_F(VerifyTest, S2AnOutputKnowsItsNode) {
  GraphSurgeon::set_producer(*relu->output(), conv);
  expect_broken("does not know that it is computed here");
  GraphSurgeon::set_producer(*relu->output(), relu);
}

TEST_F(VerifyTest, S2InputsAreListedOnce) {
  GraphSurgeon::inputs(graph).push_back(x);
  expect_broken("is listed twice");
}

TEST_F(VerifyTest, S3OperandsAreComputedBefore) {
  graph.move_before(relu, conv);
  expect_broken("is computed after it is used");
}

TEST_F(VerifyTest, S3OperandsAreVisible) {
  relu->set_input(0, inner->output());
  expect_broken("belongs to a graph that does not enclose this node");
}

TEST_F(VerifyTest, S3OperandsExist) {
  Graph other;
  Value* stranger = other.add_input("stranger", x->type());
  GraphSurgeon::inputs(*relu)[0] = stranger;
  expect_broken("no longer exists");
  GraphSurgeon::inputs(*relu)[0] = conv->output();
}

TEST_F(VerifyTest, S4UseListsMissNothing) {
  auto& uses = GraphSurgeon::uses(*conv->output());
  const Use last = uses.back();
  uses.pop_back();
  expect_broken("is 0 times in the use list of 'y'");
  uses.push_back(last);
}

TEST_F(VerifyTest, S4UseListsHoldNothingElse) {
  GraphSurgeon::uses(*x).push_back({relu, 0});
  expect_broken("which reads something else");
  GraphSurgeon::uses(*x).pop_back();
}

TEST_F(VerifyTest, S5AGraphHasOutputs) {
  graph.set_outputs({});
  expect_broken("has no outputs");
}

TEST_F(VerifyTest, S5OutputsAreListedOnce) {
  graph.set_outputs({relu->output(), relu->output()});
  expect_broken("listed twice as an output");
}

TEST_F(VerifyTest, S5OutputsBelongToTheirGraph) {
  branch->set_outputs({conv->output()});
  expect_broken("an Identity node can bring it in");
}

TEST_F(VerifyTest, S6SubgraphsHaveOneHolder) {
  choice->set_attribute("else_branch", branch);
  expect_broken("is held by another attribute");
}

TEST_F(VerifyTest, S6SubgraphsAreMadeForTheirGraph) {
  Graph other;
  GraphSurgeon::set_parent(*branch, &other);
  expect_broken("was made for another graph");
  GraphSurgeon::set_parent(*branch, &graph);
}

TEST_F(VerifyTest, R1NotTooManyInputs) {
  relu->set_input(1, x);
  expect_broken("has 2 inputs, at most 1");
}

TEST_F(VerifyTest, R1RequiredInputsArePresent) {
  conv->set_input(1, nullptr);
  expect_broken("required input 'W' is missing");
}

TEST_F(VerifyTest, R1NotTooManyOutputs) {
  graph.add_node(ops::Relu, {x}, {}, {"a", "b"});
  expect_broken("has 2 outputs, at most 1");
}

TEST_F(VerifyTest, R2AttributesAreKnown) {
  conv->set_attribute("grups", int64_t{1});
  expect_broken("has no attribute 'grups'");
}

TEST_F(VerifyTest, R2AttributesHaveTheirKind) {
  conv->set_attribute("group", 1.0f);
  expect_broken("attribute 'group' is float, it must be int");
}

TEST_F(VerifyTest, R2RequiredAttributesArePresent) {
  choice->remove_attribute("else_branch");
  expect_broken("required attribute 'else_branch' is missing");
}

TEST_F(VerifyTest, T1ValuesHaveTypes) {
  relu->output()->set_type(Type());
  expect_broken("has no type");
}

TEST_F(VerifyTest, T1ConstantsHaveTheirTensorsType) {
  w->set_type(Type::tensor(DType::Float32, Shape{4, 3, 9}));
  expect_broken("is typed float[4,3,9] but holds float[4,3,3,3]");
}

TEST_F(VerifyTest, T2OperandTypesAreAllowed) {
  Node* node = graph.add_node(ops::Sqrt, {condition}, {}, {"root"});
  node->output()->set_type(condition->type());
  expect_broken("cannot be bool");
}

TEST_F(VerifyTest, T3DeclaredTypesFitTheOperands) {
  relu->output()->set_type(Type::tensor(DType::Float32, Shape{1, 4, 7, 6}));
  expect_broken("is declared as float[1,4,7,6] but the operands give float[1,4,6,6]");
}

TEST_F(VerifyTest, T3RecordsCheckTheirOperands) {
  x->set_type(Type::tensor(DType::Float32, Shape{1, 5, 8, 8}));
  expect_broken("channels");
}

TEST_F(VerifyTest, T3ScalesFitTheQuantizedAxis) {
  Value* scales = graph.add_constant(Tensor::vector<float>({1, 2}), "scales");
  Node* node = graph.add_node(ops::QuantizeLinear, {x, scales}, {}, {"quantized"});
  node->output()->set_type(Type::tensor(DType::UInt8, x->type().dims));
  expect_broken("scale has 2 values but axis 1 of float[1,3,8,8] has 3");
}

TEST_F(VerifyTest, FindingsAreCollectedAndShowTheNode) {
  conv->set_attribute("grups", int64_t{1});
  relu->set_attribute("alpha", 0.5f);
  const Diagnostics found = verify(graph, VerifyLevel::Structure);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].location, "node 'y' (Conv)");
  EXPECT_NE(found[0].notes[0].find("y = Conv<grups = 1>(x: float[1,3,8,8], w: float[4,3,3,3])"), std::string::npos)
      << found[0].notes[0];
}

}  // namespace
}  // namespace lapis
