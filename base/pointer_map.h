// PointerMap: small values by pointer, in one flat table. Passes over large graphs spend their time waiting for memory;
// a lookup here touches one cache line, and nothing is allocated for an entry. Entries stay until the map goes.
//
//   PointerMap<Value, uint32_t> numbers;
//   numbers.insert(v, 7);
//   if (const uint32_t* n = numbers.find(v)) ...
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace lapis {

template <class Key, class T> class PointerMap {
 public:
  size_t size() const { return size_; }
  bool contains(const Key* key) const { return find(key) != nullptr; }

  const T* find(const Key* key) const {
    if (slots_.empty()) return nullptr;
    const Slot& slot = slots_[place_of(key)];
    return slot.key ? &slot.value : nullptr;
  }
  T* find(const Key* key) { return const_cast<T*>(std::as_const(*this).find(key)); }

  // False if there was an entry, which stays.
  bool insert(const Key* key, T value) {
    if (2 * (size_ + 1) > slots_.size()) grow();
    Slot& slot = slots_[place_of(key)];
    if (slot.key) return false;
    slot = {key, std::move(value)};
    ++size_;
    return true;
  }

 private:
  struct Slot {
    const Key* key = nullptr;  // null: empty
    T value{};
  };

  // Of the entry, or the empty slot where it belongs.
  size_t place_of(const Key* key) const {
    const auto bits = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(key)) * 0x9E3779B97F4A7C15ull;
    size_t at = bits >> (64 - std::countr_zero(slots_.size()));
    while (slots_[at].key && slots_[at].key != key) at = (at + 1) & (slots_.size() - 1);
    return at;
  }

  void grow() {
    std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots_.empty() ? 16 : 2 * slots_.size()));
    for (Slot& slot : old)
      if (slot.key) slots_[place_of(slot.key)] = std::move(slot);
  }

  std::vector<Slot> slots_;  // a power of two, at most half of them full
  size_t size_ = 0;
};

}  // namespace lapis
