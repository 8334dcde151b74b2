// Dataset: labelled samples described by a small YAML file, read lazily. docs/datasets.md describes the file.
//
//   inputs:                        # one entry per model input
//     - name: image
//       images: {folder: images}                       # a format of formats.h; arrays, pictures, text, ...
//       transforms: [{resize: 256}, {center_crop: 224}, {normalize: {scale: 0.0039}}, {transpose: [2, 0, 1]}]
//     - {name: state, constant: {value: 0, shape: [2, 1, 128]}, batch: false, carry: stateN}
//   labels: {npy: labels.npy}
//   metric: {name: top1}           # or a list of metrics; the first is what tuning looks at
//   calibration: {npy: train.npy}  # other images for calibration; default: the samples themselves
#pragma once

#include <map>
#include <memory>
#include <set>

#include "base/file.h"
#include "ir/evaluate.h"
#include "ir/number.h"
#include "tuning/data/config.h"

namespace lapis {

// An input that is what the model gave in an output for the sample before; its first value is the dataset's.
struct Carry {
  std::string input, output, where;
};

class Dataset {
 public:
  // `tables` says what the file can name: the rows of Lapis, and whatever a program adds.
  static Result<Dataset> load(const Path& config, const DatasetTables& tables = {});
  // A .npy file whose first axis counts samples, for a model with one input.
  static Result<Dataset> from_npy(const Path& file, const std::string& input);

  // Ready inputs, one set a sample, all of the same names.
  static Dataset from_feeds(std::vector<Feeds> samples, const std::string& where);

  int64_t size() const { return size_; }
  // Each tensor with a leading 1, unless its input says `batch: false`; carried inputs have their first value.
  Result<Feeds> sample(int64_t index) const;
  // The label that metric `metric` needs of a sample;
  // undefined for metrics without labels, and for those that compare two models.
  Result<Tensor> label(int64_t index, size_t metric = 0) const;
  const std::vector<MetricConfig>& metrics() const;
  const std::vector<Carry>& carried() const;
  const Path& reference() const;  // the model that metrics of LabelKind::Reference compare with; empty: none is named
  const std::string& where() const;
  const Dataset& calibration() const { return calibration_ ? *calibration_ : *this; }
  // Inputs that are one and the same number in every sample.
  std::map<std::string, Number> fixed_numbers() const;
  Dataset without(std::set<std::string> inputs) const;
  // Evenly spread over the whole; the first ones where something is carried. Pairs of samples stay together.
  Dataset limited_to(int64_t samples) const;

 private:
  struct Content;
  friend class DatasetLoader;
  static Dataset with(Content content);
  bool has_pairs() const;
  int64_t original(int64_t index) const { return chosen_.empty() ? index : chosen_[static_cast<size_t>(index)]; }

  std::shared_ptr<const Content> content_;
  int64_t size_ = 0;
  std::vector<int64_t> chosen_;  // of the whole; empty: all of it
  std::set<std::string> left_out_;
  std::shared_ptr<const Dataset> calibration_;
};

}  // namespace lapis
