#include "passes/quantize/dynamic.h"

#include "ir/op.h"
#include "ir/ops/movement.h"
#include "ir/ops/ops.h"
#include "passes/quantize/params.h"
#include "passes/quantize/roles.h"
#include "passes/quantize/typed.h"

namespace lapis {

namespace {

// [C] as [C,1,1], which broadcasts against [N,C,H,W]; the channels of a product of matrices are its last axis already.
Tensor along_channels(const Tensor& t, int64_t spatial) {
  Shape shape = t.size() == 1 ? Shape{} : Shape{t.size()};
  if (t.size() != 1) shape.insert(shape.end(), static_cast<size_t>(spatial), 1);
  return t.reshaped(shape);
}

}  // namespace

Value* DynamicInserter::add(const OpDef& op, std::vector<Value*> inputs, Attributes attributes, Node& node) {
  Value* y = add_typed(graph_, op, std::move(inputs), std::move(attributes), &node, op.outputs.size());
  y->producer()->set_origin(node.origin());
  return y;
}

const DynamicInserter::Data& DynamicInserter::data(Value* x, Node& node) {
  const auto [it, fresh] = data_.try_emplace(x);
  if (!fresh) return it->second;
  const Node& q = *add(ops::DynamicQuantizeLinear, {x}, {}, node)->producer();
  return it->second = {q.output(0), q.output(1), q.output(2)};
}

const DynamicInserter::Weight& DynamicInserter::nearest(const ContractionRole& role, bool per_channel, bool is_conv) {
  const auto [it, fresh] = weights_.try_emplace({role.weight, role.axis, per_channel});
  if (!fresh) return it->second;
  const QuantizedWeight q = quantize_weight(role.weight->constant(), role.axis, {}, 1, per_channel);
  return it->second = weight(role, q.values, q.scales, per_channel, is_conv);
}

DynamicInserter::Weight DynamicInserter::weight(const ContractionRole& role, const Tensor& integers,
                                                const Tensor& scales, bool per_channel, bool is_conv) {
  const std::string& name = role.weight->name();
  const Tensor scale = per_channel ? scales : Tensor::scalar(scales.data<float>()[0]);
  return {
      graph_.add_constant(is_conv || role.axis == 1 ? integers : ops::transpose(integers, {1, 0}), name + "_quantized"),
      graph_.add_constant(along_channels(scale, is_conv ? integers.rank() - 2 : 0), name + "_scale")};
}

void DynamicInserter::quantize(Node& node, bool per_channel, const RoundedOf& rounded) {
  const auto role = contraction_role(node);
  LAPIS_ASSERT(role.ok(), "'" << node.name() << "' was planned as int8");
  const bool is_conv = node.is(ops::Conv);
  const Data x = data(role->data, node);
  const auto own = rounded.find(&node);
  const Weight w = own == rounded.end() ? nearest(*role, per_channel, is_conv)
                                        : weight(*role, own->second.values, own->second.scales, per_channel, is_conv);
  Value* sum = is_conv ? add(ops::ConvInteger, {x.bytes, w.integers, x.zero_point}, node.attributes(), node)
                       : add(ops::MatMulInteger, {x.bytes, w.integers, x.zero_point}, {}, node);
  Value* real = add(ops::Cast, {sum}, {{"to", static_cast<int64_t>(DType::Float32)}}, node);
  Value* y = add(ops::Mul, {real, add(ops::Mul, {x.scale, w.scale}, {}, node)}, {}, node);
  if (role->bias) {
    const Tensor bias = along_channels(role->bias->constant(), is_conv ? role->weight->type().rank() - 2 : 0);
    y = add(ops::Add, {y, graph_.add_constant(bias, role->bias->name() + "_of_channels")}, {}, node);
  }
  const std::string name = node.output()->name();
  y->set_type(node.output()->type());
  graph_.replace_all_uses(node.output(), y);
  graph_.erase(&node);
  graph_.rename(y, name);
}

}  // namespace lapis
