#include "tuning/search/workbench.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <thread>
#include <tuple>

#include "base/stopwatch.h"
#include "frontends/frontend.h"
#include "ir/infer.h"
#include "ir/ops/ops.h"
#include "passes/pipeline.h"
#include "tuning/fixed_inputs.h"

namespace lapis {
namespace {

int cores() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

// Fisher-Yates with the generator's own bits: the same order wherever the standard library comes from.
std::vector<int64_t> shuffled(int64_t count, uint64_t seed) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 random(seed);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random() % i]);
  return order;
}

// Recipes that nobody asked for are left out where the model cannot be quantized by them.
std::vector<Candidate> fitting(const std::vector<Candidate>& candidates, const Graph& graph, const Target& target) {
  std::vector<Candidate> fit = candidates;
  std::erase_if(fit, [&](const Candidate& c) { return !plan_qdq(graph, c.recipe, target).ok(); });
  return fit.empty() ? candidates : fit;
}

// Lapis does not train: ranges that were learned come with the model.
Status check_trained(const Graph& graph, const Path& model) {
  if (OwnScales(graph).pairs() > 0) return ok();
  return error(ErrorKind::Mismatch,
               "`approach: qat` is for models that were trained with quantization, and this one has no "
               "QuantizeLinear/DequantizeLinear pairs")
      .at(model.filename().string())
      .help(
          "train it with fake quantization (PyTorch, TensorFlow) and import the result, or write `approach: static`, "
          "which "
          "needs samples and no training");
}

bool has_node(const Graph& graph, const OpDef& op) {
  for (const Node* node : graph.nodes())
    if (node->is(op)) return true;
  return false;
}

// What looks at samples again, so that one calibration does not do for it. Where the recipe says nothing, biases of
// convolutions are corrected and products of sequences smoothed.
bool adjusts_weights(const Recipe& recipe, const Graph& graph) {
  const NodeRecipe& d = recipe.defaults;
  const bool corrects = d.correct_bias.value_or(has_node(graph, ops::Conv)),
             smooths = d.smooth ? d.smooth->on() : has_node(graph, ops::MatMul);
  return d.algorithm != WeightAlgorithm::Round || d.equalize || corrects || smooths || d.sparsity.on() ||
         std::any_of(recipe.rules.begin(), recipe.rules.end(), [](const RecipeRule& rule) {
           const NodeSettings& s = rule.settings;
           return s.algorithm || s.smooth || s.equalize || s.correct_bias || !s.sparsity.empty();
         });
}

double constant_bytes(const Graph& graph) {
  double bytes = 0;
  for (const Value* v : graph.constants()) bytes += static_cast<double>(v->constant().bytes());
  return bytes;
}

// Whether a sample has one row wherever the model takes any number of them.
Result<bool> has_single_rows(const Graph& graph, const Dataset& data) {
  LAPIS_TRY(const Feeds feeds, data.sample(0));
  for (const Value* input : graph.inputs()) {
    const auto given = feeds.find(input->name());
    if (given == feeds.end() || given->second.rank() == 0 || !input->type().ranked() || input->type().dims->empty())
      continue;
    if (!input->type().dims->front().symbols().empty() && given->second.dim(0) != 1) return false;
  }
  return true;
}

// Mean milliseconds of so many runs.
Result<double> timed(Runner& runner, const std::vector<Tensor>& inputs, int64_t runs) {
  const Stopwatch watch;
  for (int64_t i = 0; i < runs; ++i) LAPIS_CHECK(runner.run(inputs));
  return watch.milliseconds() / static_cast<double>(runs);
}

// The least mean time of both over the rounds, in turn, so that a changing clock or a busy core hurts both alike.
Result<std::pair<double, double>> timed_in_turn(Runner& a, Runner& b, const std::vector<Tensor>& inputs, int rounds,
                                                double seconds) {
  LAPIS_CHECK(a.prepare(inputs));
  LAPIS_CHECK(b.prepare(inputs));
  LAPIS_TRY(const double first_a, timed(a, inputs, 1));
  LAPIS_TRY(const double first_b, timed(b, inputs, 1));
  const auto runs = [&](double ms) {
    return std::clamp<int64_t>(static_cast<int64_t>(1e3 * seconds / std::max(ms, 1e-6)), 1, 100000);
  };
  double least_a = first_a, least_b = first_b;
  for (int i = 0; i < rounds; ++i) {
    LAPIS_TRY(const double ms_a, timed(a, inputs, runs(least_a)));
    LAPIS_TRY(const double ms_b, timed(b, inputs, runs(least_b)));
    least_a = std::min(least_a, ms_a);
    least_b = std::min(least_b, ms_b);
  }
  return std::pair(least_a, least_b);
}

}  // namespace

