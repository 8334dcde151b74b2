#include "tools/lapis/peer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "base/file.h"
#include "tools/lapis/python.h"

namespace lapis::cli {

// peers.py of the installation or of the source tree that the binary was built in, or what LAPIS_PEERS says. Nothing
// else: whatever lies in the current folder, or beside a folder somebody unpacked, is not ours to run.
static Result<std::string> script() {
  if (const char* chosen = std::getenv("LAPIS_PEERS")) return std::string(chosen);
  std::error_code failed;
  const Path prefix = std::filesystem::read_symlink("/proc/self/exe", failed).parent_path().parent_path();
  const Path installed = prefix / "share/lapis/peers.py", built = prefix.parent_path() / "benchmarks/peers.py";
  if (!failed && std::filesystem::exists(installed, failed)) return installed.string();
  if (!failed && std::filesystem::exists(prefix / "CMakeCache.txt", failed) && std::filesystem::exists(built, failed))
    return built.string();
  return error(ErrorKind::Io, "cannot find peers.py, which runs the other runtimes")
      .help("set LAPIS_PEERS to its path");
}

Result<std::unique_ptr<Peer>> Peer::start(const std::string& runtime, const std::string& model,
                                          const std::vector<std::string>& dims, const std::vector<std::string>& shapes,
                                          int threads, int cpu) {
  LAPIS_TRY(const std::string peers, script());
  std::string bound = "N=1";
  for (const std::string& dim : dims) bound += "," + dim;
  std::vector<std::string> arguments = {
      peers, model, "--runtime", runtime, "--dims", bound, "--threads", std::to_string(threads), "--json"};
  for (const std::string& shape : shapes) arguments.insert(arguments.end(), {"--shape", shape});
  if (cpu >= 0) arguments.insert(arguments.end(), {"--cpu", std::to_string(cpu)});
  int pipes[2][2];  // requests, replies
  for (int(&ends)[2] : pipes)
    if (::pipe2(ends, O_CLOEXEC) != 0)
      return error(ErrorKind::Resource, "cannot create a pipe").help("raise the limit of open files (ulimit -n)");
  std::unique_ptr<Peer> peer(new Peer);
  peer->name_ = runtime;
  peer->requests_ = ::fdopen(pipes[0][1], "w");
  peer->replies_ = ::fdopen(pipes[1][0], "r");
  const Result<pid_t> child = start_python(arguments, pipes[0][0], pipes[1][1]);
  ::close(pipes[0][0]);
  ::close(pipes[1][1]);
  LAPIS_TRY(peer->pid_, child);
  return peer;
}

Peer::~Peer() {
  if (requests_) std::fclose(requests_);  // end of input ends the peer
  if (replies_) std::fclose(replies_);
  if (pid_ > 0) wait_for(pid_);
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
