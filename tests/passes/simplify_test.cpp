// Properties that hold for any graph: simplification keeps what is computed, keeps the graph valid, and has nothing
// left to do afterwards.
// What each rule makes of its pattern is in tests/text/passes.
#include "passes/simplify/simplify.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "frontends/onnx/import.h"
#include "ir/infer.h"
#include "ir/ops/ops.h"
#include "ir/printer.h"
#include "ir/structure.h"
#include "ir/verify.h"
#include "passes/pipeline.h"

namespace lapis {
namespace {

// Random graphs of image operators, made so that the rules' patterns are frequent.
class RandomGraph {
 public:
  explicit RandomGraph(unsigned seed) : random_(seed) {
    values_.push_back(graph->add_input("image", Type::tensor(DType::Float32, Shape{2, 4, 6, 6})));
    values_.push_back(graph->add_input("other", Type::tensor(DType::Float32, Shape{2, 4, 6, 6})));
    for (int steps = 4 + below(14); steps > 0; --steps) grow();
    std::vector<Value*> outputs;
    for (int i = 0; i < 2; ++i)
      if (Value* v = values_[values_.size() - 1 - static_cast<size_t>(i)]; v->producer()) outputs.push_back(v);
    if (outputs.size() == 2 && below(2)) outputs.pop_back();
    graph->set_outputs(outputs);
  }

  Feeds feeds() { return {{"image", tensor({2, 4, 6, 6})}, {"other", tensor({2, 4, 6, 6})}}; }
  std::unique_ptr<Graph> graph = std::make_unique<Graph>("random");

 private:
  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  float number() { return static_cast<float>(below(2001) - 1000) / 500.f; }
  Tensor tensor(Shape shape, float offset = 0) {
    Tensor t(DType::Float32, std::move(shape));
    for (float& v : t.mutable_data<float>()) v = number() + offset;
    return t;
  }
  Value* constant(Shape shape, float offset = 0) { return graph->add_constant(tensor(std::move(shape), offset)); }
  Value* ints(std::vector<int64_t> values) { return graph->add_constant(Tensor::vector(std::move(values))); }
  Value* scalar() { return graph->add_constant(Tensor::scalar(number())); }
  // Recent values are more likely, so that chains form.
  Value* any() {
    return values_[values_.size() - 1 - static_cast<size_t>(below(std::min<int>(3, static_cast<int>(values_.size()))))];
  }

  Value* add(const OpDef& op, std::vector<Value*> inputs, Attributes attributes = {}) {
    Node* node = graph->add_node(op, std::move(inputs), std::move(attributes));
    const Status inferred = infer_types(*node);
    EXPECT_TRUE(inferred.ok()) << print(*node) << to_string(inferred.diagnostics());
    return node->output();
  }

  Value* conv(Value* x) {
    const Shape s = x->type().shape();
    const int64_t kernel = 1 + 2 * (below(2) && s[2] >= 3 && s[3] >= 3);
    const bool depthwise = below(2);
    std::vector<Value*> inputs = {x, constant({s[1], depthwise ? 1 : s[1], kernel, kernel})};
    if (below(2)) inputs.push_back(constant({s[1]}));
    Attributes attributes;
    if (depthwise) attributes["group"] = s[1];
    return add(below(4) ? ops::Conv : ops::ConvTranspose, std::move(inputs), std::move(attributes));
  }

  Value* pool(Value* x) {
    const Shape s = x->type().shape();
    const std::vector<int64_t> kernel = {std::min<int64_t>(s[2], 2 + below(6)), std::min<int64_t>(s[3], 2 + below(6))};
    return add(below(2) ? ops::AveragePool : ops::MaxPool, {x}, {{"kernel_shape", kernel}});
  }

  Value* pad(Value* x) {
    std::vector<int64_t> pads(8, 0);
    for (size_t i : {2, 3, 6, 7}) pads[i] = below(2);
    std::vector<Value*> inputs = {x, ints(pads)};
    if (below(3) == 0) inputs.push_back(graph->add_constant(Tensor::scalar(below(2) ? 0.f : -INFINITY)));
    return add(ops::Pad, std::move(inputs));
  }

  Value* norm(Value* x) {
    const int64_t channels = x->type().shape()[1];
    return add(ops::BatchNormalization,
               {x, constant({channels}), constant({channels}), constant({channels}), constant({channels}, 3)});
  }

  Value* transpose(Value* x) {
    const std::vector<std::vector<int64_t>> perms = {{0, 2, 3, 1}, {0, 3, 1, 2}, {0, 1, 3, 2}, {0, 1, 2, 3}};
    return add(ops::Transpose, {x}, {{"perm", perms[static_cast<size_t>(below(4))]}});
  }

