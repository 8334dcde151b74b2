// Archives that models come in: a zip file, in most versions of PyTorch with everything in one folder,
// whose name says nothing.
#pragma once

#include <unordered_map>

#include "base/archive/zip.h"

namespace lapis::frontend {

class Archive {
 public:
  static Result<Archive> open(const MappedFile& file);

  // "models/model.json", without the folder around everything.
  bool has(const std::string& name) const { return entries_.contains(name); }
  // In all, entries may unfold to 64 MiB and 64 times the file. Stored ones lie in the file.
  Result<MappedFile> content(const std::string& name);
  // Names that begin and end so, sorted.
  std::vector<std::string> names(std::string_view beginning, std::string_view ending) const;
  size_t file_bytes() const { return file_.size; }

 private:
  MappedFile file_;
  std::unordered_map<std::string, ZipEntry> entries_;
  uint64_t left_ = 0;  // bytes that may still be unfolded
};

// Whether these bytes are a zip archive in which some name ends so; reads the directory only.
bool archive_has(std::span<const std::byte> bytes, std::initializer_list<std::string_view> endings);

}  // namespace lapis::frontend
