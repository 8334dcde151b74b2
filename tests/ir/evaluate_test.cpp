#include "ir/evaluate.h"

#include "tests/ir/one_node.h"

namespace lapis::testing {
namespace {

// x times two, with a count of how many of its results are alive at once.
int g_alive = 0, g_most_alive = 0;
Status evaluate_double(EvalContext& c) {
  const auto x = c.in(0).data<float>();
  auto bytes = std::shared_ptr<float>(new float[x.size()], [](float* p) {
    delete[] p;
    --g_alive;
  });
  g_most_alive = std::max(g_most_alive, ++g_alive);
  for (size_t i = 0; i < x.size(); ++i) bytes.get()[i] = 2 * x[i];
  c.set_out(0, Tensor(DType::Float32, c.in(0).shape(),
                      std::reinterpret_pointer_cast<const std::byte>(std::shared_ptr<const float>(bytes))));
  return ok();
}
const OpDef kDouble = op("Double").in("x").out("y").evaluate(evaluate_double);

Status evaluate_twice(EvalContext& c) {
  const Graph& body = **c.node().attribute_as<std::shared_ptr<Graph>>("body");
  LAPIS_TRY(auto once, c.run(body, {c.in(0)}));
  LAPIS_TRY(auto twice, c.run(body, once));
  c.set_out(0, twice[0]);
  return ok();
}
const OpDef kTwice = op("Twice").in("x").out("y").evaluate(evaluate_twice);

TEST(Evaluate, FreesTensorsAfterTheirLastReader) {
  Graph g;
  Value* v = g.add_input("x", floats({1}));
  for (int i = 0; i < 10; ++i) v = g.add_node(kDouble, {v})->output();
  g.set_outputs({v});
  g_alive = g_most_alive = 0;
  auto y = evaluate(g, {{"x", Tensor::vector<float>({1})}});
  ASSERT_TRUE(y.ok());
  EXPECT_EQ(values<float>((*y)[0]), Floats{1024});
  EXPECT_EQ(g_most_alive, 2);
  EXPECT_EQ(g_alive, 1);
}

TEST(Evaluate, RunsSubgraphsThatReadOuterValues) {
  Graph g;
  Value* x = g.add_input("x", floats({1, 1}));
  Value* factor = g.add_node(kDouble, {x})->output();  // used only from inside: must stay alive until then
  auto body = g.make_subgraph("body");
  Value* inner = body->add_input("inner", floats({1, 1}));
  body->set_outputs({body->add_node(ops::MatMul, {inner, factor})->output()});
  Value* unrelated = g.add_node(kDouble, {x})->output();
  g.set_outputs({g.add_node(kTwice, {unrelated}, {{"body", body}})->output()});
  auto y = evaluate(g, {{"x", filled({1, 1}, 3)}});
  ASSERT_TRUE(y.ok());
  EXPECT_EQ(values<float>((*y)[0]), Floats{6 * 6 * 6});
}

TEST(Evaluate, ReportsEverythingWrongWithTheFeeds) {
  Graph g;
  g.add_input("a", floats({N(), 2}));
  g.add_input("b", floats({N(), 3}));
  g.add_input("c", Type::tensor(DType::UInt8, Dims{1}));
  const Diagnostics found = check_feeds(g, {{"a", filled({4, 2}, 0)}, {"b", filled({5, 3}, 0)}, {"d", filled({1}, 0)}});
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].location + ": " + found[0].message, "input 'b': got float[5,3], the model wants float[N,3]");
  EXPECT_EQ(found[0].notes[0], "the feeds before give N = 4");
  EXPECT_EQ(found[1].location + ": " + found[1].message, "input 'c': is not fed; the model wants uint8[1]");
  EXPECT_EQ(found[2].location + ": " + found[2].message, "input 'd': the model has no such input");
  EXPECT_EQ(check_feeds(g, {{"a", filled({4, 2, 1}, 0)}, {"b", filled({4, 3}, 0)}, {"c", filled({1}, 0)}}).size(), 2u);
  EXPECT_TRUE(check_feeds(g, {{"a", filled({4, 2}, 0)}, {"b", filled({4, 3}, 0)}, {"c", Tensor::vector<uint8_t>({1})}})
                  .empty());
}

