#include "codegen/code_cache.h"

#include <algorithm>
#include <cstdlib>

#include "base/check.h"

namespace lapis::codegen {

void verify_code(const StepCode& step, std::span<const uint8_t> code) {
  static const bool kVerifies = std::getenv("LAPIS_VERIFY_CODE") != nullptr;
  LAPIS_ASSERT(!kVerifies || std::ranges::equal(step.emit(), code), "two steps of one structure have different code");
}

// With the lock held.
CodeCache::Bytes CodeCache::find(const std::string& key) {
  const auto known = by_key_.find(key);
  if (known == by_key_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, known->second);
  return known->second->code;
}

CodeCache::Bytes CodeCache::known_code(const StepCode& step) {
  std::unique_lock lock(mutex_);
  Bytes known = find(step.key);
  if (!known) return nullptr;
  ++counts_.hits;
  lock.unlock();
  verify_code(step, *known);
  return known;
}

CodeCache::Bytes CodeCache::emit(const StepCode& step) {
  auto emitted = std::make_shared<const std::vector<uint8_t>>(step.emit());
  const std::scoped_lock lock(mutex_);
  ++counts_.misses;
  if (Bytes known = find(step.key)) return known;  // added meanwhile
  entries_.push_front({step.key, emitted});
  by_key_.emplace(entries_.front().key, entries_.begin());
  counts_.bytes += entries_.front().bytes();
  shrink();
  return emitted;
}

CodeCache::Bytes CodeCache::code_of(const StepCode& step) {
  if (Bytes known = known_code(step)) return known;
  const Turns::Turn turn = emitting_.take(step.key);
  if (Bytes known = known_code(step)) return known;
  return emit(step);
}

void CodeCache::add(std::string key, Bytes code) {
  const std::scoped_lock lock(mutex_);
  if (by_key_.contains(key)) return;
  entries_.push_back({std::move(key), std::move(code)});
  by_key_.emplace(entries_.back().key, std::prev(entries_.end()));
  counts_.bytes += entries_.back().bytes();
  shrink();
}

std::vector<std::pair<std::string, CodeCache::Bytes>> CodeCache::all() const {
  const std::scoped_lock lock(mutex_);
  std::vector<std::pair<std::string, Bytes>> all;
  for (const Entry& e : entries_) all.emplace_back(e.key, e.code);
  return all;
}

// With the lock held. Who has code of an entry that goes keeps it.
void CodeCache::shrink() {
  while (counts_.bytes > most_bytes_ && !entries_.empty()) {
    counts_.bytes -= entries_.back().bytes();
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

CodeCache::Counts CodeCache::counts() const {
  const std::scoped_lock lock(mutex_);
  Counts counts = counts_;
  counts.functions = entries_.size();
  return counts;
}

}  // namespace lapis::codegen
