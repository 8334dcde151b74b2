// What GLUE and SQuAD are scored by. (Accuracy is top1; CoLA is matthews; MRPC and QQP
// are class_f1; STS-B is pearson and spearman.)
#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tuning/metrics/common.h"

namespace lapis {
namespace {

// ---- classes over all samples ---------------------------------------------------------------------------------------

// Counts of (wanted, said) pairs; a sample with NaN says a class that none has.
class Classes : public Metric {
 public:
  explicit Classes(const MetricSetup& setup) : settings_(setup.settings) {}

  Status add(const Observation& seen) override {
    const Tensor& output = seen.outputs[0];
    const int64_t wanted = seen.label.as_int(0);
    if (!is_vector(output) || output.size() < 2 || wanted >= output.size())
      return misfit(settings_, seen.sample,
                    "one number a class is needed, and a label among them: the output is " + to_string(output, 0) +
                        ", the label " + std::to_string(wanted));
    int64_t said = 0;
    for (int64_t c = 1; c < output.size(); ++c)
      if (output.as_double(c) > output.as_double(said)) said = c;
    const bool usable = !holds_nan(output);
    unusable_ += !usable;
    ++pairs_[{wanted, usable ? said : wrong(wanted, output.size())}];
    return ok();
  }
  int64_t unusable() const override { return unusable_; }

 protected:
  // With two classes, the other one.
  static int64_t wrong(int64_t wanted, int64_t classes) { return classes == 2 ? 1 - wanted : classes; }
  double count(int64_t wanted, int64_t said) const {
    const auto at = pairs_.find({wanted, said});
    return at == pairs_.end() ? 0 : static_cast<double>(at->second);
  }

  Settings settings_;
  std::map<std::pair<int64_t, int64_t>, int64_t> pairs_;

 private:
  int64_t unusable_ = 0;
};

// F1 of one class against all others.
class ClassF1 final : public Classes {
 public:
  using Classes::Classes;
  Result<double> value() const override {
    const int64_t positive = settings_.whole("positive", 1);
    double sum = 0;
    for (const auto& [pair, n] : pairs_)
      sum += static_cast<double>(n) * ((pair.first == positive) + (pair.second == positive));
    return sum > 0 ? 2 * count(positive, positive) / sum : 0;
  }
};

// Matthews' correlation of the classes (Gorodkin's for more than two); 0 where one side never changes.
class Matthews final : public Classes {
 public:
  using Classes::Classes;
  Result<double> value() const override {
    std::map<int64_t, double> wanted, said;
    double all = 0, right = 0;
    for (const auto& [pair, n] : pairs_) {
      wanted[pair.first] += static_cast<double>(n);
      said[pair.second] += static_cast<double>(n);
      all += static_cast<double>(n);
      right += pair.first == pair.second ? static_cast<double>(n) : 0;
    }
    double both = 0, ww = 0, ss = 0;
    for (const auto& [c, n] : wanted) ww += n * n, both += n * (said.contains(c) ? said[c] : 0);
    for (const auto& [c, n] : said) ss += n * n;
    const double spread = (all * all - ww) * (all * all - ss);
    return spread > 0 ? (right * all - both) / std::sqrt(spread) : 0;
  }
};

// ---- one number a sample --------------------------------------------------------------------------------------------

class Correlation final : public Metric {
 public:
  Correlation(const MetricSetup& setup, bool by_rank) : settings_(setup.settings), by_rank_(by_rank) {}

  Status add(const Observation& seen) override {
    if (!is_numeric(seen.outputs[0]) || seen.outputs[0].size() != 1 || seen.label.size() != 1)
      return misfit(settings_, seen.sample,
                    "one number and one label are needed, got " + to_string(seen.outputs[0], 0) + " and " +
                        to_string(seen.label, 0));
    got_.push_back(seen.outputs[0].as_double(0));
    wanted_.push_back(seen.label.as_double(0));
    unusable_ += std::isnan(got_.back());
    return ok();
  }
  // What is not finite becomes the number of the others that is farthest from right.
  Result<double> value() const override {
    if (wanted_.size() < 2) return settings_.problem("a correlation needs at least 2 samples");
    std::vector<double> finite, got = got_;
    std::copy_if(got.begin(), got.end(), std::back_inserter(finite), [](double v) { return std::isfinite(v); });
    if (finite.empty()) return -1;
    const auto [low, high] = std::minmax_element(finite.begin(), finite.end());
    for (size_t i = 0; i < got.size(); ++i)
      if (!std::isfinite(got[i])) got[i] = wanted_[i] > mean_of(wanted_) ? *low : *high;
    return by_rank_ ? pearson(ranks(got), ranks(wanted_)) : pearson(got, wanted_);
  }
  int64_t unusable() const override { return unusable_; }

