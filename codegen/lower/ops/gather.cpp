// Gather.
#include "codegen/lower/loop_builder.h"
#include "codegen/lower/ops/families.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"

namespace lapis::codegen {
namespace {

void gather(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  const Value* out = region.result();
  const View data = l.view_of(node.input(0)), indices = l.view_of(node.input(1));
  const auto axis =
      static_cast<size_t>(ops::normalized(node.attrs<ops::AxisAttrs>().axis, static_cast<int64_t>(data.shape.size())));
  const Shape shape = out->type().shape();
  const size_t index_rank = indices.shape.size();
  View table{data.buffer, data.dtype, {}, {}, data.offset},
      index{indices.buffer, indices.dtype, {}, Shape(shape.size(), 0), indices.offset};
  for (size_t i = 0; i < axis; ++i) table.strides.push_back(data.strides[i]);
  table.strides.insert(table.strides.end(), index_rank, 0);
  for (size_t i = axis + 1; i < data.shape.size(); ++i) table.strides.push_back(data.strides[i]);
  for (size_t i = 0; i < index_rank; ++i) index.strides[axis + i] = indices.strides[i];

  LoopBuilder b(l, out->name(), shape);
  int at = b.load_view(b.add_placed_view(index));
  if (index.dtype != DType::Int64) at = b.program.add(Op::Cast, DType::Int64, {at});
  const Instr gather{Op::Gather,         data.dtype,      {at, -1, -1}, b.add_placed_view(table),
                     data.strides[axis], data.shape[axis]};
  const Mapping here = straight(shape);
  const int result = b.apply_chain(region, b.program.add(gather), here);
  b.store(b.add_view(l.allocate(out), here), result);
  b.end_phase(Loop::Over::Row);
  l.emit(b.finish(), region, precision_of(out));
}

Status has_data(const Node& node) {
  const Shape data = node.input(0)->type().shape();
  if (element_count(data) == 0 && element_count(node.output()->type().shape()) != 0)
    return refuse("every index is out of range, because its data has no elements");
  return ok();
}

// One byte out of 256 by a byte, which a Cast made an index: any byte has an element, negative ones from the end.
Status is_byte_table(const Node& node) {
  const Value* table = node.input(0);
  const Node* cast = node.input(1)->producer();
  const bool bytes = cast && cast->is(ops::Cast) && is_quantized_storage(cast->input(0)->dtype());
  if (bytes && table->is_constant() && table->constant().shape() == Shape{256} && is_quantized_storage(table->dtype()))
    return ok();
  return refuse("it is not a table of bytes");
}

int look_up(Scalar& s) {
  const int index = s.as_is(1), before = s.instr(index).op == Op::Cast ? s.instr(index).args[0] : -1;
  const bool byte = before >= 0 && is_quantized_storage(s.type_of(before));
  const int slot = s.instr(s.as_is(0)).slot;
  return s.raw({Op::Table, s.result_type(), {byte ? before : s.to(DType::UInt8, index), -1, -1}, slot});
}

}  // namespace

OpLowerings gather_rows() {
  return {
      code_for(ops::Gather).scalar(look_up, is_byte_table).loop(gather, has_data).looks_up({0}),
  };
}

}  // namespace lapis::codegen
