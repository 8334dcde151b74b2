#include "codegen/kernels/weight_cache.h"

#include <algorithm>

#include "base/content_hash.h"
#include "base/pages.h"
#include "runtime/abi.h"

namespace lapis::kernels {
namespace {

constexpr size_t kAlignment = static_cast<size_t>(abi::kAlignment), kFirstSlab = size_t{1} << 20,
                 kLargestSlab = size_t{32} << 20;

size_t aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

std::span<const std::byte> bytes_of(const Tensor& tensor) {
  return {tensor.raw(), static_cast<size_t>(tensor.bytes())};
}

std::shared_ptr<std::byte> from_heap(size_t bytes) {
  auto memory = std::make_shared<Tensor>(DType::UInt8, Shape{static_cast<int64_t>(bytes)});
  return {memory, memory->mutable_raw()};
}

}  // namespace

WeightCache::WeightCache() : WeightCache(from_heap) {}
WeightCache::WeightCache(Allocate allocate, size_t kept_bytes)
    : allocate_(std::move(allocate)), kept_bytes_(kept_bytes) {}

template <class Making> WeightCache::Weights WeightCache::find_or_store(const std::string& key, Making make) {
  if (Weights known = look_up(key)) return known;
  const Turns::Turn turn = making_.take(key);
  if (Weights known = look_up(key)) return known;
  count_miss();
  return store(key, make());
}

WeightCache::Weights WeightCache::get(const std::string& key, size_t bytes, const Make& make) {
  return find_or_store(key, [&] {
    const std::shared_ptr<std::byte> to = reserve(bytes);
    return PackedWeights{{to.get(), bytes}, make({to.get(), bytes}), 0, to};
  });
}

WeightCache::Weights WeightCache::get(const std::string& key, const std::function<std::vector<uint8_t>()>& make) {
  return find_or_store(key, [&] {
    const std::vector<uint8_t> bytes = make();
    const std::shared_ptr<std::byte> to = reserve(bytes.size());
    std::ranges::copy(std::as_bytes(std::span(bytes)), to.get());
    return PackedWeights{{to.get(), bytes.size()}, {}, 0, to};
  });
}

std::shared_ptr<std::byte> WeightCache::reserve(size_t bytes) {
  const std::scoped_lock lock(mutex_);
  return place(bytes);
}

WeightCache::Weights WeightCache::get(const std::string& key, const Tensor& tensor) {
  const auto bytes = bytes_of(tensor);
  const bool usable = reinterpret_cast<uintptr_t>(tensor.raw()) % kAlignment == 0 && !in_mapped_file(tensor.raw());
  if (!usable)
    return get(key, bytes.size(), [&](std::span<std::byte> to) {
      std::ranges::copy(bytes, to.begin());
      return std::vector<int32_t>();
    });
  return find_or_store(key, [&] { return PackedWeights{bytes, {}, 0, std::make_shared<const Tensor>(tensor)}; });
}

// Counts if it is there.
WeightCache::Weights WeightCache::look_up(const std::string& key) {
  const std::scoped_lock lock(mutex_);
  Weights known = find(key);
  if (known) ++counts_.hits;
  return known;
}

void WeightCache::count_miss() {
  const std::scoped_lock lock(mutex_);
  ++counts_.misses;
}

// With the lock held.
WeightCache::Weights WeightCache::find(const std::string& key) {
  const auto known = known_.find(key);
  Weights weights = known == known_.end() ? nullptr : known->second.weights.lock();
  if (weights) keep(known->second, weights);
  return weights;
}

WeightCache::Weights WeightCache::store(const std::string& key, PackedWeights made) {
  const std::scoped_lock lock(mutex_);
  forget_the_dead();
  Hasher hash;
  hash.add(key);
  made.hash = hash.value();
  auto stored = std::make_shared<const PackedWeights>(std::move(made));
  Entry& entry = known_[key];
  entry.weights = stored;
  keep(entry, stored);
  return stored;
}

// With the lock held. Entries of weights that nobody has any more; rarely, so that it costs nothing an entry.
void WeightCache::forget_the_dead() {
  if (known_.size() < next_cleaning_) return;
  std::erase_if(known_, [](const auto& known) { return known.second.weights.expired(); });
  next_cleaning_ = 2 * known_.size() + 64;
}

// With the lock held.
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

// With the lock held.
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

void TensorHashes::remember(const Tensor& tensor) {
  if (!known_.contains(tensor.raw())) known_[tensor.raw()] = {tensor.bytes(), content_hash(bytes_of(tensor))};
}

uint64_t TensorHashes::of(const Tensor& tensor) const {
  const auto known = known_.find(tensor.raw());
  const bool same = known != known_.end() && known->second.bytes == tensor.bytes();
  return same ? known->second.hash : content_hash(bytes_of(tensor));
}

}  // namespace lapis::kernels
