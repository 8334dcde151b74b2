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
// Files that another library opens are asked about first:
// folders, devices and pipes (which could block for ever) are errors.
Status check_regular(const Path& path);
Result<MappedFile> map_file(const Path& path);
Result<std::string> read_file(const Path& path);

// From remember_reads on, this process knows which files it has mapped or read; was_read says whether `path` is one of
// them, under whatever name. For programs that must not replace what they were given.
void remember_reads();
bool was_read(const Path& path);

// Writes to a temporary file beside the target, syncs and renames.
// On failure the target is untouched and the temporary is removed.
// Links are followed, an existing file keeps its mode,
// and what is no regular file (a device, a pipe, a folder) is refused.
Status write_file(const Path& path, std::span<const std::byte> bytes);
Status write_file(const Path& path, std::string_view text);
// The parts one behind the other, for what is too large to be put together in memory.
Status write_file(const Path& path, std::span<const std::span<const std::byte>> parts);

// Files that mean something only together (model.o and model.h): all of them appear, or none changes.
struct FileContent {
  Path path;
  std::vector<std::span<const std::byte>> parts;
};
Status write_files(std::span<const FileContent> files);

// Whether write_file could begin, and why not: to be asked before hours of work. Changes nothing.
Status check_writable(const Path& path);

// Everything to an open descriptor, which may be a pipe; false with errno set.
bool write_all(int fd, std::span<const std::byte> bytes);

// For a program that was told to end: waits until no set of files is half renamed, removes temporaries, and lets nobody
// write any more. Gives the names of the last files that were finished. Not for a signal handler: for a thread that
// waits for the signal.
std::vector<std::string> abandon_writes();

}  // namespace lapis