// ---- making one -----------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Workbench>> Workbench::make(const TuneConfig& config, const TuneObserver& observer, Team& team) {
  std::unique_ptr<Workbench> bench(new Workbench(config, observer, team));
  LAPIS_CHECK(bench->read());
  LAPIS_CHECK(bench->calibrate());
  LAPIS_CHECK(bench->measure_baseline());
  return bench;
}

Result<std::unique_ptr<Workbench>> Workbench::for_effects(std::unique_ptr<Graph> graph, const Dataset& samples,
                                                          const TuneConfig& config, const TuneObserver& observer,
                                                          Team& team) {
  std::unique_ptr<Workbench> bench(new Workbench(config, observer, team));
  LAPIS_TRY(bench->target_, Target::parse(config.target));
  bench->graph_ = std::move(graph);
  LAPIS_CHECK(bench->take(samples, samples));
  LAPIS_CHECK(bench->calibrate());
  LAPIS_CHECK(bench->open_baseline());
  return bench;
}

Progress Workbench::progress(const std::string& what) const {
  if (!observer_.progress) return {};
  return [this, what](int64_t done, int64_t total) { observer_.progress(what, done, total); };
}

Status Workbench::read() {
  LAPIS_TRY(target_, Target::parse(config_.target));
  LAPIS_TRY(graph_, import_model(config_.model));
  if (!config_.shapes.dims.empty() || !config_.shapes.shapes.empty() || !config_.shapes.values.empty()) {
    LAPIS_CHECK(in_file(bind_model(*graph_, config_.shapes), config_.model, graph_->name()));
  }
  LAPIS_TRY(const Dataset whole, Dataset::load(config_.data));
  if (config_.calibration.empty()) return take(whole, whole);
  LAPIS_TRY(const Dataset other, Dataset::load(config_.calibration));
  return take(whole, other);
}

// The model as trials see it, what can be done to it, and the samples for it.
Status Workbench::take(const Dataset& whole, const Dataset& other) {
  LAPIS_CHECK(fix_inputs(whole));
  data_ = fitted(whole, *graph_).limited_to(config_.samples);
  LAPIS_TRY(single_rows_, has_single_rows(*graph_, *data_));
  PassRunnerOptions run;
  use_onnx_writers(run);
  LAPIS_TRY(const Pipeline written_out, parse_pipeline("simplify,expand"));
  PassContext context;
  context.target = target_;
  LAPIS_CHECK(in_file(PassRunner(run).run(*graph_, written_out, context), config_.model, graph_->name()));
  if (config_.trained) LAPIS_CHECK(check_trained(*graph_, config_.model));
  const bool own = !config_.candidates.empty();
  if (config_.variants.bf16) LAPIS_CHECK(check_bf16(target_));
  std::vector<Candidate> candidates = own ? config_.candidates : fitting(default_candidates(), *graph_, target_);
  LAPIS_TRY(space_, in_file(make_space(*graph_, with_variants(std::move(candidates), config_.variants), target_),
                            config_.model, graph_->name()));
  return choose_samples(fitted(other, *graph_));
}

Status Workbench::fix_inputs(const Dataset& data) {
  LAPIS_TRY(const std::vector<std::string> notes, fix_deciding_inputs(*graph_, data));
  for (const std::string& note : notes) about_inputs_.push_back(warning(note).at(config_.model.filename().string()));
  return ok();
}

Diagnostics Workbench::warnings() const {
  Diagnostics all = about_inputs_;
  all.insert(all.end(), calibration_.warnings.begin(), calibration_.warnings.end());
  return all;
}

Status Workbench::choose_samples(const Dataset& all) {
  LAPIS_TRY(calibration_data_, calibration_samples(all, config_.calibration_samples, [&]() -> OpenedRunner {
              LAPIS_TRY(Runners runners, open(*graph_, 1, 1));
              return std::move(runners[0]);
            }));
  return ok();
}

