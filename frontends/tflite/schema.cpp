#include "frontends/tflite/schema.h"

namespace lapis::tflite_frontend {
namespace {

struct TypeRow {
  std::string_view name;
  DType dtype;
};
// By number.
constexpr TypeRow kTypes[] = {
    {"float32", DType::Float32},   {"float16", DType::Float16},    {"int32", DType::Int32},
    {"uint8", DType::UInt8},       {"int64", DType::Int64},        {"string", DType::String},
    {"bool", DType::Bool},         {"int16", DType::Int16},        {"complex64", DType::Complex64},
    {"int8", DType::Int8},         {"float64", DType::Float64},    {"complex128", DType::Complex128},
    {"uint64", DType::UInt64},     {"resource", DType::Undefined}, {"variant", DType::Undefined},
    {"uint32", DType::UInt32},     {"uint16", DType::UInt16},      {"int4", DType::Int4},
    {"bfloat16", DType::BFloat16},
};

enum class Kind : uint8_t { Enum, Flag, Int, Float, Ints };  // Enum: one byte

struct Option {
  std::string_view name;
  int slot;
  Kind kind;
};
struct Options {
  std::string_view op;
  uint8_t type;  // in the union of all options
  std::vector<Option> options;
};

const std::vector<Options>& all_options() {
  static const std::vector<Option> pool = {{"padding", 0, Kind::Enum},      {"stride_w", 1, Kind::Int},
                                           {"stride_h", 2, Kind::Int},      {"filter_width", 3, Kind::Int},
                                           {"filter_height", 4, Kind::Int}, {"activation", 5, Kind::Enum}};
  static const std::vector<Options> all = {
      {"ADD", 11, {{"activation", 0, Kind::Enum}}},
      {"AVERAGE_POOL_2D", 5, pool},
      {"CONV_2D",
       1,
       {{"padding", 0, Kind::Enum},
        {"stride_w", 1, Kind::Int},
        {"stride_h", 2, Kind::Int},
        {"activation", 3, Kind::Enum},
        {"dilation_w", 4, Kind::Int},
        {"dilation_h", 5, Kind::Int}}},
      {"DEPTHWISE_CONV_2D",
       2,
       {{"padding", 0, Kind::Enum},
        {"stride_w", 1, Kind::Int},
        {"stride_h", 2, Kind::Int},
        {"activation", 4, Kind::Enum},
        {"dilation_w", 5, Kind::Int},
        {"dilation_h", 6, Kind::Int}}},
      {"FULLY_CONNECTED",
       8,
       {{"activation", 0, Kind::Enum}, {"weights_format", 1, Kind::Enum}, {"keep_num_dims", 2, Kind::Flag}}},
      {"MAX_POOL_2D", 5, pool},
      {"MEAN", 27, {{"keep_dims", 0, Kind::Flag}}},
      {"MUL", 21, {{"activation", 0, Kind::Enum}}},
      {"RESHAPE", 17, {{"new_shape", 0, Kind::Ints}}},
      {"SOFTMAX", 9, {{"beta", 0, Kind::Float}}},
  };
  return all;
}

frontend::SourceAttribute read(const FlatTable& table, const Option& option) {
  switch (option.kind) {
    case Kind::Enum: return int64_t{table.get<int8_t>(option.slot, 0)};
    case Kind::Flag: return table.get<uint8_t>(option.slot, 0) != 0;
    case Kind::Int: return int64_t{table.get<int32_t>(option.slot, 0)};
    case Kind::Float: return double{table.get<float>(option.slot, 0)};
    case Kind::Ints: break;
  }
  const std::vector<int32_t> numbers = table.numbers<int32_t>(option.slot);
  return std::vector<int64_t>(numbers.begin(), numbers.end());
}

}  // namespace

DType dtype_of(int8_t tensor_type) {
  const bool known = tensor_type >= 0 && static_cast<size_t>(tensor_type) < std::size(kTypes);
  return known ? kTypes[tensor_type].dtype : DType::Undefined;
}

std::string tensor_type_name(int8_t tensor_type) {
  const bool known = tensor_type >= 0 && static_cast<size_t>(tensor_type) < std::size(kTypes);
  return known ? std::string(kTypes[tensor_type].name) : "type number " + std::to_string(tensor_type);
}

Result<std::map<std::string, frontend::SourceAttribute, std::less<>>> options_of(std::string_view op,
                                                                                 const FlatTable& operation) {
  std::map<std::string, frontend::SourceAttribute, std::less<>> attributes;
  const auto type = operation.get<uint8_t>(node::OptionsType, 0);
  const FlatTable table = operation.table(node::Options);
  if (type == 0 || !table.exists()) return attributes;
  for (const Options& row : all_options()) {
    if (row.op != op) continue;
    if (row.type != type)
      return error(ErrorKind::Input, "its options are those of another operator (number " + std::to_string(type) + ")");
    for (const Option& option : row.options)
      if (table.has(option.slot)) attributes.emplace(option.name, read(table, option));
  }
  return attributes;
}

}  // namespace lapis::tflite_frontend
