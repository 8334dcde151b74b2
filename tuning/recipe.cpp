#include "tuning/recipe.h"

#include <cmath>

#include "base/suggest.h"
#include "tuning/yaml_reader.h"

namespace lapis {
namespace {

constexpr const char* kKind = "recipe";
constexpr const char* kHint = "docs/quantization.md describes recipes";
constexpr int64_t kVersion = 1;

std::vector<std::string> dtype_names() {
  std::vector<std::string> names;
  for (int i = 1; i <= static_cast<int>(DType::Int2); ++i) names.emplace_back(name_of(static_cast<DType>(i)));
  return names;
}

class Reader : YamlReader {
 public:
  explicit Reader(const Path& file) : YamlReader(file, kKind, kHint) {}

  Result<Recipe> read_whole(const YAML::Node& root) {
    if (root.IsMap()) check_version(root);
    return read(root);
  }

  Result<Recipe> read(const YAML::Node& root) {
    Recipe recipe;
    if (known_keys(root, "the recipe", {"recipe", "share_limit", "for", "default", "rules"})) {
      std::optional<Runtime> runtime;
      named(root, "for", runtime, runtime_from_name, runtime_names());
      recipe.runtime = runtime.value_or(recipe.runtime);
      if (value(root, "share_limit", recipe.share_limit, "a number") &&
          !(std::isfinite(recipe.share_limit) && recipe.share_limit >= 1))
        complain(root["share_limit"], "`share_limit` must be 1 or more");
      if (const YAML::Node node = root["default"]) {
        recipe.where = place(node);
        if (known_keys(node, "`default`", kSettings)) recipe.defaults = settings(node).applied_to(NodeRecipe());
      }
      if (const YAML::Node node = root["rules"]) rules(node, recipe.rules);
    }
    if (!found_.empty()) return std::move(found_);
    return recipe;
  }

 private:
  static inline const std::vector<std::string> kSettings = {"precision",    "floats",          "data",    "weights",
                                                            "range",        "algorithm",       "smooth",  "equalize",
                                                            "correct_bias", "correct_weights", "sparsity"};
  static inline const std::vector<std::string> kSelectors = {"node", "pattern", "type", "contraction"};

  void check_version(const YAML::Node& root) {
    int64_t version = 0;
    if (!root["recipe"])
      complain(root, "the recipe does not begin with `recipe: " + std::to_string(kVersion) + "`");
    else if (value(root, "recipe", version, "the number of a version") && version != kVersion)
      complain(root["recipe"], "recipes of version " + std::to_string(version) +
                                   " are not known, only those of version " + std::to_string(kVersion));
  }

  void rules(const YAML::Node& list, std::vector<RecipeRule>& to) {
    if (!list.IsSequence()) return complain(list, "`rules` must be a list");
    for (const YAML::Node& node : list) {
      std::vector<std::string> keys = kSelectors;
      keys.insert(keys.end(), kSettings.begin(), kSettings.end());
      if (!known_keys(node, "a rule", keys)) continue;
      const Selector nodes = selector(node);
      to.push_back({nodes, settings(node), place(node)});
      if (to.back().settings.empty()) complain(node, "the rule sets nothing", "it may set " + joined(kSettings));
    }
  }

  Selector selector(const YAML::Node& node) {
    std::vector<std::string> given;
    for (const std::string& key : kSelectors)
      if (node[key]) given.push_back(key);
    if (given.size() != 1) {
      complain(
          node,
          given.empty() ? "the rule names no nodes" : "the rule has " + joined(given, " and ") + ": which of them?",
          "a rule has one of " + joined(kSelectors));
      return {};
    }
    Selector s;
    text(node, given[0], s.text);
    if (given[0] == "node") s.by = Selector::By::Name;
    if (given[0] == "pattern") s.by = Selector::By::Pattern;
    if (given[0] == "type") s.by = Selector::By::Type;
    if (given[0] != "contraction") return s;
    s.by = s.text == "first" ? Selector::By::First : Selector::By::Last;
    if (s.text != "first" && s.text != "last") complain(node["contraction"], "`contraction` is first or last");
    return {s.by, {}};
  }

  NodeSettings settings(const YAML::Node& node) {
    NodeSettings s;
    floats(node, s);
    named(node, "algorithm", s.algorithm, weight_algorithm_from_name, weight_algorithm_names());
    if (const YAML::Node data = node["data"]) s.data = scheme(data, "`data`");
    if (const YAML::Node weights = node["weights"]) s.weights = scheme(weights, "`weights`");
    if (const YAML::Node range = node["range"]; range && known_keys(range, "`range`", {"method", "percentile"})) {
      named(range, "method", s.method, range_method_from_name, range_method_names());
      double percentile = 0;
      if (value(range, "percentile", percentile, "a number")) s.percentile = percentile;
      if (s.percentile && !(*s.percentile >= 50 && *s.percentile <= 100))
        complain(range["percentile"], "`percentile` must lie between 50 and 100");
      if (s.percentile && s.method && s.method != RangeMethod::Percentile)
        complain(range["percentile"],
                 "`percentile` is for the method percentile; " + std::string(name_of(*s.method)) + " has none");
    }
    s.smooth = smoothing(node);
    if (const YAML::Node sparsity = node["sparsity"]) s.sparsity = sparsity_settings(sparsity);
    for (const auto& [key, to] : {std::pair("equalize", &s.equalize), std::pair("correct_bias", &s.correct_bias),
                                  std::pair("correct_weights", &s.correct_weights)}) {
      bool wanted = false;
      if (value(node, key, wanted, "true or false")) *to = wanted;
    }
    return s;
  }

