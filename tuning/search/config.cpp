#include "tuning/search/config.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <regex>

#include "base/suggest.h"
#include "tuning/recipe.h"
#include "tuning/search/strategy.h"
#include "tuning/yaml_reader.h"

namespace lapis {
namespace {

constexpr const char* kKind = "tuning configuration";
constexpr const char* kHint = "docs/tuning.md describes the file; `lapis init MODEL` writes one with every key";

class Reader : YamlReader {
 public:
  explicit Reader(const Path& file) : YamlReader(file, kKind, kHint), file_(file) {}

  Result<TuneConfig> read(const YAML::Node& root) {
    TuneConfig config;
    config_ = &config;
    if (known_keys(root, "the configuration", kSections)) {
      section(root, "model", {"path", "dims", "shapes", "values"}, true, &Reader::model);
      section(root, "device", {"target", "threads"}, false, &Reader::device);
      section(root, "quantization", {"approach", "calibration", "candidates"}, false, &Reader::quantization);
      section(root, "mixed_precision", {"precisions"}, false, &Reader::mixed_precision);
      section(root, "pruning", {"candidates"}, false, &Reader::pruning);
      section(root, "tuning", kTuning, true, &Reader::tuning);
      section(root, "evaluation", {"accuracy", "performance"}, true, &Reader::evaluation);
    }
    if (!found_.empty()) return std::move(found_);
    return config;
  }

 private:
  static inline const std::vector<std::string> kSections = {"model",   "device", "quantization", "mixed_precision",
                                                            "pruning", "tuning", "evaluation"};
  static inline const std::vector<std::string> kTuning = {"strategy",    "accuracy_criterion",  "objective",
                                                          "exit_policy", "random_seed",         "workspace",
                                                          "tensorboard", "sensitivity_samples", "diagnosis"};

  void section(const YAML::Node& root, const std::string& name, const std::vector<std::string>& keys, bool needed,
               void (Reader::*reader)(const YAML::Node&)) {
    const YAML::Node node = root[name];
    if (!node && needed) complain(root, "the configuration has no section `" + name + "`");
    if (node && known_keys(node, "`" + name + "`", keys)) (this->*reader)(node);
  }

  Path resolved(const std::string& name) const {
    const Path path(name);
    return path.is_absolute() || name.empty() ? path : file_.parent_path() / path;
  }
  bool path(const YAML::Node& node, const std::string& key, Path& to) {
    std::string name;
    text(node, key, name);
    if (!name.empty()) to = resolved(name);
    return !name.empty();
  }
  template <class T>
  void number(const YAML::Node& node, const std::string& key, T& to, T lowest, T highest, const std::string& wanted) {
    if (value(node, key, to, wanted) && !(to >= lowest && to <= highest))
      complain(node[key], "`" + key + "` must be " + wanted);
  }
  void one_of(const YAML::Node& node, const std::string& key, std::string& to, const std::vector<std::string>& known) {
    if (value(node, key, to, "a name") && std::find(known.begin(), known.end(), to) == known.end())
      complain(node[key], "there is no " + key + " '" + to + "'", suggestion(to, known));
  }

  // ---- model, device ------------------------------------------------------------------------------------------------

  void model(const YAML::Node& node) {
    if (!path(node, "path", config_->model)) complain(node, "`model` has no `path`");
    value(node, "dims", config_->shapes.dims, "a map from dimensions to numbers, {N: 1}");
    value(node, "shapes", config_->shapes.shapes, "a map from inputs to shapes, {image: [1, 3, 32, 32]}");
    numbers(node, "values", config_->shapes.values,
            "a map from inputs to the number that they always are, {sr: 16000}");
  }
  void numbers(const YAML::Node& node, const std::string& key, std::map<std::string, Number>& to,
               const std::string& wanted) {
    std::map<std::string, std::string> texts;
    if (!value(node, key, texts, wanted)) return;
    for (const auto& [name, text] : texts) {
      const auto number = Number::parse(text);
      if (!number)
        return complain(node[key], std::string("`")
                                       .append(key)
                                       .append("` must be ")
                                       .append(wanted)
                                       .append(", got '")
                                       .append(text)
                                       .append("'"));
      to.emplace(name, *number);
    }
  }

  void device(const YAML::Node& node) {
    text(node, "target", config_->target);
    if (Result<Target> target = Target::parse(config_->target); !target.ok())
      for (const Diagnostic& d : target.diagnostics()) complain(node["target"], d.message, d.hint);
    number(node, "threads", config_->threads, 0, 1024, "a whole number up to 1024; 0: one per core");
  }

