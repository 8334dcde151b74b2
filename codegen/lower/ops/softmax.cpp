// Softmax and LogSoftmax.
#include "codegen/lower/ops/families.h"
#include "codegen/lower/reducing.h"
#include "ir/ops/attributes.h"
#include "ir/ops/ops.h"

namespace lapis::codegen {
namespace {

using Over = Loop::Over;
using Reduce = Loop::Reduce;

// The lines of a Softmax or LogSoftmax; a number is a line of one.
Reducing softmax_lines(const Node& node) {
  const int64_t rank = node.input(0)->type().rank();
  const std::vector<int64_t> axes =
      rank ? std::vector<int64_t>{node.attrs<ops::SoftmaxAttrs>().axis} : std::vector<int64_t>{};
  return {node.input(0)->type().shape(), axis_mask(axes, rank)};
}

// What both begin with: a phase that finds the largest element of each line. shifted() is x - max from then on.
struct ShiftedLines {
  ShiftedLines(Lowering& l, const FusedRegion& region)
      : x(region.anchor->input(0)),
        type(accumulator(x->dtype())),
        r(softmax_lines(*region.anchor)),
        b(l, region.result()->name(), r.domain, r.reduced),
        max(b.reduce(Reduce::Max, loaded())) {
    b.end_phase(Over::Inner);
  }
  int loaded() { return b.to(type, b.load(x, r.inner)); }
  int shifted() {
    const int value = loaded();
    return b.op(Op::Sub, {value, b.reduced(max)});
  }

  const Value* x;
  DType type;
  Reducing r;
  LoopBuilder b;
  int max;
};

void softmax(Lowering& l, const FusedRegion& region) {
  const Value* out = region.result();
  ShiftedLines lines(l, region);
  const DType type = lines.type;
  const Reducing& r = lines.r;
  LoopBuilder& b = lines.b;
  const int sum = b.reduce(Reduce::Sum, b.op(Op::Exp, {lines.shifted()}));
  // Unfused, the exponentials wait in the output for their division instead of being computed twice.
  const bool reuse = region.chain.empty() && lines.x->dtype() == type;
  const int slot = reuse ? b.add_view(l.allocate(out), r.inner) : -1;
  if (reuse) b.store(slot, b.op(Op::Exp, {lines.shifted()}));
  b.end_phase(Over::Inner);
  int y = reuse ? b.load_view(slot) : b.op(Op::Exp, {lines.shifted()});
  y = b.op(Op::Div, {y, b.reduced(sum)});
  y = b.apply_chain(region, y, r.inner);
  b.store(reuse ? slot : b.add_view(l.allocate(out), r.inner), y);
  b.end_phase(Over::Inner);
  l.emit(b.finish(), region, precision_of(out));
}

// x - max - log(sum(exp(x - max))). The largest elements, whose exp is 1, are counted apart: next to a 1 the others
// would vanish, and with them the logarithm of a probability near 1.
void log_softmax(Lowering& l, const FusedRegion& region) {
  const Value* out = region.result();
  ShiftedLines lines(l, region);
  const DType type = lines.type;
  const Reducing& r = lines.r;
  LoopBuilder& b = lines.b;
  const int distance = lines.shifted(), none = b.k(type, 0);
  const int largest = b.program.add(Op::Equal, DType::Bool, {distance, none});
  const int count = b.reduce(Reduce::Sum, b.program.add(Op::Select, type, {largest, b.k(type, 1), none}));
  const int others = b.reduce(Reduce::Sum, b.program.add(Op::Select, type, {largest, none, b.op(Op::Exp, {distance})}));
  b.end_phase(Over::Inner);
  const int beside_one = b.op(Op::Add, {b.op(Op::Sub, {b.reduced(count), b.k(type, 1)}), b.reduced(others)});
  int y = b.op(Op::Sub, {lines.shifted(), b.op(Op::Log1p, {beside_one})});
  y = b.apply_chain(region, y, r.inner);
  b.store(b.add_view(l.allocate(out), r.inner), y);
  b.end_phase(Over::Inner);
  l.emit(b.finish(), region, precision_of(out));
}

}  // namespace

OpLowerings softmax_rows() {
  return {
      code_for(ops::Softmax).loop(softmax).inlines({0}),
      code_for(ops::LogSoftmax).loop(log_softmax).inlines({0}),
  };
}

}  // namespace lapis::codegen
