#include "passes/prune/prune.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "ir/ops/ops.h"
#include "passes/prune/channels.h"
#include "passes/prune/compensate.h"
#include "passes/quantize/sample_runner.h"

namespace lapis {

namespace {

using Kind = SparsityPattern::Kind;

// ---- weights that become 0 ------------------------------------------------------------------------------------------

// Weights that are pruned by themselves, of one node or of several that share them.
struct Task {
  WeightMatrix matrix;
  std::vector<Node*> nodes;
  Sparsity sparsity;
  Mask mask = {};  // if it is chosen before what is lost is made good
};

// Why a pattern does not fit the weights, or nullopt.
std::optional<std::string> misfit(const WeightMatrix& m, const SparsityPattern& pattern) {
  if (pattern.kind == Kind::Groups && m.channels % pattern.columns != 0)
    return std::to_string(m.channels) + " input channels are no groups of " + std::to_string(pattern.columns);
  if (pattern.kind == Kind::Blocks && m.groups > 1 && m.outputs % pattern.rows != 0)
    return "groups of " + std::to_string(m.outputs) + " output channels are no blocks of " +
           std::to_string(pattern.rows);
  return std::nullopt;
}

class WeightPruner {
 public:
  WeightPruner(Graph& graph, const NodeRecipes& recipes) : graph_(graph), recipes_(recipes) {}

  Status run(Evaluator* evaluator, const SampleSource& source, int64_t samples) {
    for (Node* node : graph_.nodes()) plan(*node);
    choose_masks_before();
    for (const Task& task : tasks_)
      if (!compensates(task)) prune(task, nullptr);
    std::vector<Node*> compensated;
    for (const Task& task : tasks_)
      if (compensates(task)) compensated.push_back(task.matrix.node);
    if (!compensated.empty())
      LAPIS_CHECK(for_each_moments(graph_, compensated, kMomentsOfRows, *evaluator, source, samples,
                                   [&](Node& node, const InputMoments& moments) -> Status {
                                     prune(tasks_[task_of_.at(node.input(1))], &moments);
                                     return ok();
                                   }));
    graph_.erase_unused_constants();
    return ok();
  }

  std::unordered_map<const Node*, std::string> notes;  // of nodes that are left whole, or not compensated

 private:
  void plan(Node& node) {
    const Sparsity& sparsity = recipes_.of(node).sparsity;
    if (!sparsity.on() || sparsity.pattern.kind == Kind::Channels) return;
    const auto m = weight_matrix(node);
    if (!m.ok()) return leave(node, m.diagnostics()[0].message);
    if (const auto reason = misfit(*m, sparsity.pattern)) return leave(node, *reason);
    const auto [known, first] = task_of_.emplace(m->weight, tasks_.size());
    if (first) {
      tasks_.push_back({*m, {&node}, sparsity});
      if (sparsity.compensate)
        if (const auto reason = has_no_moments(node)) notes[&node] = "not compensated: " + *reason;
      return;
    }
    Task& shared = tasks_[known->second];
    if (!(shared.sparsity == sparsity) || shared.matrix.output_axis != m->output_axis)
      return leave(node, "it shares its weights with '" + shared.nodes[0]->name() + "', which prunes them otherwise");
    shared.nodes.push_back(&node);
    if (sparsity.compensate)
      for (const Node* n : shared.nodes) notes[n] = "not compensated: it shares its weights";
  }

  void leave(Node& node, const std::string& reason) {
    if (node.op().has(Trait::Contraction)) notes[&node] = "left whole: " + reason;
  }

  // What is adjusted serves one node only.
  static bool compensates(const Task& task) {
    return task.sparsity.compensate && task.nodes.size() == 1 && !has_no_moments(*task.nodes[0]);
  }

  // Where each column waits for the errors of those before it, its mask does too.
  static bool chooses_on_the_way(const Task& task) {
    return compensates(task) && task.sparsity.scope != SparsityScope::Global && task.matrix.groups == 1;
  }

