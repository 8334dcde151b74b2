// A tuning run as event files that TensorBoard shows (`tensorboard --logdir DIR`), one run a folder:
//
//   trials/     scalars of every trial by its number: accuracy, milliseconds, improvement, megabytes,
//               int8 nodes, whether it meets the target
//   fp32/       the graph of the float model, and histograms of what its nodes compute and of its weights
//   trial_007/  the same of each trial that was best at its time, under the same tags,
//               so that TensorBoard shows them side by side
#pragma once

#include "base/file.h"
#include "tuning/reports/insight.h"
#include "tuning/search/history.h"

namespace lapis {

class TensorBoard {
 public:
  // An empty folder: nothing is written.
  explicit TensorBoard(Path folder) : folder_(std::move(folder)) {}

  bool wanted() const { return !folder_.empty(); }
  // What is not there yet. The first time scalars are written anew, later they are appended,
  // which is what TensorBoard follows.
  Status write(const History& history, const std::string& metric, const Graph& fp32, const Insight& insight);

 private:
  Status write_trials(const History& history, const std::string& metric);
  Status write_model(const std::string& run, const Graph& graph, const Insight& insight, bool fp32) const;
  Status make(const std::string& run) const;

  Path folder_;
  size_t written_ = 0;
  int looked_into_ = -1;
};

}  // namespace lapis
