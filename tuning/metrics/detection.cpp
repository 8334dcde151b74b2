// COCO's mean average precision.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "tuning/metrics/box.h"
#include "tuning/metrics/common.h"

namespace lapis {
namespace {

constexpr int kThresholds = 10;  // of overlap: 0.50, 0.55, ... 0.95
constexpr int kRecalls = 101;    // at which precision is read: 0, 0.01, ... 1

double threshold(int t) { return 0.5 + 0.05 * t; }

struct Wanted {
  Box box;
  bool is_crowd = false;
};

struct Found {
  Box box;
  double score = 0;
};

// What became of a found box at each threshold.
enum class Verdict { Hit, Miss, Ignored };
struct Judged {
  double score = 0;
  Verdict verdicts[kThresholds] = {};
};

struct Category {
  std::vector<Judged> found;
  int64_t wanted = 0;  // without crowds
};

// A crowd covers many: what lies in it overlaps by its own area.
double overlap_with(const Found& found, const Wanted& wanted) {
  return wanted.is_crowd ? intersection(found.box, wanted.box) / found.box.area() : overlap(found.box, wanted.box);
}

// The best partner that is left; a crowd only where there is no other, and it stays for more.
Verdict judge(const Found& found, const std::vector<Wanted>& wanted, std::vector<bool>& taken, double least) {
  double best = std::min(least, 1 - 1e-10);
  size_t partner = wanted.size();
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (taken[i]) continue;
    if (partner < wanted.size() && !wanted[partner].is_crowd && wanted[i].is_crowd) break;  // crowds are last
    const double o = overlap_with(found, wanted[i]);
    if (!(o >= best)) continue;
    best = o;
    partner = i;
  }
  if (partner == wanted.size()) return Verdict::Miss;
  if (wanted[partner].is_crowd) return Verdict::Ignored;
  taken[partner] = true;
  return Verdict::Hit;
}

void judge_image(std::vector<Found> found, std::vector<Wanted> wanted, size_t most, Category& category) {
  std::stable_sort(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.score > b.score; });
  std::stable_partition(wanted.begin(), wanted.end(), [](const Wanted& w) { return !w.is_crowd; });
  found.resize(std::min(found.size(), most));
  std::vector<Judged> judged(found.size());
  for (int t = 0; t < kThresholds; ++t) {
    std::vector<bool> taken(wanted.size(), false);
    for (size_t i = 0; i < found.size(); ++i) judged[i].verdicts[t] = judge(found[i], wanted, taken, threshold(t));
  }
  for (size_t i = 0; i < found.size(); ++i) judged[i].score = found[i].score;
  category.found.insert(category.found.end(), judged.begin(), judged.end());
  category.wanted += std::count_if(wanted.begin(), wanted.end(), [](const Wanted& w) { return !w.is_crowd; });
}

// Precision, made monotonous, at 101 recalls; 0 at those that are never reached.
double average_precision(const Category& category, int t) {
  std::vector<double> precision, recall;
  int64_t hits = 0, misses = 0;
  for (const Judged& j : category.found) {
    hits += j.verdicts[t] == Verdict::Hit;
    misses += j.verdicts[t] == Verdict::Miss;
    recall.push_back(static_cast<double>(hits) / static_cast<double>(category.wanted));
    precision.push_back(hits + misses ? static_cast<double>(hits) / static_cast<double>(hits + misses) : 0);
  }
  for (size_t i = precision.size(); i-- > 1;) precision[i - 1] = std::max(precision[i - 1], precision[i]);
  double sum = 0;
  for (int r = 0; r < kRecalls; ++r) {
    const auto at = std::lower_bound(recall.begin(), recall.end(), r * 0.01) - recall.begin();
    if (static_cast<size_t>(at) < precision.size()) sum += precision[static_cast<size_t>(at)];
  }
  return sum / kRecalls;
}

class CocoMap final : public Metric {
 public:
  CocoMap(const MetricSetup& setup, int thresholds) : settings_(setup.settings), thresholds_(thresholds) {}

