#include "frontends/pytorch/export_weights.h"

#include <algorithm>

#include "frontends/pytorch/checkpoint.h"
#include "frontends/pytorch/expression.h"
#include "frontends/pytorch/tensors.h"
#include "frontends/pytorch/types.h"

namespace lapis::pytorch_frontend {
namespace {

using frontend::Json;

// {"as_int": 3}, {"as_expr": {"expr_str": "..."}}
Dim dim_of(const Json& size) {
  if (const Json* number = frontend::member(size, "as_int"))
    if (const auto value = frontend::integer(*number)) return Dim(*value);
  const Json* expression = frontend::member(size, "as_expr");
  return expression ? parse_expression(frontend::text(*expression, "expr_str")) : Dim::unknown();
}

std::optional<DType> dtype_of_meta(const Json& meta) {
  const Json* number = frontend::member(meta, "dtype");
  const auto value = number ? frontend::integer(*number) : std::nullopt;
  return value ? dtype_of_scalar_type(scalar_type_of_export(*value)) : std::nullopt;
}

Result<std::vector<int64_t>> numbers(const Json& list) {
  std::vector<int64_t> values;
  for (const Json& size : frontend::elements(list)) {
    const Dim dim = dim_of(size);
    if (!dim.is_constant()) return error(ErrorKind::Input, "is no tensor of fixed size");
    values.push_back(dim.value());
  }
  return values;
}

Result<Strided> view_of(const Json& meta, DType dtype) {
  Strided view{.dtype = dtype};
  const Json* sizes = frontend::member(meta, "sizes");
  const Json* strides = frontend::member(meta, "strides");
  const Json* offset = frontend::member(meta, "storage_offset");
  if (!sizes || !strides) return error(ErrorKind::Input, "has no sizes and strides");
  LAPIS_TRY(view.shape, numbers(*sizes));
  LAPIS_TRY(view.strides, numbers(*strides));
  const Dim begin = offset ? dim_of(*offset) : Dim(0);
  view.offset = begin.is_constant() ? begin.value() : 0;
  return view;
}

}  // namespace

Type type_of_meta(const Json& meta) {
  const auto dtype = dtype_of_meta(meta);
  const Json* sizes = frontend::member(meta, "sizes");
  Type type = Type::tensor(dtype.value_or(DType::Undefined));
  if (!sizes || frontend::elements(*sizes).size() > kMaxRank) return type;
  type.dims.emplace();
  for (const Json& size : frontend::elements(*sizes)) type.dims->push_back(dim_of(size));
  return type;
}

std::optional<bool> is_dense_meta(const Json& meta) {
  const Result<Strided> view = view_of(meta, DType::Float32);
  if (!view.ok() || view->shape.size() != view->strides.size()) return std::nullopt;
  int64_t step = 1;
  for (size_t axis = view->shape.size(); axis-- > 0; step *= std::max<int64_t>(view->shape[axis], 1)) {
    if (view->shape[axis] > kMaxTensorBytes / step) return std::nullopt;
    if (view->shape[axis] != 1 && view->strides[axis] != step) return false;
  }
  return view->offset == 0;
}

Result<ExportWeights> ExportWeights::open(Archive& archive, const std::string& name) {
  ExportWeights weights(archive);
  if (!name.starts_with("models/")) {
    for (const char* entry : {"serialized_state_dict.pt", "serialized_constants.pt"})
      LAPIS_CHECK(weights.read_states(entry));
    return weights;
  }
  const size_t begin = name.rfind('/') + 1;
  const std::string model = name.substr(begin, name.rfind('.') - begin);
  LAPIS_CHECK(weights.read_list("data/weights/", model + "_weights_config.json"));
  LAPIS_CHECK(weights.read_list("data/constants/", model + "_constants_config.json"));
  return weights;
}

Status ExportWeights::read_list(const std::string& folder, const std::string& config) {
  if (!archive_.has(folder + config)) return ok();
  LAPIS_TRY(const MappedFile content, archive_.content(folder + config));
  LAPIS_TRY(const Json json, frontend::parse_json(content.bytes()));
  for (const auto& [name, entry] : frontend::members(json, "config"))
    places_.insert_or_assign(name, Place{entry, folder});
  return ok();
}

Status ExportWeights::read_states(const std::string& entry) {
  if (!archive_.has(entry)) return ok();
  LAPIS_TRY(const MappedFile content, archive_.content(entry));
  if (content.size == 0) return ok();
  LAPIS_TRY(const Item states, read_checkpoint(content, copies_));
  const std::vector<Item>& all = states.elements();
  for (size_t i = 0; i + 1 < all.size() && states.is(Item::Kind::Dict); i += 2)
    read_.insert_or_assign(all[i].text, all[i + 1]);
  return ok();
}

Result<Item> ExportWeights::find(const std::string& name) {
  if (const auto it = read_.find(name); it != read_.end()) return it->second;
  const auto place = places_.find(name);
  if (place == places_.end())
    return error(ErrorKind::Input, "the archive does not hold '" + name + "'").help("save the model again");
  Result<Item> item =
      read(place->second.entry, place->second.folder + frontend::text(place->second.entry, "path_name"));
  if (!item.ok()) {
    Diagnostics found = std::move(item).diagnostics();
    for (Diagnostic& d : found) d.at("tensor '" + name + "'");
    return found;
  }
  read_.emplace(name, *item);
  return item;
}

Result<Item> ExportWeights::read(const Json& entry, const std::string& path) {
  LAPIS_TRY(const MappedFile content, archive_.content(path));
  const Json* pickled = frontend::member(entry, "use_pickle");
  if (pickled && pickled->is_boolean() && pickled->get<bool>()) return read_checkpoint(content, copies_);
  const Json* meta = frontend::member(entry, "tensor_meta");
  if (!meta) return error(ErrorKind::Unsupported, "is no tensor but an object of its own kind");
  const auto dtype = dtype_of_meta(*meta);
  if (!dtype) return Item::of_weight(Tensor());
  LAPIS_TRY(const Strided view, view_of(*meta, *dtype));
  LAPIS_TRY(Tensor tensor, tensor_over(view, content, copies_));
  return Item::of_weight(std::move(tensor));
}

}  // namespace lapis::pytorch_frontend
