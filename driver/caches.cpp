#include "driver/caches.h"

#include <new>

#include "codegen/code_file.h"
#include "runtime/memory.h"

namespace lapis {

// As the arena's: on huge pages where it is large.
static std::shared_ptr<std::byte> allocate(size_t bytes) {
  auto memory = allocate_arena(static_cast<int64_t>(bytes));
  if (!memory.ok()) throw std::bad_alloc();
  return *std::move(memory);
}

Caches::Caches() : Caches(Path()) {}

Caches::Caches(Path code_file) : weights(allocate), code_file_(std::move(code_file)) {
  if (!code_file_.empty()) note(codegen::load_code(code_file_, code));
}

void Caches::keep_code() {
  if (code_file_.empty()) return;
  const std::scoped_lock lock(mutex_);
  const size_t emitted = code.counts().misses;
  if (emitted == kept_) return;
  kept_ = emitted;
  note(codegen::save_code(code, code_file_));
}

void Caches::note(Status status) {
  if (status.ok()) return;
  for (Diagnostic& d : std::move(status).diagnostics()) {
    d.severity = Severity::Warning;
    warnings_.push_back(std::move(d));
  }
}

Diagnostics Caches::warnings() const {
  const std::scoped_lock lock(mutex_);
  return warnings_;
}

// Never destroyed: threads of the host may compile until the process ends.
const std::shared_ptr<Caches>& process_caches() {
  static const auto& caches = *new std::shared_ptr<Caches>(std::make_shared<Caches>());
  return caches;
}

}  // namespace lapis
