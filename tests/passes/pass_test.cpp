#include "passes/pass.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>

#include "ir/infer.h"
#include "ir/ops/ops.h"
#include "ir/printer.h"
#include "passes/pipeline.h"

namespace lapis {
namespace {

std::unique_ptr<Graph> example() {
  auto graph = std::make_unique<Graph>("example");
  Value* x = graph->add_input("x", Type::tensor(DType::Float32, Shape{4}));
  Node* relu = graph->add_node(ops::Relu, {graph->add_node(ops::Identity, {x}, {}, {"same"})->output()}, {}, {"y"});
  graph->set_outputs({relu->output()});
  EXPECT_TRUE(infer_types(*graph).ok());
  return graph;
}

Status write_text(const Graph& graph, const Path& path) { return write_file(path, print(graph)); }

Status do_nothing(Graph&, PassContext&) { return ok(); }
Status break_graph(Graph& graph, PassContext&) {
  graph.set_outputs({});
  return ok();
}
Status blame_the_model(Graph&, PassContext&) { return error(ErrorKind::Mismatch, "cannot be quantized"); }

struct Directory {
  Directory() : path(std::filesystem::temp_directory_path() / ("lapis_pass_test_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path);
  }
  ~Directory() { std::filesystem::remove_all(path); }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }
  Path path;
};

TEST(PassRunner, ReportsTimeNodesAndChange) {
  auto graph = example();
  PassContext context;
  auto pipeline = parse_pipeline("dce,canonicalize,canonicalize");
  ASSERT_TRUE(pipeline.ok());
  auto reports = PassRunner({}).run(*graph, *pipeline, context);
  ASSERT_TRUE(reports.ok()) << to_string(reports.diagnostics());
  ASSERT_EQ(reports->size(), 3u);
  EXPECT_FALSE((*reports)[0].changed);
  EXPECT_TRUE((*reports)[1].changed);
  EXPECT_EQ((*reports)[1].nodes_before, 2u);
  EXPECT_EQ((*reports)[1].nodes_after, 1u);
  EXPECT_FALSE((*reports)[2].changed) << "idempotent";
  EXPECT_GE((*reports)[1].seconds, 0);
}

TEST(PassRunner, DumpsEachStage) {
  Directory directory;
  auto graph = example();
  PassContext context;
  PassRunnerOptions options;
  options.dump_directory = directory.path;
  options.dump = write_text;
  ASSERT_TRUE(PassRunner(options).run(*graph, *parse_pipeline("dce,canonicalize"), context).ok());
  EXPECT_EQ(directory.files(), (std::vector<std::string>{"00-input.onnx", "01-dce.onnx", "02-canonicalize.onnx"}));
  EXPECT_NE(read_file(directory.path / "01-dce.onnx")->find("Identity"), std::string::npos);
  EXPECT_EQ(read_file(directory.path / "02-canonicalize.onnx")->find("Identity"), std::string::npos);
}

TEST(PassRunner, PrintsOnlyChanges) {
  auto graph = example();
  PassContext context;
  std::string printed;
  PassRunnerOptions options;
  options.print_on_change = true;
  options.output = [&](std::string_view text) { printed += text; };
  ASSERT_TRUE(PassRunner(options).run(*graph, *parse_pipeline("dce,canonicalize,cse"), context).ok());
  EXPECT_EQ(printed, "# after canonicalize\nexample (float[4] x) => (float[4] y) {\n  y = Relu(x)  # float[4]\n}\n");
}

TEST(PassRunner, StopsAfterANamedPass) {
  auto graph = example();
  PassContext context;
  PassRunnerOptions options;
  options.stop_after = "dce";
  auto reports = PassRunner(options).run(*graph, *parse_pipeline("dce,canonicalize"), context);
  ASSERT_TRUE(reports.ok());
  EXPECT_EQ(reports->size(), 1u);
  EXPECT_EQ(graph->node_count(), 2u);
  options.stop_after = "dcee";
  auto failed = PassRunner(options).run(*graph, *parse_pipeline("dce"), context);
  ASSERT_FALSE(failed.ok());
  EXPECT_NE(to_string(failed.diagnostics()).find("did you mean 'dce'? known are dce"), std::string::npos);
}

TEST(PassRunner, RefusesAnInvalidGraph) {
  auto graph = example();
  graph->set_outputs({});
  PassContext context;
  auto reports = PassRunner({}).run(*graph, *parse_pipeline("dce"), context);
  ASSERT_FALSE(reports.ok());
  EXPECT_NE(to_string(reports.diagnostics()).find("has no outputs"), std::string::npos);
}

TEST(PassRunner, ErrorsOfAPassReachTheCaller) {
  auto graph = example();
  PassContext context;
  auto reports = PassRunner({}).run(*graph, {{"blame", "fails", blame_the_model}}, context);
  ASSERT_FALSE(reports.ok());
  EXPECT_EQ(reports.diagnostics()[0].kind, ErrorKind::Mismatch);
}

TEST(PassRunner, ABrokenInvariantIsACrashThatHoldsTheModel) {
  auto graph = example();
  const std::string before = print(*graph);
  PassContext context;
  const Pipeline pipeline = {{"idle", "nothing", do_nothing}, {"breaker", "breaks", break_graph}};
  for (const bool keep : {false, true}) {
    graph = example();
    PassRunnerOptions options;
    options.keep_model = keep;
    try {
      (void)PassRunner(options).run(*graph, pipeline, context);
      FAIL() << "the broken graph was accepted";
    } catch (const Crash& crash) {
      EXPECT_EQ(crash.step(), "pass 'breaker'");
      EXPECT_NE(std::string(crash.what()).find("the graph is broken now"), std::string::npos) << crash.what();
      EXPECT_EQ(crash.model() != nullptr, keep);
      if (keep) EXPECT_EQ(print(*crash.model()), before) << "the graph as it was before the pass";
    }
  }
}

TEST(PassRunner, ExplainsEachThingOnce) {
  auto graph = example();
  int applied = 0;
  PassContext context;
  context.explain = [&](const Explanation& e) { applied += e.applied && e.rule == "no-op.identity"; };
  ASSERT_TRUE(PassRunner({}).run(*graph, *parse_pipeline("simplify,simplify"), context).ok());
  EXPECT_EQ(applied, 1);
}

TEST(Pipeline, NamesAreUniqueAndContractsGiven) {
  std::set<std::string> names;
  for (const Pass& pass : all_passes()) {
    EXPECT_TRUE(names.insert(pass.name).second) << pass.name;
    EXPECT_GT(pass.contract.size(), 10u) << pass.name;
  }
}

// Of every family, so that whatever --explain names can be disabled.
TEST(Pipeline, RuleNamesAreComplete) {
  const std::vector<std::string> names = rule_names();
  for (const char* rule : {"cse", "fold.constants", "no-op.cast", "control.known-if", "integer.cancel-pair",
                           "integer.requantize-conv", "integer.average-windows", "integer.dequantize-constant"})
    EXPECT_NE(std::find(names.begin(), names.end(), rule), names.end()) << rule;
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
}

TEST(Pipeline, UnknownNamesAreAllReportedWithTheKnownOnes) {
  const auto pipeline = parse_pipeline("simplify,fold,dcee");
  ASSERT_FALSE(pipeline.ok());
  EXPECT_EQ(pipeline.diagnostics().size(), 2u);
  EXPECT_NE(to_string(pipeline.diagnostics()).find("did you mean 'dce'? known are simplify, fold-constants"),
            std::string::npos);
}

TEST(Pipeline, OptionsAreSetByName) {
  const auto pipeline = parse_pipeline("fold-constants{growth=0}, dce ,simplify{ growth = 12 }");
  ASSERT_TRUE(pipeline.ok()) << to_string(pipeline.diagnostics());
  ASSERT_EQ(pipeline->size(), 3u);
  EXPECT_EQ((*pipeline)[0].set, (Options{{"growth", "0"}}));
  EXPECT_EQ((*pipeline)[1].set, Options{});
  EXPECT_EQ((*pipeline)[2].set, (Options{{"growth", "12"}}));
}

TEST(Pipeline, OptionsReachThePass) {
  const auto folded = [](const char* passes) {
    Graph graph("example");
    Value* x = graph.add_input("x", Type::tensor(DType::Float32, Shape{64}));
    Value* wide = graph
                      .add_node(ops::Expand, {graph.add_constant(Tensor::scalar(2.f)),
                                              graph.add_constant(Tensor::vector<int64_t>({64}))})
                      ->output();
    graph.set_outputs({graph.add_node(ops::Div, {x, wide})->output()});
    EXPECT_TRUE(infer_types(graph).ok());
    PassContext context;
    EXPECT_TRUE(PassRunner({}).run(graph, *parse_pipeline(passes), context).ok());
    return graph.node_count() == 1;
  };
  EXPECT_TRUE(folded("fold-constants"));
  EXPECT_FALSE(folded("fold-constants{growth=16}"));
  EXPECT_TRUE(folded("fold-constants{growth=1024}"));
}

TEST(Pipeline, WrongOptionsAreAllReported) {
  const auto findings = [](const char* passes) {
    const auto pipeline = parse_pipeline(passes);
    return pipeline.ok() ? std::string("accepted") : to_string(pipeline.diagnostics());
  };
  const auto expect = [&](const char* passes, const char* finding) {
    EXPECT_NE(findings(passes).find(finding), std::string::npos) << findings(passes);
  };
  expect("fold-constants{grwth=1}", "there is no option 'grwth' of the pass 'fold-constants'");
  expect("fold-constants{grwth=1}", "did you mean 'growth'?");
  expect("dce{growth=1}", "the pass has no options");
  expect("simplify{growth=much}", "the option 'growth' of the pass 'simplify' is a whole number from 0 on, not 'much'");
  expect("simplify{growth=-1}", "not '-1'");
  expect("simplify{growth=1,growth=2}", "is set twice");
  expect("simplify{growth}", "'growth' is no option of the form name=value");
  expect("simplify{growth=1", "the options of 'simplify' do not end");
  expect("simplify{growth=1}dce", "'dce' stands behind the options of 'simplify'");
  EXPECT_EQ(parse_pipeline("dcee,simplify{a=1,b=2}").diagnostics().size(), 3u);
}

}  // namespace
}  // namespace lapis
