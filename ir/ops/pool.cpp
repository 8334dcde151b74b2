// The pools: MaxPool and AveragePool over windows, GlobalMaxPool and GlobalAveragePool over whole planes.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ir/ops/attributes.h"
#include "ir/ops/loops.h"
#include "ir/ops/numerics.h"
#include "ir/ops/ops.h"
#include "ir/ops/window.h"

namespace lapis::ops {
namespace {

std::span<const int64_t> spatial(const Shape& shape) { return std::span(shape).subspan(2); }

template <class Attrs> WindowLists lists_of(const Attrs& a) {
  return {a.auto_pad, a.kernel_shape, a.strides, a.dilations, a.pads};
}

template <class Attrs> Result<Type> infer_pool(const InferContext& c) {
  const Type& x = c.in(0);
  if (!x.ranked()) return Type::tensor(x.dtype);
  if (x.rank() < 3) return c.error("x needs a batch, a channel and at least one spatial axis, it is " + x.to_string());
  const Attrs a = c.attrs<Attrs>();
  LAPIS_TRY(const Window window, make_window(c, lists_of(a), static_cast<size_t>(x.rank()) - 2, a.ceil_mode));
  Dims dims{x.dim(0), x.dim(1)};
  LAPIS_TRY(const Dims out, positions(c, window, x));
  dims.insert(dims.end(), out.begin(), out.end());
  return Type::tensor(x.dtype, dims);
}

Result<Types> infer_max(const InferContext& c) {
  LAPIS_TRY(Type y, infer_pool<MaxPoolAttrs>(c));
  return Types{y, Type::tensor(DType::Int64, y.dims)};
}

Result<Types> infer_average(const InferContext& c) {
  LAPIS_TRY(Type y, infer_pool<AveragePoolAttrs>(c));
  return Types{y};
}

Result<Types> infer_global(const InferContext& c) {
  Type y = c.in(0);
  if (!y.ranked()) return Types{y};
  if (y.rank() < 2) return c.error("x needs a batch and a channel axis, it is " + y.to_string());
  std::fill(y.dims->begin() + 2, y.dims->end(), Dim(1));
  return Types{y};
}

// A window over a concrete input, and where its taps fall.
struct Sliding {
  template <class Attrs> Sliding(const Attrs& a, const Shape& x) {
    const Window declared = window_of(lists_of(a), x.size() - 2, a.ceil_mode);
    output = declared.output_shape(spatial(x));
    window = declared.on(spatial(x));
    offsets = window_offsets(window, spatial(x), output);
    positions = element_count(output);
    y_shape = {x[0], x[1]};
    y_shape.insert(y_shape.end(), output.begin(), output.end());
  }
  // Calls f(offset) for every tap at position p that is not in the padding.
  template <class F> void for_taps(int64_t p, F&& f) const {
    for (size_t at = static_cast<size_t>(p); at < offsets.size(); at += static_cast<size_t>(positions))
      if (offsets[at] >= 0) f(offsets[at]);
  }
  Window window;
  Shape output, y_shape;
  int64_t positions = 0;
  std::vector<int64_t> offsets;
};

// A row-major offset within a plane as the same element's offset with the first spatial axis running fastest.
int64_t column_major(int64_t offset, std::span<const int64_t> plane) {
  int64_t result = 0, stride = element_count(plane);
  for (size_t axis = plane.size(); axis-- > 0; offset /= plane[axis]) {
    stride /= plane[axis];
    result += offset % plane[axis] * stride;
  }
  return result;
}

// NaN beats every number, +0 beats -0, else the first of equals stays.
bool beats(double v, double best) {
  return above(v, best) || (v == 0 && best == 0 && std::signbit(best) > std::signbit(v));
}

Status evaluate_max(EvalContext& c) {
  const MaxPoolAttrs a = c.attrs<MaxPoolAttrs>();
  const Tensor& x = c.in(0);
  const Sliding s(a, x.shape());
  const std::vector<double> values = to_doubles(x);
  const int64_t plane = element_count(spatial(x.shape()));
  const double lowest = is_float(x.dtype()) ? -INFINITY : static_cast<double>(integer_range(x.dtype()).lowest);
  std::vector<double> y;
  std::vector<int64_t> indices;
  for (int64_t image = 0; image < x.dim(0) * x.dim(1); ++image) {
    for (int64_t p = 0; p < s.positions; ++p) {
      int64_t best = -1;
      s.for_taps(p, [&](int64_t offset) {
        if (best < 0 || beats(values[static_cast<size_t>(image * plane + offset)],
                              values[static_cast<size_t>(image * plane + best)]))
          best = offset;
      });
      y.push_back(best < 0 ? lowest : values[static_cast<size_t>(image * plane + best)]);
      indices.push_back(image * plane + (a.storage_order == 0 ? best : column_major(best, spatial(x.shape()))));
    }
  }
  c.set_out(0, from_doubles(x.dtype(), s.y_shape, y));
  if (c.wants(1)) c.set_out(1, from_integers(DType::Int64, s.y_shape, indices));
  return ok();
}

// What each position's sum is divided by: the taps within the input, or within the padded input if pads count.
std::vector<int64_t> divisors(const Sliding& s, const Shape& x, bool count_pads) {
  Window window = s.window;
  Shape extent(spatial(x).begin(), spatial(x).end());
  if (count_pads) {
    for (size_t axis = 0; axis < window.rank(); ++axis) extent[axis] += window.begins[axis] + window.ends[axis];
    std::fill(window.begins.begin(), window.begins.end(), 0);
  }
  const std::vector<int64_t> offsets = window_offsets(window, extent, s.output);
  std::vector<int64_t> counts(static_cast<size_t>(s.positions), 0);
  for (size_t i = 0; i < offsets.size(); ++i) counts[i % counts.size()] += offsets[i] >= 0;
  return counts;
}

Status evaluate_average(EvalContext& c) {
  const AveragePoolAttrs a = c.attrs<AveragePoolAttrs>();
  const Tensor& x = c.in(0);
  const Sliding s(a, x.shape());
  const std::vector<int64_t> counts = divisors(s, x.shape(), a.count_include_pad);
  const std::vector<double> values = to_doubles(x);
  const int64_t plane = element_count(spatial(x.shape()));
  std::vector<double> y;
  for (int64_t image = 0; image < x.dim(0) * x.dim(1); ++image) {
    for (int64_t p = 0; p < s.positions; ++p) {
      double sum = 0;
      s.for_taps(p, [&](int64_t offset) { sum += values[static_cast<size_t>(image * plane + offset)]; });
      y.push_back(sum / static_cast<double>(counts[static_cast<size_t>(p)]));
    }
  }
  c.set_out(0, from_doubles(x.dtype(), s.y_shape, y));
  return ok();
}

double mean(std::span<const double> plane) {
  double sum = 0;
  for (double v : plane) sum += v;
  return sum / static_cast<double>(plane.size());
}
double maximum(std::span<const double> plane) {
  return std::accumulate(plane.begin(), plane.end(), -INFINITY * 1.0, max_of<double>);
}

template <double (*summary)(std::span<const double>)> Status evaluate_global(EvalContext& c) {
  const Tensor& x = c.in(0);
  const std::vector<double> values = to_doubles(x);
  const auto plane = static_cast<size_t>(element_count(spatial(x.shape())));
  Shape shape(x.shape().size(), 1);
  std::copy_n(x.shape().begin(), 2, shape.begin());
  std::vector<double> y;
  for (int64_t image = 0; image < element_count(shape); ++image)
    y.push_back(summary(std::span(values).subspan(static_cast<size_t>(image) * plane, plane)));
  c.set_out(0, from_doubles(x.dtype(), shape, y));
  return ok();
}

}  // namespace

const OpDef AveragePool = op("AveragePool")
                              .since(22)
                              .doc("Mean over a sliding window; pads count or not.")
                              .in("X", kFloats)
                              .out("Y", kFloats)
                              .attrs<AveragePoolAttrs>()
                              .infer(infer_average)
                              .evaluate(evaluate_average)
                              .traits(Trait::Pure)
                              .quant(Quant::Average);

const OpDef GlobalAveragePool = op("GlobalAveragePool")
                                    .since(22)
                                    .doc("Mean over all spatial axes.")
                                    .in("X", kFloats)
                                    .out("Y", kFloats)
                                    .infer(infer_global)
                                    .evaluate(evaluate_global<mean>)
                                    .traits(Trait::Pure | Trait::Reduction)
                                    .quant(Quant::Average);

const OpDef GlobalMaxPool = op("GlobalMaxPool")
                                .since(22)
                                .doc("Maximum over all spatial axes.")
                                .in("X", kFloats)
                                .out("Y", kFloats)
                                .infer(infer_global)
                                .evaluate(evaluate_global<maximum>)
                                .traits(Trait::Pure | Trait::ValuePreserving | Trait::Reduction)
                                .quant(Quant::SharedScale);

const OpDef MaxPool = op("MaxPool")
                          .since(22)
                          .doc("Maximum over a sliding window; padding never wins, NaN always does.")
                          .in("X", kFloats | types(DType::Int8, DType::UInt8))
                          .out("Y", kFloats | types(DType::Int8, DType::UInt8))
                          .optional_out("Indices", types(DType::Int64))
                          .attrs<MaxPoolAttrs>()
                          .infer(infer_max)
                          .evaluate(evaluate_max)
                          .traits(Trait::Pure | Trait::ValuePreserving)
                          .quant(Quant::SharedScale);

}  // namespace lapis::ops
