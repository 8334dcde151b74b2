#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace lapis {
namespace {

Diagnostic read_error(const Path& path, const std::string& what, int code = errno) {
  return error(ErrorKind::Input, what + ": " + std::strerror(code))
      .at(path.string())
      .help("check its name, and that you may read it");
}
Diagnostic write_error(const Path& path, const std::string& what, int code = errno) {
  return error(ErrorKind::Io, what + ": " + std::strerror(code))
      .at(path.string())
      .help("check that its folder exists, that you may write there, and that the disk has room");
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

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

bool write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

Status check_regular(const Path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return read_error(path, "cannot open the file");
  if (S_ISREG(info.st_mode)) return ok();
  return not_regular(path, info.st_mode);
}

// Opening a FIFO waits for a writer and opening a device may do anything, so what it is is asked first, and again of what was opened.
Result<MappedFile> map_file(const Path& path) {
  LAPIS_CHECK(check_regular(path));
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return read_error(path, "cannot open the file");
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return read_error(path, "cannot stat the file");
  if (!S_ISREG(info.st_mode)) return not_regular(path, info.st_mode);
  const auto size = static_cast<size_t>(info.st_size);
  if (size == 0) return MappedFile{};
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (memory == MAP_FAILED) return read_error(path, "cannot map the file");
  return MappedFile{{static_cast<const std::byte*>(memory),
                     [size](const std::byte* p) { ::munmap(const_cast<std::byte*>(p), size); }},
                    size};
}

Result<std::string> read_file(const Path& path) {
  LAPIS_TRY(const MappedFile file, map_file(path));
  return std::string(reinterpret_cast<const char*>(file.data.get()), file.size);
}

Status write_file(const Path& path, std::span<const std::byte> bytes) {
  return write_file(path, std::span<const std::span<const std::byte>>(&bytes, 1));
}

Status write_file(const Path& path, std::span<const std::span<const std::byte>> parts) {
  Path temporary = path;
  temporary += ".tmp" + std::to_string(::getpid());
  {
    const Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (file.get() < 0) return write_error(path, "cannot create the file");
    const bool written =
        std::all_of(parts.begin(), parts.end(), [&](auto part) { return write_all(file.get(), part); });
    if (!written || ::fsync(file.get()) != 0) {
      const int code = errno;
      ::unlink(temporary.c_str());
      return write_error(path, "cannot write the file", code);
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int code = errno;
    ::unlink(temporary.c_str());
    return write_error(path, "cannot rename the finished file into place", code);
  }
  return ok();
}

Status write_file(const Path& path, std::string_view text) {
  return write_file(path, std::as_bytes(std::span(text.data(), text.size())));
}

}  // namespace lapis
