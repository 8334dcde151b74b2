// The same value for every sample: sampling rates, flags, the state that a model begins with.
#include "ir/ops/loops.h"
#include "tuning/data/formats.h"

namespace lapis {
namespace {

Result<Column> open_constant(const Settings& settings, Role) {
  const Shape shape = settings.wholes("shape");
  const DType dtype = settings.type("dtype");
  LAPIS_CHECK(check_sample(settings, dtype, shape));
  const std::vector<double> values(static_cast<size_t>(element_count(shape)), settings.number("value"));
  const Tensor constant = ops::from_doubles(dtype, shape, values);
  return Column{kAnySize, [constant](int64_t) -> Result<Tensor> { return constant; }, {}};
}

}  // namespace

std::vector<Format> constant_formats() {
  return {
      {.name = "constant",
       .doc = "one value for every sample",
       .options = {{.name = "value", .kind = OptionKind::Number, .doc = "the value of all elements", .required = true},
                   {.name = "shape", .kind = OptionKind::Wholes, .doc = "default: a scalar", .low = 0, .high = 1e15},
                   {.name = "dtype", .kind = OptionKind::Type, .doc = "default: float32"}},
       .open = open_constant}};
}

}  // namespace lapis
