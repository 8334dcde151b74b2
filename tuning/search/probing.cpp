// The part of the workbench that looks into models.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/infer.h"
#include "passes/quantize/sample_runner.h"
#include "passes/quantize/smooth.h"
#include "tuning/search/workbench.h"

namespace lapis {

// What becomes not finite is as wrong as can be; with what is not in the float model nothing can be compared.
void Powers::add(const Tensor& wanted, const Tensor& got) {
  const auto a = wanted.data<float>(), b = got.data<float>();
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double value = a[i], error = b[i] - value;
    if (!std::isfinite(value)) continue;
    signal += value * value;
    noise += std::isfinite(error) ? error * error : value * value + 1;
  }
}

Result<const Workbench::Probes*> Workbench::probes() {
  if (probes_) return &*probes_;
  const Dataset some = calibration_data_->limited_to(config_.sensitivity_samples);
  Probes made;
  for (int64_t i = 0; i < some.size(); ++i) {
    LAPIS_TRY(made.feeds.emplace_back(), some.sample(i));
  }
  LAPIS_TRY(made.wanted, outputs(*baseline_runners_[0], made.feeds));
  return &probes_.emplace(std::move(made));
}

Result<Workbench::Outputs> Workbench::outputs(Runner& runner, const std::vector<Feeds>& feeds) const {
  Outputs all;
  for (const Feeds& sample : feeds) {
    LAPIS_TRY(const std::vector<Tensor> inputs, ordered(sample, runner.inputs()));
    LAPIS_TRY(all.emplace_back(), runner.run(inputs));
  }
  return all;
}

// Over all samples, the mean over the float outputs.
double Workbench::noise(const Outputs& wanted, const Outputs& got) {
  double sum = 0;
  int outputs = 0;
  for (size_t o = 0; !wanted.empty() && o < wanted[0].size(); ++o) {
    if (wanted[0][o].dtype() != DType::Float32) continue;
    Powers powers;
    for (size_t s = 0; s < wanted.size(); ++s) powers.add(wanted[s][o], got[s][o]);
    sum += powers.ratio();
    ++outputs;
  }
  return outputs ? sum / outputs : 0;
}

Result<double> Workbench::noise(Runner& runner) {
  LAPIS_TRY(const Probes* const probes, this->probes());
  LAPIS_TRY(const Outputs got, outputs(runner, probes->feeds));
  return noise(probes->wanted, got);
}

Result<double> Workbench::noise(const Graph& graph) {
  LAPIS_TRY(const Runners runners, open(graph));
  return noise(*runners[0]);
}

Result<double> Workbench::noise(const Configuration& configuration) {
  LAPIS_TRY(const Built built, sketch(configuration));
  return noise(*built.graph);
}

Result<const Workbench::Smoothed*> Workbench::smoothed(size_t candidate) {
  if (const auto it = smoothed_.find(candidate); it != smoothed_.end()) return &it->second;
  Smoothed made{graph_->clone(), calibration_};
  LAPIS_TRY(const Placement placement, plan_qdq(*made.graph, space_.candidates[candidate].recipe, target_));
  const std::unique_ptr<Evaluator> evaluator = jit_evaluator(0);
  const SampleSource samples = samples_of(*calibration_data_);
  const int64_t count = calibration_data_->size();
  LAPIS_TRY(const bool changed, smooth(*made.graph, placement, *evaluator, samples, count));
  if (changed) {
    LAPIS_TRY(made.calibration,
              lapis::calibrate(*made.graph, values_to_calibrate(*made.graph), *evaluator, samples, {count, {}}));
  }
  return &smoothed_.emplace(candidate, std::move(made)).first->second;
}