Status Workbench::calibrate() {
  const std::unique_ptr<Evaluator> evaluator = jit_evaluator(0);
  const CalibrateOptions options{config_.calibration_samples, progress("calibrating")};
  Result<Calibration> calibration =
      lapis::calibrate(*graph_, values_to_calibrate(*graph_), *evaluator, samples_of(*calibration_data_), options);
  if (!calibration.ok()) return std::move(calibration).diagnostics();
  calibration_ = *std::move(calibration);
  return ok();
}

Status Workbench::open_baseline() {
  LAPIS_TRY(baseline_runners_, open(*graph_));
  LAPIS_TRY(const Feeds feeds, data_->sample(0));
  LAPIS_TRY(first_, ordered(feeds, baseline_runners_[0]->inputs()));
  return ok();
}

Status Workbench::measure_baseline() {
  if (data_->carried().empty()) order_ = shuffled(data_->size(), config_.seed);
  LAPIS_CHECK(open_baseline());
  EvaluateOptions options;
  options.reference = baseline_runners_[0].get();
  options.progress = progress("evaluating fp32");
  options.team = &team_;
  options.name = "fp32";
  LAPIS_TRY(baseline_, measure_accuracy(baseline_runners_, *data_, options));
  if (!std::isfinite(baseline_.value))
    return error(ErrorKind::Mismatch,
                 "the metric of the fp32 model is not a number, so that nothing can be compared with it")
        .at(config_.data.string())
        .help("look at its outputs: `lapis run`, `lapis eval`");
  higher_is_better_ = config_.higher_is_better.value_or(baseline_.higher_is_better);
  return ok();
}

// ---- trials ---------------------------------------------------------------------------------------------------------

Result<Built> Workbench::build(const Configuration& configuration) const {
  Built built{graph_->clone(), {}, {}};
  if (space_.is_untouched(configuration)) {
    for (const Node* node : graph_->nodes())
      built.report.decisions.push_back({node->name(), std::string(node->op().name), false, "the fp32 model"});
    built.report.recipe.defaults.precision = Precision::Float32;
    return built;
  }
  QuantizeOptions options{space_.recipe(configuration), {calibration_data_->size(), {}}, target_, 0};
  if (adjusts_weights(options.recipe, *graph_)) {
    const std::unique_ptr<Evaluator> evaluator = jit_evaluator(0);
    LAPIS_TRY(built.report, quantize_static(*built.graph, *evaluator, samples_of(*calibration_data_), options));
  } else {  // and the recipe says so, so that quantizing by it makes the same model
    options.recipe.defaults.smooth = Smoothing();
    options.recipe.defaults.correct_bias = false;
    LAPIS_TRY(built.report, quantize_static(*built.graph, calibration_, options));
  }
  LAPIS_TRY(built.mixed, to_bf16(*built.graph, {for_nodes_of(*built.graph, options.recipe), target_}));
  return built;
}

Result<Runners> Workbench::open(const Graph& graph) const { return open(graph, 1, cores()); }

// A batch becomes 1 where samples have one row; other free dimensions stay, because samples may be of any length.
Result<Runners> Workbench::open(const Graph& graph, int threads, int callers) const {
  const std::unique_ptr<Graph> bound = graph.clone();
  if (single_rows_) LAPIS_CHECK(bind_model(*bound, {}));
  RunnerOptions options;
  options.target = target_;
  options.threads = threads;
  options.model.all_free = true;
  return open_graph(*bound, options, callers);
}

Result<double> Workbench::throughput(Runners& runners) const {
  std::vector<std::thread> threads;
  std::vector<Result<double>> times(runners.size(), 0.0);
  LAPIS_TRY(const double one, timed(*runners[0], first_, 1));
  const double seconds = config_.round_seconds * config_.rounds;
  const auto runs = std::max<int64_t>(1, static_cast<int64_t>(1e3 * seconds / std::max(one, 1e-6)));
  for (size_t r = 0; r < runners.size(); ++r)
    threads.emplace_back([&, r] { times[r] = timed(*runners[r], first_, runs); });
  for (std::thread& t : threads) t.join();
  double sum = 0;
  for (Result<double>& ms : times) {
    LAPIS_TRY(const double each, std::move(ms));
    sum += 1e3 / each;
  }
  return sum;
}

