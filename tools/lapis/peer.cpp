#include "tools/lapis/peer.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "base/file.h"
#include "tools/lapis/onnxruntime.h"

namespace lapis::cli {

// benchmarks/peers.py of the source tree the binary was built in, of an installation, or wherever LAPIS_PEERS says.
static Result<std::string> script() {
  if (const char* chosen = std::getenv("LAPIS_PEERS")) return std::string(chosen);
  const Path prefix = std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path();
  for (const Path& candidate :
       {prefix.parent_path() / "benchmarks/peers.py", prefix / "share/lapis/peers.py", Path("benchmarks/peers.py")})
    if (std::filesystem::exists(candidate)) return candidate.string();
  return error(ErrorKind::Io, "cannot find peers.py, which runs the other runtimes")
      .help("set LAPIS_PEERS to its path");
}

Result<std::unique_ptr<Peer>> Peer::start(const std::string& runtime, const std::string& model,
                                          const std::vector<std::string>& dims, int threads, int cpu) {
  LAPIS_TRY(const std::string peers, script());
  std::string bound = "N=1";
  for (const std::string& dim : dims) bound += "," + dim;
  std::vector<std::string> command = {
      python(), peers, model, "--runtime", runtime, "--dims", bound, "--threads", std::to_string(threads), "--json"};
  if (cpu >= 0) command.insert(command.end(), {"--cpu", std::to_string(cpu)});
  std::vector<char*> argv;
  for (std::string& part : command) argv.push_back(part.data());
  argv.push_back(nullptr);
  int to_child[2], from_child[2];
  if (::pipe2(to_child, O_CLOEXEC) != 0 || ::pipe2(from_child, O_CLOEXEC) != 0)
    return error(ErrorKind::Io, "cannot create a pipe");
  std::signal(SIGPIPE, SIG_IGN);  // a dead peer is an error to report, not a reason to die
  std::unique_ptr<Peer> peer(new Peer);
  peer->name_ = runtime;
  peer->pid_ = ::fork();
  if (peer->pid_ == 0) {
    ::dup2(to_child[0], STDIN_FILENO);
    ::dup2(from_child[1], STDOUT_FILENO);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(to_child[0]);
  ::close(from_child[1]);
  peer->requests_ = ::fdopen(to_child[1], "w");
  peer->replies_ = ::fdopen(from_child[0], "r");
  return peer;
}

Peer::~Peer() {
  if (requests_) std::fclose(requests_);  // end of input ends the peer
  if (replies_) std::fclose(replies_);
  if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
}

Result<std::vector<double>> Peer::time_runs(int count) {
  std::fprintf(requests_, "run %d\n", count);
  std::fflush(requests_);
  char* line = nullptr;
  size_t capacity = 0;
  const ssize_t size = ::getline(&line, &capacity, replies_);
  const std::string reply = size > 0 ? line : "";
  std::free(line);
  const auto json = nlohmann::json::parse(reply, nullptr, false);
  if (!json.is_object() || !json.contains("latencies_ms"))
    return error(ErrorKind::Io, name_ + " ended without measuring")
        .help(
            "its message is above; the Python packages of requirements-bench.txt must be installed (LAPIS_PYTHON "
            "chooses the interpreter)");
  return json["latencies_ms"].get<std::vector<double>>();
}

}  // namespace lapis::cli
