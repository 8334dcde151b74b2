#include "codegen/kernels/blocking.h"

#include <algorithm>

namespace lapis::kernels {
namespace {

bool is_byte(DType type) { return type == DType::UInt8 || type == DType::Int8; }

bool moves_only_bytes(const Contraction& c) {
  return is_byte(c.output.dtype) && std::ranges::all_of(c.operands, [](const EpilogueOperand& o) {
           return o.kind != EpilogueOperand::Kind::PerElement || is_byte(o.view.dtype);
         });
}

int per_channel_operands(const Contraction& c) {
  return static_cast<int>(std::ranges::count(c.operands, EpilogueOperand::Kind::PerChannel, &EpilogueOperand::kind));
}

}  // namespace

bool shares_columns(const Contraction& c) {
  if (c.taps.size() % 3 != 0 || c.grid.extents.empty()) return false;
  const int32_t step = c.taps[1] - c.taps[0];
  for (size_t t = 0; t < c.taps.size(); t += 3)
    if (c.taps[t + 1] - c.taps[t] != step || c.taps[t + 2] - c.taps[t + 1] != step) return false;
  return c.grid.extents.back() % 2 == 0 && c.grid.columns[0].strides.back() == step;
}

// Of the last block, which has `channels`.
static int vectors_of(const Blocking& b, int64_t channels) {
  return b.interleaved && b.quad == 4 ? 4 : static_cast<int>((channels + b.lanes - 1) / b.lanes);
}

Blocking::Blocking(const Contraction& c, const Schedule& schedule) {
  const Kernel& kernel = table()[static_cast<size_t>(schedule.row)];
  lanes = kernel.lanes;
  interleaved = kernel.weights() == WeightFormat::Interleaved;
  // Depthwise floats come channel after channel from memory, whatever becomes of their sums.
  const bool ordered = kernel.weights() == WeightFormat::Taps || c.computed;
  quad = moves_only_bytes(c) && !ordered ? 4 : 1;
  paired = interleaved && kernel.dot == Dot::Vnni && shares_columns(c);
  words = interleaved && kernel.dot == Dot::Madd;
  per_group = kernel.depthwise() ? c.channels : c.channels / c.groups;
  const int64_t width = int64_t{schedule.nr} * lanes;
  full = per_group / width;
  const int64_t rest = per_group % width;
  has_rest_ = rest != 0;
  if (full) kinds.push_back({schedule.nr, width, schedule.mr});
  if (rest) {
    const int nr = vectors_of(*this, rest);
    kinds.push_back(
        {nr, rest, nr == schedule.nr ? schedule.mr : balanced_tiles(Slabs(c).most_pixels(), max_mr(kernel, c, nr)).mr});
  }
  const auto all_taps = static_cast<int64_t>(c.taps.size());
  taps = kernel.depthwise() ? 1 : all_taps;
  const int64_t elements = kernel.depthwise() ? all_taps : c.k;
  steps = kernel.dot == Dot::Fma ? elements : paired ? elements / 3 * 2 : (elements + 3) / 4;
  columns = static_cast<int64_t>(c.grid.columns.size());
  params = 1 + per_channel_operands(c);
}

int64_t Blocking::all_weight_bytes(const Contraction& c) const {
  int64_t bytes = 0;
  for (int64_t b = 0; b < blocks(); ++b) bytes += weight_bytes(block(b));
  return bytes * (c.channels / per_group);
}

int64_t Blocking::all_param_bytes(const Contraction& c) const {
  int64_t bytes = 0;
  for (int64_t b = 0; b < blocks(); ++b) bytes += param_bytes(block(b));
  return bytes * (c.channels / per_group);
}

int64_t Blocking::channel(const Block& b, int v, int lane) const {
  const int first = quad_first(v), width = quad_width(b, v);
  return int64_t{first} * lanes + int64_t{4} * width * (lane / 4) + 4 * (v - first) + lane % 4;
}

int64_t Blocking::weight_channel(const Block& b, int v, int lane) const {
  return interleaved ? int64_t{16} * (lane / 4) + 4 * v + lane % 4 : channel(b, v, lane);
}

}  // namespace lapis::kernels
