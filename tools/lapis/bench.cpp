// lapis bench M [--against onnxruntime,openvino] [--threads N]:
// all runtimes in turn in one run, on the same cores; ratios of medians.
#include <sched.h>

#include "base/stopwatch.h"
#include "driver/peak.h"
#include "frontends/frontend.h"
#include "tools/lapis/inputs.h"
#include "tools/lapis/options.h"
#include "tools/lapis/peer.h"

namespace lapis::cli {
namespace {

struct Flags {
  ModelFlags model;
  std::vector<std::string> against, peer_models;
  int rounds = 15, cpu = -1;
  double seconds = 0.2;  // a round of one runtime
};

struct Series {
  std::string name;
  std::vector<double> milliseconds;  // every inference
  std::vector<double> rounds;        // median of each round
};

Result<std::vector<double>> time_runs(Session& session, int count) {
  const Program& p = session.program();
  LAPIS_TRY(std::vector<Tensor> tensors, random_inputs(p.inputs));
  for (const IoInfo& o : p.outputs) tensors.emplace_back(o.dtype, o.shape);
  std::vector<void*> io;
  io.reserve(tensors.size());
  for (Tensor& t : tensors) io.push_back(t.mutable_raw());
  std::vector<double> times;
  for (int i = 0; i < count; ++i) {
    const Stopwatch watch;
    LAPIS_CHECK(session.run(io.data()));
    times.push_back(watch.milliseconds());
  }
  return times;
}

Status pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) == 0) return ok();
  return error(ErrorKind::Usage, "--cpu " + std::to_string(cpu) + ": this process may not run on that core")
      .help("`taskset -p $$` shows the cores it may run on");
}

Status check(const Flags& flags) {
  if (flags.peer_models.size() <= flags.against.size()) return ok();
  return error(ErrorKind::Usage, "--peer-model names " + std::to_string(flags.peer_models.size()) + " models for " +
                                     std::to_string(flags.against.size()) + " runtimes of --against")
      .help("name one model a runtime, in their order");
}

// ONNX Runtime reads no other format; OpenVINO reads TFLite too.
Status check_peer_reads(const std::string& peer, const std::string& model) {
  const Frontend* format = frontend_of(model);
  if (peer != "onnxruntime" || !format || format->name == "onnx") return ok();
  return error(ErrorKind::Usage, "onnxruntime reads ONNX, not " + std::string(format->title))
      .at(model)
      .help("write it with `lapis convert MODEL -o M.onnx` and name that with --peer-model");
}

// How many inferences a round of `seconds` holds, from a first one that warms up too.
int runs_per_round(double milliseconds, double seconds) {
  return std::clamp(static_cast<int>(seconds * 1e3 / std::max(milliseconds, 1e-3)), 3, 2000);
}

int64_t total_macs(const Program& program) {
  int64_t macs = 0;
  for (const StepInfo& s : program.steps) macs += s.macs;
  return macs;
}

bool mostly_int8(const Program& program) {
  int64_t int8 = 0;
  for (const StepInfo& s : program.steps) int8 += s.precision == "int8" ? s.macs : 0;
  return 2 * int8 > total_macs(program);
}

double median(const std::vector<double>& v) { return percentile(v, 50); }

std::vector<double> ratios(const Series& other, const Series& own) {
  std::vector<double> r;
  for (size_t i = 0; i < own.rounds.size(); ++i) r.push_back(other.rounds[i] / own.rounds[i]);
  return r;
}

Report describe(const std::vector<Series>& all, const Program& program, double peak) {
  Report report;
  std::vector<std::vector<std::string>> rows = {{"runtime", "p50 ms", "p99 ms", "time / lapis (median of rounds)"}};
  for (const Series& s : all) {
    const double ratio = median(ratios(s, all[0]));
    rows.push_back(
        {s.name, fixed(median(s.milliseconds), 3), fixed(percentile(s.milliseconds, 99), 3), fixed(ratio, 2)});
    report.json["runtimes"].push_back({{"name", s.name},
                                       {"p50_ms", median(s.milliseconds)},
                                       {"p99_ms", percentile(s.milliseconds, 99)},
                                       {"ratio", ratio},
                                       {"round_ms", s.rounds}});
  }
  const double gmacs = static_cast<double>(total_macs(program)) / median(all[0].milliseconds) / 1e6;
  report.text = table(rows) + "lapis: " + fixed(gmacs, 1) + " GMAC/s, " + fixed(100 * gmacs / peak, 1) + " % of the " +
                fixed(peak, 1) + " GMAC/s measured peak of one core (" + (mostly_int8(program) ? "int8" : "fp32") +
                ", " + program.target + ")\n";
  report.json["gmac_per_second"] = gmacs;
  report.json["peak_gmac_per_second"] = peak;
  report.json["fraction_of_peak"] = gmacs / peak;
  report.json["target"] = program.target;
  return report;
}

