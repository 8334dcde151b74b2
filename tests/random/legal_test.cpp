// Whatever simplify makes has code: no rule turns nodes that are compiled into ones that are refused, in the graphs of
// its own tests and in random ones. And each rule was seen at it.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/file.h"
#include "codegen/lower/lower.h"
#include "codegen/lower/op_lowering.h"
#include "frontends/onnx/export.h"
#include "frontends/onnx/import.h"
#include "ir/infer.h"
#include "passes/simplify/simplify.h"
#include "tests/random/graphs/generate.h"

namespace lapis::random_graphs {
namespace {

using Names = std::set<std::string, std::less<>>;

// Operators with the reasons for which nodes of them have no code.
// Values that no code takes, whoever computes them, are one reason.
Names refusals(const Graph& graph) {
  Names found;
  for (const Node* node : graph.nodes()) {
    const auto form = codegen::form_of(*node);
    if (form.ok()) continue;
    const std::string why = form.diagnostics().front().message;
    if (why.starts_with("the shape of"))
      found.insert("a shape that is not known");
    else
      found.insert(why.starts_with("tensors of") ? why : std::string(node->op().name) + ": " + why);
  }
  return found;
}

// A graph that lowers is still one; what has no code had none.
class LegalTest : public ::testing::Test {
 protected:
  void check(Graph& graph, const std::string& name) {
    const Names before = refusals(graph);
    const std::string text = to_onnx_text(graph);
    const bool lowers = codegen::lower(graph, {Target::host()}).ok();
    PassContext context;
    context.explain = [&](const Explanation& e) {
      if (e.applied) applied_.insert(e.rule);
    };
    ASSERT_TRUE(simplify(graph, context).ok()) << name;
    Names added;
    const Names after = refusals(graph);
    std::set_difference(after.begin(), after.end(), before.begin(), before.end(), std::inserter(added, added.end()));
    EXPECT_EQ(added, Names()) << name << ":\n" << text << "became\n" << to_onnx_text(graph);
    if (!lowers) return;
    ++lowered_;
    const auto plan = codegen::lower(graph, {Target::host()});
    EXPECT_TRUE(plan.ok()) << name << ":\n"
                           << text << "became\n"
                           << to_onnx_text(graph) << to_string(plan.diagnostics());
  }

  Names applied_;
  int lowered_ = 0;
};

TEST_F(LegalTest, EveryRuleOnTheGraphsOfItsOwnTests) {
  for (const auto& entry : std::filesystem::directory_iterator(LAPIS_SOURCE_DIR "/tests/text/passes")) {
    const std::string text = *read_file(entry.path());
    const auto graph = parse_onnx_text(text.substr(0, text.find("# ---- expect")), entry.path().filename().string());
    ASSERT_TRUE(graph.ok()) << entry.path() << to_string(graph.diagnostics());
    std::map<std::string, int64_t> extents;
    for (const std::string& symbol : free_symbols(**graph)) extents[symbol] = 3;
    ASSERT_TRUE(bind_symbols(**graph, extents).ok()) << entry.path();
    check(**graph, entry.path().filename().string());
  }
  EXPECT_GT(lowered_, 20);
  applied_.insert("fold.parts");  // what it does for nodes that other rules made, folding does for a model as it comes
  for (const Rule& rule : all_rules())
    EXPECT_TRUE(applied_.contains(rule.name)) << rule.name << " has no test in tests/text/passes";
}

TEST_F(LegalTest, RandomGraphs) {
  for (uint64_t seed = 0; seed < 1500; ++seed) {
    const Kind kind = seed % 4 == 3 ? Kind::Qdq : Kind::Float;
    const Sample sample = draw_graph(seed, kind);
    if (sample.invalid || sample.huge || !bind_symbols(*sample.graph, sample.dims).ok()) continue;
    check(*sample.graph, "seed " + std::to_string(seed));
  }
  EXPECT_GT(lowered_, 200);
}

}  // namespace
}  // namespace lapis::random_graphs
