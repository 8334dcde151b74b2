// Dataset: labelled samples described by a small YAML file, read lazily. docs/datasets.md describes the file.
//
//   inputs:                        # one entry per model input
//     - name: image
//       images: {npy: test.npy, layout: NHWC}          # or {folder: images, center_crop: 224}
//       scale: 0.0039, mean: [..], std: [..]           # float32 = (pixel * scale - mean) / std, per channel, NCHW
//     - {name: ids, npy: ids.npy}                      # rows as they are; a list of files is concatenated
//   labels: {npy: labels.npy}                          # or {file_name_digits: 4}, with images from a folder
//   metric: {name: top1}
//   calibration: {npy: train.npy}                      # other images for calibration; default: the samples themselves
#pragma once

#include <functional>
#include <memory>

#include "base/file.h"
#include "ir/evaluate.h"

namespace lapis {

struct MetricConfig {
  std::string where;            // "data.yaml:7", for messages
  std::string name;             // top1, top5, cosine_pearson, cosine_spearman
  std::string output;           // the model output it reads; empty: the first
  std::vector<int64_t> labels;  // classification
  std::vector<double> scores;   // similarity of sample i and sample i + n
};

// Row `index` of a table, as a batch of one.
Tensor row(const Tensor& table, int64_t index);

class Dataset {
 public:
  static Result<Dataset> load(const Path& config);
  // A .npy file whose first axis counts samples, for a model with one input.
  static Result<Dataset> from_npy(const Path& file, const std::string& input);

  int64_t size() const { return size_; }
  Result<Feeds> sample(int64_t index) const {
    return sample_(index);
  }  // each tensor with a leading batch dimension of 1
  const MetricConfig& metric() const { return metric_; }
  const Dataset& calibration() const { return calibration_ ? *calibration_ : *this; }
  // Evenly spread over the whole; with scores, pairs of samples.
  Dataset limited_to(int64_t samples) const;

 private:
  Dataset limited_to_pairs(int64_t samples) const;
  int64_t size_ = 0;
  std::function<Result<Feeds>(int64_t)> sample_;
  MetricConfig metric_;
  std::shared_ptr<const Dataset> calibration_;
};

}  // namespace lapis