  // What the scope `lamp` takes from a tensor, of which the weights are chosen on the way.
  static void keep_share(Task& task) {
    if (task.sparsity.scope != SparsityScope::Lamp || !chooses_on_the_way(task)) return;
    const auto pruned = std::count(task.mask.begin(), task.mask.end(), 1);
    task.sparsity.ratio = static_cast<double>(pruned) / static_cast<double>(task.mask.size());
    task.sparsity.scope = SparsityScope::Tensor;
    task.mask.clear();
  }

  static Worths sizes(const WeightMatrix& m) {
    Worths worths{m.rows(), m.inputs(), m.read()};
    for (double& w : worths.values) w = std::abs(w);
    return worths;
  }

  // Tasks whose masks are chosen together with that of the first.
  std::vector<Task*> alike(size_t first) {
    std::vector<Task*> found = {&tasks_[first]};
    for (size_t j = first + 1; j < tasks_.size() && tasks_[first].sparsity.among_all(); ++j)
      if (tasks_[j].sparsity == tasks_[first].sparsity) found.push_back(&tasks_[j]);
    return found;
  }

  void choose_masks_before() {
    for (size_t i = 0; i < tasks_.size(); ++i) {
      const bool waits = chooses_on_the_way(tasks_[i]) && tasks_[i].sparsity.scope != SparsityScope::Lamp;
      if (!tasks_[i].mask.empty() || waits) continue;
      const std::vector<Task*> together = alike(i);
      std::vector<Worths> worths;
      worths.reserve(together.size());
      for (const Task* task : together) worths.push_back(sizes(task->matrix));
      std::vector<Mask> masks = choose_masks(worths, tasks_[i].sparsity);
      for (size_t j = 0; j < together.size(); ++j) {
        together[j]->mask = std::move(masks[j]);
        keep_share(*together[j]);
      }
    }
  }

  void prune(const Task& task, const InputMoments* moments) {
    const WeightMatrix& m = task.matrix;
    Rows rows = rows_of(m, moments);
    if (moments && !finite(*moments)) {
      notes[m.node] = "not compensated: its data is not finite";
      moments = nullptr;
    }
    if (moments) {
      for (int64_t g = 0; g < m.groups; ++g) prune_group_of(task, *moments, g, rows);
    } else {
      const Mask mask = task.mask.empty() ? choose_mask(sizes(m), task.sparsity) : task.mask;
      for (size_t i = 0; i < mask.size(); ++i)
        if (mask[i]) rows.weights[i] = 0;
    }
    store_rows(graph_, m, rows);
    for (Node* other : task.nodes) other->set_input(1, m.node->input(1));
  }

  static bool finite(const InputMoments& moments) {
    const auto all_finite = [](const std::vector<Moments>& groups) {
      return std::all_of(groups.begin(), groups.end(), [](const Moments& sums) {
        return std::all_of(sums.begin(), sums.end(), [](double s) { return std::isfinite(s); });
      });
    };
    return all_finite(moments.groups) && all_finite(moments.from);
  }

  static void prune_group_of(const Task& task, const InputMoments& moments, int64_t group, Rows& rows) {
    const WeightMatrix& m = task.matrix;
    const auto part = [&](auto& values, int64_t width) {
      const auto from = values.begin() + group * m.outputs * width;
      return std::vector(from, from + std::min<std::ptrdiff_t>(m.outputs * width, values.end() - from));
    };
    Rows own{part(rows.weights, m.inputs()), rows.bias.empty() ? std::vector<double>() : part(rows.bias, 1)};
    prune_group(own, group_of(moments, static_cast<size_t>(group)), task.sparsity,
                task.mask.empty() ? Mask() : part(task.mask, m.inputs()));
    std::copy(own.weights.begin(), own.weights.end(), rows.weights.begin() + group * m.outputs * m.inputs());
    std::copy(own.bias.begin(), own.bias.end(), rows.bias.begin() + group * (own.bias.empty() ? 0 : m.outputs));
  }

