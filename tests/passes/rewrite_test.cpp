#include "ir/rewrite.h"

#include <gtest/gtest.h>

#include "ir/infer.h"
#include "ir/match.h"
#include "ir/ops/ops.h"
#include "ir/printer.h"
#include "ir/verify.h"

namespace lapis {
namespace {

using namespace pattern;

Type vector_type() { return Type::tensor(DType::Float32, Shape{4}); }
Tensor filled(float v) { return Tensor::vector<float>({v, v, v, v}); }

struct Chain {  // d = Neg(Add(Relu(x), c))
  Chain() {
    x = graph.add_input("x", vector_type());
    c = graph.add_constant(filled(2), "c");
    relu = graph.add_node(ops::Relu, {x}, {}, {"a"});
    add = graph.add_node(ops::Add, {relu->output(), c}, {}, {"b"});
    neg = graph.add_node(ops::Neg, {add->output()}, {}, {"d"});
    graph.set_outputs({neg->output()});
    EXPECT_TRUE(infer_types(graph).ok());
  }
  Graph graph{"chain"};
  Value *x, *c;
  Node *relu, *add, *neg;
};

TEST(Match, CapturesOperandsInEitherOrder) {
  Chain g;
  Value *v = nullptr, *k = nullptr;
  Node* relu = nullptr;
  EXPECT_TRUE(match(*g.add->output(), commutative(ops::Add, constant(k), once(op(ops::Relu, bind(v)).as(relu)))));
  EXPECT_EQ(v, g.x);
  EXPECT_EQ(k, g.c);
  EXPECT_EQ(relu, g.relu);
}

TEST(Match, OperandsNotListedMustBeAbsent) {
  Chain g;
  Value* v;
  EXPECT_FALSE(match(*g.add->output(), op(ops::Add, bind(v))));
  EXPECT_TRUE(match(*g.add->output(), op(ops::Add, bind(v)).rest()));
}

TEST(Match, OptionalOperandMayBeAbsentButMustMatch) {
  Graph graph;
  Value* x = graph.add_input("x", vector_type());
  Value* low = graph.add_constant(Tensor::scalar(0.f));
  Node* open = graph.add_node(ops::Clip, {x});
  Node* bounded = graph.add_node(ops::Clip, {x, low, x});
  Value* v;
  double bound = -1;
  EXPECT_TRUE(match(*open->output(), op(ops::Clip, bind(v), optional(scalar(bound)), optional(scalar(bound)))));
  EXPECT_EQ(bound, -1);
  EXPECT_FALSE(match(*bounded->output(), op(ops::Clip, bind(v), optional(scalar(bound)), optional(scalar(bound)))))
      << "x is no scalar constant";
}

TEST(Match, OnceRefusesSharedValuesAndGraphOutputs) {
  Chain g;
  Value* v;
  EXPECT_TRUE(match(*g.relu->output(), once(op(ops::Relu, bind(v)))));
  g.graph.add_node(ops::Abs, {g.relu->output()});
  EXPECT_FALSE(match(*g.relu->output(), once(op(ops::Relu, bind(v)))));
  EXPECT_FALSE(match(*g.neg->output(), once(op(ops::Neg, bind(v)))));
}

TEST(Match, SameComparesWithAnEarlierCapture) {
  Graph graph;
  Value* x = graph.add_input("x", vector_type());
  Value* y = graph.add_input("y", vector_type());
  Value* v;
  EXPECT_TRUE(match(*graph.add_node(ops::Mul, {x, x})->output(), op(ops::Mul, bind(v), same(v))));
  EXPECT_FALSE(match(*graph.add_node(ops::Mul, {x, y})->output(), op(ops::Mul, bind(v), same(v))));
}

TEST(Match, DoesNotLookOutOfASubgraph) {
  Chain g;
  auto body = g.graph.make_subgraph("body");
  Node* inner = body->add_node(ops::Neg, {g.relu->output()});
  Value* v;
  EXPECT_TRUE(match(*inner->output(), op(ops::Neg, bind(v))));
  EXPECT_FALSE(match(*inner->output(), op(ops::Neg, op(ops::Relu, bind(v)))));
}

TEST(Graph, EveryEditIsARevision) {
  Chain g;
  uint64_t last = g.graph.revision();
  const auto expect_edit = [&](const char* what) {
    EXPECT_GT(g.graph.revision(), last) << what;
    last = g.graph.revision();
  };
  Value* more = g.graph.add_constant(filled(3), "more");
  expect_edit("a constant");
  Node* exp = g.graph.add_node(ops::Exp, {more}, {}, {"e"});
  expect_edit("a node");
  exp->output()->set_type(vector_type());
  expect_edit("a type");
  exp->output()->set_type(vector_type());
  EXPECT_EQ(g.graph.revision(), last) << "the type that it has";
  exp->set_input(0, g.c);
  expect_edit("an operand");
  exp->set_input(0, g.c);
  EXPECT_EQ(g.graph.revision(), last) << "the operand that it has";
  exp->set_attribute("a", int64_t{1});
  expect_edit("an attribute");
  exp->remove_attribute("a");
  expect_edit("an attribute less");
  g.graph.rename(more, "other");
  expect_edit("a name");
  g.graph.move_before(exp, g.relu);
  expect_edit("a place");
  g.graph.set_outputs({exp->output()});
  expect_edit("the outputs");
  g.graph.set_output(0, g.neg->output());
  expect_edit("an output");
  g.graph.replace_all_uses(g.c, more);
  expect_edit("the users of a value");
  g.graph.erase(exp);
  expect_edit("a node less");
  g.graph.erase(g.c);
  expect_edit("a constant less");
}

TEST(Graph, ARevisionIsThatOfTheWholeModel) {
  Graph graph;
  Value* condition = graph.add_input("condition", Type::tensor(DType::Bool, Shape{}));
  const auto body = graph.make_subgraph("body");
  graph.add_node(ops::If, {condition}, {{"then_branch", body}});
  const uint64_t before = graph.revision();
  body->add_constant(filled(1));
  EXPECT_GT(graph.revision(), before);
  EXPECT_EQ(body->revision(), graph.revision());
}

TEST(Graph, ABodyThatNobodyHoldsLeavesNothingBehind) {
  Graph graph;
  Value* x = graph.add_input("x", vector_type());
  {
    const auto body = graph.make_subgraph("body");
    const auto inner = body->make_subgraph("inner");
    Value* y = body->add_input("y", vector_type());
    Value* w = body->add_constant(filled(1), "w");
    Node* sum = body->add_node(ops::Add, {y, x}, {}, {"sum"});
    inner->set_outputs({inner->add_node(ops::Add, {sum->output(), w}, {}, {"z"})->output()});
    Value* c = body->add_input("c", Type::tensor(DType::Bool, Shape{}));
    body->add_node(ops::If, {c}, {{"then_branch", inner}}, {"chosen"});
    EXPECT_EQ(x->uses().size(), 1u);
  }
  EXPECT_TRUE(x->unused());
  for (const char* name : {"y", "w", "sum", "z", "c", "chosen"})
    EXPECT_EQ(graph.add_constant(filled(1), name)->name(), name) << "the name is free";
}

TEST(Rewriter, WhatIsTakenBackIsNoEdit) {
  Chain g;
  const uint64_t before = g.graph.revision();
  {
    Rewriter rewriter(*g.neg);
    rewriter.add(ops::Exp, {rewriter.constant(filled(1))});
    EXPECT_GT(g.graph.revision(), before);
  }
  EXPECT_EQ(g.graph.revision(), before);
  {
    Rewriter rewriter(*g.neg);
    EXPECT_TRUE(rewriter.replace(*g.neg->output(), rewriter.add(ops::Exp, {g.relu->output()})));
  }
  EXPECT_GT(g.graph.revision(), before);
}

TEST(Rewriter, ReplacementsInheritNameTypeAndOrigins) {
  Chain g;
  Rewriter rw(*g.add);
  EXPECT_TRUE(rw.replace(*g.add->output(), rw.add(ops::Max, {g.x, g.c})));
  EXPECT_EQ(to_string(verify(g.graph)), "");
  EXPECT_EQ(print(g.graph),
            "chain (float[4] x) => (float[4] d) {\n  c = float[4] {2, 2, 2, 2}\n  b = Max(x, c)  # float[4]\n  d = "
            "Neg(b)  # float[4]\n}\n");
  EXPECT_EQ(g.neg->input(0)->producer()->origin(), "a + b") << "the Relu is dead and its origin lives on";
}

TEST(Rewriter, OneOfSeveralNodesHasTheNameOfTheOneTheyReplace) {
  Graph graph;
  Value* x = graph.add_input("x", vector_type());
  Node* top = graph.add_node(ops::Split, {x}, {{"num_outputs", int64_t{2}}}, {"a", "b"}, nullptr, "split");
  graph.set_outputs({top->output(0), top->output(1)});
  ASSERT_TRUE(infer_types(graph).ok());
  Rewriter rw(*top);
  Value *a = rw.add(ops::Slice, {x, rw.ints({0}), rw.ints({2})}),
        *b = rw.add(ops::Slice, {x, rw.ints({2}), rw.ints({4})});
  ASSERT_TRUE(rw.replace({{top->output(0), a}, {top->output(1), b}}));
  EXPECT_EQ(graph.outputs()[0]->producer()->name(), "split");
  EXPECT_NE(graph.outputs()[1]->producer()->name(), "split");
  EXPECT_EQ(graph.outputs()[1]->name(), "b");
}

TEST(Rewriter, GraphOutputsKeepTheirNames) {
  Chain g;
  Rewriter rw(*g.neg);
  EXPECT_TRUE(rw.replace(*g.neg->output(), g.add->output()));
  EXPECT_EQ(g.graph.outputs()[0]->name(), "d");
  EXPECT_EQ(g.graph.outputs()[0], g.add->output());
  EXPECT_EQ(to_string(verify(g.graph)), "");
}

TEST(Rewriter, AnIdentityNamesOutputsThatAreInputsOrConstants) {
  for (const bool to_constant : {false, true}) {
    Chain g;
    Rewriter rw(*g.neg);
    Value* with = to_constant ? g.c : g.x;
    EXPECT_TRUE(rw.replace(*g.neg->output(), with));
    ASSERT_EQ(g.graph.node_count(), 1u);
    Node* identity = g.graph.outputs()[0]->producer();
    EXPECT_TRUE(identity->is(ops::Identity));
    EXPECT_EQ(identity->output()->name(), "d");
    EXPECT_FALSE(Rewriter(*identity).replace(*identity->output(), with)) << "nothing is left to do";
    EXPECT_EQ(to_string(verify(g.graph)), "");
  }
}

TEST(Rewriter, FoldComputesConstants) {
  Chain g;
  Rewriter rw(*g.neg);
  Value* product = rw.fold(ops::Mul, {g.c, rw.scalar(3, DType::Float32)});
  EXPECT_EQ(product->constant(), filled(6));
  EXPECT_EQ(rw.reshape(product, {2, -1})->constant().shape(), (Shape{2, 2}));
}

// ---- what cannot be -------------------------------------------------------------------------------------------------

// A rule that goes wrong leaves the graph as it was and says why.
void expect_taken_back(bool (*wrong)(Value& y, Rewriter& rw), const std::string& reason) {
  Chain g;
  const std::string before = print(g.graph);
  const size_t constants = g.graph.constants().size();
  std::vector<Explanation> said;
  const Rule rules[] = {{"test.wrong", wrong}};
  EXPECT_EQ(apply_rules(g.graph, rules, {{}, [&](const Explanation& e) { said.push_back(e); }}), 0u);
  EXPECT_EQ(print(g.graph), before);
  EXPECT_EQ(g.graph.constants().size(), constants);
  EXPECT_EQ(to_string(verify(g.graph)), "");
  ASSERT_EQ(said.size(), 1u);
  EXPECT_FALSE(said[0].applied);
  EXPECT_EQ(said[0].where, "node 'd' (Neg)");
  EXPECT_NE(said[0].text.find("it would make what cannot be"), std::string::npos) << said[0].text;
  EXPECT_NE(said[0].text.find(reason), std::string::npos) << said[0].text;
}

TEST(Rewriter, AnotherTypeIsNoReplacement) {
  expect_taken_back(
      [](Value& y, Rewriter& rw) {
        return y.producer()->is(ops::Neg) && rw.replace(y, rw.constant(Tensor::scalar(1.f)));
      },
      "float[] in the place of 'd', which is float[4]");
}

TEST(Rewriter, OperandsThatDoNotFitMakeNoNode) {
  expect_taken_back(
      [](Value& y, Rewriter& rw) {
        if (!y.producer()->is(ops::Neg)) return false;
        Value* sum = rw.add(ops::Add, {y.producer()->input(0), rw.constant(Tensor::vector<float>({1, 2, 3}))});
        return rw.replace(y, rw.add(ops::Relu, {sum}));  // the stand-in is used as if it were a value
      },
      "cannot broadcast");
}

TEST(Rewriter, TypesThatNoOperatorTakesMakeNoNode) {
  expect_taken_back(
      [](Value& y, Rewriter& rw) {
        return y.producer()->is(ops::Neg) &&
               rw.replace(y, rw.add(ops::And, {y.producer()->input(0), y.producer()->input(0)}));
      },
      "allowed are bool");
}

TEST(Rewriter, ConstantsThatCannotBeComputedMakeNothing) {
  expect_taken_back(
      [](Value& y, Rewriter& rw) {
        if (!y.producer()->is(ops::Neg)) return false;
        Value* sum = rw.fold(ops::Add, {rw.constant(filled(1)), rw.constant(Tensor::vector<float>({1, 2, 3}))});
        return rw.replace(y, rw.add(ops::Add, {y.producer()->input(0), rw.reshape(sum, {2, 7})}));
      },
      "Add: ");
}

TEST(Rewriter, ReplacesAllOrNone) {
  Graph graph;
  Value* x = graph.add_input("x", vector_type());
  Node* split = graph.add_node(ops::Split, {x}, {{"axis", int64_t{0}}, {"num_outputs", int64_t{2}}}, {"a", "b"});
  graph.set_outputs({split->output(0), split->output(1)});
  ASSERT_TRUE(infer_types(graph).ok());
  Rewriter rw(*split, "test.half");
  Value* half = rw.constant(Tensor::vector<float>({1, 2}));
  EXPECT_FALSE(rw.replace({{split->output(0), half}, {split->output(1), x}})) << "x is longer than b";
  EXPECT_FALSE(rw.changed());
  EXPECT_EQ(to_string(verify(graph)), "");
  EXPECT_EQ(graph.outputs()[0], split->output(0));
}

TEST(Rewriter, WhatIsNotUsedGoesWithIt) {
  Chain g;
  { Rewriter(*g.neg).add(ops::Relu, {g.x}); }
  EXPECT_EQ(g.graph.node_count(), 3u);
}

// Neg(Neg(x))  =>  x
bool cancel_negations(Value& y, Rewriter& rw) {
  Value* x;
  return match(y, op(ops::Neg, op(ops::Neg, bind(x)))) && rw.replace(y, x);
}

TEST(ApplyRules, RunsToTheFixpoint) {
  Graph graph;
  Value* v = graph.add_input("x", vector_type());
  for (int i = 0; i < 101; ++i) v = graph.add_node(ops::Neg, {v})->output();
  graph.set_outputs({v});
  ASSERT_TRUE(infer_types(graph).ok());
  const Rule rules[] = {{"test.cancel", cancel_negations}};
  EXPECT_EQ(apply_rules(graph, rules), 50u);
  EXPECT_EQ(graph.node_count(), 1u);
  EXPECT_EQ(apply_rules(graph, rules), 0u);
  EXPECT_EQ(to_string(verify(graph)), "");
}

TEST(ApplyRules, DisabledRulesAreLeftOut) {
  Graph graph;
  Value* x = graph.add_input("x", vector_type());
  Node* outer = graph.add_node(ops::Neg, {graph.add_node(ops::Neg, {x})->output()});
  graph.set_outputs({outer->output()});
  ASSERT_TRUE(infer_types(graph).ok());
  const Rule rules[] = {{"test.cancel", cancel_negations}};
  EXPECT_EQ(apply_rules(graph, rules, {{"test.cancel"}, {}}), 0u);
}

// Relu(x)  =>  Relu(x), again and again
bool spin(Value& y, Rewriter& rw) {
  Value* x;
  return match(y, op(ops::Relu, bind(x))) && rw.replace(y, rw.add(ops::Relu, {x}));
}

TEST(ApplyRules, RulesThatUndoEachOtherStopAndSayIt) {
  Chain g;
  const Rule rules[] = {{"test.spin", spin}};
  std::vector<Explanation> said;
  const size_t applied = apply_rules(g.graph, rules, {{}, [&](const Explanation& e) {
                                                        if (!e.applied) said.push_back(e);
                                                      }});
  EXPECT_GE(applied, 1000u);
  EXPECT_EQ(to_string(verify(g.graph)), "");
  EXPECT_EQ(g.graph.node_count(), 3u);
  ASSERT_EQ(said.size(), 1u);
  EXPECT_NE(said[0].text.find("the graph is valid as it is: these rules undo each other: test.spin"), std::string::npos)
      << said[0].text;
}

TEST(ApplyRules, OneBudgetLastsForManyCalls) {
  Chain g;
  const Rule rules[] = {{"test.spin", spin}};
  RewriteBudget budget(g.graph);
  RewriteOptions options;
  options.budget = &budget;
  EXPECT_GT(apply_rules(g.graph, rules, options), 0u);
  EXPECT_TRUE(budget.exhausted());
  EXPECT_EQ(apply_rules(g.graph, rules, options), 0u);
}

TEST(ApplyRules, ExplainsWhatItDidAndWhatItDidNot) {
  Chain g;
  const Rule rules[] = {
      {"test.refuse", [](Value& y, Rewriter& rw) { return y.producer()->is(ops::Relu) && rw.skip(y, "not today"); }},
      {"test.square", [](Value& y, Rewriter& rw) {
         Value* x;
         return match(y, op(ops::Neg, bind(x))) && rw.replace(y, rw.add(ops::Abs, {x}));
       }}};
  std::vector<Explanation> said;
  apply_rules(g.graph, rules, {{}, [&](const Explanation& e) { said.push_back(e); }});
  ASSERT_EQ(said.size(), 2u);
  EXPECT_EQ(said[0].where + ": " + said[0].text, "node 'a' (Relu): not today");
  EXPECT_FALSE(said[0].applied);
  EXPECT_EQ(said[1].rule + " " + said[1].text, "test.square d = Neg(b: float[4])");
  EXPECT_TRUE(said[1].applied);
}

}  // namespace
}  // namespace lapis
