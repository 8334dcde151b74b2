#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <set>

#include "base/descriptor.h"
#include "base/pages.h"

namespace lapis {
namespace {

Diagnostic read_error(const Path& path, const std::string& what, int code = errno) {
  if (code == ENOMEM || code == EMFILE || code == ENFILE)
    return error(ErrorKind::Resource, what + ": " + std::strerror(code))
        .at(path.string())
        .help("free memory or close files, or raise the limits of this process (ulimit -v, ulimit -n)");
  return error(ErrorKind::Input, what + ": " + std::strerror(code))
      .at(path.string())
      .help("check its name, and that you may read it");
}

Diagnostic not_regular(const Path& path, mode_t mode) {
  const char* kind = S_ISDIR(mode)    ? "a folder"
                     : S_ISFIFO(mode) ? "a named pipe"
                     : S_ISSOCK(mode) ? "a socket"
                                      : "a device";
  return error(ErrorKind::Input, std::string("is ") + kind + ", not a regular file")
      .at(path.string())
      .help(S_ISDIR(mode) ? "name the file itself, not the folder it lies in" : "copy what it holds into a file first");
}

// For was_read.
struct Reads {
  std::atomic<bool> on{false};
  std::mutex mutex;
  std::set<std::pair<dev_t, ino_t>> files;
};

Reads& reads() {
  static Reads& one = *new Reads;  // files may be read until the process ends
  return one;
}

void remember(const struct stat& info) {
  const std::lock_guard lock(reads().mutex);
  reads().files.emplace(info.st_dev, info.st_ino);
}

// What is mapped now, by its first byte: the address space is one for the process, too.
class Mappings {
 public:
  void add(const std::byte* first, size_t size) {
    const std::lock_guard lock(mutex_);
    sizes_.emplace(first, size);
  }
  void remove(const std::byte* first) {
    const std::lock_guard lock(mutex_);
    ::munmap(const_cast<std::byte*>(first), sizes_.at(first));
    sizes_.erase(first);
  }
  bool hold(const std::byte* at) const {
    const std::lock_guard lock(mutex_);
    return holds(at);
  }
  void let_go(std::span<const std::byte> bytes) const {
    constexpr uintptr_t kPage = 4096;
    const auto begin = (reinterpret_cast<uintptr_t>(bytes.data()) + kPage - 1) / kPage * kPage,
               end = reinterpret_cast<uintptr_t>(bytes.data() + bytes.size()) / kPage * kPage;
    const std::lock_guard lock(mutex_);
    if (begin < end && holds(bytes.data())) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }

 private:
  bool holds(const std::byte* at) const {
    const auto next = sizes_.upper_bound(at);
    if (next == sizes_.begin()) return false;
    const auto& [first, size] = *std::prev(next);
    return at < first + size;
  }

  mutable std::mutex mutex_;
  std::map<const std::byte*, size_t> sizes_;
};

Mappings& mappings() {
  static Mappings& one = *new Mappings;  // files may be mapped until the process ends
  return one;
}

}  // namespace

bool in_mapped_file(const std::byte* at) { return mappings().hold(at); }

void let_go_of_pages(std::span<const std::byte> bytes) { mappings().let_go(bytes); }

Status check_regular(const Path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return read_error(path, "cannot open the file");
  if (S_ISREG(info.st_mode)) return ok();
  return not_regular(path, info.st_mode);
}

void remember_reads() { reads().on = true; }

bool was_read(const Path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return false;
  const std::lock_guard lock(reads().mutex);
  return reads().files.contains({info.st_dev, info.st_ino});
}

// Opening a FIFO waits for a writer and opening a device may do anything, so what it is is asked first,
// and again of what was opened.
Result<MappedFile> map_file(const Path& path) {
  LAPIS_CHECK(check_regular(path));
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.ok()) return read_error(path, "cannot open the file");
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return read_error(path, "cannot stat the file");
  if (!S_ISREG(info.st_mode)) return not_regular(path, info.st_mode);
  if (reads().on) remember(info);
  const auto size = static_cast<size_t>(info.st_size);
  if (size == 0) return MappedFile{};
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (memory == MAP_FAILED) return read_error(path, "cannot map the file");
  const auto* const first = static_cast<const std::byte*>(memory);
  mappings().add(first, size);
  return MappedFile{{first, [](const std::byte* p) { mappings().remove(p); }}, size};
}

Result<std::string> read_file(const Path& path) {
  LAPIS_TRY(const MappedFile file, map_file(path));
  return std::string(reinterpret_cast<const char*>(file.data.get()), file.size);
}

}  // namespace lapis
