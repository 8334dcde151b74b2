// Bytes without a header, and numbers that a generator makes.
#include <cmath>
#include <random>

#include "ir/ops/loops.h"
#include "tuning/data/formats.h"

namespace lapis {
namespace {

Status check_shape(const Settings& settings, DType dtype, const Shape& shape) {
  LAPIS_CHECK(check_sample(settings, dtype, shape));
  if (element_count(shape) == 0) return settings.problem("samples of the shape " + to_string(shape) + " hold nothing");
  return ok();
}

Result<Column> open_raw(const Settings& settings, Role) {
  const DType dtype = settings.type("dtype");
  Shape shape = settings.wholes("shape");
  LAPIS_CHECK(check_shape(settings, dtype, shape));
  LAPIS_TRY(const MappedFile file, map_file(settings.file("file")));
  const int64_t bytes = byte_size(dtype, element_count(shape)), size = static_cast<int64_t>(file.size);
  if (size == 0 || size % bytes != 0)
    return settings.problem("a sample has " + std::to_string(bytes) + " bytes, the file " + std::to_string(size) +
                            ": no whole number of samples");
  auto read = [=](int64_t i) -> Result<Tensor> {
    Tensor sample(dtype, shape);
    std::copy_n(file.data.get() + i * bytes, bytes, sample.mutable_raw());
    return sample;
  };
  return Column{size / bytes, read, {}};
}

// Sample i is the same whenever it is asked for, on every machine:
// the words of Mersenne's twister are standard, distributions are not.
Result<Column> open_dummy(const Settings& settings, Role) {
  const DType dtype = settings.type("dtype");
  const Shape shape = settings.wholes("shape");
  LAPIS_CHECK(check_shape(settings, dtype, shape));
  const double low = settings.number("low", 0), high = settings.number("high", 1);
  if (!(low <= high)) return settings.problem("`low` is above `high`");
  const auto seed = static_cast<uint64_t>(settings.whole("seed", 0));
  auto read = [=](int64_t i) -> Result<Tensor> {
    std::mt19937_64 words(seed * 0x9E3779B97F4A7C15U + static_cast<uint64_t>(i));
    std::vector<double> values(static_cast<size_t>(element_count(shape)));
    for (double& v : values) {
      const double unit = static_cast<double>(words() >> 11) * 0x1p-53;
      v = is_float(dtype) ? low + unit * (high - low) : std::floor(low + unit * (high - low + 1));
    }
    return ops::from_doubles(dtype, shape, values);
  };
  return Column{settings.whole("samples", 100), read, {}};
}

}  // namespace

std::vector<Format> raw_formats() {
  const Option shape{
      .name = "shape", .kind = OptionKind::Wholes, .doc = "of a sample", .required = true, .low = 1, .high = 1e12},
      dtype{.name = "dtype", .kind = OptionKind::Type, .doc = "default: float32"};
  return {
      {.name = "raw",
       .doc = "samples one behind the other in a file, little-endian, without a header",
       .options = {{.name = "file", .kind = OptionKind::File, .doc = "the file", .required = true}, shape, dtype},
       .open = open_raw},
      {.name = "dummy",
       .doc = "uniform random numbers, to try something without data: they calibrate nothing",
       .options =
           {shape,
            dtype,
            {.name = "samples", .kind = OptionKind::Whole, .doc = "how many; default: 100", .low = 1, .high = 1e9},
            {.name = "low", .kind = OptionKind::Number, .doc = "default: 0"},
            {.name = "high", .kind = OptionKind::Number, .doc = "default: 1; for integers the largest one"},
            {.name = "seed", .kind = OptionKind::Whole, .doc = "default: 0", .low = 0, .high = 1e15}},
       .open = open_dummy},
  };
}

}  // namespace lapis
