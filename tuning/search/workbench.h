// Where trials are made: the simplified float model, calibrated once, its fp32 results, and what turns a configuration
// into a quantized model, runs it and measures it. Weights and code that trials have in common are packed and generated
// once (driver/caches.h).
#pragma once

#include "passes/precision/bf16.h"
#include "passes/quantize/quantize.h"
#include "tuning/evaluate.h"
#include "tuning/reports/insight.h"
#include "tuning/reports/report.h"
#include "tuning/search/config.h"
#include "tuning/search/history.h"
#include "tuning/search/sequential.h"
#include "tuning/team.h"

namespace lapis {

// How far a tuning run is, for people; any of it may be empty.
struct TuneObserver {
  std::function<void(const std::string& what, int64_t done, int64_t total)> progress;
  std::function<void(const Trial& trial)> trial;  // each one when it is measured
};

// A configuration as a model.
struct Built {
  std::unique_ptr<Graph> graph;
  QuantizeReport report;
  Bf16Report mixed;
};

// What a compiled model spends in one of its functions, in one run.
struct StepTime {
  std::string op;                  // of its anchor
  std::vector<std::string> nodes;  // that it computes
  double milliseconds = 0;
};

class Workbench {
 public:
  // Reads the model and both datasets, calibrates, and measures the fp32 model. What it is given must outlive it.
  static Result<std::unique_ptr<Workbench>> make(const TuneConfig& config, const TuneObserver& observer, Team& team);

  // Of a model at hand and samples without labels: for the effects of its units, with nothing evaluated.
  static Result<std::unique_ptr<Workbench>> for_effects(std::unique_ptr<Graph> graph, const Dataset& samples,
                                                        const TuneConfig& config, const TuneObserver& observer,
                                                        Team& team);

  Team& team() const { return team_; }
  const Graph& graph() const { return *graph_; }
  const SearchSpace& space() const { return space_; }
  const Accuracy& baseline() const { return baseline_; }
  bool higher_is_better() const { return higher_is_better_; }
  ReportTitle title() const { return {config_.model.filename().string(), baseline_.metric}; }
  // About inputs that the data fixes, and what calibration found.
  Diagnostics warnings() const;

  Result<Built> build(const Configuration& configuration) const;
  // Nearly the same in a fraction of the time, for the effects of nodes: what build() measures on samples for each
  // model anew is left out (the correction of biases) or taken from the model that is all int8 (smoothing).
  Result<Built> sketch(const Configuration& configuration);
  // A built model ready to run samples, one at a time: once for each core, or for one caller with so many threads.
  Result<Runners> open(const Graph& graph) const;
  Result<Runners> open(const Graph& graph, int threads, int callers) const;
  // Time of one run, beside the fp32 model's in the same rounds, and the sizes.
  struct Measured {
    Costs costs, baseline;
  };
  Result<Measured> costs(const Graph& graph, Runners& runners);
  // The metric on all samples, or on as many as it takes to know whether no more is lost than is allowed.
  // `name`: what the ranks know this evaluation by, if they are to share it.
  enum class Samples { Enough, All };
  Status accuracy(Runners& runners, Trial& trial, Answer& answer, Samples samples, const std::string& name);

  // ---- what strategies look into models with ----

  // On some calibration samples, evenly spread: noise to signal of the outputs of an opened model, a built one, or the
  // sketch of a configuration, against those of fp32.
  Result<double> noise(Runner& runner);
  Result<double> noise(const Graph& graph);
  Result<double> noise(const Configuration& configuration);
  // Values inside of a graph by name, for each of these samples.
  Result<std::vector<Feeds>> values(const Graph& graph, const std::vector<std::string>& watched);
  // The same as distributions, in the order of `values` ("": none), with so many values of a sample in memory.
  Result<std::vector<Seen>> distributions(const Graph& graph, const std::vector<std::string>& values, size_t at_once);
  // How far a model is from fp32 on these samples, and where that arises.
  Result<Damage> damage(const Graph& graph);
  bool diagnoses() const { return config_.diagnosis.has_value(); }
  const std::vector<std::string>& nodes_to_diagnose() const { return config_.diagnosis->nodes; }
  // Where the time of a model goes, with the threads that latency is measured with.
  Result<std::vector<StepTime>> profile(const Graph& graph) const;

 private:
  Workbench(const TuneConfig& config, const TuneObserver& observer, Team& team)
      : config_(config), observer_(observer), team_(team) {}
  Status read();
  Status take(const Dataset& whole, const Dataset& other);
  Status open_baseline();
  Status fix_inputs(const Dataset& data);
  Status choose_samples(const Dataset& all);
  Status calibrate();
  Status measure_baseline();
  void take_over(Trial& trial, const Accuracy& measured, const SequentialTest::Interval& interval, double sign) const;
  Result<double> throughput(Runners& runners) const;
  Result<double> footprint(Runner& runner) const;
  static constexpr int kProfiledRuns = 10;
  Status watch(const Graph& graph, const std::vector<std::string>& watched,
               const std::function<void(Feeds results)>& use);
  using Outputs = std::vector<std::vector<Tensor>>;  // of each sample
  struct Smoothed {                                  // as a candidate has it that is all int8
    std::unique_ptr<Graph> graph;
    Calibration calibration;
  };
  Result<const Smoothed*> smoothed(size_t candidate);
  struct Probes {
    std::vector<Feeds> feeds;
    Outputs wanted;  // of the fp32 model
  };
  Result<const Probes*> probes();
  Result<Outputs> outputs(Runner& runner, const std::vector<Feeds>& feeds) const;
  static double noise(const Outputs& wanted, const Outputs& got);
  Progress progress(const std::string& what) const;

  const TuneConfig& config_;
  const TuneObserver& observer_;
  Team& team_;
  Target target_;
  std::unique_ptr<Graph> graph_;
  std::optional<Dataset> data_, calibration_data_;
  bool single_rows_ = true;  // of a sample, where the model takes a batch
  Diagnostics about_inputs_;
  Calibration calibration_;
  SearchSpace space_;
  Runners baseline_runners_;
  Accuracy baseline_;
  bool higher_is_better_ = true;
  std::optional<Probes> probes_;  // once somebody asks
  std::map<size_t, Smoothed> smoothed_;
  std::vector<Tensor> first_;  // inputs that are timed
  std::vector<int64_t>
      order_;  // in which samples are evaluated; empty: in their own, because state goes from one to the next
};

// Sums of squares, for what is noise and what is signal.
struct Powers {
  double signal = 0, noise = 0;
  void add(const Tensor& wanted, const Tensor& got);  // of float32
  double ratio() const { return noise / (signal > 1e-30 ? signal : 1e-30); }
};

}  // namespace lapis
