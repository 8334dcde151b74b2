// A class for every pixel.
#include <algorithm>

#include "tuning/metrics/common.h"

namespace lapis {
namespace {

// Mean over the classes of intersection over union, over the pixels of all samples;
// classes that occur nowhere do not count.
class MeanIou final : public Metric {
 public:
  explicit MeanIou(const MetricSetup& setup) : settings_(setup.settings) {}

  Status add(const Observation& seen) override {
    const Tensor& output = seen.outputs[0];
    const int64_t pixels = seen.label.size();
    if (!is_numeric(output) || pixels == 0 || output.size() % pixels != 0)
      return misfit(settings_, seen.sample,
                    "its output is " + to_string(output, 0) + ", its label " + to_string(seen.label, 0) +
                        ": [1, classes, H, W] or a class a pixel is needed");
    const int64_t classes = output.size() / pixels;
    const bool last = settings_.text("classes", "first") == "last";
    for (int64_t p = 0; p < pixels; ++p) {
      const int64_t wanted = seen.label.as_int(p);
      if (wanted == settings_.whole("ignore", 255)) continue;
      const int64_t said = classes == 1 ? output.as_int(p) : best(output, p, pixels, classes, last);
      if (wanted < 0 || wanted >= kMost || said < 0 || said >= kMost)
        return misfit(settings_, seen.sample,
                      "a pixel has the class " + std::to_string(std::min(wanted, said)) + " to " +
                          std::to_string(std::max(wanted, said)));
      count(wanted).wanted += 1;
      count(said).said += 1;
      if (wanted == said) count(wanted).both += 1;
    }
    unusable_ += holds_nan(output);
    return ok();
  }

  Result<double> value() const override {
    double sum = 0;
    int64_t classes = 0;
    for (const Counts& c : counts_) {
      if (c.wanted + c.said == 0) continue;
      sum += static_cast<double>(c.both) / static_cast<double>(c.wanted + c.said - c.both);
      ++classes;
    }
    if (classes == 0) return settings_.problem("every pixel of the labels is to be ignored");
    return sum / static_cast<double>(classes);
  }
  int64_t unusable() const override { return unusable_; }

 private:
  static constexpr int64_t kMost = 1 << 16;
  struct Counts {
    int64_t wanted = 0, said = 0, both = 0;
  };

  // A pixel with NaN is of no class at all: of one behind the last.
  static int64_t best(const Tensor& output, int64_t pixel, int64_t pixels, int64_t classes, bool last) {
    const auto at = [&](int64_t c) { return output.as_double(last ? pixel * classes + c : c * pixels + pixel); };
    int64_t best = 0;
    for (int64_t c = 0; c < classes; ++c) {
      if (at(c) != at(c)) return classes;
      if (at(c) > at(best)) best = c;
    }
    return best;
  }

  Counts& count(int64_t c) {
    if (c >= static_cast<int64_t>(counts_.size())) counts_.resize(static_cast<size_t>(c) + 1);
    return counts_[static_cast<size_t>(c)];
  }

  Settings settings_;
  std::vector<Counts> counts_;
  int64_t unusable_ = 0;
};

}  // namespace

std::vector<MetricRow> segmentation_metrics() {
  return {{.name = "miou",
           .doc = "mean intersection over union of the classes, over the pixels of all samples",
           .options = {{.name = "classes",
                        .doc = "where their axis is: first (default) or last",
                        .choices = {"first", "last"}},
                       {.name = "ignore",
                        .kind = OptionKind::Whole,
                        .doc = "pixels with this label do not count; default: 255",
                        .low = -1,
                        .high = 65535}},
           .label = LabelKind::Numbers,
           .make = maker<MeanIou>()}};
}

}  // namespace lapis
