// Every real ONNX model at hand is imported, and every value of it gets a type with a known rank.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <map>

#include "frontends/onnx/export.h"
#include "frontends/onnx/import.h"
#include "ir/structure.h"
#include "ir/verify.h"
#include "tests/frontends/graphs.h"

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

// Values whose rank follows from a branch that only known shapes decide. What such a model declares of the results of
// its branches (symbols that no input has) is not compared with what is read again either.
const std::map<std::string, size_t> kUndecided = {{"silero_vad.onnx", 64}};

void check_round_trip(const Graph& graph) {
  const auto bytes = export_onnx(graph);
  ASSERT_TRUE(bytes.ok()) << to_string(bytes.diagnostics());
  const auto again = import_onnx(std::as_bytes(std::span(*bytes)), "exported");
  ASSERT_TRUE(again.ok()) << to_string(again.diagnostics());
  EXPECT_EQ(difference(graph, **again), "");
}

void check_model(const Path& model) {
  const auto start = std::chrono::steady_clock::now();
  auto graph = import_onnx(model);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  const size_t unknown = untyped(**graph);
  std::cout << model.filename().string() << ": " << total_node_count(**graph) << " nodes, opset "
            << lowest_opset(**graph) << ", " << unknown << " values of unknown rank, " << seconds.count() << " s\n";
  const auto undecided = kUndecided.find(model.filename().string());
  EXPECT_EQ(unknown, undecided == kUndecided.end() ? 0 : undecided->second);
  EXPECT_EQ(to_string(verify(**graph)), "");
  if (undecided == kUndecided.end()) check_round_trip(**graph);
}

TEST(Zoo, EveryModelImportsWithTypesAndRoundTrips) {
  const std::vector<Path> models = all_models();
  if (models.empty()) GTEST_SKIP() << "no models: ../shared/zoo is missing and LAPIS_EXTRA_MODELS names no folder";
  for (const Path& model : models) {
    SCOPED_TRACE(model.string());
    check_model(model);
  }
}

}  // namespace
}  // namespace lapis
