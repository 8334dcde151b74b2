#include "frontends/common/regions.h"

namespace lapis::frontend {
namespace {

// Where samples lie along one axis, of [R, 1] boxes on a map of this extent: [R, P].
struct Samples {
  Value *low, *high;        // pixels, as floats
  Value *of_low, *of_high;  // how much of each
};

// In cells: those of cell i lie at i + (k + 0.5) / samples.
Value* places(Formula& f, int64_t cells, int64_t samples) {
  std::vector<float> at;
  for (int64_t i = 0; i < cells; ++i)
    for (int64_t k = 0; k < samples; ++k)
      at.push_back(static_cast<float>(i) + (static_cast<float>(k) + 0.5f) / static_cast<float>(samples));
  const auto count = static_cast<int64_t>(at.size());
  return f.floats({1, count}, at);
}

Samples samples_of(Formula& f, const Regions& p, Value* from, Value* to, Value* extent, int64_t cells) {
  const auto on_map = [&](Value* v) { return f.sub({f.mul({v, f.number(p.scale)}), f.number(p.offset)}); };
  Value* first = on_map(from);
  Value* length = f.sub({on_map(to), first});
  if (p.offset == 0) length = f.max({length, f.number(1)});
  Value* cell = f.div({length, f.number(static_cast<double>(cells))});
  Value* at = f.add({first, f.mul({cell, places(f, cells, p.samples)})});
  Value* last = f.sub({extent, f.number(1)});
  Value* inside = f.both({f.op(ops::GreaterOrEqual, {at, f.number(-1)}), f.op(ops::LessOrEqual, {at, extent})});
  Value* clipped = f.min({f.max({at, f.number(0)}), last});
  Value* low = f.op(ops::Floor, {clipped});
  Value* of_high = f.sub({clipped, low});
  Value* one = f.cast(inside, DType::Float32);
  return {low, f.min({f.add({low, f.number(1)}), last}), f.mul({f.sub({f.number(1), of_high}), one}),
          f.mul({of_high, one})};
}

// Pixels as rows of channels, and what is sampled of them: [R, P, Q, C].
class Sampler {
 public:
  Sampler(Formula& f, Value* map, int64_t channels, Value* batch) : f_(f), batch_(batch) {
    pixels_ = f.reshape(f.op(ops::Transpose, {map}, ops::TransposeAttrs{{0, 2, 3, 1}}), {-1, channels});
    height_ = f.size(map, 2);
    width_ = f.size(map, 3);
  }

  Value* height() { return f_.cast(height_, DType::Float32); }
  Value* width() { return f_.cast(width_, DType::Float32); }
  Value* all(const Samples& rows, const Samples& columns) {
    Value* upper = f_.add({corner(rows.low, rows.of_low, columns.low, columns.of_low),
                           corner(rows.low, rows.of_low, columns.high, columns.of_high)});
    Value* lower = f_.add({corner(rows.high, rows.of_high, columns.low, columns.of_low),
                           corner(rows.high, rows.of_high, columns.high, columns.of_high)});
    return f_.add({upper, lower});
  }

 private:
  Value* corner(Value* row, Value* of_row, Value* column, Value* of_column) {
    Value* line = f_.add({f_.mul({batch_, height_}), f_.cast(row, DType::Int64)});  // [R, P]
    Value* pixel =
        f_.add({f_.unsqueeze(f_.mul({line, width_}), {2}), f_.unsqueeze(f_.cast(column, DType::Int64), {1})});
    Value* share = f_.mul({f_.unsqueeze(of_row, {2}), f_.unsqueeze(of_column, {1})});
    return f_.mul({f_.gather(pixels_, pixel, 0), f_.unsqueeze(share, {3})});
  }

  Formula& f_;
  Value *batch_, *pixels_, *height_, *width_;
};

// The mean of the samples of each cell.
Value* means(Formula& f, Value* sampled, const Regions& p, int64_t channels) {
  Value* cells = f.reshape(sampled, {-1, p.size[0], p.samples, p.size[1], p.samples, channels});
  Value* mean = f.op(ops::ReduceMean, {cells, f.integers({2, 4})}, Attributes{{"keepdims", int64_t{0}}});
  return f.op(ops::Transpose, {mean}, ops::TransposeAttrs{{0, 3, 1, 2}});
}

// Of each box: [R, C, rows, columns].
Value* pooled(Formula& f, Value* map, Value* boxes, int64_t channels, const Regions& p) {
  const auto at = [&](int64_t i) { return f.slice(boxes, 1, i, i + 1); };
  Value* image = at(0);
  Sampler sampler(f, map, channels, f.cast(f.max({image, f.number(0)}), DType::Int64));
  Value *top = at(2), *bottom = at(4);
  const Samples rows = samples_of(f, p, top, bottom, sampler.height(), p.size[0]);
  Value *left = at(1), *right = at(3);
  const Samples across = samples_of(f, p, left, right, sampler.width(), p.size[1]);
  Value* result = means(f, sampler.all(rows, across), p, channels);
  return f.where({f.unsqueeze(f.op(ops::Less, {image, f.number(0)}), {2, 3}), f.number(0), result});
}

}  // namespace

static Status check(const Regions& p) {
  constexpr int64_t kMost = 1024;
  if (p.samples <= 0) return Translation::unsupported("a number of samples that depends on the boxes");
  const auto fits = [&](int64_t n) { return n > 0 && n <= kMost && p.samples <= kMost / n; };
  if (p.size.size() == 2 && fits(p.size[0]) && fits(p.size[1])) return ok();
  return error(ErrorKind::Input, "its size is not two numbers from 1 to " + std::to_string(kMost));
}

Result<Value*> below_boxes(Translation& t, Value* map, Value* boxes, const Regions& p) {
  LAPIS_CHECK(check(p));
  LAPIS_TRY(const int64_t rank, rank_of(map));
  LAPIS_TRY(const int64_t axes, rank_of(boxes));
  if (rank != 4 || axes != 2) return error(ErrorKind::Input, "its operands are no maps and boxes");
  const Dim& channels = map->type().dim(1);
  if (!channels.is_constant()) return Translation::unsupported("a number of channels that is not known");
  Formula f(t);
  Value* result = pooled(f, map, boxes, channels.value(), p);
  LAPIS_CHECK(f.status());
  return result;
}

}  // namespace lapis::frontend
