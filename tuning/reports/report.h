// The state of a tuning run as one HTML file that needs nothing else: charts in SVG, tables, no script.
#pragma once

#include "tuning/reports/diagnosis.h"
#include "tuning/search/history.h"

namespace lapis {

struct ReportTitle {
  std::string model, metric;  // "resnet20.onnx", "top1"
};

// Pareto front, precisions, what each unit does to the outputs, the time that its int8 form saves, trials in their
// order; and, of the model that `insight` is about, its time by unit and the distributions of values in fp32 and int8.
// `diagnosis`: null for none.
std::string to_html(const History& history, const SearchSpace& space, const ReportTitle& title,
                    const Insight& insight = {}, const Diagnosis* diagnosis = nullptr);

}  // namespace lapis
