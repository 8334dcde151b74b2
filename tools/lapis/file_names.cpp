#include "tools/lapis/file_names.h"

#include <set>

#include "base/printable.h"

namespace lapis::cli {
namespace {

constexpr size_t kLongest = 200;  // file systems end at 255 bytes, suffix and number included

// What cannot be shown is an escape after printable(), which begins with a backslash.
std::string safe(const std::string& name) {
  std::string text = printable(name);
  for (char& c : text)
    if (c == '/' || c == '\\' || c == ':') c = '_';
  text.resize(cut(text, kLongest).size());
  return text.empty() ? "_" : text;
}

}  // namespace

std::vector<std::string> file_names(const std::vector<std::string>& names, std::string_view suffix) {
  std::set<std::string> taken;
  std::vector<std::string> files(names.size());
  for (size_t i = 0; i < names.size(); ++i)  // names that are file names already keep them
    if (safe(names[i]) == names[i] && taken.insert(names[i]).second) files[i] = names[i];
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string stem = safe(names[i]);
    for (int n = 1; files[i].empty(); ++n)
      if (const std::string file = n == 1 ? stem : stem + "_" + std::to_string(n); taken.insert(file).second)
        files[i] = file;
  }
  for (std::string& file : files) file += suffix;
  return files;
}

}  // namespace lapis::cli
