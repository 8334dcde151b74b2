#include "tuning/reports/svg.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/printable.h"

namespace lapis::svg {

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

std::string number(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*g", digits, value);
  return text;
}

std::string pixel(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

Scale::Scale(double low, double high, double from, double to) : from_(from), to_(to) {
  // Four digits of a number are shown: ends that are all but the same are drawn apart.
  const double room = std::max((high - low) * 0.05, 2e-3 * std::max(1e-6, std::abs(high)));
  low_ = low - room;
  high_ = high + room;
}

std::vector<double> Scale::ticks() const {
  double step = std::pow(10, std::floor(std::log10(high_ - low_)));
  if ((high_ - low_) / step < 4) step /= (high_ - low_) / step < 2 ? 5 : 2;
  std::vector<double> at;
  for (double v = std::ceil(low_ / step) * step; v <= high_ && at.size() < 12; v += step)
    at.push_back(std::abs(v) < step / 1e6 ? 0 : v);
  return at;
}

std::string text_at(double x, double y, const std::string& text, const char* anchor) {
  return "<text x='" + pixel(x) + "' y='" + pixel(y) + "' text-anchor='" + anchor + "'>" + escaped(text) + "</text>\n";
}

std::string line(double x1, double y1, double x2, double y2, const char* kind) {
  return "<line class='" + std::string(kind) + "' x1='" + pixel(x1) + "' y1='" + pixel(y1) + "' x2='" + pixel(x2) +
         "' y2='" + pixel(y2) + "'/>\n";
}

std::string axes(const Scale& x, const Scale* y, const Box& box) {
  std::string svg;
  for (const double v : x.ticks()) {
    svg += line(x(v), box.top, x(v), box.bottom, "grid");
    svg += text_at(x(v), box.bottom + 16, number(v), "middle");
  }
  for (const double v : y ? y->ticks() : std::vector<double>()) {
    svg += line(box.left, (*y)(v), box.right, (*y)(v), "grid");
    svg += text_at(box.left - 6, (*y)(v) + 4, number(v), "end");
  }
  return svg;
}

std::string picture(double width, double height, const std::string& content) {
  return "<svg viewBox='0 0 " + pixel(width) + " " + pixel(height) + "' role='img'>\n" + content + "</svg>\n";
}

namespace {

constexpr double kNames = 330, kThick = 13;

// Its end, without cutting a character.
std::string shortened(const std::string& name) {
  constexpr size_t kLongest = 52;
  if (name.size() <= kLongest) return name;
  return "..." + name.substr(cut(name, name.size() - kLongest).size());
}

std::string bar(const Bar::Part& part, const std::string& name, const Scale& x, double y, double height) {
  const double from = x(std::min(0.0, part.value)), to = x(std::max(0.0, part.value));
  return "<rect class='" + std::string(part.kind) + "' x='" + pixel(from) + "' y='" + pixel(y) + "' width='" +
         pixel(to - from) + "' height='" + pixel(height) + "'><title>" + escaped(name) + "</title></rect>\n" +
         text_at(to + 5, y + height / 2 + 4, part.text, "start");
}

}  // namespace

std::string bar_chart(const std::vector<Bar>& bars) {
  double low = 0, high = 0;
  for (const Bar& b : bars)
    for (const Bar::Part& part : b.parts) {
      low = std::min(low, part.value);
      high = std::max(high, part.value);
    }
  const Scale x(low, high, kNames, kWidth - 90);
  std::string svg;
  double y = 4;
  for (const Bar& b : bars) {
    const double height = b.parts.size() > 1 ? kThick - 3 : kThick;
    svg += text_at(kNames - 8, y + height * static_cast<double>(b.parts.size()) / 2 + 4, shortened(b.name), "end");
    for (const Bar::Part& part : b.parts) {
      svg += bar(part, b.name, x, y, height);
      y += height;
    }
    y += 5;
  }
  return picture(kWidth, y + 4, svg);
}

}  // namespace lapis::svg
