// Deformable convolution: a window whose pixels lie where a second operand puts them,
// as samples between pixels and a product with the weights.
#include <algorithm>

#include "frontends/common/formula.h"
#include "frontends/pytorch/translators.h"

namespace lapis::pytorch_frontend {
namespace {

using frontend::Formula;

struct Deformable {
  Value *x, *weight, *offset, *mask, *bias;  // no mask: null
  int64_t stride[2], pad[2], dilation[2], kernel[2];
  int64_t groups, offset_groups, channels, filters;

  int64_t window() const { return kernel[0] * kernel[1]; }
};

Result<Value*> float_operand(Args& a, std::string_view name) {
  LAPIS_TRY(Value * value, a.tensor(name));
  if (value->dtype() != DType::Float32) return Translation::unsupported("operands that are not float32");
  return value;
}

bool is_known(const Value* x, std::initializer_list<int64_t> axes) {
  return x->type().ranked() && x->type().rank() == 4 &&
         std::all_of(axes.begin(), axes.end(), [&](int64_t axis) { return x->type().dim(axis).is_constant(); });
}

Status read_sizes(Deformable& d) {
  if (!is_known(d.x, {1}) || !is_known(d.weight, {0, 1, 2, 3}) || !is_known(d.offset, {1}))
    return Translation::unsupported("channels or windows of open size");
  d.channels = d.x->type().dim(1).value();
  d.filters = d.weight->type().dim(0).value();
  for (const int64_t i : {0, 1}) d.kernel[i] = d.weight->type().dim(2 + i).value();
  const bool divides = d.groups > 0 && d.offset_groups > 0 && d.channels > 0 && d.channels % d.groups == 0 &&
                       d.filters % d.groups == 0 && d.channels % d.offset_groups == 0;
  if (!divides || d.offset->type().dim(1) != Dim(2 * d.offset_groups * d.window()))
    return error(ErrorKind::Input, "its offsets, weights and groups do not fit each other");
  return ok();
}

Result<Deformable> deformable_of(Args& a) {
  Deformable d{};
  LAPIS_TRY(d.x, float_operand(a, "input"));
  LAPIS_TRY(d.weight, float_operand(a, "weight"));
  LAPIS_TRY(d.offset, float_operand(a, "offset"));
  LAPIS_TRY(d.bias, float_operand(a, "bias"));
  if (a.flag("use_mask", false)) {
    LAPIS_TRY(d.mask, float_operand(a, "mask"));
  }
  constexpr std::string_view kNames[2][3] = {{"stride_h", "pad_h", "dilation_h"}, {"stride_w", "pad_w", "dilation_w"}};
  for (const size_t i : {0, 1}) {
    d.stride[i] = a.integer(kNames[i][0], 1);
    d.pad[i] = a.integer(kNames[i][1], 0);
    d.dilation[i] = a.integer(kNames[i][2], 1);
  }
  d.groups = a.integer("groups", 1);
  d.offset_groups = a.integer("offset_groups", 1);
  LAPIS_CHECK(a.status());
  LAPIS_CHECK(read_sizes(d));
  return d;
}

// Where samples lie along one axis, and how much of the pixels on both sides: nothing of those beyond the map. All are
// [N, G, K, H, W], of the groups of offsets and the places of the window.
struct Samples {
  Value *low, *high, *of_low, *of_high;
};

class Sampler {
 public:
  Sampler(Formula& f, const Deformable& d) : f_(f), d_(d), each_(d.channels / d.offset_groups) {
    extent_[0] = f.size(d.x, 2);
    extent_[1] = f.size(d.x, 3);
    Value* planes = split(d.x, {d.offset_groups, each_});
    pixels_ = f.reshape(f.op(ops::Transpose, {planes}, ops::TransposeAttrs{{0, 1, 3, 4, 2}}), {-1, each_});
    offsets_ = split(d.offset, {d.offset_groups, d.window(), 2});
    first_ = f.reshape(f.range(f.mul({f.size(d.x, 0), f.integers({d.offset_groups})})), {-1, d.offset_groups, 1, 1, 1});
  }

