// What people see: a progress bar that stays on one line, and tables.
#pragma once

#include <string>
#include <vector>

#include "tuning/evaluate.h"

namespace lapis::cli {

// A progress bar on stderr with the time left, erased when it is done or given up; nothing where stderr is no terminal.
Progress progress_bar(std::string what);
// What the bar shows in a terminal of `width` columns: never wider, whatever `what` is.
std::string progress_line(const std::string& what, int64_t done, int64_t total, double seconds_left, size_t width);

std::string fixed(double value, int digits);
// Columns padded to their widest cell; the first row is the heading.
// Lines longer than `width` end in "..."; 0: no limit.
std::string table(const std::vector<std::vector<std::string>>& rows, size_t width = 0);
// At most `bytes` long, whole UTF-8 characters, "..." where something is missing.
std::string shortened(std::string text, size_t bytes);

}  // namespace lapis::cli
