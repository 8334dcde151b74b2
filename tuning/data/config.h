// What a dataset file says, read strictly: every key is known, every value has its type, and every finding names its
// line. Nothing is opened here but the file itself; docs/datasets.md describes it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "tuning/data/formats.h"
#include "tuning/data/transforms.h"
#include "tuning/metrics/metric.h"

namespace lapis {

// What a dataset file can name. Programs add rows of their own:
//
//   DatasetTables tables;
//   tables.metrics.push_back({.name = "mine", .doc = "...", .label = LabelKind::Class, .make = make_mine});
//   LAPIS_TRY(const Dataset data, Dataset::load("data.yaml", tables));
struct DatasetTables {
  std::vector<Format> formats = lapis::formats();
  std::vector<Transform> transforms = lapis::transforms();
  std::vector<MetricRow> metrics = lapis::metrics();
};

struct SourceConfig {
  Format format;
  Settings settings;
};

struct TransformConfig {
  Transform transform;
  Settings settings;
};

struct InputConfig {
  std::string where, name;
  std::optional<SourceConfig> source;
  std::vector<TransformConfig> transforms;
  std::optional<Windows> windows;
  bool batch = true;  // a leading 1 is added
  std::string carry;  // the output of the sample before
};

struct LabelsConfig {
  std::string where;
  std::optional<SourceConfig> source;
  std::vector<TransformConfig> transforms;
  bool is_grouped = false;
  int64_t file_name_digits = 0;
  bool folders = false;
};

struct MetricConfig {
  MetricRow row;
  Settings settings;
};

struct DatasetConfig {
  std::vector<InputConfig> inputs;
  std::optional<SourceConfig> calibration;
  std::optional<LabelsConfig> labels;
  std::vector<MetricConfig> metrics;
  std::string reference;
};

// `file` is for messages, and names are relative to its folder. All findings at once.
Result<DatasetConfig> parse_dataset_config(const std::string& text, const Path& file, const DatasetTables& tables = {});

}  // namespace lapis
