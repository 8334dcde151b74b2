// lapis_random --seed N --count N: draws graphs, judges each, and keeps what must not be. Graphs run in child
// processes, so that a crash, a hang (10 s of processor time) or an allocation beyond bounds is caught, put down to its
// seed, and the run goes on.
//
//   lapis_random --kind all --seed 0 --count 1000 --keep /tmp/findings
//   lapis_random --check model.onnx --target x86-64+avx2        exit code 0: there is a finding
//                                                               (what `lapis reduce --with` asks)
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "frontends/onnx/export.h"
#include "frontends/onnx/import.h"
#include "tests/random/graphs/draw.h"
#include "tests/random/graphs/judge.h"
#include "tuning/data/npy.h"

namespace lapis::random_graphs {
namespace {

struct Flags {
  uint64_t seed = 0, count = 1000, shard = 0, shards = 1;
  double seconds = 0;  // 0: no limit
  std::string kind = "all", keep, check, inputs, target, stage, match;
  int threads = 0;  // 0: 1 or 2, by seed
  int64_t megabytes = 3072;
  bool quiet = false;
};

// ---- what children and parent share ---------------------------------------------------------------------------------

struct Row {
  char text[160];
  uint64_t count;
};

struct Shared {
  uint64_t current;  // seed in work
  uint64_t graphs, agreed, refused, skipped, findings;
  Row rows[1024];  // reasons of refusals
};

void count_reason(Shared& shared, const std::string& reason) {
  for (Row& row : shared.rows) {
    if (!row.text[0]) std::strncpy(row.text, reason.c_str(), sizeof row.text - 1);
    if (std::strncmp(row.text, reason.c_str(), sizeof row.text - 1)) continue;
    ++row.count;
    return;
  }
}

// Names and numbers left out, so that the same reason is one row.
std::string generalized(const std::string& text) {
  std::string result;
  bool quoted = false;
  const size_t start = text.find("error: ");
  for (char c : text.substr(start == std::string::npos ? 0 : start + 7)) {
    if (c == '\n') break;
    if (c == '\'') quoted = !quoted;
    if (quoted && c != '\'') continue;
    if (std::isdigit(static_cast<unsigned char>(c)) || c == '-') c = '#';
    if (c == '#' && !result.empty() && result.back() == '#') continue;
    result += c;
  }
  return result;
}

std::string operators_of(const Graph& graph) {
  std::string names;
  for (const Node* node : graph.nodes()) names += (names.empty() ? "" : " ") + std::string(node->op().name);
  return names;
}

// ---- one graph ------------------------------------------------------------------------------------------------------

Kind kind_of(const Flags& flags, uint64_t seed) {
  if (flags.kind == "all") return seed % 5 < 2 ? Kind::Qdq : Kind::Float;
  return flags.kind == "qdq" ? Kind::Qdq : Kind::Float;
}

JudgeOptions options_of(const Flags& flags, uint64_t seed) {
  static const std::vector<std::string> kTargets = {"x86-64+avx2", "x86-64+avx512", "host"};
  const std::string name = flags.target.empty() ? kTargets[seed % 3] : flags.target;
  const auto target = Target::parse(name);
  LAPIS_ASSERT(target.ok(), to_string(target.diagnostics()));
  return {*target, flags.threads ? flags.threads : 1 + static_cast<int>(seed / 3 % 2), seed};
}

std::string folder_of(const Flags& flags, uint64_t seed) {
  return flags.keep + "/" + (kind_of(flags, seed) == Kind::Qdq ? "qdq-" : "float-") + std::to_string(seed);
}

void keep(const Flags& flags, uint64_t seed, const Sample& sample, const std::string& text) {
  if (flags.keep.empty()) return;
  const std::string folder = folder_of(flags, seed);
  std::filesystem::create_directories(folder);
  const JudgeOptions options = options_of(flags, seed);
  std::ofstream(folder + "/README") << "seed " << seed << ", target " << options.target.to_string() << ", "
                                    << options.threads << " threads\n"
                                    << text << "\n";
  for (const auto& [name, tensor] : sample.feeds)
    if (!write_npy(folder + "/in_" + name + ".npy", tensor).ok()) std::fprintf(stderr, "no .npy of %s\n", name.c_str());
  if (!export_onnx(*sample.graph, folder + "/model.onnx").ok()) std::fprintf(stderr, "no model of %lu\n", seed);
}

void report(const Flags& flags, uint64_t seed, const std::string& text, const std::string& operators) {
  std::printf("FINDING seed %lu (%s): %s [%s]\n", seed, kind_of(flags, seed) == Kind::Qdq ? "qdq" : "float",
              text.c_str(), operators.c_str());
  std::fflush(stdout);
}

void judge_seed(const Flags& flags, uint64_t seed, Shared& shared) {
  const Sample sample = draw_graph(seed, kind_of(flags, seed));
  const Judgement j = judge(sample, options_of(flags, seed));
  ++shared.graphs;
  shared.skipped += j.skipped;
  if (j.verdict == Judgement::Verdict::Agreed) ++shared.agreed;
  if (j.verdict == Judgement::Verdict::Refused) {
    ++shared.refused;
    count_reason(shared, j.stage + ": " + generalized(j.text));
  }
  if (j.verdict != Judgement::Verdict::Finding) return;
  ++shared.findings;
  report(flags, seed, j.stage + ": " + j.text, operators_of(*sample.graph));
  keep(flags, seed, sample, j.stage + ": " + j.text);
}

// ---- children -------------------------------------------------------------------------------------------------------

void limit_child(const Flags& flags) {
  if (flags.megabytes) {
    const rlimit memory = {static_cast<rlim_t>(flags.megabytes) << 20, static_cast<rlim_t>(flags.megabytes) << 20};
    ::setrlimit(RLIMIT_AS, &memory);
  }
  const rlimit none = {0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
}

// Ten seconds of processor time, two minutes in all, then a signal ends the process.
void wind_clock() {
  const itimerval ten = {{0, 0}, {10, 0}};
  ::setitimer(ITIMER_PROF, &ten, nullptr);
  ::alarm(120);
}

// Runs `work` in a child whose stderr goes to `log`; its wait status.
int in_child(const Flags& flags, const std::string& log, const std::function<void()>& work) {
  std::fflush(stdout);
  const pid_t pid = ::fork();
  if (pid == 0) {
    const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(fd, STDERR_FILENO);
    limit_child(flags);
    work();
    std::fflush(stdout);
    ::_exit(0);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

std::string last_words(const std::string& log) {
  std::ifstream file(log);
  std::stringstream text;
  text << file.rdbuf();
  return text.str().substr(0, 2000);
}

std::string death_of(int status, const std::string& log) {
  if (!WIFSIGNALED(status)) return "ended with " + std::to_string(WEXITSTATUS(status)) + ": " + last_words(log);
  if (WTERMSIG(status) == SIGPROF || WTERMSIG(status) == SIGALRM) return "takes too long";
  return std::string("crash (") + strsignal(WTERMSIG(status)) + "): " + last_words(log);
}

class Run {
 public:
  explicit Run(const Flags& flags) : flags_(flags), log_("/tmp/lapis_random." + std::to_string(::getpid())) {
    void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    LAPIS_ASSERT(memory != MAP_FAILED, "no shared memory");
    shared_ = static_cast<Shared*>(memory);
  }
  ~Run() { ::unlink(log_.c_str()); }

  bool run() {
    constexpr uint64_t kBatch = 400;  // a fresh process now and then keeps what leaks or drifts small
    const uint64_t end = flags_.seed + flags_.count;
    for (uint64_t next = flags_.seed; next < end && !late();) next = batch(next, std::min(next + kBatch, end));
    print();
    return shared_->findings == 0;
  }

 private:
  bool late() const { return flags_.seconds > 0 && seconds() > flags_.seconds; }
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

  // The seeds [begin, end) of this shard; where to go on.
  uint64_t batch(uint64_t begin, uint64_t end) {
    const int status = in_child(flags_, log_, [&] {
      for (uint64_t seed = begin; seed < end && !late(); ++seed) {
        if (seed % flags_.shards != flags_.shard) continue;
        shared_->current = seed;
        wind_clock();
        judge_seed(flags_, seed, *shared_);
      }
    });
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return end;
    crashed(shared_->current, death_of(status, log_));
    return shared_->current + 1;
  }

  void crashed(uint64_t seed, const std::string& text) {
    ++shared_->graphs;
    ++shared_->findings;
    in_child(flags_, log_ + ".draw", [&] {  // drawing may be what crashes
      const Sample sample = draw_graph(seed, kind_of(flags_, seed));
      report(flags_, seed, text, operators_of(*sample.graph));
      keep(flags_, seed, sample, text);
    });
    if (const std::string words = last_words(log_ + ".draw"); !words.empty())
      report(flags_, seed, text + words, "while drawing");
    ::unlink((log_ + ".draw").c_str());
  }

  void print() const {
    std::vector<Row> rows;
    for (const Row& row : shared_->rows)
      if (row.count) rows.push_back(row);
    std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.count > b.count; });
    if (!flags_.quiet)
      for (const Row& row : rows) std::printf("%8lu  %s\n", row.count, row.text);
    std::printf(
        "%lu graphs (seeds %lu to %lu, %s): %lu agree, %lu refused with a reason, %lu not run here, %lu findings; %.1f "
        "s\n",
        shared_->graphs, flags_.seed, flags_.seed + flags_.count - 1, flags_.kind.c_str(), shared_->agreed,
        shared_->refused, shared_->skipped, shared_->findings, seconds());
  }

  const Flags& flags_;
  const std::string log_;
  Shared* shared_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// ---- one model ------------------------------------------------------------------------------------------------------

// in_NAME.npy beside the model where it fits, else drawn from the name.
Tensor input_for(const Flags& flags, const Value& input) {
  const auto shape = input.type().static_shape();
  const Path file = Path(flags.inputs) / ("in_" + input.name() + ".npy");
  if (std::filesystem::exists(file))
    if (auto tensor = read_npy(file);
        tensor.ok() && tensor->dtype() == input.dtype() && (!shape || tensor->shape() == *shape))
      return *std::move(tensor);
  Random random(std::hash<std::string>()(input.name()));
  return draw_tensor(random, input.dtype(), shape.value_or(Shape{}), Mood::Ordinary);
}

int check(const Flags& flags) {
  const std::string log = "/tmp/lapis_random." + std::to_string(::getpid());
  Flags given = flags;
  if (given.inputs.empty()) given.inputs = std::filesystem::absolute(flags.check).parent_path();
  const int status = in_child(flags, log, [&] {
    wind_clock();
    Sample sample;
    auto graph = import_onnx(Path(flags.check));
    if (!graph.ok()) ::_exit(2);
    sample.graph = *std::move(graph);
    for (const Value* input : sample.graph->inputs()) sample.feeds[input->name()] = input_for(given, *input);
    const Judgement j = judge(sample, options_of(given, 2));
    std::printf("%s: %s\n", j.stage.c_str(), j.text.c_str());
    std::fflush(stdout);
    const bool wanted =
        (flags.stage.empty() || j.stage == flags.stage) && j.text.find(flags.match) != std::string::npos;
    ::_exit(j.verdict == Judgement::Verdict::Finding && wanted ? 3 : 2);
  });
  const bool crash = WIFSIGNALED(status);
  if (crash) std::printf("%s\n", death_of(status, log).c_str());
  ::unlink(log.c_str());
  if (crash) return flags.stage.empty() || flags.stage == "crash" ? 0 : 1;
  return WEXITSTATUS(status) == 3 ? 0 : 1;
}

// ---- flags ----------------------------------------------------------------------------------------------------------

[[noreturn]] void usage() {
  std::fputs(
      "lapis_random [--seed N] [--count N] [--seconds S] [--kind float|qdq|all] [--keep DIR] [--shard I/N]\n"
      "             [--target T] [--threads N] [--memory MEGABYTES (0: no limit)] [--quiet]\n"
      "lapis_random --check MODEL [--inputs DIR] [--stage import|passes|run|crash] [--match TEXT] [--target T] "
      "[--threads N]\n",
      stderr);
  std::exit(2);
}

Flags parse(int argc, char** argv) {
  Flags flags;
  const std::map<std::string, std::function<void(const std::string&)>> known = {
      {"--seed", [&](auto& v) { flags.seed = std::stoull(v); }},
      {"--count", [&](auto& v) { flags.count = std::stoull(v); }},
      {"--seconds", [&](auto& v) { flags.seconds = std::stod(v); }},
      {"--kind", [&](auto& v) { flags.kind = v; }},
      {"--keep", [&](auto& v) { flags.keep = v; }},
      {"--shard", [&](auto& v) { std::sscanf(v.c_str(), "%lu/%lu", &flags.shard, &flags.shards); }},
      {"--target", [&](auto& v) { flags.target = v; }},
      {"--threads", [&](auto& v) { flags.threads = std::stoi(v); }},
      {"--memory", [&](auto& v) { flags.megabytes = std::stoll(v); }},
      {"--check", [&](auto& v) { flags.check = v; }},
      {"--inputs", [&](auto& v) { flags.inputs = v; }},
      {"--match", [&](auto& v) { flags.match = v; }},
      {"--stage", [&](auto& v) { flags.stage = v; }}};
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "--quiet") {
      flags.quiet = true;
      continue;
    }
    const auto flag = known.find(argv[i]);
    if (flag == known.end() || i + 1 == argc) usage();
    flag->second(argv[++i]);
  }
  if (flags.shards == 0 || (flags.kind != "all" && flags.kind != "qdq" && flags.kind != "float")) usage();
  return flags;
}

}  // namespace
}  // namespace lapis::random_graphs

int main(int argc, char** argv) {
  using namespace lapis::random_graphs;
  const Flags flags = parse(argc, argv);
  if (!flags.check.empty()) return check(flags);
  return Run(flags).run() ? 0 : 1;
}