// What needs no samples of a recipe.
static Recipe without_samples(Recipe recipe) {
  NodeRecipe& d = recipe.defaults;
  d.algorithm = WeightAlgorithm::Round;
  d.smooth = Smoothing();
  d.equalize = d.correct_bias.emplace(false);
  d.sparsity = {};
  for (RecipeRule& rule : recipe.rules) {
    NodeSettings& s = rule.settings;
    s.algorithm.reset();
    s.smooth.reset();
    s.equalize.reset();
    s.correct_bias.reset();
    s.sparsity = {};
  }
  return recipe;
}

Result<Built> Workbench::sketch(const Configuration& configuration) {
  if (configuration.all_fp32()) return build(configuration);
  LAPIS_TRY(const Smoothed* const from, smoothed(configuration.candidate));
  Built built{from->graph->clone(), {}, {}};
  const QuantizeOptions options{without_samples(space_.recipe(configuration)), {}, target_, 0};
  LAPIS_TRY(built.report, quantize_static(*built.graph, from->calibration, options));
  return built;
}

// `use` sees the results of each sample.
Status Workbench::watch(const Graph& graph, const std::vector<std::string>& watched,
                        const std::function<void(Feeds results)>& use) {
  LAPIS_TRY(const Probes* const probes, this->probes());
  const std::unique_ptr<Evaluator> evaluator = jit_evaluator(1);
  SampleRunner runner(graph, watched, *evaluator);
  int64_t sample = 0;
  for (const Feeds& feeds : probes->feeds) {
    LAPIS_TRY(Feeds results, runner.run(feeds, sample++));
    use(std::move(results));
  }
  return ok();
}

Result<std::vector<Feeds>> Workbench::values(const Graph& graph, const std::vector<std::string>& watched) {
  std::vector<Feeds> all;
  LAPIS_CHECK(watch(graph, watched, [&](Feeds results) { all.push_back(std::move(results)); }));
  return all;
}

Result<std::vector<Seen>> Workbench::distributions(const Graph& graph, const std::vector<std::string>& values,
                                                   size_t at_once) {
  std::vector<Seen> seen(values.size());
  for (size_t begin = 0; begin < values.size(); begin += at_once) {
    const size_t end = std::min(begin + at_once, values.size());
    std::vector<std::string> watched(values.begin() + static_cast<std::ptrdiff_t>(begin),
                                     values.begin() + static_cast<std::ptrdiff_t>(end));
    std::erase(watched, "");
    LAPIS_CHECK(watch(graph, watched, [&](const Feeds& results) {
      for (size_t i = begin; i < end; ++i)
        if (!values[i].empty()) seen[i].add(results.at(values[i]));
    }));
  }
  return seen;
}

Result<Damage> Workbench::damage(const Graph& graph) {
  LAPIS_TRY(const Probes* const probes, this->probes());
  return measure_damage(*graph_, graph, *jit_evaluator(0), probes->feeds);
}

Result<std::vector<StepTime>> Workbench::profile(const Graph& graph) const {
  const std::unique_ptr<Graph> bound = graph.clone();
  std::map<std::string, Shape> shapes;
  for (size_t i = 0; i < first_.size(); ++i) shapes[baseline_runners_[0]->inputs()[i].name] = first_[i].shape();
  LAPIS_CHECK(bind_shapes(*bound, shapes));
  RunnerOptions options;
  options.target = target_;
  options.threads = config_.threads;
  options.profile = true;
  LAPIS_TRY(const std::unique_ptr<Runner> runner, open_graph(*bound, options));
  Session& session = *runner->session();
  const auto& steps = session.program().steps;
  std::vector<double> least(steps.size(), std::numeric_limits<double>::infinity());  // whatever interrupts a run
  for (int i = 0; i < kProfiledRuns; ++i) {
    session.reset_profile();
    LAPIS_CHECK(runner->run(first_));
    for (size_t s = 0; s < steps.size(); ++s) least[s] = std::min(least[s], session.step_nanoseconds()[s]);
  }
  std::vector<StepTime> times;
  for (size_t s = 0; s < steps.size(); ++s) times.push_back({steps[s].op, steps[s].nodes, least[s] / 1e6});
  return times;
}

}  // namespace lapis
