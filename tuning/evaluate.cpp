#include "tuning/evaluate.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <numeric>
#include <optional>
#include <span>
#include <thread>

#include "base/guard.h"
#include "base/stopwatch.h"
#include "tuning/fixed_inputs.h"

namespace lapis {
namespace {

Result<size_t> output_index(const std::vector<IoInfo>& outputs, const std::string& name, const std::string& where) {
  std::string known;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].name == name) return i;
    known += (known.empty() ? "" : ", ") + outputs[i].name;
  }
  return error(ErrorKind::Mismatch, "the model has no output '" + name + "'")
      .at(where)
      .help("its outputs are " + known);
}

// What a sample gives a model: one that was made for a number that an input always is has no such input.
Result<std::vector<Tensor>> inputs_of(const Runner& runner, const Dataset& dataset, const Feeds& feeds) {
  std::vector<std::string> names;
  for (const IoInfo& input : runner.inputs()) names.push_back(input.name);
  const std::set<std::string> surplus = surplus_inputs(dataset, names);
  if (surplus.empty()) return ordered(feeds, runner.inputs());
  Feeds fitting = feeds;
  for (const std::string& name : surplus) fitting.erase(name);
  return ordered(fitting, runner.inputs());
}

// One metric of the dataset, and which outputs of a model it reads.
struct Watched {
  std::unique_ptr<Metric> metric;
  std::vector<size_t> outputs, reference;
};

Result<std::vector<size_t>> outputs_of(const MetricConfig& config, const Runner& runner) {
  std::vector<size_t> indexes;
  for (const std::string& role : config.row.outputs) {
    const size_t next = indexes.size();
    if (!config.settings.has(role) && next >= runner.outputs().size())
      return config.settings.problem("the metric " + config.row.name + " reads " +
                                     std::to_string(config.row.outputs.size()) + " outputs, the model has " +
                                     std::to_string(runner.outputs().size()));
    size_t index = next;
    if (config.settings.has(role)) {
      LAPIS_TRY(index, output_index(runner.outputs(), config.settings.text(role), config.settings.where));
    }
    indexes.push_back(index);
  }
  return indexes;
}

// Runs the samples and shows them to the metrics.
class Evaluation {
 public:
  Evaluation(Runner& runner, const Dataset& dataset, Runner* reference)
      : runner_(runner), dataset_(dataset), reference_(reference) {}

  Status prepare() {
    if (dataset_.metrics().empty())
      return error(ErrorKind::Input, "the dataset file names no metric")
          .at(dataset_.where())
          .help("known metrics are in docs/datasets.md: add metric: {name: top1}, say");
    for (const MetricConfig& config : dataset_.metrics()) LAPIS_CHECK(watch(config));
    for (const Carry& carry : dataset_.carried()) {
      LAPIS_TRY(const size_t own, output_index(runner_.outputs(), carry.output, carry.where));
      carried_.push_back(own);
    }
    return ok();
  }

  Status run(int64_t sample) {
    LAPIS_TRY(Feeds feeds, dataset_.sample(sample));
    LAPIS_TRY(const std::vector<Tensor> outputs, outputs_for(runner_, feeds, state_, true));
    return judge(sample, feeds, outputs);
  }

  // Whether judging needs more of a sample than the outputs and its label.
  bool needs_inputs() const {
    return compares_ || std::any_of(dataset_.metrics().begin(), dataset_.metrics().end(),
                                    [](const MetricConfig& m) { return m.settings.has("mask"); });
  }

  // What a runner of the model gave for the sample.
  Status judge(int64_t sample, Feeds& feeds, const std::vector<Tensor>& outputs) {
    std::vector<Tensor> wanted;
    if (compares_) {
      LAPIS_TRY(wanted, reference_ == &runner_ ? Result<std::vector<Tensor>>(outputs)
                                               : outputs_for(*reference_, feeds, reference_state_, false));
    }
    for (size_t m = 0; m < watched_.size(); ++m) LAPIS_CHECK(show(m, sample, feeds, outputs, wanted));
    return ok();
  }

  const Metric& first() const { return *watched_[0].metric; }
  void took(double milliseconds) { milliseconds_.push_back(milliseconds); }

