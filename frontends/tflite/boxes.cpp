// The choice of boxes that do not overlap better ones.
#include "frontends/common/suppression.h"
#include "frontends/tflite/translators.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::tflite_frontend {
namespace {

using frontend::column;
using frontend::Formula;
using frontend::Sorted;

enum Operand : size_t { kBoxes, kScores, kMost, kOverlap, kLeastScore, kSigma };
enum Column : int64_t { kY1, kX1, kY2, kX2, kScore, kIndex };

Result<double> constant_number(const Translation& t, size_t i, const char* what) {
  const Tensor& tensor = t.input(i).constant;
  if (!tensor.defined()) return Translation::unsupported(std::string(what) + " that is computed");
  if (tensor.size() != 1) return error(ErrorKind::Input, "has several numbers as " + std::string(what));
  return tensor.as_double(0);
}

// Corners stand in any order.
frontend::Boxes boxes_of(Formula& f, Value* rows) {
  Value *y1 = column(f, rows, kY1), *x1 = column(f, rows, kX1), *y2 = column(f, rows, kY2), *x2 = column(f, rows, kX2);
  return {f.min(x1, x2), f.min(y1, y2), f.max(x1, x2), f.max(y1, y2), nullptr};
}

// [1, N, 6]: corners, score, number of the box.
Value* rows_of(Formula& f, Value* boxes, Value* scores) {
  Value* numbers = f.cast(f.range(f.size(scores, 0)), DType::Float32);
  return f.unsqueeze(f.concat({boxes, f.unsqueeze(scores, {1}), f.unsqueeze(numbers, {1})}, 1), {0});
}

// A column of the rows that were chosen, as `most` numbers, zeros behind them.
Value* filled_up(Formula& f, const Sorted& chosen, int64_t which, int64_t most) {
  Value* values = f.where(chosen.valid, column(f, chosen.rows, which), f.number(0));
  Value* zeros = f.op(ops::Expand, {f.number(0), f.integers({most})});
  return f.slice(f.concat({f.squeeze(values, 0), zeros}, 0), 0, 0, most);
}

}  // namespace

// Version 4 gives the numbers of the boxes and how many there are, version 5 the scores between the two.
Status non_max_suppression(Translation& t) {
  constexpr double kMostBoxes = 1 << 20;
  LAPIS_TRY(const double most, constant_number(t, kMost, "a number of boxes"));
  LAPIS_TRY(const double overlap, constant_number(t, kOverlap, "an overlap"));
  LAPIS_TRY(const double sigma, t.has(kSigma) ? constant_number(t, kSigma, "a sigma") : Result<double>(0.0));
  if (sigma != 0) return Translation::unsupported("scores that overlaps lower (soft_nms_sigma)");
  if (!(most >= 0 && most <= kMostBoxes)) return error(ErrorKind::Input, "chooses among too many boxes");
  LAPIS_TRY(Value * boxes, t.real(kBoxes, Layout::AsWritten));
  LAPIS_TRY(Value * scores, t.real(kScores, Layout::AsWritten));
  LAPIS_TRY(Value * least, t.real(kLeastScore, Layout::AsWritten));
  Formula f(t);
  Value* keys = f.unsqueeze(scores, {0});
  const Sorted sorted = sort_rows(f, rows_of(f, boxes, scores), as_keys(f, f.greater(keys, least), keys));
  LAPIS_CHECK(f.status());
  Value* kept = suppress(t, f, boxes_of(f, sorted.rows), sorted.valid, overlap, true);
  const Sorted chosen = valid_first(f, sorted.rows, kept);
  const auto count = static_cast<int64_t>(most);
  std::vector<Value*> results = {f.cast(filled_up(f, chosen, kIndex, count), DType::Int32)};
  if (t.node().op == "NON_MAX_SUPPRESSION_V5") results.push_back(filled_up(f, chosen, kScore, count));
  Value* all = f.op(ops::ReduceSum, {f.cast(kept, DType::Int32)}, Attributes{{"keepdims", int64_t{0}}});
  results.push_back(f.min(all, f.number(most, DType::Int32)));
  LAPIS_CHECK(f.status());
  if (t.output_count() != results.size()) return error(ErrorKind::Input, "has not the outputs of its version");
  for (size_t i = 0; i < results.size(); ++i) LAPIS_CHECK(frontend::result(t, i, results[i]));
  return ok();
}

}  // namespace lapis::tflite_frontend
