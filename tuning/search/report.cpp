#include "tuning/search/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/printable.h"

namespace lapis {
namespace {

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : printable(text)) {
    if (c == '&')
      result += "&amp;";
    else if (c == '<')
      result += "&lt;";
    else if (c == '>')
      result += "&gt;";
    else if (c == '"')
      result += "&quot;";
    else
      result += c;
  }
  return result;
}

std::string number(double value, int digits = 4) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*g", digits, value);
  return text;
}
std::string pixel(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

// Values on a line of pixels, with a little room at both ends.
class Scale {
 public:
  Scale(double low, double high, double from, double to) : from_(from), to_(to) {
    const double room = std::max((high - low) * 0.05, 1e-9 * std::max(1.0, std::abs(high)));
    low_ = low - room;
    high_ = high + room;
  }
  double operator()(double value) const { return from_ + (value - low_) / (high_ - low_) * (to_ - from_); }
  // Round numbers, four to eight of them.
  std::vector<double> ticks() const {
    double step = std::pow(10, std::floor(std::log10(high_ - low_)));
    if ((high_ - low_) / step < 4) step /= (high_ - low_) / step < 2 ? 5 : 2;
    std::vector<double> at;
    for (double v = std::ceil(low_ / step) * step; v <= high_ && at.size() < 12; v += step)
      at.push_back(std::abs(v) < step / 1e6 ? 0 : v);
    return at;
  }

 private:
  double low_, high_, from_, to_;
};

std::string text_at(double x, double y, const std::string& text, const char* anchor) {
  return "<text x='" + pixel(x) + "' y='" + pixel(y) + "' text-anchor='" + anchor + "'>" + escaped(text) + "</text>\n";
}
std::string line(double x1, double y1, double x2, double y2, const char* kind) {
  return "<line class='" + std::string(kind) + "' x1='" + pixel(x1) + "' y1='" + pixel(y1) + "' x2='" + pixel(x2) +
         "' y2='" + pixel(y2) + "'/>\n";
}

constexpr double kWidth = 760, kHeight = 340, kLeft = 70, kBottom = 45, kTop = 12, kRight = 20;

std::string axes(const Scale& x, const Scale& y, const std::string& x_title, const std::string& y_title) {
  std::string svg;
  for (const double v : x.ticks()) {
    svg += line(x(v), kTop, x(v), kHeight - kBottom, "grid");
    svg += text_at(x(v), kHeight - kBottom + 16, number(v), "middle");
  }
  for (const double v : y.ticks()) {
    svg += line(kLeft, y(v), kWidth - kRight, y(v), "grid");
    svg += text_at(kLeft - 6, y(v) + 4, number(v), "end");
  }
  svg += text_at((kLeft + kWidth) / 2, kHeight - 8, x_title, "middle");
  return svg + text_at(kLeft, kTop - 1, y_title, "start");
}

std::string svg_of(double height, const std::string& content) {
  return "<svg viewBox='0 0 " + pixel(kWidth) + " " + pixel(height) + "' role='img'>\n" + content + "</svg>\n";
}

std::string kind_of(const Trial& t, const History& history) {
  if (history.best() == &t) return "best";
  return t.number == 0 ? "fp32" : t.passes ? "passes" : "misses";
}

std::string pareto_chart(const History& history, const std::string& metric) {
  std::vector<const Trial*> shown;
  for (const Trial& t : history.trials)
    if (t.measured()) shown.push_back(&t);
  const auto [x0, x1] =
      std::minmax_element(shown.begin(), shown.end(), [](auto a, auto b) { return a->improvement < b->improvement; });
  const auto [y0, y1] =
      std::minmax_element(shown.begin(), shown.end(), [](auto a, auto b) { return a->accuracy < b->accuracy; });
  const Scale x((*x0)->improvement, (*x1)->improvement, kLeft, kWidth - kRight),
      y((*y0)->accuracy, (*y1)->accuracy, kHeight - kBottom, kTop);
  std::string svg = axes(x, y, "times better than fp32 by the objective", metric), points;
  for (const Trial* t : history.front()) points += pixel(x(t->improvement)) + "," + pixel(y(t->accuracy)) + " ";
  svg += "<polyline class='front' points='" + points + "'/>\n";
  for (const Trial* t : shown)
    svg += "<circle class='" + kind_of(*t, history) + "' cx='" + pixel(x(t->improvement)) + "' cy='" +
           pixel(y(t->accuracy)) + "' r='4'><title>trial " + std::to_string(t->number) + ": " + metric + " " +
           number(t->accuracy) + ", " + number(t->costs.milliseconds) + " ms</title></circle>\n";
  return svg_of(kHeight, svg);
}

struct Bar {
  std::string name;
  double value;
  std::string text;
};

std::string bar_chart(const std::vector<Bar>& bars) {
  constexpr double kRow = 18, kNames = 330;
  double low = 0, high = 0;
  for (const Bar& b : bars) {
    low = std::min(low, b.value);
    high = std::max(high, b.value);
  }
  const Scale x(low, high, kNames, kWidth - 90);
  std::string svg;
  double y = 4;
  for (const Bar& b : bars) {
    const double from = x(std::min(0.0, b.value)), to = x(std::max(0.0, b.value));
    constexpr size_t kLongest = 52;
    const std::string name = b.name.size() > kLongest ? "..." + b.name.substr(b.name.size() - kLongest) : b.name;
    svg += "<rect class='bar' x='" + pixel(from) + "' y='" + pixel(y) + "' width='" + pixel(to - from) +
           "' height='13'><title>" + escaped(b.name) + "</title></rect>\n" + text_at(kNames - 8, y + 11, name, "end") +
           text_at(to + 5, y + 11, b.text, "start");
    y += kRow;
  }
  return svg_of(y + 4, svg);
}

constexpr size_t kMostBars = 40;

std::string sensitivity_chart(const Attribution& a, const SearchSpace& space) {
  std::vector<Bar> bars;
  for (const size_t u : a.worst(kMostBars))
    bars.push_back({space.units[u].op + " " + space.units[u].name, std::max(0.0, 80 - decibels(a.units[u].noise)),
                    number(decibels(a.units[u].noise), 3) + " dB"});
  return bar_chart(bars);
}

std::string time_chart(const Attribution& a, const SearchSpace& space) {
  std::vector<size_t> order(a.units.size());
  for (size_t u = 0; u < order.size(); ++u) order[u] = u;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t l, size_t r) { return a.units[l].milliseconds > a.units[r].milliseconds; });
  std::vector<Bar> bars;
  for (size_t i = 0; i < std::min(order.size(), kMostBars); ++i)
    bars.push_back({space.units[order[i]].op + " " + space.units[order[i]].name, a.units[order[i]].milliseconds,
                    number(a.units[order[i]].milliseconds, 3) + " ms"});
  return bar_chart(bars);
}

