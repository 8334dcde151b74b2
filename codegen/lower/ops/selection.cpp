// Operators that select by order.
#include "codegen/lower/lowering.h"
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
    call.outputs.push_back(y ? l.plain_result(y) : l.plain_storage(node.name() + ".unused", types[i], shape));
  }
  l.emit(std::move(call), region, std::string(name_of(x->dtype())));
}

}  // namespace

OpLowerings selection_rows() {
  return {
      code_for(ops::TopK).call(top_k).constants({1}),
  };
}

}  // namespace lapis::codegen
