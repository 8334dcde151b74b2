// Layers that join several values, and arithmetic of values and numbers.
#include <algorithm>
#include <numeric>

#include "frontends/keras/translators.h"
#include "ir/ops/data_attributes.h"

namespace lapis::keras_frontend {
namespace {

using frontend::Aligned;

// All operands in one order of axes; numbers of the type of the first.
Result<Aligned> all_operands(Translation& t) {
  std::vector<size_t> all(t.input_count());
  std::iota(all.begin(), all.end(), 0);
  LAPIS_TRY(Aligned result, frontend::aligned(t, all));
  const auto own = std::ranges::find_if(all, [&](size_t i) { return !t.input(i).constant.defined(); });
  if (own == all.end()) return result;
  for (Value*& value : result.operands) {
    LAPIS_TRY(value, frontend::cast(t, value, result.operands[*own]->dtype()));
  }
  return result;
}

Result<Value*> combined(Translation& t, const OpDef& op, const Aligned& all) {
  Value* y = all.operands[0];
  for (size_t i = 1; i < all.operands.size(); ++i) {
    LAPIS_TRY(y, t.add(op, {y, all.operands[i]}));
  }
  return all.operands.size() == 1 ? t.add(ops::Identity, {y}) : Result<Value*>(y);
}

Status joined(Translation& t, const OpDef& op) {
  LAPIS_TRY(const Aligned all, all_operands(t));
  LAPIS_TRY(Value * y, combined(t, op, all));
  return t.set(0, y, all.layout);
}

Result<Value*> unit_vectors(Translation& t, Value* x, int64_t axis) {
  constexpr double kLeast = 1e-12;
  LAPIS_TRY(Value * squares, t.add(ops::Mul, {x, x}));
  LAPIS_TRY(Value * sum, frontend::reduce(t, ops::ReduceSum, squares, {axis}, true));
  LAPIS_TRY(Value * least, frontend::scalar_like(t, kLeast, x));
  LAPIS_TRY(sum, t.add(ops::Max, {sum, least}));
  LAPIS_TRY(Value * length, t.add(ops::Sqrt, {sum}));
  return t.add(ops::Div, {x, length});
}

// Operand `i` with the axis that is summed at the end.
Result<Value*> factor(Translation& t, size_t i, int64_t axis) {
  LAPIS_TRY(Value * x, t.real(i, Layout::AsWritten));
  LAPIS_TRY(const int64_t rank, frontend::rank_of(x));
  LAPIS_TRY(axis, frontend::axis_of(axis, rank));
  if (rank < 2 || rank > 3 || axis == 0) return Translation::unsupported("data of another rank than 2 and 3");
  if (t.get<bool>("normalize", false)) {
    LAPIS_TRY(x, unit_vectors(t, x, axis));
  }
  if (rank == 2) return frontend::unsqueeze(t, x, {1});
  return axis == 2 ? Result<Value*>(x) : frontend::transpose_matrices(t, x);
}

}  // namespace

Status add(Translation& t) { return joined(t, ops::Add); }
Status divide(Translation& t) { return joined(t, ops::Div); }
Status maximum(Translation& t) { return joined(t, ops::Max); }
Status minimum(Translation& t) { return joined(t, ops::Min); }
Status multiply(Translation& t) { return joined(t, ops::Mul); }
Status power(Translation& t) { return joined(t, ops::Pow); }
Status subtract(Translation& t) { return joined(t, ops::Sub); }

Status average(Translation& t) {
  LAPIS_TRY(const Aligned all, all_operands(t));
  LAPIS_TRY(Value * y, combined(t, ops::Add, all));
  LAPIS_TRY(Value * part, frontend::scalar_like(t, 1.0 / static_cast<double>(all.operands.size()), y));
  LAPIS_TRY(y, t.add(ops::Mul, {y, part}));
  return t.set(0, y, all.layout);
}

Status concatenate(Translation& t) {
  LAPIS_TRY(const int64_t rank, rank_of(t));
  LAPIS_TRY(const int64_t axis, axis_option(t, "axis", rank));
  Layout layout = Layout::AsWritten;
  for (size_t i = 0; i < t.input_count(); ++i)
    if (t.layout(i) == Layout::ChannelsFirst) layout = Layout::ChannelsFirst;
  std::vector<Value*> parts;
  for (size_t i = 0; i < t.input_count(); ++i) {
    LAPIS_TRY(parts.emplace_back(), t.real(i, layout));
  }
  const ops::ConcatAttrs attributes{.axis = frontend::axis_in(layout, axis, static_cast<size_t>(rank))};
  LAPIS_TRY(Value * y, t.add(ops::Concat, parts, attributes));
  return t.set(0, y, layout);
}

// Sums of products over one axis of each operand, sample by sample:
// [N, A], [N, A] give [N, 1], and [N, I, A], [N, J, A] give [N, I, J].
Status dot(Translation& t) {
  LAPIS_TRY(const std::vector<int64_t> axes, option(t, "axes", 2, -1));
  LAPIS_TRY(Value * a, factor(t, 0, axes[0]));
  LAPIS_TRY(Value * b, factor(t, 1, axes[1]));
  LAPIS_TRY(b, frontend::transpose_matrices(t, b));
  LAPIS_TRY(Value * y, t.add(ops::MatMul, {a, b}));
  const bool has_no_rows = t.input(0).type.rank() == 2, has_no_columns = t.input(1).type.rank() == 2;
  if (has_no_rows || has_no_columns) {
    LAPIS_TRY(y, frontend::squeeze(t, y, {has_no_rows ? 1 : 2}));
  }
  return t.set(0, y, Layout::AsWritten);
}

}  // namespace lapis::keras_frontend
