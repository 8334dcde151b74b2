#include "tuning/reports/report.h"

#include <algorithm>
#include <cmath>

#include "tuning/reports/svg.h"

namespace lapis {
namespace {

using namespace svg;

constexpr size_t kMostBars = 40, kMostHistograms = 12;

std::string kind_of(const Trial& t, const History& history) {
  if (const Trial* best = history.best(); best && best->number == t.number) return "best";
  return t.number == 0 ? "fp32" : t.passes ? "passes" : "misses";
}

// ---- charts ---------------------------------------------------------------------------------------------------------

std::string point(const Trial& t, const History& history, const std::string& metric, double x, double y) {
  return "<circle class='" + kind_of(t, history) + "' cx='" + pixel(x) + "' cy='" + pixel(y) + "' r='4'><title>trial " +
         std::to_string(t.number) + ": " + escaped(metric) + " " + number(t.accuracy) + ", " +
         number(t.costs.milliseconds) + " ms</title></circle>\n";
}

std::string pareto_chart(const History& history, const std::string& metric) {
  constexpr double kHeight = 340;
  const Box box{70, 12, kWidth - 20, kHeight - 45};
  std::vector<const Trial*> shown;
  for (const Trial& t : history.trials)
    if (t.measured()) shown.push_back(&history.confirmed(t));
  const auto [x0, x1] =
      std::minmax_element(shown.begin(), shown.end(), [](auto a, auto b) { return a->improvement < b->improvement; });
  const auto [y0, y1] =
      std::minmax_element(shown.begin(), shown.end(), [](auto a, auto b) { return a->accuracy < b->accuracy; });
  const Scale x((*x0)->improvement, (*x1)->improvement, box.left, box.right),
      y((*y0)->accuracy, (*y1)->accuracy, box.bottom, box.top);
  std::string svg = axes(x, &y, box), points;
  svg += text_at((box.left + kWidth) / 2, kHeight - 8, "times better than fp32 by the objective", "middle");
  svg += text_at(box.left, box.top - 1, metric, "start");
  for (const Trial* t : history.front()) points += pixel(x(t->improvement)) + "," + pixel(y(t->accuracy)) + " ";
  svg += "<polyline class='front' points='" + points + "'/>\n";
  for (const Trial* t : shown) svg += point(*t, history, metric, x(t->improvement), y(t->accuracy));
  return picture(kWidth, kHeight, svg);
}

std::string label_of(const NodeGroup& unit) { return unit.op + " " + unit.name; }

std::string sensitivity_chart(const Attribution& a, const SearchSpace& space) {
  std::vector<Bar> bars;
  for (const size_t u : a.worst(kMostBars)) {
    const double db = decibels(a.units[u].noise);
    bars.push_back({label_of(space.units[u]), {{std::max(0.0, 80 - db), "bar", number(db, 3) + " dB"}}});
  }
  return bar_chart(bars);
}

std::string saved_chart(const Attribution& a, const SearchSpace& space) {
  std::vector<size_t> order(a.units.size());
  for (size_t u = 0; u < order.size(); ++u) order[u] = u;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t l, size_t r) { return a.units[l].milliseconds > a.units[r].milliseconds; });
  order.resize(std::min(order.size(), kMostBars));
  std::vector<Bar> bars;
  for (const size_t u : order) {
    const double ms = a.units[u].milliseconds;
    bars.push_back({label_of(space.units[u]), {{ms, "bar", number(ms, 3) + " ms"}}});
  }
  return bar_chart(bars);
}

std::string time_chart(const std::vector<UnitTime>& times) {
  std::vector<Bar> bars;
  for (const UnitTime& t : times) {
    if (bars.size() == kMostBars) break;
    bars.push_back(
        {t.name, {{t.fp32, "fp32", number(t.fp32, 3) + " ms"}, {t.trial, "trial", number(t.trial, 3) + " ms"}}});
  }
  return bar_chart(bars);
}

// ---- distributions --------------------------------------------------------------------------------------------------

