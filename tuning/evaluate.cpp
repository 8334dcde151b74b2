#include "tuning/evaluate.h"

#include <chrono>

namespace lapis {

static Result<size_t> output_index(const Runner& runner, const std::string& name, const std::string& where) {
  std::string known;
  for (size_t i = 0; i < runner.outputs().size(); ++i) {
    if (name.empty() || runner.outputs()[i].name == name) return i;
    known += (known.empty() ? "" : ", ") + runner.outputs()[i].name;
  }
  return error(ErrorKind::Mismatch, "the model has no output '" + name + "'")
      .at(where)
      .help("its outputs are " + known);
}

Result<Accuracy> measure_accuracy(Runner& runner, const Dataset& dataset, const Progress& progress) {
  LAPIS_TRY(const std::unique_ptr<Metric> metric, make_metric(dataset.metric()));
  LAPIS_TRY(const size_t output, output_index(runner, dataset.metric().output, dataset.metric().where));
  Accuracy accuracy;
  accuracy.metric = dataset.metric().name;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    LAPIS_TRY(const Feeds feeds, dataset.sample(i));
    LAPIS_TRY(const std::vector<Tensor> inputs, ordered(feeds, runner.inputs()));
    LAPIS_CHECK(runner.prepare(inputs));
    const auto start = std::chrono::steady_clock::now();
    LAPIS_TRY(const std::vector<Tensor> outputs, runner.run(inputs));
    accuracy.milliseconds.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    LAPIS_CHECK(metric->add(i, outputs[output]));
    if (progress) progress(i + 1, dataset.size());
  }
  accuracy.value = metric->value();
  accuracy.scores = metric->scores();
  accuracy.unusable = metric->unusable();
  return accuracy;
}

}  // namespace lapis
