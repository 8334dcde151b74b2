#include "ir/ops/elementwise.h"

namespace lapis::ops {

Result<Types> infer_broadcast_as(const InferContext& c, std::optional<DType> dtype, size_t first_typed) {
  std::vector<const Type*> operands;
  for (size_t i = 0; i < c.input_count(); ++i) operands.push_back(&c.in(i));
  const DType wanted = c.in(first_typed).dtype;

  LAPIS_TRY(std::optional<Dims> dims, broadcast(c, operands));
  return Types{Type::tensor(dtype.value_or(wanted), std::move(dims))};
}

Result<std::vector<Tensor>> broadcast_operands(const EvalContext& c) {
  lapis::Shape shape;
  for (size_t i = 0; i < c.input_count(); ++i) {
    auto common = broadcast_shapes(shape, c.in(i).shape());
    if (!common) return c.error("cannot broadcast " + to_string(c.in(i).shape()) + " against " + to_string(shape));
    shape = *std::move(common);
  }
  std::vector<Tensor> operands;
  for (size_t i = 0; i < c.input_count(); ++i) operands.push_back(expand(c.in(i), shape));
  return operands;
}

std::optional<Dims> propagate_pairs(const InferContext& c, DimFunction function) {
  const auto a = c.contents(0), b = c.contents(1);
  if (!a || !b || (a->size() != b->size() && a->size() != 1 && b->size() != 1)) return std::nullopt;
  // Of equal size but of higher rank they might be [1,n] and [n,1].
  if (!c.in(0).ranked() || !c.in(1).ranked() || std::max(c.in(0).rank(), c.in(1).rank()) > 1) return std::nullopt;
  Dims result;
  const size_t count = a->size() == 1 ? b->size() : a->size();
  for (size_t i = 0; i < count; ++i)
    result.push_back(function((*a)[a->size() == 1 ? 0 : i], (*b)[b->size() == 1 ? 0 : i]));
  return result;
}

}  // namespace lapis::ops
