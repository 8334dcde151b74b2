#include "tests/random/graphs/draw.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lapis::random_graphs {
namespace {

constexpr int64_t kLargestTensor = 2048;  // elements; the reference evaluator is slow and graphs are many

template <class T> T special_float(Random& random) {
  using Limits = std::numeric_limits<T>;
  const std::vector<T> values = {Limits::quiet_NaN(),
                                 Limits::infinity(),
                                 -Limits::infinity(),
                                 T(0),
                                 -T(0),
                                 Limits::max(),
                                 Limits::lowest(),
                                 Limits::min(),
                                 Limits::denorm_min(),
                                 -Limits::denorm_min(),
                                 Limits::min() / 2,
                                 T(0.5),
                                 T(1.5),
                                 T(2.5),
                                 T(-0.5),
                                 T(1),
                                 T(-1),
                                 T(1e-30),
                                 T(1e20),
                                 T(-88),
                                 T(127.5),
                                 T(255),
                                 T(-128.5),
                                 T(3e9),
                                 T(-3e9),
                                 T(1e19)};
  return random.pick(values);
}

template <class T> T special_integer(Random& random) {
  using Limits = std::numeric_limits<T>;
  const std::vector<T> values = {Limits::max(),        Limits::lowest(),         T(0),   T(1),  T(-1),
                                 T(Limits::max() - 1), T(Limits::max() / 2 + 1), T(127), T(128)};
  return random.pick(values);
}

double plain(Random& random, Mood mood) {
  return mood == Mood::Whole ? static_cast<double>(random.between(-3, 3)) : random.uniform(-4, 4);
}

uint16_t special_half(Random& random, bool bfloat) {
  const std::vector<uint16_t> half = {0x7E00, 0x7C00, 0xFC00, 0x0000, 0x8000, 0x7BFF, 0xFBFF,
                                      0x0400, 0x0001, 0x8001, 0x3800, 0x3C00, 0xBC00, 0x6800};
  const std::vector<uint16_t> brain = {0x7FC0, 0x7F80, 0xFF80, 0x0000, 0x8000, 0x7F7F, 0xFF7F,
                                       0x0080, 0x0001, 0x8001, 0x3F00, 0x3F80, 0xBF80, 0x4F80};
  return random.pick(bfloat ? brain : half);
}

template <class T> T draw_value(Random& random, Mood mood) {
  const bool special = mood == Mood::Special && random.chance(25);
  if constexpr (std::is_same_v<T, bool>) {
    return random.chance(50);
  } else if constexpr (std::is_same_v<T, Float16>) {
    return special ? Float16{special_half(random, false)} : to_float16(static_cast<float>(plain(random, mood)));
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return special ? BFloat16{special_half(random, true)} : to_bfloat16(static_cast<float>(plain(random, mood)));
  } else if constexpr (std::is_floating_point_v<T>) {
    return special ? special_float<T>(random) : static_cast<T>(plain(random, mood));
  } else if (special) {
    return special_integer<T>(random);
  } else {
    const int64_t value = mood == Mood::Whole ? random.between(-3, 3) : random.between(-100, 100);
    return static_cast<T>(std::is_signed_v<T> ? value : std::abs(value));
  }
}

// Packed and 8-bit float types: any bits, with the unused ones of the last byte zero.
void draw_bits(Random& random, Tensor& tensor) {
  std::byte* bytes = tensor.mutable_raw();
  for (int64_t i = 0; i < tensor.bytes(); ++i) bytes[i] = static_cast<std::byte>(random.next());
  const int64_t used = tensor.size() * bit_width(tensor.dtype()) % 8;
  if (used) bytes[tensor.bytes() - 1] &= static_cast<std::byte>((1 << used) - 1);
}

Tensor draw_strings(Random& random, const Shape& shape) {
  std::vector<std::string> texts(static_cast<size_t>(element_count(shape)));
  for (std::string& text : texts) text = random.pick<std::string>({"", "a", "b", "\xC3\xA9"});
  return Tensor::strings(shape, std::move(texts));
}

}  // namespace

