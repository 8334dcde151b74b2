#include "passes/quantize/recipe.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <regex>
#include <set>
#include <unordered_set>

#include "base/printable.h"
#include "base/suggest.h"
#include "ir/op.h"

namespace lapis {

// ---- names ----------------------------------------------------------------------------------------------------------

namespace {

constexpr std::array<std::string_view, 6> kMethods = {"minmax",  "percentile", "moving_average",
                                                      "entropy", "mse",        "dynamic"};
constexpr std::array<std::string_view, 4> kAlgorithms = {"round", "awq", "gptq", "adaround"};
constexpr std::array<std::string_view, 3> kRuntimes = {"lapis", "onnxruntime", "openvino"};

template <class Enum, size_t N>
std::optional<Enum> enum_of(const std::array<std::string_view, N>& names, std::string_view name) {
  const auto it = std::find(names.begin(), names.end(), name);
  return it == names.end() ? std::nullopt : std::optional(static_cast<Enum>(it - names.begin()));
}

}  // namespace

std::string_view name_of(RangeMethod method) { return kMethods[static_cast<size_t>(method)]; }
std::string_view name_of(WeightAlgorithm algorithm) { return kAlgorithms[static_cast<size_t>(algorithm)]; }
std::optional<RangeMethod> range_method_from_name(std::string_view name) {
  return enum_of<RangeMethod>(kMethods, name);
}
std::optional<WeightAlgorithm> weight_algorithm_from_name(std::string_view name) {
  return enum_of<WeightAlgorithm>(kAlgorithms, name);
}
std::vector<std::string> range_method_names() { return {kMethods.begin(), kMethods.end()}; }
std::vector<std::string> weight_algorithm_names() { return {kAlgorithms.begin(), kAlgorithms.end()}; }
std::string_view name_of(Runtime runtime) { return kRuntimes[static_cast<size_t>(runtime)]; }
std::optional<Runtime> runtime_from_name(std::string_view name) { return enum_of<Runtime>(kRuntimes, name); }
std::vector<std::string> runtime_names() { return {kRuntimes.begin(), kRuntimes.end()}; }

// ---- settings -------------------------------------------------------------------------------------------------------

Scheme SchemeSettings::applied_to(Scheme scheme) const {
  return {type.value_or(scheme.type), symmetric.value_or(scheme.symmetric), granularity.value_or(scheme.granularity),
          block.value_or(scheme.block)};
}

// Who gives a percentile wants that method.
RangeOptions NodeSettings::applied_to(RangeOptions range) const {
  return {method.value_or(percentile ? RangeMethod::Percentile : range.method), percentile.value_or(range.percentile)};
}

NodeRecipe NodeSettings::applied_to(NodeRecipe recipe) const {
  recipe.precision = precision.value_or(recipe.precision);
  recipe.floats = floats.value_or(recipe.floats);
  recipe.data = data.applied_to(recipe.data);
  recipe.weights = weights.applied_to(recipe.weights);
  recipe.range = applied_to(recipe.range);
  recipe.algorithm = algorithm.value_or(recipe.algorithm);
  if (smooth) recipe.smooth = smooth;
  recipe.equalize = equalize.value_or(recipe.equalize);
  if (correct_bias) recipe.correct_bias = correct_bias;
  recipe.correct_weights = correct_weights.value_or(recipe.correct_weights);
  recipe.sparsity = sparsity.applied_to(recipe.sparsity);
  return recipe;
}

bool has_weights_alone(const OpDef& op) {
  return std::any_of(op.quant.begin(), op.quant.end(), [](const Capability& row) {
    return std::any_of(row.data.begin(), row.data.end(), [](const Scheme& s) { return s.type == DType::Float32; });
  });
}

std::optional<std::string> NodeRecipes::keeps_float(const Node& node) const {
  const Resolved& resolved = nodes_.at(&node);
  if (resolved.recipe.precision != Precision::Float32) return std::nullopt;
  if (!resolved.decides) return "fp32 is the recipe's default";
  const Selector& s = resolved.decides->nodes;
  switch (s.by) {
    case Selector::By::Name: return "excluded by name";
    case Selector::By::Pattern: return "excluded by the pattern '" + s.text + "'";
    case Selector::By::Type: return "excluded by operator type";
    case Selector::By::First: return "it is the first contraction";
    case Selector::By::Last: return "it is the last contraction";
  }
  LAPIS_UNREACHABLE("unknown selector");
}

bool NodeRecipes::asked_by_name(const Node& node) const {
  const Resolved& resolved = nodes_.at(&node);
  return resolved.recipe.precision == Precision::Int8 && resolved.decides &&
         resolved.decides->nodes.by == Selector::By::Name;
}

// ---- resolving ------------------------------------------------------------------------------------------------------

bool matches_none(const std::regex& pattern, const Graph& graph) {
  for (const Node* node : graph.nodes())
    if (std::regex_match(node->name(), pattern)) return false;
  return true;
}

class RecipeResolver {
 public:
  RecipeResolver(const Recipe& recipe, const Graph& graph, const Target& target)
      : recipe_(recipe), graph_(graph), target_(target) {}

