// A file with a recipe in comments, a graph, and the graph that must come of both (recipe_test.cpp describes it).
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "base/file.h"
#include "frontends/onnx/export.h"
#include "frontends/onnx/import.h"
#include "tuning/recipe.h"

namespace lapis {

struct RecipeCase {
  std::string input, recipe, expected;
};

inline constexpr std::string_view kExpectedGraph = "# ---- expect\n";

inline RecipeCase read_recipe_case(const Path& path) {
  constexpr std::string_view kRecipe = "# ---- recipe\n";
  const std::string text = *read_file(path);
  RecipeCase c;
  const size_t split = text.find(kExpectedGraph);
  c.input = text.substr(0, split);
  if (split != std::string::npos) c.expected = text.substr(split + kExpectedGraph.size());
  const size_t begin = c.input.find(kRecipe);
  EXPECT_NE(begin, std::string::npos) << path << " has no recipe";
  for (size_t at = begin + kRecipe.size(); c.input.compare(at, 2, "# ") == 0;) {
    const size_t end = c.input.find('\n', at) + 1;
    c.recipe += c.input.substr(at + 2, end - at - 2);
    at = end;
  }
  return c;
}

inline std::string canonical(const Graph& graph) { return to_onnx_text(graph, {.canonical_names = true}); }

// LAPIS_BLESS=1 writes what came out as the new expectation.
inline void expect_text(const Path& path, const RecipeCase& c, const std::string& actual) {
  if (std::getenv("LAPIS_BLESS")) {
    ASSERT_TRUE(write_file(path, c.input + std::string(kExpectedGraph) + actual).ok());
    return;
  }
  const auto expected = parse_onnx_text(c.expected, "expectation");
  ASSERT_TRUE(expected.ok()) << to_string(expected.diagnostics()) << "\ncame out:\n" << actual;
  EXPECT_EQ(canonical(**expected), actual) << "LAPIS_BLESS=1 accepts this";
}

inline std::vector<Path> recipe_cases(const std::string& folder) {
  std::vector<Path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(Path(LAPIS_SOURCE_DIR "/tests/text") / folder))
    paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace lapis
