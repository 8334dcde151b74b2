// The state of one lowering run, shared by the files that lower the different kinds of regions.
#pragma once

#include <unordered_map>

#include "codegen/lower/layout.h"
#include "codegen/lower/lower.h"
#include "codegen/lower/scalar.h"
#include "codegen/lower/view.h"

namespace lapis::codegen {

class Lowering {
 public:
  Lowering(const Graph& graph, const LowerOptions& options);
  Result<Plan> run();

  // ---- storage (storage.cpp) ----
  const View& view_of(const Value* value);  // where an already computed value (or constant, or input) lies
  View allocate(const Value* value,
                bool channel_contiguous);  // storage for a result, in its layout; emits the halo's fill
  View constant(const Tensor& tensor, const std::string& name);
  int arena_buffer(const std::string& name, int64_t bytes);
  // The value channels last, padded by `halo`, contiguous channels: its own storage if that fits, else a copy of it.
  View windowed_input(const Value* value, const std::optional<Halo>& halo, bool needs_slack);
  View row_contiguous_input(const Value* value, bool needs_slack);  // last axis contiguous, for matrix products
  void alias(const Value* value, View view) { views_[value] = std::move(view); }
  void emit_fill(const View& view, double value, const std::string& name);
  void emit_copy(const View& from, const View& to, const std::string& name);
  void emit(Region region, const FusedRegion& source, std::string precision);
  void emit(Region region, std::string what, std::string precision);  // helper steps: copies, halo fills

  bool is_inlined(const Value* value) const { return value->producer() && fusion_.inlined.contains(value->producer()); }
  Plan& plan() { return plan_; }

 private:
  void declare_io();
  Status lower_region(const FusedRegion& region);
  void store_outputs();
  View channels_last_storage(const std::string& name, DType dtype, const Shape& shape, const std::optional<Halo>& halo);

  const Graph& graph_;
  const LowerOptions options_;
  Fusion fusion_;
  Layouts layouts_;
  Plan plan_;
  std::unordered_map<const Value*, View> views_;
  std::unordered_map<const Value*, Halo> halos_;  // of values whose storage really has one
  std::unordered_map<uint64_t, std::vector<std::pair<Tensor, View>>> constants_;  // by content
};

// One file each.
Status lower_contraction(Lowering& lowering, const FusedRegion& region);
Status lower_loop(Lowering& lowering, const FusedRegion& region);  // Lowered::Loop and Lowered::Scalar
Status lower_view(Lowering& lowering, const FusedRegion& region);
Status lower_movement(Lowering& lowering, const FusedRegion& region);

}  // namespace lapis::codegen