  // ---- what may be done to the model --------------------------------------------------------------------------------

  void quantization(const YAML::Node& node) {
    std::string approach = "auto";
    one_of(node, "approach", approach, {"auto", "static", "dynamic", "weight_only", "qat"});
    config_->trained = approach == "qat";
    if (config_->trained) config_->candidates = trained_candidates();
    if (approach == "weight_only") config_->candidates = weights_alone_candidates();
    if (approach == "static" || approach == "dynamic") {
      config_->candidates = default_candidates();
      std::erase_if(config_->candidates, [&](const Candidate& c) {
        return (c.recipe.defaults.range.method == RangeMethod::Dynamic) != (approach == "dynamic");
      });
    }
    if (const YAML::Node calibration = node["calibration"];
        calibration && known_keys(calibration, "`calibration`", {"data", "samples"})) {
      path(calibration, "data", config_->calibration);
      number<int64_t>(calibration, "samples", config_->calibration_samples, 1, INT64_MAX, "a whole number from 1");
    }
    if (node["candidates"]) candidates(node["candidates"]);
  }

  void candidates(const YAML::Node& list) {
    if (!list.IsSequence() || list.size() == 0) return complain(list, "`candidates` must be a list of recipes");
    config_->candidates.clear();
    for (const YAML::Node& entry : list) {
      Result<Recipe> recipe = entry.IsScalar() ? read_recipe(resolved(entry.Scalar())) : recipe_of(entry, file_);
      if (!recipe.ok()) {
        found_.insert(found_.end(), recipe.diagnostics().begin(), recipe.diagnostics().end());
        continue;
      }
      const std::string name =
          entry.IsScalar() ? entry.Scalar() : "candidate " + std::to_string(config_->candidates.size() + 1);
      config_->candidates.push_back({name, *std::move(recipe)});
    }
  }

  // Entries are what a recipe's `sparsity` says, and are read as that.
  void pruning(const YAML::Node& node) {
    const YAML::Node list = node["candidates"];
    if (!list.IsDefined() || !list.IsSequence() || list.size() == 0)
      return complain(node, "`pruning` has no list of `candidates`", "write candidates: [{ratio: 0.3}]");
    for (const YAML::Node& entry : list) {
      YAML::Node recipe;
      recipe["default"]["sparsity"] = entry;
      const Result<Recipe> read = recipe_of(recipe, file_);
      if (!read.ok()) {
        found_.insert(found_.end(), read.diagnostics().begin(), read.diagnostics().end());
        continue;
      }
      const Sparsity& sparsity = read->defaults.sparsity;
      if (const auto problem = sparsity.problem()) complain(entry, *problem);
      if (!sparsity.on()) complain(entry, "the candidate prunes nothing", "give it a `ratio` above 0");
      config_->variants.pruned.push_back(sparsity);
    }
  }

  void mixed_precision(const YAML::Node& node) {
    std::vector<std::string> precisions;
    if (!value(node, "precisions", precisions, "a list of int8, bf16 and fp32")) return;
    for (const std::string& name : precisions)
      if (name != "int8" && name != "bf16" && name != "fp32")
        complain(node["precisions"], "the search chooses between int8, bf16 and fp32; it has no '" + name + "'",
                 "write `precisions: [int8, fp32]`, or leave the section out");
    config_->variants.bf16 = std::find(precisions.begin(), precisions.end(), "bf16") != precisions.end();
    for (const char* needed : {"int8", "fp32"})
      if (std::find(precisions.begin(), precisions.end(), needed) == precisions.end())
        complain(node["precisions"], std::string("a search without ") + needed + " has nothing to choose from",
                 "write `precisions: [int8, fp32]`, or leave the section out");
  }

  // ---- the search ---------------------------------------------------------------------------------------------------

