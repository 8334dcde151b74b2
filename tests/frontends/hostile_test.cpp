// Damaged files: an error or a graph that verifies, never a crash.
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "frontends/onnx/export.h"
#include "frontends/onnx/import.h"
#include "ir/verify.h"
#include "tests/frontends/damage.h"
#include "tests/frontends/graphs.h"

namespace lapis {
namespace {

// A little of everything that the format has: a subgraph, attributes of several kinds, constants, symbols.
std::string small_model() {
  const auto graph = graph_of(
      "(bool c, float[N,2,5,5] x) => (float[N,3,5,5] y) <float[3,2,1,1] w = {1,2,3,4,5,6}, float[3] b = {1,2,3}, "
      "int64[2] s = {0, -1}, int8[3] q = {1,2,3}, float d = {0.5}>"
      " { v = Conv<pads = [0,0,0,0], auto_pad = \"NOTSET\">(x, w, b) r = Reshape(v, s) k = Cast<to = 1>(q) m = Mul(k, "
      "d) n = Shape(v) o = Reshape(r, n)"
      " y = If(c) <then_branch = t () => (float[N,3,5,5] p) { p = Relu(o) }, else_branch = e () => (float[N,3,5,5] z) "
      "<float two = {2}> { z = Mul(o, two) }> }");
  if (!graph) return "";
  const auto bytes = export_onnx(*graph);
  return bytes.ok() ? *bytes : "";
}

bool imports(const std::string& bytes) {
  return testing::survives(import_onnx(std::as_bytes(std::span(bytes)), "hostile"));
}

TEST(Hostile, EveryTruncationOfASmallModelIsAnError) {
  const std::string model = small_model();
  ASSERT_FALSE(model.empty());
  ASSERT_TRUE(imports(model));
  for (size_t length = 0; length < model.size(); ++length)
    EXPECT_FALSE(imports(model.substr(0, length))) << "cut to " << length << " of " << model.size();
}

TEST(Hostile, EveryBitFlipOfASmallModelIsSurvived) { testing::expect_bit_flips_survived(small_model(), imports); }

TEST(Hostile, BytesRepeatedRemovedAndSwappedAreSurvived) {
  const std::string model = small_model();
  ASSERT_FALSE(model.empty());
  std::mt19937 random(7);
  auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  for (int i = 0; i < 3000 / testing::kStride; ++i) {
    std::string damaged = model;
    for (size_t edits = 1 + below(4); edits > 0; --edits) {
      const size_t at = below(damaged.size()), length = 1 + below(std::min<size_t>(40, damaged.size() - at));
      switch (below(3)) {
        case 0: damaged.erase(at, length); break;
        case 1: damaged.insert(at, damaged.substr(below(damaged.size()), length)); break;
        default: damaged[at] = static_cast<char>(random()); break;
      }
      if (damaged.empty()) damaged = "x";
    }
    imports(damaged);
  }
}

TEST(Hostile, TruncationsOfARealModelSayThatItIsTruncated) {
  const Path file = Path(LAPIS_SOURCE_DIR) / "../shared/zoo/resnet20-cifar10";
  if (!std::filesystem::is_directory(file)) GTEST_SKIP() << file << " is missing";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(file)) {
    if (entry.path().extension() != ".onnx") continue;
    const auto model = read_file(entry.path());
    ASSERT_TRUE(model.ok());
    for (size_t part = 1; part < 50; ++part) {
      const std::string cut = model->substr(0, model->size() * part / 50);
      const auto graph = import_onnx(std::as_bytes(std::span(cut)), "cut.onnx");
      ASSERT_FALSE(graph.ok()) << part << "/50";
      EXPECT_NE(to_string(graph.diagnostics()).find("cut.onnx: error: the file is truncated"), std::string::npos)
          << to_string(graph.diagnostics());
    }
    return;
  }
  FAIL() << "no .onnx below " << file;
}

}  // namespace
}  // namespace lapis
