// Charts as SVG text that needs neither scripts nor anything outside of itself.
#pragma once

#include <string>
#include <vector>

namespace lapis::svg {

std::string escaped(const std::string& text);  // for HTML
std::string number(double value, int digits = 4);
std::string pixel(double value);

inline constexpr double kWidth = 760;

// Values on a line of pixels, with a little room at both ends.
class Scale {
 public:
  Scale(double low, double high, double from, double to);
  double operator()(double value) const { return from_ + (value - low_) / (high_ - low_) * (to_ - from_); }
  std::vector<double> ticks() const;  // round numbers, four to eight of them

 private:
  double low_, high_, from_, to_;
};

struct Box {
  double left, top, right, bottom;
};

std::string text_at(double x, double y, const std::string& text, const char* anchor);
std::string line(double x1, double y1, double x2, double y2, const char* kind);
// A grid with numbers; `y` may have no numbers of its own (null).
std::string axes(const Scale& x, const Scale* y, const Box& box);
std::string picture(double width, double height, const std::string& content);

// A row of bars one under the other for each name.
struct Bar {
  std::string name;
  struct Part {
    double value;
    const char* kind;  // its class in the style sheet
    std::string text;
  };
  std::vector<Part> parts;
};
std::string bar_chart(const std::vector<Bar>& bars);

}  // namespace lapis::svg
