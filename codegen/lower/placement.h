// Placement: how each value of a graph is stored, decided once, before fusion and lowering. Fusion asks whether a
// kernel could read or write a value as it lies; allocation (Lowering::allocate) makes that storage and no other.
//
//   Placements placements;
//   placements.add(graph, forms);
//   placements.of(*value).dense_along(1)      // a kernel can load vectors of its channels
//
// Kernels and windows want channels last, [N, spatial..., C], with a halo around the spatial axes, so that padding is
// read from memory instead of tested for; elementwise nodes and copies pass that on. Everything else is row-major. What
// a kernel writes keeps its channels beside each other: so do values that may be fused behind one. An output of the
// model is stored where the caller wants it if it is row-major, or if nobody gains by another order; else it has
// storage of its own and is copied in the end.
#pragma once

#include <optional>
#include <unordered_map>

#include "codegen/lower/node_forms.h"
#include "codegen/plan.h"

namespace lapis::codegen {

struct Halo {
  std::vector<int64_t> begin, end;  // per spatial axis
  double fill = 0;                  // what the border holds: zero, the zero point, or the lowest value for MaxPool
  bool empty() const;
  bool covers(const Halo& other) const;  // at least as wide, with the same fill
};

// What the node reads around its first input; nullopt if it has no window or does not leave the input.
std::optional<Halo> required_halo(const Node& node);

struct Placement {
  enum class Home : uint8_t {
    Given,    // there already: constants, inputs of the model, what a body is handed
    Output,   // the buffer of an output of the model
    Arena,    // storage of its own
    View,     // a view of operand 0, or of a row-major copy of that; or of what its producer keeps anyway
    Nowhere,  // computed in the region that reads it
  };
  Home home = Home::Arena;
  View view;                 // strides, and the offset from the start of the storage; its buffer is open
  int64_t elements = 0;      // of the storage, halo included
  std::optional<Halo> halo;  // around the view, in the storage

  // Its elements along `axis` lie beside each other.
  bool dense_along(int64_t axis) const;
};

// Storage for elements of one type.
Placement row_major_storage(DType type, const Shape& shape, Placement::Home home = Placement::Home::Arena);
// [N, C, spatial...] as [N, spatial..., C], with the halo's room.
Placement channels_last_storage(DType type, const Shape& shape, std::optional<Halo> halo);

class Placements {
 public:
  // Of all values of a graph. A body comes after the graph around it, which has the values that it captures.
  void add(const Graph& graph, const NodeForms& forms);
  const Placement& of(const Value& value);
  // Fusion computes it where it is read.
  void drop(const Value& value) { placed_.at(&value).home = Placement::Home::Nowhere; }

 private:
  std::unordered_map<const Value*, Placement> placed_;
};

}  // namespace lapis::codegen
