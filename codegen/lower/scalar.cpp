#include "codegen/lower/scalar.h"

#include "codegen/lower/op_lowering.h"

namespace lapis::codegen {

DType Scalar::arithmetic(DType type) {
  return type == DType::Float16 || type == DType::BFloat16 ? DType::Float32 : type;
}

std::optional<Immediate> scalar_constant(const Value* value) {
  if (!value || !value->is_constant() || value->constant().size() != 1 || value->dtype() == DType::String)
    return std::nullopt;
  return Immediate::element(value->constant(), 0);
}

int translate(const Node& node, Program& program, const Operand& operand) {
  const OpLowering* row = row_of(node);
  LAPIS_ASSERT(row && row->translate, "no scalar form of " << node.op().name);
  Scalar scalar(node, program, operand);
  return scalar.to(node.output()->dtype(), row->translate(scalar));
}

}  // namespace lapis::codegen
