// Every tests/text/prune/*.onnxtxt: a recipe in comments, a graph, and the graph that pruning by the recipe must give,
// as recipe_test.cpp describes. LAPIS_BLESS=1 writes what came out as the new expectation.
#include <gtest/gtest.h>

#include "passes/pipeline.h"
#include "tests/tuning/recipe_case.h"

namespace lapis {
namespace {

class PruneText : public ::testing::TestWithParam<Path> {};

TEST_P(PruneText, GivesTheExpectedGraph) {
  const RecipeCase c = read_recipe_case(GetParam());
  auto graph = parse_onnx_text(c.input, GetParam().filename().string());
  ASSERT_TRUE(graph.ok()) << to_string(graph.diagnostics());
  auto recipe = parse_recipe(c.recipe, GetParam());
  ASSERT_TRUE(recipe.ok()) << to_string(recipe.diagnostics());
  PassContext context;
  context.recipe = std::make_shared<Recipe>(*std::move(recipe));
  const auto reports = PassRunner({}).run(**graph, *parse_pipeline("prune"), context);
  ASSERT_TRUE(reports.ok()) << to_string(reports.diagnostics());
  expect_text(GetParam(), c, canonical(**graph));
}

INSTANTIATE_TEST_SUITE_P(Files, PruneText, ::testing::ValuesIn(recipe_cases("prune")),
                         [](const auto& info) { return info.param.stem().string(); });

}  // namespace
}  // namespace lapis
