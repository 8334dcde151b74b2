// The folder of a tuning run. After every trial it holds all that was found:
// whatever ends the process, no more than the running trial is lost.
//
//   history.json      every trial, which of them is best and which are the front, and what each unit does
//   best.onnx, .yaml  the best model so far, and its recipe, with the reason beside each node
//   report.html       the same as charts and tables
//   diagnosis.json    what the best quantized model lost, node by node, where the configuration asks for it
//   front/007.onnx, .yaml   the models that no other one beats in both accuracy and cost,
//                           by the numbers of their trials
//
// Files appear under their names when they are complete (base/file.h), the history last.
#pragma once

#include <set>

#include "tuning/reports/diagnosis.h"
#include "tuning/reports/tensorboard.h"
#include "tuning/search/workbench.h"

namespace lapis {

class Workspace {
 public:
  enum class Begin { Fresh, Resume, Restart };
  // Fails where there is a history, unless it is to be gone on with or to be replaced.
  // The folder is made by the first save. Event files for TensorBoard go to `tensorboard`, if that is not empty.
  static Result<Workspace> open(const Path& folder, Begin begin, const Path& tensorboard, Team& team);

  // What an interrupted run left; only its fingerprint is set where there is nothing to go on with.
  Result<History> recorded(const SearchSpace& space, const std::string& fingerprint, Team& team) const;
  Status save(const History& history, Workbench& bench);

  const Path& folder() const { return folder_; }
  Path history_file() const { return folder_ / "history.json"; }
  Path diagnosis_file() const { return folder_ / "diagnosis.json"; }
  Path best_file() const { return folder_ / "best.onnx"; }
  Path front_file(int trial) const;
  // As it was saved last; nullopt: none was asked for, or there is no quantized model.
  const std::optional<Diagnosis>& diagnosis() const { return diagnosis_; }

 private:
  Workspace(Path folder, Begin begin, const Path& tensorboard)
      : folder_(std::move(folder)), begin_(begin), tensorboard_(tensorboard) {}
  Status check_free() const;
  Result<std::string> history_text() const;
  Status make_folders() const;
  Status save_model(const Trial& trial, const Path& file, const Workbench& bench) const;
  void forget_others() const;
  Status diagnose(const History& history, Workbench& bench, const Insight& of_best);

  Path folder_;
  Begin begin_;
  Insights insights_, insights_of_quantized_;
  std::optional<Diagnosis> diagnosis_;
  TensorBoard tensorboard_;
  int best_ = -1;
  std::set<int> front_;
};

}  // namespace lapis
