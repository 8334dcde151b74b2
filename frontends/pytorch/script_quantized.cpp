// Quantized tensors of TorchScript. A tensor of integers with a scale stands for reals: it is the real tensor behind
// QuantizeLinear and DequantizeLinear, so that operators on it are those on reals, followed by such a pair.
#include <algorithm>

#include "frontends/pytorch/import.h"
#include "frontends/pytorch/script_interpreter.h"
#include "frontends/pytorch/types.h"

namespace lapis::pytorch_frontend {
namespace {

using Kind = Item::Kind;

constexpr const char* kQuantized = "$quantized";  // the type of weights of integers, as the pickle has them
constexpr const char* kPacked = "$packed";        // of weights and bias, and what a convolution has besides

// What an operator is on reals: it takes the first `operands` arguments, or a tensor and packed parameters;
// its scale and zero point stand last.
struct QuantizedRow {
  std::string_view op, on_reals;
  size_t operands;
  bool is_packed, has_relu;
};
constexpr QuantizedRow kRows[] = {
    {"quantized.add", "aten.add", 2, false, false},
    {"quantized.add_relu", "aten.add", 2, false, true},
    {"quantized.cat", "aten.cat", 2, false, false},
    {"quantized.cat_relu", "aten.cat", 2, false, true},
    {"quantized.conv1d", "aten.conv1d", 1, true, false},
    {"quantized.conv1d_relu", "aten.conv1d", 1, true, true},
    {"quantized.conv2d", "aten.conv2d", 1, true, false},
    {"quantized.conv2d_relu", "aten.conv2d", 1, true, true},
    {"quantized.conv3d", "aten.conv3d", 1, true, false},
    {"quantized.conv3d_relu", "aten.conv3d", 1, true, true},
    {"quantized.group_norm", "aten.group_norm", 5, false, false},
    {"quantized.hardswish", "aten.hardswish", 1, false, false},
    {"quantized.layer_norm", "aten.layer_norm", 5, false, false},
    {"quantized.leaky_relu", "aten.leaky_relu", 2, false, false},
    {"quantized.linear", "aten.linear", 1, true, false},
    {"quantized.linear_relu", "aten.linear", 1, true, true},
    {"quantized.matmul", "aten.matmul", 2, false, false},
    {"quantized.mul", "aten.mul", 2, false, false},
    {"quantized.mul_relu", "aten.mul", 2, false, true},
    {"quantized.sigmoid", "aten.sigmoid", 1, false, false},
    {"quantized.softmax", "aten.softmax", 2, false, false},
};

// Operators whose results are some of their operand's elements, or others that it can have.
constexpr std::string_view kExact[] = {
    "aten.alias",      "aten.clone",        "aten.contiguous", "aten.detach",
    "aten.dropout",    "aten.expand",       "aten.flatten",    "aten.max_pool1d",
    "aten.max_pool2d", "aten.narrow",       "aten.permute",    "aten.relu",
    "aten.reshape",    "aten.select",       "aten.slice",      "aten.squeeze",
    "aten.t",          "aten.transpose",    "aten.unsqueeze",  "aten.upsample_nearest2d",
    "aten.view",       "aten.pixel_shuffle"};
// Operators that round what they compute to the scale of their first operand.
constexpr std::string_view kRounding[] = {"aten.adaptive_avg_pool1d",
                                          "aten.adaptive_avg_pool2d",
                                          "aten.avg_pool1d",
                                          "aten.avg_pool2d",
                                          "aten.cat",
                                          "aten.hardtanh",
                                          "aten.mean",
                                          "aten.relu6",
                                          "aten.upsample_bilinear2d"};

// Operators that round to a scale of their own, with which a byte holds all that they can give.
struct OwnScale {
  std::string_view op;
  double scale;
  int64_t zero_point;  // of uint8
};
constexpr OwnScale kOwnScales[] = {
    {"aten.hardsigmoid", 1.0 / 256, 0}, {"aten.sigmoid", 1.0 / 256, 0}, {"aten.tanh", 2.0 / 256, 128}};

const OwnScale* own_scale(std::string_view op) {
  const auto* row =
      std::find_if(std::begin(kOwnScales), std::end(kOwnScales), [&](const OwnScale& r) { return r.op == op; });
  return row == std::end(kOwnScales) ? nullptr : row;
}

template <size_t N> bool is_one_of(const std::string_view (&names)[N], std::string_view op) {
  return std::find(std::begin(names), std::end(names), op) != std::end(names);
}

std::string_view without_underscore(std::string_view op) {
  return op.ends_with('_') ? op.substr(0, op.size() - 1) : op;
}

const QuantizedRow* find_row(std::string_view op) {
  const auto it =
      std::find_if(std::begin(kRows), std::end(kRows), [&](const QuantizedRow& row) { return row.op == op; });
  return it == std::end(kRows) ? nullptr : it;
}

const Item& part(const Item& of, const char* name) {
  static const Item none;
  const auto it = of.object ? of.object->attributes.find(name) : decltype(of.object->attributes.end()){};
  return of.object && it != of.object->attributes.end() ? it->second : none;
}

Item made(const char* type, std::map<std::string, Item, std::less<>> attributes) {
  Item item;
  item.kind = Kind::Object;
  item.object = std::make_shared<Object>();
  item.object->type = type;
  item.object->attributes = std::move(attributes);
  return item;
}

// ops.quantized.conv2d_prepack(weight, bias, stride, padding, dilation, groups)
Item packed(const std::vector<Item>& a) {
  constexpr const char* kParts[] = {"weight", "bias", "stride", "padding", "dilation", "groups"};
  std::map<std::string, Item, std::less<>> parts;
  for (size_t i = 0; i < std::min(a.size(), std::size(kParts)); ++i) parts.emplace(kParts[i], a[i]);
  return made(kPacked, std::move(parts));
}

// Packed parameters that the archive holds as their weight and bias.
Item packed_of(const Item& item) {
  const Item& state = part(item, kState);
  return state.elements().size() == 2 ? packed(state.elements()) : item;
}

Item as_floats(const Item& scales) {
  if (!scales.is(Kind::Weight) || !scales.weight->defined()) return scales;
  std::vector<float> values;
  for (int64_t i = 0; i < scales.weight->size(); ++i) values.push_back(static_cast<float>(scales.weight->as_double(i)));
  return Item::of_weight(Tensor::of<float>(scales.weight->shape(), std::move(values)));
}

}  // namespace

Item quantized_weight(Item integers, const std::vector<Item>& parameters) {
  return made(kQuantized, {{"integers", std::move(integers)},
                           {"scale", as_floats(parameters[1])},
                           {"zero_point", parameters[2]},
                           {"axis", parameters.size() > 3 ? parameters[3] : Item()}});
}

std::span<const frontend::Resolved> resolved() {
  static const std::vector<frontend::Resolved> all = [] {
    std::vector<frontend::Resolved> rows;
    for (const QuantizedRow& row : kRows)
      rows.push_back({row.op, "the operator on reals, QuantizeLinear and DequantizeLinear"});
    return rows;
  }();
  return all;
}

// Quantized and back, by the scale and zero point of `as`, or those of each place on an axis.
Result<Item> Interpreter::rounded(const Item& x, const QuantizedAs& as, Frame& frame) {
  const IntegerRange range = integer_range(as.dtype);
  const std::string grid = as.axis.is_none() ? "per_tensor" : "per_channel";
  const auto arguments = [&](const Item& of) {
    Arguments all{{of, as.scale, as.zero_point}, {}};
    if (!as.axis.is_none()) all.items.push_back(as.axis);
    for (const int64_t number :
         {static_cast<int64_t>(range.lowest), static_cast<int64_t>(range.highest), *scalar_type_of(as.dtype)})
      all.items.push_back(Item::of_int(number));
    all.keywords.resize(all.items.size());
    return all;
  };
  LAPIS_TRY(const Item integers, emit("quantized_decomposed.quantize_" + grid, arguments(x), frame));
  LAPIS_TRY(Item reals, emit("quantized_decomposed.dequantize_" + grid, arguments(integers), frame));
  quantized_.insert_or_assign(reals.text, as);
  return reals;
}

Result<Item> Interpreter::real_weight(const Item& weight, Frame& frame) {
  if (!weight.object || weight.object->type != kQuantized)
    return problem(ErrorKind::Unsupported, "packed weights that are " + weight.description(), frame);
  const Item& axis = part(weight, "axis");
  Item integers = part(weight, "integers");
  integers.text = frame.path.empty() ? "weight" : frame.path + ".weight";
  const bool is_int8 =
      integers.is(Kind::Weight) && integers.weight->defined() && integers.weight->dtype() == DType::Int8;
  if (!is_int8) return problem(ErrorKind::Unsupported, "packed weights that are not int8", frame);
  Arguments all{{integers, part(weight, "scale"), part(weight, "zero_point")}, {}};
  if (!axis.is_none()) all.items.push_back(axis);
  for (const int64_t number : {int64_t{INT8_MIN}, int64_t{INT8_MAX}, *scalar_type_of(DType::Int8)})
    all.items.push_back(Item::of_int(number));
  all.keywords.resize(all.items.size());
  return emit(
      axis.is_none() ? "quantized_decomposed.dequantize_per_tensor" : "quantized_decomposed.dequantize_per_channel",
      std::move(all), frame);
}

// The operands on reals: those of an operator with packed parameters are weight,
// bias and what a convolution has besides.
Result<Interpreter::Arguments> Interpreter::real_operands(const std::vector<Item>& a, size_t operands, bool is_packed,
                                                          Frame& frame) {
  Arguments on_reals{{a.begin(), a.begin() + static_cast<ptrdiff_t>(operands)}, {}};
  if (is_packed) {
    const Item parameters = packed_of(a[1]);
    LAPIS_TRY(on_reals.items.emplace_back(), real_weight(part(parameters, "weight"), frame));
    on_reals.items.push_back(part(parameters, "bias"));
    for (const char* name : {"stride", "padding", "dilation", "groups"})
      if (const Item& item = part(parameters, name); !item.is_none()) on_reals.items.push_back(item);
  }
  on_reals.keywords.resize(on_reals.items.size());
  return on_reals;
}

// One that has no row is reported with others that are unsupported, whatever its parameters are.
Result<std::optional<Item>> Interpreter::unknown_quantized(const std::string& op, const std::vector<Item>& a,
                                                           Frame& frame) {
  if (!op.starts_with("quantized.") || a.empty()) return std::optional<Item>();
  LAPIS_TRY(Item reported, emit(op, {{a[0]}, {""}}, frame));
  return std::optional(std::move(reported));
}

// quantize_per_tensor(self, scale, zero_point, dtype), quantize_per_channel(self, scales, zero_points, axis, dtype)
Result<Item> Interpreter::quantized_from_reals(const std::vector<Item>& a, Frame& frame) {
  const auto dtype = dtype_of_scalar_type(a.back().integer);
  if (dtype != DType::Int8 && dtype != DType::UInt8)
    return problem(ErrorKind::Unsupported, "quantized tensors of other types than int8 and uint8", frame);
  const bool is_by_channel = a.size() > 4;
  return rounded(a[0], {as_floats(a[1]), a[2], *dtype, is_by_channel ? a[3] : Item()}, frame);
}

// nullopt: it is none that quantized tensors only have.
Result<std::optional<Item>> Interpreter::quantized_operator(const std::string& op, const std::vector<Item>& a,
                                                            Frame& frame) {
  if (op.starts_with("quantized.") && op.ends_with("_prepack")) return std::optional(packed(a));
  const bool quantizes =
      !a.empty() && a.back().is(Kind::Int) &&
      ((op == "aten.quantize_per_tensor" && a.size() == 4) || (op == "aten.quantize_per_channel" && a.size() == 5));
  const QuantizedRow* row = find_row(op);
  if (!quantizes && !row) return unknown_quantized(op, a, frame);
  if (writer_->is_body())
    return problem(ErrorKind::Unsupported, "quantized tensors in a branch or loop that depends on values", frame);
  if (quantizes) {
    LAPIS_TRY(Item reals, quantized_from_reals(a, frame));
    return std::optional(std::move(reals));
  }
  const size_t fewest = row->operands + (row->is_packed ? 1 : 0) + 2;
  if (a.size() < fewest) return problem(ErrorKind::Input, "its code gives " + op + " too few arguments", frame);
  LAPIS_TRY(Arguments operands, real_operands(a, row->operands, row->is_packed, frame));
  LAPIS_TRY(Item result, emit(std::string(row->on_reals), std::move(operands), frame));
  if (row->has_relu) {
    LAPIS_TRY(result, emit("aten.relu", {{result}, {""}}, frame));
  }
  LAPIS_TRY(result, rounded(result, {a[a.size() - 2], a[a.size() - 1], DType::UInt8}, frame));
  return std::optional(std::move(result));
}

// How the first tensor among these is quantized; null if it is not.
const Interpreter::QuantizedAs* Interpreter::quantized_as(const std::vector<Item>& arguments) const {
  for (const Item& item : arguments) {
    const Item& first = item.is_sequence() && !item.elements().empty() ? item.elements()[0] : item;
    if (!first.is(Kind::Tensor)) continue;
    const auto it = quantized_.find(first.text);
    return it == quantized_.end() ? nullptr : &it->second;
  }
  return nullptr;
}

// What an operator that reals have too gives for quantized tensors.
Result<Item> Interpreter::on_quantized(const std::string& op, const Item& result, const QuantizedAs& as, Frame& frame) {
  const std::string_view stem = without_underscore(op);
  if (!result.is(Kind::Tensor) || op == "aten.dequantize") return result;
  if (writer_->is_body())
    return problem(ErrorKind::Unsupported, "quantized tensors in a branch or loop that depends on values", frame);
  const bool rounds = is_one_of(kRounding, stem);
  if (rounds && !as.axis.is_none())
    return problem(ErrorKind::Unsupported, "the operator " + op + " on tensors that are quantized by channel", frame);
  if (rounds) return rounded(result, as, frame);
  if (const OwnScale* own = own_scale(stem)) {
    const int64_t zero = own->zero_point + (as.dtype == DType::Int8 ? INT8_MIN : 0);
    return rounded(result, {Item::of_float(own->scale), Item::of_int(zero), as.dtype}, frame);
  }
  if (!is_one_of(kExact, stem))
    return problem(ErrorKind::Unsupported, "the operator " + op + " on quantized tensors", frame);
  quantized_.insert_or_assign(result.text, as);
  return result;
}

}  // namespace lapis::pytorch_frontend
