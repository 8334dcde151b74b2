// Reduce* and global pools.
#include "codegen/lower/ops/families.h"
#include "codegen/lower/reducing.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::codegen {
namespace {

using Over = Loop::Over;
using Reduce = Loop::Reduce;

// What a reduction accumulates in, does to each element, how elements combine, and what happens to the combined value.
struct Reducer {
  DType (*accumulator)(DType);
  int (*before)(LoopBuilder&, int);
  Reduce kind;
  int (*after)(LoopBuilder&, int, double count);
};

int keep(LoopBuilder&, int x) { return x; }
int keep_sum(LoopBuilder&, int x, double) { return x; }
int square(LoopBuilder& b, int x) { return b.op(Op::Mul, {x, x}); }
int absolute(LoopBuilder& b, int x) { return b.op(Op::Abs, {x}); }
int as_real(LoopBuilder& b, int x) { return is_float(b.program[x].type) ? x : b.to(DType::Float64, x); }
int root(LoopBuilder& b, int x, double) { return b.op(Op::Sqrt, {as_real(b, x)}); }
int logarithm(LoopBuilder& b, int x, double) { return b.op(Op::Log, {as_real(b, x)}); }
int average(LoopBuilder& b, int x, double count) { return b.op(Op::Div, {x, b.k(b.program[x].type, count)}); }

constexpr Reducer kSum{accumulator, keep, Reduce::Sum, keep_sum}, kMean{wide_accumulator, keep, Reduce::Sum, average},
    kMax{accumulator, keep, Reduce::Max, keep_sum}, kMin{accumulator, keep, Reduce::Min, keep_sum},
    kProd{accumulator, keep, Reduce::Prod, keep_sum}, kL1{accumulator, absolute, Reduce::Sum, keep_sum},
    kL2{wide_accumulator, square, Reduce::Sum, root}, kSumSquare{accumulator, square, Reduce::Sum, keep_sum},
    kLogSum{wide_accumulator, keep, Reduce::Sum, logarithm}, kAverage{accumulator, keep, Reduce::Sum, average};

std::vector<bool> reduced_axes(const Node& node) {
  const int64_t rank = node.input(0)->type().rank();
  const std::vector<int64_t> axes = node.input(1) ? node.input(1)->constant().as_ints() : std::vector<int64_t>{};
  if (axes.empty() && node.attrs<ops::ReduceAttrs>().noop_with_empty_axes)
    return std::vector<bool>(static_cast<size_t>(rank), false);
  return axis_mask(axes, rank);
}

std::vector<bool> spatial_axes(const Node& node) {
  std::vector<bool> mask(static_cast<size_t>(node.input(0)->type().rank()), true);
  mask[0] = mask[1] = false;
  return mask;
}

// log(sum(exp(x))) as max + log(sum(exp(x - max))), so that no exp overflows; an infinite maximum is not taken out.
void log_sum_exp(Lowering& l, const FusedRegion& region) {
  const Value* x = region.anchor->input(0);
  const Reducing r(x->type().shape(), reduced_axes(*region.anchor));
  const DType type = is_float(x->dtype()) ? accumulator(x->dtype()) : DType::Float64;
  LoopBuilder b(l, region.result()->name(), r.domain, r.reduced);
  const int max = b.reduce(Reduce::Max, b.to(type, b.load(x, r.inner)));
  b.end_phase(Over::Inner);
  auto shift = [&] {
    const int highest = b.reduced(max), infinite = b.program.add(Op::IsInf, DType::Bool, {highest});
    return b.program.add(Op::Select, type, {infinite, b.k(type, 0), highest});
  };
  const int loaded = b.to(type, b.load(x, r.inner));
  const int sum = b.reduce(Reduce::Sum, b.op(Op::Exp, {b.op(Op::Sub, {loaded, shift()})}));
  b.end_phase(Over::Inner);
  const int total = b.op(Op::Log, {b.reduced(sum)});
  finish_rows(l, region, b, b.op(Op::Add, {total, shift()}), r);
}

void reduction(Lowering& l, const FusedRegion& region, const std::vector<bool>& axes, const Reducer& reducer) {
  const Value* in = region.anchor->input(0);
  const Reducing r(in->type().shape(), axes);
  LoopBuilder b(l, region.result()->name(), r.domain, r.reduced);
  const int x = b.to(reducer.accumulator(in->dtype()), b.load(in, r.inner));
  const int total = b.reduce(reducer.kind, reducer.before(b, x));
  b.end_phase(Over::Inner);
  const int reduced = b.reduced(total);
  finish_rows(l, region, b, reducer.after(b, reduced, static_cast<double>(r.inner_size())), r);
}

template <const Reducer& kReducer> void reduce(Lowering& l, const FusedRegion& region) {
  reduction(l, region, reduced_axes(*region.anchor), kReducer);
}
template <const Reducer& kReducer> void global_pool(Lowering& l, const FusedRegion& region) {
  reduction(l, region, spatial_axes(*region.anchor), kReducer);
}

OpLowering reducing(const OpDef& op, LowerFn lower) { return code_for(op).loop(lower).constants({1}).inlines({0}); }
OpLowering pooling(const OpDef& op, LowerFn lower) { return code_for(op).loop(lower).inlines({0}).channels_last(); }

}  // namespace

OpLowerings reduction_rows() {
  return {
      reducing(ops::ReduceSum, reduce<kSum>),
      reducing(ops::ReduceMean, reduce<kMean>),
      reducing(ops::ReduceMax, reduce<kMax>),
      reducing(ops::ReduceMin, reduce<kMin>),
      reducing(ops::ReduceProd, reduce<kProd>),
      reducing(ops::ReduceL1, reduce<kL1>),
      reducing(ops::ReduceL2, reduce<kL2>),
      reducing(ops::ReduceSumSquare, reduce<kSumSquare>),
      reducing(ops::ReduceLogSum, reduce<kLogSum>),
      reducing(ops::ReduceLogSumExp, log_sum_exp),
      pooling(ops::GlobalAveragePool, global_pool<kAverage>),
      pooling(ops::GlobalMaxPool, global_pool<kMax>),
  };
}

}  // namespace lapis::codegen
