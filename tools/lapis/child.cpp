#include "tools/lapis/child.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "tools/lapis/interrupt.h"

namespace lapis::cli {
namespace {

[[noreturn]] void become(const std::vector<std::string>& command) {
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nowhere, fd);
  restore_signals();
  ::setpgid(0, 0);  // so that all of it can be ended at once
  ::execvp(argv[0], argv.data());
  ::_exit(127);
}

ChildEnd end_of(int status) {
  ChildEnd end;
  if (WIFSIGNALED(status))
    end.signal = WTERMSIG(status);
  else
    end.exit_code = WEXITSTATUS(status);
  return end;
}

}  // namespace

Result<ChildEnd> run_child(const std::vector<std::string>& command, double seconds) {
  using Clock = std::chrono::steady_clock;
  const pid_t pid = ::fork();
  if (pid < 0)
    return error(ErrorKind::Io, std::string("cannot start a process: ") + std::strerror(errno)).at(command[0]);
  if (pid == 0) become(command);
  ::setpgid(pid, pid);  // whoever of the two comes first
  const auto deadline = Clock::now() + std::chrono::duration<double>(seconds);
  auto pause = std::chrono::microseconds(200);
  for (int status = 0;; std::this_thread::sleep_for(pause)) {
    const pid_t ended = ::waitpid(pid, &status, WNOHANG);
    if (ended == pid) return end_of(status);
    if (ended < 0 && errno != EINTR) return error(ErrorKind::Io, std::strerror(errno)).at(command[0]);
    pause = std::min(pause * 2, std::chrono::microseconds(20'000));
    if (Clock::now() < deadline) continue;
    ::kill(-pid, SIGKILL);
    ::waitpid(pid, &status, 0);
    return ChildEnd{-1, SIGKILL, true};
  }
}

}  // namespace lapis::cli
