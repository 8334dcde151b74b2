// Boxes: those that a map of probabilities shows.
#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "tuning/metrics/box.h"
#include "tuning/metrics/common.h"

namespace lapis {
namespace {

// Wanted boxes that find one of their own, each taking the best that is left.
int64_t matched(const std::vector<Box>& wanted, std::vector<Box> found, double least) {
  int64_t hits = 0;
  for (const Box& w : wanted) {
    const auto best = std::max_element(found.begin(), found.end(),
                                       [&](const Box& a, const Box& b) { return overlap(w, a) < overlap(w, b); });
    if (best == found.end() || !(overlap(w, *best) >= least)) continue;
    ++hits;
    found.erase(best);
  }
  return hits;
}

// F1 of the bounding boxes of regions above a threshold, as text detectors are read (differentiable binarization): the
// net shrinks lines, so each box grows by area * grow / perimeter.
class MapBoxes final : public Metric {
 public:
  explicit MapBoxes(const MetricSetup& setup) : settings_(setup.settings) {}

  Status add(const Observation& seen) override {
    const Tensor& output = seen.outputs[0];
    const bool is_map =
        output.rank() >= 2 && output.dtype() == DType::Float32 && output.size() == output.dim(-1) * output.dim(-2);
    if (!is_map || output.size() == 0)
      return misfit(settings_, seen.sample,
                    "a float32 map [1, 1, H, W] is needed, the output is " + to_string(output, 0));
    const Tensor& label = seen.label;
    if (label.size() % 4 != 0 || (label.size() && label.dim(-1) != 4))
      return misfit(settings_, seen.sample,
                    "its label must be boxes [n, 4]: x0, y0, x1, y1; it is " + to_string(label, 0));
    std::vector<Box> wanted;
    for (int64_t i = 0; i < label.size(); i += 4)
      wanted.push_back({label.as_double(i), label.as_double(i + 1), label.as_double(i + 2), label.as_double(i + 3)});
    const std::vector<Box> found = boxes_of(output);
    hits_ += matched(wanted, found, settings_.number("iou", 0.5));
    boxes_ += static_cast<int64_t>(wanted.size() + found.size());
    unusable_ += holds_nan(output);
    return ok();
  }
  Result<double> value() const override {
    return boxes_ ? 2.0 * static_cast<double>(hits_) / static_cast<double>(boxes_) : 1.0;
  }
  int64_t unusable() const override { return unusable_; }

 private:
  std::vector<Box> boxes_of(const Tensor& output) const {
    const auto height = static_cast<int>(output.dim(-2)), width = static_cast<int>(output.dim(-1));
    const auto threshold = static_cast<float>(settings_.number("threshold", 0.3));
    cv::Mat above(height, width, CV_8U);
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x)
        above.at<uint8_t>(y, x) =
            output.data<float>()[static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)] >
            threshold;
    cv::Mat regions, stats, centroids;
    const int count = cv::connectedComponentsWithStats(above, regions, stats, centroids, 8);
    const auto least = static_cast<int>(settings_.whole("min_side", 3));
    std::vector<Box> boxes;
    for (int r = 1; r < count; ++r) {  // 0 is the background
      const int w = stats.at<int>(r, cv::CC_STAT_WIDTH), h = stats.at<int>(r, cv::CC_STAT_HEIGHT),
                x = stats.at<int>(r, cv::CC_STAT_LEFT), y = stats.at<int>(r, cv::CC_STAT_TOP);
      if (std::min(w, h) >= least) boxes.push_back(grown({double(x), double(y), double(x) + w, double(y) + h}));
    }
    return boxes;
  }

  Box grown(const Box& b) const {
    const double by = b.area() * settings_.number("grow", 1.5) / (2 * (b.x1 - b.x0 + b.y1 - b.y0));
    return {b.x0 - by, b.y0 - by, b.x1 + by, b.y1 + by};
  }

  Settings settings_;
  int64_t hits_ = 0, boxes_ = 0, unusable_ = 0;
};

}  // namespace

std::vector<MetricRow> box_metrics() {
  return {{.name = "map_box_f1",
           .doc = "F1 of the boxes around regions of a map (text detectors): 8-connected, label rows x0, y0, x1, y1",
           .options = {{.name = "threshold", .kind = OptionKind::Number, .doc = "of the map; default: 0.3"},
                       {.name = "min_side",
                        .kind = OptionKind::Whole,
                        .doc = "pixels; smaller regions are none; default: 3",
                        .low = 1,
                        .high = 1e6},
                       {.name = "grow",
                        .kind = OptionKind::Number,
                        .doc = "each side moves out by area * grow / perimeter; default: 1.5",
                        .low = 0,
                        .high = 1e6},
                       {.name = "iou",
                        .kind = OptionKind::Number,
                        .doc = "overlap (intersection over union) of a hit; default: 0.5",
                        .low = 0,
                        .high = 1}},
           .label = LabelKind::Numbers,
           .make = maker<MapBoxes>()}};
}

}  // namespace lapis
