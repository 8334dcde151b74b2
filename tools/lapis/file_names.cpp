#include "tools/lapis/file_names.h"

#include <set>

namespace lapis::cli {
namespace {

constexpr size_t kLongest = 200;  // file systems end at 255 bytes, suffix and number included

bool is_safe(unsigned char c) { return c > 0x20 && c < 0x7F && c != '/' && c != '\\' && c != ':'; }

std::string safe(std::string name) {
  for (char& c : name)
    if (!is_safe(static_cast<unsigned char>(c))) c = '_';
  if (name.size() > kLongest) name.resize(kLongest);
  if (name.empty() || name.front() == '-') name.insert(name.begin(), '_');  // no flag for whoever reads the folder
  return name;
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
