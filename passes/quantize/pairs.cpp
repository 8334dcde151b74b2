#include "passes/quantize/pairs.h"

#include "ir/ops/ops.h"

namespace lapis {

const Value* behind_pair(const Value* v) {
  if (!v->used_once()) return nullptr;
  const Node* q = v->uses()[0].node;
  if (!q->is(ops::QuantizeLinear) || q->output()->uses().empty()) return nullptr;
  const Node* dq = q->output()->uses()[0].node;
  return dq->is(ops::DequantizeLinear) ? dq->output() : nullptr;
}

const Value* as_read(const Value* v) {
  const Value* floats = behind_pair(v);
  return floats ? floats : v;
}

}  // namespace lapis
