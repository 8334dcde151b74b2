// Compressed data: entries of zip archives (stored or deflated, as numpy writes them), and .gz files. zlib does the work.
#pragma once

#include "base/file.h"

namespace lapis {

struct ZipEntry {
  std::string name;
  uint64_t offset = 0, packed = 0, size = 0;  // of its local header; bytes in the archive; bytes afterwards
  bool is_deflated = false;
};

Result<std::vector<ZipEntry>> zip_entries(const Path& path, const MappedFile& archive);
// Stored entries borrow from the archive.
Result<MappedFile> unzipped(const Path& path, const MappedFile& archive, const ZipEntry& entry);

// The file as it is, or what it holds if it is one of gzip.
Result<MappedFile> map_maybe_gzip(const Path& path);

}  // namespace lapis