  // What the window holds at each place: [N, C, K, H, W].
  Value* windows() {
    const Samples rows = along(0), columns = along(1);
    Value* upper = f_.add({corner(rows.low, rows.of_low, columns.low, columns.of_low),
                           corner(rows.low, rows.of_low, columns.high, columns.of_high)});
    Value* lower = f_.add({corner(rows.high, rows.of_high, columns.low, columns.of_low),
                           corner(rows.high, rows.of_high, columns.high, columns.of_high)});
    Value* all = f_.add({upper, lower});
    if (d_.mask) all = f_.mul({all, f_.unsqueeze(split(d_.mask, {d_.offset_groups, d_.window()}), {5})});
    return f_.op(ops::Transpose, {all}, ops::TransposeAttrs{{0, 1, 5, 2, 3, 4}});
  }

 private:
  // [N, parts..., H, W] of [N, C, H, W].
  Value* split(Value* x, std::vector<int64_t> parts) {
    Value* shape = f_.concat({f_.size(x, 0), f_.integers(std::move(parts)), f_.size(x, 2), f_.size(x, 3)}, 0);
    return f_.op(ops::Reshape, {x, shape});
  }

  // Where the window without offsets has its places along an axis: [K, H, 1] or [K, 1, W].
  Value* regular(size_t axis) {
    std::vector<float> in_window;
    for (int64_t k = 0; k < d_.window(); ++k) {
      const int64_t step = axis == 0 ? k / d_.kernel[1] : k % d_.kernel[1];
      in_window.push_back(static_cast<float>(step * d_.dilation[axis] - d_.pad[axis]));
    }
    Value* results = f_.cast(f_.range(f_.size(d_.offset, static_cast<int64_t>(axis) + 2)), DType::Float32);
    Value* starts = f_.mul({results, f_.number(static_cast<double>(d_.stride[axis]))});
    if (axis == 0) starts = f_.unsqueeze(starts, {1});
    return f_.add({starts, f_.floats({d_.window(), 1, 1}, in_window)});
  }

  Samples along(size_t axis) {
    const auto part = static_cast<int64_t>(axis);
    Value* at = f_.add({f_.squeeze(f_.slice(offsets_, 3, part, part + 1), 3), regular(axis)});
    Value *low = f_.op(ops::Floor, {at}), *of_high = f_.sub({at, low});
    Value* last = f_.cast(f_.sub({extent_[axis], f_.integers({1})}), DType::Float32);
    const auto on_map = [&](Value* pixel) { return f_.min({f_.max({pixel, f_.number(0)}), last}); };
    const auto share = [&](Value* pixel, Value* of) {
      return f_.where({f_.op(ops::Equal, {pixel, on_map(pixel)}), of, f_.number(0)});
    };
    Value* high = f_.add({low, f_.number(1)});
    return {f_.cast(on_map(low), DType::Int64), f_.cast(on_map(high), DType::Int64),
            share(low, f_.sub({f_.number(1), of_high})), share(high, of_high)};
  }

  Value* corner(Value* row, Value* of_row, Value* column, Value* of_column) {
    Value* line = f_.add({f_.mul({first_, extent_[0]}), row});
    Value* pixel = f_.add({f_.mul({line, extent_[1]}), column});
    return f_.mul({f_.gather(pixels_, pixel, 0), f_.unsqueeze(f_.mul({of_row, of_column}), {5})});
  }

  Formula& f_;
  const Deformable& d_;
  int64_t each_;  // channels of a group of offsets
  Value *extent_[2], *pixels_, *offsets_, *first_;
};

// Each group of filters with its channels.
Value* product(Formula& f, const Deformable& d, Value* windows) {
  const int64_t depth = d.channels / d.groups * d.window();
  Value* columns = f.reshape(windows, {0, d.groups, depth, -1});
  Value* sums = f.op(ops::MatMul, {f.reshape(d.weight, {d.groups, d.filters / d.groups, depth}), columns});
  Value* shape = f.concat({f.size(d.offset, 0), f.integers({d.filters}), f.size(d.offset, 2), f.size(d.offset, 3)}, 0);
  return f.add({f.op(ops::Reshape, {sums, shape}), f.reshape(d.bias, {d.filters, 1, 1})});
}

Status deform_conv2d(Translation& t) {
  Args a(t);
  LAPIS_TRY(const Deformable d, deformable_of(a));
  Formula f(t);
  Value* result = product(f, d, Sampler(f, d).windows());
  LAPIS_CHECK(f.status());
  return finish(t, result);
}

constexpr AtenRow kRows[] = {
    {"torchvision.deform_conv2d",
     "input weight offset mask bias stride_h stride_w pad_h pad_w dilation_h dilation_w groups offset_groups use_mask",
     deform_conv2d},
};

}  // namespace

std::span<const AtenRow> deformable_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
