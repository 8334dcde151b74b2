// Dropout as inference sees it: the identity.
#include "ir/ops/attributes.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"

namespace lapis::ops {
namespace {

// Elements are dropped if training_mode says so and the ratio, by default a half, is not 0.
bool drops(const Tensor* ratio, const Tensor& training) {
  return training.size() > 0 && training.data<bool>()[0] && !(ratio && ratio->size() > 0 && ratio->as_double(0) == 0);
}

Diagnostic no_training(Diagnostic d) { return d.help("export the model for inference, or set training_mode to false"); }
constexpr std::string_view kRandom =
    "training_mode is true: which elements are dropped is random, which Lapis does not do";

Result<Types> infer_dropout(const InferContext& c) {
  const Tensor *ratio = c.constant(1), *training = c.constant(2);
  if (training && (ratio || !c.has(1)) && drops(ratio, *training))
    return no_training(c.unsupported(std::string(kRandom)));
  return Types{c.in(0), Type::tensor(DType::Bool, c.in(0).dims)};
}

Status evaluate_dropout(EvalContext& c) {
  if (c.has(2) && drops(c.has(1) ? &c.in(1) : nullptr, c.in(2)))
    return no_training(c.unsupported(std::string(kRandom)));
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