TEST(Evaluate, LocatesErrorsOfOperators) {
  OneNode one(ops::TopK, {ramp({3}), Type::tensor(DType::Int64, Dims{1})}, {}, 2);
  auto y = evaluate(one.graph, {{"x1", Tensor::vector<int64_t>({9})}});
  ASSERT_FALSE(y.ok());
  EXPECT_EQ(y.diagnostics()[0].location, "node 'n' (TopK)");
}

TEST(EvaluateNode, ComputesOneNode) {
  OneNode one(ops::Softmax, {floats({1})}, {}, 1);
  const Tensor x = filled({1}, 3);
  auto y = evaluate_node(*one.node, {&x});
  ASSERT_TRUE(y.ok());
  EXPECT_EQ(values<float>((*y)[0]), Floats{1});
}

TEST(ReferenceEvaluator, ReturnsWatchedValuesAndOutputs) {
  Graph g;
  Value* x = g.add_input("x", floats({2}));
  Node* first = g.add_node(kDouble, {x}, {}, {"first"});
  g.set_outputs({g.add_node(kDouble, {first->output()}, {}, {"second"})->output()});
  auto evaluator = reference_evaluator();
  EXPECT_EQ(evaluator->load(g, {"nothing"}).diagnostics()[0].message, "there is no value 'nothing' to watch");
  ASSERT_TRUE(evaluator->load(g, {"first", "x"}).ok());
  auto results = evaluator->run({{"x", ramp({2})}});
  ASSERT_TRUE(results.ok());
  EXPECT_EQ(results->size(), 3u);
  EXPECT_EQ(values<float>(results->at("first")), (Floats{2, 4}));
  EXPECT_EQ(values<float>(results->at("second")), (Floats{4, 8}));
}

TEST(Evaluate, ChecksAgainWhatInferenceCouldNotKnow) {
  Graph g;  // whether the matrices fit, and where the axis lies, depends on the data
  Value* x = g.add_input("x", floats({6}));
  Value* axes = g.add_input("axes", Type::tensor(DType::Int64, Dims{1}));
  Node* found = g.add_node(ops::NonZero, {x});
  Node* row = g.add_node(ops::Cast, {found->output()}, {{"to", static_cast<int64_t>(DType::Float32)}}, {"row"});
  Node* y = g.add_node(ops::MatMul, {row->output(), g.add_constant(ramp({4, 2}), "w")});
  Node* z = g.add_node(ops::ReduceSum, {y->output(), axes});
  g.set_outputs({z->output()});
  ASSERT_TRUE(infer_types(g).ok());
  const Tensor four = Tensor::vector<float>({1, 1, 1, 0, 0, 1}), three = Tensor::vector<float>({1, 1, 1, 0, 0, 0});
  EXPECT_TRUE(evaluate(g, {{"x", four}, {"axes", Tensor::vector<int64_t>({1})}}).ok());
  const auto narrow = evaluate(g, {{"x", three}, {"axes", Tensor::vector<int64_t>({1})}});
  ASSERT_FALSE(narrow.ok());
  EXPECT_EQ(narrow.diagnostics()[0].message, "the inner dimensions differ: float[1,3] times float[4,2]");
  EXPECT_EQ(narrow.diagnostics()[0].notes[0], "operands: 'row': float[1,3], 'w': float[4,2]");
  const auto beyond = evaluate(g, {{"x", four}, {"axes", Tensor::vector<int64_t>({7})}});
  ASSERT_FALSE(beyond.ok());
  EXPECT_EQ(beyond.diagnostics()[0].message, "axis 7 is out of range for float[1,2]");
}

}  // namespace
}  // namespace lapis::testing
