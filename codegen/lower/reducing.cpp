#include "codegen/lower/reducing.h"

#include "ir/ops/loops.h"

namespace lapis::codegen {

Reducing::Reducing(const Shape& shape, const std::vector<bool>& reduce) : inner{shape, {}}, outer{shape, {}} {
  for (int pass = 0; pass < 2; ++pass)
    for (size_t i = 0; i < shape.size(); ++i)
      if (reduce[i] == (pass == 1)) {
        domain.push_back(shape[i]);
        inner.axis.push_back(static_cast<int64_t>(i));
        reduced += pass;
        if (pass == 1) outer.shape[i] = 1;
      }
  outer.axis = inner.axis;
}

int64_t Reducing::inner_size() const {
  int64_t n = 1;
  for (size_t i = domain.size() - static_cast<size_t>(reduced); i < domain.size(); ++i) n *= domain[i];
  return n;
}

std::vector<bool> axis_mask(const std::vector<int64_t>& axes, int64_t rank) {
  std::vector<bool> mask(static_cast<size_t>(rank), axes.empty());
  for (int64_t a : axes) mask[static_cast<size_t>(ops::normalized(a, rank))] = true;
  return mask;
}

// Where results drop the reduced axes, their mapping skips them.
static Mapping result_mapping(const Reducing& r, const Shape& result) {
  if (result.size() == r.outer.shape.size()) return {result, r.outer.axis};
  Mapping p{result, {}};
  int64_t next = 0;
  for (size_t i = 0; i < r.domain.size(); ++i)
    p.axis.push_back(i + static_cast<size_t>(r.reduced) < r.domain.size() ? next++ : -1);
  return p;
}

void finish_rows(Lowering& l, const FusedRegion& region, LoopBuilder& b, int result, const Reducing& r) {
  const Value* out = region.result();
  const Mapping mapping = result_mapping(r, out->type().shape());
  result = b.apply_chain(region, result, mapping);
  b.store(b.add_view(l.allocate(out), mapping), result);
  b.end_phase(Loop::Over::Row);
  l.emit(b.finish(), region, precision_of(out));
}

DType accumulator(DType type) { return type == DType::Float16 || type == DType::BFloat16 ? DType::Float32 : type; }
DType wide_accumulator(DType type) {
  return !is_integer(type) ? accumulator(type) : is_signed(type) ? DType::Int64 : DType::UInt64;
}

}  // namespace lapis::codegen
