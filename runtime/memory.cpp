#include "runtime/memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/descriptor.h"

namespace lapis {

static Diagnostic no_memory(const std::string& what, int64_t bytes, int code) {
  return error(ErrorKind::Resource,
               "cannot allocate " + std::to_string(bytes) + " bytes for " + what + ": " + std::strerror(code))
      .help("free memory, raise the limit of this process (ulimit -v), or compile the model for smaller shapes");
}

static std::byte* map_pages(size_t size) {
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<std::byte*>(memory);
}

Result<CodeMemory> CodeMemory::seal(std::span<const std::byte> code) {
  const size_t size = code.size() + 1;  // an empty model still gets a page
  std::byte* memory = map_pages(size);
  if (!memory) return no_memory("code", static_cast<int64_t>(size), errno);
  if (!code.empty()) std::memcpy(memory, code.data(), code.size());
  CodeMemory result;
  result.pages_ = {memory, [size](const std::byte* p) { ::munmap(const_cast<std::byte*>(p), size); }};
  if (::mprotect(memory, size, PROT_READ | PROT_EXEC) != 0)
    return error(ErrorKind::Io, std::string("the system refuses executable memory: ") + std::strerror(errno))
        .help("compile ahead of time with `lapis compile --emit=object` where generated code may not be mapped");
  return result;
}

Result<std::shared_ptr<std::byte>> allocate_arena(int64_t bytes) {
  constexpr size_t kHugePage = 2u << 20;
  constexpr int64_t kAddressSpace = int64_t{1} << 47;
  if (bytes > kAddressSpace) return no_memory("working memory", bytes, ENOMEM);
  const auto wanted = static_cast<size_t>(bytes < 1 ? 1 : bytes);
  const size_t size = wanted + (wanted >= kHugePage ? kHugePage : 0);
  std::byte* memory = map_pages(size);
  if (!memory) return no_memory("working memory", bytes, errno);
  std::byte* aligned = memory;
  if (wanted >= kHugePage) {
    const auto address = reinterpret_cast<uintptr_t>(memory);
    aligned = memory + (kHugePage - address % kHugePage) % kHugePage;
    ::madvise(aligned, wanted, MADV_HUGEPAGE);
  }
  return std::shared_ptr<std::byte>(aligned, [memory, size](std::byte*) { ::munmap(memory, size); });
}

Result<std::shared_ptr<std::byte>> Arena::at_least(int64_t bytes) {
  if (memory_ && bytes <= bytes_) return memory_;
  // Half as much again, so that all that was outgrown is at most twice as large as what is needed.
  const int64_t wanted = memory_ ? std::max(bytes, bytes_ + bytes_ / 2) : bytes;
  LAPIS_TRY(memory_, allocate_arena(wanted));
  bytes_ = wanted;
  return memory_;
}

void write_perf_map_entry(const std::byte* address, size_t size, const std::string& symbol) {
  const std::string path = "/tmp/perf-" + std::to_string(::getpid()) + ".map";
  // /tmp belongs to everybody: no link of somebody else's is followed.
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644));
  struct stat info {};
  if (!file.ok() || ::fstat(file.get(), &info) != 0 || info.st_uid != ::geteuid() || !S_ISREG(info.st_mode)) return;
  ::dprintf(file.get(), "%zx %zx lapis:%s\n", reinterpret_cast<size_t>(address), size, symbol.c_str());
}

}  // namespace lapis