  void tuning(const YAML::Node& node) {
    one_of(node, "strategy", config_->strategy, strategy_names());
    number<uint64_t>(node, "random_seed", config_->seed, 0, UINT64_MAX, "a whole number from 0");
    number<int64_t>(node, "sensitivity_samples", config_->sensitivity_samples, 1, 1 << 20, "a whole number from 1");
    if (node["diagnosis"]) diagnosis(node["diagnosis"]);
    if (const YAML::Node exit = node["exit_policy"]) exit_policy(exit);
    if (const YAML::Node objective = node["objective"]) objectives(objective);
    const YAML::Node criterion = node["accuracy_criterion"];
    if (criterion)
      accuracy_criterion(criterion);
    else if (!config_->exit.latency_milliseconds)
      complain(node, "`tuning` has no `accuracy_criterion`", "write accuracy_criterion: {relative: 0.01}");
    if (criterion && config_->exit.latency_milliseconds)
      complain(criterion,
               "with `latency_limit` the most accurate model within it is sought, whatever `accuracy_criterion` says",
               "leave one of the two out");
    if (const YAML::Node workspace = node["workspace"]; workspace && known_keys(workspace, "`workspace`", {"path"}))
      path(workspace, "path", config_->workspace);
    if (config_->workspace.empty()) config_->workspace = resolved("lapis_tuning");
    if (node["tensorboard"]) tensorboard(node);
  }

  // `true` for all nodes, or which.
  void diagnosis(const YAML::Node& node) {
    bool wanted = true;
    if (node.IsScalar() && YAML::convert<bool>::decode(node, wanted)) {
      if (wanted) config_->diagnosis.emplace();
      return;
    }
    if (!known_keys(node, "`diagnosis`", {"nodes"})) return;
    value(node, "nodes", config_->diagnosis.emplace().nodes, "a list of regular expressions, [\"encoder/.*\"]");
    for (const std::string& expression : config_->diagnosis->nodes)
      if (const auto problem = problem_of_regex(expression))
        complain(node["nodes"], "'" + expression + "' is no regular expression: " + *problem);
  }

  static std::optional<std::string> problem_of_regex(const std::string& expression) {
    try {
      const std::regex regex(expression);
      return std::nullopt;
    } catch (const std::regex_error& e) {
      return e.what();
    }
  }

  // A folder, or `true` for one in the workspace.
  void tensorboard(const YAML::Node& node) {
    bool wanted = false;
    if (!YAML::convert<bool>::decode(node["tensorboard"], wanted)) {
      path(node, "tensorboard", config_->tensorboard);
    } else if (wanted) {
      config_->tensorboard = config_->workspace / "tensorboard";
    }
  }

  void accuracy_criterion(const YAML::Node& node) {
    if (!known_keys(node, "`accuracy_criterion`", {"relative", "absolute", "value", "confidence", "higher_is_better"}))
      return;
    AccuracyCriterion& c = config_->criterion;
    std::vector<std::string> given;
    for (const auto& [key, to] :
         {std::pair("relative", &c.relative), std::pair("absolute", &c.absolute), std::pair("value", &c.value)}) {
      double number = 0;
      if (!value(node, key, number, "a number")) continue;
      *to = number;
      given.emplace_back(key);
      const bool is_loss = to != &c.value;
      if (!std::isfinite(number) || (is_loss && number < 0) || (to == &c.relative && number >= 1))
        complain(node[key], std::string("`") + key + "` must be " +
                                (is_loss ? "what may be lost, from 0 on" : "finite") +
                                (to == &c.relative ? ", a share below 1: 0.01 for one percent" : ""));
    }
    if (given.size() != 1 && found_.empty())
      complain(node,
               given.empty() ? "`accuracy_criterion` says nothing"
                             : "`accuracy_criterion` has " + joined(given, " and ") + ": which of them?",
               "give `relative` (a share that may be lost), `absolute` (how much may be lost) or `value` (what must be "
               "reached)");
    number(node, "confidence", c.confidence, 0.5, 1.0, "a number from 0.5 to 1");
    bool higher = true;
    if (value(node, "higher_is_better", higher, "true or false")) config_->higher_is_better = higher;
  }

  void objectives(const YAML::Node& node) {
    config_->objectives.of.clear();
    if (node.IsScalar()) return add_objective(node, node.Scalar(), 1);
    if (!node.IsMap() || node.size() == 0)
      return complain(node, "`objective` must be a name, or names with weights: {latency: 2, model_size: 1}");
    for (const auto& entry : node) {
      double weight = 0;
      if (!YAML::convert<double>::decode(entry.second, weight) || !(weight > 0 && std::isfinite(weight)))
        complain(entry.second, "the weight of an objective must be a number above 0");
      add_objective(entry.first, entry.first.Scalar(), weight);
    }
  }
  void add_objective(const YAML::Node& node, const std::string& name, double weight) {
    const std::optional<Objective> objective = objective_from_name(name);
    if (!objective) return complain(node, "there is no objective '" + name + "'", suggestion(name, objective_names()));
    if (config_->objectives.contain(*objective)) return complain(node, "the objective " + name + " stands twice");
    config_->objectives.of.push_back({*objective, weight});
  }