  // There are no values where not all samples were seen.
  Result<Accuracy> finish() {
    const bool all = static_cast<int64_t>(milliseconds_.size()) == dataset_.size();
    Accuracy accuracy;
    for (size_t m = 0; m < watched_.size(); ++m) {
      Measure measure;
      const MetricRow& row = dataset_.metrics()[m].row;
      measure.metric = row.name;
      measure.higher_is_better = row.higher_is_better && !dataset_.metrics()[m].settings.flag("lower_is_better");
      if (all) {
        LAPIS_TRY(measure.value, watched_[m].metric->value());
      }
      measure.scores = watched_[m].metric->scores();
      measure.unusable = watched_[m].metric->unusable();
      if (m == 0)
        static_cast<Measure&>(accuracy) = std::move(measure);
      else
        accuracy.others.push_back(std::move(measure));
    }
    accuracy.milliseconds = std::move(milliseconds_);
    return accuracy;
  }

 private:
  Status watch(const MetricConfig& config) {
    Watched w;
    LAPIS_TRY(w.metric, config.row.make({config.settings, dataset_.size()}));
    LAPIS_TRY(w.outputs, outputs_of(config, runner_));
    if (config.row.label == LabelKind::Reference) {
      if (!reference_)
        return error(ErrorKind::Input,
                     "the metric " + config.row.name + " compares with another model, and there is none")
            .at(config.settings.where)
            .help("name it as `reference: model.onnx` in the file, or with --against");
      LAPIS_TRY(w.reference, outputs_of(config, *reference_));
      compares_ = true;
    }
    watched_.push_back(std::move(w));
    return ok();
  }

  // Carried inputs become what this model gave for the sample before.
  Result<std::vector<Tensor>> outputs_for(Runner& runner, Feeds& feeds, std::vector<Tensor>& state, bool timed) {
    const std::vector<Carry>& carried = dataset_.carried();
    for (size_t c = 0; c < state.size(); ++c) feeds[carried[c].input] = state[c];
    LAPIS_TRY(const std::vector<Tensor> inputs, inputs_of(runner, dataset_, feeds));
    LAPIS_CHECK(runner.prepare(inputs));
    const Stopwatch watch;
    LAPIS_TRY(std::vector<Tensor> outputs, runner.run(inputs));
    if (timed) milliseconds_.push_back(watch.milliseconds());
    state.clear();
    for (size_t c = 0; c < carried.size(); ++c) {
      size_t index = carried_[c];
      if (!timed) {
        LAPIS_TRY(index, output_index(runner.outputs(), carried[c].output, carried[c].where));
      }
      state.push_back(outputs[index]);
    }
    return outputs;
  }

  Status show(size_t m, int64_t sample, const Feeds& feeds, const std::vector<Tensor>& outputs,
              const std::vector<Tensor>& wanted) {
    const Watched& w = watched_[m];
    Observation seen{sample, {}, {}, &feeds};
    for (const size_t o : w.outputs) seen.outputs.push_back(outputs[o]);
    if (w.reference.empty()) {
      LAPIS_TRY(seen.label, dataset_.label(sample, m));
    } else {
      seen.label = wanted[w.reference[0]];
    }
    return w.metric->add(seen);
  }

  Runner& runner_;
  const Dataset& dataset_;
  Runner* reference_;
  std::vector<Watched> watched_;
  std::vector<size_t> carried_;  // outputs of the runner
  std::vector<Tensor> state_, reference_state_;
  std::vector<double> milliseconds_;
  bool compares_ = false;
};

struct Ran {
  Feeds feeds;  // empty where another rank ran it
  std::vector<Tensor> outputs;
  double milliseconds = 0;
};

Result<Ran> run_alone(Runner& runner, const Dataset& dataset, int64_t sample) {
  LAPIS_TRY(Feeds feeds, dataset.sample(sample));
  LAPIS_TRY(const std::vector<Tensor> inputs, inputs_of(runner, dataset, feeds));
  LAPIS_CHECK(runner.prepare(inputs));
  const Stopwatch watch;
  LAPIS_TRY(std::vector<Tensor> outputs, runner.run(inputs));
  const double spent = watch.milliseconds();
  return Ran{std::move(feeds), std::move(outputs), spent};
}