// Counts in equal parts of a range, a bin counting where its centre lies.
std::vector<double> counts_in(const Histogram& histogram, double low, double high, size_t parts) {
  std::vector<double> counts(parts, 0);
  const double width = (high - low) / static_cast<double>(parts);
  for (size_t i = 0; i < histogram.bins().size(); ++i) {
    const double centre =
        (static_cast<double>(histogram.first_bin() + static_cast<int64_t>(i)) + 0.5) * histogram.bin_width();
    const double at = width > 0 ? std::clamp((centre - low) / width, 0.0, static_cast<double>(parts - 1)) : 0;
    counts[static_cast<size_t>(at)] += static_cast<double>(histogram.bins()[i]);
  }
  return counts;
}

// A staircase; heights are logarithms of counts, because most values of a rectified tensor are 0.
std::string staircase(const std::vector<double>& counts, double most, const Box& box, const char* kind) {
  const double step = (box.right - box.left) / static_cast<double>(counts.size());
  std::string points = pixel(box.left) + "," + pixel(box.bottom) + " ";
  for (size_t i = 0; i < counts.size(); ++i) {
    const double y = box.bottom - std::log1p(counts[i]) / most * (box.bottom - box.top);
    for (const size_t end : {i, i + 1})
      points += pixel(box.left + step * static_cast<double>(end)) + "," + pixel(y) + " ";
  }
  points += pixel(box.right) + "," + pixel(box.bottom);
  return "<polyline class='" + std::string(kind) + "' points='" + points + "'/>\n";
}

std::string histogram_chart(const Distribution& d) {
  constexpr size_t kParts = 64;
  constexpr double kBroad = 370, kHeight = 150;
  const Box box{12, 24, kBroad - 12, kHeight - 22};
  const Histogram &fp32 = d.fp32.histogram, &trial = d.trial.histogram;
  const double low = std::min(fp32.min(), trial.empty() ? fp32.min() : trial.min()),
               high = std::max(fp32.max(), trial.empty() ? fp32.max() : trial.max());
  const std::vector<double> before = counts_in(fp32, low, high, kParts), after = counts_in(trial, low, high, kParts);
  double most = 1e-9;
  for (size_t i = 0; i < kParts; ++i) most = std::max({most, std::log1p(before[i]), std::log1p(after[i])});
  std::string svg = text_at(box.left, 14, d.name, "start");
  for (const double v : {low, (low + high) / 2, high})
    svg += text_at(box.left + (high > low ? (v - low) / (high - low) : 0) * (box.right - box.left), kHeight - 6,
                   number(v, 3),
                   v == low    ? "start"
                   : v == high ? "end"
                               : "middle");
  svg += staircase(before, most, box, "fp32") + staircase(after, most, box, "trial");
  return picture(kBroad, kHeight, svg);
}

// Those that int8 disturbs most.
std::string histograms(const Insight& insight, const History& history, const SearchSpace& space) {
  std::string html = "<div class='charts'>\n";
  for (const size_t u : history.attribution ? history.attribution->worst(kMostHistograms) : std::vector<size_t>())
    for (const Distribution& d : insight.values)
      if (d.name == space.units[u].name && !d.fp32.empty()) html += histogram_chart(d);
  return html + "</div>\n";
}

std::string inside(const Insight& insight, const History& history, const SearchSpace& space) {
  if (insight.trial < 0) return "";
  const std::string title = "trial " + std::to_string(insight.trial);
  if (!insight.problem.empty()) return "<p>" + title + " cannot be looked into: " + escaped(insight.problem) + "</p>\n";
  return "<h2>Time by node</h2>\n<p>Of one run: grey in fp32, blue in " + title +
         "; 0 where a node is computed along with another one.</p>\n" + time_chart(insight.times) +
         "<h2>Values in fp32 and int8</h2>\n<p>Of the nodes that int8 disturbs most, on calibration samples: grey in "
         "fp32, blue in " +
         title + ". Heights are logarithms of counts.</p>\n" + histograms(insight, history, space);
}

// ---- tables ---------------------------------------------------------------------------------------------------------

