// The artifact file (.lapis): a Program on disk. Loading maps it: weights are read from the page cache on first use and shared between
// processes; nothing is parsed but a small manifest, nothing is packed or compiled.
//
//   header | manifest | sums | code | constants      sections follow each other at page boundaries, zeros between; little endian
//
// Every byte is accounted for. One checksum covers header, manifest, sums and code, another the tables in the constants that become
// addresses: both are checked when loading, as are the zeros. `sums` has one sum for each 64 KiB of the constants; comparing them
// reads all weights, so it happens at the first run, or when loading if asked for.
//
// An artifact contains machine code: load only what you would also execute. The file must not be changed while it is loaded (replace
// it by a new file of the same name instead, as every writer of Lapis does).
#pragma once

#include "base/file.h"
#include "runtime/program.h"

namespace lapis {

// The bytes of the file, borrowing code and constants from the program.
class ArtifactImage {
 public:
  explicit ArtifactImage(const Program& program);
  std::vector<std::span<const std::byte>> parts() const;

 private:
  std::string head_;  // header, manifest and sums with the zeros behind them
  std::string gap_;   // the zeros between code and constants
  std::span<const std::byte> code_, constants_;
};

struct LoadOptions {
  bool verify = false;  // compare the sums of the constants now instead of at the first run
};

Status save_artifact(const Program& program, const Path& path);
// Every failure is a located diagnostic.
Result<Program> load_artifact(const Path& path, const LoadOptions& options = {});
// Compares the constants with their sums; ok for a program that has none.
Status verify_constants(const Program& program);
// True if the file starts with the artifact's magic, whatever its name.
bool is_artifact(const Path& path);

}  // namespace lapis
