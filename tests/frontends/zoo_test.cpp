// Every real ONNX model at hand is imported, and every value of it gets a type with a known rank.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>

#include "frontends/onnx/import.h"
#include "ir/structure.h"
#include "ir/verify.h"

namespace lapis {
namespace {

std::vector<Path> models_below(const Path& folder) {
  std::vector<Path> models;
  if (!std::filesystem::is_directory(folder)) return models;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.path().extension() == ".onnx") models.push_back(entry.path());
  std::sort(models.begin(), models.end());
  return models;
}

std::vector<Path> all_models() {
  std::vector<Path> models;
  const char* extra = std::getenv("LAPIS_EXTRA_MODELS");
  for (const Path& folder : {Path(LAPIS_SOURCE_DIR) / "../shared/zoo", Path(extra ? extra : "")}) {
    const std::vector<Path> found = models_below(folder);
    models.insert(models.end(), found.begin(), found.end());
  }
  return models;
}

// Values whose rank inference could not find, in this graph and its subgraphs.
size_t untyped(Graph& graph) {
  size_t count = 0;
  for_each_graph(graph, [&](Graph& g) {
    for (Node* node : g.nodes())
      for (const Value* v : node->outputs()) count += v && v->type().is_tensor() && !v->type().ranked();
  });
  return count;
}

TEST(Zoo, EveryModelImportsWithTypes) {
  const std::vector<Path> models = all_models();
  if (models.empty()) GTEST_SKIP() << "no models: ../shared/zoo is missing and LAPIS_EXTRA_MODELS names no folder";
  for (const Path& model : models) {
    SCOPED_TRACE(model.string());
    const auto start = std::chrono::steady_clock::now();
    auto graph = import_onnx(model);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (!graph.ok()) {
      ADD_FAILURE() << to_string(graph.diagnostics());
      continue;
    }
    const size_t unknown = untyped(**graph);
    std::cout << model.filename().string() << ": " << total_node_count(**graph) << " nodes, " << unknown << " values of unknown rank, " << seconds.count() << " s\n";
    EXPECT_EQ(unknown, 0u);
    const Diagnostics found = verify(**graph);
    EXPECT_TRUE(found.empty()) << to_string(found);
  }
}

}  // namespace
}  // namespace lapis