  Result<NodeRecipes> run() {
    check_selectors();
    check_weights_alone();
    if (!found_.empty()) return std::move(found_);
    find_ends();
    for (const Node* node : graph_.nodes()) resolve(*node);
    if (!found_.empty()) return std::move(found_);
    return std::move(resolved_);
  }

 private:
  static constexpr const char* kOfQuantizedData =
      "`range`, `smooth` and `correct_bias` are about data that becomes integers, and with `data: {type: float}` none "
      "does";
  static constexpr const char* kOfQuantizedDataHelp =
      "leave them out; `algorithm: awq` scales the channels of weights alone";
  static constexpr const char* kNodesHelp =
      "`lapis opt MODEL -o simplified.onnx` writes the simplified model, whose nodes are meant; "
      "`lapis inspect --shapes simplified.onnx` lists them";
  static constexpr const char* kSparsityHelp = "docs/pruning.md lists patterns and scopes, and what they have";

  // ---- which nodes a rule is about ----

  void check_selectors() {
    std::unordered_set<std::string_view> names;
    for (const Node* node : graph_.nodes()) names.insert(node->name());
    for (const RecipeRule& rule : recipe_.rules) {
      patterns_.emplace_back();
      const std::string& text = rule.nodes.text;
      if (rule.nodes.by == Selector::By::Name && !names.contains(text))
        report(rule.where, "there is no node '" + text + "'").help(kNodesHelp);
      if (rule.nodes.by == Selector::By::Type) check_operator(rule);
      if (rule.nodes.by == Selector::By::Pattern) compile(rule);
    }
  }

  void check_operator(const RecipeRule& rule) {
    std::vector<std::string> known;
    for (const OpDef* op : all_ops()) known.emplace_back(op->name);
    if (std::find(known.begin(), known.end(), rule.nodes.text) == known.end())
      report(rule.where, "there is no operator '" + rule.nodes.text + "'").help(suggestion(rule.nodes.text, known));
  }

  void compile(const RecipeRule& rule) {
    try {
      patterns_.back() = std::regex(rule.nodes.text);
    } catch (const std::regex_error& e) {
      report(rule.where, "'" + rule.nodes.text + "' is not a regular expression: " + e.what())
          .help("the syntax is that of ECMAScript, for whole names: layer[0-9]+/Conv.*");
      return;
    }
    if (matches_none(patterns_.back(), graph_))
      report(rule.where, "no node has a name that '" + rule.nodes.text + "' matches as a whole").help(kNodesHelp);
  }

