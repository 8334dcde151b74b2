#include "frontends/keras/classes.h"

#include <algorithm>

#include "frontends/keras/import.h"

namespace lapis::keras_frontend {
namespace {

using View = std::string_view;

bool has_row(const std::string& name) {
  return std::ranges::any_of(translators(), [&](const frontend::Translator& row) { return row.op == name; });
}

bool is_known(const std::string& name) {
  return name.starts_with("ops.") || name.starts_with("tf.") || has_row(name) ||
         std::ranges::any_of(refused(), [&](const frontend::Refused& row) { return row.op == name; });
}

}  // namespace

bool is_one_of(View name, std::initializer_list<View> names) { return std::ranges::find(names, name) != names.end(); }

std::string operator_of(const Json& layer) {
  const std::string name = class_of(layer);
  return has_row(name) || !has_row("ops." + name) ? name : "ops." + name;
}

std::string plain_layer(const std::string& layer) {
  constexpr View kPrefix = "CuDNN";
  return layer.starts_with(kPrefix) ? layer.substr(kPrefix.size()) : layer;
}

bool is_recurrent(const std::string& layer) { return is_one_of(plain_layer(layer), {"GRU", "LSTM", "SimpleRNN"}); }

bool has_heads(const std::string& layer) { return is_one_of(layer, {"GroupQueryAttention", "MultiHeadAttention"}); }

bool is_attention(const std::string& layer) { return is_one_of(layer, {"AdditiveAttention", "Attention"}); }

bool is_conv_lstm(const std::string& layer) { return layer.starts_with("ConvLSTM"); }

std::vector<View> slots_of(const std::string& layer) {
  if (has_heads(layer)) return {"query", "value", "key", "attention_mask", "query_mask", "value_mask", "key_mask"};
  if (is_attention(layer)) return {"query", "value", "key", "mask", "mask"};
  if (layer == "GlobalAveragePooling1D" || layer == "Softmax") return {"inputs", "mask"};
  if (plain_layer(layer) == "LSTM" || is_conv_lstm(layer))
    return {"sequences", "initial_state", "initial_state", "mask"};
  if (is_recurrent(layer)) return {"sequences", "initial_state", "mask"};
  if (layer == "Bidirectional")
    return {"sequences", "initial_state", "initial_state", "initial_state", "initial_state", "mask"};
  return {};
}

size_t output_count(const std::string& layer, const Json& config) {
  if (layer == "Bidirectional") {
    const Json* inner = frontend::member(config, "layer");
    return inner ? 1 + 2 * (output_count(class_of(*inner), config_of(*inner)) - 1) : 1;
  }
  if (!flag(config, "return_state", false)) return 1;
  return plain_layer(layer) == "LSTM" || is_conv_lstm(layer) ? 3 : is_recurrent(layer) ? 2 : 1;
}

bool works_on_last_axis(const std::string& layer) {
  return is_one_of(layer, {"Activation", "Dense", "Dropout", "ELU", "LeakyReLU", "ReLU"});
}

bool directions_differ(const Json& config) {
  const Json *forward = frontend::member(config, "layer"), *backward = frontend::member(config, "backward_layer");
  if (!forward || !backward || !backward->is_object()) return false;
  const Json &first = config_of_cell(config_of(*forward)), &second = config_of_cell(config_of(*backward));
  const auto has_same = [&](const char* option) {
    const Json *a = frontend::member(first, option), *b = frontend::member(second, option);
    return (!a && !b) || (a && b && *a == *b);
  };
  return class_of(*forward) != class_of(*backward) || !has_same("units") || !has_same("activation") ||
         !has_same("recurrent_activation") || !has_same("use_bias") || !has_same("reset_after");
}

std::string refusal_of(const Json& layer) {
  const std::string name = operator_of(layer), registered = frontend::text(layer, "registered_name");
  if (name == "Lambda") return "it is Python code that the file keeps as bytecode, which Lapis never runs";
  const std::string package = registered.substr(0, registered.find('>'));
  if (package != registered && package != "Custom")
    return "a class of the package '" + package + "', whose code the file does not hold";
  const bool is_own = !registered.empty() && registered != frontend::text(layer, "class_name");
  if (is_own || !is_known(name)) return "a class of the program that made the model, whose code the file does not hold";
  return "";
}

}  // namespace lapis::keras_frontend
