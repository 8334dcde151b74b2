#include "codegen/lower/loop_builder.h"

#include <numeric>

#include "codegen/lower/op_lowering.h"

namespace lapis::codegen {

Mapping straight(const Shape& shape) {
  Mapping p{shape, std::vector<int64_t>(shape.size())};
  std::iota(p.axis.begin(), p.axis.end(), 0);
  return p;
}

int LoopBuilder::add_placed_view(View view) {
  view.shape = loop_.domain;
  for (size_t i = 0; i < view.shape.size(); ++i)
    if (view.shape[i] == 1) view.strides[i] = 0;  // one canonical form, so that equal views are found
  for (size_t i = 0; i < loop_.views.size(); ++i) {
    const View& v = loop_.views[i];
    if (v.buffer == view.buffer && v.dtype == view.dtype && v.strides == view.strides && v.offset == view.offset)
      return static_cast<int>(i);
  }
  loop_.views.push_back(std::move(view));
  return static_cast<int>(loop_.views.size()) - 1;
}

// Bounds of a Clip may be vectors of one, where what they bound is a scalar.
static View without_surplus_axes(View view, size_t rank) {
  while (view.shape.size() > rank && view.shape.front() == 1) {
    view.shape.erase(view.shape.begin());
    view.strides.erase(view.strides.begin());
  }
  return view;
}

int LoopBuilder::add_view(View view, const Mapping& mapping) {
  view = without_surplus_axes(std::move(view), mapping.shape.size());
  const View full = broadcast_to(view, mapping.shape);
  View placed{view.buffer, view.dtype, {}, {}, view.offset};
  for (int64_t axis : mapping.axis) placed.strides.push_back(axis < 0 ? 0 : full.strides[static_cast<size_t>(axis)]);
  return add_placed_view(std::move(placed));
}

// Operand i of an elementwise node. Parameters are vectors along an axis, not trailing ones;
// a vector of one is a number.
int LoopBuilder::operand(const Node& node, size_t i, const Mapping& mapping) {
  const Value* v = node.input(i);
  if (is_table(node, i)) {
    const View table = l_.view_of(v);
    return load_view(add_placed_view({table.buffer, table.dtype, {}, Shape(mapping.axis.size(), 0), table.offset}));
  }
  const auto axis = row_of(node)->parameter_axis;
  if (i == 0 || !axis || v->type().rank() == 0 || scalar_constant(v)) return load(v, mapping);
  const int64_t count = v->type().shape()[0];
  Shape shape(mapping.shape.size(), 1);
  if (count != 1) shape[static_cast<size_t>(axis(node))] = count;
  return load_view(add_view(*reshaped(l_.view_of(v), shape), mapping));
}

int LoopBuilder::load(const Value* value, const Mapping& mapping) {
  if (const auto it = known_.find(value); it != known_.end()) return it->second;
  if (const auto scalar = scalar_constant(value)) return k(value->dtype(), *scalar);
  if (l_.is_inlined(value)) return compute(*value->producer(), mapping);
  return known_[value] = load_view(add_view(l_.view_of(value), mapping));
}

int LoopBuilder::compute(const Node& node, const Mapping& mapping) {
  const int id = translate(node, program, [&](size_t i) { return operand(node, i, mapping); });
  return known_[node.output()] = id;
}

int LoopBuilder::apply_chain(const FusedRegion& region, int result, const Mapping& mapping) {
  result = to(region.anchor->output()->dtype(), result);  // from the type that was accumulated in
  known_[region.anchor->output()] = result;
  for (const Node* node : region.chain) result = compute(*node, mapping);
  return result;
}

std::string precision_of(const Value* value) {
  return value->dtype() == DType::Float32 ? "fp32" : std::string(name_of(value->dtype()));
}

void lower_elementwise(Lowering& l, const FusedRegion& region) {
  const Value* out = region.result();
  const Mapping here = straight(out->type().shape());
  LoopBuilder b(l, out->name(), here.shape);
  const int result = b.compute(*region.anchor, here);
  b.store(b.add_view(l.allocate(out), here), result);
  b.end_phase(Loop::Over::Row);
  l.emit(b.finish(), region, precision_of(out));
}

void lower_copy(Lowering& l, const FusedRegion& region, const View& from, const View& to) {
  LoopBuilder b(l, region.result()->name(), to.shape);
  const Mapping here = straight(to.shape);
  const int loaded = b.load_view(b.add_view(from, here));
  b.store(b.add_view(to, here), loaded);
  b.end_phase(Loop::Over::Row);
  l.emit(b.finish(), region, std::string(name_of(to.dtype)));
}

int LoopBuilder::reduce(Loop::Reduce kind, int value) {
  reductions_.push_back({kind, value, program[value].type});
  reduced_types_.push_back(program[value].type);
  return static_cast<int>(reduced_types_.size()) - 1;
}

int LoopBuilder::reduced(int number) {
  return program.add({Op::Reduced, reduced_types_[static_cast<size_t>(number)], {-1, -1, -1}, number});
}

void LoopBuilder::end_phase(Loop::Over over) {
  loop_.phases.push_back({over, std::move(program.instrs), std::move(reductions_), std::move(stores_)});
  scalar::remove_dead(loop_.phases.back());
  program.instrs.clear();
  reductions_.clear();
  stores_.clear();
  known_.clear();
}

}  // namespace lapis::codegen
