#include "tools/lapis/python.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/file.h"
#include "base/spawn.h"

namespace lapis::cli {
namespace {

[[noreturn]] void become(char* const* argv, int input, int output) {
  restore_signals();
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (input >= 0) ::dup2(input, STDIN_FILENO);
  if (output >= 0) ::dup2(output, STDOUT_FILENO);
  ::execvp(argv[0], argv);
  ::_exit(127);
}

}  // namespace

std::string python() {
  if (const char* chosen = std::getenv("LAPIS_PYTHON")) return chosen;
  std::error_code failed;
  const Path self = std::filesystem::read_symlink("/proc/self/exe", failed);
  const Path beside = self.parent_path().parent_path() / "venv/bin/python";
  return !failed && std::filesystem::exists(beside, failed) ? beside.string() : "python3";
}

Result<pid_t> start_python(const std::vector<std::string>& arguments, int input, int output) {
  std::vector<std::string> command = {python(), "-I"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& part : command) argv.push_back(part.data());
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) become(argv.data(), input, output);
  if (child < 0)
    return error(ErrorKind::Resource, "cannot start " + command[0] + ": " + std::strerror(errno))
        .help("raise the limits of this process (ulimit -u)");
  return child;
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace lapis::cli
