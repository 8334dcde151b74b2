#include "base/printable.h"
#include "tuning/search/config.h"
#include "tuning/search/strategy.h"

namespace lapis {
namespace {

// In double quotes, so that no name of a file or an input means something to YAML.
std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : printable(text)) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + "\"";
}

std::string inputs_of(const Graph& graph) {
  std::string text;
  for (const Value* v : graph.inputs())
    text += "#   " + printable(v->name()) + ": " + printable(v->type().to_string()) + "\n";
  return text;
}

std::string strategies() {
  std::string text;
  for (const std::string& name : strategy_names()) {
    const std::string padding(name.size() < 11 ? 11 - name.size() : 1, ' ');
    text.append("  #   ").append(name).append(padding).append(describe_strategy(name)).append("\n");
  }
  return text;
}

constexpr std::string_view kDevice = R"(
device:
  target: host              # or one that this machine can run: x86-64+avx2, x86-64+avx512vnni, ...
  threads: 1                # that latency is measured with; 0: one per core. Evaluation uses all cores

quantization:
  approach: auto            # static: ranges from calibration; dynamic: found during inference; auto: both; weight_only: weights in int8 or int4;
                            # qat: the model was trained with quantization and keeps its ranges
  calibration:
    samples: 100            # evenly spread over the data
  # data: train.yaml        # below `calibration`: another dataset file; default: `calibration` of the evaluation's, or its samples
  # Recipes for the whole model that the search begins with, inline or as files (docs/quantization.md); default: every method of ranges.
  # candidates:
  #   - default: {range: {method: mse}}
  #   - default: {range: {method: minmax}, weights: {granularity: tensor}}

mixed_precision:
  precisions: [int8, fp32]  # what the search chooses between for each node; with bf16 also for all that is not int8

# What is tried on top of the best model, each entry as a recipe's `sparsity` (docs/pruning.md); default: nothing.
# pruning:
#   candidates: [{ratio: 0.3}, {ratio: 0.25, pattern: channel, compensate: true}]
)";

constexpr std::string_view kTuning =
    R"(  # Exactly one of relative (share of the fp32 value that may be lost), absolute (how much may be lost), value (what must be reached).
  accuracy_criterion:
    relative: 0.01
    confidence: 0.95        # of answers before the last sample; 1: every trial sees all samples
  # higher_is_better: false # below `accuracy_criterion`: instead of what the metric says
  objective: latency        # throughput, model_size, memory_footprint; or weighted: {latency: 2, model_size: 1}
  exit_policy:
    stop: budget            # or first_pass: end with the first model that meets the target
    max_trials: 100
    timeout: 0              # seconds of the whole run, after which no trial begins; 0: none
  # latency_limit: 1.5      # below `exit_policy`, without accuracy_criterion: the most accurate model within so many milliseconds
  random_seed: 1978
  sensitivity_samples: 16   # calibration samples that the effect of each node is measured on
  workspace:
    path: lapis_tuning      # everything that was found, after every trial: history.json, report.html, best.onnx, front/
  diagnosis: false          # true: diagnosis.json says what the best quantized model lost, node by node, and what to do
  tensorboard: false        # true: event files for TensorBoard in the workspace; or the folder for them
)";

}  // namespace

std::string tune_config_template(const Graph& graph, const std::string& model, const std::string& data) {
  return "# Configuration of `lapis tune` (docs/tuning.md). Values that are given are the defaults; paths are relative "
         "to this file.\n"
         "model:\n  path: " +
         quoted(model) + "\n# Inputs of the model:\n" + inputs_of(graph) +
         "# dims: {S: 128}           # below `model`: values of symbolic dimensions; a batch is 1 where none is given\n"
         "# shapes: {image: [1, 3, 224, 224]}\n"
         "# values: {sr: 16000}      # numbers that inputs always are: the model is made for them\n" +
         std::string(kDevice) + "\ntuning:\n  # Strategies:\n" + strategies() + "  strategy: pareto\n" +
         std::string(kTuning) + "\nevaluation:\n  accuracy:\n    data: " + quoted(data) +
         "       # labelled samples and the metric (docs/datasets.md)\n    samples: 0              # of them, evenly "
         "spread; 0: all\n"
         "  performance:\n    rounds: 5               # of timing a trial and the fp32 model in turn; the least time "
         "counts\n"
         "    round_seconds: 0.01\n";
}

}  // namespace lapis
