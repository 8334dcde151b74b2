// The state of one lowering run, shared by the files that lower the different kinds of regions.
#pragma once

#include <map>
#include <unordered_map>
#include <unordered_set>

#include "codegen/kernels/constants.h"
#include "codegen/lower/layout.h"
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
  // Storage for a result, in its layout; emits the halo's fill.
  View allocate(const Value* value);
  // The same for who stores vectors along `axis`: that axis is contiguous.
  View allocate_channels(const Value* value, int64_t axis);
  View constant(const Tensor& tensor, const std::string& name);
  int arena_buffer(const std::string& name, int64_t bytes);
  // The value channels last, padded by `halo`, contiguous channels: its own storage if that fits, else a copy of it.
  View windowed_input(const Value* value, const std::optional<Halo>& halo, bool needs_slack);
  // The view with `axis` contiguous, where `needs_slack` in memory that may be read beyond its end: itself or a copy.
  View contiguous_along(const View& view, int64_t axis, bool needs_slack, const std::string& name);
  void alias(const Value* value, View view) { views_[value] = std::move(view); }
  void emit_fill(const View& view, Immediate value, const std::string& name);
  void emit_copy(const View& from, const View& to, const std::string& name);
  void emit(Region region, const FusedRegion& source, std::string precision);
  void emit(Region region, std::string what, std::string precision);  // helper steps: copies, halo fills

  // The region cannot be lowered after all; run() fails.
  void report(Diagnostic diagnostic) { diagnostics_.push_back(std::move(diagnostic)); }

  bool is_inlined(const Value* value) const { return value->producer() && fusion_.inlined.contains(value->producer()); }
  Plan& plan() { return plan_; }

 private:
  void declare_io();
  void declare_empty(const FusedRegion& region);
  Status schedule_contractions();
  void lower_region(const FusedRegion& region);
  void store_outputs();
  View channels_last_storage(const std::string& name, DType dtype, const Shape& shape, const std::optional<Halo>& halo);

  View stored(const Value* value, bool channels_last, bool in_output);

  const Graph& graph_;
  const LowerOptions options_;
  const std::unordered_set<const Node*>& alone_;
  Fusion fusion_;
  Layouts layouts_;
  Plan plan_;
  kernels::ConstantPool constants_{plan_};
  Diagnostics diagnostics_;
  std::vector<const Node*> unfit_;
  std::vector<const FusedRegion*> sources_;  // of the plan's steps; null for helper steps
  std::unordered_map<const Value*, const PlanIo*> outputs_;
  std::unordered_map<const Value*, View> views_;
  std::unordered_map<const Value*, Halo> halos_;                 // of values whose storage really has one
  std::map<std::pair<int64_t, int64_t>, int> constant_buffers_;  // by offset and bytes
};

// What the rows of Role::Contraction and Role::Scalar share.
void lower_contraction(Lowering& lowering, const FusedRegion& region);
void lower_elementwise(Lowering& lowering, const FusedRegion& region);

}  // namespace lapis::codegen
