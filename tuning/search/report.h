// The state of a tuning run as one HTML file that needs nothing else: charts in SVG, tables, no script.
#pragma once

#include "tuning/search/history.h"

namespace lapis {

struct ReportTitle {
  std::string model, metric;  // "resnet20.onnx", "top1"
};

// Pareto front, trials in their order, what each unit does to the outputs, and the time that its int8 form saves.
std::string to_html(const History& history, const SearchSpace& space, const ReportTitle& title);

}  // namespace lapis
