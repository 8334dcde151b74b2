#include "ir/infer.h"

#include "tests/ir/one_node.h"

namespace lapis::testing {
namespace {

// Test operators: the contents of x's shape; a tensor with the shape that the first input's contents name; x through
// a subgraph.
Result<Types> infer_shape_of(const InferContext& c) { return Types{Type::tensor(DType::Int64, Dims{c.in(0).rank()})}; }
std::optional<Dims> shape_contents(const InferContext& c) { return c.in(0).dims; }
const OpDef kShapeOf =
    op("ShapeOf").in("x").out("y").infer(infer_shape_of).propagate(shape_contents).traits(Trait::Pure);

Result<Types> infer_of_shape(const InferContext& c) { return Types{Type::tensor(DType::Float32, c.contents(0))}; }
const OpDef kOfShape =
    op("OfShape").in("shape", types(DType::Int64)).out("y").infer(infer_of_shape).traits(Trait::Pure);

Result<Types> infer_through(const InferContext& c) {
  return Types{(*c.node().attribute_as<std::shared_ptr<Graph>>("body"))->outputs()[0]->type()};
}
Types through_inputs(const InferContext& c) { return {c.in(0)}; }
const OpDef kThrough = op("Through").in("x").out("y").infer(infer_through).body_inputs(through_inputs);

TEST(Infer, CarriesContentsOfShapesThroughTheGraph) {
  Graph g;
  Value* x = g.add_input("x", floats({N(), 3}));
  Node* shape = g.add_node(kShapeOf, {x});
  Node* y = g.add_node(kOfShape, {shape->output()});
  ASSERT_TRUE(infer_types(g).ok());
  EXPECT_EQ(y->output()->type().to_string(), "float[N,3]");
}

TEST(Infer, LooksBackAlongProducersForALoneNode) {
  Graph g;
  Value* x = g.add_input("x", floats({N(), 3}));
  Node* shape = g.add_node(kShapeOf, {x});
  ASSERT_TRUE(infer_types(*shape).ok());
  Node* y = g.add_node(kOfShape, {shape->output()});
  ASSERT_TRUE(infer_types(*y).ok());
  EXPECT_EQ(y->output()->type().to_string(), "float[N,3]");
}

TEST(Infer, ReadsConstantsAsContents) {
  EXPECT_EQ(inferred(kOfShape, {Tensor::vector<int64_t>({2, 5})}), "float[2,5]");
  EXPECT_EQ(inferred(kOfShape, {Type::tensor(DType::Int64, Dims{2})}), "float[...]");
}

TEST(Infer, DescendsIntoSubgraphsThatCaptureOuterValues) {
  Graph g;
  Value* x = g.add_input("x", floats({N(), 4}));
  Value* w = g.add_constant(filled({4, 2}, 1));
  auto body = g.make_subgraph("body");
  Value* inner = body->add_input("inner", Type{});
  body->set_outputs({body->add_node(ops::MatMul, {inner, w})->output()});
  Node* through = g.add_node(kThrough, {x}, {{"body", body}});
  ASSERT_TRUE(infer_types(g).ok());
  EXPECT_EQ(inner->type().to_string(), "float[N,4]");
  EXPECT_EQ(through->output()->type().to_string(), "float[N,2]");
}

TEST(Infer, ForgivesABranchThatCannotBeTaken) {
  Graph g;
  Value* x = g.add_input("x", floats({2, 3}));
  auto branch = [&](Value* right) {
    auto b = g.make_subgraph("branch");
    b->set_outputs({b->add_node(ops::MatMul, {x, right})->output()});
    return b;
  };
  auto good = branch(g.add_constant(filled({3, 5}, 1))), bad = branch(x);
  Node* node = g.add_node(kThrough, {x}, {{"body", bad}, {"other", good}});
  ASSERT_TRUE(infer_types(g).ok());
  EXPECT_EQ(node->output()->type().to_string(), "float[2,5]");
  Graph h;
  x = h.add_input("x", floats({2, 3}));
  auto both_bad = [&] {
    auto b = h.make_subgraph("branch");
    b->set_outputs({b->add_node(ops::MatMul, {x, x})->output()});
    return b;
  };
  h.add_node(kThrough, {x}, {{"body", both_bad()}, {"other", both_bad()}});
  EXPECT_EQ(infer_types(h).diagnostics().size(), 2u);
}

TEST(Infer, MergesDeclaredTypesAndReportsContradictions) {
  Graph g;
  Node* y = g.add_node(ops::Softmax, {g.add_input("x", floats({N(), Dim()}))}, {}, {"y"});
  y->output()->set_type(floats({Dim(), 10}));
  ASSERT_TRUE(infer_types(g).ok());
  EXPECT_EQ(y->output()->type().to_string(), "float[N,10]");

  y->output()->set_type(floats({1, 2, 3}));
  const Status status = infer_types(g);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.diagnostics()[0].message, "output 'y' is declared as float[1,2,3] but the operands give float[N,?]");
}

TEST(Infer, CollectsEveryErrorButNoConsequences) {
  Graph g;
  Value* x = g.add_input("x", floats({2, 3}));
  Node* bad = g.add_node(ops::MatMul, {x, x}, {}, {""}, nullptr, "first");
  g.add_node(ops::Softmax, {bad->output()});  // has no type to work on: not an error of its own
  g.add_node(ops::Softmax, {x}, {{"axis", int64_t{7}}}, {""}, nullptr, "second");
  const Status status = infer_types(g);
  ASSERT_FALSE(status.ok());
  ASSERT_EQ(status.diagnostics().size(), 2u);
  EXPECT_EQ(status.diagnostics()[0].location, "node 'first' (MatMul)");
  EXPECT_EQ(status.diagnostics()[0].notes[0], "operands: 'x': float[2,3], 'x': float[2,3]");
  EXPECT_EQ(status.diagnostics()[1].location, "node 'second' (Softmax)");
}

TEST(Infer, ChecksOperandsBeforeTheRecordSeesThem) {
  EXPECT_EQ(inferred(ops::Softmax, {nullptr}), "required input 'input' is missing");
  EXPECT_EQ(inferred(ops::Softmax, {Type::tensor(DType::Int32, Dims{1})}),
            "input 'input' is int32, allowed are float, float16, double, bfloat16");
  EXPECT_EQ(inferred(ops::Softmax, {floats({1}), floats({1})}), "has 2 inputs, at most 1 are allowed");
}

TEST(Infer, OperandsOfOneTypeVariableAreOfOneType) {
  EXPECT_EQ(inferred(ops::MatMul, {floats({2, 3}), Type::tensor(DType::Float64, Dims{3, 2})}),
            "input 'B' is double but 'A' is float: they must be of one type");
  EXPECT_EQ(
      inferred(ops::Concat, {floats({2}), floats({2}), Type::tensor(DType::Int8, Dims{2})}, {{"axis", int64_t{0}}}),
      "input 'inputs' is int8 but 'inputs' is float: they must be of one type");
  const Type doubles = Type::tensor(DType::Float64, Dims{3});
  EXPECT_EQ(inferred(ops::BatchNormalization, {floats({2, 3, 4}), doubles, doubles, floats({3}), floats({3})}),
            "float[2,3,4]");
}

TEST(Infer, RefusesOutputsThatTheOperatorDoesNotCompute) {  // running statistics are of training
  const Type x = floats({2, 3, 4}), c = floats({3});
  const auto three = infer(ops::BatchNormalization, {x, c, c, c, c}, {}, 3);
  ASSERT_FALSE(three.ok());
  ASSERT_EQ(three.diagnostics().size(), 2u);
  EXPECT_EQ(three.diagnostics()[0].message, "output 'v1' is one that it does not compute");
}

TEST(Infer, RefusesTypesThatNoTensorCanHave) {
  const int64_t big = int64_t{1} << 40;
  EXPECT_EQ(inferred(kOfShape, {Tensor::vector<int64_t>({big, big})}),
            "output 'v0' cannot be: [1099511627776,1099511627776] is larger than any memory");
  EXPECT_EQ(inferred(kOfShape, {Tensor::vector<int64_t>({2, -3})}),
            "output 'v0' cannot be: [2,-3] has a negative extent");
  EXPECT_EQ(inferred(ops::Softmax, {floats({big, N(), big})}),
            "[1099511627776,1,1099511627776] is larger than any memory");
}

TEST(Dim, ArithmeticThatLeaves64BitsIsTooLarge) {
  const Dim most = INT64_MAX, n = N();
  for (const Dim& d : {most + 1, most * 2, Dim(INT64_MIN) - 1, Dim(0) - Dim(INT64_MIN), most * n + n, (most * n) * 2,
                       floor_div(Dim(INT64_MIN), Dim(-1))}) {
    EXPECT_FALSE(d.is_known());
    EXPECT_TRUE(d.is_too_large());
    EXPECT_TRUE((d + n).is_too_large());
  }
  EXPECT_TRUE((most * 0).is(0));
  EXPECT_FALSE((Dim::unknown() + 1).is_too_large());
  EXPECT_EQ(floor_div(Dim(INT64_MIN), Dim(3)).value(), INT64_MIN / 3 - 1);
  EXPECT_EQ(exact_div(Dim(INT64_MIN), Dim(-1)), std::nullopt);
}

TEST(Dim, FormulasStaySmall) {
  Dim square = N(), floors = N(), sum = 1;
  for (int i = 0; i < 60; ++i) {
    square = square * square;
    floors = floor_div(floors, floors + 1) + floors;
    sum = sum * (Dim::symbol("s" + std::to_string(i)) + 1);
  }
  for (const Dim& d : {square, floors, sum}) EXPECT_FALSE(d.is_known());
}

TEST(BindShapes, TakesBackWhatFormulasAssumed) {
  for (const int64_t start : {int64_t{2}, int64_t{-2}}) {
    Graph g;
    Value* x = g.add_input("x", floats({N(), 6}));
    Node* y = g.add_node(ops::Slice, {x, g.add_constant(Tensor::vector<int64_t>({start})),
                                      g.add_constant(Tensor::vector<int64_t>({INT64_MAX})),
                                      g.add_constant(Tensor::vector<int64_t>({0}))});
    Node* z = g.add_node(ops::Concat, {y->output(), y->output()}, {{"axis", int64_t{0}}});
    ASSERT_TRUE(infer_types(g).ok());
    const Status bound = bind_shapes(g, {{"x", {1, 6}}});
    ASSERT_TRUE(bound.ok()) << to_string(bound.diagnostics());
    EXPECT_EQ(z->output()->type().to_string(), start < 0 ? "float[2,6]" : "float[0,6]");
  }
}

TEST(BindSymbols, ReplacesThemEverywhere) {
  Graph g;
  Node* y = g.add_node(ops::MatMul,
                       {g.add_input("x", floats({N(), Dim::symbol("S"), 4})), g.add_constant(filled({4, 2}, 1))});
  ASSERT_TRUE(infer_types(g).ok());
  EXPECT_EQ(free_symbols(g), (std::vector<std::string>{"N", "S"}));
  ASSERT_TRUE(bind_symbols(g, {{"N", 8}}).ok());
  EXPECT_EQ(y->output()->type().to_string(), "float[8,S,2]");
  EXPECT_EQ(free_symbols(g), (std::vector<std::string>{"S"}));
  EXPECT_EQ(bind_symbols(g, {{"T", 8}}).diagnostics()[0].message, "the model has no symbolic dimension 'T'");
}

TEST(BindShapes, SolvesForTheSymbols) {
  Graph g;
  Value *a = g.add_input("a", floats({N(), 4})), *b = g.add_input("b", floats({N(), Dim()}));
  Node* y = g.add_node(ops::Softmax, {a});
  ASSERT_TRUE(bind_shapes(g, {{"a", {3, 4}}}).ok());
  EXPECT_EQ(y->output()->type().to_string(), "float[3,4]");
  EXPECT_EQ(b->type().to_string(), "float[3,?]");
  EXPECT_FALSE(bind_shapes(g, {{"a", {3, 5}}}).ok());
  EXPECT_FALSE(bind_shapes(g, {{"b", {2, 9}}}).ok());
  EXPECT_EQ(bind_shapes(g, {{"c", {1}}}).diagnostics()[0].message, "the model has no input 'c'");
}

TEST(BindShapes, RejectsOneSymbolWithTwoValues) {
  Graph g;
  g.add_input("a", floats({N()}));
  g.add_input("b", floats({N()}));
  const Status status = bind_shapes(g, {{"a", {3}}, {"b", {4}}});
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.diagnostics()[0].location, "input 'b'");
  EXPECT_EQ(status.diagnostics()[0].notes[0], "dimension N is 3 elsewhere");
}

TEST(Broadcast, FollowsOnnx) {
  const OpDef add = op("Add").in("a").in("b").out("c").infer([](const InferContext& c) -> Result<Types> {
    LAPIS_TRY(auto dims, broadcast(c, {&c.in(0), &c.in(1)}));
    return Types{Type::tensor(DType::Float32, dims)};
  });
  EXPECT_EQ(inferred(add, {floats({N(), 1, 4}), floats({3, 1})}), "float[N,3,4]");
  EXPECT_EQ(inferred(add, {floats({N()}), floats({5})}), "float[5]");  // N must turn out to be 5 or 1
  EXPECT_EQ(inferred(add, {floats({N()}), floats({Dim::symbol("M")})}), "float[?]");
  EXPECT_EQ(inferred(add, {floats({2, 3}), floats({4})}), "cannot broadcast [4] against [2,3]");
  EXPECT_EQ(inferred(add, {floats({3}), floats({5, 2})}), "cannot broadcast [5,2] against [3]");
}

}  // namespace
}  // namespace lapis::testing
