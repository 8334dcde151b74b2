#include "frontends/tensorflow/refs.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <unordered_map>
#include <vector>

namespace lapis::tensorflow_frontend {
namespace {

std::optional<size_t> number(std::string_view text) {
  size_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = failed == std::errc() && end == text.data() + text.size();
  return whole && value < kMostOutputs ? std::optional(value) : std::nullopt;
}

}  // namespace

Ref ref_of(std::string_view text) {
  const size_t first = text.find(':');
  if (first == std::string_view::npos) return {text, {}, 0};
  const std::string_view node = text.substr(0, first), rest = text.substr(first + 1);
  if (const auto index = number(rest)) return {node, {}, *index};
  const size_t second = rest.find(':');
  const auto index = second == std::string_view::npos ? std::optional<size_t>(0) : number(rest.substr(second + 1));
  return {node, rest.substr(0, second), index.value_or(kMostOutputs)};
}

std::string name_of_output(const std::string& node, size_t index) {
  return index == 0 ? node : node + ":" + std::to_string(index);
}

size_t first_output(const std::string& op, std::string_view argument) {
  static const std::unordered_map<std::string_view, std::vector<std::string_view>> kOutputs = {
      {"BatchNormWithGlobalNormalization", {"result"}},
      {"CombinedNonMaxSuppression", {"nmsed_boxes", "nmsed_scores", "nmsed_classes", "valid_detections"}},
      {"FusedBatchNorm", {"y", "batch_mean", "batch_variance", "reserve_space_1", "reserve_space_2"}},
      {"FusedBatchNormV2", {"y", "batch_mean", "batch_variance", "reserve_space_1", "reserve_space_2"}},
      {"FusedBatchNormV3",
       {"y", "batch_mean", "batch_variance", "reserve_space_1", "reserve_space_2", "reserve_space_3"}},
      {"LSTMBlockCell", {"i", "cs", "f", "o", "ci", "co", "h"}},
      {"BlockLSTM", {"i", "cs", "f", "o", "ci", "co", "h"}},
      {"BlockLSTMV2", {"i", "cs", "f", "o", "ci", "co", "h"}},
      {"CudnnRNNV3", {"output", "output_h", "output_c", "reserve_space", "host_reserved"}},
      {"MaxPoolWithArgmax", {"output", "argmax"}},
      {"Merge", {"output", "value_index"}},
      {"NonMaxSuppressionV4", {"selected_indices", "valid_outputs"}},
      {"NonMaxSuppressionV5", {"selected_indices", "selected_scores", "valid_outputs"}},
      {"Switch", {"output_false", "output_true"}},
      {"TensorArrayConcatV3", {"value", "lengths"}},
      {"TensorArrayV3", {"handle", "flow"}},
      {"TensorListConcat", {"tensor", "lengths"}},
      {"TensorListConcatV2", {"tensor", "lengths"}},
      {"TensorListPopBack", {"output_handle", "tensor"}},
      {"TopK", {"values", "indices"}},
      {"TopKV2", {"values", "indices"}},
      {"Unique", {"y", "idx"}},
      {"UniqueWithCounts", {"y", "idx", "count"}},
  };
  const auto it = kOutputs.find(op);
  if (it == kOutputs.end()) return 0;
  const auto at = std::ranges::find(it->second, argument);
  return static_cast<size_t>(at == it->second.end() ? 0 : at - it->second.begin());
}

}  // namespace lapis::tensorflow_frontend
