#include "codegen/kernels/weight_cache.h"

#include <algorithm>
#include <cstring>

#include "base/content_hash.h"
#include "runtime/abi.h"

namespace lapis::kernels {
namespace {

constexpr size_t kAlignment = static_cast<size_t>(abi::kAlignment), kFirstSlab = size_t{1} << 20,
                 kLargestSlab = size_t{32} << 20;

size_t aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

std::shared_ptr<std::byte> from_heap(size_t bytes) {
  auto memory = std::make_shared<Tensor>(DType::UInt8, Shape{static_cast<int64_t>(bytes)});
  return {memory, memory->mutable_raw()};
}

}  // namespace

WeightCache::WeightCache() : WeightCache(from_heap) {}
WeightCache::WeightCache(Allocate allocate, size_t kept_bytes)
    : allocate_(std::move(allocate)), kept_bytes_(kept_bytes) {}

WeightCache::Weights WeightCache::get(const std::string& key, const std::function<Made()>& make) {
  {
    const std::scoped_lock lock(mutex_);
    if (Weights known = find(key)) {
      ++counts_.hits;
      return known;
    }
    ++counts_.misses;
  }
  Made made = make();
  const std::scoped_lock lock(mutex_);
  if (Weights known = find(key)) return known;
  return store(key, std::move(made));
}

// With the lock held, as all that follows.
WeightCache::Weights WeightCache::find(const std::string& key) {
  const auto known = known_.find(key);
  Weights weights = known == known_.end() ? nullptr : known->second.weights.lock();
  if (weights) keep(known->second, weights);
  return weights;
}

WeightCache::Weights WeightCache::store(const std::string& key, Made made) {
  forget_the_dead();
  const size_t size = made.bytes.size();
  const std::shared_ptr<std::byte> to = place(size);
  if (size) std::memcpy(to.get(), made.bytes.data(), size);
  Hasher hash;
  hash.add(key);
  const auto stored =
      std::make_shared<const PackedWeights>(PackedWeights{{to.get(), size}, std::move(made.sums), hash.value(), to});
  Entry& entry = known_[key];
  entry.weights = stored;
  keep(entry, stored);
  return stored;
}

// Entries of weights that nobody has any more; rarely, so that it costs nothing an entry.
void WeightCache::forget_the_dead() {
  if (known_.size() < next_cleaning_) return;
  std::erase_if(known_, [](const auto& known) { return known.second.weights.expired(); });
  next_cleaning_ = 2 * known_.size() + 64;
}

std::shared_ptr<std::byte> WeightCache::place(size_t bytes) {
  std::shared_ptr<std::byte> slab = slab_.lock();
  if (!slab || slab_size_ - slab_used_ < bytes) {
    const size_t next = slab_size_ == 0 ? kFirstSlab : std::min(2 * slab_size_, kLargestSlab);
    slab_size_ = std::max(next, aligned(bytes));
    slab = allocate_(slab_size_);
    slab_ = slab;
    slab_used_ = 0;
  }
  std::byte* const at = slab.get() + slab_used_;
  slab_used_ = std::min(slab_used_ + aligned(bytes), slab_size_);
  return {std::move(slab), at};
}

void WeightCache::keep(Entry& entry, const Weights& weights) {
  if (entry.kept) return kept_.splice(kept_.begin(), kept_, entry.at);
  kept_.emplace_front(&entry, weights);
  entry.at = kept_.begin();
  entry.kept = true;
  kept_size_ += weights->bytes.size();
  while (kept_size_ > kept_bytes_) {
    auto& [oldest, dropped] = kept_.back();
    oldest->kept = false;
    kept_size_ -= dropped->bytes.size();
    kept_.pop_back();
  }
}

WeightCache::Counts WeightCache::counts() const {
  const std::scoped_lock lock(mutex_);
  Counts counts = counts_;
  for (const auto& [key, entry] : known_)
    if (const Weights alive = entry.weights.lock()) {
      ++counts.alive;
      counts.bytes += alive->bytes.size();
    }
  return counts;
}

static std::span<const std::byte> bytes_of(const Tensor& tensor) {
  return {tensor.raw(), static_cast<size_t>(tensor.bytes())};
}

void TensorHashes::remember(const Tensor& tensor) {
  if (!known_.contains(tensor.raw())) known_[tensor.raw()] = {tensor.bytes(), content_hash(bytes_of(tensor))};
}

uint64_t TensorHashes::of(const Tensor& tensor) const {
  const auto known = known_.find(tensor.raw());
  const bool same = known != known_.end() && known->second.bytes == tensor.bytes();
  return same ? known->second.hash : content_hash(bytes_of(tensor));
}

}  // namespace lapis::kernels