  // `precision: bf16` is short for fp32 whose floats are bf16.
  void floats(const YAML::Node& node, NodeSettings& s) {
    const auto from_name = [](const std::string& name) {
      return name == "bf16"   ? std::optional(DType::BFloat16)
             : name == "fp32" ? std::optional(DType::Float32)
                              : std::nullopt;
    };
    named(node, "floats", s.floats, from_name, {"fp32", "bf16"});
    std::string precision;
    if (!value(node, "precision", precision, "a name")) return;
    if (precision != "bf16") {
      std::vector<std::string> known = precision_names();
      known.push_back("bf16");
      return named(node, "precision", s.precision, precision_from_name, known);
    }
    if (s.floats == DType::Float32)
      complain(node["floats"], "`precision: bf16` and `floats: fp32` contradict each other");
    s.precision = Precision::Float32;
    s.floats = DType::BFloat16;
  }

  std::optional<Smoothing> smoothing(const YAML::Node& node) {
    std::string word;
    if (node["smooth"] && node["smooth"].IsSequence()) return smoothing_of_list(node["smooth"]);
    if (!node["smooth"] || !value(node, "smooth", word, "off, auto or a number")) return std::nullopt;
    if (word == "off") return Smoothing{};
    if (word == "auto") return Smoothing{0, true};
    double alpha = 0;
    if (value(node, "smooth", alpha, "off, auto or a number") && !(alpha >= 0 && alpha <= 1))
      complain(node["smooth"], "`smooth` must lie between 0 and 1");
    return Smoothing{alpha};
  }

  SparsitySettings sparsity_settings(const YAML::Node& node) {
    SparsitySettings s;
    if (!known_keys(node, "`sparsity`", {"ratio", "pattern", "scope", "compensate"})) return s;
    double ratio = 0;
    if (value(node, "ratio", ratio, "a number")) s.ratio = ratio;
    if (s.ratio && !(*s.ratio >= 0 && *s.ratio < 1))
      complain(node["ratio"], "`ratio` must be 0 or more and less than 1");
    std::string pattern;
    if (value(node, "pattern", pattern, "a pattern")) s.pattern = sparsity_pattern_from_name(pattern);
    if (node["pattern"] && !s.pattern)
      complain(node["pattern"], "there is no pattern '" + pattern + "'",
               "patterns are " + std::string(kSparsityPatterns));
    named(node, "scope", s.scope, sparsity_scope_from_name, sparsity_scope_names());
    bool compensate = false;
    if (value(node, "compensate", compensate, "true or false")) s.compensate = compensate;
    return s;
  }

  std::optional<Smoothing> smoothing_of_list(const YAML::Node& list) {
    Smoothing s{0, true};
    for (const YAML::Node& entry : list) {
      double alpha = -1;
      if (!YAML::convert<double>::decode(entry, alpha) || !(alpha >= 0 && alpha <= 1)) {
        complain(entry, "`smooth` lists numbers between 0 and 1");
        return std::nullopt;
      }
      s.alphas.push_back(alpha);
    }
    if (s.alphas.empty()) complain(list, "`smooth` lists nothing to try", "auto tries 0, 0.1, ..., 1");
    return s;
  }

  SchemeSettings scheme(const YAML::Node& node, const std::string& section) {
    SchemeSettings s;
    if (!known_keys(node, section, {"type", "symmetric", "granularity", "block"})) return s;
    named(node, "type", s.type, parse_dtype, dtype_names());
    named(node, "granularity", s.granularity, granularity_from_name, granularity_names());
    bool symmetric = false;
    if (value(node, "symmetric", symmetric, "true or false")) s.symmetric = symmetric;
    int64_t block = 0;
    if (value(node, "block", block, "a whole number")) s.block = block;
    return s;
  }

  template <class T, class FromName>
  void named(const YAML::Node& section, const std::string& key, std::optional<T>& to, FromName from_name,
             const std::vector<std::string>& known) {
    std::string name;
    if (!value(section, key, name, "a name")) return;
    to = from_name(name);
    if (!to) complain(section[key], "there is no " + key + " '" + name + "'", suggestion(name, known));
  }
};

}  // namespace

Result<Recipe> parse_recipe(const std::string& text, const Path& file) {
  return read_yaml(text, file, kKind, kHint, [&](const YAML::Node& root) { return Reader(file).read_whole(root); });
}

Result<Recipe> recipe_of(const YAML::Node& section, const Path& file) { return Reader(file).read(section); }

Result<Recipe> read_recipe(const Path& file) {
  LAPIS_TRY(const std::string text, read_file(file));
  return parse_recipe(text, file);
}

}  // namespace lapis
