// The image of constants while it is built: equal bytes are stored once, whoever asks for them. A weight that eight
// layers share, and the tables of layers of equal shape, take their place once; so does what variants of a model for
// several machines have in common.
#pragma once

#include <span>
#include <unordered_map>

#include "codegen/kernels/weight_cache.h"
#include "codegen/plan.h"

namespace lapis::kernels {

class ConstantPool {
 public:
  // Weights come from `cache`; without one, from one that this pool has for itself.
  explicit ConstantPool(Plan& plan, WeightCache* cache = nullptr, const TensorHashes* hashes = nullptr);
  // Begins with all constants of another plan, so that those of both are there once and at the same offsets.
  void begin_with(const Plan& other);
  // The offset of these bytes in plan.constants, aligned for every use.
  int64_t add(std::span<const uint8_t> bytes);
  // The offset of weights in plan.weights, where they are once however many ask for them.
  int64_t add_weights(const WeightCache::Weights& weights);
  WeightCache& weights() { return *cache_; }
  uint64_t tensor_hash(const Tensor& tensor) const { return hashes_ ? hashes_->of(tensor) : TensorHashes().of(tensor); }

 private:
  struct Place {
    int64_t offset, bytes;
  };
  bool holds(const Place& place, std::span<const uint8_t> bytes) const;
  void know(const Plan& plan, const Place& place);

  Plan& plan_;
  std::unordered_multimap<uint64_t, Place> known_;  // by content
  std::unordered_map<const std::byte*, int64_t> weights_;
  std::unique_ptr<WeightCache> own_cache_;
  WeightCache* cache_;
  const TensorHashes* hashes_;
};

}  // namespace lapis::kernels