// What some of the samples give, each runner taking the next one that is left.
using Results = std::vector<std::optional<Result<Ran>>>;
Results run_side_by_side(const Runners& runners, const Dataset& dataset, std::span<const int64_t> samples) {
  Results results(samples.size());
  std::atomic<size_t> next = 0;
  const auto work = [&](Runner& runner) {
    for (size_t i; (i = next.fetch_add(1)) < samples.size();)
      results[i] = guarded([&] { return run_alone(runner, dataset, samples[i]); });
  };
  std::vector<std::thread> threads;
  for (size_t r = 1; r < std::min(runners.size(), samples.size()); ++r)
    threads.emplace_back([&work, runner = runners[r].get()] { work(*runner); });
  work(*runners[0]);
  for (std::thread& t : threads) t.join();
  return results;
}

// ---- what ranks tell each other -------------------------------------------------------------------------------------

constexpr size_t kShared = 32;  // samples of a block, whatever the number of cores, which ranks may differ in

bool shares(const EvaluateOptions& options, const Runner& runner, const Dataset& dataset) {
  const bool numbers = std::none_of(runner.outputs().begin(), runner.outputs().end(),
                                    [](const IoInfo& o) { return o.dtype == DType::String; });
  return options.team && !options.team->alone() && dataset.carried().empty() && numbers;
}