  void exit_policy(const YAML::Node& node) {
    if (!known_keys(node, "`exit_policy`", {"stop", "max_trials", "timeout", "latency_limit"})) return;
    std::string stop = "budget";
    one_of(node, "stop", stop, {"budget", "first_pass"});
    ExitPolicy& exit = config_->exit;
    exit.stop = stop == "first_pass" ? ExitPolicy::Stop::FirstPass : ExitPolicy::Stop::Budget;
    number(node, "max_trials", exit.max_trials, 1, 1000000, "a whole number from 1 to 1000000");
    number(node, "timeout", exit.timeout_seconds, 0.0, 1e9, "a number of seconds up to 1e9; 0: none");
    double limit = 0;
    if (!value(node, "latency_limit", limit, "a number of milliseconds")) return;
    exit.latency_milliseconds = limit;
    if (!(limit > 0 && std::isfinite(limit))) complain(node["latency_limit"], "`latency_limit` must be above 0");
  }

  // ---- evaluation ---------------------------------------------------------------------------------------------------

  void evaluation(const YAML::Node& node) {
    const YAML::Node accuracy = node["accuracy"];
    if (!accuracy) return complain(node, "`evaluation` has no `accuracy`", "write accuracy: {data: eval.yaml}");
    if (known_keys(accuracy, "`accuracy`", {"data", "samples"})) {
      if (!path(accuracy, "data", config_->data)) complain(accuracy, "`accuracy` has no `data`: the dataset file");
      number<int64_t>(accuracy, "samples", config_->samples, 0, INT64_MAX, "a whole number; 0: all");
    }
    if (const YAML::Node speed = node["performance"];
        speed && known_keys(speed, "`performance`", {"rounds", "round_seconds"})) {
      number(speed, "rounds", config_->rounds, 1, 10000, "a whole number from 1 to 10000");
      number(speed, "round_seconds", config_->round_seconds, 1e-4, 1e3, "a number of seconds from 0.0001 to 1000");
    }
  }

  const Path file_;
  TuneConfig* config_ = nullptr;
};

}  // namespace

std::vector<Candidate> default_candidates() {
  std::vector<Candidate> candidates;
  for (const std::string& name : range_method_names()) {
    candidates.push_back({name, {}});
    candidates.back().recipe.defaults.range.method = *range_method_from_name(name);
  }
  // What `lapis quantize` does comes first, and the same without what it does to weights and biases last.
  const RangeMethod usual = Recipe().defaults.range.method;
  std::stable_partition(candidates.begin(), candidates.end(),
                        [&](const Candidate& c) { return c.recipe.defaults.range.method == usual; });
  Candidate plain{"unadjusted", {}};
  plain.recipe.defaults.smooth = Smoothing();
  plain.recipe.defaults.correct_bias = false;
  candidates.push_back(std::move(plain));
  return candidates;
}

std::vector<Candidate> trained_candidates() {
  std::vector<Candidate> candidates = {{"own ranges, others static", {}}, {"own ranges, others dynamic", {}}};
  candidates.back().recipe.defaults.range.method = RangeMethod::Dynamic;
  return candidates;
}

std::vector<Candidate> weights_alone_candidates() {
  std::vector<Candidate> candidates;
  const auto add = [&](const std::string& name, Scheme weights, WeightAlgorithm algorithm) {
    NodeRecipe& recipe = candidates.emplace_back(Candidate{name, {}}).recipe.defaults;
    recipe.data.type = DType::Float32;
    recipe.weights = weights;
    recipe.algorithm = algorithm;
  };
  add("int8 weights", {DType::Int8, true, Granularity::Channel, 0}, WeightAlgorithm::Round);
  for (const WeightAlgorithm algorithm : {WeightAlgorithm::Gptq, WeightAlgorithm::Awq, WeightAlgorithm::Round})
    add("int4 weights, " + std::string(name_of(algorithm)), {DType::Int4, true, Granularity::Block, 32}, algorithm);
  return candidates;
}

Result<TuneConfig> parse_tune_config(const std::string& text, const Path& file) {
  return read_yaml(text, file, kKind, kHint, [&](const YAML::Node& root) { return Reader(file).read(root); });
}

Result<TuneConfig> read_tune_config(const Path& file) {
  LAPIS_TRY(const std::string text, read_file(file));
  return parse_tune_config(text, file);
}

}  // namespace lapis
