// Dropout as inference sees it: the identity.
#include "ir/ops/attributes.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"

namespace lapis::ops {
namespace {

Diagnostic no_training(Diagnostic d) { return d.help("export the model for inference, or set training_mode to false"); }

Result<Types> infer_dropout(const InferContext& c) {
  const Tensor* training = c.constant(2);
  if (training && training->data<bool>()[0]) return no_training(c.unsupported("training_mode is not supported"));
  return Types{c.in(0), Type::tensor(DType::Bool, c.in(0).dims)};
}

Status evaluate_dropout(EvalContext& c) {
  if (c.has(2) && c.in(2).data<bool>()[0]) return no_training(c.unsupported("training_mode is not supported"));
  c.set_out(0, c.in(0));
  if (c.wants(1))
    c.set_out(
        1, from_integers(DType::Bool, c.in(0).shape(), std::vector<int64_t>(static_cast<size_t>(c.in(0).size()), 1)));
  return ok();
}

}  // namespace

const OpDef Dropout = op("Dropout")
                          .since(22)
                          .doc("The identity: elements are dropped in training only, which Lapis does not do.")
                          .in("data", kFloats)
                          .optional_in("ratio", kFloats)
                          .optional_in("training_mode", types(DType::Bool))
                          .out("output", kFloats)
                          .optional_out("mask", types(DType::Bool))
                          .attrs<DropoutAttrs>()
                          .infer(infer_dropout)
                          .evaluate(evaluate_dropout)
                          .traits(Trait::Pure | Trait::ValuePreserving)
                          .quant(Quant::SharedScale);

}  // namespace lapis::ops
