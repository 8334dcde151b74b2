#include "frontends/keras/config.h"

#include <algorithm>

namespace lapis::keras_frontend {
namespace {

using frontend::elements;
using frontend::integer;
using frontend::member;
using frontend::text;

constexpr int kDeepest = 8;
// What archives and programs call it, and what Keras' own code and other files do.
constexpr const char *kGrouped = "GroupQueryAttention", *kGroupedInside = "GroupedQueryAttention";

void flatten(const Json& list, std::vector<double>& numbers, int depth = 0) {
  for (const Json& item : elements(list)) {
    if (item.is_array() && depth < kDeepest) flatten(item, numbers, depth + 1);
    if (item.is_number()) numbers.push_back(item.get<double>());
    if (item.is_null()) numbers.push_back(-1);
  }
}

bool is_whole(double number) {
  constexpr double kMost = 1e15;
  return number > -kMost && number < kMost && number == static_cast<double>(static_cast<int64_t>(number));
}

// ["conv", 0, 0, {...}]
std::optional<Place> place_of(const Json& list) {
  const Json::array_t& parts = elements(list);
  if (parts.size() < 3 || !parts[0].is_string()) return std::nullopt;
  const auto call = integer(parts[1]), tensor = integer(parts[2]);
  const auto counts = [](const std::optional<int64_t>& number) {
    return number && *number >= 0 && *number <= INT32_MAX;
  };
  return counts(call) && counts(tensor) ? std::optional(Place{text(parts[0]), *call, *tensor}) : std::nullopt;
}

// {"class_name": "__keras_tensor__", "config": {"keras_history": ["conv", 0, 0]}}
std::optional<Place> place_of_tensor(const Json& argument) {
  if (text(argument, "class_name") != "__keras_tensor__") return place_of(argument);
  const Json* history = member(config_of(argument), "keras_history");
  return history ? place_of(*history) : std::nullopt;
}

// The operands of an argument, which may be a list of them.
void collect(const Json& argument, Call& call, std::vector<Operand>& operands, int depth = 0) {
  if (const auto place = place_of_tensor(argument)) {
    operands.push_back({place});
  } else if (argument.is_number()) {
    operands.push_back({std::nullopt, argument.get<double>()});
  } else if (argument.is_array() && depth < kDeepest) {
    for (const Json& item : elements(argument)) collect(item, call, operands, depth + 1);
  } else if (!argument.is_null()) {
    call.has_others = true;
  }
}

// One mask, or one for each of several operands, of which some have none.
void collect_masks(const Json& argument, Call& call, std::vector<Operand>& masks) {
  if (place_of_tensor(argument)) return collect(argument, call, masks);
  for (const Json& item : elements(argument))
    if (item.is_null())
      masks.push_back({std::nullopt, 0, true});
    else
      collect(item, call, masks);
}

bool has_tensor(const Json& argument, int depth = 0) {
  if (place_of_tensor(argument)) return true;
  for (const Json& item : elements(argument))
    if (depth < kDeepest && has_tensor(item, depth + 1)) return true;
  return false;
}

// Operands of arithmetic that may be numbers.
bool names_operand(const std::string& name) {
  return name == "a" || name == "b" || name == "x" || name == "x1" || name == "x2" || name == "y";
}

void collect_named(const Json& arguments, Call& call) {
  if (!arguments.is_object()) return;
  for (const auto& [name, value] : arguments.get_ref<const Json::object_t&>()) {
    if (name == "mask" && has_tensor(value))
      collect_masks(value, call, call.named[name]);
    else if (has_tensor(value) || (value.is_number() && names_operand(name)))
      collect(value, call, call.named[name]);
    else if (auto option = attribute_of(value))
      call.options.emplace(name, *std::move(option));
  }
}

// [["input_1", 0, 0, {...}], ...], or a constant as ["_CONSTANT_VALUE", -1, 2.0, {...}].
// What is named belongs to all of them.
Call old_call(const Json& node) {
  Call call;
  const Json::array_t& list = elements(node);
  const bool is_one = !list.empty() && list[0].is_string();
  for (const Json& operand : is_one ? Json::array_t{node} : list) {
    const Json::array_t& parts = elements(operand);
    if (parts.size() >= 3 && text(parts[0]) == "_CONSTANT_VALUE")
      collect(parts[2], call, call.operands);
    else
      collect(operand, call, call.operands);
    if (parts.size() > 3) collect_named(parts[3], call);
  }
  return call;
}

Call new_call(const Json& node) {
  Call call;
  if (const Json* arguments = member(node, "args"))
    for (const Json& argument : elements(*arguments)) collect(argument, call, call.operands);
  if (const Json* named = member(node, "kwargs")) collect_named(*named, call);
  return call;
}

}  // namespace

const Json& config_of(const Json& layer) {
  static const Json kNone = Json::object();
  const Json* config = member(layer, "config");
  return config && config->is_object() ? *config : kNone;
}

std::string name_of(const Json& layer) {
  const std::string name = text(layer, "name");
  return name.empty() ? text(config_of(layer), "name") : name;
}

std::string class_inside(const Json& layer) {
  const std::string name = text(layer, "class_name");
  return name == kGrouped ? kGroupedInside : name;
}

const Json& config_of_cell(const Json& config) {
  const Json* cell = member(config, "cell");
  return cell && cell->is_object() ? config_of(*cell) : config;
}

// "LSTM" of an LSTMCell.
static std::string kind_of_cell(const Json& config) {
  const Json* cell = member(config, "cell");
  if (!cell) return "";
  const std::string registered = text(*cell, "registered_name"), name = text(*cell, "class_name");
  if (!registered.empty() && registered != name) return "";
  for (const char* kind : {"GRU", "LSTM", "SimpleRNN"})
    if (name == std::string(kind) + "Cell") return kind;
  return "";
}

std::string class_of(const Json& layer) {
  const std::string name = text(layer, "class_name"), module_name = text(layer, "module");
  if (name == "TFOpLambda") return "tf." + text(config_of(layer), "function");
  if (name == kGroupedInside) return kGrouped;
  if (std::string kind = kind_of_cell(config_of(layer)); name == "RNN" && !kind.empty()) return kind;
  return module_name.starts_with("keras.src.ops") || module_name.starts_with("keras.ops") ? "ops." + name : name;
}

bool is_model(const Json& layer) {
  const std::string name = text(layer, "class_name");
  return name == "Functional" || name == "Model" || name == "Sequential";
}

bool is_sequence(const Json& model) { return text(model, "class_name") == "Sequential"; }

// Old files have the layers of a Sequential without anything around them.
const Json::array_t& layers_of(const Json& model) {
  const Json* config = member(model, "config");
  return config && config->is_array() ? elements(*config) : elements(config_of(model), "layers");
}

bool flag(const Json& config, std::string_view name, bool fallback) {
  const Json* value = member(config, name);
  return value && value->is_boolean() ? value->get<bool>() : fallback;
}

std::vector<int64_t> sizes_of(const Json& shape) {
  std::vector<int64_t> sizes;
  for (const Json& size : elements(shape)) sizes.push_back(integer(size).value_or(-1));
  return sizes;
}

std::optional<frontend::SourceAttribute> attribute_of(const Json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (const auto number = integer(value)) return *number;
  if (value.is_number()) return value.get<double>();
  if (value.is_string()) return value.get<std::string>();
  // A function by its name, anything else by its class.
  if (value.is_object())
    return text(value, "class_name") == "function" ? text(value, "config") : text(value, "class_name");
  if (!value.is_array()) return std::nullopt;
  std::vector<double> numbers;
  flatten(value, numbers);
  if (!std::ranges::all_of(numbers, is_whole)) return numbers;
  std::vector<int64_t> whole;
  whole.reserve(numbers.size());
  for (const double number : numbers) whole.push_back(static_cast<int64_t>(number));
  return whole;
}

std::vector<Call> calls_of(const Json& layer) {
  std::vector<Call> calls;
  for (const Json& node : elements(layer, "inbound_nodes"))
    calls.push_back(node.is_object() ? new_call(node) : old_call(node));
  return calls;
}

std::vector<Place> places_of(const Json& list) {
  if (const auto one = place_of(list)) return {*one};
  std::vector<Place> all;
  for (const auto& [name, item] : list.items())
    if (const auto place = place_of(item)) all.push_back(*place);
  return all;
}

}  // namespace lapis::keras_frontend