 private:
  Settings settings_;
  bool by_rank_;
  std::vector<double> got_, wanted_;
  int64_t unusable_ = 0;
};

template <bool by_rank> MetricRow correlation(const char* name, const char* doc) {
  const auto make = [](const MetricSetup& setup) -> Result<std::unique_ptr<Metric>> {
    return std::unique_ptr<Metric>(std::make_unique<Correlation>(setup, by_rank));
  };
  return {.name = name, .doc = doc, .label = LabelKind::Numbers, .make = make};
}

// ---- answers --------------------------------------------------------------------------------------------------------

using Words = std::vector<std::string>;

// SQuAD's: lower case, without punctuation and articles.
Words normalized(const std::string& text) {
  std::string plain;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (!std::ispunct(u) || u >= 0x80) plain += u < 0x80 ? static_cast<char>(std::tolower(u)) : c;
  }
  std::istringstream stream(plain);
  Words words;
  for (std::string word; stream >> word;)
    if (word != "a" && word != "an" && word != "the") words.push_back(word);
  return words;
}

double f1_of(Words said, Words wanted) {
  if (said.empty() || wanted.empty()) return said.empty() == wanted.empty() ? 1 : 0;
  std::sort(said.begin(), said.end());
  std::sort(wanted.begin(), wanted.end());
  Words both;
  std::set_intersection(said.begin(), said.end(), wanted.begin(), wanted.end(), std::back_inserter(both));
  return 2.0 * static_cast<double>(both.size()) / static_cast<double>(said.size() + wanted.size());
}

// Where each character of UTF-8 begins, and the end.
std::vector<size_t> character_starts(const std::string& text) {
  std::vector<size_t> starts;
  for (size_t i = 0; i < text.size(); ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) starts.push_back(i);
  starts.push_back(text.size());
  return starts;
}

// The label is a JSON object: context, offsets (of each token in characters of the
// context, null for those of the question), answers.
class Squad final : public MeanOfScores {
 public:
  Squad(const MetricSetup& setup, bool exact) : MeanOfScores(setup), exact_(exact) {}

 private:
  struct Question {
    std::string context;
    std::vector<std::pair<int64_t, int64_t>> offsets;  // -1, -1: not of the context
    std::vector<std::string> answers;
  };

  static std::optional<Question> parse(const std::string& text) {
    try {
      const auto json = nlohmann::json::parse(text);
      Question q{json.at("context").get<std::string>(), {}, json.at("answers").get<std::vector<std::string>>()};
      const auto length = static_cast<int64_t>(character_starts(q.context).size()) - 1;
      for (const auto& o : json.at("offsets")) {
        q.offsets.emplace_back(-1, -1);
        if (!o.is_null()) q.offsets.back() = {o.at(0).get<int64_t>(), o.at(1).get<int64_t>()};
        if (q.offsets.back().second > length || q.offsets.back().first > q.offsets.back().second) return std::nullopt;
      }
      return q;
    } catch (const nlohmann::json::exception&) {
      return std::nullopt;
    }
  }

  Status check(const Observation& seen) const override {
    const auto q = parse(seen.label.string_data()[0]);
    if (!q || q->answers.empty())
      return misfit(seen, "its label is no JSON object with `context`, `offsets` inside of it, and `answers`");
    for (const Tensor& output : seen.outputs)
      if (!is_vector(output) || output.size() != static_cast<int64_t>(q->offsets.size()))
        return misfit(seen, "one number a token is needed, " + std::to_string(q->offsets.size()) +
                                " as there are offsets; the output is " + to_string(output, 0));
    return ok();
  }

  double score(const Observation& seen) override {
    const Question q = *parse(seen.label.string_data()[0]);
    const Words said = normalized(answer(seen, q));
    double best = 0;
    for (const std::string& wanted : q.answers)
      best = std::max(best, exact_ ? double(said == normalized(wanted)) : f1_of(said, normalized(wanted)));
    return best;
  }

  // The span with the largest sum of its start's and its end's number.
  std::string answer(const Observation& seen, const Question& q) const {
    const int64_t longest = settings_.whole("longest", 30), tokens = static_cast<int64_t>(q.offsets.size());
    double best = -HUGE_VAL;
    std::pair<int64_t, int64_t> span = {0, 0};
    for (int64_t s = 0; s < tokens; ++s)
      for (int64_t e = s; e < std::min(tokens, s + longest); ++e) {
        const auto from = q.offsets[static_cast<size_t>(s)].first, to = q.offsets[static_cast<size_t>(e)].second;
        const double sum = seen.outputs[0].as_double(s) + seen.outputs[1].as_double(e);
        if (from < 0 || to < from || !(sum > best)) continue;
        best = sum;
        span = {from, to};
      }
    const std::vector<size_t> starts = character_starts(q.context);
    const size_t begin = starts[static_cast<size_t>(span.first)];
    return q.context.substr(begin, starts[static_cast<size_t>(span.second)] - begin);
  }

  bool exact_;
};

template <bool exact> MetricRow squad(const char* name, const char* doc) {
  const auto make = [](const MetricSetup& setup) -> Result<std::unique_ptr<Metric>> {
    return std::unique_ptr<Metric>(std::make_unique<Squad>(setup, exact));
  };
  return {.name = name,
          .doc = doc,
          .options = {{.name = "longest",
                       .kind = OptionKind::Whole,
                       .doc = "tokens of an answer; default: 30",
                       .low = 1,
                       .high = 1e6}},
          .label = LabelKind::Text,
          .outputs = {"start", "end"},
          .make = make};
}

}  // namespace

std::vector<MetricRow> language_metrics() {
  return {
      {.name = "class_f1",
       .doc = "F1 of one class against the others (MRPC, QQP)",
       .options =
           {{.name = "positive", .kind = OptionKind::Whole, .doc = "the class; default: 1", .low = 0, .high = 1e9}},
       .label = LabelKind::Class,
       .make = maker<ClassF1>()},
      {.name = "matthews",
       .doc = "Matthews' correlation coefficient of the classes (CoLA)",
       .label = LabelKind::Class,
       .make = maker<Matthews>()},
      correlation<false>("pearson", "Pearson correlation of one number a sample with the labels (STS-B)"),
      correlation<true>("spearman", "the same of their ranks"),
      squad<false>("squad_f1",
                   "F1 of the words of answers; a label is a line of JSON: context, offsets of the tokens, answers"),
      squad<true>("squad_em", "share of answers that are exactly one of those wanted"),
  };
}

}  // namespace lapis
