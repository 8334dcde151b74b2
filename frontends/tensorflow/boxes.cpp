// The choice of boxes that do not overlap better ones.
#include <limits>

#include "frontends/common/suppression.h"
#include "frontends/tensorflow/translators.h"

namespace lapis::tensorflow_frontend {
namespace {

using frontend::Chosen;
using frontend::Formula;
using frontend::Limits;
using frontend::Overlaps;
using frontend::Rules;

enum Operand : size_t { kBoxes, kScores, kMost, kOverlap, kLeastScore, kSigma };  // older versions have fewer

// Corners stand in any order.
frontend::Boxes boxes_of(Formula& f, Value* rows) {
  const auto at = [&](int64_t i) { return f.unsqueeze(f.squeeze(f.slice(rows, 1, i, i + 1), 1), {0}); };
  Value *y1 = at(0), *x1 = at(1), *y2 = at(2), *x2 = at(3);
  return {f.min(x1, x2), f.min(y1, y2), f.max(x1, x2), f.max(y1, y2), nullptr};
}

Overlaps shares_of_boxes(Formula& f, Value* rows) { return shares_of(f, boxes_of(f, rows)); }

// Of all with all, as the program has computed them.
Overlaps overlaps_as_given(Formula& f, Value* all) {
  Value *flat = f.reshape(all, {-1}), *width = f.size(all, 1);
  return [=](Formula& inner, Value* at, Value* chosen) {
    return inner.gather(flat, inner.add(inner.mul(at, width), chosen), 0);
  };
}

Status check_types(const Translation& t) {
  for (const size_t i : {kBoxes, kScores}) {
    const frontend::SourceValue& operand = t.input(i);
    if (operand.quantization || (operand.type.dtype != DType::Float32 && operand.type.dtype != DType::Undefined))
      return Translation::unsupported("boxes and scores that are not float32");
  }
  return ok();
}

Result<double> constant_number(const Translation& t, size_t i, const char* what) {
  const Tensor& tensor = t.input(i).constant;
  if (!tensor.defined()) return Translation::unsupported(std::string(what) + " that is computed");
  if (tensor.size() != 1) return error(ErrorKind::Input, "has several numbers as " + std::string(what));
  return tensor.as_double(0);
}

Result<Value*> limit_of(Translation& t, size_t i, double fallback) {
  if (!t.has(i)) return frontend::scalar(t, fallback, DType::Float32);
  return t.real(i, Layout::AsWritten);
}

Result<Limits> limits_of(Translation& t, Rules rules) {
  constexpr double kHalf = 0.5, kLowest = std::numeric_limits<float>::lowest();
  constexpr int64_t kMostBoxes = 1 << 20;
  Limits limits{.rules = rules};
  LAPIS_TRY(limits.most, number(t, kMost, "numbers of boxes"));
  LAPIS_TRY(limits.overlap, limit_of(t, kOverlap, t.get<double>("iou_threshold", kHalf)));
  LAPIS_TRY(limits.score, limit_of(t, kLeastScore, kLowest));
  if (t.has(kSigma)) {
    LAPIS_TRY(limits.sigma, constant_number(t, kSigma, "a sigma"));
  }
  if (limits.most >= 0 && limits.most <= kMostBoxes) return limits;
  return error(ErrorKind::Input, "chooses " + std::to_string(limits.most) + " boxes");
}

// All rows of results, or as many as boxes were chosen.
struct Results {
  Formula& f;
  Value* count;
  bool padded;

  Value* of(Value* row) const {
    Value* all = f.squeeze(row, 0);
    return padded ? all : f.op(ops::Slice, {all, f.integers({0}), count, f.integers({0})});
  }
};

Status choose_by(Translation& t, Overlaps (*overlaps_of)(Formula& f, Value* operand), Rules rules, bool padded) {
  LAPIS_CHECK(check_types(t));
  LAPIS_TRY(const Limits limits, limits_of(t, rules));
  LAPIS_TRY(Value * boxes, t.real(kBoxes, Layout::AsWritten));
  LAPIS_TRY(Value * scores, t.real(kScores, Layout::AsWritten));
  Formula f(t);
  Value* nothing = f.number(-std::numeric_limits<double>::infinity());
  Value* candidates = f.unsqueeze(f.where(f.greater(scores, limits.score), scores, nothing), {0});
  const Overlaps overlaps = overlaps_of(f, boxes);
  LAPIS_CHECK(f.status());
  const Chosen chosen = choose(t, f, overlaps, candidates, limits);
  const Results results{f, f.squeeze(chosen.count, 1), padded};
  std::vector<Value*> all = {f.cast(results.of(chosen.index), DType::Int32)};
  if (t.has(kSigma)) all.push_back(results.of(chosen.scores));
  all.push_back(f.cast(f.op(ops::Squeeze, {chosen.count}), DType::Int32));
  LAPIS_CHECK(f.status());
  if (t.output_count() > all.size()) return error(ErrorKind::Input, "has not the outputs of its version");
  for (size_t i = 0; i < t.output_count(); ++i) LAPIS_CHECK(frontend::result(t, i, all[i]));
  return ok();
}

}  // namespace

Status non_max_suppression(Translation& t) {
  return choose_by(t, shares_of_boxes, Rules::TensorFlow, t.get<bool>("pad_to_max_output_size", false));
}

Status non_max_suppression_with_overlaps(Translation& t) {
  return choose_by(t, overlaps_as_given, Rules::TensorFlow, false);
}

Status non_max_suppression_of_tflite(Translation& t) { return choose_by(t, shares_of_boxes, Rules::TFLite, true); }

}  // namespace lapis::tensorflow_frontend
