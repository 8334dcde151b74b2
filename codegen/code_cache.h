// Code by structure: what has been emitted once in this process is not emitted again, whichever model, shape or trial
// asks for it. Safe to use from any number of threads; bounded: what was asked for longest ago goes first.
//
//   CodeCache cache;                                     // or that of the process, driver/caches.h
//   LAPIS_TRY(CodeImage image, codegen::emit(plan, cache));
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/turns.h"
#include "codegen/step_code.h"

namespace lapis::codegen {

// Whether the key of the step says all that its code depends on: where the environment has LAPIS_VERIFY_CODE=1, as all
// tests have, it is emitted once more and must be `code`.
void verify_code(const StepCode& step, std::span<const uint8_t> code);

class CodeCache {
 public:
  using Bytes = std::shared_ptr<const std::vector<uint8_t>>;
  struct Counts {
    size_t hits = 0, misses = 0, functions = 0, bytes = 0;
  };

  explicit CodeCache(size_t most_bytes = size_t{64} << 20) : most_bytes_(most_bytes) {}

  // The code of that structure. Of threads that miss it at the same time one emits it, for which the others wait.
  Bytes code_of(const StepCode& step);
  // Behind all others, unless the structure is known: what another process has emitted.
  void add(std::string key, Bytes code);
  std::vector<std::pair<std::string, Bytes>> all() const;  // the one that was asked for last comes first
  Counts counts() const;

 private:
  struct Entry {
    std::string key;
    Bytes code;
    size_t bytes() const { return key.size() + code->size(); }
  };
  Bytes find(const std::string& key);
  Bytes known_code(const StepCode& step);  // and counts
  Bytes emit(const StepCode& step);
  void shrink();

  const size_t most_bytes_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // the one that was asked for last in front
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_key_;
  Counts counts_;
  Turns emitting_;
};

}  // namespace lapis::codegen
