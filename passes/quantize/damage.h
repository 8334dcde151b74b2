// What quantization did to a model, without labels:
// how far its values are from those of the float model on the same samples.
//
//   LAPIS_TRY(Damage damage, measure_damage(*original, *quantized, *evaluator, samples));
//   damage.outputs[0].sqnr;   // 31.7 dB
//   damage.worst[0].node;     // "conv_7", where most of the noise arises
//
// The signal to quantization noise ratio of a value is 10 log10(sum x^2 / sum (x - y)^2) in dB over all its elements
// and all samples: 20 dB are an error of a tenth. Both models run side by side as one graph, which computes the sums;
// so memory is that of the two models on one sample, and two numbers a node.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ir/evaluate.h"

namespace lapis {

inline constexpr double kLoudDamage = 20;  // dB: an output below this is warned of

struct NodeDamage {
  std::string node, op;    // of the float model
  bool quantized = false;  // it takes or gives fewer bits; else it only passes on, or magnifies, what comes in
  double sqnr = 0;         // of its result; infinite: exact
  double operands = 0;     // of the worst of its operands
};

// Where the largest part of an output's noise arises, and which contractions in fewer bits are to blame: the node
// itself, those that read what it stores in bytes, or those whose errors a float node magnifies.
struct DamageCause {
  NodeDamage node;
  std::vector<std::string> quantized;
  bool pruned = false;  // the node lost weights before it was quantized (whoever pruned it says so)
};

struct OutputDamage {
  std::string output;
  double sqnr = 0;  // NaN: the values are not finite, which has no ratio
  std::optional<DamageCause> cause;
};

struct Damage {
  int64_t samples = 0;                // 0: the models have no floats in common that could be compared
  std::vector<OutputDamage> outputs;  // those of floats
  std::vector<NodeDamage> worst;      // at most five, by the noise relative to their signal that arises in them
  std::vector<NodeDamage> nodes;      // all that both models have
};

// `quantized` was made from `original`: values of the same name correspond. Fails if a sample does not fit, or if the
// evaluator cannot run the models.
Result<Damage> measure_damage(const Graph& original, const Graph& quantized, Evaluator& evaluator,
                              const std::vector<Feeds>& samples);

// A warning for each output below kLoudDamage: where the noise arises and what to do.
Diagnostics warnings_of(const Damage& damage);

// "31.7 dB", "exact", "not finite".
std::string print_sqnr(double sqnr);

}  // namespace lapis