  Value* slice(Value* x) {
    const int64_t axis = 1 + below(3), size = x->type().shape()[static_cast<size_t>(axis)];
    if (size < 2) return x;
    const int64_t start = below(2), step = 1 + below(2);
    return add(ops::Slice, {x, ints({start}), ints({size}), ints({axis - (below(2) ? 4 : 0)}), ints({step})});
  }

  Value* bounds(Value* x) {
    const float low = number();
    switch (below(5)) {
      case 0: return add(ops::Relu, {x});
      case 1: return add(ops::Max, {scalar(), x});
      case 2: return add(ops::Min, {x, scalar()});
      case 3: return add(ops::Clip, {x, nullptr, scalar()});
      default:
        return add(ops::Clip,
                   {x, graph->add_constant(Tensor::scalar(low)), graph->add_constant(Tensor::scalar(low + 1))});
    }
  }

  Value* binary(Value* x) {
    const Shape s = x->type().shape();
    const OpDef* const choices[] = {&ops::Add, &ops::Mul, &ops::Sub};
    const OpDef& op = *choices[below(3)];
    Value* with = nullptr;
    switch (below(5)) {
      case 0: with = scalar(); break;
      case 1: with = constant({s[1], 1, 1}); break;
      case 2: with = constant({s[3]}); break;
      case 3: with = any()->type() == x->type() ? any() : scalar(); break;
      default: with = graph->add_constant(Tensor::scalar(below(2) ? 1.f : 0.f)); break;
    }
    if (with->type().ranked() && !with->is_constant() && !(with->type() == x->type())) with = x;
    return below(3) ? add(op, {x, with}) : add(op, {with, x});
  }

  // Shape arithmetic around a Reshape back to four dimensions.
  Value* reshape(Value* x) {
    Value* flat = add(ops::Flatten, {x}, {{"axis", int64_t{below(3)}}});
    Value* shape = add(ops::ShapeOf, {x});
    return add(ops::Reshape, {below(2) ? add(ops::Unsqueeze, {flat, ints({0})}) : flat, shape});
  }

  Value* concat(Value* x) {
    Value* y = add(ops::Concat, {x, below(2) ? x : add(ops::Neg, {x})}, {{"axis", int64_t{1}}});
    const int64_t half = x->type().shape()[1], start = below(2) ? half : 0;
    return below(3) ? add(ops::Slice, {y, ints({start}), ints({start + half}), ints({1})})
                    : add(ops::Slice, {y, ints({0}), ints({half + 1}), ints({1})});
  }

  Value* cast(Value* x) { return add(ops::Cast, {add(ops::Cast, {x}, {{"to", int64_t{11}}})}, {{"to", int64_t{1}}}); }
  Value* quantize(Value* x) {
    Value* scale = graph->add_constant(Tensor::scalar(0.125f));
    Value* zero = graph->add_constant(Tensor::scalar<uint8_t>(128));
    return add(ops::DequantizeLinear, {add(ops::QuantizeLinear, {x, scale, zero}), scale, zero});
  }

  Value* matrices(Value* x) {
    const Shape s = x->type().shape();
    Value* product = add(ops::MatMul, {add(ops::Flatten, {x}), constant({s[1] * s[2] * s[3], 8})});
    Value* sum = below(2) ? add(ops::Add, {product, constant({8})})
                          : add(ops::Mul, {add(ops::Add, {constant({s[0], 8}), product}), scalar()});
    return add(ops::Reshape, {sum, ints({0, 2, 2, 2})});
  }

  Value* branch(Value* x) {
    Node* node = nullptr;
    Attributes branches;
    for (const auto& [name, op] : {std::pair("then_branch", &ops::Neg), std::pair("else_branch", &ops::Relu)}) {
      auto body = graph->make_subgraph(name);
      body->set_outputs({body->add_node(*op, {x})->output()});
      branches.emplace(name, body);
    }
    node = graph->add_node(ops::If, {graph->add_constant(Tensor::scalar(below(2) == 0))}, std::move(branches));
    EXPECT_TRUE(infer_types(*node).ok());
    return node->output();
  }

  Value* expand(Value* x) {
    const Shape s = x->type().shape();
    Value* wide = add(ops::Expand, {constant({s[1], 1, s[3]}), ints(s)});
    Value* means = add(ops::Expand, {add(ops::ReduceMax, {x, ints({2})}), ints(s)});
    return add(ops::Add, {add(ops::Mul, {wide, x}), add(ops::Sigmoid, {means})});
  }

