// Sums, means and largest elements of bags of embeddings:
// rows of a table, a bag as many of them as its offset and the next one say.
#include <limits>

#include "frontends/common/formula.h"
#include "frontends/pytorch/translators.h"

namespace lapis::pytorch_frontend {
namespace {

using frontend::Formula;

enum class Mode : uint8_t { Sum, Mean, Max };

struct Bags {
  Mode mode;
  Value *rows, *bag, *counts_row;  // [n, width]; int64[n, 1]: to which bag each belongs; [n, 1]: 0 for padding, else 1
  Value* count;                    // int64[1], of bags
};

// How many bags begin at or before each of the rows, less 1.
Value* bag_of(Formula& f, Value* indices, Value* offsets) {
  Value* n = f.size(indices, 0);
  Value* zeros = f.op(ops::Expand, {f.number(0, DType::Int64), f.add({n, f.integers({1})})});
  Value* ones = f.op(ops::Expand, {f.number(1, DType::Int64), f.op(ops::ShapeOf, {offsets})});
  Value* begins = f.op(ops::ScatterElements, {zeros, offsets, ones}, ops::ScatterElementsAttrs{0, "add"});
  Value* begun = f.op(ops::CumSum, {begins, f.number(0, DType::Int64)});
  Value* all = f.sub({begun, f.number(1, DType::Int64)});
  return f.unsqueeze(f.op(ops::Slice, {all, f.integers({0}), n}), {1});
}

Result<Bags> bags(Formula& f, Args& a) {
  constexpr Mode kModes[] = {Mode::Sum, Mode::Mean, Mode::Max};
  const int64_t mode = a.integer("mode", 0), padding = a.integer("padding_idx", -1);
  LAPIS_CHECK(a.status());
  if (mode < 0 || mode > 2) return error(ErrorKind::Input, "has mode " + std::to_string(mode));
  LAPIS_TRY(Value * table, a.tensor("weight"));
  LAPIS_TRY(Value * indices, a.tensor("indices"));
  LAPIS_TRY(Value * offsets, a.tensor("offsets"));
  Bags b{kModes[mode], f.gather(table, indices, 0), nullptr, nullptr, f.size(offsets, 0)};
  Value* numbers = f.cast(indices, DType::Int64);
  b.bag = bag_of(f, numbers, f.cast(offsets, DType::Int64));
  Value* is_padding = f.op(ops::Equal, {indices, f.number(static_cast<double>(padding), indices->dtype())});
  b.counts_row = f.cast(f.unsqueeze(f.opposite(is_padding), {1}), table->dtype());
  if (!a.has("per_sample_weights")) return b;
  LAPIS_TRY(Value * weights, a.tensor("per_sample_weights"));
  b.rows = f.mul({b.rows, f.unsqueeze(weights, {1})});
  return b;
}

// [bags, ...] of [n, ...], reduced by bag from this number on.
Value* by_bag(Formula& f, const Bags& b, Value* rows, double start, const char* reduction) {
  Value* width = f.op(ops::ShapeOf, {rows}, ops::ShapeAttrs{.end = std::nullopt, .start = 1});
  Value* none = f.op(ops::Expand, {f.number(start, rows->dtype()), f.concat({b.count, width}, 0)});
  return f.op(ops::ScatterND, {none, b.bag, rows}, ops::ScatterNDAttrs{reduction});
}

// A bag of nothing has zeros.
Value* reduced(Formula& f, const Bags& b) {
  const DType type = b.rows->dtype();
  Value* counts = f.greater({b.counts_row, f.number(0, type)});
  const double lowest = -std::numeric_limits<double>::infinity();
  const bool is_max = b.mode == Mode::Max;
  Value* rows = f.where({counts, b.rows, f.number(is_max ? lowest : 0, type)});
  Value* y = by_bag(f, b, rows, is_max ? lowest : 0, is_max ? "max" : "add");
  if (b.mode == Mode::Sum) return y;
  Value* count = by_bag(f, b, b.counts_row, 0, "add");
  if (b.mode == Mode::Mean) return f.div({y, f.max({count, f.number(1, type)})});
  return f.where({f.greater({count, f.number(0, type)}), y, f.number(0, type)});
}

// Where the last offset is the end of the last bag, what lies behind it belongs to none, and is cut off.
Status embedding_bag(Translation& t) {
  Args a(t);
  Formula f(t);
  const bool has_end = a.flag("include_last_offset", false);
  for (size_t i = 1; i < t.node().outputs.size(); ++i)
    if (!t.node().outputs[i].empty()) return Translation::unsupported("what only training reads, beside its result");
  LAPIS_TRY(const Bags b, bags(f, a));
  Value* y = reduced(f, b);
  if (has_end) y = f.slice(y, 0, 0, -1);
  LAPIS_CHECK(f.status());
  return frontend::result(t, 0, y);
}

constexpr std::string_view kArguments =
    "weight indices offsets scale_grad_by_freq mode sparse per_sample_weights include_last_offset padding_idx";

constexpr AtenRow kRows[] = {
    {"aten._embedding_bag", kArguments, embedding_bag},
    {"aten._embedding_bag_forward_only", kArguments, embedding_bag},
    {"aten.embedding_bag", kArguments, embedding_bag},
};

}  // namespace

std::span<const AtenRow> bag_rows() { return kRows; }

}  // namespace lapis::pytorch_frontend
