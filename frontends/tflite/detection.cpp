// TFLite_Detection_PostProcess, with which detectors of TensorFlow's Object Detection API end: boxes from what a
// network says of anchors, and the best of them.
#include <algorithm>
#include <limits>

#include "frontends/common/suppression.h"
#include "frontends/tflite/translators.h"

namespace lapis::tflite_frontend {
namespace {

using frontend::Boxes;
using frontend::Chosen;
using frontend::Formula;
using frontend::Limits;
using frontend::Overlaps;

enum Operand : size_t { kEncodings, kScores, kAnchors };
constexpr int64_t kMostPlaces = 1 << 22;
constexpr size_t kOutputs = 4;               // boxes, classes, scores, how many
constexpr int64_t kCorners = 4, kWidth = 6;  // rows of results: corners, class, score

struct Options {
  int64_t most, per_box, per_class, classes;
  double least, overlap, y, x, height, width;
  bool every_class_by_itself;
};

Result<int64_t> count_of(const Translation& t, const char* name, double fallback = 0) {
  const auto count = t.get<double>(name, fallback);
  if (count >= 1 && count <= kMostPlaces) return static_cast<int64_t>(count);
  return error(ErrorKind::Input,
               "its option " + std::string(name) + " is no number from 1 on, or its options are damaged");
}

Result<Options> options_of(const Translation& t) {
  constexpr double kPerClass = 100;
  const auto number = [&](const char* name) { return t.get<double>(name, 0); };
  Options o{};
  LAPIS_TRY(o.most, count_of(t, "max_detections"));
  LAPIS_TRY(o.per_box, count_of(t, "max_classes_per_detection"));
  LAPIS_TRY(o.per_class, count_of(t, "detections_per_class", kPerClass));
  LAPIS_TRY(o.classes, count_of(t, "num_classes"));
  o.least = number("nms_score_threshold");
  o.overlap = number("nms_iou_threshold");
  o.y = number("y_scale");
  o.x = number("x_scale");
  o.height = number("h_scale");
  o.width = number("w_scale");
  o.every_class_by_itself = number("use_regular_nms") != 0;
  if (o.most * o.per_box > kMostPlaces || o.per_class * o.classes > kMostPlaces)
    return error(ErrorKind::Input, "its options ask for too many detections");
  if (o.overlap > 0 && o.overlap <= 1) return o;
  return error(ErrorKind::Input, "its option nms_iou_threshold does not lie above 0 and up to 1");
}

struct Operands {
  Value *encodings, *scores, *anchors;  // [1, N, 4 or more], [1, N, classes], [N, 4]

