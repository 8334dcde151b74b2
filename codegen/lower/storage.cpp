// Storage: the buffers that values are placed in, and the copies and fills that keep their halos true.
#include <algorithm>
#include <span>

#include "base/hash.h"
#include "codegen/lower/lowering.h"
#include "ir/op.h"

namespace lapis::codegen {
namespace {

constexpr int64_t kReadSlack = 64;      // kernels read whole vectors past the end of a buffer
constexpr int64_t kShared = 64 * 1024;  // bytes of a constant from which on it is worth sharing

Loop store_loop(const std::string& name, const View& to) {
  Loop loop;
  loop.name = name;
  loop.domain = to.shape;
  loop.views = {to};
  loop.phases.resize(1);
  return loop;
}

}  // namespace

int Lowering::arena_buffer(const std::string& name, int64_t bytes) {
  plan_.buffers.push_back({name, Space::Arena, bytes + kReadSlack, 0});
  return static_cast<int>(plan_.buffers.size()) - 1;
}

View Lowering::storage(const std::string& name, const Placement& placed) {
  View view = placed.view;
  view.buffer = arena_buffer(name, byte_size(view.dtype, placed.elements));
  if (placed.halo) fill_halo(view, *placed.halo, name);
  return view;
}

// The border as disjoint slabs: axis by axis, inner axes padded, outer axes not.
void Lowering::fill_halo(const View& view, const Halo& halo, const std::string& name) {
  View padded = view;
  for (size_t i = view.shape.size(); i-- > 2;) {
    const int64_t begin = halo.begin[i - 2], extent = view.shape[i], end = halo.end[i - 2];
    const auto axis = static_cast<int64_t>(i);
    if (begin) emit_fill(sliced(padded, axis, -begin, 1, begin), halo.fill, name);
    if (end) emit_fill(sliced(padded, axis, extent, 1, end), halo.fill, name);
    padded = sliced(padded, axis, -begin, 1, begin + extent + end);
  }
}

View Lowering::allocate(const Value* value) {
  const Placement& placed = placements_.of(*value);
  if (placed.home != Placement::Home::Output) return views_[value] = storage(value->name(), placed);
  View view = placed.view;
  view.buffer = outputs_.at(value)->buffer;
  return views_[value] = view;
}

View Lowering::constant(const Tensor& tensor, const std::string& name) {
  const std::span bytes(reinterpret_cast<const uint8_t*>(tensor.raw()), static_cast<size_t>(tensor.bytes()));
  const int buffer = constant_buffer(Space::Constant, constants_.add(bytes), tensor.bytes(), name);
  return row_major_view(buffer, tensor.dtype(), tensor.shape());
}

View Lowering::shared_constant(const Tensor& tensor, const std::string& name) {
  const std::string key = std::to_string(tensor.bytes()) + " bytes of " + hex(constants_.tensor_hash(tensor));
  const auto weights = constants_.weights().get(key, tensor);
  const int buffer = constant_buffer(Space::Weights, constants_.add_weights(weights), tensor.bytes(), name);
  return row_major_view(buffer, tensor.dtype(), tensor.shape());
}

int Lowering::constant_buffer(Space space, int64_t offset, int64_t bytes, const std::string& name) {
  const auto [known, added] =
      constant_buffers_.try_emplace({space, offset, bytes}, static_cast<int>(plan_.buffers.size()));
  if (added) plan_.buffers.push_back({name, space, bytes, offset});
  return known->second;
}

const View& Lowering::view_of(const Value* value) {
  if (const auto it = views_.find(value); it != views_.end()) return it->second;
  LAPIS_ASSERT(value->is_constant(), "value '" << value->name() << "' is used before it is computed");
  const Tensor& tensor = value->constant();
  return views_[value] =
             tensor.bytes() >= kShared ? shared_constant(tensor, value->name()) : constant(tensor, value->name());
}

static bool in_arena(const Plan& plan, const View& view) {
  return plan.buffers[static_cast<size_t>(view.buffer)].space == Space::Arena;
}

View Lowering::windowed_input(const Value* value, const std::optional<Halo>& halo, DType type, bool needs_slack) {
  View view = view_of(value);
  const std::optional<Halo>& around = placements_.of(*value).halo;
  const bool halo_fits = !halo || (around && around->covers(*halo));
  const bool dense_channels = view.shape[1] == 1 || view.strides[1] == 1;
  const bool readable = in_arena(plan_, view) || !needs_slack;
  if (halo_fits && dense_channels && readable && view.dtype == type) return view;
  View copy = storage(value->name() + ".padded", channels_last_storage(type, view.shape, halo));
  emit_copy(view, copy, value->name() + ".padded");
  return copy;
}

View Lowering::contiguous_along(const View& view, int64_t axis, DType type, bool needs_slack, const std::string& name) {
  const auto a = static_cast<size_t>(axis);
  const bool dense = view.shape[a] == 1 || view.strides[a] == 1;
  if (dense && (in_arena(plan_, view) || !needs_slack) && view.dtype == type) return view;
  View copy = storage(name, a + 1 == view.shape.size() ? row_major_storage(type, view.shape)
                                                       : channels_last_storage(type, view.shape, std::nullopt));
  emit_copy(view, copy, name);
  return copy;
}

void Lowering::emit_fill(const View& view, Immediate value, const std::string& name) {
  Loop loop = store_loop(name + ".halo", view);
  loop.phases[0].body = {{Op::Constant, view.dtype, {-1, -1, -1}, -1, value.held_as(view.dtype)}};
  loop.phases[0].stores = {{0, 0}};
  emit(std::move(loop), "halo of " + name, std::string(name_of(view.dtype)));
}

void Lowering::emit_copy(const View& from, const View& to, const std::string& name) {
  Loop loop = store_loop(name, to);
  loop.views.push_back(from);
  loop.phases[0].body = {{Op::Load, from.dtype, {-1, -1, -1}, 1}};
  if (from.dtype != to.dtype) loop.phases[0].body.push_back({Op::Cast, to.dtype, {0, -1, -1}});
  loop.phases[0].stores = {{0, static_cast<int32_t>(loop.phases[0].body.size()) - 1}};
  emit(std::move(loop), "copy of " + name, std::string(name_of(to.dtype)));
}

// A loop over no points does nothing and is no step.
static bool does_nothing(const Region& region) {
  const auto* loop = std::get_if<Loop>(&region);
  if (!loop) return false;
  const auto rows = std::span(loop->domain).first(loop->domain.size() - static_cast<size_t>(loop->reduced));
  return element_count(rows) == 0;
}

size_t Lowering::emit(Region region, std::string what, std::string precision) {
  const size_t number = plan_.steps.size();
  if (does_nothing(region)) return number;
  plan_.steps.push_back({std::move(region), {}, std::move(what), std::move(precision), {}});
  sources_.push_back(nullptr);
  return number;
}

// The source nodes of an origin ("a + b" once nodes have been merged), each once.
// The pairs that quantization put around them say nothing.
static void add_nodes(std::vector<std::string>& nodes, std::string_view origin) {
  constexpr std::string_view kSeparator = " + ";
  while (!origin.empty()) {
    const std::string_view name = origin.substr(0, origin.find(kSeparator));
    origin.remove_prefix(std::min(origin.size(), name.size() + kSeparator.size()));
    const bool pair = name.ends_with("_quantized") || name.ends_with("_dequantized");
    if (!pair && std::find(nodes.begin(), nodes.end(), name) == nodes.end()) nodes.emplace_back(name);
  }
}

size_t Lowering::emit(Region region, const FusedRegion& source, std::string precision) {
  const size_t number = plan_.steps.size();
  if (does_nothing(region)) return number;
  Step step{std::move(region), {}, std::string(source.anchor->op().name), std::move(precision), {}};
  add_nodes(step.nodes, source.anchor->origin());
  for (const Node* node : source.chain) add_nodes(step.nodes, node->origin());
  if (source.apart) step.note = text_of(*source.apart);
  plan_.steps.push_back(std::move(step));
  sources_.push_back(&source);
  return number;
}

View Lowering::plain_storage(const std::string& name, DType type, const Shape& shape) {
  return storage(name, row_major_storage(type, shape));
}

View Lowering::row_major(const View& view, const std::string& name) {
  if (is_row_major(view)) return view;
  View copy = plain_storage(name + ".row_major", view.dtype, view.shape);
  emit_copy(view, copy, name + ".row_major");
  return copy;
}

}  // namespace lapis::codegen