  Value* oddity(Value* x) {
    switch (below(9)) {
      case 7: return expand(x);
      case 0: {
        Node* node = graph->add_node(ops::Dropout, {x}, {}, {"", ""});
        EXPECT_TRUE(infer_types(*node).ok());
        return below(2) ? node->output() : add(ops::Where, {node->output(1), node->output(), x});
      }
      case 1: return add(ops::Concat, {x}, {{"axis", int64_t{-1}}});
      case 2: return add(ops::Split, {x}, {{"num_outputs", int64_t{1}}});
      case 3: return add(ops::Pow, {x, graph->add_constant(Tensor::scalar(2.f))});
      case 4: return add(ops::ReduceMean, {x, ints({-1, 2})});
      case 5: return add(ops::Concat, {add(ops::Concat, {x, x}, {{"axis", int64_t{2}}}), x}, {{"axis", int64_t{-2}}});
      case 6:
        return add(ops::Concat, {add(ops::Transpose, {add(ops::Neg, {x})}), add(ops::Transpose, {x})},
                   {{"axis", int64_t{1}}});
      default: return below(2) ? matrices(x) : branch(x);
    }
  }

  void grow() {
    Value* x = any();
    switch (below(18)) {
      case 16:
      case 17: values_.push_back(oddity(x)); break;
      case 0:
      case 1: values_.push_back(conv(x)); break;
      case 2: values_.push_back(norm(x)); break;
      case 3: values_.push_back(norm(conv(x))); break;
      case 4: values_.push_back(conv(pad(x))); break;
      case 5: values_.push_back(pool(below(2) ? pad(x) : x)); break;
      case 6:
      case 7: values_.push_back(transpose(x)); break;
      case 8: values_.push_back(slice(x)); break;
      case 9: values_.push_back(bounds(x)); break;
      case 10:
      case 11: values_.push_back(binary(x)); break;
      case 12: values_.push_back(reshape(x)); break;
      case 13: values_.push_back(concat(x)); break;
      case 14: values_.push_back(cast(x)); break;
      default: values_.push_back(below(4) ? add(ops::Identity, {x}) : quantize(x)); break;
    }
  }

