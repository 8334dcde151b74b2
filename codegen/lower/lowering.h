// The state of one lowering run, shared by the files that lower the different kinds of regions.
#pragma once

#include <deque>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "codegen/kernels/constants.h"
#include "codegen/lower/fuse.h"
#include "codegen/lower/lower.h"
#include "codegen/lower/scalar.h"
#include "codegen/lower/view.h"

namespace lapis::codegen {

class Lowering {
 public:
  // `alone`: anchors that share their region with no other node.
  Lowering(const Graph& graph, const LowerOptions& options, const std::unordered_set<const Node*>& alone);
  Result<Plan> run();
  // After run() failed: the anchors whose region would have a kernel without the nodes that were fused behind them.
  const std::vector<const Node*>& unfit() const { return unfit_; }

  // ---- storage (storage.cpp) ----
  const View& view_of(const Value* value);  // where an already computed value (or constant, or input) lies
  // Storage for a result, as it was placed; emits the halo's fill.
  View allocate(const Value* value);
  void declare_results(const Node& node);  // allocates all
  // Storage for something else; its buffer is in the arena.
  View storage(const std::string& name, const Placement& placed);
  View constant(const Tensor& tensor, const std::string& name);
  View shared_constant(const Tensor& tensor, const std::string& name);  // one for loops to read, in the weights
  int arena_buffer(const std::string& name, int64_t bytes);
  // The value channels last, padded by `halo`, contiguous channels, as elements of `type`:
  // its own storage if that fits, else a copy.
  View windowed_input(const Value* value, const std::optional<Halo>& halo, DType type, bool needs_slack);
  // The view with `axis` contiguous, as elements of `type`, where `needs_slack` in memory that may be read beyond its
  // end: itself or a copy.
  View contiguous_along(const View& view, int64_t axis, DType type, bool needs_slack, const std::string& name);
  void alias(const Value* value, View view) { views_[value] = std::move(view); }
  void emit_fill(const View& view, Immediate value, const std::string& name);
  void emit_copy(const View& from, const View& to, const std::string& name);  // converted if their types differ
  // The number of the step that was added, or would have been if it did something.
  size_t emit(Region region, const FusedRegion& source, std::string precision);
  size_t emit(Region region, std::string what, std::string precision);  // helper steps: copies, halo fills

  // ---- for calls and blocks ----
  View plain_storage(const std::string& name, DType type, const Shape& shape);  // row-major, in the arena
  View row_major(const View& view, const std::string& name);                    // itself or a copy
  // The nodes of the model or of a body, behind the steps so far. Inputs must have views, outputs have them then.
  // False: something is reported.
  bool lower_graph(const Graph& graph);
  int next_step() const { return static_cast<int>(plan_.steps.size()); }
  template <class R> R& step(size_t number) { return std::get<R>(plan_.steps[number].region); }

  // What the caller wants of a contraction's schedule.
  Schedule schedule_for(const std::string& contraction) const;

  // The region cannot be lowered after all; run() fails.
  void report(Diagnostic diagnostic) { diagnostics_.push_back(std::move(diagnostic)); }

  // Fusion left it to its readers to compute.
  bool is_inlined(const Value* value) { return placements_.of(*value).home == Placement::Home::Nowhere; }
  Plan& plan() { return plan_; }

 private:
  void declare_io();
  Status check_schedules() const;
  Status schedule_contractions();
  void lower_region(const FusedRegion& region);
  void store_outputs();
  bool is_as_placed(const Value& value);
  void fill_halo(const View& view, const Halo& halo, const std::string& name);

  const Graph& graph_;
  const LowerOptions options_;
  const std::unordered_set<const Node*>& alone_;
  Placements placements_;
  std::deque<Regions> regions_;  // of the model and of bodies in it; steps point to them
  Plan plan_;
  kernels::ConstantPool constants_{plan_, options_.weights, options_.hashes};
  Diagnostics diagnostics_;
  std::vector<const Node*> unfit_;
  std::vector<const FusedRegion*> sources_;  // of the plan's steps; null for helper steps
  std::unordered_map<const Value*, const PlanIo*> outputs_;
  std::unordered_map<const Value*, View> views_;
  int constant_buffer(Space space, int64_t offset, int64_t bytes, const std::string& name);
  std::map<std::tuple<Space, int64_t, int64_t>, int> constant_buffers_;  // by offset and bytes
};

// What rows share: all of Role::Contraction, Role::Scalar and Role::View, and nodes that have no row.
void lower_host_call(Lowering& lowering, const FusedRegion& region);
void lower_contraction(Lowering& lowering, const FusedRegion& region);
void lower_elementwise(Lowering& lowering, const FusedRegion& region);
void lower_view(Lowering& lowering, const FusedRegion& region);

}  // namespace lapis::codegen
