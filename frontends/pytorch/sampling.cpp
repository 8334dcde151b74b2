// grid_sampler: pixels of a map around the places that an operand gives, weighted and added up.
#include <algorithm>
#include <numeric>

#include "frontends/common/formula.h"
#include "frontends/pytorch/translators.h"

namespace lapis::pytorch_frontend {
namespace {

using frontend::Formula;

enum class Mode : uint8_t { Linear, Nearest, Cubic };
enum class Padding : uint8_t { Zeros, Border, Reflection };

// Along one axis: which pixel a tap reads and how much it counts, [N, places..., taps].
struct Taps {
  Value *pixel, *weight;
};

class Axis {
 public:
  // Of this many pixels, a number; 1 and -1 lie in the middle of the outer ones, or at their edges.
  Axis(Formula& f, Value* extent, Mode mode, Padding padding, bool align_corners)
      : f_(f), extent_(extent), mode_(mode), padding_(padding), align_(align_corners) {
    last_ = f.sub({extent, number(1)});
  }

  Taps at(Value* normal) {
    Value* place = denormalized(normal);
    if (mode_ != Mode::Cubic) place = padded(place);
    if (mode_ == Mode::Nearest) place = f_.op(ops::Round, {place});
    Value* base = f_.op(ops::Floor, {place});
    Value* tap = f_.add({f_.unsqueeze(base, {-1}), offsets()});
    Value* distance = f_.op(ops::Abs, {f_.sub({f_.unsqueeze(f_.sub({place, base}), {-1}), offsets()})});
    return on_map(place, tap, mode_ == Mode::Cubic ? cubic(distance) : linear(distance));
  }

 private:
  Value* number(double value) { return f_.number(value, extent_->dtype()); }

  Value* offsets() {
    const std::vector<float> steps = mode_ == Mode::Nearest  ? std::vector<float>{0}
                                     : mode_ == Mode::Linear ? std::vector<float>{0, 1}
                                                             : std::vector<float>{-1, 0, 1, 2};
    return f_.cast(f_.floats({static_cast<int64_t>(steps.size())}, steps), extent_->dtype());
  }

  Value* denormalized(Value* normal) {
    Value* raised = f_.add({normal, number(1)});
    if (align_) return f_.mul({raised, f_.mul({last_, number(0.5)})});
    return f_.mul({f_.sub({f_.mul({raised, extent_}), number(1)}), number(0.5)});
  }

  // A place that is no number comes to lie on the map as well: no pixel beyond it is ever read.
  Value* clipped(Value* place) {
    Value* is_behind_start = f_.greater({place, number(0)});
    return f_.where({is_behind_start, f_.min({place, last_}), number(0)});
  }

  // Back and forth between the outer pixels, or their edges.
  Value* reflected(Value* place) {
    Value* low = number(align_ ? 0 : -0.5);
    Value* span = align_ ? last_ : extent_;
    Value* period = f_.max({f_.add({span, span}), number(1)});
    Value* way = f_.op(ops::Abs, {f_.sub({place, low})});
    Value* lap = f_.op(ops::Mod, {way, period}, ops::ModAttrs{true});
    return f_.add({low, f_.sub({span, f_.op(ops::Abs, {f_.sub({lap, span})})})});
  }

  Value* padded(Value* place) {
    if (padding_ == Padding::Zeros) return place;
    return clipped(padding_ == Padding::Border ? place : reflected(place));
  }

  // What lies beyond a map that is padded with zeros counts nothing. Between pixels it is no number if the place is
  // none, or infinite.
  Value* beyond(Value* place) {
    return mode_ == Mode::Nearest ? number(0) : f_.unsqueeze(f_.sub({place, place}), {-1});
  }

  Taps on_map(Value* place, Value* tap, Value* weight) {
    if (mode_ == Mode::Cubic) tap = padded(tap);
    Value* pixel = clipped(tap);
    if (padding_ == Padding::Zeros) weight = f_.where({f_.op(ops::Equal, {pixel, tap}), weight, beyond(place)});
    return {f_.cast(pixel, DType::Int64), weight};
  }

  Value* linear(Value* distance) { return f_.max({f_.sub({number(1), distance}), number(0)}); }

  // Keys' with A = -0.75: (A + 2) d^3 - (A + 3) d^2 + 1 up to a distance of 1, A d^3 - 5 A d^2 + 8 A d - 4 A beyond.
  Value* cubic(Value* d) {
    const auto horner = [&](std::initializer_list<double> factors) {
      Value* sum = nullptr;
      for (const double factor : factors) sum = sum ? f_.add({f_.mul({sum, d}), number(factor)}) : number(factor);
      return sum;
    };
    Value* is_near = f_.op(ops::LessOrEqual, {d, number(1)});
    return f_.where({is_near, horner({1.25, -2.25, 0, 1}), horner({-0.75, 3.75, -6, 3})});
  }

