// Operators that go along the lines of an axis, element after element: routines of the runtime.
#include "codegen/lower/loop_builder.h"
#include "codegen/lower/ops/families.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"

namespace lapis::codegen {
namespace {

// Both results are made, wanted or not.
void top_k(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  const Value* x = node.input(0);
  const auto a = node.attrs<ops::TopKAttrs>();
  Call call{node.name(), "topk", {l.row_major(l.view_of(x), x->name())}, {}, {}, {}};
  const Shape shape = (node.output(0) ? node.output(0) : node.output(1))->type().shape();
  const int64_t axis = ops::normalized(a.axis, x->type().rank());
  const ops::AxisView lines(x->type().shape(), axis);
  call.parameters = {static_cast<int64_t>(x->dtype()), lines.outer, lines.extent, lines.inner,
                     shape[static_cast<size_t>(axis)], a.largest};
  const DType types[] = {x->dtype(), DType::Int64};
  for (size_t i = 0; i < 2; ++i) {
    const Value* y = node.output(i);
    call.outputs.push_back(y ? l.allocate(y) : l.plain_storage(node.name() + ".unused", types[i], shape));
  }
  l.emit(std::move(call), region, std::string(name_of(x->dtype())));
}

// The same elements in another type.
void convert(Lowering& l, const View& from, const View& to, const std::string& name) {
  LoopBuilder b(l, name, to.shape);
  const Mapping here = straight(to.shape);
  const int x = b.load_view(b.add_view(from, here)), slot = b.add_view(to, here);
  b.store(slot, b.to(to.dtype, x));
  b.end_phase(Loop::Over::Row);
  l.emit(b.finish(), "conversion of " + name, std::string(name_of(to.dtype)));
}

// Sums of halves are formed in double, so that they are rounded once.
void cum_sum(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  const Value *x = node.input(0), *y = node.output();
  const auto a = node.attrs<ops::CumSumAttrs>();
  const Shape shape = y->type().shape();
  const bool half = bit_width(x->dtype()) == 16;
  const DType type = half ? DType::Float64 : x->dtype();
  View in = half ? l.plain_storage(x->name() + ".wide", type, shape) : l.row_major(l.view_of(x), x->name());
  if (half) convert(l, l.view_of(x), in, x->name());
  const View sums = half ? l.plain_storage(y->name() + ".wide", type, shape) : l.allocate(y);
  const ops::AxisView lines(shape, ops::normalized(node.input(1)->constant().as_int(0), y->type().rank()));
  l.emit(Call{node.name(),
              "cumsum",
              {in},
              {sums},
              {static_cast<int64_t>(type), lines.outer, lines.extent, lines.inner, a.exclusive, a.reverse},
              {}},
         region, std::string(name_of(x->dtype())));
  if (half) convert(l, sums, l.allocate(y), y->name());
}

}  // namespace

OpLowerings along_axis_rows() {
  return {
      code_for(ops::CumSum).call(cum_sum).constants({1}),
      code_for(ops::TopK).call(top_k).constants({1}),
  };
}

}  // namespace lapis::codegen
