#include "tools/lapis/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "base/printable.h"

namespace lapis::cli {
namespace {

using Clock = std::chrono::steady_clock;

// Asked for every line, because a window can change while the bar is shown.
size_t terminal_width() {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

class Bar {
 public:
  explicit Bar(std::string what) : what_(std::move(what)) {}
  ~Bar() { erase(); }
  Bar(const Bar&) = delete;

  void show(int64_t done, int64_t total) {
    if (done >= total) return erase();
    const auto now = Clock::now();
    if (now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    const double elapsed = std::chrono::duration<double>(now - start_).count();
    const double left = elapsed / static_cast<double>(std::max<int64_t>(done, 1)) * static_cast<double>(total - done);
    fmt::print(stderr, "\r\x1b[K{}", progress_line(what_, done, total, left, terminal_width()));
    shown_ = true;
  }

 private:
  void erase() {
    if (std::exchange(shown_, false)) fmt::print(stderr, "\r\x1b[K");
  }

  const std::string what_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = start_;
  bool shown_ = false;
};

}  // namespace

Progress progress_bar(std::string what) {
  if (!isatty(STDERR_FILENO)) return {};
  return [bar = std::make_shared<Bar>(std::move(what))](int64_t done, int64_t total) { bar->show(done, total); };
}

std::string progress_line(const std::string& what, int64_t done, int64_t total, double seconds_left, size_t width) {
  const std::string counts = fmt::format(" {}/{} {:.0f} s left", done, total, seconds_left);
  const size_t room = width > counts.size() + 1 ? width - 1 - counts.size() : 0;  // the last column would wrap
  constexpr size_t kBar = 30, kBrackets = 3;
  const bool bar = room >= kBar + kBrackets + 8;
  const std::string name = shortened(printable(what), bar ? room - kBar - kBrackets : room);
  std::string line = name;
  if (bar) {
    const auto filled = static_cast<size_t>(static_cast<int64_t>(kBar) * done / std::max<int64_t>(total, 1));
    line += " [" + std::string(filled, '#') + std::string(kBar - filled, '.') + "]";
  }
  return shortened(line + counts, width > 0 ? width - 1 : 0);
}

std::string fixed(double value, int digits) {
  const std::string text = fmt::format("{:.{}f}", value, digits);
  const bool is_zero = text.find_first_not_of("-0.") == std::string::npos;
  return is_zero && text[0] == '-' ? text.substr(1) : text;
}

std::string shortened(std::string text, size_t bytes) {
  if (text.size() <= bytes) return text;
  constexpr size_t kDots = 3;
  return std::string(cut(text, bytes > kDots ? bytes - kDots : 0)) + std::string(std::min(bytes, kDots), '.');
}

std::string table(const std::vector<std::vector<std::string>>& rows, size_t width) {
  std::vector<std::vector<std::string>> shown = rows;
  for (auto& row : shown)
    for (std::string& cell : row) cell = printable(cell);
  std::vector<size_t> widths;
  for (const auto& row : shown)
    for (size_t i = 0; i < row.size(); ++i) {
      if (i == widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], row[i].size());
    }
  std::string text;
  for (const auto& row : shown) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}", row[i], widths[i] + 2);
    line.erase(line.find_last_not_of(' ') + 1);
    text += (width ? shortened(std::move(line), width) : line) + "\n";
  }
  return text;
}

}  // namespace lapis::cli