  int64_t boxes() const { return scores->type().dim(1).value(); }
  int64_t classes() const { return scores->type().dim(2).value(); }
};

Result<Value*> operand(Translation& t, size_t i, int64_t rank) {
  const DType type = t.input(i).type.dtype;
  if (type != DType::Float32 && type != DType::UInt8)
    return Translation::unsupported("operands that are neither float32 nor uint8");
  LAPIS_TRY(Value * x, t.real(i, Layout::AsWritten));
  if (x->type().is_static() && x->type().rank() == rank) return x;
  return Translation::unsupported("operands of open size, or of other axes than a batch of boxes has");
}

Result<Operands> operands_of(Translation& t) {
  Operands all{};
  LAPIS_TRY(all.encodings, operand(t, kEncodings, 3));
  LAPIS_TRY(all.scores, operand(t, kScores, 3));
  LAPIS_TRY(all.anchors, operand(t, kAnchors, 2));
  const Shape encodings = all.encodings->type().shape(), scores = all.scores->type().shape(),
              anchors = all.anchors->type().shape();
  const bool fit = encodings[0] == 1 && scores[0] == 1 && encodings[1] == scores[1] && encodings[1] == anchors[0] &&
                   encodings[2] >= kCorners && anchors[1] == kCorners && anchors[0] > 0;
  if (fit) return all;
  return error(ErrorKind::Input, "its operands do not speak of the same boxes, in a batch of 1");
}

// TFLite fails where a box ends before it begins.
Status check_anchors(const Translation& t) {
  const Tensor& anchors = t.input(kAnchors).constant;
  for (int64_t i = 0; anchors.defined() && is_float(anchors.dtype()) && i < anchors.size(); ++i)
    if (i % kCorners >= 2 && anchors.as_double(i) < 0)
      return error(ErrorKind::Input, "anchor " + std::to_string(i / kCorners) + " has an extent below 0");
  return ok();
}

// ---- boxes ----------------------------------------------------------------------------------------------------------

// [1, N] each, computed in double as TFLite does.
struct Place {
  Value *y, *x, *height, *width;
};

Place place_of(Formula& f, Value* rows) {
  const auto at = [&](int64_t i) { return f.cast(f.squeeze(f.slice(rows, 2, i, i + 1), 2), DType::Float64); };
  return {at(0), at(1), at(2), at(3)};
}

Boxes decoded(Formula& f, const Place& box, const Place& anchor, const Options& o) {
  constexpr double kHalf = 0.5;
  const auto real = [&](double number) { return f.number(static_cast<float>(number), DType::Float64); };
  const auto center = [&](Value* at, double scale, Value* extent, Value* from) {
    return f.cast(f.add({f.mul({f.div({at, real(scale)}), extent}), from}), DType::Float32);
  };
  const auto half = [&](Value* logarithm, double scale, Value* extent) {
    Value* factor = f.op(ops::Exp, {f.div({logarithm, real(scale)})});
    return f.cast(f.mul({f.mul({real(kHalf), factor}), extent}), DType::Float32);
  };
  Value *y = center(box.y, o.y, anchor.height, anchor.y), *x = center(box.x, o.x, anchor.width, anchor.x);
  Value *half_height = half(box.height, o.height, anchor.height), *half_width = half(box.width, o.width, anchor.width);
  return {f.sub({x, half_width}), f.sub({y, half_height}), f.add({x, half_width}), f.add({y, half_height}), nullptr};
}

// As TFLite gives them: [N, 4].
Value* corners_of(Formula& f, const Boxes& b) {
  const auto column = [&](Value* corner) { return f.unsqueeze(f.squeeze(corner, 0), {1}); };
  return f.concat({column(b.top), column(b.left), column(b.bottom), column(b.right)}, 1);
}

// ---- the choice -----------------------------------------------------------------------------------------------------

struct Detections {
  Value *rows, *valid;  // [boxes, classes, 6], bool[boxes, 1, 1]
  Value* count;         // int64[1]
  int64_t boxes, classes;
  int64_t places;  // that a box has among the results
};

class Detector {
 public:
  Detector(Translation& t, Formula& f, const Options& o, const Boxes& boxes, Value* scores)
      : t_(t), f_(f), o_(o), boxes_(boxes), corners_(corners_of(f, boxes)), scores_(scores) {}

  // The best class of a box speaks for the others: they come with it.
  Detections boxes_with_classes() {
    const int64_t classes = std::min(o_.per_box, o_.classes);
    const std::vector<Value*> best = top(scores_, classes, 1);  // [N, classes]
    const Chosen chosen = chosen_of(f_.unsqueeze(f_.squeeze(f_.slice(best[0], 1, 0, 1), 1), {0}), o_.most);
    Value *index = f_.squeeze(chosen.index, 0), *count = f_.squeeze(chosen.count, 1);
    const auto column = [&](Value* all) { return f_.unsqueeze(f_.gather(all, index, 0), {2}); };
    Value* corners = f_.unsqueeze(f_.gather(corners_, index, 0), {1});
    corners = f_.op(ops::Expand, {corners, f_.integers({o_.most, classes, kCorners})});
    Value* rows = f_.concat({corners, column(f_.cast(best[1], DType::Float32)), column(best[0])}, 2);
    Value* valid = f_.op(ops::Less, {f_.range(f_.integers({o_.most})), count});
    return {rows, f_.unsqueeze(valid, {1, 2}), count, o_.most, classes, o_.per_box};
  }