  Graph& graph_;
  const NodeRecipes& recipes_;
  std::vector<Task> tasks_;
  std::unordered_map<const Value*, size_t> task_of_;  // by weights
};

// ---- the whole ------------------------------------------------------------------------------------------------------

Status check_samples(const Graph& graph, const NodeRecipes& recipes, bool samples) {
  for (const Node* node : graph.nodes()) {
    const Sparsity& s = recipes.of(*node).sparsity;
    if (!samples && s.on() && s.compensate && node->op().has(Trait::Contraction))
      return error(ErrorKind::Usage, "`compensate` needs samples to run the model on")
          .at("node '" + node->name() + "'")
          .help("give samples and an evaluator, or leave it out of `sparsity`");
  }
  return ok();
}

int64_t zeros_of(const Tensor& weights) {
  const auto data = weights.data<float>();
  return std::count(data.begin(), data.end(), 0.0f);
}

PruneReport report_of(Graph& graph, const NodeRecipes& recipes, const std::unordered_map<const Node*, int64_t>& before,
                      const std::unordered_map<const Node*, std::string>& notes) {
  PruneReport report;
  for (Node* node : graph.nodes()) {
    const auto weights = weight_matrix(*node);
    const auto note = notes.find(node);
    if (!weights.ok() && note == notes.end()) continue;
    const Sparsity& s = recipes.of(*node).sparsity;
    PrunedWeights entry;
    entry.node = node->name();
    entry.op = node->op().name;
    entry.pattern = s.on() ? name_of(s.pattern) : "";
    entry.note = note == notes.end() ? "" : note->second;
    if (weights.ok()) {
      entry.before = before.at(node);
      entry.elements = weights->weight->constant().size();
      entry.zeros = zeros_of(weights->weight->constant());
    }
    report.weights.push_back(std::move(entry));
  }
  return report;
}

bool prunes(const Graph& graph, const NodeRecipes& recipes) {
  for (const Node* node : graph.nodes())
    if (recipes.of(*node).sparsity.on() && node->op().has(Trait::Contraction)) return true;
  return false;
}

// ---- the pass -------------------------------------------------------------------------------------------------------

struct PassOptions {
  int64_t samples = 100;
  static constexpr auto fields =
      std::tuple(option("samples", &PassOptions::samples, "Samples to compensate with, at most", 1));
};

Status run_pass(Graph& graph, const PassOptions& options, PassContext& context) {
  const PruneOptions prune_options{context.recipe ? *context.recipe : Recipe(), context.target, options.samples};
  LAPIS_TRY(const PruneReport report, prune(graph, prune_options, context.evaluator, context.samples));
  static_cast<void>(report);
  return ok();
}

}  // namespace

double PruneReport::sparsity() const {
  double before = 0, left = 0;
  for (const PrunedWeights& w : weights) {
    before += static_cast<double>(w.before);
    left += static_cast<double>(w.elements - w.zeros);
  }
  return before > 0 ? 1 - left / before : 0;
}

Result<PruneReport> prune(Graph& graph, const PruneOptions& options, Evaluator* evaluator, const SampleSource& source) {
  const bool measured = options.damage_samples > 0 && evaluator && source;
  const std::unique_ptr<Graph> original = measured ? graph.clone() : nullptr;
  LAPIS_TRY(const NodeRecipes recipes, resolve(options.recipe, graph, options.target));
  LAPIS_CHECK(check_samples(graph, recipes, evaluator && source));
  std::unordered_map<const Node*, int64_t> before;
  for (Node* node : graph.nodes())
    if (const auto m = weight_matrix(*node); m.ok()) before[node] = m->weight->constant().size();
  if (!prunes(graph, recipes)) return report_of(graph, recipes, before, {});
  LAPIS_TRY(ChannelNotes notes, prune_channels(graph, recipes, evaluator, source, options.samples));
  WeightPruner pruner(graph, recipes);
  LAPIS_CHECK(pruner.run(evaluator, source, options.samples));
  notes.insert(pruner.notes.begin(), pruner.notes.end());
  PruneReport report = report_of(graph, recipes, before, notes);
  if (!measured) return report;
  LAPIS_TRY(const std::vector<Feeds> some, first_samples(source, options.damage_samples));
  LAPIS_TRY(report.damage, measure_damage(*original, graph, *evaluator, some));
  return report;
}

Pipeline prune_passes() {
  return {pass<PassOptions>("prune", "weights that the recipe's `sparsity` asks for are 0, or their channels gone",
                            run_pass)};
}

}  // namespace lapis