  // Data that stays float has no range and is not smoothed, and its products are not corrected.
  void check_weights_alone() {
    const NodeRecipe& all = recipe_.defaults;
    const bool others = std::ranges::any_of(recipe_.rules, [](const RecipeRule& r) {
      return r.settings.data.type.value_or(DType::Float32) != DType::Float32;
    });
    if (all.weights_alone() && !others &&
        (all.range != RangeOptions() || smooths(all.smooth) || all.correct_bias == true))
      report_once(recipe_.where, kOfQuantizedData).help(kOfQuantizedDataHelp);
    for (const RecipeRule& rule : recipe_.rules) {
      const NodeSettings& s = rule.settings;
      if (s.data.type == DType::Float32 && (s.method || s.percentile || smooths(s.smooth) || s.correct_bias == true))
        report_once(rule.where, kOfQuantizedData).help(kOfQuantizedDataHelp);
    }
  }
  static bool smooths(const std::optional<Smoothing>& smooth) { return smooth && smooth->on(); }

  void find_ends() {
    for (const Node* node : graph_.nodes()) {
      if (node->op().int8_form() != Quant::Contraction) continue;
      first_ = first_ ? first_ : node;
      last_ = node;
    }
  }

  bool is_about(size_t rule, const Node& node) const {
    const Selector& s = recipe_.rules[rule].nodes;
    switch (s.by) {
      case Selector::By::Name: return node.name() == s.text;
      case Selector::By::Pattern: return std::regex_match(node.name(), patterns_[rule]);
      case Selector::By::Type: return node.op().name == s.text;
      case Selector::By::First: return &node == first_;
      case Selector::By::Last: return &node == last_;
    }
    LAPIS_UNREACHABLE("unknown selector");
  }

  // ---- what holds for a node ----

  void resolve(const Node& node) {
    NodeRecipes::Resolved& resolved = resolved_.nodes_[&node];
    resolved.recipe = recipe_.defaults;
    std::string where = recipe_.where;
    for (size_t i = 0; i < recipe_.rules.size(); ++i) {
      if (!is_about(i, node)) continue;
      const RecipeRule& rule = recipe_.rules[i];
      resolved.recipe = rule.settings.applied_to(resolved.recipe);
      if (rule.settings.precision) resolved.decides = &rule;
      resolved.range_asked |= rule.settings.method || rule.settings.percentile;
      where = rule.where;
      check_possible(rule, node);
    }
    if (const auto problem = resolved.recipe.sparsity.problem()) report_once(where, *problem).help(kSparsityHelp);
    if (resolved.recipe.precision == Precision::Int8) check_schemes(resolved.recipe, node, where);
  }

  // The ways in which the operator computes in int8 on the target.
  std::vector<const Capability*> capabilities(const Node& node) const {
    std::vector<const Capability*> rows;
    for (const Capability& row : node.op().quant)
      if (row.precision == Precision::Int8 && target_.contains(row.needs)) rows.push_back(&row);
    return rows;
  }

  // A rule that names an operator, or a node of it, asks for what the operator must be able to do. Patterns and
  // defaults are about many and hold for those that can.
  void check_possible(const RecipeRule& rule, const Node& node) {
    if (rule.nodes.by == Selector::By::Pattern) return;
    const auto rows = capabilities(node);
    if (rule.settings.precision == Precision::Int8 && rows.empty())
      report_once(rule.where, "there is no int8 form of " + std::string(node.op().name))
          .help("leave it fp32; a rule by `pattern` asks for int8 only where there is such a form");
    check_forms(rule, node.op());
    if (rule.settings.sparsity.ratio.value_or(rule.settings.sparsity.pattern ? 1 : 0) > 0 && !has_weights(node.op()))
      report_once(rule.where, std::string(node.op().name) + " has no weights that are pruned")
          .help(std::string(kDynamicOperators) + " have");
    const bool weightless =
        std::all_of(rows.begin(), rows.end(), [](const Capability* c) { return c->weights.empty(); });
    if (!weightless) return;
    const NodeSettings& s = rule.settings;
    if (!s.weights.empty() || s.algorithm || s.equalize || s.correct_bias || s.correct_weights)
      report_once(rule.where, std::string(node.op().name) + " has no weights that are quantized")
          .help(std::string(kDynamicOperators) + " have");
    if (s.method == RangeMethod::Dynamic)
      report_once(rule.where, std::string(node.op().name) + " has no form whose ranges are found during inference")
          .help(std::string(kDynamicOperators) + " have");
  }