  // The best of what each class has chosen for itself.
  Detections classes_by_themselves(int64_t boxes) {
    const int64_t per_class = std::min(o_.per_class, boxes), most = std::min(per_class * o_.classes, o_.most);
    const Chosen chosen = chosen_of(f_.op(ops::Transpose, {scores_}, ops::TransposeAttrs{{1, 0}}), per_class);
    Value* valid = f_.op(ops::Less, {f_.range(f_.integers({per_class})), chosen.count});
    const std::vector<Value*> best = top(f_.reshape(f_.where({valid, chosen.scores, nothing()}), {-1}), most, 0);
    Value* corners = f_.gather(corners_, f_.gather(f_.reshape(chosen.index, {-1}), best[1], 0), 0);
    Value* classes = f_.div({best[1], f_.number(static_cast<double>(per_class), DType::Int64)});
    const auto column = [&](Value* row) { return f_.unsqueeze(row, {1}); };
    Value* rows = f_.concat({corners, column(f_.cast(classes, DType::Float32)), column(best[0])}, 1);
    Value* count = f_.op(ops::ReduceSum, {chosen.count, f_.integers({0})}, Attributes{{"keepdims", int64_t{0}}});
    count = f_.min({count, f_.number(static_cast<double>(most), DType::Int64)});
    return {f_.unsqueeze(rows, {1}), f_.unsqueeze(f_.greater({best[0], nothing()}), {1, 2}), count, most, 1, 1};
  }

 private:
  Value* nothing() { return f_.number(-std::numeric_limits<double>::infinity()); }

  std::vector<Value*> top(Value* x, int64_t count, int64_t axis) {
    return f_.ops(ops::TopK, {x, f_.integers({count})}, encode_attributes(ops::TopKAttrs{.axis = axis}), 2);
  }

  Chosen chosen_of(Value* scores, int64_t most) {
    Value* enough = f_.op(ops::GreaterOrEqual, {scores, f_.number(o_.least)});
    const Limits limits{.most = most, .overlap = f_.number(o_.overlap), .score = f_.number(o_.least)};
    const Overlaps overlaps = shares_of(f_, boxes_);
    return choose(t_, f_, overlaps, f_.where({enough, scores, nothing()}), limits);
  }

  Translation& t_;
  Formula& f_;
  const Options& o_;
  const Boxes boxes_;
  Value *corners_, *scores_;
};

// [1, all places, 6]; zeros where nothing was found.
Value* all_places(Formula& f, const Detections& d, const Options& o) {
  const auto with_zeros = [&](Value* rows, int64_t count, int64_t have, int64_t wanted) {
    if (have == wanted) return rows;
    return f.concat({rows, f.op(ops::Expand, {f.number(0), f.integers({count, wanted - have, kWidth})})}, 1);
  };
  Value* rows = f.where({d.valid, d.rows, f.number(0)});
  rows = with_zeros(rows, d.boxes, d.classes, d.places);
  return with_zeros(f.reshape(rows, {1, -1, kWidth}), 1, d.boxes * d.places, o.most * o.per_box);
}

}  // namespace

Status detection_post_process(Translation& t) {
  LAPIS_TRY(const Options o, options_of(t));
  LAPIS_TRY(const Operands all, operands_of(t));
  LAPIS_CHECK(check_anchors(t));
  if (t.output_count() != kOutputs) return error(ErrorKind::Input, "has not its four results");
  const int64_t background = all.classes() - o.classes;
  if (background != 0 && background != 1)
    return error(ErrorKind::Input, "has scores of " + std::to_string(all.classes()) +
                                       " classes, but its options speak of " + std::to_string(o.classes));
  Formula f(t);
  const Place anchor = place_of(f, f.unsqueeze(all.anchors, {0}));
  const Boxes boxes = decoded(f, place_of(f, all.encodings), anchor, o);
  Detector detector(t, f, o, boxes, f.slice(f.squeeze(all.scores, 0), 1, background, all.classes()));
  const Detections found =
      o.every_class_by_itself ? detector.classes_by_themselves(all.boxes()) : detector.boxes_with_classes();
  Value* rows = all_places(f, found, o);
  const auto column = [&](int64_t i) { return f.squeeze(f.slice(rows, 2, i, i + 1), 2); };
  Value* const results[kOutputs] = {f.slice(rows, 2, 0, kCorners), column(kCorners), column(kCorners + 1),
                                    f.cast(found.count, DType::Float32)};
  LAPIS_CHECK(f.status());
  for (size_t i = 0; i < kOutputs; ++i) LAPIS_CHECK(frontend::result(t, i, results[i]));
  return ok();
}

}  // namespace lapis::tflite_frontend
