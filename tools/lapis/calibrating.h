// What verbs that calibrate share: the flags, the samples of a dataset, and what runs the model on them.
#pragma once

#include "passes/pass.h"
#include "tools/lapis/options.h"

namespace lapis::cli {

// --calibration DATA (returned) --threads N --backend jit|reference
Argument add_calibration(Arguments& app, std::string& calibration, ModelFlags& model);

class Calibrating {
 public:
  // At most so many samples, evenly spread over the data, for the inputs of `graph`, which loses those that are always
  // the same number and decide what it computes (tuning/fixed_inputs.h).
  static Result<Calibrating> with(const std::string& data, int64_t samples, Graph& graph, const ModelFlags& flags);
  int64_t samples() const { return data_.size(); }
  const std::vector<std::string>& notes() const { return notes_; }  // about those inputs
  // Gives a pass samples, evaluator and progress; this object must outlive it.
  void serve(PassContext& context) const;

 private:
  Calibrating(Dataset data, std::vector<std::string> notes, std::unique_ptr<Evaluator> evaluator)
      : data_(std::move(data)), notes_(std::move(notes)), evaluator_(std::move(evaluator)) {}
  Dataset data_;
  std::vector<std::string> notes_;
  std::unique_ptr<Evaluator> evaluator_;
};

}  // namespace lapis::cli
