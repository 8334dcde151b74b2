#include "tuning/team.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

#include "base/hash.h"

namespace lapis {
namespace {

constexpr auto kPause = std::chrono::milliseconds(2);
constexpr const char* kSpoken = "spoken";

// A file that this process has locked; -1: somebody else has, or no lock can be had.
int locked(const Path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd >= 0 && ::flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  const int code = errno;
  if (fd >= 0) ::close(fd);
  errno = code;
  return -1;
}

Diagnostic refused(const Path& path, const std::string& what) {
  return error(ErrorKind::Io, what + ": " + std::strerror(errno))
      .at(path.string())
      .help("ranks meet in the workspace: it must be in a file system that all of them can write, with locks (flock)");
}

std::optional<int> number_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (!text) return std::nullopt;
  int value = 0;
  const auto [end, failed] = std::from_chars(text, text + std::strlen(text), value);
  return failed == std::errc() && *end == 0 ? std::optional(value) : std::nullopt;
}

}  // namespace

Result<Team> Team::from_environment(const Path& workspace) {
  Team team;
  const std::optional<int> rank = number_in("OMPI_COMM_WORLD_RANK"), size = number_in("OMPI_COMM_WORLD_SIZE");
  if (!rank || !size || *size <= 1) return team;
  const char* job = std::getenv("PMIX_NAMESPACE");
  if (*rank < 0 || *rank >= *size || !job || !*job)
    return error(ErrorKind::Usage, "the environment says that this is rank " + std::to_string(*rank) + " of " +
                                       std::to_string(*size) + (job ? "" : ", and not of which job"))
        .at("OMPI_COMM_WORLD_RANK")
        .help("start it with mpirun of Open MPI, which sets PMIX_NAMESPACE, too; or leave the variables out");
  team.rank_ = *rank;
  team.size_ = *size;
  Hasher name;
  name.add(job);
  team.folder_ = workspace / "ranks" / hex(name.value());
  std::error_code failed;
  std::filesystem::create_directories(team.folder_, failed);
  if (!failed) return team;
  errno = failed.value();
  return refused(team.folder_, "the ranks cannot meet");
}

Team::~Team() { leave(); }

void Team::swap(Team& other) noexcept {
  std::swap(rank_, other.rank_);
  std::swap(size_, other.size_);
  std::swap(folder_, other.folder_);
  std::swap(speaker_, other.speaker_);
}

// The last one to leave removes what they shared.
// Where a rank has died there is none, and the next run of the workspace does it.
void Team::leave() {
  if (speaker_ >= 0) ::close(speaker_);
  if (alone() || !result_of(kSpoken)) return;
  static_cast<void>(publish("left " + std::to_string(rank_), ""));
  for (int r = 0; r < size_; ++r)
    if (!result_of("left " + std::to_string(r))) return;
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
  std::filesystem::remove(folder_.parent_path(), ignored);  // if it is empty
}

Path Team::result_file(const std::string& name) const {
  Hasher hash;
  hash.add(name);
  return folder_ / hex(hash.value());
}

std::optional<std::string> Team::result_of(const std::string& name) const {
  std::error_code failed;
  if (!std::filesystem::exists(result_file(name), failed)) return std::nullopt;
  Result<std::string> text = read_file(result_file(name));
  return text.ok() ? std::optional(*std::move(text)) : std::nullopt;
}

// Complete or not at all, and never instead of another one: a link fails where its name exists.
Status Team::publish(const std::string& name, const std::string& result) const {
  const Path file = result_file(name), draft = file.string() + "." + std::to_string(rank_);
  const int fd = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return refused(draft, "cannot write what the ranks share");
  const bool written = write_all(fd, std::as_bytes(std::span(result)));
  const bool closed = ::close(fd) == 0;
  if (!written || !closed) return refused(draft, "cannot write what the ranks share");
  const int linked = ::link(draft.c_str(), file.c_str());
  const int code = errno;
  ::unlink(draft.c_str());
  errno = code;
  return linked == 0 || code == EEXIST ? ok() : refused(file, "cannot write what the ranks share");
}

// False: it is there, or somebody else makes it.
Result<bool> Team::make(const std::string& name, const std::function<Result<std::string>()>& work) {
  if (result_of(name)) return false;
  const Path lock = result_file(name).string() + ".lock";
  const int fd = locked(lock);
  if (fd < 0) return errno == EWOULDBLOCK || errno == EINTR ? Result<bool>(false) : refused(lock, "cannot lock a file");
  const Status made = [&]() -> Status {
    if (result_of(name)) return ok();
    LAPIS_TRY(const std::string result, work());
    return publish(name, result);
  }();
  ::unlink(lock.c_str());  // whoever opens another file of this name finds the result
  ::close(fd);
  if (!made.ok()) return made.diagnostics();
  return true;
}

Result<std::string> Team::piece(const std::vector<std::string>& names, size_t index,
                                const std::function<Result<std::string>(size_t index)>& work) {
  if (alone()) return work(index);
  size_t end = std::min(names.size(), index + static_cast<size_t>(size_));
  for (;;) {
    if (std::optional<std::string> result = result_of(names[index])) return *std::move(result);
    bool made = false;
    for (size_t i = index; i < end && !made; ++i) {
      Result<bool> worked = make(names[i], [&] { return work(i); });
      if (!worked.ok() && i == index) return std::move(worked).diagnostics();
      if (!worked.ok()) end = i;  // whoever needs it will see
      made = worked.ok() && *worked;
    }
    if (!made) std::this_thread::sleep_for(kPause);
  }
}

Result<std::string> Team::once(const std::string& name, const std::function<Result<std::string>()>& work) {
  return piece({name}, 0, [&](size_t) { return work(); });
}

bool Team::speaks() {
  if (alone() || speaker_ >= 0) return true;
  if (result_of(kSpoken)) return false;
  speaker_ = locked(folder_ / "speaker");
  if (speaker_ < 0 || !result_of(kSpoken)) return speaker_ >= 0;
  ::close(std::exchange(speaker_, -1));  // it has ended in between, having spoken
  return false;
}

void Team::forget_others() const {
  if (alone()) return;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.parent_path(), ignored))
    if (entry.path() != folder_) std::filesystem::remove_all(entry.path(), ignored);
}

Status Team::conclude(const std::function<Status()>& last) {
  if (alone()) return last();
  while (!result_of(kSpoken)) {
    if (!speaks()) {
      std::this_thread::sleep_for(kPause);
      continue;
    }
    LAPIS_CHECK(last());
    return publish(kSpoken, "");
  }
  return ok();
}

Result<double> Team::agreed(const std::string& name, double found) {
  LAPIS_TRY(const std::string text, once(name, [&]() -> Result<std::string> { return text_of({found}); }));
  return numbers_of(text).front();
}

std::string text_of(const std::vector<double>& numbers) {
  std::string text;
  for (const double n : numbers) {
    char digits[40];
    std::snprintf(digits, sizeof digits, "%a ", n);
    text += digits;
  }
  return text;
}

std::vector<double> numbers_of(const std::string& text) {
  std::vector<double> numbers;
  const char* at = text.c_str();
  for (char* end = nullptr;; at = end) {
    const double n = std::strtod(at, &end);
    if (end == at) return numbers;
    numbers.push_back(n);
  }
}

}  // namespace lapis
