// FlatTable: pointers by the hash of what they are looked up by, in one flat table; whether an item is the one is for
// the caller to say. Passes over large graphs spend their time waiting for memory: a lookup touches one cache line of
// the table, and nothing is allocated for an entry.
//
//   FlatTable<Value> names;
//   names.insert(hash_of(v->name()), v);
//   Value* v = names.find(hash_of(name), [&](const Value& other) { return other.name() == name; });
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/check.h"

namespace lapis {

template <class T> class FlatTable {
 public:
  // Null if there is none.
  template <class Same> T* find(uint64_t hash, const Same& same) const {
    if (slots_.empty()) return nullptr;
    for (size_t at = hash & mask(); slots_[at].item; at = (at + 1) & mask())
      if (slots_[at].hash == hash && same(*slots_[at].item)) return slots_[at].item;
    return nullptr;
  }

  // Beside whatever has the same hash.
  void insert(uint64_t hash, T* item) {
    if (2 * (size_ + 1) > slots_.size()) resize(2 * slots_.size());
    put({hash, item});
    ++size_;
  }

  // The item must be there. Those behind it that it kept from their places move up.
  void erase(uint64_t hash, const T* item) {
    size_t hole = hash & mask();
    for (; slots_[hole].item != item; hole = (hole + 1) & mask()) LAPIS_ASSERT(slots_[hole].item, "it is not there");
    for (size_t at = (hole + 1) & mask(); slots_[at].item; at = (at + 1) & mask()) {
      if (((at - slots_[at].hash) & mask()) < ((at - hole) & mask())) continue;
      slots_[hole] = slots_[at];
      hole = at;
    }
    slots_[hole] = {};
    --size_;
  }

  size_t size() const { return size_; }
  void reserve(size_t count) {
    if (2 * count > slots_.size()) resize(std::bit_ceil(2 * count));
  }

 private:
  struct Slot {
    uint64_t hash = 0;
    T* item = nullptr;  // null: empty
  };

  size_t mask() const { return slots_.size() - 1; }
  void put(const Slot& slot) {
    size_t at = slot.hash & mask();
    while (slots_[at].item) at = (at + 1) & mask();
    slots_[at] = slot;
  }
  void resize(size_t count) {
    constexpr size_t kFewest = 16;
    const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(count < kFewest ? kFewest : count));
    for (const Slot& slot : old)
      if (slot.item) put(slot);
  }

  std::vector<Slot> slots_;  // a power of two, at most half of them full
  size_t size_ = 0;
};

}  // namespace lapis
