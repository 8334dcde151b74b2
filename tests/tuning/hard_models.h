// Models made hard on purpose, with their data: quantized as usual they fail, and one node is to blame.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "ir/graph.h"
#include "tuning/search/config.h"

namespace lapis::testing {

// A folder with model.onnx and eval.yaml, removed with the object.
struct HardModel {
  Path folder;
  std::string culprit;              // the node that must stay in fp32
  double share_limit = 8;           // of the recipe that it is hard for
  std::vector<std::string> forced;  // nodes that this recipe wants in int8, whatever stands behind them
  ~HardModel();

  // Tuning it by 400 samples; one candidate.
  TuneConfig config() const;
};

// The Fashion-MNIST example with three channels in front of its last Gemm a thousand times as large and their weights
// as much smaller: the same function, and a range in which the other channels are nothing.
std::unique_ptr<HardModel> outlier_channels();
// Boxes in pixels and scores near 0 that share a scale in a Concat, behind which the boxes become small; only the
// scores are read. Labels are what fp32 says.
std::unique_ptr<HardModel> shared_concat();
// A discrete Fourier transform as a Conv, the logarithm of its power, and a Gemm that hears which of eight tones is
// there, beside one that is a thousand times as loud.
std::unique_ptr<HardModel> spectrogram();
// Two blocks of an encoder on a residual stream; the first normalization has two channels four hundred times as large
// as the others, and weights as much smaller behind them. Labels are what fp32 says.
std::unique_ptr<HardModel> residual_encoder();

}  // namespace lapis::testing
