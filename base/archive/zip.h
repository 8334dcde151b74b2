// Compressed data: entries of zip archives (stored or deflated, as numpy and PyTorch write them), and .gz files. zlib
// does the work. Archives may be damaged or made to harm: every offset is checked, and what entries unfold to is
// bounded. Names of entries are names and no paths: nothing is ever written.
//
//   LAPIS_TRY(const std::vector<ZipEntry> entries, zip_entries(archive));
//   LAPIS_TRY(const MappedFile content, unzipped(archive, entries[0]));
#pragma once

#include <optional>

#include "base/file.h"

namespace lapis {

struct ZipEntry {
  std::string name;
  uint64_t offset = 0, packed = 0, size = 0;  // of its local header; bytes in the archive; bytes afterwards
  bool is_deflated = false;
};

inline constexpr uint64_t kMostUnzipped = uint64_t{1} << 34;  // bytes

// Findings have no location: the caller knows the file.
Result<std::vector<ZipEntry>> zip_entries(const MappedFile& archive);
// Stored entries borrow from the archive. An error if the entry unfolds to more than `most` bytes.
Result<MappedFile> unzipped(const MappedFile& archive, const ZipEntry& entry, uint64_t most = kMostUnzipped);

// A stream of zlib, as HDF5 keeps chunks of arrays; nullopt if it is damaged, or unfolds to more than `most` bytes.
std::optional<std::vector<std::byte>> unfold(std::span<const std::byte> packed, uint64_t most);

// The file as it is, or what it holds if it is one of gzip.
Result<MappedFile> map_maybe_gzip(const Path& path);

}  // namespace lapis