  static bool has_weights(const OpDef& op) {
    return std::any_of(op.quant.begin(), op.quant.end(), [](const Capability& row) { return !row.weights.empty(); });
  }

  // What only products of matrices can.
  void check_forms(const RecipeRule& rule, const OpDef& op) {
    if (has_weights_alone(op)) return;
    if (rule.settings.smooth && rule.settings.smooth->on())
      report_once(rule.where, "the data of " + std::string(op.name) + " cannot be smoothed")
          .help("that of Gemm and MatMul can");
    if (rule.settings.data.type == DType::Float32)
      report_once(rule.where, std::string(op.name) + " cannot have its weights alone in fewer bits")
          .help("Gemm and MatMul can");
  }

  void check_schemes(const NodeRecipe& wanted, const Node& node, const std::string& where) {
    const auto rows = capabilities(node);
    const auto holds = [](const std::vector<Scheme>& possible, const Scheme& scheme) {
      return std::find(possible.begin(), possible.end(), scheme) != possible.end();
    };
    const bool possible = std::any_of(rows.begin(), rows.end(), [&](const Capability* row) {
      return holds(row->data, wanted.data) && (row->weights.empty() || holds(row->weights, wanted.weights));
    });
    if (!rows.empty()) check_algorithm(wanted, where);
    if (possible) check_dynamic(wanted, node, where);
    // A default of weights alone is for those operators that can; the others stay fp32.
    if (rows.empty() || possible || (wanted.weights_alone() && !has_weights_alone(node.op()))) return;
    const bool weights = !rows.front()->weights.empty();
    report_once(where, std::string(node.op().name) + " has no int8 form with data in " + wanted.data.to_string() +
                           (weights ? " and weights in " + wanted.weights.to_string() : ""))
        .help("it has: " + described(rows));
  }

  void check_algorithm(const NodeRecipe& wanted, const std::string& where) {
    if (wanted.algorithm == WeightAlgorithm::Awq && !wanted.weights_alone())
      report_once(where, "the algorithm awq is for weights alone").help("set `data: {type: float}` beside it");
  }

  void check_dynamic(const NodeRecipe& wanted, const Node& node, const std::string& where) {
    if (node.op().int8_form() != Quant::Contraction || wanted.range.method != RangeMethod::Dynamic) return;
    if (wanted.weights_alone() || wanted.data == Scheme()) return;
    report_once(where, "ranges are found during inference only for data in " + Scheme().to_string())
        .help("leave `data` out, or have its range calibrated");
  }

  // Schemes that differ only in their block are said once.
  static std::string listed(const std::vector<Scheme>& schemes) {
    std::string text;
    for (size_t i = 0; i < schemes.size(); ++i) {
      const bool again = i > 0 && schemes[i].block && schemes[i - 1].block && schemes[i].type == schemes[i - 1].type;
      text += again ? ", " + std::to_string(schemes[i].block) : (text.empty() ? "" : " or ") + schemes[i].to_string();
    }
    return text;
  }

  static std::string described(const std::vector<const Capability*>& rows) {
    std::string text;
    for (const Capability* row : rows)
      text += (text.empty() ? "data in " : "; data in ") + listed(row->data) +
              (row->weights.empty() ? "" : " and weights in " + listed(row->weights));
    return text;
  }

  Diagnostic& report(const std::string& where, std::string message) {
    return found_.emplace_back(error(ErrorKind::Usage, std::move(message)).at(where.empty() ? "recipe" : where));
  }
  // The same about every node of an operator is said once.
  Diagnostic& report_once(const std::string& where, const std::string& message) {
    if (said_.insert(where + '\n' + message).second) return report(where, message);
    return repeated_ = error(ErrorKind::Usage, message);
  }

