#include "codegen/onednn/problem.h"

#include <algorithm>
#include <numeric>

namespace lapis::onednn {
namespace {

constexpr int64_t kFloat = sizeof(float);

// ---- what follows the sums ----

class EpilogueReader {
 public:
  explicit EpilogueReader(const Contraction& c) : c_(c), same_(c.epilogue.size()) {
    std::iota(same_.begin(), same_.end(), 0);
  }

  // False if there is anything but residuals and bounds, one after the other.
  bool read(std::vector<Finish>& finish) {
    for (size_t i = 1; i < c_.epilogue.size(); ++i)
      if (!read(static_cast<int>(i), finish)) return false;
    return c_.output.dtype == DType::Float32 && same(static_cast<int>(c_.epilogue.size()) - 1) == chain_;
  }

 private:
  const Instr& at(int id) const { return c_.epilogue[static_cast<size_t>(id)]; }
  int same(int id) const { return same_[static_cast<size_t>(id)]; }

  bool read(int id, std::vector<Finish>& finish) {
    const Instr& i = at(id);
    switch (i.op) {
      case Op::Constant:
      case Op::Load: return true;
      case Op::Cast: return read_cast(id, i);
      case Op::Add: return read_add(id, i, finish);
      case Op::AtLeast: return read_bound(id, i, Finish::Kind::AtLeast, finish);
      case Op::AtMost: return read_bound(id, i, Finish::Kind::AtMost, finish);
      default: return false;
    }
  }

  bool read_cast(int id, const Instr& i) {
    same_[static_cast<size_t>(id)] = same(i.args[0]);
    return i.type == at(i.args[0]).type;
  }

  bool read_add(int id, const Instr& i, std::vector<Finish>& finish) {
    const bool first = same(i.args[0]) == chain_;
    const int other = same(i.args[first ? 1 : 0]);
    if (!first && same(i.args[1]) != chain_) return false;
    if (at(other).op != Op::Load || at(other).type != DType::Float32) return false;
    const int operand = at(other).slot;
    const EpilogueOperand& o = c_.operands[static_cast<size_t>(operand)];
    const bool by_channel = o.kind == EpilogueOperand::Kind::PerChannel && o.view.strides == Shape{1};
    if (!by_channel && o.kind != EpilogueOperand::Kind::PerElement) return false;
    finish.push_back({Finish::Kind::Add, operand});
    chain_ = id;
    return true;
  }

  bool read_bound(int id, const Instr& i, Finish::Kind kind, std::vector<Finish>& finish) {
    const int bound = same(i.args[1]);
    if (same(i.args[0]) != chain_ || at(bound).op != Op::Constant) return false;
    finish.push_back({kind, -1, static_cast<float>(at(bound).imm.as_double())});
    chain_ = id;
    return true;
  }

