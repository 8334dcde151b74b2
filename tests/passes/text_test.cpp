// Every tests/text/{passes,quantize,expand}/*.onnxtxt:
// a graph, the passes to run on it, and the graph that must come out.
//
//   # why this must be so
//   # RUN: opt --passes=simplify
//   <ir_version: 10, opset_import: ["" : 21]>
//   g (float[4] x) => (float[4] y) { ... }
//   # ---- expect
//   ...                                            canonical names, so that whole graphs compare
//
// Every such graph is also evaluated before and after on random inputs. LAPIS_BLESS=1 writes what came out as the new
// expectation.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/file.h"
#include "frontends/onnx/export.h"
#include "frontends/onnx/import.h"
#include "ir/verify.h"
#include "passes/pipeline.h"

namespace lapis {
namespace {

constexpr std::string_view kExpect = "# ---- expect\n";
constexpr std::string_view kRun = "# RUN: opt --passes=";

struct TextCase {
  std::string input, expected, passes;
};

TextCase read_case(const Path& path) {
  const std::string text = *read_file(path);
  const size_t split = text.find(kExpect), run = text.find(kRun);
  EXPECT_NE(run, std::string::npos) << path << " needs a line '" << kRun << "...'";
  TextCase c;
  c.input = text.substr(0, split);
  if (split != std::string::npos) c.expected = text.substr(split + kExpect.size());
  c.passes = text.substr(run + kRun.size(), text.find('\n', run) - run - kRun.size());
  return c;
}

std::string canonical(const Graph& graph) { return to_onnx_text(graph, {.canonical_names = true}); }

// Symbols become 3; integers stay small, so that they may be indices.
Tensor random_input(const Type& type, std::mt19937& random) {
  std::map<std::string, int64_t> symbols;
  Shape shape;
  for (const Dim& d : *type.dims) {
    for (const std::string& s : d.symbols()) symbols[s] = 3;
    shape.push_back(d.bind(symbols).value());
  }
  Tensor tensor(type.dtype, shape);
  visit_dtype(type.dtype, [&](auto tag) {
    using T = decltype(tag);
    for (T& v : tensor.mutable_data<T>()) {
      if constexpr (std::is_floating_point_v<T>)
        v = static_cast<T>(static_cast<int>(random() % 2001) - 1000) / T(250);
      else if constexpr (std::is_integral_v<T>)
        v = static_cast<T>(random() % 2);
    }
  });
  return tensor;
}

void expect_same_results(const Graph& before, const Graph& after) {
  std::mt19937 random(1);
  Feeds feeds;
  for (const Value* input : before.inputs()) feeds[input->name()] = random_input(input->type(), random);
  const auto expected = evaluate(before, feeds), actual = evaluate(after, feeds);
  ASSERT_TRUE(expected.ok()) << to_string(expected.diagnostics());
  ASSERT_TRUE(actual.ok()) << to_string(actual.diagnostics());
  for (size_t o = 0; o < expected->size(); ++o) {
    const Tensor &a = (*expected)[o], &b = (*actual)[o];
    ASSERT_EQ(a.shape(), b.shape());
    for (int64_t i = 0; i < a.size(); ++i)
      if (a.as_double(i) != b.as_double(i))  // infinities are equal, and have no distance
        ASSERT_NEAR(a.as_double(i), b.as_double(i), 1e-5 * std::max(1.0, std::abs(a.as_double(i))))
            << "element " << i << " of output " << o;
  }
}

class PassText : public ::testing::TestWithParam<Path> {};

TEST_P(PassText, GivesTheExpectedGraph) {
  const TextCase c = read_case(GetParam());
  auto graph = parse_onnx_text(c.input, GetParam().filename().string());
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  const auto original = (*graph)->clone();
  const auto pipeline = parse_pipeline(c.passes);
  ASSERT_TRUE(pipeline.ok()) << to_string(pipeline.diagnostics());
  PassContext context;
  const auto reports = PassRunner({}).run(**graph, *pipeline, context);
  ASSERT_TRUE(reports.ok()) << to_string(reports.diagnostics());
  expect_same_results(*original, **graph);

  const std::string actual = canonical(**graph);
  if (std::getenv("LAPIS_BLESS")) {
    ASSERT_TRUE(write_file(GetParam(), c.input + std::string(kExpect) + actual).ok());
    return;
  }
  const auto expected = parse_onnx_text(c.expected, "expectation");
  ASSERT_TRUE(expected.ok()) << to_string(expected.diagnostics()) << "\ncame out:\n" << actual;
  EXPECT_EQ(canonical(**expected), actual) << "LAPIS_BLESS=1 accepts this";
}

std::vector<Path> cases() {
  std::vector<Path> paths;
  for (const char* folder : {LAPIS_SOURCE_DIR "/tests/text/passes", LAPIS_SOURCE_DIR "/tests/text/quantize",
                             LAPIS_SOURCE_DIR "/tests/text/expand"})
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      if (entry.path().extension() == ".onnxtxt") paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string case_name(const ::testing::TestParamInfo<Path>& info) { return info.param.stem().string(); }

INSTANTIATE_TEST_SUITE_P(Files, PassText, ::testing::ValuesIn(cases()), case_name);

}  // namespace
}  // namespace lapis
