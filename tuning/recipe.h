// Recipes as YAML files (docs/quantization.md describes them); passes/quantize/recipe.h prints what is read here.
#pragma once

#include <string>

#include "base/file.h"
#include "passes/quantize/recipe.h"

namespace YAML {
class Node;
}

namespace lapis {

// Reads strictly: every key is known, every value one of its kind. `file` is for messages. All findings at once.
Result<Recipe> parse_recipe(const std::string& text, const Path& file);
Result<Recipe> read_recipe(const Path& file);
// A recipe within another file, where it needs no `recipe: 1`.
Result<Recipe> recipe_of(const YAML::Node& section, const Path& file);

}  // namespace lapis
