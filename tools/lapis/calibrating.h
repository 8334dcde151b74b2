// What verbs that calibrate share: the flags, the samples of a dataset, and what runs the model on them.
#pragma once

#include "passes/pass.h"
#include "tools/lapis/options.h"

namespace lapis::cli {

// --calibration DATA (returned) --threads N --backend jit|reference
CLI::Option* add_calibration(CLI::App& app, std::string& calibration, ModelFlags& model);

class Calibrating {
 public:
  // At most so many samples, evenly spread over the data, for the inputs of `graph`.
  static Result<Calibrating> with(const std::string& data, int64_t samples, const Graph& graph,
                                  const ModelFlags& flags);
  int64_t samples() const { return data_.size(); }
  // Gives a pass samples, evaluator and progress; this object must outlive it.
  void serve(PassContext& context) const;

 private:
  Calibrating(Dataset data, std::unique_ptr<Evaluator> evaluator)
      : data_(std::move(data)), evaluator_(std::move(evaluator)) {}
  Dataset data_;
  std::unique_ptr<Evaluator> evaluator_;
};

}  // namespace lapis::cli
