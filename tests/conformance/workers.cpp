#include "conformance/workers.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/check.h"

namespace lapis::conformance {
namespace {

using Clock = std::chrono::steady_clock;

// The next item to do, shared by all processes.
using Counter = std::atomic<size_t>;
Counter* shared_counter() {
  void* page = mmap(nullptr, sizeof(Counter), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  LAPIS_ASSERT(page != MAP_FAILED, "no shared memory");
  return new (page) Counter(0);
}

// One line of a child's report: "start ITEM" or "end ITEM TEXT".
void report(int pipe, const std::string& line) {
  const std::string text = line + "\n";
  for (size_t done = 0; done < text.size();) {
    const ssize_t n = write(pipe, text.data() + done, text.size() - done);
    if (n <= 0) _exit(1);
    done += static_cast<size_t>(n);
  }
}

std::string one_line(std::string text) {
  for (char& c : text)
    if (c == '\n' || c == '\r') c = ' ';
  return text;
}

[[noreturn]] void work_until_done(int pipe, Counter& next, size_t count,
                                  const std::function<std::string(size_t)>& work) {
  for (size_t i = next++; i < count; i = next++) {
    report(pipe, "start " + std::to_string(i));
    report(pipe, "end " + std::to_string(i) + " " + one_line(work(i)));
  }
  _exit(0);
}

struct Child {
  pid_t pid = -1;
  int pipe = -1;
  std::string unread;
  size_t item = SIZE_MAX;  // that it works on
  Clock::time_point since;
};

class Pool {
 public:
  Pool(size_t count, double limit, const std::function<std::string(size_t)>& work)
      : limit_(limit), work_(work), next_(shared_counter()), results_(count) {}
  ~Pool() { munmap(next_, sizeof(Counter)); }

  std::vector<ItemResult> run() {
    const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
    for (unsigned i = 0; i < cores; ++i) children_.push_back(spawn());
    while (!children_.empty()) {
      wait_for_reports();
      for (size_t i = children_.size(); i-- > 0;)
        if (!listen(children_[i])) bury(i);
    }
    return std::move(results_);
  }

 private:
  Child spawn() {
    int ends[2];
    LAPIS_ASSERT(pipe2(ends, O_CLOEXEC) == 0, "no pipe: " << std::strerror(errno));
    const pid_t pid = fork();
    LAPIS_ASSERT(pid >= 0, "cannot fork: " << std::strerror(errno));
    if (pid == 0) work_until_done(ends[1], *next_, results_.size(), work_);
    close(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return {pid, ends[0], "", SIZE_MAX, Clock::now()};
  }

  void wait_for_reports() const {
    std::vector<pollfd> fds;
    for (const Child& c : children_) fds.push_back({c.pipe, POLLIN, 0});
    poll(fds.data(), fds.size(), 1000);
  }

  // Reads what the child has to say; false if it is gone.
  bool listen(Child& child) {
    char buffer[4096];
    ssize_t n = 0;
    while ((n = read(child.pipe, buffer, sizeof buffer)) > 0) child.unread.append(buffer, static_cast<size_t>(n));
    const bool gone = n == 0;
    for (size_t end; (end = child.unread.find('\n')) != std::string::npos; child.unread.erase(0, end + 1))
      take(child, child.unread.substr(0, end));
    if (child.item != SIZE_MAX && Clock::now() - child.since > std::chrono::duration<double>(limit_))
      kill(child.pid, SIGKILL);
    return !gone;
  }

  void take(Child& child, const std::string& line) {
    size_t after = 0;
    const bool starts = line.starts_with("start ");
    const std::string rest = line.substr(starts ? 6 : 4);
    const size_t item = std::stoul(rest, &after);
    child.item = starts ? item : SIZE_MAX;
    child.since = Clock::now();
    if (!starts) results_[item] = {true, rest.substr(after + 1)};
  }

  // Says what became of the item that a dead child worked on, and replaces the child.
  void bury(size_t i) {
    const Child child = children_[i];
    int status = 0;
    waitpid(child.pid, &status, 0);
    close(child.pipe);
    children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(i));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    if (child.item != SIZE_MAX) results_[child.item].text = how_it_died(child, status);
    children_.push_back(spawn());
  }

  std::string how_it_died(const Child& child, int status) const {
    if (Clock::now() - child.since > std::chrono::duration<double>(limit_))
      return "no result after " + std::to_string(static_cast<int>(limit_)) + " s";
    if (WIFSIGNALED(status)) return "SIG" + std::string(sigabbrev_np(WTERMSIG(status)));
    return "exit code " + std::to_string(WEXITSTATUS(status));
  }

  double limit_;
  const std::function<std::string(size_t)>& work_;
  Counter* next_;
  std::vector<ItemResult> results_;
  std::vector<Child> children_;
};

}  // namespace

std::vector<ItemResult> run_in_children(size_t count, double seconds_per_item,
                                        const std::function<std::string(size_t)>& work) {
  return Pool(count, seconds_per_item, work).run();
}

}  // namespace lapis::conformance
