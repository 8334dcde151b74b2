// What a quantized model of a tuning run lost, node by node, and what to do about it:
// the section `diagnosis` of a tuning configuration.
//
// For every unit: the signal to noise ratio of its result and of what it reads in that model, what it costs the outputs
// alone in int8, how its values and weights are spread in both models, and its time in both.
#pragma once

#include <string>
#include <vector>

#include "tuning/reports/insight.h"

namespace lapis {

// How values are spread; NaN where there are none.
struct Spread {
  double min, max, mean, deviation;
};
Spread spread_of(const Seen& seen);

struct UnitDiagnosis {
  std::string node, op;
  bool int8 = false;            // in this model
  double sqnr, operands;        // dB of its result and of the worst of what it reads; NaN: not known
  double alone, milliseconds;   // dB of the outputs with it alone in int8, and what int8 saves
  Spread values, int8_values;   // of its result in fp32 and in this model
  Spread weights;               // in fp32
  double fp32_time, int8_time;  // milliseconds of one run
  std::string advice;           // empty: none
};

struct Diagnosis {
  int trial = -1;  // which model it is about
  int64_t samples = 0;
  std::vector<OutputDamage> outputs;
  std::vector<UnitDiagnosis> units;  // those in which most noise arises come first
  Diagnostics warnings;              // of outputs that are far from fp32
  std::string problem;               // why there is nothing; empty: there is
};

// Of the units of which a node's whole name matches one of the expressions; none: all.
Diagnosis diagnosis_of(const Insight& insight, const Attribution& attribution, const SearchSpace& space,
                       const std::vector<std::string>& nodes);

std::string to_json(const Diagnosis& diagnosis);
// A section of the report.
std::string to_html(const Diagnosis& diagnosis);

}  // namespace lapis