Result<Workbench::Measured> Workbench::costs(const Graph& graph, Runners& runners) {
  Measured m;
  Runners threaded, threaded_baseline;
  if (config_.threads != 1) {
    LAPIS_TRY(threaded, open(graph, config_.threads, 1));
    LAPIS_TRY(threaded_baseline, open(*graph_, config_.threads, 1));
  }
  Runner* const own = threaded.empty() ? runners[0].get() : threaded[0].get();
  Runner* const fp32 = threaded.empty() ? baseline_runners_[0].get() : threaded_baseline[0].get();
  LAPIS_TRY(const auto times, timed_in_turn(*own, *fp32, first_, config_.rounds, config_.round_seconds));
  std::tie(m.costs.milliseconds, m.baseline.milliseconds) = times;
  m.costs.size_bytes = constant_bytes(graph);
  m.baseline.size_bytes = constant_bytes(*graph_);
  if (config_.objectives.contain(Objective::Throughput)) {
    LAPIS_TRY(m.costs.throughput, throughput(runners));
    LAPIS_TRY(m.baseline.throughput, throughput(baseline_runners_));
  }
  if (config_.objectives.contain(Objective::MemoryFootprint)) {
    LAPIS_TRY(m.costs.memory_bytes, footprint(*own));
    LAPIS_TRY(m.baseline.memory_bytes, footprint(*fp32));
  }
  return m;
}

Result<double> Workbench::footprint(Runner& runner) const {
  if (!runner.session())
    return error(ErrorKind::Usage, "the memory footprint of a model with free dimensions is not one number")
        .at(config_.model.string())
        .help("give them in `model.dims` or `model.shapes`");
  const Program& p = runner.session()->program();
  return static_cast<double>(lapis::constant_bytes(p) + p.code.size() + static_cast<uint64_t>(p.arena_bytes));
}

// `sign`: -1 where lower values are better.
void Workbench::take_over(Trial& trial, const Accuracy& measured, const SequentialTest::Interval& interval,
                          double sign) const {
  trial.samples = static_cast<int64_t>(measured.milliseconds.size());
  trial.unusable = measured.unusable;
  trial.early = trial.samples < data_->size();
  trial.gain = trial.early ? interval.mean : sign * (measured.value - baseline_.value);
  trial.gain_low = trial.early ? interval.low : trial.gain;
  trial.gain_high = trial.early ? interval.high : trial.gain;
  trial.accuracy = trial.early ? baseline_.value + sign * trial.gain : measured.value;
}

Status Workbench::accuracy(Runners& runners, Trial& trial, Answer& answer, Samples samples, const std::string& name) {
  const double sign = higher_is_better_ ? 1 : -1;
  const bool limited = config_.exit.latency_milliseconds.has_value();  // the value itself is wanted
  const double allowed = limited ? 0 : config_.criterion.allowed_loss(baseline_.value, higher_is_better_);
  const bool paired = samples == Samples::Enough && !baseline_.scores.empty() && !order_.empty();
  SequentialTest test({data_->size(), allowed, limited ? 1 : config_.criterion.confidence});
  EvaluateOptions options;
  options.reference = baseline_runners_[0].get();
  options.order = order_;
  options.team = name.empty() ? nullptr : &team_;
  options.name = name;
  options.progress =
      progress("trial " + std::to_string(trial.number) + " of at most " + std::to_string(config_.exit.max_trials));
  options.enough = [&](int64_t done, const Metric& metric) {
    if (!paired || !test.is_look(done)) return false;
    const std::vector<double> scores = metric.scores();
    for (auto i = static_cast<size_t>(test.samples()); i < static_cast<size_t>(done); ++i) {
      const auto sample = static_cast<size_t>(order_[i]);
      test.add(sign * baseline_.scores[sample], sign * scores[sample]);
    }
    return test.answer() != Answer::Open;
  };
  LAPIS_TRY(const Accuracy measured, measure_accuracy(runners, *data_, options));
  take_over(trial, measured, test.interval(), sign);
  constexpr double kRounding = 1e-12;
  answer = trial.early ? test.answer() : trial.gain >= -allowed - kRounding ? Answer::Passes : Answer::Fails;
  if (std::isfinite(trial.accuracy)) return ok();
  return error(ErrorKind::Mismatch, "the metric is not a number");
}

}  // namespace lapis