Result<Report> bench(const Flags& flags) {
  LAPIS_CHECK(check(flags));
  LAPIS_TRY(const RunnerOptions options, flags.model.runner_options());
  const int cpu = flags.cpu >= 0 ? flags.cpu : options.threads == 1 ? sched_getcpu() : -1;
  if (cpu >= 0) LAPIS_CHECK(pin_to(cpu));
  LAPIS_TRY(const std::unique_ptr<Runner> runner, flags.model.open(flags.model.model, options));
  Session* session = runner->session();
  if (!session)
    return error(ErrorKind::Usage, "bench measures generated code, not the reference backend")
        .help("leave out --backend");
  LAPIS_TRY(const std::vector<double> first, time_runs(*session, 3));
  std::vector<Series> all = {{"lapis", {}, {}}};
  std::vector<std::unique_ptr<Peer>> peers;
  std::vector<int> counts = {runs_per_round(first.back(), flags.seconds)};
  for (size_t i = 0; i < flags.against.size(); ++i) {
    const std::string& model = i < flags.peer_models.size() ? flags.peer_models[i] : flags.model.model;
    LAPIS_CHECK(check_peer_reads(flags.against[i], model));
    LAPIS_TRY(std::unique_ptr<Peer> peer,
              Peer::start(flags.against[i], model, flags.model.dims, flags.model.shapes, options.threads, cpu));
    LAPIS_TRY(const std::vector<double> warm, peer->time_runs(3));
    counts.push_back(runs_per_round(warm.back(), flags.seconds));
    peers.push_back(std::move(peer));
    all.push_back(
        {flags.against[i] + (model == flags.model.model ? "" : " (" + Path(model).filename().string() + ")"), {}, {}});
  }
  const Progress progress = progress_bar("measuring");
  std::vector<double> peaks;
  for (int round = 0; round < flags.rounds; ++round) {
    for (size_t i = 0; i < all.size(); ++i) {
      LAPIS_TRY(const std::vector<double> times,
                i == 0 ? time_runs(*session, counts[0]) : peers[i - 1]->time_runs(counts[i]));
      all[i].rounds.push_back(median(times));
      all[i].milliseconds.insert(all[i].milliseconds.end(), times.begin(), times.end());
    }
    LAPIS_TRY(const double peak,
              measure_peak(mostly_int8(session->program()) ? DType::UInt8 : DType::Float32, options.target));
    peaks.push_back(peak);
    if (progress) progress(round + 1, flags.rounds);
  }
  return describe(all, session->program(), median(peaks));
}

}  // namespace

Action declare_bench(Arguments& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.add_model(app, ModelFlags::Takes::ArtifactsToo);
  flags->model.add_running(app);
  flags->model.add_schedules(app);
  app.add_option("--against", flags->against, "Runtimes to measure in turn with Lapis: onnxruntime, openvino")
      .delimiter(',')
      .check(one_of({"onnxruntime", "openvino"}));
  app.add_option("--peer-model", flags->peer_models,
                 "Model for the runtimes of --against, in their order (e.g. their own int8 version)")
      .delimiter(',');
  app.add_option("--rounds", flags->rounds, "Rounds in which every runtime is measured once")
      .capture_default_str()
      .check(integer_between(1, 10000));
  app.add_option("--round-seconds", flags->seconds, "Length of one measurement")
      .capture_default_str()
      .check(number_between(0.001, 60));
  app.add_option("--cpu", flags->cpu, "Core to pin everything to; default: the present one when --threads 1")
      .check(integer_between(0, CPU_SETSIZE - 1));
  return [flags] { return bench(*flags); };
}

}  // namespace lapis::cli