  Status add(const Observation& seen) override {
    LAPIS_CHECK(check(seen));
    std::map<int64_t, std::vector<Wanted>> wanted;
    for (int64_t i = 0; i < seen.label.dim(0); ++i) {
      const auto at = [&](int64_t c) { return seen.label.as_double(i * 6 + c); };
      wanted[seen.label.as_int(i * 6)].push_back({{at(1), at(2), at(3), at(4)}, at(5) != 0});
    }
    std::map<int64_t, std::vector<Found>> found;
    for (int64_t i = 0; i < seen.outputs[1].size(); ++i) {
      const int64_t category = seen.outputs[2].as_int(i) + settings_.whole("first_class", 0);
      found[category].push_back(found_at(seen, i));
      wanted[category];  // boxes of a category that is not there are wrong
    }
    for (auto& [id, boxes] : wanted)
      judge_image(found[id], boxes, static_cast<size_t>(settings_.whole("most", 100)), categories_[id]);
    unusable_ += std::any_of(seen.outputs.begin(), seen.outputs.end(), holds_nan);
    return ok();
  }

  Result<double> value() const override {
    double sum = 0;
    int64_t count = 0;
    for (auto [id, category] : categories_) {
      if (category.wanted == 0) continue;
      std::stable_sort(category.found.begin(), category.found.end(),
                       [](const Judged& a, const Judged& b) { return a.score > b.score; });
      for (int t = 0; t < thresholds_; ++t) sum += average_precision(category, t);
      count += thresholds_;
    }
    if (count == 0) return settings_.problem("no sample has a wanted box");
    return sum / static_cast<double>(count);
  }
  int64_t unusable() const override { return unusable_; }

 private:
  Status check(const Observation& seen) const {
    const Tensor &boxes = seen.outputs[0], &scores = seen.outputs[1], &classes = seen.outputs[2];
    if (!is_numeric(boxes) || !is_vector(scores) || !is_vector(classes) || scores.size() != classes.size() ||
        boxes.size() != 4 * scores.size())
      return misfit(settings_, seen.sample,
                    "`boxes` [1, n, 4], `scores` [1, n] and `classes` [1, n] are needed, got " + to_string(boxes, 0) +
                        ", " + to_string(scores, 0) + ", " + to_string(classes, 0));
    if (seen.label.rank() != 2 || seen.label.dim(1) != 6)
      return misfit(settings_, seen.sample,
                    "its label must be rows of class, x0, y0, x1, y1, crowd; it is " + to_string(seen.label, 0));
    return ok();
  }

  // A score of NaN stands before all others, and its box fits nothing.
  Found found_at(const Observation& seen, int64_t i) const {
    const std::string order = settings_.text("order", "xyxy");
    const std::vector<double> size = settings_.numbers("size");
    double v[4];
    for (int k = 0; k < 4; ++k) v[k] = seen.outputs[0].as_double(4 * i + k);
    if (order == "yxyx") std::swap(v[0], v[1]), std::swap(v[2], v[3]);
    if (order == "xywh") v[2] += v[0], v[3] += v[1];
    if (!size.empty()) v[0] /= size.back(), v[2] /= size.back(), v[1] /= size[0], v[3] /= size[0];
    const double score = seen.outputs[1].as_double(i);
    if (std::isnan(score)) return {{NAN, NAN, NAN, NAN}, HUGE_VAL};
    return {{v[0], v[1], v[2], v[3]}, score};
  }

  Settings settings_;
  int thresholds_;
  std::map<int64_t, Category> categories_;
  int64_t unusable_ = 0;
};

template <int thresholds> MetricRow coco_map(const char* name, const char* doc) {
  const auto make = [](const MetricSetup& setup) -> Result<std::unique_ptr<Metric>> {
    return std::unique_ptr<Metric>(std::make_unique<CocoMap>(setup, thresholds));
  };
  return {.name = name,
          .doc = doc,
          .options = {{.name = "order",
                       .doc = "of the numbers of a box: xyxy (default), yxyx, xywh",
                       .choices = {"xyxy", "yxyx", "xywh"}},
                      {.name = "size",
                       .kind = OptionKind::Numbers,
                       .doc = "height and width that boxes of the model are divided by, for labels that are `relative`",
                       .nonzero = true},
                      {.name = "first_class",
                       .kind = OptionKind::Whole,
                       .doc = "the label that class 0 of the model means; default: 0",
                       .low = 0,
                       .high = 1e9},
                      {.name = "most",
                       .kind = OptionKind::Whole,
                       .doc = "boxes of a picture and class that count; default: 100",
                       .low = 1,
                       .high = 1e9}},
          .label = LabelKind::Numbers,
          .outputs = {"boxes", "scores", "classes"},
          .make = make};
}

}  // namespace

std::vector<MetricRow> detection_metrics() {
  return {coco_map<kThresholds>("coco_map", "COCO's mean average precision over the overlaps 0.50 to 0.95"),
          coco_map<1>("coco_map50", "the same at the overlap 0.50")};
}

}  // namespace lapis
