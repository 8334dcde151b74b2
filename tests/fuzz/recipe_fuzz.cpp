// Arbitrary text is a recipe or an error; what is one prints as a recipe that says the same.
#include "tests/fuzz/fuzz.h"
#include "tuning/recipe.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lapis;
  const auto recipe = parse_recipe(std::string(reinterpret_cast<const char*>(data), size), "recipe.yaml");
  if (!recipe.ok()) {
    if (to_string(recipe.diagnostics()).empty()) std::abort();
    return 0;
  }
  const std::string text = to_yaml(*recipe);
  const auto again = parse_recipe(text, "printed.yaml");
  if (!again.ok() || to_yaml(*again) != text) std::abort();
  return 0;
}
