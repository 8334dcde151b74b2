#include "base/spawn.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace lapis {
namespace {

// Between fork and exec nothing may be allocated: another thread may have held the allocator's lock.
[[noreturn]] void become(char* const* argv, const SpawnStreams& streams) {
  const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(streams.in >= 0 ? streams.in : nowhere, STDIN_FILENO);
  ::dup2(streams.out >= 0 ? streams.out : nowhere, STDOUT_FILENO);
  if (streams.errors == SpawnStreams::Errors::Nowhere) ::dup2(nowhere, STDERR_FILENO);
  restore_signals();
  ::setpgid(0, 0);
  ::execvp(argv[0], argv);
  ::_exit(127);
}

}  // namespace

Result<pid_t> spawn(const std::vector<std::string>& command, const SpawnStreams& streams) {
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0)
    return error(ErrorKind::Io, std::string("cannot start a process: ") + std::strerror(errno)).at(command[0]);
  if (child == 0) become(argv.data(), streams);
  ::setpgid(child, child);  // whoever of the two comes first
  return child;
}

void restore_signals() {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGPIPE, SIGXFSZ}) ::signal(number, SIG_DFL);
}

void end_group(pid_t child) { ::kill(-child, SIGKILL); }

}  // namespace lapis