  std::mt19937 random_;
  std::vector<Value*> values_;
};

// Folding weights rounds differently. Behind a QuantizeLinear the difference may become one step: such graphs are
// compared with that.
void expect_close(const Tensor& a, const Tensor& b, const std::string& what) {
  ASSERT_EQ(a.shape(), b.shape()) << what;
  double largest = 1e-3, difference = 0;
  for (int64_t i = 0; i < a.size(); ++i) {
    const double u = a.as_double(i), v = b.as_double(i);
    if (std::isinf(u) || std::isnan(u)) {
      ASSERT_TRUE(u == v || (std::isnan(u) && std::isnan(v))) << what;
      continue;
    }
    largest = std::max(largest, std::abs(u));
    difference = std::max(difference, std::abs(u - v));
  }
  EXPECT_LE(difference, 1e-5 * largest) << what;
}

bool quantizes(const Graph& graph) {
  for (const Node* node : graph.nodes())
    if (node->is(ops::QuantizeLinear)) return true;
  return false;
}

class RandomGraphs : public ::testing::TestWithParam<unsigned> {};

TEST_P(RandomGraphs, KeepTheirMeaning) {
  for (unsigned i = 0; i < 100; ++i) {
    const unsigned seed = GetParam() * 100 + i;
    RandomGraph random(seed);
    const std::string before = print(*random.graph);
    ASSERT_EQ(to_string(verify(*random.graph)), "") << before;
    const Feeds feeds = random.feeds();
    const auto expected = evaluate(*random.graph, feeds);
    ASSERT_TRUE(expected.ok()) << to_string(expected.diagnostics());

    PassContext context;
    context.explain = [](const Explanation& e) {
      EXPECT_FALSE(e.rule == "rewriting" || e.rule == "simplify") << e.text << ": the measure of simplify.h is wrong";
    };
    const auto simplified = random.graph->clone();
    ASSERT_TRUE(simplify(*simplified, context).ok());
    const std::string what = "seed " + std::to_string(seed) + "\n" + before + "simplified:\n" + print(*simplified);
    ASSERT_EQ(to_string(verify(*simplified)), "") << what;
    const auto actual = evaluate(*simplified, feeds);
    ASSERT_TRUE(actual.ok()) << to_string(actual.diagnostics()) << what;
    if (!quantizes(*random.graph))
      for (size_t o = 0; o < expected->size(); ++o) expect_close((*expected)[o], (*actual)[o], what);
    if (HasFailure()) return;

    const uint64_t once = fingerprint(*simplified);
    ASSERT_TRUE(simplify(*simplified, context).ok());
    ASSERT_EQ(fingerprint(*simplified), once) << "not idempotent: " << what << "again:\n" << print(*simplified);
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, RandomGraphs, ::testing::Range(0u, 10u));

TEST(Simplify, EveryPassAloneKeepsTheMeaning) {
  for (unsigned seed = 5000; seed < 5060; ++seed) {
    for (const Pass& pass : all_passes()) {
      if (pass.name == "quantize") continue;  // needs samples, and rounds: tests/passes/quantize_recipe_test.cpp
      RandomGraph random(seed);
      if (quantizes(*random.graph)) continue;
      const Feeds feeds = random.feeds();
      const auto expected = evaluate(*random.graph, feeds);
      const std::string before = print(*random.graph);
      PassContext context;
      ASSERT_TRUE(pass.run(*random.graph, {}, context).ok());
      const std::string what =
          pass.name + ", seed " + std::to_string(seed) + "\n" + before + "afterwards:\n" + print(*random.graph);
      ASSERT_EQ(to_string(verify(*random.graph)), "") << what;
      const auto actual = evaluate(*random.graph, feeds);
      ASSERT_TRUE(actual.ok()) << what;
      for (size_t o = 0; o < expected->size(); ++o) expect_close((*expected)[o], (*actual)[o], what);
      if (HasFailure()) return;
    }
  }
}

// ---- large graphs ---------------------------------------------------------------------------------------------------

Status simplify_alone(Graph& graph) {
  PassContext context;
  return simplify(graph, context);
}

// 100,000 operators one behind the other: nothing recurses over them, nothing is quadratic.
TEST(LargeGraphs, AChainOfAHundredThousand) {
  Graph graph("chain");
  Value* v = graph.add_input("x", Type::tensor(DType::Float32, Shape{4}));
  const OpDef* const ops[] = {&ops::Sin, &ops::Identity, &ops::Neg, &ops::Tanh};
  for (size_t i = 0; i < 100'000; ++i) v = graph.add_node(*ops[i % 4], {v})->output();
  graph.set_outputs({v});
  ASSERT_TRUE(infer_types(graph).ok());
  ASSERT_TRUE(simplify_alone(graph).ok());
  EXPECT_EQ(graph.node_count(), 75'000u);
  EXPECT_EQ(to_string(verify(graph)), "");
  EXPECT_TRUE(evaluate(*graph.clone(), {{"x", Tensor::vector<float>({1, 2, 3, 4})}}).ok());
}

// One value with 30,000 readers, as many outputs, and a Transpose that sinks below 1,000 operators.
TEST(LargeGraphs, FansAndSinkingOperators) {
  Graph graph("fan");
  Value* x = graph.add_input("x", Type::tensor(DType::Float32, Shape{2, 3}));
  std::vector<Value*> outputs;
  outputs.reserve(30'001);
  for (int i = 0; i < 30'000; ++i)
    outputs.push_back(graph.add_node(ops::Neg, {graph.add_node(ops::Add, {x, x})->output()})->output());
  Value* sinks = graph.add_node(ops::Transpose, {x})->output();
  for (int i = 0; i < 1000; ++i) sinks = graph.add_node(i % 2 ? ops::Sin : ops::Neg, {sinks})->output();
  outputs.push_back(graph.add_node(ops::Transpose, {sinks})->output());
  graph.set_outputs(outputs);
  ASSERT_TRUE(infer_types(graph).ok());
  ASSERT_TRUE(simplify_alone(graph).ok());
  EXPECT_EQ(to_string(verify(graph)), "");
  EXPECT_EQ(graph.outputs().back()->producer()->op().name, "Sin") << "the transposes met at the end";
}

// Each condition follows from the branch before: one round finds them all.
TEST(LargeGraphs, TenThousandBranchesInARow) {
  Graph graph("branches");
  Value* x = graph.add_input("x", Type::tensor(DType::Float32, Shape{2}));
  Value* condition = graph.add_constant(Tensor::scalar(true), "c");
  for (int i = 0; i < 10'000; ++i) {
    Attributes branches;
    for (const char* name : {"then_branch", "else_branch"}) {
      auto body = graph.make_subgraph(name);
      body->set_outputs({body->add_node(ops::Not, {condition})->output()});
      branches.emplace(name, body);
    }
    condition = graph.add_node(ops::If, {condition}, std::move(branches))->output();
  }
  graph.set_outputs({graph.add_node(ops::Where, {condition, x, graph.add_node(ops::Neg, {x})->output()})->output()});
  ASSERT_TRUE(infer_types(graph).ok());
  ASSERT_TRUE(simplify_alone(graph).ok());
  EXPECT_LE(graph.node_count(), 2u);
  EXPECT_EQ(to_string(verify(graph)), "");
}

// Otherwise the tests above would say little.
TEST(Simplify, RandomGraphsMeetEveryRule) {
  std::set<std::string> met = {"fold.parts"};  // of constants that are larger than those of random graphs
  PassContext context;
  context.explain = [&](const Explanation& e) {
    if (e.applied) met.insert(e.rule);
  };
  for (unsigned seed = 0; seed < 1000; ++seed) {
    RandomGraph random(seed);
    ASSERT_TRUE(simplify(*random.graph, context).ok());
  }
  std::string missed;
  for (const Rule& rule : all_rules())
    if (!met.contains(std::string(rule.name))) missed += " " + std::string(rule.name);
  EXPECT_EQ(missed, "");
}

TEST(Simplify, RuleNamesAreUniqueAndDisablingThemWorks) {
  std::set<std::string_view> names;
  PassContext context;
  for (const Rule& rule : all_rules()) {
    EXPECT_TRUE(names.insert(rule.name).second) << rule.name;
    context.disabled_rules.emplace(rule.name);
  }
  context.disabled_rules.insert({"fold.constants", "cse"});
  RandomGraph random(7);
  ASSERT_TRUE(eliminate_dead_code(*random.graph, context).ok());
  const uint64_t before = fingerprint(*random.graph);
  ASSERT_TRUE(simplify(*random.graph, context).ok());
  EXPECT_EQ(fingerprint(*random.graph), before);
}

// Who binds a model to many shapes keeps what they all take parts of, but for readers that need a constant.
TEST(Simplify, PartsOfLargeConstantsFoldByARuleOfTheirOwn) {
  const auto left = [](const char* reader, bool folds_parts) {
    auto graph =
        *parse_onnx_text(std::string("<ir_version: 10, opset_import: [\"\" : 21]> g (float[4,64] x, float[512,64] "
                                     "table) => (y) <int64[1] zero = {0}, int64[1] many = {64}> "
                                     "{ part = Slice(table, zero, many, zero) y = ") +
                             reader + " }",
                         "parts");
    Value* table = graph->find_value("table");
    graph->replace_all_uses(table, graph->add_constant(Tensor(DType::Float32, {512, 64}), "table_"));
    graph->remove_input(table);
    PassContext context;
    if (!folds_parts) context.disabled_rules.insert("fold.parts");
    EXPECT_TRUE(simplify(*graph, context).ok());
    return graph->node_count();
  };
  EXPECT_EQ(left("Concat<axis = 0>(x, part)", true), 1U);
  EXPECT_EQ(left("Concat<axis = 0>(x, part)", false), 2U);
  EXPECT_EQ(left("MatMul(x, part)", false), 1U) << "weights are constants";
}

TEST(Simplify, LargeConstantsDoNotGrow) {
  Graph graph;
  Value* shape = graph.add_constant(Tensor::vector<int64_t>({1024, 1024}));
  Value* x = graph.add_input("x", Type::tensor(DType::Float32, Shape{1024, 1024}));
  Node* wide = graph.add_node(ops::Expand, {graph.add_constant(Tensor::scalar(2.f)), shape});
  graph.set_outputs({graph.add_node(ops::Add, {x, wide->output()})->output()});
  ASSERT_TRUE(infer_types(graph).ok());
  std::vector<std::string> reasons;
  PassContext context;
  context.explain = [&](const Explanation& e) { reasons.push_back(e.text); };
  ASSERT_TRUE(fold_constants(graph, {}, context).ok());
  EXPECT_EQ(graph.node_count(), 2u);
  ASSERT_EQ(reasons.size(), 1u);
  EXPECT_EQ(reasons[0], "the constant would grow from 20 to 4194304 bytes");
}

TEST(Simplify, WeightsStayQuantized) {
  Graph graph;
  Value* w = graph.add_constant(Tensor::vector<int8_t>({1, 2, 3}));
  Value* scale = graph.add_constant(Tensor::scalar(0.5f));
  Value* x = graph.add_input("x", Type::tensor(DType::Float32, Shape{3}));
  Node* real = graph.add_node(ops::DequantizeLinear, {w, scale});
  graph.set_outputs({graph.add_node(ops::Add, {x, real->output()})->output()});
  ASSERT_TRUE(infer_types(graph).ok());
  PassContext context;
  ASSERT_TRUE(simplify(graph, context).ok());
  EXPECT_EQ(graph.node_count(), 2u);
}

}  // namespace
}  // namespace lapis