template <class T> void put(std::string& to, const T& value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

Result<std::string> packed(Results results) {
  std::string text;
  for (std::optional<Result<Ran>>& result : results) {
    LAPIS_TRY(const Ran ran, std::move(*result));
    put(text, ran.milliseconds);
    put(text, ran.outputs.size());
    for (const Tensor& t : ran.outputs) {
      put(text, t.dtype());
      put(text, t.shape().size());
      for (const int64_t extent : t.shape()) put(text, extent);
      text.append(reinterpret_cast<const char*>(t.raw()), static_cast<size_t>(t.bytes()));
    }
  }
  return text;
}

// Reads what packed() wrote, in this process or in one of the same program.
class Unpacker {
 public:
  explicit Unpacker(const std::string& text) : text_(text) {}

  Ran ran() {
    Ran one;
    one.milliseconds = get<double>();
    one.outputs.resize(get<size_t>());
    for (Tensor& t : one.outputs) t = tensor();
    return one;
  }

 private:
  template <class T> T get() {
    LAPIS_ASSERT(sizeof(T) <= text_.size() - at_, "what the ranks share is not whole");
    T value;
    std::memcpy(&value, text_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  Tensor tensor() {
    const auto dtype = get<DType>();
    Shape shape(get<size_t>());
    for (int64_t& extent : shape) extent = get<int64_t>();
    Tensor t(dtype, std::move(shape));
    const auto bytes = static_cast<size_t>(t.bytes());
    LAPIS_ASSERT(bytes <= text_.size() - at_, "what the ranks share is not whole");
    if (bytes > 0) std::memcpy(t.mutable_raw(), text_.data() + at_, bytes);
    at_ += bytes;
    return t;
  }

  const std::string& text_;
  size_t at_ = 0;
};

// One block of all, by whichever rank runs it.
Result<Results> run_by_ranks(const Runners& runners, const Dataset& dataset, const std::vector<int64_t>& order,
                             size_t block, const EvaluateOptions& options) {
  std::vector<std::string> names;
  for (size_t b = 0; b * kShared < order.size(); ++b) names.push_back(options.name + " block " + std::to_string(b));
  const auto samples = [&](size_t b) {
    return std::span(order).subspan(b * kShared, std::min(kShared, order.size() - b * kShared));
  };
  LAPIS_TRY(const std::string text, options.team->piece(names, block, [&](size_t b) {
    return packed(run_side_by_side(runners, dataset, samples(b)));
  }));
  Results results;
  Unpacker reader(text);
  for (size_t i = 0; i < samples(block).size(); ++i) results.emplace_back(reader.ran());
  return results;
}

std::vector<int64_t> in_order(int64_t count) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

Status show(Evaluation& evaluation, const Dataset& dataset, int64_t sample, Result<Ran> result) {
  LAPIS_TRY(Ran ran, std::move(result));
  evaluation.took(ran.milliseconds);
  if (ran.feeds.empty() && evaluation.needs_inputs()) {
    LAPIS_TRY(ran.feeds, dataset.sample(sample));
  }
  return evaluation.judge(sample, ran.feeds, ran.outputs);
}

// Shows a block of samples to the metrics; true if it is enough.
// `results`: of the samples, or of none, which then run one after the other.
Result<bool> evaluate_block(Evaluation& evaluation, Results results, const Dataset& dataset,
                            std::span<const int64_t> samples, int64_t done, const EvaluateOptions& options) {
  for (size_t i = 0; i < samples.size(); ++i) {
    LAPIS_CHECK(results.empty() ? evaluation.run(samples[i])
                                : show(evaluation, dataset, samples[i], std::move(*results[i])));
    ++done;
    if (options.progress) options.progress(done, dataset.size());
    if (options.enough && options.enough(done, evaluation.first())) return true;
  }
  return false;
}

}  // namespace

Result<Accuracy> measure_accuracy(const Runners& runners, const Dataset& dataset, const EvaluateOptions& options) {
  LAPIS_ASSERT(!runners.empty(), "nothing to measure");
  Evaluation evaluation(*runners[0], dataset, options.reference);
  LAPIS_CHECK(evaluation.prepare());
  const std::vector<int64_t> order =
      options.order.empty() || !dataset.carried().empty() ? in_order(dataset.size()) : options.order;
  const bool shared = shares(options, *runners[0], dataset), alone = runners.size() == 1 || !dataset.carried().empty();
  const size_t block = shared ? kShared : 8 * runners.size();  // whose outputs are in memory at once
  bool enough = false;
  for (size_t begin = 0; begin < order.size() && !enough; begin += block) {
    const std::span<const int64_t> samples(&order[begin], std::min(block, order.size() - begin));
    Results results;
    if (shared) {
      LAPIS_TRY(results, run_by_ranks(runners, dataset, order, begin / block, options));
    } else if (!alone) {
      results = run_side_by_side(runners, dataset, samples);
    }
    LAPIS_TRY(enough,
              evaluate_block(evaluation, std::move(results), dataset, samples, static_cast<int64_t>(begin), options));
  }
  return evaluation.finish();
}

static Result<Dataset> with_state(Runner& runner, const Dataset& dataset, int64_t count) {
  const std::vector<Carry>& carried = dataset.carried();
  const int64_t all = dataset.size(), wanted = count > 0 ? std::min(count, all) : all;
  std::vector<Feeds> samples;
  std::vector<Tensor> outputs;
  for (int64_t i = 0; static_cast<int64_t>(samples.size()) < wanted; ++i) {
    LAPIS_TRY(Feeds feeds, dataset.sample(i));
    for (const Carry& c : carried) {
      LAPIS_TRY(const size_t index, output_index(runner.outputs(), c.output, c.where));
      if (i > 0) feeds[c.input] = outputs[index];
    }
    LAPIS_TRY(const std::vector<Tensor> inputs, inputs_of(runner, dataset, feeds));
    LAPIS_CHECK(runner.prepare(inputs));
    LAPIS_TRY(outputs, runner.run(inputs));
    if (i >= static_cast<int64_t>(samples.size()) * all / wanted) samples.push_back(std::move(feeds));
  }
  return Dataset::from_feeds(std::move(samples), dataset.where());
}

Result<Dataset> calibration_samples(const Dataset& dataset, int64_t count, const std::function<OpenedRunner()>& open) {
  const Dataset& own = dataset.calibration();
  if (own.carried().empty()) return own.limited_to(count);
  LAPIS_TRY(const std::unique_ptr<Runner> runner, open());
  return with_state(*runner, own, count);
}

Result<Accuracy> measure_accuracy(Runner& runner, const Dataset& dataset, const Progress& progress, Runner* reference) {
  Evaluation evaluation(runner, dataset, reference);
  LAPIS_CHECK(evaluation.prepare());
  for (int64_t i = 0; i < dataset.size(); ++i) {
    LAPIS_CHECK(evaluation.run(i));
    if (progress) progress(i + 1, dataset.size());
  }
  return evaluation.finish();
}

SampleSource samples_of(Dataset dataset) {
  return [data = std::move(dataset)](int64_t index) -> Result<std::optional<Feeds>> {
    if (index >= data.size()) return std::optional<Feeds>();
    LAPIS_TRY(Feeds feeds, data.sample(index));
    return std::optional<Feeds>(std::move(feeds));
  };
}

}  // namespace lapis
