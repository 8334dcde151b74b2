#include "codegen/lower/lower.h"

#include <algorithm>

#include "base/suggest.h"
#include "codegen/kernels/schedule.h"
#include "codegen/lower/lowering.h"
#include "codegen/lower/memory.h"
#include "codegen/verify_plan.h"
#include "ir/op.h"

namespace lapis::codegen {

Lowering::Lowering(const Graph& graph, const LowerOptions& options, const std::unordered_set<const Node*>& alone)
    : graph_(graph), options_(options), alone_(alone) {
  plan_.target = options.target;
  if (options.beside) constants_.begin_with(*options.beside);
}

void Lowering::declare_io() {
  int64_t index = 0;
  auto declare = [&](std::vector<PlanIo>& list, const Value* value, Space space) {
    const Shape shape = value->type().shape();
    plan_.buffers.push_back({value->name(), space, byte_size(value->dtype(), element_count(shape)), index++});
    list.push_back({value->name(), value->dtype(), shape, static_cast<int>(plan_.buffers.size()) - 1});
  };
  for (const Value* input : graph_.inputs()) {
    declare(plan_.inputs, input, Space::Input);
    views_[input] = row_major_view(plan_.inputs.back().buffer, input->dtype(), plan_.inputs.back().shape);
  }
  for (const Value* output : graph_.outputs()) declare(plan_.outputs, output, Space::Output);
  for (size_t i = 0; i < plan_.outputs.size(); ++i) outputs_.try_emplace(graph_.outputs()[i], &plan_.outputs[i]);
}

void Lowering::declare_results(const Node& node) {
  for (const Value* v : node.outputs())
    if (v) allocate(v);
}

void Lowering::lower_region(const FusedRegion& region) {
  const size_t before = diagnostics_.size();
  region.form->lower(*this, region);
  if (diagnostics_.size() != before) return declare_results(*region.last());  // others may read them
  for (const Value* v : region.last()->outputs())
    LAPIS_ASSERT(!v || is_as_placed(*v), "'" << v->name() << "' is not stored as it was placed");
}

// Fusion went by its placement. Strides that lead nowhere may be any.
bool Lowering::is_as_placed(const Value& value) {
  const View &stored = view_of(&value), &placed = placements_.of(value).view;
  bool same = stored.dtype == placed.dtype && stored.shape == placed.shape && stored.offset == placed.offset;
  for (size_t i = 0; same && i < stored.shape.size(); ++i)
    same = stored.shape[i] <= 1 || stored.strides[i] == placed.strides[i];
  return same;
}

// Outputs that no region stored in place: aliases, inputs, constants, channels-last results, one value returned twice.
void Lowering::store_outputs() {
  for (size_t i = 0; i < graph_.outputs().size(); ++i) {
    const PlanIo& output = plan_.outputs[i];
    const View& view = view_of(graph_.outputs()[i]);
    if (view.buffer != output.buffer)
      emit_copy(view, row_major_view(output.buffer, output.dtype, output.shape), output.name);
  }
}

static Status check_static_io(const Graph& graph) {
  Diagnostics diagnostics;
  auto check = [&](const Value* value, const char* what) {
    if (!value->type().is_static())
      diagnostics.push_back(error(ErrorKind::Unsupported, std::string(what) + " '" + value->name() + "' has the type " +
                                                              value->type().to_string() +
                                                              ", but code is generated for fixed shapes")
                                .at(graph.name())
                                .note("its size depends on values that are known at run time only")
                                .help("`lapis run --backend=reference` evaluates the model without compiling it"));
    else if (value->dtype() == DType::String || bit_width(value->dtype()) < 8)
      diagnostics.push_back(
          error(ErrorKind::Unsupported, std::string(what) + " '" + value->name() + "' is of type " +
                                            value->type().to_string() + ", which generated code does not take")
              .at(graph.name())
              .help("cut the model there, or cast the value to a type of 8 bits or more in the model"));
  };
  for (const Value* v : graph.inputs()) check(v, "input");
  for (const Value* v : graph.outputs()) check(v, "output");
  return status_of(std::move(diagnostics));
}

Schedule Lowering::schedule_for(const std::string& contraction) const {
  const auto wanted = options_.schedules.find(contraction);
  return wanted == options_.schedules.end() ? Schedule{} : wanted->second;
}

// Every schedule that somebody gives is for a contraction that there is.
Status Lowering::check_schedules() const {
  const Schedules known = schedules_of(plan_);
  std::vector<std::string> names;
  for (const auto& [name, schedule] : known) names.push_back(name);
  Diagnostics diagnostics;
  for (const auto& [name, schedule] : options_.schedules)
    if (!known.contains(name))
      diagnostics.push_back(
          error(ErrorKind::Usage, "a schedule is given for '" + name + "', which is no contraction here")
              .at(graph_.name())
              .help(suggestion(name, names)));
  return status_of(std::move(diagnostics));
}

// All contractions without a kernel are reported together. Those that would have one without the nodes fused behind
// them are also remembered, for lower() to try again.
Status Lowering::schedule_contractions() {
  Diagnostics diagnostics;
  for (size_t s = 0; s < plan_.steps.size(); ++s) {
    auto* contraction = std::get_if<Contraction>(&plan_.steps[s].region);
    if (!contraction) continue;
    const Status scheduled = kernels::schedule(*contraction, plan_, constants_, contraction->schedule);
    if (scheduled.ok()) continue;
    const bool given = options_.schedules.contains(contraction->name);
    if (!given && sources_[s] && !sources_[s]->chain.empty()) unfit_.push_back(sources_[s]->anchor);
    for (const Diagnostic& d : scheduled.diagnostics()) diagnostics.push_back(Diagnostic(d).at(graph_.name()));
  }
  return status_of(std::move(diagnostics));
}

bool Lowering::lower_graph(const Graph& graph) {
  const Result<NodeForms> forms = NodeForms::choose(graph, options_.host_calls);
  for (const Diagnostic& d : forms.diagnostics()) report(d);
  if (!forms.ok()) return false;
  placements_.add(graph, *forms);
  const Regions& regions = regions_.emplace_back(fuse(graph, *forms, placements_, options_.fuse, alone_));
  const size_t before = diagnostics_.size();
  for (const FusedRegion& region : regions) lower_region(region);
  return diagnostics_.size() == before;
}

Result<Plan> Lowering::run() {
  LAPIS_CHECK(check_static_io(graph_));
  declare_io();
  if (!lower_graph(graph_)) return std::move(diagnostics_);
  store_outputs();
  LAPIS_CHECK(check_schedules());
  LAPIS_CHECK(schedule_contractions());
  plan_memory(plan_);
  return std::move(plan_);
}

// A region whose epilogue no kernel has registers for is undone.
// Every round leaves at least one more anchor alone, so this ends.
Result<Plan> lower(const Graph& graph, const LowerOptions& options) {
  std::unordered_set<const Node*> alone;
  for (;;) {
    Lowering lowering(graph, options, alone);
    Result<Plan> plan = lowering.run();
    if (plan.ok()) {
      const Diagnostics broken = verify(*plan);
      LAPIS_ASSERT(broken.empty(), "lowering made a plan that breaks its invariants:\n" << to_string(broken));
    }
    if (plan.ok() || lowering.unfit().empty()) return plan;
    alone.insert(lowering.unfit().begin(), lowering.unfit().end());
  }
}

}  // namespace lapis::codegen
