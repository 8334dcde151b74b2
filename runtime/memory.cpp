#include "runtime/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace lapis {

static std::byte* map_pages(size_t size) {
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<std::byte*>(memory);
}

Result<CodeMemory> CodeMemory::seal(std::span<const std::byte> code) {
  const size_t size = code.size() + 1;  // an empty model still gets a page
  std::byte* memory = map_pages(size);
  if (!memory) return error(ErrorKind::Io, std::string("cannot allocate memory for code: ") + std::strerror(errno));
  if (!code.empty()) std::memcpy(memory, code.data(), code.size());
  CodeMemory result;
  result.pages_ = {memory, [size](const std::byte* p) { ::munmap(const_cast<std::byte*>(p), size); }};
  if (::mprotect(memory, size, PROT_READ | PROT_EXEC) != 0)
    return error(ErrorKind::Io, std::string("the system refuses executable memory: ") + std::strerror(errno))
        .help("compile ahead of time with `lapis compile --emit=object` where generated code may not be mapped");
  return result;
}

std::shared_ptr<std::byte> allocate_arena(int64_t bytes) {
  constexpr size_t kHugePage = 2u << 20;
  const auto wanted = static_cast<size_t>(bytes < 1 ? 1 : bytes);
  const size_t size = wanted + (wanted >= kHugePage ? kHugePage : 0);
  std::byte* memory = map_pages(size);
  LAPIS_ASSERT(memory != nullptr, "out of memory for an arena of " << bytes << " bytes");
  std::byte* aligned = memory;
  if (wanted >= kHugePage) {
    const auto address = reinterpret_cast<uintptr_t>(memory);
    aligned = memory + (kHugePage - address % kHugePage) % kHugePage;
    ::madvise(aligned, wanted, MADV_HUGEPAGE);
  }
  return {aligned, [memory, size](std::byte*) { ::munmap(memory, size); }};
}

void write_perf_map_entry(const std::byte* address, size_t size, const std::string& symbol) {
  const std::string path = "/tmp/perf-" + std::to_string(::getpid()) + ".map";
  if (std::FILE* file = std::fopen(path.c_str(), "a")) {
    std::fprintf(file, "%zx %zx lapis:%s\n", reinterpret_cast<size_t>(address), size, symbol.c_str());
    std::fclose(file);
  }
}

}  // namespace lapis
