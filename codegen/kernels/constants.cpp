#include "codegen/kernels/constants.h"

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"
#include "runtime/abi.h"

namespace lapis::kernels {

// Enough to tell constants apart; equality is then checked in full, so that the bytes of large weights are read once.
static uint64_t hash_of(std::span<const uint8_t> bytes) {
  constexpr size_t kSample = 512, kSamples = 8;
  Hasher hash;
  hash.add(bytes.size());
  if (bytes.size() <= kSample * kSamples) {
    hash.add_bytes(bytes.data(), bytes.size());
  } else {
    for (size_t i = 0; i < kSamples; ++i)
      hash.add_bytes(bytes.data() + (bytes.size() - kSample) / (kSamples - 1) * i, kSample);
  }
  return hash.value();
}

ConstantPool::ConstantPool(Plan& plan, WeightCache* cache, const TensorHashes* hashes)
    : plan_(plan), cache_(cache), hashes_(hashes) {
  constexpr size_t kUsual = 1 << 20;  // is not moved while it grows; pages that are not written cost nothing
  plan_.constants.reserve(kUsual);
  if (cache) return;
  own_cache_ = std::make_unique<WeightCache>();
  cache_ = own_cache_.get();
}

int64_t ConstantPool::add_weights(const WeightCache::Weights& weights) {
  const auto [known, is_new] = weights_.try_emplace(weights->bytes.data());
  if (!is_new) return known->second;
  plan_.weight_hashes.push_back(weights->hash);
  return known->second = static_cast<int64_t>(plan_.weights.append(weights->bytes, weights));
}

bool ConstantPool::holds(const Place& place, std::span<const uint8_t> bytes) const {
  const auto known = std::span(plan_.constants).subspan(static_cast<size_t>(place.offset));
  return place.bytes == static_cast<int64_t>(bytes.size()) && std::equal(bytes.begin(), bytes.end(), known.begin());
}

int64_t ConstantPool::add(std::span<const uint8_t> bytes) {
  const uint64_t content = hash_of(bytes);
  const auto [first, last] = known_.equal_range(content);
  for (auto at = first; at != last; ++at)
    if (holds(at->second, bytes)) return at->second.offset;
  constexpr auto kAlignment = static_cast<size_t>(abi::kAlignment);
  plan_.constants.resize((plan_.constants.size() + kAlignment - 1) / kAlignment * kAlignment);
  const auto offset = static_cast<int64_t>(plan_.constants.size());
  plan_.constants.insert(plan_.constants.end(), bytes.begin(), bytes.end());
  known_.emplace(content, Place{offset, static_cast<int64_t>(bytes.size())});
  return offset;
}

void ConstantPool::know(const Plan& plan, const Place& place) {
  const auto bytes = std::span(plan.constants).subspan(static_cast<size_t>(place.offset));
  known_.emplace(hash_of(bytes.first(static_cast<size_t>(place.bytes))), place);
}

void ConstantPool::begin_with(const Plan& other) {
  LAPIS_ASSERT(plan_.constants.empty(), "the plan has constants already");
  plan_.constants = other.constants;
  plan_.weights = other.weights;
  plan_.weight_hashes = other.weight_hashes;
  for (const Parts::Part& part : plan_.weights.all())
    weights_.emplace(part.bytes.data(), static_cast<int64_t>(part.offset));
  for (const Buffer& b : other.buffers)
    if (b.space == Space::Constant) know(other, {b.offset, b.bytes});
  for (const Step& step : other.steps)
    if (const auto* c = std::get_if<Contraction>(&step.region))
      for (size_t i = 1; i < c->packed_offset.size(); ++i) know(other, {c->packed_offset[i], c->packed_bytes[i]});
}

}  // namespace lapis::kernels
