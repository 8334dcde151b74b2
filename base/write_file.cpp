// The writing side of base/file.h: temporaries beside their targets, then renames.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <set>

#include "base/descriptor.h"
#include "base/file.h"

namespace lapis {
namespace {

Diagnostic write_error(const Path& path, const std::string& what, int code = errno) {
  return error(ErrorKind::Io, what + ": " + std::strerror(code))
      .at(path.string())
      .help("check that its folder exists, that you may write there, and that the disk has room");
}

// ---- where a file really goes ---------------------------------------------------------------------------------------

struct Target {
  Path path;  // behind all links
  bool exists = false;
  struct stat info {};
};

std::string kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return S_ISFIFO(mode) ? "a pipe" : S_ISSOCK(mode) ? "a socket" : "no regular file";
}

// The end of a chain of links that leads to a file that does not exist yet.
Result<Path> behind_links(const Path& path) {
  constexpr int kMostLinks = 40;
  Path at = path;
  std::error_code failed;
  for (int links = 0; std::filesystem::is_symlink(std::filesystem::symlink_status(at, failed)); ++links) {
    if (links == kMostLinks) return write_error(path, "cannot follow its links", ELOOP);
    at = at.parent_path() / std::filesystem::read_symlink(at, failed);
    if (failed) return write_error(path, "cannot follow the link", failed.value());
  }
  return at;
}

Path folder_of(const Path& file) { return file.has_parent_path() ? file.parent_path() : Path("."); }

Result<Target> new_target(const Path& path) {
  Target target;
  LAPIS_TRY(const Path end, behind_links(path));
  if (!end.has_filename()) return write_error(path, "cannot create the file", EISDIR);
  std::error_code failed;
  const Path folder = std::filesystem::canonical(folder_of(end), failed);
  if (failed) return write_error(path, "cannot create the file", failed.value());
  target.path = folder / end.filename();
  return target;
}

Result<Target> existing_target(const Path& path, const struct stat& info) {
  if (!S_ISREG(info.st_mode))
    return error(ErrorKind::Io, "cannot write there: it is " + kind_of(info.st_mode))
        .at(path.string())
        .help("name a file; the CLI writes to standard output with -o -");
  Target target{{}, true, info};
  std::error_code failed;
  target.path = std::filesystem::canonical(path, failed);
  if (failed) return write_error(path, "cannot find the file behind the name", failed.value());
  if (::faccessat(AT_FDCWD, target.path.c_str(), W_OK, AT_EACCESS) != 0)
    return write_error(path, "cannot replace the file");
  return target;
}

Result<Target> target_of(const Path& path) {
  struct stat info {};
  const bool exists = ::stat(path.c_str(), &info) == 0;
  if (!exists && errno != ENOENT) return write_error(path, "cannot create the file");
  if (path.empty()) return write_error("''", "cannot create the file", ENOENT);
  LAPIS_TRY(const Target target, exists ? existing_target(path, info) : new_target(path));
  if (::faccessat(AT_FDCWD, folder_of(target.path).c_str(), W_OK | X_OK, AT_EACCESS) != 0)
    return write_error(path, "cannot write in its folder");
  return target;
}

// ---- what is being written ------------------------------------------------------------------------------------------

// Temporaries of this process, for abandon_writes. Its mutex also keeps the renames of a set together.
struct Registry {
  std::mutex mutex;
  std::set<Path> temporaries;
  std::vector<std::string> finished;  // the last few
};

Registry& registry() {
  static Registry& one = *new Registry;  // never destroyed: threads may write until the process ends
  return one;
}

// A file beside its target that disappears unless it was renamed.
class Temporary {
 public:
  explicit Temporary(Target target) : target_(std::move(target)) {}
  ~Temporary() {
    if (!path_.empty()) remove();
  }
  Temporary(const Temporary&) = delete;

  Status write(const FileContent& content);
  int rename();    // 0, or the error number; what was there before is kept until forget_old
  void restore();  // undoes rename
  void forget_old();
  const Path& target() const { return target_.path; }

 private:
  int create();  // a descriptor, or -1
  void adopt_owner_and_mode(int fd) const;
  void remove();

  Target target_;
  Path path_;  // of the temporary; after rename, of the old file
  bool renamed_ = false, exchanged_ = false;
};

// Registered before it exists, so that abandon_writes misses none.
int Temporary::create() {
  static std::atomic<uint64_t> next{0};
  const std::lock_guard lock(registry().mutex);
  while (true) {
    const std::string name = ".lapis-" + std::to_string(::getpid()) + "-" + std::to_string(next++) + ".tmp";
    const Path path = folder_of(target_.path) / name;
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno == EEXIST) continue;  // of an earlier process with our number
    if (fd < 0) return -1;
    path_ = path;
    registry().temporaries.insert(path_);
    return fd;
  }
}

