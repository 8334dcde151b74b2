#include "tuning/reports/insight.h"

#include <algorithm>
#include <cmath>

#include "ir/evaluate.h"
#include "ir/ops/ops.h"
#include "passes/quantize/pairs.h"
#include "passes/quantize/roles.h"
#include "tuning/search/workbench.h"

namespace lapis {

void Seen::add(const Tensor& values) {
  if (values.dtype() != DType::Float32) return;
  const auto data = values.data<float>();
  histogram.add(data);
  for (const float v : data) {
    if (!std::isfinite(v)) continue;
    sum += v;
    squares += static_cast<double>(v) * v;
  }
}

namespace {

using NodesByName = std::unordered_map<std::string, const Node*>;

NodesByName by_name(const Graph& graph) {
  NodesByName nodes;
  for (const Node* node : graph.nodes()) nodes[node->name()] = node;
  return nodes;
}

// The result of the unit's last node.
std::string value_of(const NodesByName& nodes, const NodeGroup& unit) {
  const auto it = nodes.find(unit.nodes.back());
  const Value* v = it == nodes.end() || it->second->outputs().empty() ? nullptr : it->second->output(0);
  return v && v->dtype() == DType::Float32 ? v->name() : "";
}

// A weight as it is computed with: a constant, or what a pair of constants stands for.
Tensor dequantized_constant(const Value* weight) {
  if (!weight) return {};
  if (weight->is_constant()) return weight->constant();
  const Node* dq = weight->producer();
  if (!dq || !dq->is(ops::DequantizeLinear)) return {};
  std::vector<const Tensor*> inputs;
  for (const Value* v : dq->inputs()) {
    if (v && !v->is_constant()) return {};
    inputs.push_back(v ? &v->constant() : nullptr);
  }
  const auto floats = evaluate_node(*dq, inputs);
  return floats.ok() ? floats->front() : Tensor();
}

std::optional<Distribution> weights_of(const NodeGroup& unit, const NodesByName& fp32, const NodesByName& trial) {
  const auto before = fp32.find(unit.name), after = trial.find(unit.name);
  if (before == fp32.end() || quant_of(*before->second) != Quant::Contraction) return std::nullopt;
  const auto role = contraction_role(*before->second);
  if (!role.ok()) return std::nullopt;
  Distribution found{unit.name, {}, {}};
  found.fp32.add(role->weight->constant());
  const auto& inputs = before->second->inputs();
  const auto operand = static_cast<size_t>(std::find(inputs.begin(), inputs.end(), role->weight) - inputs.begin());
  if (after != trial.end() && after->second->inputs().size() > operand)
    if (const Tensor t = dequantized_constant(after->second->input(operand)); t.defined()) found.trial.add(t);
  return found;
}

// Which unit a step of the compiled model belongs to.
std::map<std::string, std::string> unit_of_nodes(const SearchSpace& space) {
  std::map<std::string, std::string> units;
  for (const NodeGroup& unit : space.units)
    for (const std::string& node : unit.nodes) units[node] = unit.op + " " + unit.name;
  return units;
}

std::string owner_of(const StepTime& step, const std::map<std::string, std::string>& units) {
  for (const std::string& node : step.nodes)
    if (const auto it = units.find(node); it != units.end()) return it->second;
  return step.op + (step.nodes.empty() ? "" : " " + step.nodes.front());
}

std::map<std::string, double> times_of(const std::vector<StepTime>& steps, const SearchSpace& space) {
  const auto units = unit_of_nodes(space);
  std::map<std::string, double> times;
  for (const StepTime& step : steps) times[owner_of(step, units)] += step.milliseconds;
  return times;
}

}  // namespace

const Insight& Insights::of(const Trial& trial, Workbench& bench) {
  if (insight_.trial == trial.number) return insight_;
  insight_ = {};
  insight_.trial = trial.number;
  if (const Status looked = look(trial, bench); !looked.ok()) insight_.problem = looked.diagnostics()[0].message;
  return insight_;
}

Status Insights::look(const Trial& trial, Workbench& bench) {
  LAPIS_TRY(Built built, bench.build(trial.configuration));
  insight_.graph = std::move(built.graph);
  for (const NodeDecision& d : built.report.decisions)
    if (d.quantized) insight_.int8.insert(d.node);
  const NodesByName before = by_name(bench.graph()), after = by_name(*insight_.graph);
  for (const NodeGroup& unit : bench.space().units)
    if (auto found = weights_of(unit, before, after)) insight_.weights.push_back(*std::move(found));
  LAPIS_CHECK(watch_fp32(bench));
  LAPIS_CHECK(watch_trial(bench));
  if (bench.diagnoses() && trial.number > 0) {
    LAPIS_TRY(insight_.damage, bench.damage(*insight_.graph));
  }
  return compare_times(bench);
}

// The values of units, some of them at a time.
Status Insights::watch_fp32(Workbench& bench) {
  if (!fp32_.empty()) return ok();
  const NodesByName nodes = by_name(bench.graph());
  watched_.clear();
  for (const NodeGroup& unit : bench.space().units) watched_.push_back(value_of(nodes, unit));
  LAPIS_TRY(fp32_, bench.distributions(bench.graph(), watched_, kAtOnce));
  LAPIS_TRY(const std::vector<StepTime> steps, bench.profile(bench.graph()));
  fp32_times_ = times_of(steps, bench.space());
  return ok();
}

Status Insights::watch_trial(Workbench& bench) {
  std::vector<std::string> names;
  for (const std::string& name : watched_) {
    const Value* v = name.empty() ? nullptr : insight_.graph->find_value(name);
    names.push_back(v ? as_read(v)->name() : "");
  }
  LAPIS_TRY(std::vector<Seen> seen, bench.distributions(*insight_.graph, names, kAtOnce));
  for (size_t u = 0; u < watched_.size(); ++u)
    if (!watched_[u].empty()) insight_.values.push_back({bench.space().units[u].name, fp32_[u], std::move(seen[u])});
  return ok();
}

Status Insights::compare_times(Workbench& bench) {
  LAPIS_TRY(const std::vector<StepTime> steps, bench.profile(*insight_.graph));
  std::map<std::string, UnitTime> times;
  for (const auto& [name, ms] : fp32_times_) times[name].fp32 = ms;
  for (const auto& [name, ms] : times_of(steps, bench.space())) times[name].trial = ms;
  for (auto& [name, time] : times) insight_.times.push_back({name, time.fp32, time.trial});
  std::stable_sort(insight_.times.begin(), insight_.times.end(), [](const UnitTime& a, const UnitTime& b) {
    return std::max(a.fp32, a.trial) > std::max(b.fp32, b.trial);
  });
  return ok();
}

}  // namespace lapis
