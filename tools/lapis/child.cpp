#include "tools/lapis/child.h"

#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "base/spawn.h"

namespace lapis::cli {
namespace {

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
  LAPIS_TRY(const pid_t pid, spawn(command, {.errors = SpawnStreams::Errors::Nowhere}));
  const auto deadline = Clock::now() + std::chrono::duration<double>(seconds);
  auto pause = std::chrono::microseconds(200);
  for (int status = 0;; std::this_thread::sleep_for(pause)) {
    const pid_t ended = ::waitpid(pid, &status, WNOHANG);
    if (ended == pid) return end_of(status);
    if (ended < 0 && errno != EINTR) return error(ErrorKind::Io, std::strerror(errno)).at(command[0]);
    pause = std::min(pause * 2, std::chrono::microseconds(20'000));
    if (Clock::now() < deadline) continue;
    end_group(pid);
    ::waitpid(pid, &status, 0);
    return ChildEnd{-1, SIGKILL, true};
  }
}

}  // namespace lapis::cli