  const Contraction& c_;
  std::vector<int> same_;  // the value that an instruction repeats
  int chain_ = 0;          // what has become of the sum
};

// ---- pixels ----

// True if all pixels of a column follow each other at the distance of the last dimension.
bool is_run(const Contraction& c, size_t column) {
  const Shape &extents = c.grid.extents, &strides = c.grid.columns[column].strides;
  for (size_t d = 0; d + 1 < extents.size(); ++d)
    if (strides[d] != strides[d + 1] * extents[d + 1]) return false;
  return true;
}

int64_t distance(const Contraction& c, size_t column, int64_t pixels) {
  return c.grid.address(column, pixels) - c.grid.address(column, 0);
}

bool is_dense(const Contraction& c) {
  return is_run(c, 1) && (c.pixels == 1 || distance(c, 1, 1) == c.channels * kFloat);
}

// ---- products ----

std::optional<std::string> read_product(const Contraction& c, Problem& p) {
  p.rows = c.pixels;
  p.depth = c.k;
  const int64_t step = c.pixels == 1 ? c.k * kFloat : distance(c, 0, 1);
  p.pitch = step / kFloat;
  if (step % kFloat != 0 || p.pitch < p.depth) return "rows of its left operand overlap";
  return std::nullopt;
}

// ---- convolutions: images and windows as the views of input and output have them ----

// The window: [rows][columns] taps at equal distances.
// Where taps are whole rows of the window, `k` has more than one pixel.
bool read_window(const Contraction& c, int64_t row_pitch, int64_t pixel_pitch, Problem& p) {
  const auto taps = static_cast<int64_t>(c.taps.size());
  const auto tap = [&](int64_t i) { return (c.taps[static_cast<size_t>(i)] - c.taps[0]) / kFloat; };
  const int64_t merged = c.k / p.depth;
  int64_t columns = 1;
  while (columns < taps && tap(columns) % row_pitch != 0) ++columns;
  if (taps % columns != 0 || (merged > 1 && columns > 1)) return false;
  p.kernel_rows = taps / columns;
  p.kernel_columns = std::max(columns, merged);
  const int64_t down = p.kernel_rows > 1 ? tap(columns) : row_pitch, right = columns > 1 ? tap(1) : pixel_pitch;
  p.row_dilation = down / row_pitch;
  p.column_dilation = right / pixel_pitch;
  for (int64_t i = 0; i < taps; ++i)
    if (tap(i) != i / columns * p.row_dilation * row_pitch + i % columns * p.column_dilation * pixel_pitch)
      return false;
  return p.row_dilation > 0 && p.column_dilation > 0;
}

bool read_strides(const Contraction& c, int64_t row_pitch, int64_t pixel_pitch, Problem& p) {
  const int64_t right = p.columns > 1 ? distance(c, 0, 1) : pixel_pitch * kFloat;
  const int64_t down = p.rows > 1 ? distance(c, 0, p.columns) : row_pitch * kFloat;
  p.column_stride = right / (pixel_pitch * kFloat);
  p.row_stride = down / (row_pitch * kFloat);
  return p.column_stride > 0 && p.row_stride > 0 && right == p.column_stride * pixel_pitch * kFloat &&
         down == p.row_stride * row_pitch * kFloat;
}

// Of the pixels behind the last window the library takes fewer than one step, as the size of the result says. Where one
// row is all there is, it need not know of them.
bool read_width(int64_t image_columns, Problem& p) {
  p.image_columns = p.kernel_rows == 1 && p.rows == 1 ? p.needed_columns() : image_columns;
  const int64_t behind = p.image_columns - p.needed_columns();
  return behind >= 0 && behind < p.column_stride;
}

std::optional<std::string> read_convolution(const Contraction& c, Problem& p) {
  const View &in = c.input, &out = c.output;
  if (in.shape.size() != 4 || out.shape.size() != 4 || c.axis != 1) return "it is no convolution of two dimensions";
  p.convolution = true;
  p.images = out.shape[0];
  p.rows = out.shape[2];
  p.columns = out.shape[3];
  p.depth = in.shape[1] / c.groups;
  const int64_t pixel_pitch = in.shape[1];
  const bool dense_pixels = in.shape[3] == 1 || in.strides[3] == pixel_pitch;
  if (!dense_pixels || (c.groups > 1 && c.group_stride != p.depth)) return "pixels of its input are apart";
  const int64_t row_pitch = in.strides[2] > 0 ? in.strides[2] : std::max(pixel_pitch * in.shape[3], c.k);
  const bool whole = p.depth > 0 && c.k % p.depth == 0 && row_pitch % pixel_pitch == 0;
  if (!whole || !read_window(c, row_pitch, pixel_pitch, p) || !read_strides(c, row_pitch, pixel_pitch, p))
    return "its window is not regular";
  if (!read_width(row_pitch / pixel_pitch, p)) return "the halo of its input is wider than its window";
  return std::nullopt;
}

std::optional<std::string> read(const Contraction& c, Problem& p) {
  if (c.computed) return "its weights are computed";
  if (!EpilogueReader(c).read(p.finish)) return "more follows its sums than residuals and bounds";
  p.channels = c.channels;
  p.groups = c.groups;
  p.dense = is_dense(c);
  const bool product = c.taps.size() == 1 && c.groups == 1 && is_run(c, 0);
  return product ? read_product(c, p) : read_convolution(c, p);
}

}  // namespace

Reading read(const Contraction& c) {
  Reading reading;
  if (const auto why = read(c, reading.problem))
    reading.misfit = kernels::Misfit{"oneDNN has no primitive for it: " + *why, "choose another kernel"};
  return reading;
}

}  // namespace lapis::onednn
