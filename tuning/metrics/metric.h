// Metrics: one number for a model on a dataset, and where there is one a score of every sample, so that two models can
// be compared in pairs. One row a metric, one file a family; docs/datasets.md has the table. What is not a number
// counts as wrong.
//
//   LAPIS_TRY(auto metric, row.make({settings, samples}));
//   LAPIS_CHECK(metric->add({i, {output}, label, &feeds}));      // once for each sample, in any order
//   double accuracy = metric->value();
#pragma once

#include <functional>
#include <memory>

#include "ir/evaluate.h"
#include "tuning/data/settings.h"

namespace lapis {

// What a metric sees of one sample.
struct Observation {
  int64_t sample = 0;
  std::vector<Tensor> outputs;   // in the order of MetricRow::outputs
  Tensor label;                  // as MetricRow::label says; undefined for LabelKind::None
  const Feeds* feeds = nullptr;  // what the model was given
};

class Metric {
 public:
  virtual ~Metric() = default;
  virtual Status add(const Observation& seen) = 0;
  virtual Result<double> value() const = 0;
  // One number a sample whose mean is value(), or empty where there is none (correlations, areas).
  virtual std::vector<double> scores() const { return {}; }
  // Samples whose output holds NaN.
  virtual int64_t unusable() const = 0;
};

enum class LabelKind {
  None,
  Optional,   // whatever the dataset has
  Class,      // a whole number from 0
  Numbers,    // an array of numbers
  Text,       // a string
  Pairs,      // `scores` of the metric: one number for sample i and sample i + n
  Reference,  // the same output of another model: of what was quantized
};

struct MetricSetup {
  Settings settings;
  int64_t samples = 0;
};

struct MetricRow {
  std::string name;
  std::string doc;
  std::vector<Option> options = {};
  LabelKind label = LabelKind::None;
  std::vector<std::string> outputs = {
      "output"};                 // what it reads: options that name outputs of the model; default: in the model's order
  bool higher_is_better = true;  // a flag `lower_is_better` among the options turns it around
  std::function<Result<std::unique_ptr<Metric>>(const MetricSetup&)> make = {};
};

std::vector<MetricRow> metrics();

// The families that metrics() lists, each from its file.
std::vector<MetricRow> classification_metrics();
std::vector<MetricRow> similarity_metrics();
std::vector<MetricRow> binary_metrics();
std::vector<MetricRow> ranking_metrics();
std::vector<MetricRow> text_metrics();
std::vector<MetricRow> language_metrics();
std::vector<MetricRow> box_metrics();
std::vector<MetricRow> detection_metrics();
std::vector<MetricRow> segmentation_metrics();
std::vector<MetricRow> distance_metrics();
std::vector<MetricRow> process_metrics();

// A 95 % interval of the mean difference b - a of paired scores in [0,
// 1] (Bonett-Price; needs scores of both on the same samples).
struct Interval {
  double mean, low, high;
};
Interval paired_difference(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace lapis
