#include "driver/caches.h"

#include <new>

#include "runtime/memory.h"

namespace lapis {

// As the arena's: on huge pages where it is large.
static std::shared_ptr<std::byte> allocate(size_t bytes) {
  auto memory = allocate_arena(static_cast<int64_t>(bytes));
  if (!memory.ok()) throw std::bad_alloc();
  return *std::move(memory);
}

Caches::Caches() : weights(allocate) {}

// Never destroyed: threads of the host may compile until the process ends.
const std::shared_ptr<Caches>& process_caches() {
  static const auto& caches = *new std::shared_ptr<Caches>(std::make_shared<Caches>());
  return caches;
}

}  // namespace lapis
