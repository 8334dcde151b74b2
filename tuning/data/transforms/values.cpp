// Transforms that change values and their type.
#include <algorithm>
#include <cmath>

#include "ir/ops/loops.h"
#include "tuning/data/transforms.h"

namespace lapis {
namespace {

struct Normalization {
  double scale = 1;
  std::vector<double> mean, std;

  float apply(double value, size_t channel) const {
    const double m = mean.empty() ? 0 : mean[std::min(channel, mean.size() - 1)],
                 s = std.empty() ? 1 : std[std::min(channel, std.size() - 1)];
    return static_cast<float>((value * scale - m) / s);
  }
};

// Bytes have 256 values a channel, so pictures are looked up.
Tensor of_bytes(const Tensor& t, const Normalization& n, int64_t channels, int64_t inner) {
  std::vector<float> table(static_cast<size_t>(channels) * 256);
  for (size_t i = 0; i < table.size(); ++i) table[i] = n.apply(static_cast<double>(i % 256), i / 256);
  Tensor result(DType::Float32, t.shape());
  const auto from = t.data<uint8_t>();
  const auto to = result.mutable_data<float>();
  const auto run = static_cast<size_t>(inner), all = static_cast<size_t>(channels);
  for (size_t i = 0; i < from.size(); ++i) to[i] = table[i / run % all * 256 + from[i]];
  return result;
}

Tensor of_numbers(const Tensor& t, const Normalization& n, int64_t channels, int64_t inner) {
  Tensor result(DType::Float32, t.shape());
  const std::vector<double> from = ops::to_doubles(t);
  const auto to = result.mutable_data<float>();
  const auto run = static_cast<size_t>(inner), all = static_cast<size_t>(channels);
  for (size_t i = 0; i < from.size(); ++i) to[i] = n.apply(from[i], i / run % all);
  return result;
}

Status check_channels(const Settings& settings, const Normalization& n, int64_t channels) {
  for (const auto* list : {&n.mean, &n.std})
    if (list->size() > 1 && static_cast<int64_t>(list->size()) != channels)
      return settings.problem(std::string(list == &n.mean ? "`mean`" : "`std`") + " has " +
                              std::to_string(list->size()) + " numbers for " + std::to_string(channels) + " channels");
  return ok();
}

Result<TransformFunction> make_normalize(const Settings& settings) {
  const Normalization n{settings.number("scale", 1), settings.numbers("mean"), settings.numbers("std")};
  const int64_t wanted = settings.whole("axis", -1);
  return TransformFunction([=](const Tensor& t) -> Result<Tensor> {
    if (!visit_dtype(t.dtype(), [](auto) {}))
      return settings.problem("only numbers can be normalized, got " + to_string(t, 0));
    const int64_t axis = wanted < 0 ? std::max<int64_t>(wanted + t.rank(), 0) : wanted;
    if (axis >= std::max<int64_t>(t.rank(), 1))
      return settings.problem("`axis` " + std::to_string(wanted) + " does not exist in " + to_string(t, 0));
    const int64_t channels = t.rank() ? t.dim(axis) : 1;
    LAPIS_CHECK(check_channels(settings, n, channels));
    if (t.size() == 0) return Tensor(DType::Float32, t.shape());
    const int64_t inner = t.rank() ? element_count(std::span(t.shape()).subspan(static_cast<size_t>(axis) + 1)) : 1;
    return t.dtype() == DType::UInt8 ? of_bytes(t, n, channels, inner) : of_numbers(t, n, channels, inner);
  });
}

// Integers are rounded half to even and saturated, which ONNX's Cast would truncate.
Result<TransformFunction> make_cast(const Settings& settings) {
  const DType dtype = settings.type("dtype");
  if (!visit_dtype(dtype, [](auto) {})) return settings.problem("no sample can become " + settings.text("dtype"));
  return TransformFunction([=](const Tensor& t) -> Result<Tensor> {
    if (!visit_dtype(t.dtype(), [](auto) {}))
      return settings.problem("only numbers can be cast, got " + to_string(t, 0));
    if (t.dtype() == dtype) return t;
    if (is_integer(t.dtype()) && is_integer(dtype) && bit_width(dtype) == 64)
      return ops::from_integers(dtype, t.shape(), ops::to_integers(t));
    std::vector<double> values = ops::to_doubles(t);
    if (is_integer(dtype))
      for (double& v : values) v = std::nearbyint(v);
    return ops::from_doubles(dtype, t.shape(), values);
  });
}

}  // namespace

std::vector<Transform> value_transforms() {
  return {
      {.name = "normalize",
       .doc = "float32 = (value * scale - mean) / std",
       .options = {{.name = "scale", .kind = OptionKind::Number, .doc = "default: 1", .nonzero = true},
                   {.name = "mean", .kind = OptionKind::Numbers, .doc = "one, or one a channel"},
                   {.name = "std", .kind = OptionKind::Numbers, .doc = "one, or one a channel", .nonzero = true},
                   {.name = "axis",
                    .kind = OptionKind::Whole,
                    .doc = "of the channels; default: the last",
                    .low = -64,
                    .high = 63}},
       .make = make_normalize},
      {.name = "cast",
       .doc = "another type; integers are rounded half to even and saturated",
       .options = {{.name = "dtype", .kind = OptionKind::Type, .doc = "float32, int64, uint8, ...", .required = true}},
       .make = make_cast},
  };
}

}  // namespace lapis