  const Recipe& recipe_;
  const Graph& graph_;
  const Target& target_;
  std::vector<std::regex> patterns_;  // by rule
  const Node *first_ = nullptr, *last_ = nullptr;
  NodeRecipes resolved_;
  Diagnostics found_;
  std::set<std::string> said_;
  Diagnostic repeated_;
};

Result<NodeRecipes> resolve(const Recipe& recipe, const Graph& graph, const Target& target) {
  return RecipeResolver(recipe, graph, target).run();
}

Recipe for_nodes_of(const Graph& graph, Recipe recipe) {
  std::set<std::string_view> names;
  for (const Node* node : graph.nodes()) names.insert(node->name());
  std::erase_if(recipe.rules, [&](const RecipeRule& rule) {
    if (rule.nodes.by == Selector::By::Pattern) return matches_none(std::regex(rule.nodes.text), graph);
    return rule.nodes.by == Selector::By::Name && !names.contains(rule.nodes.text);
  });
  return recipe;
}

// ---- printing -------------------------------------------------------------------------------------------------------

namespace {

// A YAML scalar; in quotes unless it can be nothing but a text.
std::string scalar(const std::string& text) {
  const auto plain = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '/' || c == '.'; };
  static const std::set<std::string_view> kWords = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"};
  std::string lower;
  for (unsigned char c : text) lower += static_cast<char>(std::tolower(c));
  const bool word = !text.empty() && (std::isalpha(static_cast<unsigned char>(text[0])) || text[0] == '/');
  if (word && std::all_of(text.begin(), text.end(), plain) && !kWords.contains(lower)) return text;
  std::string quoted = "\"";
  for (unsigned char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (c >= 0x20 && c != 0x7F)
      quoted += static_cast<char>(c);
    else
      quoted += std::string("\\x") + "0123456789ABCDEF"[c >> 4] + "0123456789ABCDEF"[c & 15];
  }
  return quoted + '"';
}

// The shortest text that reads back as the same number.
std::string number(double value) {
  for (int digits = 6; digits <= 17; ++digits) {
    char text[32];
    std::snprintf(text, sizeof text, "%.*g", digits, value);
    if (std::strtod(text, nullptr) == value) return text;
  }
  LAPIS_UNREACHABLE("17 digits tell all doubles apart");
}

// "{a: 1, b: 2}" of what is given.
class FlowMap {
 public:
  void add(const std::string& key, const std::string& value) {
    text_ += (text_.empty() ? "" : ", ") + key + ": " + value;
  }
  template <class T, class Print> void add(const std::string& key, const std::optional<T>& value, Print print) {
    if (value) add(key, print(*value));
  }
  bool empty() const { return text_.empty(); }
  std::string text() const { return "{" + text_ + "}"; }

