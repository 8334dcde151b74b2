#include "frontends/common/values.h"

#include <algorithm>

#include "frontends/common/declared.h"
#include "ir/evaluate.h"
#include "ir/infer.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"
#include "ir/rewrite.h"

namespace lapis::frontend {
namespace {

// One value as a scalar, more as a vector.
Shape shape_of(size_t count) { return count == 1 ? Shape{} : Shape{static_cast<int64_t>(count)}; }

Tensor zero_points(const Quantization& q, DType dtype) {
  Tensor zeros(dtype, shape_of(q.zero_points.size()));
  visit_dtype(dtype, [&]<class T>(T) {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
      for (size_t i = 0; i < q.zero_points.size(); ++i) zeros.mutable_data<T>()[i] = static_cast<T>(q.zero_points[i]);
  });
  return zeros;
}

bool is_identity(const Axes& perm) { return std::is_sorted(perm.begin(), perm.end()); }

// Dimensions of a Reshape that only the first of them may leave open; nullopt if others are open too.
std::optional<Shape> as_shape(const Dims& dims) {
  Shape shape;
  for (const Dim& d : dims) {
    if (!d.is_constant() && !shape.empty()) return std::nullopt;
    shape.push_back(d.is_constant() ? d.value() : -1);
  }
  return shape;
}

Type in_order(const Type& written, Layout layout) {
  if (layout != Layout::ChannelsFirst || !written.ranked()) return written;
  Type type = written;
  for (size_t axis = 0; axis < written.dims->size(); ++axis)
    (*type.dims)[static_cast<size_t>(axis_in(layout, static_cast<int64_t>(axis), written.dims->size()))] =
        (*written.dims)[axis];
  return type;
}

Diagnostic wrong_rank(const std::string& name, const Type& type, const Axes& perm) {
  return error(ErrorKind::Input, "'" + name + "' is " + type.to_string() + " where " + std::to_string(perm.size()) +
                                     " axes are expected");
}

}  // namespace

// ---- nodes ----------------------------------------------------------------------------------------------------------

void Values::enter(std::string name, std::string where) {
  name_ = std::move(name);
  where_ = std::move(where);
}

Result<Value*> Values::add(const OpDef& op, std::vector<Value*> inputs, Attributes attributes,
                           const std::string& output) {
  LAPIS_TRY(Node * node, add_node(op, std::move(inputs), std::move(attributes), {output}));
  return folds_ && output.empty() ? folded(node) : Result<Value*>(node->output());
}

Result<std::vector<Value*>> Values::add_all(const OpDef& op, std::vector<Value*> inputs, Attributes attributes,
                                            size_t outputs) {
  LAPIS_TRY(Node * node, add_node(op, std::move(inputs), std::move(attributes), std::vector<std::string>(outputs)));
  return node->outputs();
}

// Outputs without a name are named after what they are made for.
Result<Node*> Values::add_node(const OpDef& op, std::vector<Value*> inputs, Attributes attributes,
                               std::vector<std::string> outputs) {
  const std::string name = name_ + "/" + std::string(op.name);
  for (std::string& output : outputs) {
    if (!expansion_.add_bytes(name.size())) return expansion_.explosion("its nodes");
    if (output.empty()) output = names_.made(name);
  }
  if (!expansion_.add_node()) return expansion_.explosion("its nodes");
  Node* node = graph_.add_node(op, std::move(inputs), std::move(attributes), std::move(outputs), nullptr,
                               names_.node(name, scope_));
  node->set_origin(name_);
  if (Status typed = infer_types(*node); !typed.ok()) {
    Diagnostics found = std::move(typed).diagnostics();
    for (Diagnostic& d : found) d.at(where_);
    return found;
  }
  return node;
}

// Weights are only moved, shapes and numbers are computed.
// Q/DQ pairs stay: they say how the model is meant to be quantized.
Result<Value*> Values::folded(Node* node) {
  constexpr int64_t kSmall = 1 << 16;
  const OpDef& op = node->op();
  const Type& type = node->output()->type();
  const auto is_constant = [](const Value* v) { return !v || v->is_constant(); };
  if (!std::ranges::all_of(node->inputs(), is_constant) || !op.has(Trait::Pure) || !op.evaluate ||
      op.name == ops::DequantizeLinear.name || op.name == ops::QuantizeLinear.name || !type.is_static())
    return node->output();
  std::vector<const Tensor*> tensors;
  int64_t most = kSmall;
  for (const Value* v : node->inputs()) {
    tensors.push_back(v ? &v->constant() : nullptr);
    if (v && op.has(Trait::Movement)) most += v->constant().size();
  }
  if (element_count(type.shape()) > most) return node->output();
  Result<std::vector<Tensor>> results = evaluate_node(*node, tensors);
  if (!results.ok()) return node->output();  // its meaning is an error, which is for those who run it
  LAPIS_CHECK(copies(static_cast<size_t>((*results)[0].bytes())));
  graph_.erase(node);
  return constant(std::move((*results)[0]));
}

Status Values::copies(size_t bytes) {
  if (expansion_.add_bytes(bytes)) return ok();
  return expansion_.explosion("constants that are read in other orders");
}

// ---- values of the source -------------------------------------------------------------------------------------------

void Values::add_input(const std::string& name, Type type) {
  Forms& forms = forms_[name];
  forms.is_input = true;
  forms.stored_in(Layout::AsWritten) = graph_.add_input(name, std::move(type));
}

const Values::Forms* Values::find(const std::string& name) const {
  const auto it = forms_.find(name);
  return it == forms_.end() ? nullptr : &it->second;
}

bool Values::is_poisoned(const std::string& name) const {
  const Forms* forms = find(name);
  return forms && forms->poisoned;
}

bool Values::is_defined(const std::string& name) const {
  const Forms* forms = find(name);
  return forms && std::any_of(forms->stored.begin(), forms->stored.end(), [](const Value* v) { return v; });
}

Layout Values::layout(const std::string& name) const {
  const Forms* forms = find(name);
  const auto has = [&](Layout layout) { return forms && forms->stored[static_cast<size_t>(layout)]; };
  if (has(Layout::ChannelsFirst)) return Layout::ChannelsFirst;
  if (has(Layout::FlattenedPlanes) && !has(Layout::AsWritten)) return Layout::FlattenedPlanes;
  constexpr int64_t kImage = 4, kVolume = 5;
  const Type& type = source(name).type;
  const bool is_image =
      images_ && forms && forms->is_input && type.ranked() && (type.rank() == kImage || type.rank() == kVolume);
  return is_image ? Layout::ChannelsFirst : Layout::AsWritten;
}

int64_t Values::channels(const std::string& name) const {
  const Forms* forms = find(name);
  return forms ? forms->channels : 0;
}

// The written order has the source's name, because inputs and outputs of the model keep theirs.
std::string Values::name_in(const std::string& name, Layout layout) const {
  if (layout == Layout::AsWritten) return name;
  return names_.made(name + (layout == Layout::ChannelsFirst ? "_channels_first" : "_planes"));
}

Status Values::define(const std::string& name, Value* real, Layout layout, int64_t channels) {
  if (folds_ && real->is_constant() && layout == Layout::AsWritten && !source(name).quantization) {
    define_constant(name, real->constant());
    return ok();
  }
  LAPIS_TRY(real, own(real));
  Value* value = real;
  if (const SourceValue& as = source(name); as.quantization) {
    const auto rank = static_cast<size_t>(real->type().ranked() ? real->type().rank() : 0);
    LAPIS_TRY(value, quantized(real, as, axis_in(layout, as.quantization->axis, rank), name_in(name, layout)));
  } else {
    graph_.rename(value, name_in(name, layout));
  }
  forms_[name].channels = channels;
  return keep(name, value, layout);
}

Status Values::define_stored(const std::string& name, Value* value, Layout layout) {
  LAPIS_TRY(value, own(value));
  graph_.rename(value, name_in(name, layout));
  return keep(name, value, layout);
}

// What folding has made a constant is computed by a node after all.
Result<Value*> Values::own(Value* value) {
  if (folds_ && !value->producer()) {
    LAPIS_TRY(Node * same, add_node(ops::Identity, {value}, {}, {""}));
    value = same->output();
  }
  LAPIS_ASSERT(value->producer(), "'" << value->name() << "' must be computed by a node of its own");
  return value;
}

Status Values::keep(const std::string& name, Value* value, Layout layout) {
  const SourceValue& as = source(name);
  forms_[name].stored_in(layout) = value;
  const Type declared = in_order(as.type, layout);
  if (!merge(value->type(), declared))
    return error(ErrorKind::Input,
                 "'" + name + "' is declared as " + as.type.to_string() + " but is " + value->type().to_string());
  if (declared.dtype != DType::Undefined) LAPIS_CHECK(complete_type(*value, declared));
  note_type(name, *value, layout);
  return ok();
}

// In the order of axes that the source knows.
void Values::note_type(const std::string& name, const Value& value, Layout layout) {
  SourceValue known = source(name);
  known.type = value.type();
  const auto rank = known.type.ranked() ? static_cast<size_t>(known.type.rank()) : 0;
  if (layout == Layout::ChannelsFirst && rank > 0) {
    Dims& written = *known.type.dims;
    for (size_t axis = 0; axis < rank; ++axis)
      written[axis] = value.type().dim(axis_in(layout, static_cast<int64_t>(axis), rank));
  }
  defined_.insert_or_assign(name, std::move(known));
}

void Values::define_constant(const std::string& name, Tensor tensor, std::optional<Quantization> quantization) {
  SourceValue known = source(name);
  known.type = Type::of(tensor);
  known.constant = std::move(tensor);
  known.quantization = std::move(quantization);
  defined_.insert_or_assign(name, std::move(known));
}

// A ConstantOfShape of it would have these extents: what inference knows of shapes is asked that way.
std::optional<Dims> Values::contents(const std::string& name) {
  const SourceValue& known = source(name);
  if (known.constant.defined()) {
    if (!is_integer(known.constant.dtype())) return std::nullopt;
    const std::vector<int64_t> numbers = known.constant.as_ints();
    return Dims(numbers.begin(), numbers.end());
  }
  const auto forms = forms_.find(name);
  Value* value = forms == forms_.end() ? nullptr : forms->second.stored_in(Layout::AsWritten);
  if (!value || !is_integer(value->dtype()) || !value->type().ranked() || value->type().rank() > 1) return std::nullopt;
  std::vector<Node*> probe;
  const auto append = [&](const OpDef& op, std::vector<Value*> inputs, Attributes attributes) {
    probe.push_back(graph_.add_node(op, std::move(inputs), std::move(attributes)));
    return infer_types(*probe.back()).ok() ? probe.back()->output() : nullptr;
  };
  Value* flat = append(ops::Reshape, {value, constant(Tensor::vector<int64_t>({-1}))}, {});
  if (flat)
    flat = append(ops::Cast, {flat}, encode_attributes(ops::CastAttrs{.to = static_cast<int64_t>(DType::Int64)}));
  const Value* shaped = flat ? append(ops::ConstantOfShape, {flat}, {}) : nullptr;
  std::optional<Dims> dims = shaped ? shaped->type().dims : std::nullopt;
  while (!probe.empty()) {
    graph_.erase(probe.back());
    probe.pop_back();
  }
  if (dims && std::ranges::none_of(*dims, [](const Dim& d) { return d.is_known(); })) return std::nullopt;
  return dims;
}

Result<Value*> Values::stored(const std::string& name, Layout layout) {
  Forms& forms = forms_[name];
  const SourceValue& as = source(name);
  if (as.constant.defined() && !forms.stored_in(Layout::AsWritten))
    forms.stored_in(Layout::AsWritten) = add_constant(as.constant, name);
  if (!forms.stored_in(layout)) {
    LAPIS_TRY(forms.stored_in(layout), reordered(name, forms, layout));
  }
  return forms.stored_in(layout);
}

Result<Value*> Values::real(const std::string& name, Layout layout) {
  LAPIS_TRY(Value * value, stored(name, layout));
  const auto& q = source(name).quantization;
  if (!q) return value;
  Forms& forms = forms_[name];
  if (!forms.real_in(layout)) {
    const int64_t axis = axis_in(layout, q->axis, static_cast<size_t>(value->type().rank()));
    LAPIS_TRY(forms.real_in(layout), dequantized(value, *q, axis, names_.made(value->name() + "_real")));
  }
  return forms.real_in(layout);
}

// ---- orders ---------------------------------------------------------------------------------------------------------

Result<Value*> Values::reordered(const std::string& name, Forms& forms, Layout layout) {
  constexpr size_t kFewest = 3;  // axes that can be turned
  if (Value* written = forms.stored_in(Layout::AsWritten)) {
    if (!written->type().ranked()) return error(ErrorKind::Unsupported, "values of unknown rank");
    if (written->type().dims->size() < kFewest) return written;
    return turned(written, Layout::AsWritten, layout, name_in(name, layout));
  }
  if (layout == Layout::ChannelsFirst) {
    LAPIS_CHECK(stored(name, Layout::AsWritten));
    return reordered(name, forms, layout);
  }
  if (Value* turned_one = forms.stored_in(Layout::ChannelsFirst))
    return turned(turned_one, Layout::ChannelsFirst, layout, name);
  if (!forms.stored_in(Layout::FlattenedPlanes)) return error(ErrorKind::Input, "'" + name + "' has no value");
  return planes_as_written(name, forms);
}

Result<Value*> Values::turned(Value* value, Layout from, Layout to, const std::string& output) {
  const Dims& dims = *value->type().dims;
  const Axes perm = to == Layout::ChannelsFirst ? to_channels_first(dims.size()) : to_channels_last(dims.size());
  Dims result;
  for (const int64_t axis : perm) result.push_back(dims[static_cast<size_t>(axis)]);
  const auto shape = as_shape(result);
  if (shape && moves_nothing(value->type(), from)) return reshaped(value, *shape, output);
  return transposed(value, perm, output);
}

Result<Value*> Values::planes_as_written(const std::string& name, Forms& forms) {
  Value* planes = forms.stored_in(Layout::FlattenedPlanes);
  const int64_t width = planes->type().dim(1).value();
  LAPIS_TRY(Value * apart, reshaped(planes, {-1, forms.channels, width / forms.channels}, ""));
  LAPIS_TRY(Value * turned_one, transposed(apart, {0, 2, 1}, ""));
  return reshaped(turned_one, {-1, width}, name);
}

Result<Value*> Values::reshaped(Value* value, Shape shape, const std::string& output) {
  return add(ops::Reshape, {value, constant(Tensor::vector(std::move(shape)))}, {}, output);
}

Result<Value*> Values::transposed(Value* value, const Axes& perm, const std::string& output) {
  return add(ops::Transpose, {value}, encode_attributes(ops::TransposeAttrs{perm}), output);
}

// ---- parameters -----------------------------------------------------------------------------------------------------

Result<Tensor> Values::transposed(const Tensor& tensor, const Axes& perm) {
  if (is_identity(perm)) return tensor;
  LAPIS_CHECK(copies(static_cast<size_t>(tensor.bytes())));
  return evaluate_op(ops::Transpose, {tensor}, encode_attributes(ops::TransposeAttrs{perm}));
}

Result<Value*> Values::parameter_of(const std::string& name, Tensor tensor, int64_t axis) {
  Value* value = add_constant(std::move(tensor), name);
  const auto& q = source(name).quantization;
  return q ? dequantized(value, *q, axis, names_.made(value->name() + "_real")) : Result<Value*>(value);
}

Result<Value*> Values::computed_parameter(const std::string& name, const Axes& perm) {
  LAPIS_TRY(Value * value, real(name, Layout::AsWritten));
  if (!value->type().ranked() || value->type().dims->size() != perm.size())
    return wrong_rank(name, value->type(), perm);
  return is_identity(perm) ? Result<Value*>(value) : transposed(value, perm, "");
}

Result<Value*> Values::parameter(const std::string& name, const Axes& perm) {
  Value*& known = parameters_[{name, perm}];
  if (known) return known;
  const SourceValue& as = source(name);
  if (!as.constant.defined()) {
    LAPIS_TRY(known, computed_parameter(name, perm));
    return known;
  }
  const size_t rank = as.constant.shape().size();
  if (rank > perm.size()) return wrong_rank(name, as.type, perm);
  Shape padded = as.constant.shape();
  padded.insert(padded.begin(), perm.size() - rank, 1);
  LAPIS_TRY(Tensor tensor, transposed(as.constant.reshaped(padded), perm));
  const int64_t axis = (as.quantization ? as.quantization->axis : 0) + static_cast<int64_t>(perm.size() - rank);
  const int64_t now = std::find(perm.begin(), perm.end(), axis) - perm.begin();
  LAPIS_TRY(known, parameter_of(name, std::move(tensor), now));
  return known;
}

Result<Value*> Values::parameter_for_planes(const std::string& name, int64_t channels) {
  Value*& known = parameters_[{name, {-channels}}];
  if (known) return known;
  const Tensor& written = source(name).constant;
  const int64_t rows = written.dim(0), width = written.dim(1);
  LAPIS_TRY(Tensor tensor, transposed(written.reshaped({rows, width / channels, channels}), {0, 2, 1}));
  LAPIS_TRY(known, parameter_of(name, tensor.reshaped({rows, width}), 0));
  return known;
}

// ---- quantization ---------------------------------------------------------------------------------------------------

Result<Value*> Values::quantized(Value* real, const SourceValue& as, int64_t axis, const std::string& output) {
  const Quantization& q = *as.quantization;
  Value* scale = add_constant(Tensor::of(shape_of(q.scales.size()), q.scales), output + "_scale");
  Value* zero = add_constant(zero_points(q, as.type.dtype), output + "_zero_point");
  ops::QuantizeLinearAttrs attributes;
  if (q.scales.size() > 1) attributes.axis = axis;
  return add(ops::QuantizeLinear, {real, scale, zero}, encode_attributes(attributes), output);
}

Result<Value*> Values::dequantized(Value* integers, const Quantization& q, int64_t axis, const std::string& output) {
  std::vector<Value*> inputs = {
      integers, add_constant(Tensor::of(shape_of(q.scales.size()), q.scales), integers->name() + "_scale")};
  if (integers->dtype() != DType::Int32)  // for which ONNX knows 0 only
    inputs.push_back(add_constant(zero_points(q, integers->dtype()), integers->name() + "_zero_point"));
  ops::DequantizeLinearAttrs attributes;
  if (q.scales.size() > 1) attributes.axis = axis;
  return add(ops::DequantizeLinear, std::move(inputs), encode_attributes(attributes), output);
}

}  // namespace lapis::frontend