void Temporary::adopt_owner_and_mode(int fd) const {
  if (!target_.exists) return;  // a new one has what the umask leaves
  // Only root can give files away; for everybody else a file that is replaced becomes their own.
  if (target_.info.st_uid != ::geteuid() || target_.info.st_gid != ::getegid())
    static_cast<void>(!::fchown(fd, target_.info.st_uid, target_.info.st_gid));
  ::fchmod(fd, target_.info.st_mode & 07777);
}

Status Temporary::write(const FileContent& content) {
  Descriptor file(create());
  if (file.get() < 0) return write_error(content.path, "cannot create the file");
  adopt_owner_and_mode(file.get());
  for (const auto part : content.parts)
    if (!write_all(file.get(), part)) return write_error(content.path, "cannot write the file");
  if (::fsync(file.get()) != 0 || !file.close()) return write_error(content.path, "cannot write the file");
  return ok();
}

int Temporary::rename() {
  exchanged_ =
      target_.exists && ::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target_.path.c_str(), RENAME_EXCHANGE) == 0;
  renamed_ = exchanged_ || ::rename(path_.c_str(), target_.path.c_str()) == 0;
  return renamed_ ? 0 : errno;
}

void Temporary::restore() {
  if (exchanged_) ::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target_.path.c_str(), RENAME_EXCHANGE);
  if (renamed_ && !exchanged_ && !target_.exists) ::rename(target_.path.c_str(), path_.c_str());
}

void Temporary::forget_old() {
  if (exchanged_) ::unlink(path_.c_str());
  registry().temporaries.erase(path_);
  path_.clear();
}

void Temporary::remove() {
  const std::lock_guard lock(registry().mutex);
  ::unlink(path_.c_str());
  registry().temporaries.erase(path_);
}

void sync_folder(const Path& folder) {
  const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.get() >= 0) ::fsync(opened.get());
}

// All renames, or none. Under the mutex, so that nothing ends the process in between.
Status publish(std::vector<std::unique_ptr<Temporary>>& written, std::span<const FileContent> files) {
  constexpr size_t kRemembered = 16;
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  for (size_t i = 0; i < written.size(); ++i) {
    const int code = written[i]->rename();
    if (code == 0) continue;
    for (size_t done = i; done-- > 0;) written[done]->restore();
    return write_error(files[i].path, "cannot rename the finished file into place", code);
  }
  for (size_t i = 0; i < written.size(); ++i) {
    written[i]->forget_old();
    r.finished.push_back(files[i].path.string());
  }
  if (r.finished.size() > kRemembered) r.finished.erase(r.finished.begin(), r.finished.end() - kRemembered);
  return ok();
}

}  // namespace

bool write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return true;
}

Status check_writable(const Path& path) {
  LAPIS_TRY(const Target target, target_of(path));
  static_cast<void>(target);
  return ok();
}

Status write_files(std::span<const FileContent> files) {
  std::vector<std::unique_ptr<Temporary>> written;
  std::set<Path> folders, targets;
  for (const FileContent& file : files) {
    LAPIS_TRY(Target target, target_of(file.path));
    if (!targets.insert(target.path).second)
      return error(ErrorKind::Io, "two results would be written to the same file")
          .at(file.path.string())
          .help("choose another name, or remove the link that leads there");
    folders.insert(folder_of(target.path));
    written.push_back(std::make_unique<Temporary>(std::move(target)));
  }
  for (size_t i = 0; i < files.size(); ++i) LAPIS_CHECK(written[i]->write(files[i]));
  LAPIS_CHECK(publish(written, files));
  for (const Path& folder : folders) sync_folder(folder);
  return ok();
}

Status write_file(const Path& path, std::span<const std::span<const std::byte>> parts) {
  const FileContent file{path, {parts.begin(), parts.end()}};
  return write_files({&file, 1});
}

Status write_file(const Path& path, std::span<const std::byte> bytes) {
  return write_file(path, std::span<const std::span<const std::byte>>(&bytes, 1));
}

Status write_file(const Path& path, std::string_view text) {
  return write_file(path, std::as_bytes(std::span(text.data(), text.size())));
}

std::vector<std::string> abandon_writes() {
  Registry& r = registry();
  r.mutex.lock();  // for good: nothing is created or renamed from here on
  for (const Path& path : r.temporaries) ::unlink(path.c_str());
  return r.finished;
}

}  // namespace lapis
