// Normalization over images and channels.
#include "frontends/tensorflow/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/ops.h"

namespace lapis::tensorflow_frontend {

Status fused_batch_norm(Translation& t) {
  constexpr double kEpsilon = 1e-4;
  if (t.get<bool>("is_training", true))
    return Translation::unsupported("statistics of the batch (is_training): export the model for inference");
  if (t.output_count() > 1) return Translation::unsupported("its statistics as results");
  const Layout layout = has_channels_first(t) ? Layout::AsWritten : Layout::ChannelsFirst;
  LAPIS_TRY(Value * x, t.real(0, layout));
  std::vector<Value*> inputs = {x};
  for (size_t i = 1; i < t.input_count(); ++i) {
    LAPIS_TRY(inputs.emplace_back(), t.real(i, Layout::AsWritten));
  }
  const ops::BatchNormalizationAttrs attributes{.epsilon = static_cast<float>(t.get<double>("epsilon", kEpsilon))};
  LAPIS_TRY(Value * y, t.add(ops::BatchNormalization, inputs, attributes));
  return t.set(0, y, layout);
}

// Over neighbouring channels. ONNX divides the sum by how many they are.
Status lrn(Translation& t) {
  constexpr int64_t kRadius = 5, kMost = 1 << 20;
  constexpr double kBeta = 0.5;
  const auto radius = t.get<int64_t>("depth_radius", kRadius);
  if (radius < 0 || radius > kMost) return error(ErrorKind::Input, "has a depth_radius of " + std::to_string(radius));
  const int64_t size = 2 * radius + 1;
  LAPIS_TRY(Value * x, t.real(0, Layout::ChannelsFirst));
  const ops::LrnAttrs attributes{.alpha = static_cast<float>(t.get<double>("alpha", 1) * static_cast<double>(size)),
                                 .beta = static_cast<float>(t.get<double>("beta", kBeta)),
                                 .bias = static_cast<float>(t.get<double>("bias", 1)),
                                 .size = size};
  LAPIS_TRY(Value * y, t.add(ops::LRN, {x}, attributes));
  return t.set(0, y, Layout::ChannelsFirst);
}

}  // namespace lapis::tensorflow_frontend