 private:
  std::string text_;
};

std::string print_bool(bool value) { return value ? "true" : "false"; }
std::string print_int(int64_t value) { return std::to_string(value); }
template <class T> std::string print_name(T value) { return std::string(name_of(value)); }

std::string print_smoothing(const Smoothing& s) {
  if (s.alphas.empty()) return s.automatic ? "auto" : s.on() ? number(s.alpha) : "off";
  std::string list;
  for (const double alpha : s.alphas) list += (list.empty() ? "[" : ", ") + number(alpha);
  return list + "]";
}

std::string print_floats(DType type) { return type == DType::BFloat16 ? "bf16" : "fp32"; }

FlowMap flow(const SchemeSettings& s) {
  FlowMap map;
  map.add("type", s.type, print_name<DType>);
  map.add("symmetric", s.symmetric, print_bool);
  map.add("granularity", s.granularity, print_name<Granularity>);
  map.add("block", s.block, print_int);
  return map;
}

std::string print_pattern(SparsityPattern p) {
  return p.kind == SparsityPattern::Kind::Groups ? '"' + name_of(p) + '"' : name_of(p);
}

FlowMap flow(const SparsitySettings& s) {
  FlowMap map;
  map.add("ratio", s.ratio, number);
  map.add("pattern", s.pattern, print_pattern);
  map.add("scope", s.scope, print_name<SparsityScope>);
  map.add("compensate", s.compensate, print_bool);
  return map;
}

FlowMap flow(const NodeSettings& s) {
  FlowMap map, range;
  map.add("precision", s.precision, print_name<Precision>);
  map.add("floats", s.floats, print_floats);
  if (!s.data.empty()) map.add("data", flow(s.data).text());
  if (!s.weights.empty()) map.add("weights", flow(s.weights).text());
  range.add("method", s.method, print_name<RangeMethod>);
  range.add("percentile", s.percentile, number);
  if (!range.empty()) map.add("range", range.text());
  map.add("algorithm", s.algorithm, print_name<WeightAlgorithm>);
  map.add("smooth", s.smooth, print_smoothing);
  map.add("equalize", s.equalize, print_bool);
  map.add("correct_bias", s.correct_bias, print_bool);
  map.add("correct_weights", s.correct_weights, print_bool);
  if (!s.sparsity.empty()) map.add("sparsity", flow(s.sparsity).text());
  return map;
}

std::string full(const Scheme& s) {
  return flow(SchemeSettings{s.type, s.symmetric, s.granularity, s.block ? std::optional(s.block) : std::nullopt})
      .text();
}

std::string full(const RangeOptions& range) {
  FlowMap map;
  map.add("method", print_name(range.method));
  if (range.method == RangeMethod::Percentile) map.add("percentile", number(range.percentile));
  return map.text();
}

std::string full(const Sparsity& s) {
  const bool counted = s.pattern.kind == SparsityPattern::Kind::Groups;
  return flow(SparsitySettings{s.ratio, s.pattern, counted ? std::nullopt : std::optional(s.scope), s.compensate})
      .text();
}

std::string print_rule(const RecipeRule& rule) {
  FlowMap map;
  switch (rule.nodes.by) {
    case Selector::By::Name: map.add("node", scalar(rule.nodes.text)); break;
    case Selector::By::Pattern: map.add("pattern", scalar(rule.nodes.text)); break;
    case Selector::By::Type: map.add("type", scalar(rule.nodes.text)); break;
    case Selector::By::First: map.add("contraction", "first"); break;
    case Selector::By::Last: map.add("contraction", "last"); break;
  }
  const FlowMap settings = flow(rule.settings);
  const std::string all = map.text(), more = settings.text();
  return settings.empty() ? all : all.substr(0, all.size() - 1) + ", " + more.substr(1);
}

}  // namespace

std::string to_yaml(const Recipe& recipe, const std::unordered_map<std::string, std::string>& comments) {
  std::string text = "recipe: 1\nshare_limit: " + number(recipe.share_limit) + "\n" +
                     (recipe.runtime == Runtime::Lapis ? "" : "for: " + print_name(recipe.runtime) + "\n") +
                     "default:\n";
  text += "  precision: " + print_name(recipe.defaults.precision) +
          (recipe.defaults.floats == DType::Float32 ? "" : "\n  floats: " + print_floats(recipe.defaults.floats)) +
          "\n  data: " + full(recipe.defaults.data) + "\n  weights: " + full(recipe.defaults.weights) +
          "\n  range: " + full(recipe.defaults.range) + "\n  algorithm: " + print_name(recipe.defaults.algorithm) +
          "\n";
  if (recipe.defaults.smooth) text += "  smooth: " + print_smoothing(*recipe.defaults.smooth) + "\n";
  if (recipe.defaults.equalize) text += "  equalize: true\n";
  if (recipe.defaults.correct_bias) text += "  correct_bias: " + print_bool(*recipe.defaults.correct_bias) + "\n";
  if (recipe.defaults.correct_weights) text += "  correct_weights: true\n";
  if (!(recipe.defaults.sparsity == Sparsity())) text += "  sparsity: " + full(recipe.defaults.sparsity) + "\n";
  if (!recipe.rules.empty()) text += "rules:\n";
  for (const RecipeRule& rule : recipe.rules) {
    const auto comment = rule.nodes.by == Selector::By::Name ? comments.find(rule.nodes.text) : comments.end();
    text += "  - " + print_rule(rule) + (comment == comments.end() ? "" : "  # " + printable(comment->second)) + "\n";
  }
  return text;
}

}  // namespace lapis
