// Which node hurts: what each node of a float model does to the outputs when it alone is int8, and what that saves. As
// `lapis tune` measures it before its search, but without a metric.
#pragma once

#include "passes/quantize/recipe.h"
#include "tools/lapis/options.h"

namespace lapis::cli {

struct SensitivityFlags {
  std::string data;  // a dataset file, or a .npy array; empty: nothing is measured
  int64_t samples = 16;
};

// --sensitivity DATA --sensitivity-samples N
void add_sensitivity(Arguments& app, SensitivityFlags& flags);
// Adds the table, those that hurt most first, and its JSON to the report.
// Nodes of a line change their precision together.
Status add_sensitivity_table(const SensitivityFlags& flags, const ModelFlags& model, const Recipe& recipe,
                             Report& report);

}  // namespace lapis::cli
