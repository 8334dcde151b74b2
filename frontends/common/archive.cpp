#include "frontends/common/archive.h"

#include <algorithm>

namespace lapis::frontend {
namespace {

constexpr uint64_t kFreeBytes = uint64_t{64} << 20, kTimesFile = 64;

// The folder that all entries lie in, with its slash; empty if there is none.
std::string common_folder(const std::vector<ZipEntry>& entries) {
  const size_t slash = entries.empty() ? std::string::npos : entries[0].name.find('/');
  if (slash == std::string::npos) return "";
  std::string folder = entries[0].name.substr(0, slash + 1);
  const bool is_common =
      std::all_of(entries.begin(), entries.end(), [&](const ZipEntry& e) { return e.name.starts_with(folder); });
  return is_common ? folder : "";
}

MappedFile unowned(std::span<const std::byte> bytes) {
  return {std::shared_ptr<const std::byte>(std::shared_ptr<void>(), bytes.data()), bytes.size()};
}

}  // namespace

Result<Archive> Archive::open(const MappedFile& file) {
  LAPIS_TRY(std::vector<ZipEntry> entries, zip_entries(file));
  Archive archive;
  archive.file_ = file;
  archive.left_ = kFreeBytes + kTimesFile * file.size;
  const std::string folder = common_folder(entries);
  for (ZipEntry& entry : entries) {
    std::string name = entry.name.substr(folder.size());
    archive.entries_.insert_or_assign(std::move(name), std::move(entry));
  }
  return archive;
}

Result<MappedFile> Archive::content(const std::string& name) {
  const auto it = entries_.find(name);
  if (it == entries_.end())
    return error(ErrorKind::Input, "the archive has no '" + name + "'").help("save the model again");
  LAPIS_TRY(MappedFile content, unzipped(file_, it->second, left_));
  if (it->second.is_deflated) left_ -= content.size;
  return content;
}

std::vector<std::string> Archive::names(std::string_view beginning, std::string_view ending) const {
  std::vector<std::string> found;
  for (const auto& [name, entry] : entries_)
    if (name.starts_with(beginning) && name.ends_with(ending)) found.push_back(name);
  std::sort(found.begin(), found.end());
  return found;
}

bool archive_has(std::span<const std::byte> bytes, std::initializer_list<std::string_view> endings) {
  constexpr std::string_view kBegin = "PK\3\4";
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(kBegin)) return false;
  const auto entries = zip_entries(unowned(bytes));
  return entries.ok() && std::any_of(entries->begin(), entries->end(), [&](const ZipEntry& e) {
           return std::any_of(endings.begin(), endings.end(),
                              [&](std::string_view ending) { return e.name.ends_with(ending); });
         });
}

}  // namespace lapis::frontend
