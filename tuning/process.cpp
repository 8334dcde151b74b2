#include "tuning/process.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "base/spawn.h"
#include "base/suggest.h"

namespace lapis {
namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kLongestAnswer = size_t{1} << 30;

int milliseconds_until(Clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 1'000'000));
}

// What the socket takes now; false: nobody reads any more.
bool send_some(int socket, std::string_view& rest) {
  const ssize_t sent = ::send(socket, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) return errno == EAGAIN || errno == EINTR;
  rest.remove_prefix(static_cast<size_t>(sent));
  return true;
}

// What has come; false: that was all.
bool receive_some(int socket, std::string& to) {
  char buffer[1 << 16];
  const ssize_t got = ::recv(socket, buffer, sizeof buffer, MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  to.append(buffer, static_cast<size_t>(got));
  return got > 0;
}

}  // namespace

Result<std::shared_ptr<Process>> Process::start(const std::vector<std::string>& command, const std::string& where,
                                                double seconds) {
  std::shared_ptr<Process> process(new Process(command, where, seconds));
  LAPIS_CHECK(process->launch());
  return process;
}

Status Process::launch() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return failed(std::string("cannot be started: ") + std::strerror(errno));
  socket_ = ends[0];
  const Result<pid_t> child = spawn(command_, {.in = ends[1], .out = ends[1]});
  ::close(ends[1]);
  if (!child.ok()) return failed(child.diagnostics()[0].message);
  pid_ = *child;
  return ok();
}

Process::~Process() {
  if (socket_ >= 0) ::close(socket_);
  if (pid_ <= 0) return;
  end_group(pid_);
  ::waitpid(pid_, nullptr, 0);
}

Diagnostic Process::failed(const std::string& what) const {
  return error(ErrorKind::Input, "the process `" + joined(command_, " ") + "` " + what)
      .at(where_)
      .help("docs/datasets.md says what such a process reads and writes; try it by hand with a line of its input");
}

// It closed its end: how did it end?
Diagnostic Process::ended() {
  int status = 0;
  const auto deadline = Clock::now() + std::chrono::seconds(1);
  pid_t done = 0;
  while ((done = ::waitpid(pid_, &status, WNOHANG)) == 0 && Clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  if (done != pid_) return failed("closed its output instead of answering");
  end_group(pid_);  // what it has started
  pid_ = -1;
  if (WIFSIGNALED(status))
    return failed("was ended by signal " + std::to_string(WTERMSIG(status)) + " instead of answering");
  if (WEXITSTATUS(status) == 127) return failed("cannot be run: there is no such program, or it ended with code 127");
  return failed("ended with code " + std::to_string(WEXITSTATUS(status)) +
                " instead of answering; what it wrote to standard error says more");
}

// Writes and reads at once: a program may answer before it has read everything.
Status Process::exchange(std::string_view rest, Clock::time_point deadline) {
  while (received_.find('\n') == std::string::npos) {
    pollfd poll{socket_, static_cast<short>(rest.empty() ? POLLIN : POLLIN | POLLOUT), 0};
    const int ready = ::poll(&poll, 1, milliseconds_until(deadline));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0)
      return failed("gave no answer in " + std::to_string(static_cast<int64_t>(seconds_)) +
                    " seconds; `seconds` in the dataset file is the limit");
    if ((poll.revents & POLLOUT) && !send_some(socket_, rest)) return ended();
    if ((poll.revents & ~POLLOUT) && !receive_some(socket_, received_)) return ended();
    if (received_.size() > kLongestAnswer) return failed("answered with more than a gigabyte");
  }
  return ok();
}

Result<std::string> Process::ask(const std::string& line) {
  const std::lock_guard lock(mutex_);
  if (pid_ < 0) return failed("has ended before");
  received_.clear();
  LAPIS_CHECK(exchange(line + "\n", Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                                       std::chrono::duration<double>(seconds_))));
  return received_.substr(0, received_.find('\n'));
}

}  // namespace lapis
