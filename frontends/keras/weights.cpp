#include "frontends/keras/weights.h"

#include <algorithm>
#include <cctype>

#include "frontends/keras/classes.h"

namespace lapis::keras_frontend {
namespace {

Diagnostic missing(const std::string& kind) {
  return error(ErrorKind::Input, "the file does not hold its " + kind)
      .help("save the whole model again, with its weights");
}

// ---- what layers have -----------------------------------------------------------------------------------------------

// A weight, and the option that says whether the layer has it.
struct Row {
  const char* kind;
  const char* flag = nullptr;
};
const std::vector<Row>& rows_of(const std::string& layer) {
  static const std::vector<Row> kNone, kDense = {{"kernel"}, {"bias", "use_bias"}};
  static const std::vector<Row> kScale = {{"gamma", "scale"}, {"beta", "center"}};
  static const std::vector<Row> kSeparable = {{"depthwise_kernel"}, {"pointwise_kernel"}, {"bias", "use_bias"}};
  static const std::map<std::string, std::vector<Row>, std::less<>> kKnown = {
      {"AdditiveAttention", {{"scale", "use_scale"}}},
      {"BatchNormalization", {{"gamma", "scale"}, {"beta", "center"}, {"moving_mean"}, {"moving_variance"}}},
      {"Conv1D", kDense},
      {"Conv1DTranspose", kDense},
      {"Conv2D", kDense},
      {"Conv2DTranspose", kDense},
      {"Conv3D", kDense},
      {"Conv3DTranspose", kDense},
      {"Dense", kDense},
      {"DepthwiseConv1D", kDense},
      {"DepthwiseConv2D", kDense},
      {"Embedding", {{"embeddings"}}},
      {"GroupNormalization", kScale},
      {"LayerNormalization", kScale},
      {"LayerScale", {{"gamma"}}},
      {"PReLU", {{"alpha"}}},
      {"RMSNormalization", {{"scale"}}},
      {"SeparableConv1D", kSeparable},
      {"SeparableConv2D", kSeparable},
  };
  const auto it = kKnown.find(layer);
  return it == kKnown.end() ? kNone : it->second;
}

void add_cell(std::vector<Weight>& weights, const Json& layer_config, const std::string& part) {
  const Json& config = config_of_cell(layer_config);
  weights.push_back({"kernel", part});
  weights.push_back({"recurrent_kernel", part});
  weights.push_back({"bias", part, flag(config, "use_bias", true)});
}

std::vector<Weight> weights_of_both_directions(const Json& config) {
  const Json* layer = frontend::member(config, "layer");
  std::vector<Weight> weights;
  if (!layer || !is_recurrent(class_of(*layer))) return weights;
  add_cell(weights, config_of(*layer), "forward_layer/cell");
  add_cell(weights, config_of(*layer), "backward_layer/cell");
  return weights;
}

std::vector<Weight> weights_of_attention(const Json& config) {
  std::vector<Weight> weights;
  for (const char* part : {"query_dense", "key_dense", "value_dense", "output_dense"}) {
    weights.push_back({"kernel", part});
    weights.push_back({"bias", part, flag(config, "use_bias", true)});
  }
  return weights;
}

std::vector<Weight> weights_of_scores(const Json& config) {
  return {{"scale", "", flag(config, "use_scale", false)},
          {"concat_score_weight", "", frontend::text(config, "score_mode") == "concat"}};
}

std::vector<Weight> weights_of_table(const Json& config) {
  return {{"embeddings", ""}, {"reverse_embeddings", "", !flag(config, "tie_weights", true)}};
}

std::vector<Weight> weights_of_einsum(const Json& config) {
  const Json* bias = frontend::member(config, "bias_axes");
  return {{"kernel", ""}, {"bias", "", bias && !bias->is_null()}};
}

// They are in the configuration, if the layer was given them.
std::vector<Weight> weights_of_normalization(const Json& config) {
  const Json* mean = frontend::member(config, "mean");
  if (mean && !mean->is_null()) return {};
  return {{"mean", ""}, {"variance", ""}, {"count", ""}};
}

// ---- names ----------------------------------------------------------------------------------------------------------

// "model/conv/kernel:0" as "kernel"
std::string last_part(const std::string& name) {
  const std::string part = name.substr(name.rfind('/') + 1);
  return part.substr(0, part.find(':'));
}

bool has_part(const std::string& name, const std::string& part) {
  return name.starts_with(part + "/") || name.find("/" + part + "/") != std::string::npos;
}

}  // namespace

std::vector<Weight> weights_of(const std::string& layer, const Json& config) {
  if (layer == "EinsumDense") return weights_of_einsum(config);
  if (layer == "Bidirectional") return weights_of_both_directions(config);
  if (layer == "Attention") return weights_of_scores(config);
  if (layer == "ReversibleEmbedding") return weights_of_table(config);
  if (has_heads(layer)) return weights_of_attention(config);
  if (layer == "Normalization") return weights_of_normalization(config);
  std::vector<Weight> weights;
  if (is_recurrent(layer) || is_conv_lstm(layer)) add_cell(weights, config, "cell");
  for (const Row& row : rows_of(layer)) weights.push_back({row.kind, "", !row.flag || flag(config, row.flag, true)});
  return weights;
}

std::string snake_case(std::string_view name) {
  std::string result;
  const auto is = [&](size_t i, int (*kind)(int)) {
    return i < name.size() && kind(static_cast<unsigned char>(name[i])) != 0;
  };
  for (size_t i = 0; i < name.size(); ++i) {
    if (!is(i, std::isalnum) && name[i] != '_') continue;
    if (i > 0 && is(i, std::isupper) && (is(i - 1, std::islower) || is(i + 1, std::islower))) result += '_';
    result += static_cast<char>(std::tolower(static_cast<unsigned char>(name[i])));
  }
  return result;
}

// As Keras itself does: in order where there are as many as the layer has, else by name.
Result<std::vector<Tensor>> Weights::read_listed(const LayerPath& path, const std::vector<Weight>& wanted) {
  const std::string group = "/model_weights/" + path.outermost;
  std::vector<std::string> names = file_.texts(group, "weight_names").value_or(std::vector<std::string>());
  if (path.is_nested()) std::erase_if(names, [&](const std::string& name) { return !has_part(name, path.layer); });
  const bool in_order = static_cast<int64_t>(names.size()) == std::ranges::count(wanted, true, &Weight::exists);
  std::vector<Tensor> tensors;
  for (const Weight& w : wanted) {
    if (!w.exists) continue;
    const auto found = in_order ? names.begin() : std::ranges::find(names, w.kind, last_part);
    if (found == names.end()) return missing(w.kind);
    LAPIS_TRY(tensors.emplace_back(), file_.tensor(group + "/" + *found));
    names.erase(found);
  }
  return tensors;
}

Result<std::vector<Tensor>> Weights::read_numbered(const LayerPath& path, const std::vector<Weight>& wanted) {
  std::vector<Tensor> tensors;
  std::map<std::string, size_t> next;
  for (const Weight& w : wanted) {
    if (!w.exists) continue;
    const std::string place = "/vars/" + std::to_string(next[w.part]++);
    std::string at = path.group + (w.part.empty() ? "" : "/" + w.part) + place;
    if (!file_.has(at)) at = path.group + "/_" + w.part + place;  // as Keras 2 calls the parts of an attention
    if (!file_.has(at)) return missing(w.kind);
    LAPIS_TRY(tensors.emplace_back(), file_.tensor(at));
  }
  return tensors;
}

Result<std::vector<Tensor>> Weights::read(const LayerPath& path, const std::vector<Weight>& wanted) {
  return are_numbered() ? read_numbered(path, wanted) : read_listed(path, wanted);
}

}  // namespace lapis::keras_frontend
