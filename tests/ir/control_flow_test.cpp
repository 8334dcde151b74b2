// If, Loop and Scan: inference through the subgraphs, captured values, and what they compute.
#include "tests/ir/one_node.h"

namespace lapis::testing {
namespace {

Type scalar(DType dtype) { return Type::tensor(dtype, Dims{}); }

// y = condition ? x + x : -x, both branches reading x from outside.
struct Choice {
  Choice() {
    condition = graph.add_input("condition", scalar(DType::Bool));
    x = graph.add_input("x", floats({N()}));
    auto on = graph.make_subgraph("on"), off = graph.make_subgraph("off");
    on->set_outputs({on->add_node(ops::Add, {x, x})->output()});
    off->set_outputs({off->add_node(ops::Neg, {x})->output()});
    node = graph.add_node(ops::If, {condition}, {{"then_branch", on}, {"else_branch", off}});
    graph.set_outputs({node->output()});
  }
  Graph graph;
  Value *condition, *x;
  Node* node;
};

TEST(If, RunsOneBranch) {
  Choice c;
  ASSERT_TRUE(infer_types(c.graph).ok());
  EXPECT_EQ(c.node->output()->type().to_string(), "float[N]");
  for (const bool taken : {true, false}) {
    const auto y = evaluate(c.graph, {{"condition", Tensor::scalar(taken)}, {"x", ramp({2})}});
    ASSERT_TRUE(y.ok()) << to_string(y.diagnostics());
    EXPECT_EQ(values<float>((*y)[0]), taken ? (Floats{2, 4}) : (Floats{-1, -2}));
  }
}

TEST(If, BranchesMayDifferInShapeButNotInType) {
  Graph g;
  Value* condition = g.add_input("condition", scalar(DType::Bool));
  auto branch = [&](Tensor t) {
    auto b = g.make_subgraph("b");
    b->set_outputs({b->add_node(ops::Identity, {b->add_constant(std::move(t))})->output()});
    return b;
  };
  Node* node =
      g.add_node(ops::If, {condition}, {{"then_branch", branch(ramp({2, 3}))}, {"else_branch", branch(ramp({2, 5}))}});
  g.set_outputs({node->output()});
  ASSERT_TRUE(infer_types(g).ok());
  EXPECT_EQ(node->output()->type().to_string(), "float[2,?]");
  Node* wrong = g.add_node(ops::If, {condition},
                           {{"then_branch", branch(ramp({1}))}, {"else_branch", branch(Tensor::scalar<int64_t>(1))}});
  EXPECT_NE(to_string(infer_types(*wrong).diagnostics()).find("different types"), std::string::npos);
}

// sum = sum + iteration while sum < limit; scanned: every sum.
struct Counting {
  explicit Counting(bool with_trips) {
    Value* trips = with_trips ? graph.add_input("trips", scalar(DType::Int64)) : nullptr;
    Value* go = graph.add_constant(Tensor::scalar(true));
    Value* start = graph.add_input("start", scalar(DType::Int64));
    Value* limit = graph.add_input("limit", scalar(DType::Int64));
    auto body = graph.make_subgraph("body");
    Value* iteration = body->add_input("i", Type());
    body->add_input("condition_in", Type());
    Value* sum = body->add_input("sum", scalar(DType::Int64));
    Value* next = body->add_node(ops::Add, {sum, iteration})->output();
    Value* proceed = body->add_node(ops::Less, {next, limit})->output();
    Value* copy = body->add_node(ops::Identity, {next})->output();
    body->set_outputs({proceed, next, copy});
    node = graph.add_node(ops::Loop, {trips, go, start}, {{"body", body}}, {"", ""});
    graph.set_outputs(node->outputs());
  }
  Graph graph;
  Node* node;
};

TEST(Loop, CountsTripsAndCollects) {
  Counting c(true);
  ASSERT_TRUE(infer_types(c.graph).ok());
  EXPECT_EQ(c.node->output(0)->dtype(), DType::Int64);
  EXPECT_EQ(c.node->output(1)->dtype(), DType::Int64);
  auto run = [&](int64_t trips) {
    return evaluate(c.graph, {{"trips", Tensor::scalar(trips)},
                              {"start", Tensor::scalar<int64_t>(10)},
                              {"limit", Tensor::scalar<int64_t>(100)}});
  };
  const auto y = run(4);
  ASSERT_TRUE(y.ok()) << to_string(y.diagnostics());
  EXPECT_EQ((*y)[0], Tensor::scalar<int64_t>(16));
  EXPECT_EQ((*y)[1], (Tensor::vector<int64_t>({10, 11, 13, 16})));
  const auto none = run(0);
  ASSERT_TRUE(none.ok());
  EXPECT_EQ((*none)[0], Tensor::scalar<int64_t>(10));
  EXPECT_EQ((*none)[1].size(), 0);
}

TEST(Loop, StopsOnItsCondition) {
  Counting c(false);
  ASSERT_TRUE(infer_types(c.graph).ok());
  const auto y = evaluate(c.graph, {{"start", Tensor::scalar<int64_t>(0)}, {"limit", Tensor::scalar<int64_t>(5)}});
  ASSERT_TRUE(y.ok()) << to_string(y.diagnostics());
  EXPECT_EQ((*y)[1], (Tensor::vector<int64_t>({0, 1, 3, 6})));
}

// x doubled `trips` times; the body says stop at once.
struct Doubling {
  explicit Doubling(std::vector<Value*> first) {
    x = graph.add_input("x", floats({2}));
    auto body = graph.make_subgraph("body");
    body->add_input("i", Type());
    body->add_input("condition_in", Type());
    Value* state = body->add_input("state", floats({2}));
    Value* stop = body->add_node(ops::Identity, {body->add_constant(Tensor::scalar(false))})->output();
    body->set_outputs({stop, body->add_node(ops::Add, {state, state})->output()});
    first.push_back(x);
    node = graph.add_node(ops::Loop, std::move(first), {{"body", body}});
    graph.set_outputs({node->output()});
  }
  Graph graph;
  Value* x;
  Node* node;
};

// The text of the standard: without a condition operand "cond = ...; // ignored".
TEST(Loop, WithoutAConditionOperandTheBodysIsIgnored) {
  for (const bool with_condition : {false, true}) {
    Doubling loop({nullptr, nullptr});
    loop.node->set_input(0, loop.graph.add_constant(Tensor::scalar<int64_t>(3)));
    if (with_condition) loop.node->set_input(1, loop.graph.add_constant(Tensor::scalar(true)));
    ASSERT_TRUE(infer_types(loop.graph).ok());
    const auto y = evaluate(loop.graph, {{"x", ramp({2})}});
    ASSERT_TRUE(y.ok()) << to_string(y.diagnostics());
    EXPECT_EQ(values<float>((*y)[0]), with_condition ? (Floats{2, 4}) : (Floats{8, 16}));
  }
}

TEST(Loop, RefusesWhatNeverEndsOrIsNotOneValue) {
  Doubling endless({nullptr, nullptr});
  EXPECT_NE(to_string(infer_types(endless.graph).diagnostics()).find("never ends"), std::string::npos);
  Doubling many({nullptr, nullptr});
  many.node->set_input(0, many.graph.add_constant(Tensor::vector<int64_t>({1, 2})));
  EXPECT_NE(to_string(infer_types(many.graph).diagnostics()).find("the trip count must be one value"),
            std::string::npos);
  Doubling hole({nullptr, nullptr});
  hole.node->set_input(0, hole.graph.add_constant(Tensor::scalar<int64_t>(3)));
  hole.node->set_input(2, nullptr);
  EXPECT_NE(to_string(infer_types(hole.graph).diagnostics()).find("required input 'v_initial' is missing"),
            std::string::npos);
}

// What the body declares holds for the first iteration at the latest.
TEST(Loop, RefusesAStateThatTheBodyDoesNotTake) {
  Counting counting(true);
  counting.graph.inputs()[1]->set_type(Type::tensor(DType::Int64, lapis::Shape{2, 3}));
  counting.node->subgraphs()[0]->inputs()[2]->set_type(Type::tensor(DType::Int64, lapis::Shape{4}));
  EXPECT_NE(to_string(infer_types(counting.graph).diagnostics()).find("but the body takes int64[4]"),
            std::string::npos);
}

TEST(Scan, CarriesStateAlongAnAxis) {
  Graph g;
  Value* start = g.add_input("start", floats({2}));
  Value* sequence = g.add_input("sequence", floats({2, N()}));
  auto body = g.make_subgraph("body");
  Value* state = body->add_input("state", Type());
  Value* slice = body->add_input("slice", Type());
  Value* sum = body->add_node(ops::Add, {state, slice})->output();
  body->set_outputs({sum, body->add_node(ops::Identity, {sum})->output()});
  Attributes attributes = {
      {"body", body}, {"num_scan_inputs", int64_t{1}}, {"scan_input_axes", Ints{1}}, {"scan_output_axes", Ints{-1}}};
  Node* node = g.add_node(ops::Scan, {start, sequence}, attributes, {"", ""});
  g.set_outputs(node->outputs());
  ASSERT_TRUE(infer_types(g).ok());
  EXPECT_EQ(slice->type().to_string(), "float[2]");
  EXPECT_EQ(node->output(0)->type().to_string(), "float[2]");
  const auto y = evaluate(g, {{"start", Tensor::vector<float>({10, 20})}, {"sequence", ramp({2, 3})}});
  ASSERT_TRUE(y.ok()) << to_string(y.diagnostics());
  EXPECT_EQ(values<float>((*y)[0]), (Floats{16, 35}));
  EXPECT_EQ((*y)[1], (Tensor::of<float>({2, 3}, {11, 13, 16, 24, 29, 35})));
}

}  // namespace
}  // namespace lapis::testing
