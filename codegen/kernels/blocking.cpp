#include "codegen/kernels/blocking.h"

#include <algorithm>

namespace lapis::kernels {
namespace {

bool moves_only_bytes(const Contraction& c) {
  return is_quantized_storage(c.output.dtype) && std::ranges::all_of(c.operands, [](const EpilogueOperand& o) {
           return o.kind != EpilogueOperand::Kind::PerElement || is_quantized_storage(o.view.dtype);
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

bool pixels_in_runs(const Contraction& c, int mr) {
  const Slabs slabs(c);
  const std::vector<int32_t> table = slabs.table();
  auto input = [&](int64_t pixel) { return table[static_cast<size_t>(pixel) * c.grid.columns.size()]; };
  for (const int64_t slab : {int64_t{0}, slabs.of_batch() - 1}) {  // of both lengths
    const Tiles tiles = tiles_of(slabs.pixels_of(slab), c.schedule.mr);
    if (mr != tiles.mr && mr != tiles.mr - 1) continue;  // it has no tiles of this size
    const int64_t from = mr == tiles.mr ? 0 : tiles.big, to = mr == tiles.mr ? tiles.big : tiles.count();
    for (int64_t t = from; t < to; ++t)
      for (int64_t first = tiles.first_pixel(t), p = first + 2; p < first + mr; ++p)
        if (input(p) - input(p - 1) != input(first + 1) - input(first)) return false;
  }
  return true;
}

bool divides_panels(const Kernel& kernel, int64_t per_group, int nr) {
  return kernel.depthwise() || per_group < kPanel || kPanel % (int64_t{nr} * kernel.lanes) == 0;
}

Blocking::Blocking(const Contraction& c, const Schedule& schedule) {
  const Kernel& kernel = table()[static_cast<size_t>(schedule.row)];
  lanes = kernel.lanes;
  interleaved = kernel.weights() == WeightFormat::Interleaved;
  // Depthwise floats come channel after channel from memory, whatever becomes of their sums.
  const bool ordered = kernel.weights() == WeightFormat::Taps;
  quad = moves_only_bytes(c) && !ordered ? 4 : 1;
  paired = interleaved && kernel.dot == Dot::Vnni && shares_columns(c);
  words = interleaved && kernel.dot == Dot::Madd;
  dense_ = kernel.weights() == WeightFormat::Panels;
  per_group = dense_ ? c.channels / c.groups : c.channels;
  const auto all_taps = static_cast<int64_t>(c.taps.size());
  taps = dense_ ? all_taps : 1;
  const int64_t bytes = (dense_ ? c.k : all_taps) * bit_width(c.b) / 8;
  steps = paired ? bytes / 3 * 2 : (bytes + 3) / 4;
  half = dense_ && c.a == DType::BFloat16 && c.k % 2 != 0;
  columns = static_cast<int64_t>(c.grid.columns.size());
  params = 1 + per_channel_operands(c);
  width_ = int64_t{schedule.nr} * lanes;
  panel_ = dense_ ? kPanel : width_;
  cut(c, schedule, kernel);
}

// Into blocks of whole panels, whole blocks of the last one, and its remainder.
void Blocking::cut(const Contraction& c, const Schedule& schedule, const Kernel& kernel) {
  const int64_t panels = per_group / panel_, rest = per_group % panel_, tail = rest % width_;
  if (panels > 0) add_kind({schedule.nr, width_, schedule.mr, pitch_of(panel_)}, panels * (panel_ / width_));
  if (rest >= width_) add_kind({schedule.nr, width_, schedule.mr, pitch_of(rest)}, rest / width_);
  if (tail == 0) return;
  const int nr = interleaved && quad == 4 ? 4 : static_cast<int>((tail + lanes - 1) / lanes);
  const int mr = nr == schedule.nr ? schedule.mr : balanced_tiles(Slabs(c).most_pixels(), max_mr(kernel, c, nr)).mr;
  add_kind({nr, tail, mr, pitch_of(rest)}, 1);
}

// Bytes of a step.
int Blocking::pitch_of(int64_t channels) const {
  if (interleaved) return 4 * lanes * (words ? 8 : 4);
  const int64_t multiple = dense_ ? kPanelStep : lanes;
  return static_cast<int>((channels + multiple - 1) / multiple * multiple * 4);
}

void Blocking::add_kind(const Block& block, int64_t count) {
  const int64_t end = (ends_.empty() ? 0 : ends_.back()) + count;
  const bool same = !kinds.empty() && kinds.back().channels == block.channels && kinds.back().pitch == block.pitch;
  if (same) {
    ends_.back() = end;
  } else {
    kinds.push_back(block);
    ends_.push_back(end);
  }
}

int Blocking::kind_of(int64_t block) const {
  return static_cast<int>(std::ranges::upper_bound(ends_, block) - ends_.begin());
}

int64_t Blocking::weight_offset(int64_t block) const {
  const int64_t channel = first_channel(block);
  return channel / panel_ * panel_bytes(panel_) + channel % panel_ * 4;
}

int64_t Blocking::group_weight_bytes() const {
  const int64_t rest = per_group % panel_;
  return per_group / panel_ * panel_bytes(panel_) + (rest ? panel_bytes(rest) : 0);
}

int64_t Blocking::all_param_bytes(const Contraction& c) const {
  int64_t bytes = 0;
  for (size_t kind = 0; kind < kinds.size(); ++kind) bytes += blocks_of_kind(kind) * param_bytes(kinds[kind]);
  return bytes * groups_of(c);
}

}  // namespace lapis::kernels
