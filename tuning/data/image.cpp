#include "tuning/data/image.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace lapis {
namespace {

// Of one output element along one axis: inputs [begin, begin + weights.size()).
struct Taps {
  int64_t begin = 0;
  std::vector<double> weights;
};

double triangle(double x) { return std::max(0.0, 1 - std::abs(x)); }

// Keys' cubic with a = -1/2.
double cubic(double x) {
  x = std::abs(x);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

Taps nearest(int64_t i, double scale, int64_t from) {
  return {std::min(static_cast<int64_t>((static_cast<double>(i) + 0.5) * scale), from - 1), {1}};
}

Taps filtered(int64_t i, double scale, int64_t from, Filter filter) {
  const double stretch = std::max(scale, 1.0), reach = (filter == Filter::Bicubic ? 2 : 1) * stretch,
               centre = (static_cast<double>(i) + 0.5) * scale;
  const int64_t begin = std::max<int64_t>(static_cast<int64_t>(centre - reach + 0.5), 0),
                end = std::min<int64_t>(static_cast<int64_t>(centre + reach + 0.5), from);
  Taps taps{begin, {}};
  double sum = 0;
  for (int64_t x = begin; x < end; ++x) {
    const double at = (static_cast<double>(x) - centre + 0.5) / stretch;
    taps.weights.push_back(filter == Filter::Bicubic ? cubic(at) : triangle(at));
    sum += taps.weights.back();
  }
  for (double& w : taps.weights) w /= sum;
  return taps;
}

std::vector<Taps> taps_of(int64_t from, int64_t to, Filter filter) {
  std::vector<Taps> all;
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  for (int64_t i = 0; i < to; ++i)
    all.push_back(filter == Filter::Nearest ? nearest(i, scale, from) : filtered(i, scale, from, filter));
  return all;
}

template <class T> T stored(double value) {
  if constexpr (std::is_same_v<T, uint8_t>)
    return static_cast<uint8_t>(std::clamp(std::floor(value + 0.5), 0.0, 255.0));
  return static_cast<T>(value);
}

// [outer, from, inner] -> [outer, to, inner]
template <class T> Tensor along_axis(const Tensor& image, size_t axis, const std::vector<Taps>& taps) {
  Shape shape = image.shape();
  const int64_t from = shape[axis], to = static_cast<int64_t>(taps.size());
  const int64_t inner = element_count(std::span(shape).subspan(axis + 1)), outer = image.size() / (from * inner);
  shape[axis] = to;
  Tensor result(image.dtype(), shape);
  const T* in = image.data<T>().data();
  T* out = result.mutable_data<T>().data();
  for (int64_t o = 0; o < outer; ++o, in += from * inner)
    for (const Taps& t : taps)
      for (int64_t k = 0; k < inner; ++k) {
        double sum = 0;
        for (size_t j = 0; j < t.weights.size(); ++j)
          sum += t.weights[j] * static_cast<double>(in[(t.begin + static_cast<int64_t>(j)) * inner + k]);
        *out++ = stored<T>(sum);
      }
  return result;
}

template <class T> Tensor resized_as(const Tensor& image, int64_t height, int64_t width, Filter filter) {
  const Tensor wide = image.dim(1) == width ? image : along_axis<T>(image, 1, taps_of(image.dim(1), width, filter));
  return image.dim(0) == height ? wide : along_axis<T>(wide, 0, taps_of(image.dim(0), height, filter));
}

}  // namespace

Tensor resized(const Tensor& image, int64_t height, int64_t width, Filter filter) {
  return image.dtype() == DType::UInt8 ? resized_as<uint8_t>(image, height, width, filter)
                                       : resized_as<float>(image, height, width, filter);
}

Tensor cropped(const Tensor& image, int64_t top, int64_t left, int64_t height, int64_t width) {
  Shape shape = image.shape();
  const int64_t pixel = image.bytes() / (shape[0] * shape[1]), pitch = shape[1] * pixel;
  shape[0] = height, shape[1] = width;
  Tensor result(image.dtype(), shape);
  for (int64_t y = 0; y < height; ++y)
    std::memcpy(result.mutable_raw() + y * width * pixel, image.raw() + (top + y) * pitch + left * pixel,
                static_cast<size_t>(width * pixel));
  return result;
}

Tensor center_cropped(const Tensor& image, int64_t height, int64_t width) {
  return cropped(image, (image.dim(0) - height) / 2, (image.dim(1) - width) / 2, height, width);
}

}  // namespace lapis