std::string row(const std::vector<std::string>& cells, const char* cell, const std::string& kind = "") {
  std::string html = "<tr class='" + kind + "'>";
  for (const std::string& text : cells) html += "<" + std::string(cell) + ">" + escaped(text) + "</" + cell + ">";
  return html + "</tr>\n";
}

std::string trial_table(const History& history, const SearchSpace& space, const std::string& metric) {
  std::string html = "<table>\n" + row({"trial", "candidate", "fp32 units", metric, "change", "samples", "ms",
                                        "times better", "MB", "meets the target"},
                                       "th");
  for (const Trial& original : history.trials) {
    const Trial& t = history.confirmed(original);
    html += row({std::to_string(t.number), t.number == 0 ? "fp32" : space.candidates[t.configuration.candidate].name,
                 std::to_string(t.configuration.fp32_units()) + " of " + std::to_string(space.units.size()),
                 t.measured() ? number(t.accuracy) : t.failure, number(t.gain),
                 std::to_string(t.samples) + (t.early ? ", clear early" : ""), number(t.costs.milliseconds),
                 number(t.improvement, 3), number(t.costs.size_bytes / 1e6, 3), t.passes ? "yes" : "no"},
                "td", kind_of(t, history));
  }
  return html + "</table>\n";
}

std::string precision_table(const Trial& best) {
  std::string html = "<table>\n" + row({"operator", "total", "int8", "bf16", "fp32"}, "th");
  for (const auto& [op, n] : best.precisions)
    html += row({op, std::to_string(n.int8 + n.bf16 + n.fp32), std::to_string(n.int8), std::to_string(n.bf16),
                 std::to_string(n.fp32)},
                "td");
  return html + "</table>\n";
}

constexpr std::string_view kStyle =
    "body{font:14px/1.5 sans-serif;max-width:820px;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:2px 10px;text-align:right;border-bottom:1px solid #ddd}"
    "svg{width:100%;font:11px sans-serif}.grid{stroke:#e5e5e5}.front{fill:none;stroke:#888}.bar{fill:#4472a8}"
    "rect.fp32{fill:#aaa}rect.trial{fill:#4472a8}.charts svg{width:49%}"
    "polyline.fp32{fill:#ddd;stroke:#999}polyline.trial{fill:none;stroke:#2a5f9e;stroke-width:1.3}"
    "circle.misses{fill:#c8574f}circle.passes{fill:#4a9a5c}circle.fp32{fill:#555}circle.best{fill:#e8a020;stroke:#000}"
    "tr.best{font-weight:bold}";

std::string summary(const History& history, const std::string& metric) {
  const Trial* best = history.best();
  if (!best) return "";
  return "<p>Best: trial " + std::to_string(best->number) + ", " + escaped(metric) + " " + number(best->accuracy) +
         ", " + number(best->costs.milliseconds) + " ms; " +
         (history.met() ? "the target is met." : "no quantized model meets the target.") +
         "</p>\n<h2>Pareto front</h2>\n" + pareto_chart(history, metric) + "<h2>Precision of the best model</h2>\n" +
         precision_table(*best);
}

std::string attribution(const Attribution& a, const SearchSpace& space) {
  return "<h2>What int8 disturbs</h2>\n<p>Signal to noise of the outputs with this node alone in int8; longer bars are "
         "worse.</p>\n" +
         sensitivity_chart(a, space) + "<h2>Milliseconds that int8 saves</h2>\n" + saved_chart(a, space);
}

}  // namespace

std::string to_html(const History& history, const SearchSpace& space, const ReportTitle& title, const Insight& insight,
                    const Diagnosis* diagnosis) {
  const std::string name = escaped(title.model);
  std::string html = "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'><title>Tuning " + name +
                     "</title><link rel='icon' href='data:,'><style>" + std::string(kStyle) +
                     "</style></head><body>\n<h1>Tuning " + name + "</h1>\n" + summary(history, title.metric);
  if (history.attribution) html += attribution(*history.attribution, space);
  html += inside(insight, history, space);
  if (diagnosis) html += to_html(*diagnosis);
  return html + "<h2>Trials</h2>\n" + trial_table(history, space, title.metric) + "</body></html>\n";
}

}  // namespace lapis
