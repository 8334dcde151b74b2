// Files: read, map, and write so that nothing half-written is ever seen under its final name.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace lapis {

using Path = std::filesystem::path;

// A read-only mapping; the shared_ptr keeps it alive for Tensors that borrow from it.
struct MappedFile {
  std::shared_ptr<const std::byte> data;
  size_t size = 0;
  std::span<const std::byte> bytes() const { return {data.get(), size}; }
};
// Files that another library opens are asked about first: folders, devices and pipes (which could block for ever) are errors.
Status check_regular(const Path& path);
Result<MappedFile> map_file(const Path& path);
Result<std::string> read_file(const Path& path);

// Writes to a temporary file beside `path`, syncs and renames. On failure `path` is untouched and the temporary is removed.
Status write_file(const Path& path, std::span<const std::byte> bytes);
Status write_file(const Path& path, std::string_view text);
// The parts one behind the other, for what is too large to be put together in memory.
Status write_file(const Path& path, std::span<const std::span<const std::byte>> parts);

}  // namespace lapis