uint64_t Random::next() {
  uint64_t z = state_ += 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

int64_t Random::between(int64_t lowest, int64_t highest) {
  const uint64_t count = static_cast<uint64_t>(highest) - static_cast<uint64_t>(lowest) + 1;
  return static_cast<int64_t>(static_cast<uint64_t>(lowest) + (count ? next() % count : next()));
}

double Random::uniform(double low, double high) {
  return low + (high - low) * static_cast<double>(next() >> 11) / 9007199254740992.0;
}

Tensor draw_tensor(Random& random, DType dtype, const Shape& shape, Mood mood) {
  if (dtype == DType::String) return draw_strings(random, shape);
  Tensor tensor(dtype, shape);
  const bool typed = visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    for (T& value : tensor.mutable_data<T>()) value = draw_value<T>(random, mood);
  });
  if (!typed) draw_bits(random, tensor);
  return tensor;
}

DType draw_dtype(Random& random, TypeSet types) {
  static const std::vector<DType> kWeighted = {
      DType::Float32, DType::Float32, DType::Float32, DType::Float32, DType::Float32,  DType::Float32, DType::Float32,
      DType::Float32, DType::Float64, DType::Float16, DType::Float16, DType::BFloat16, DType::UInt8,   DType::UInt8,
      DType::Int8,    DType::Int8,    DType::UInt16,  DType::Int16,   DType::UInt32,   DType::Int32,   DType::Int32,
      DType::UInt64,  DType::Int64,   DType::Int64,   DType::Bool,    DType::Bool};
  static const std::vector<DType> kRare = {DType::UInt4,          DType::Int4,       DType::UInt2,
                                           DType::Int2,           DType::String,     DType::Float8E4M3FN,
                                           DType::Float8E4M3FNUZ, DType::Float8E5M2, DType::Float8E5M2FNUZ,
                                           DType::Float4E2M1,     DType::Float8E8M0};
  std::vector<DType> allowed;
  for (DType dtype : random.chance(3) ? kRare : kWeighted)
    if (allows(types, dtype)) allowed.push_back(dtype);
  for (DType dtype : kRare)
    if (allowed.empty() && allows(types, dtype)) allowed.push_back(dtype);
  for (DType dtype : kWeighted)
    if (allowed.empty() && allows(types, dtype)) allowed.push_back(dtype);
  return allowed.empty() ? DType::Undefined : random.pick(allowed);
}

int64_t draw_size(Random& random) {
  if (random.chance(3)) return 0;
  return random.one_of({1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 6, 7, 8, 11, 13, 16, 17, 19, 31, 33});
}

Shape draw_shape(Random& random, int64_t lowest_rank, int64_t highest_rank) {
  Shape shape(static_cast<size_t>(random.between(lowest_rank, highest_rank)));
  for (int64_t& extent : shape) extent = draw_size(random);
  while (element_count(shape) > kLargestTensor) *std::max_element(shape.begin(), shape.end()) = random.between(1, 3);
  return shape;
}

Shape draw_partner(Random& random, const Shape& shape) {
  if (random.chance(50)) return shape;
  const auto dropped =
      static_cast<size_t>(random.chance(50) ? random.between(0, static_cast<int64_t>(shape.size())) : 0);
  Shape partner(shape.begin() + static_cast<int64_t>(dropped), shape.end());
  for (int64_t& extent : partner)
    if (random.chance(35)) extent = 1;
  return partner;
}

Shape draw_refactored(Random& random, const Shape& shape) {
  Shape result;
  for (int64_t extent : shape) {
    const bool merge = !result.empty() && random.chance(40);
    if (merge)
      result.back() *= extent;
    else
      result.push_back(extent);
    const int64_t divisor = random.one_of({1, 2, 3, 4, 5, 7});
    if (random.chance(40) && result.size() < 6 && result.back() % divisor == 0) {
      const int64_t rest = result.back() / divisor;
      result.back() = divisor;
      result.push_back(rest);
    }
  }
  if (random.chance(20) && result.size() < 6)
    result.insert(result.begin() + random.between(0, static_cast<int64_t>(result.size())), 1);
  return result;
}

}  // namespace lapis::random_graphs
