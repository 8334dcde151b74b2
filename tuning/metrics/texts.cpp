// Text read by CTC: the best class of each step, repeats merged, blanks dropped; compared with the wanted line.
#include <algorithm>
#include <numeric>
#include <sstream>

#include "ir/ops/loops.h"
#include "tuning/data/lines.h"
#include "tuning/metrics/common.h"

namespace lapis {
namespace {

using Units = std::vector<std::string>;  // characters or words

// Characters of UTF-8; a byte that continues none is one of its own.
Units characters(const std::string& text) {
  Units units;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80 || units.empty()) units.emplace_back();
    units.back() += c;
  }
  return units;
}

Units words(const std::string& text) {
  std::istringstream stream(text);
  Units units;
  for (std::string word; stream >> word;) units.push_back(word);
  return units;
}

// Levenshtein's distance.
int64_t edits(const Units& a, const Units& b) {
  std::vector<int64_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), int64_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    int64_t diagonal = std::exchange(row[0], static_cast<int64_t>(i));
    for (size_t j = 1; j <= b.size(); ++j) {
      const int64_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

// What CTC metrics share: the decoder, and the text without characters that do not count.
class Ctc : public Metric {
 public:
  Ctc(const MetricSetup& setup, std::vector<std::string> charset)
      : settings_(setup.settings),
        charset_(std::move(charset)),
        errors_(static_cast<size_t>(setup.samples), 0),
        lengths_(static_cast<size_t>(setup.samples), 0) {}

  Status add(const Observation& seen) override {
    const Tensor& output = seen.outputs[0];
    if (!is_numeric(output) || output.rank() != 3 || output.dim(0) != 1 ||
        output.dim(2) != static_cast<int64_t>(charset_.size()) || charset_.empty())
      return misfit(settings_, seen.sample,
                    "CTC needs an output [1, steps, classes] with the " + std::to_string(charset_.size()) +
                        " classes of `charset`, got " + to_string(output, 0));
    const Units wanted = units(counted(seen.label.string_data()[0]));
    const auto i = static_cast<size_t>(seen.sample);
    lengths_[i] = static_cast<int64_t>(wanted.size());
    errors_[i] = std::max<int64_t>(lengths_[i], 1);
    if (holds_nan(output))
      ++unusable_;
    else
      errors_[i] = edits(wanted, units(counted(decoded(output))));
    return ok();
  }
  int64_t unusable() const override { return unusable_; }

 protected:
  virtual Units units(const std::string& text) const { return characters(text); }

  Settings settings_;
  std::vector<std::string> charset_;
  std::vector<int64_t> errors_, lengths_;

 private:
  std::string counted(const std::string& text) const {
    const Units ignored = characters(settings_.text("ignore"));
    std::string kept;
    for (const std::string& c : characters(text))
      if (std::find(ignored.begin(), ignored.end(), c) == ignored.end()) kept += c;
    return kept;
  }

  std::string decoded(const Tensor& output) const {
    const std::vector<double> values = ops::to_doubles(output);
    const int64_t classes = output.dim(2), blank = settings_.whole("blank", 0);
    std::string text;
    int64_t last = -1;
    for (auto step = values.begin(); step != values.end(); step += classes) {
      const int64_t best = std::max_element(step, step + classes) - step;
      if (best != blank && best != last) text += charset_[static_cast<size_t>(best)];
      last = best;
    }
    return text;
  }

  int64_t unusable_ = 0;
};

// Edits of all samples by the length of all wanted texts.
class ErrorRate : public Ctc {
 public:
  using Ctc::Ctc;
  Result<double> value() const override {
    if (length() == 0) return settings_.problem("the wanted texts are all empty: there is nothing to be wrong");
    return static_cast<double>(std::accumulate(errors_.begin(), errors_.end(), int64_t{0})) / length();
  }
  // Weighted so that their mean is the rate.
  std::vector<double> scores() const override {
    std::vector<double> scores;
    for (const int64_t e : errors_)
      scores.push_back(static_cast<double>(e) * static_cast<double>(errors_.size()) / length());
    return scores;
  }

 private:
  double length() const { return static_cast<double>(std::accumulate(lengths_.begin(), lengths_.end(), int64_t{0})); }
};

class WordErrorRate final : public ErrorRate {
 public:
  using ErrorRate::ErrorRate;
  Units units(const std::string& text) const override { return words(text); }
};

class Exact final : public Ctc {
 public:
  using Ctc::Ctc;
  Result<double> value() const override { return mean_of(scores()); }
  std::vector<double> scores() const override {
    std::vector<double> scores;
    for (const int64_t e : errors_) scores.push_back(e == 0 ? 1 : 0);
    return scores;
  }
};

template <class T> MetricRow ctc(const char* name, const char* doc, bool higher_is_better) {
  const auto make = [](const MetricSetup& setup) -> Result<std::unique_ptr<Metric>> {
    LAPIS_TRY(std::vector<std::string> charset, read_lines(setup.settings.file("charset")));
    return std::unique_ptr<Metric>(std::make_unique<T>(setup, std::move(charset)));
  };
  return {.name = name,
          .doc = doc,
          .options = {{.name = "charset",
                       .kind = OptionKind::File,
                       .doc = "text file; line *k*, from 0, is what class *k* stands for",
                       .required = true},
                      {.name = "blank",
                       .kind = OptionKind::Whole,
                       .doc = "the class that stands for nothing; default: 0",
                       .low = 0,
                       .high = 1e9},
                      {.name = "ignore", .doc = "characters that do not count on either side; default: none"}},
          .label = LabelKind::Text,
          .higher_is_better = higher_is_better,
          .make = make};
}

}  // namespace

std::vector<MetricRow> text_metrics() {
  return {ctc<ErrorRate>("ctc_cer", "character error rate of lines read by CTC", false),
          ctc<WordErrorRate>("ctc_wer", "word error rate of lines read by CTC", false),
          ctc<Exact>("ctc_exact", "share of lines that CTC reads without an error", true)};
}

}  // namespace lapis
