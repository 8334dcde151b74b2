// Weights as kernels read them, packed once for each (tensor, format) whichever compilation, shape or machine asks:
// all get the same bytes. Safe to use from any number of threads. What a plan or a program uses lives as long as they
// do; of the rest, the last is kept for the next compilation, up to a bound.
//
//   WeightCache cache;
//   const auto packed = cache.get(key, size, [&](std::span<std::byte> to) { return pack_weights(..., to); });
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/tensor.h"
#include "base/turns.h"

namespace lapis::kernels {

struct PackedWeights {
  std::span<const std::byte> bytes;  // aligned as constants are
  std::vector<int32_t> sums;         // of each output channel's weights, where they are integers
  uint64_t hash = 0;                 // of what they were made from and how
  std::shared_ptr<const void> owner;
};

class WeightCache {
 public:
  using Weights = std::shared_ptr<const PackedWeights>;
  // Zeroed memory, page-aligned where it is large; std::bad_alloc if it cannot be had.
  using Allocate = std::function<std::shared_ptr<std::byte>(size_t bytes)>;
  // Writes weights to zeroed memory and gives their sums.
  using Make = std::function<std::vector<int32_t>(std::span<std::byte> to)>;
  struct Counts {
    size_t hits = 0, misses = 0, alive = 0, bytes = 0;  // of those alive
  };

  WeightCache();
  explicit WeightCache(Allocate allocate, size_t kept_bytes = size_t{64} << 20);

  // `key` says what is packed and how. Of threads that miss the same key at the same time one makes it,
  // for which the others wait.
  Weights get(const std::string& key, size_t bytes, const Make& make);
  // The same of weights whose size is known once they are made.
  Weights get(const std::string& key, const std::function<std::vector<uint8_t>()>& make);
  // Of a tensor as it is. Its memory is that of the weights where it can be:
  // aligned, and not that of a file, which may change.
  Weights get(const std::string& key, const Tensor& tensor);
  Counts counts() const;

 private:
  struct Entry {
    std::weak_ptr<const PackedWeights> weights;
    bool kept = false;
    std::list<std::pair<Entry*, Weights>>::iterator at;  // in kept_, if it is
  };
  template <class Making> Weights find_or_store(const std::string& key, Making make);
  Weights look_up(const std::string& key);
  void count_miss();
  Weights find(const std::string& key);
  Weights store(const std::string& key, PackedWeights made);
  std::shared_ptr<std::byte> reserve(size_t bytes);
  std::shared_ptr<std::byte> place(size_t bytes);
  void keep(Entry& entry, const Weights& weights);
  void forget_the_dead();

  const Allocate allocate_;
  const size_t kept_bytes_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> known_;  // entries stay where they are
  std::list<std::pair<Entry*, Weights>> kept_;    // the one that was asked for last in front
  size_t kept_size_ = 0, next_cleaning_ = 64;     // entries
  // Weights are put behind each other in slabs, which get larger, so that they share huge pages.
  // A slab lives as long as one of them.
  std::weak_ptr<std::byte> slab_;
  size_t slab_size_ = 0, slab_used_ = 0;
  Counts counts_;
  Turns making_;
};

// How a tensor is told from others: by its bytes. Large tensors whose graph outlives many compilations are hashed once:
//
//   TensorHashes hashes(graph constants...);
class TensorHashes {
 public:
  // The tensor must outlive this, so that no other has its address.
  void remember(const Tensor& tensor);
  uint64_t of(const Tensor& tensor) const;

 private:
  struct Known {
    int64_t bytes;
    uint64_t hash;
  };
  std::unordered_map<const std::byte*, Known> known_;
};

}  // namespace lapis::kernels
