// Options that several verbs share, and what they turn into.
#pragma once

#include "driver/runner.h"
#include "tools/lapis/verb.h"
#include "tuning/evaluate.h"

namespace lapis::cli {

// MODEL --dim N=1 --shape x=1x3x8x8 --target T --threads N --backend jit|reference|reference-after-passes
struct ModelFlags {
  std::string model, target = "host", backend = "jit";
  std::vector<std::string> dims, shapes;
  int threads = 1;
  bool perf_map = false, artifact = false;

  void add_model(CLI::App& app);    // the positional argument and the shape flags
  void add_running(CLI::App& app);  // target, threads, backend
  Result<ModelOptions> model_options() const;
  Result<RunnerOptions> runner_options() const;
};

Result<Dataset> load_dataset(const std::string& path, const std::string& first_input);

// --input NAME=FILE.npy, repeatable.
Result<Feeds> read_feeds(const std::vector<std::string>& inputs);
// Inputs for models that got none: uniform in [-1, 1] or small integers, from a fixed seed.
std::vector<Tensor> random_inputs(const std::vector<IoInfo>& inputs);

// A progress bar on stderr with the time left; nothing where stderr is no terminal.
Progress progress_bar(std::string what);

std::string fixed(double value, int digits);
// Columns padded to their widest cell; the first row is the heading.
std::string table(const std::vector<std::vector<std::string>>& rows);
double percentile(std::vector<double> values, double p);

}  // namespace lapis::cli