std::string row(const std::vector<std::string>& cells, const char* cell, const std::string& kind = "") {
  std::string html = "<tr class='" + kind + "'>";
  for (const std::string& text : cells) html += "<" + std::string(cell) + ">" + escaped(text) + "</" + cell + ">";
  return html + "</tr>\n";
}

std::string trial_table(const History& history, const SearchSpace& space, const std::string& metric) {
  std::string html = "<table>\n" + row({"trial", "candidate", "fp32 units", metric, "change", "samples", "ms",
                                        "times better", "MB", "meets the target"},
                                       "th");
  for (const Trial& t : history.trials)
    html += row({std::to_string(t.number), t.number == 0 ? "fp32" : space.candidates[t.configuration.candidate].name,
                 std::to_string(t.configuration.fp32_units()) + " of " + std::to_string(space.units.size()),
                 t.measured() ? number(t.accuracy) : t.failure, number(t.gain),
                 std::to_string(t.samples) + (t.early ? ", clear early" : ""), number(t.costs.milliseconds),
                 number(t.improvement, 3), number(t.costs.size_bytes / 1e6, 3), t.passes ? "yes" : "no"},
                "td", kind_of(t, history));
  return html + "</table>\n";
}

std::string precision_table(const Trial& best) {
  std::string html = "<table>\n" + row({"operator", "total", "int8", "fp32"}, "th");
  for (const auto& [op, n] : best.precisions)
    html += row({op, std::to_string(n.int8 + n.fp32), std::to_string(n.int8), std::to_string(n.fp32)}, "td");
  return html + "</table>\n";
}

constexpr std::string_view kStyle =
    "body{font:14px/1.5 sans-serif;max-width:820px;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:2px 10px;text-align:right;border-bottom:1px solid #ddd}"
    "svg{width:100%;font:11px sans-serif}.grid{stroke:#e5e5e5}.front{fill:none;stroke:#888}.bar{fill:#4472a8}"
    "circle.misses{fill:#c8574f}circle.passes{fill:#4a9a5c}circle.fp32{fill:#555}circle.best{fill:#e8a020;stroke:#000}"
    "tr.best{font-weight:bold}";

}  // namespace

std::string to_html(const History& history, const SearchSpace& space, const ReportTitle& title) {
  std::string html = "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'><title>Tuning " +
                     escaped(title.model) + "</title><link rel='icon' href='data:,'><style>" + std::string(kStyle) +
                     "</style></head><body>\n<h1>Tuning " + escaped(title.model) + "</h1>\n";
  if (const Trial* best = history.best())
    html += "<p>Best: trial " + std::to_string(best->number) + ", " + escaped(title.metric) + " " +
            number(best->accuracy) + ", " + number(best->costs.milliseconds) + " ms; " +
            (history.met() ? "the target is met." : "no quantized model meets the target.") +
            "</p>\n<h2>Pareto front</h2>\n" + pareto_chart(history, title.metric) +
            "<h2>Precision of the best model</h2>\n" + precision_table(*best);
  if (history.attribution)
    html +=
        "<h2>What int8 disturbs</h2>\n<p>Signal to noise of the outputs with this node alone in int8; longer bars are "
        "worse.</p>\n" +
        sensitivity_chart(*history.attribution, space) + "<h2>Milliseconds that int8 saves</h2>\n" +
        time_chart(*history.attribution, space);
  return html + "<h2>Trials</h2>\n" + trial_table(history, space, title.metric) + "</body></html>\n";
}

}  // namespace lapis
