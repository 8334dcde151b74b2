// What a dataset file says, read strictly: every key is known, every value has its type, and every finding names its line. Nothing is
// opened here but the file itself; docs/datasets.md describes it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/file.h"

namespace lapis {

struct ImagesConfig {
  std::string where;        // "data.yaml:4"
  std::string npy, folder;  // one of the two
  std::string layout;       // NHW, NHWC, or empty: as the array's rank says
  int64_t center_crop = 0;  // 0: the largest square
};

struct InputConfig {
  std::string where, name;
  std::vector<std::string> npy;  // rows as they are, or
  std::optional<ImagesConfig> images;
  double scale = 1;
  std::vector<double> mean, std;
  std::string deliver = "NCHW", dtype = "float32";  // what the model takes
};

struct LabelsConfig {
  std::string where, npy;
  int64_t file_name_digits = 0;
};

struct MetricSection {
  std::string where, name, output, scores;
};

struct DatasetConfig {
  std::vector<InputConfig> inputs;
  std::optional<ImagesConfig> calibration;
  std::optional<LabelsConfig> labels;
  std::optional<MetricSection> metric;
};

// `file` is for messages only. All findings at once.
Result<DatasetConfig> parse_dataset_config(const std::string& text, const Path& file);

}  // namespace lapis
