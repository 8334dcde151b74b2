#include "tools/lapis/interrupt.h"

#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <set>

#include "base/printable.h"
#include "tools/lapis/verb.h"

namespace lapis::cli {
namespace {

struct Folders {
  std::mutex mutex;
  std::set<Path> paths;
};

Folders& folders() {
  static Folders& one = *new Folders;  // the watching thread may need it until the process ends
  return one;
}

void remove_folder(const Path& folder) {
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

sigset_t watched_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  struct sigaction before {};
  ::sigaction(SIGHUP, nullptr, &before);
  if (before.sa_handler != SIG_IGN) sigaddset(&set, SIGHUP);  // nohup asks for this
  return set;
}

// What was written to a temporary folder is gone with it.
std::string what_stays(const std::vector<std::string>& written) {
  std::string files;
  std::error_code ignored;
  for (const std::string& file : written)
    if (std::filesystem::exists(file, ignored)) files += " " + printable(file);
  return files.empty() ? "nothing was written" : "written before:" + files;
}

[[noreturn]] void* end_at_signal(void*) {
  const sigset_t set = watched_signals();
  int number = 0;
  while (::sigwait(&set, &number) != 0) continue;
  const std::vector<std::string> written = abandon_writes();
  folders().mutex.lock();  // for good, as in abandon_writes
  for (const Path& folder : folders().paths) remove_folder(folder);
  const std::string message = "\nlapis: interrupted; " + what_stays(written) + "\n";
  static_cast<void>(write_all(STDERR_FILENO, std::as_bytes(std::span(message))));
  ::_exit(kInterrupted);
}

}  // namespace

Status watch_for_interrupts() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  const sigset_t set = watched_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  pthread_t thread;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 << 10);  // removes files, no more
  if (const int code = pthread_create(&thread, &attributes, end_at_signal, nullptr))
    return error(ErrorKind::Resource, std::string("cannot start a thread: ") + std::strerror(code))
        .help("raise the limits of this process (ulimit -u, ulimit -v)");
  pthread_attr_destroy(&attributes);
  pthread_detach(thread);
  return ok();
}

Result<TemporaryFolder> TemporaryFolder::make() {
  std::error_code failed;
  const Path parent = std::filesystem::temp_directory_path(failed);
  std::string pattern = (parent / "lapis-XXXXXX").string();
  const std::lock_guard lock(folders().mutex);
  if (failed || !::mkdtemp(pattern.data()))
    return error(ErrorKind::Io,
                 "cannot create a temporary folder: " + (failed ? failed.message() : std::string(std::strerror(errno))))
        .help("TMPDIR names the folder for it");
  folders().paths.insert(pattern);
  return TemporaryFolder(pattern);
}

TemporaryFolder::~TemporaryFolder() {
  if (path_.empty()) return;
  const std::lock_guard lock(folders().mutex);
  remove_folder(path_);
  folders().paths.erase(path_);
}

}  // namespace lapis::cli
