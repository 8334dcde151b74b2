#include "frontends/tflite/schema.h"

#include "frontends/tflite/flexbuffer.h"

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
    {"bfloat16", DType::BFloat16}, {"int2", DType::Int2},          {"uint4", DType::UInt4},
};

enum class Kind : uint8_t { Enum, Flag, Int, Float, Type, Text, Ints, Floats };  // Enum and Type: one byte

struct Option {
  std::string_view name;
  int slot;
  Kind kind;
  int32_t fallback = 0;  // where the file leaves it out
};
struct Options {
  uint8_t type;  // in the union of all options
  std::vector<Option> options;
};
using AllOptions = std::map<std::string_view, Options, std::less<>>;

Options only(uint8_t type, std::string_view name, Kind kind) { return {type, {{name, 0, kind}}}; }
Options activation_only(uint8_t type) { return only(type, "activation", Kind::Enum); }

void add_windows(AllOptions& all) {
  const Options pool = {5,
                        {{"padding", 0, Kind::Enum},
                         {"stride_w", 1, Kind::Int},
                         {"stride_h", 2, Kind::Int},
                         {"filter_width", 3, Kind::Int},
                         {"filter_height", 4, Kind::Int},
                         {"activation", 5, Kind::Enum}}};
  for (const char* op : {"AVERAGE_POOL_2D", "L2_POOL_2D", "MAX_POOL_2D"}) all[op] = pool;
  const std::vector<Option> strides = {
      {"padding", 0, Kind::Enum}, {"stride_w", 1, Kind::Int}, {"stride_h", 2, Kind::Int}};
  const auto with = [&](uint8_t type, std::initializer_list<Option> more) {
    Options row{type, strides};
    row.options.insert(row.options.end(), more);
    return row;
  };
  all["CONV_2D"] =
      with(1, {{"activation", 3, Kind::Enum}, {"dilation_w", 4, Kind::Int, 1}, {"dilation_h", 5, Kind::Int, 1}});
  all["DEPTHWISE_CONV_2D"] =
      with(2, {{"activation", 4, Kind::Enum}, {"dilation_w", 5, Kind::Int, 1}, {"dilation_h", 6, Kind::Int, 1}});
  all["TRANSPOSE_CONV"] = with(49, {{"activation", 3, Kind::Enum}});
  const Options volume = {106,
                          {{"padding", 0, Kind::Enum},
                           {"stride_d", 1, Kind::Int},
                           {"stride_w", 2, Kind::Int},
                           {"stride_h", 3, Kind::Int},
                           {"activation", 4, Kind::Enum},
                           {"dilation_d", 5, Kind::Int, 1},
                           {"dilation_w", 6, Kind::Int, 1},
                           {"dilation_h", 7, Kind::Int, 1}}};
  for (const char* op : {"CONV_3D", "CONV_3D_TRANSPOSE"}) all[op] = volume;
  all["RESIZE_BILINEAR"] = {15, {{"align_corners", 2, Kind::Flag}, {"half_pixel_centers", 3, Kind::Flag}}};
  all["RESIZE_NEAREST_NEIGHBOR"] = {74, {{"align_corners", 0, Kind::Flag}, {"half_pixel_centers", 1, Kind::Flag}}};
  all["LOCAL_RESPONSE_NORMALIZATION"] = {
      13,
      {{"depth_radius", 0, Kind::Int}, {"bias", 1, Kind::Float}, {"alpha", 2, Kind::Float}, {"beta", 3, Kind::Float}}};
}

void add_numbers(AllOptions& all) {
  all["ADD"] = activation_only(11);
  all["DIV"] = activation_only(29);
  all["L2_NORMALIZATION"] = activation_only(12);
  all["MUL"] = activation_only(21);
  all["SUB"] = activation_only(28);
  all["ARG_MAX"] = only(40, "output_type", Kind::Type);
  all["ARG_MIN"] = only(57, "output_type", Kind::Type);
  all["BATCH_MATMUL"] = {101, {{"adj_x", 0, Kind::Flag}, {"adj_y", 1, Kind::Flag}}};
  all["BUCKETIZE"] = only(115, "boundaries", Kind::Floats);
  all["CUMSUM"] = {102, {{"exclusive", 0, Kind::Flag}, {"reverse", 1, Kind::Flag}}};
  all["FAKE_QUANT"] = {
      58,
      {{"min", 0, Kind::Float}, {"max", 1, Kind::Float}, {"num_bits", 2, Kind::Int}, {"narrow_range", 3, Kind::Flag}}};
  all["FULLY_CONNECTED"] = {
      8, {{"activation", 0, Kind::Enum}, {"weights_format", 1, Kind::Enum}, {"keep_num_dims", 2, Kind::Flag}}};
  all["GELU"] = only(116, "approximate", Kind::Flag);
  all["LEAKY_RELU"] = only(75, "alpha", Kind::Float);
  all["SOFTMAX"] = only(9, "beta", Kind::Float);
  for (const char* op : {"MEAN", "REDUCE_ALL", "REDUCE_ANY", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "SUM"})
    all[op] = only(27, "keep_dims", Kind::Flag);
}

