#include "passes/quantize/quantize.h"

#include <unordered_set>

#include "passes/prune/prune.h"
#include "passes/quantize/bias_correction.h"
#include "passes/quantize/equalize.h"
#include "passes/quantize/recurrences.h"
#include "passes/quantize/roles.h"
#include "passes/quantize/rounded_weights.h"
#include "passes/quantize/smooth.h"
#include "passes/quantize/weights_alone.h"

namespace lapis {
namespace {

Status check_complete(const Placement& placement, const Calibration& calibration) {
  Diagnostics found;
  for (const std::string& name : placement.value_names())
    if (!calibration.values.contains(name))
      found.push_back(error(ErrorKind::Mismatch, "the calibration has no range for it")
                          .at("value '" + name + "'")
                          .help("calibrate this very graph: simplify it first, then calibrate and quantize"));
  return status_of(std::move(found));
}

QuantizeReport insert(Graph& graph, const Placement& placement, const Calibration& calibration,
                      const QuantizeOptions& options, const RoundedOf& rounded) {
  Ranges ranges;
  for (size_t i = 0; i < placement.values.size(); ++i) {
    const std::string& name = placement.values[i]->name();
    ranges[name] = calibration.range(name, placement.ranges[i], placement.schemes[i]);
  }
  QuantizeReport report = insert_qdq(graph, placement, ranges, options.recipe, rounded);
  insert_weights_alone(graph, placement, rounded);
  report.warnings = placement.warnings;
  report.warnings.insert(report.warnings.end(), calibration.warnings.begin(), calibration.warnings.end());
  return report;
}

// At most `wanted` of the first `count` samples, evenly spread.
Result<std::vector<Feeds>> some_of(const SampleSource& source, int64_t count, int64_t wanted) {
  std::vector<Feeds> some;
  const int64_t taken = std::min(count, wanted);
  for (int64_t i = 0; i < taken; ++i) {
    LAPIS_TRY(std::optional<Feeds> feeds, source(i * count / taken));
    LAPIS_ASSERT(feeds.has_value(), "a source lost a sample");
    some.push_back(*std::move(feeds));
  }
  return some;
}

// Plans the model with channels of its weights evened out where the recipe says so, which needs no data.
Result<Placement> equalized(Graph& graph, const QuantizeOptions& options, Calibrated calibrated = Calibrated::Yes) {
  LAPIS_TRY(Placement placement, plan_qdq(graph, options.recipe, options.target, calibrated));
  return equalize(graph, placement) ? plan_qdq(graph, options.recipe, options.target, calibrated)
                                    : Result<Placement>(std::move(placement));
}

struct Adjusted {
  Placement placement;
  RoundedOf rounded;
};

// The same with all that changes weights: what the model computes stays, but for what rounding shifts.
Result<Adjusted> adjusted(Graph& graph, Evaluator& evaluator, const SampleSource& source,
                          const QuantizeOptions& options) {
  const int64_t samples = options.calibrate.samples;
  const auto plan = [&] { return plan_qdq(graph, options.recipe, options.target); };
  LAPIS_TRY(Placement placement, equalized(graph, options));
  LAPIS_TRY(const bool smoothed, smooth(graph, placement, evaluator, source, samples));
  if (smoothed) {
    LAPIS_TRY(placement, plan());
  }
  LAPIS_TRY(RoundedOf rounded, round_by_recipe(graph, placement, &evaluator, source, samples));
  LAPIS_TRY(const bool corrected, correct_biases(graph, placement, evaluator, source, samples, rounded));
  if (corrected) {
    LAPIS_TRY(placement, plan());
  }
  return Adjusted{std::move(placement), std::move(rounded)};
}

// The model quantized, with its damage on some of the samples where that is wanted.
Result<QuantizeReport> quantize_as_planned(Graph& graph, Evaluator& evaluator, const SampleSource& source,
                                           const QuantizeOptions& options, const Graph& original) {
  LAPIS_TRY(const Adjusted plan, adjusted(graph, evaluator, source, options));
  LAPIS_TRY(const Calibration calibration,
            calibrate(graph, plan.placement.value_names(), evaluator, source, options.calibrate));
  QuantizeReport report = insert(graph, plan.placement, calibration, options, plan.rounded);
  if (options.damage_samples == 0) return report;
  LAPIS_TRY(const std::vector<Feeds> some, some_of(source, calibration.samples, options.damage_samples));
  LAPIS_TRY(report.damage, measure_damage(original, graph, evaluator, some));
  return report;
}

Result<std::vector<HarmedRecurrence>> find_harmed(const Graph& graph, Evaluator& evaluator, const SampleSource& source,
                                                  const QuantizeOptions& options) {
  LAPIS_TRY(const Placement placement, plan_qdq(graph, options.recipe, options.target));
  const auto alone = [&](Graph& copy, const std::string& node) -> Result<Damage> {
    QuantizeOptions one = options;
    one.calibrate.progress = {};
    one.recipe.keep_float({Selector::By::Pattern, ".*"});
    one.recipe.set({Selector::By::Name, node}, {.precision = Precision::Int8});
    const std::unique_ptr<Graph> before = copy.clone();
    LAPIS_TRY(const QuantizeReport report, quantize_as_planned(copy, evaluator, source, one, *before));
    return *report.damage;
  };
  return harmed_recurrences(graph, placement, alone);
}

// Prunes the model as the recipe says. Null if it asks for nothing.
Result<std::shared_ptr<const PruneReport>> pruned(Graph& graph, const QuantizeOptions& options,
                                                  Evaluator* evaluator = nullptr, const SampleSource& source = {}) {
  LAPIS_TRY(PruneReport report,
            prune(graph, {options.recipe, options.target, options.calibrate.samples}, evaluator, source));
  const bool asked = std::any_of(report.weights.begin(), report.weights.end(),
                                 [](const PrunedWeights& w) { return !w.pattern.empty(); });
  return asked ? std::make_shared<const PruneReport>(std::move(report)) : nullptr;
}

void explain(QuantizeReport& report, const HarmedRecurrence& harmed) {
  for (NodeDecision& d : report.decisions)
    if (d.node == harmed.product) d.note = harmed.reason();
}

// Says of what causes damage whether it lost weights.
void blame_pruning(Damage& damage, const PruneReport& report) {
  std::unordered_set<std::string> pruned;
  for (const PrunedWeights& w : report.weights)
    if (w.zeros > 0 || w.elements < w.before) pruned.insert(w.node);
  for (OutputDamage& o : damage.outputs)
    if (o.cause) o.cause->pruned = pruned.contains(o.cause->node.node);
}

// What adjusts weights by what it sees of the data.
std::optional<std::string> needs_samples(const NodeRecipe& recipe) {
  if (rounds_by_data(recipe) || recipe.algorithm == WeightAlgorithm::Awq)
    return "algorithm: " + std::string(name_of(recipe.algorithm));
  if (recipe.weights_alone()) return std::nullopt;
  if (recipe.smooth && recipe.smooth->on()) return "smooth";
  return recipe.correct_bias.value_or(false) ? std::optional<std::string>("correct_bias") : std::nullopt;
}

// Ranges are of the very model that is quantized.
Status check_unpruned(const Graph& graph, const Placement& placement) {
  for (const Node* node : graph.nodes())
    if (node->op().has(Trait::Contraction) && placement.recipes.of(*node).sparsity.on())
      return error(ErrorKind::Usage, "`sparsity` changes the model that was calibrated")
          .at("node '" + node->name() + "'")
          .help("prune it first, then calibrate and quantize, or leave it out of the recipe");
  return ok();
}

Status check_unadjusted(const Graph& graph, const Placement& placement) {
  for (const Node* node : graph.nodes()) {
    if (!placement.in_fewer_bits(*node) || quant_of(*node) != Quant::Contraction) continue;
    if (const auto setting = needs_samples(placement.recipes.of(*node)))
      return error(ErrorKind::Usage, "`" + *setting + "` needs samples to run the model on")
          .at("node '" + node->name() + "'")
          .help("give samples and an evaluator, or leave it out of the recipe");
  }
  return ok();
}

Diagnostic lacks_samples() {
  return error(ErrorKind::Usage, "the pass 'quantize' needs samples to calibrate with")
      .help(
          "give --calibration DATA, or a recipe whose ranges are all found during inference (`range: {method: "
          "dynamic}`), or a model that has its own (QuantizeLinear/DequantizeLinear)");
}

// The model says something about its quantization.
bool is_quantized(const Graph& graph) {
  for (const Node* node : graph.nodes())
    if (is_boundary(*node) || is_integer_operator(*node)) return true;
  return false;
}

struct PassOptions {
  int64_t samples = 100, damage = 16;
  static constexpr auto fields =
      std::tuple(option("samples", &PassOptions::samples, "Samples to calibrate with, at most", 1),
                 option("damage", &PassOptions::damage, "Samples of those to measure the damage on, at most", 0));
};

Status run_pass(Graph& graph, const PassOptions& options, PassContext& context) {
  const QuantizeOptions quantize{
      context.recipe ? *context.recipe : Recipe(), {options.samples, context.progress}, context.target, options.damage};
  const bool data = context.evaluator && context.samples;
  LAPIS_TRY(const QuantizeReport report, data ? quantize_static(graph, *context.evaluator, context.samples, quantize)
                                              : quantize_dynamic(graph, quantize));
  if (context.quantized) context.quantized(report);
  return ok();
}

}  // namespace

Result<QuantizeReport> quantize_static(Graph& graph, Evaluator& evaluator, const SampleSource& source,
                                       const QuantizeOptions& options) {
  const std::unique_ptr<Graph> original = graph.clone();
  LAPIS_TRY(const auto prune_report, pruned(graph, options, &evaluator, source));
  QuantizeOptions sparing = options;
  std::vector<HarmedRecurrence> harmed;
  if (options.damage_samples > 0) {
    LAPIS_TRY(harmed, find_harmed(graph, evaluator, source, options));
  }
  for (const HarmedRecurrence& h : harmed) sparing.recipe.keep_float({Selector::By::Name, h.product});
  LAPIS_TRY(QuantizeReport report, quantize_as_planned(graph, evaluator, source, sparing, *original));
  for (const HarmedRecurrence& h : harmed) explain(report, h);
  report.pruned = prune_report;
  report.recipe = for_nodes_of(*original, std::move(report.recipe));  // for the model as it was
  if (!report.damage) return report;
  if (prune_report) blame_pruning(*report.damage, *prune_report);
  for (Diagnostic& d : warnings_of(*report.damage)) report.warnings.push_back(std::move(d));
  return report;
}

Result<QuantizeReport> quantize_dynamic(Graph& graph, const QuantizeOptions& options) {
  LAPIS_TRY(const auto prune_report, pruned(graph, options));
  const Calibrated calibrated = is_quantized(graph) ? Calibrated::No : Calibrated::Yes;
  LAPIS_TRY(const Placement placement, equalized(graph, options, calibrated));
  if (!placement.values.empty()) return lacks_samples();
  LAPIS_CHECK(check_unadjusted(graph, placement));
  LAPIS_TRY(const RoundedOf rounded, round_by_recipe(graph, placement, nullptr, {}, 0));
  QuantizeReport report = insert(graph, placement, {}, options, rounded);
  report.pruned = prune_report;
  return report;
}

Result<QuantizeReport> quantize_static(Graph& graph, const Calibration& calibration, const QuantizeOptions& options) {
  LAPIS_TRY(const Placement placement, plan_qdq(graph, options.recipe, options.target));
  LAPIS_CHECK(check_unadjusted(graph, placement));
  LAPIS_CHECK(check_unpruned(graph, placement));
  LAPIS_CHECK(check_complete(placement, calibration));
  LAPIS_TRY(const RoundedOf rounded, round_by_recipe(graph, placement, nullptr, {}, 0));
  return insert(graph, placement, calibration, options, rounded);
}

Pipeline quantize_passes() {
  return {pass<PassOptions>(
      "quantize", "what the recipe asks for, and can be, is computed in integers or between Q/DQ pairs", run_pass)};
}

}  // namespace lapis