  Formula& f_;
  Value *extent_, *last_ = nullptr;
  Mode mode_;
  Padding padding_;
  bool align_;
};

Axes numbers(int64_t first, int64_t end) {
  Axes axes(static_cast<size_t>(end - first));
  std::iota(axes.begin(), axes.end(), first);
  return axes;
}

// Channels behind all other axes, and back.
Axes channels_last(int64_t rank) {
  Axes perm = numbers(1, rank);
  perm[0] = 0;
  for (int64_t axis = 2; axis < rank; ++axis) perm[static_cast<size_t>(axis - 1)] = axis;
  perm.push_back(1);
  return perm;
}
Axes channels_first(int64_t rank) {
  Axes perm = numbers(0, rank);
  std::rotate(perm.begin() + 1, perm.end() - 1, perm.end());
  return perm;
}

struct Grid {
  Mode mode;
  Padding padding;
  bool align_corners;
};

Result<Grid> grid_of(Args& a) {
  const int64_t mode = a.integer("interpolation_mode", 0), padding = a.integer("padding_mode", 0);
  const bool align = a.flag("align_corners", false);
  LAPIS_CHECK(a.status());
  if (mode < 0 || mode > 2 || padding < 0 || padding > 2)
    return error(ErrorKind::Input, "has mode " + std::to_string(mode) + ", padding " + std::to_string(padding));
  constexpr Mode kModes[] = {Mode::Linear, Mode::Nearest, Mode::Cubic};
  constexpr Padding kPaddings[] = {Padding::Zeros, Padding::Border, Padding::Reflection};
  return Grid{kModes[mode], kPaddings[padding], align};
}

// [N, C, places...]: of each place the taps of all axes together, which lie in axes behind it.
Value* sampled(Formula& f, Value* map, Value* grid, int64_t axes, const Grid& g) {
  Shape image_shape(static_cast<size_t>(2 * axes + 1), 1);
  image_shape[0] = -1;
  Value* row = f.reshape(f.range(f.size(map, 0)), image_shape);
  Value* share = f.number(1, map->dtype());
  for (int64_t axis = 0; axis < axes; ++axis) {
    Value* extent = f.size(map, axis + 2);
    Value* normal = f.gather(grid, f.number(static_cast<double>(axes - 1 - axis), DType::Int64), -1);
    const Taps taps = Axis(f, f.cast(extent, map->dtype()), g.mode, g.padding, g.align_corners).at(normal);
    Axes others = numbers(axes + 1, 2 * axes + 1);
    others.erase(others.begin() + axis);
    const auto apart = [&](Value* x) { return others.empty() ? x : f.unsqueeze(x, others); };
    row = f.add({f.mul({row, extent}), apart(taps.pixel)});
    share = f.mul({share, apart(taps.weight)});
  }
  Value* channels = f.size(map, 1);
  Value* pixels = f.op(ops::Transpose, {map}, ops::TransposeAttrs{channels_last(axes + 2)});
  Value* rows = f.op(ops::Reshape, {pixels, f.concat({f.integers({-1}), channels}, 0)});
  Value* weighted = f.mul({f.gather(rows, row, 0), f.unsqueeze(share, {-1})});
  Value* sum = f.op(ops::ReduceSum, {weighted, f.integers(numbers(axes + 1, 2 * axes + 1))},
                    ops::ReduceAttrs{.keepdims = false});
  return f.op(ops::Transpose, {sum}, ops::TransposeAttrs{channels_first(axes + 2)});
}

Status grid_sampler(Translation& t) {
  Args a(t);
  Formula f(t);
  LAPIS_TRY(const Grid g, grid_of(a));
  LAPIS_TRY(Value * map, a.tensor("input"));
  LAPIS_TRY(Value * grid, a.tensor("grid"));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(map));
  if (rank < 4 || rank > 5) return error(ErrorKind::Input, "samples a map of " + std::to_string(rank) + " axes");
  if (g.mode == Mode::Cubic && rank != 4) return error(ErrorKind::Input, "has no cubic mode for 5 axes");
  Value* y = sampled(f, map, grid, rank - 2, g);
  LAPIS_CHECK(f.status());
  return frontend::result(t, 0, y);
}

constexpr AtenRow kRows[] = {
    {"aten.grid_sampler", "input grid interpolation_mode padding_mode align_corners", grid_sampler},
    {"aten.grid_sampler_2d", "input grid interpolation_mode padding_mode align_corners", grid_sampler},
    {"aten.grid_sampler_3d", "input grid interpolation_mode padding_mode align_corners", grid_sampler},
};

}  // namespace

std::span<const AtenRow> sampling_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