void add_movement(AllOptions& all) {
  all["CONCATENATION"] = {10, {{"axis", 0, Kind::Int}, {"activation", 1, Kind::Enum}}};
  all["DEPTH_TO_SPACE"] = only(94, "block_size", Kind::Int);
  all["GATHER"] = {23, {{"axis", 0, Kind::Int}, {"batch_dims", 1, Kind::Int}}};
  all["MIRROR_PAD"] = only(77, "mode", Kind::Enum);
  all["ONE_HOT"] = only(61, "axis", Kind::Int);
  all["PACK"] = {59, {{"axis", 1, Kind::Int}}};
  all["RESHAPE"] = only(17, "new_shape", Kind::Ints);
  all["REVERSE_SEQUENCE"] = {87, {{"seq_dim", 0, Kind::Int}, {"batch_dim", 1, Kind::Int}}};
  all["SHAPE"] = only(55, "out_type", Kind::Type);
  all["SPACE_TO_DEPTH"] = only(19, "block_size", Kind::Int);
  all["SPLIT"] = only(35, "num_split", Kind::Int);
  all["SQUEEZE"] = only(30, "squeeze_dims", Kind::Ints);
  all["STRIDED_SLICE"] = {32,
                          {{"begin_mask", 0, Kind::Int},
                           {"end_mask", 1, Kind::Int},
                           {"ellipsis_mask", 2, Kind::Int},
                           {"new_axis_mask", 3, Kind::Int},
                           {"shrink_axis_mask", 4, Kind::Int},
                           {"offset", 5, Kind::Flag}}};
  all["UNPACK"] = {64, {{"num", 0, Kind::Int}, {"axis", 1, Kind::Int}}};
}

void add_control(AllOptions& all) {
  all["CALL"] = only(16, "subgraph", Kind::Int);
  all["CALL_ONCE"] = only(103, "subgraph", Kind::Int);
  all["IF"] = {92, {{"then_subgraph", 0, Kind::Int}, {"else_subgraph", 1, Kind::Int}}};
  all["VAR_HANDLE"] = {111, {{"container", 0, Kind::Text}, {"shared_name", 1, Kind::Text}}};
  all["WHILE"] = {93, {{"cond_subgraph", 0, Kind::Int}, {"body_subgraph", 1, Kind::Int}}};
}

// The activation within a cell is none of its results.
void add_sequences(AllOptions& all) {
  all["BIDIRECTIONAL_SEQUENCE_LSTM"] = {69,
                                        {{"cell_activation", 0, Kind::Enum},
                                         {"cell_clip", 1, Kind::Float},
                                         {"proj_clip", 2, Kind::Float},
                                         {"merge_outputs", 3, Kind::Flag},
                                         {"time_major", 4, Kind::Flag, 1}}};
  all["BIDIRECTIONAL_SEQUENCE_RNN"] = {
      70, {{"time_major", 0, Kind::Flag}, {"cell_activation", 1, Kind::Enum}, {"merge_outputs", 2, Kind::Flag}}};
  all["SVDF"] = {6, {{"rank", 0, Kind::Int}, {"cell_activation", 1, Kind::Enum}}};
  all["UNIDIRECTIONAL_SEQUENCE_LSTM"] = {71,
                                         {{"cell_activation", 0, Kind::Enum},
                                          {"cell_clip", 1, Kind::Float},
                                          {"proj_clip", 2, Kind::Float},
                                          {"time_major", 3, Kind::Flag}}};
  all["UNIDIRECTIONAL_SEQUENCE_RNN"] = {31, {{"time_major", 0, Kind::Flag}, {"cell_activation", 1, Kind::Enum}}};
}

// Named as TensorFlow names its attributes, so that translators of both serve both.
const AllOptions& all_options() {
  static const AllOptions all = [] {
    AllOptions rows;
    add_windows(rows);
    add_numbers(rows);
    add_movement(rows);
    add_control(rows);
    add_sequences(rows);
    return rows;
  }();
  return all;
}

// What translators of custom operators ask for; what else the file says of them may mean anything.
const std::map<std::string_view, std::vector<const char*>>& custom_options() {
  static const std::map<std::string_view, std::vector<const char*>> kNames = {
      {"CUSTOM TFLite_Detection_PostProcess",
       {"max_detections", "max_classes_per_detection", "detections_per_class", "use_regular_nms", "nms_score_threshold",
        "nms_iou_threshold", "num_classes", "y_scale", "x_scale", "h_scale", "w_scale"}}};
  return kNames;
}

template <class To, class From> std::vector<To> list(const FlatTable& table, int slot) {
  const std::vector<From> numbers = table.numbers<From>(slot);
  return {numbers.begin(), numbers.end()};
}

frontend::SourceAttribute read(const FlatTable& table, const Option& option) {
  const int slot = option.slot;
  switch (option.kind) {
    case Kind::Enum: return int64_t{table.get<int8_t>(slot, 0)};
    case Kind::Flag: return table.get<uint8_t>(slot, static_cast<uint8_t>(option.fallback)) != 0;
    case Kind::Int: return int64_t{table.get<int32_t>(slot, option.fallback)};
    case Kind::Float: return double{table.get<float>(slot, 0)};
    case Kind::Type: return static_cast<int64_t>(dtype_of(table.get<int8_t>(slot, 0)));
    case Kind::Text: return table.text(slot);
    case Kind::Floats: return list<double, float>(table, slot);
    case Kind::Ints: break;
  }
  return list<int64_t, int32_t>(table, slot);
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
  if (const auto names = custom_options().find(op); names != custom_options().end()) {
    const FlexNumbers numbers = flex_numbers(operation.bytes(node::CustomOptions)).value_or(FlexNumbers());
    for (const char* name : names->second)
      if (const auto number = numbers.find(name); number != numbers.end()) attributes.emplace(name, number->second);
    return attributes;
  }
  const auto row = all_options().find(op);
  const auto type = operation.get<uint8_t>(node::OptionsType, 0);
  if (row == all_options().end() || type == 0) return attributes;
  if (row->second.type != type)
    return error(ErrorKind::Input, "its options are those of another operator (number " + std::to_string(type) + ")");
  const FlatTable table = operation.table(node::Options);
  for (const Option& option : row->second.options) attributes.emplace(option.name, read(table, option));
  return attributes;
}

}  // namespace lapis::tflite_frontend
