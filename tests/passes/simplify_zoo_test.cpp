// What simplify leaves of real models. The node counts are printed: they are the material of docs/passes.md.
#include <gtest/gtest.h>

#include <chrono>
#include <iostream>
#include <map>

#include "frontends/onnx/import.h"
#include "ir/infer.h"
#include "ir/structure.h"
#include "passes/pipeline.h"

namespace lapis {
namespace {

using Counts = std::map<std::string, int>;

Counts count_operators(Graph& graph) {
  Counts counts;
  for_each_graph(graph, [&](Graph& g) {
    for (const Node* node : g.nodes()) ++counts[std::string(node->op().name)];
  });
  return counts;
}

// The path of a zoo model, or an empty one if it is not on this machine.
Path zoo(const std::string& name) {
  const char* extra = std::getenv("LAPIS_EXTRA_MODELS");
  for (const Path& folder : {Path(LAPIS_SOURCE_DIR) / "../shared/zoo", Path(extra ? extra : "/nonexistent")})
    if (std::filesystem::exists(folder / name)) return folder / name;
  return {};
}

Counts simplified(const Path& model, const std::map<std::string, Shape>& shapes) {
  auto graph = import_onnx(model);
  EXPECT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  if (!graph.ok()) return {};
  const Status bound = bind_shapes(**graph, shapes);
  EXPECT_TRUE(bound.ok()) << to_string(bound.diagnostics());
  const size_t before = total_node_count(**graph);
  PassContext context;
  const auto reports = PassRunner({}).run(**graph, *parse_pipeline("simplify,simplify"), context);
  EXPECT_TRUE(reports.ok()) << to_string(reports.diagnostics());
  if (!reports.ok()) return {};
  EXPECT_FALSE((*reports)[1].changed) << "simplify is not idempotent";
  const Counts left = count_operators(**graph);
  std::cout << model.filename().string() << ": " << before << " -> " << total_node_count(**graph) << " nodes in "
            << (*reports)[0].seconds << " s;";
  for (const auto& [op, count] : left) std::cout << " " << op << " " << count;
  std::cout << "\n";
  return left;
}

void expect_none(const Counts& left, const std::vector<std::string>& operators) {
  for (const std::string& op : operators) EXPECT_FALSE(left.contains(op)) << left.at(op) << " " << op << " left";
}

const std::vector<std::string> kShapeArithmetic = {"Shape",   "Gather", "Concat",   "Slice",           "Unsqueeze",
                                                   "Squeeze", "Cast",   "Constant", "ConstantOfShape", "Range",
                                                   "Expand",  "Where",  "Equal",    "Identity"};

TEST(SimplifyZoo, EfficientNetLite0) {
  const Path model = zoo("efficientnet-lite0/efficientnet-lite0.onnx");
  if (model.empty()) GTEST_SKIP() << "../shared/zoo is missing";
  for (const auto& shapes : {std::map<std::string, Shape>{}, {{"input", {1, 3, 224, 224}}}}) {
    const Counts left = simplified(model, shapes);
    expect_none(left, kShapeArithmetic);
    expect_none(left, {"Pad", "BatchNormalization", "Flatten", "ReduceMean"});
  }
}

TEST(SimplifyZoo, ResNet20) {
  const Path model = zoo("resnet20-cifar10/resnet20.onnx");
  if (model.empty()) GTEST_SKIP() << "../shared/zoo is missing";
  const Counts left = simplified(model, {});
  expect_none(left, {"BatchNormalization", "Shape", "Gather", "Concat", "Constant", "Identity", "Flatten"});
}

TEST(SimplifyZoo, MiniLmWithBoundShapes) {
  const Path model = zoo("minilm-l3/paraphrase-MiniLM-L3-v2.onnx");
  if (model.empty()) GTEST_SKIP() << "../shared/zoo/get.sh has not fetched minilm-l3 into LAPIS_EXTRA_MODELS";
  const Counts left = simplified(model, {{"input_ids", {1, 64}}, {"attention_mask", {1, 64}}});
  expect_none(left, {"Shape", "Concat", "Slice", "Unsqueeze", "Squeeze", "Constant", "ConstantOfShape", "Range"});
  EXPECT_LE(left.at("Expand"), 1) << "only for the ReduceSum of the mask";
  EXPECT_LE(left.at("Identity"), 2) << "only for the two outputs that are inputs";
}

TEST(SimplifyZoo, EveryOtherModel) {
  const Path any = zoo("efficientnet-lite0/efficientnet-lite0.onnx");
  if (any.empty()) GTEST_SKIP() << "../shared/zoo is missing";
  for (const char* name : {"ppocr-v4-det/det.onnx", "ppocr-v4-rec/rec.onnx", "ncf-movielens/gmf.onnx",
                           "ncf-movielens/mlp.onnx", "basic-pitch/nmp.onnx", "magika/model.onnx"}) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(std::filesystem::exists(zoo(name)));
    simplified(zoo(name), {});
  }
}

}  // namespace
}  // namespace lapis
