#include "codegen/lower/lower.h"

#include "codegen/kernels/schedule.h"
#include "codegen/lower/lowering.h"
#include "codegen/lower/memory.h"
#include "ir/op.h"

namespace lapis::codegen {

Lowering::Lowering(const Graph& graph, const LowerOptions& options) : graph_(graph), options_(options) {
  plan_.target = options.target;
}

void Lowering::declare_io() {
  int64_t index = 0;
  auto declare = [&](std::vector<PlanIo>& list, const Value* value, const std::string& name, Space space) {
    const Shape shape = value->type().shape();
    plan_.buffers.push_back({name, space, byte_size(value->dtype(), element_count(shape)), index++});
    list.push_back({name, value->dtype(), shape, static_cast<int>(plan_.buffers.size()) - 1});
  };
  for (const Value* input : graph_.inputs()) {
    declare(plan_.inputs, input, input->name(), Space::Input);
    views_[input] = row_major_view(plan_.inputs.back().buffer, input->dtype(), plan_.inputs.back().shape);
  }
  for (const Value* output : graph_.outputs()) declare(plan_.outputs, output, output->name(), Space::Output);
}

Status Lowering::lower_region(const FusedRegion& region) {
  switch (region.kind) {
    case Lowered::Contraction: return lower_contraction(*this, region);
    case Lowered::Loop:
    case Lowered::Scalar: return lower_loop(*this, region);
    case Lowered::View: return lower_view(*this, region);
    case Lowered::Movement: return lower_movement(*this, region);
  }
  LAPIS_UNREACHABLE("unknown kind of region");
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
      diagnostics.push_back(error(ErrorKind::Usage, std::string(what) + " '" + value->name() + "' has the type " +
                                                        value->type().to_string() +
                                                        ", but code is generated for fixed shapes")
                                .at(graph.name())
                                .help("give every symbol a value with --dim NAME=VALUE"));
    else if (value->dtype() == DType::String || bit_width(value->dtype()) < 8)
      diagnostics.push_back(error(ErrorKind::Unsupported, std::string(what) + " '" + value->name() + "' is of type " +
                                                              value->type().to_string())
                                .at(graph.name()));
  };
  for (const Value* v : graph.inputs()) check(v, "input");
  for (const Value* v : graph.outputs()) check(v, "output");
  return status_of(std::move(diagnostics));
}

Result<Plan> Lowering::run() {
  LAPIS_CHECK(check_static_io(graph_));
  LAPIS_TRY(fusion_, fuse(graph_, options_.fuse));
  layouts_ = assign_layouts(graph_);
  declare_io();
  for (const FusedRegion& region : fusion_.regions) LAPIS_CHECK(lower_region(region));
  store_outputs();
  for (Step& step : plan_.steps)
    if (auto* contraction = std::get_if<Contraction>(&step.region)) LAPIS_CHECK(kernels::schedule(*contraction, plan_));
  plan_memory(plan_);
  return std::move(plan_);
}

Result<Plan> lower(const Graph& graph, const LowerOptions& options) { return Lowering(graph, options).run(); }

}  // namespace lapis::codegen
