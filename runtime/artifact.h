// The artifact file (.lapis): Programs on disk, one for each machine that a model was compiled for. Loading maps it:
// weights are read from the page cache on first use and shared between processes; nothing is parsed but a small
// manifest, nothing is packed or compiled.
//
//   header | manifest | sums | code | weights | constants
//
// Sections follow each other at page boundaries, zeros between; little endian.
//
// The manifest lists the variants. Each has a part of `code`, at a page boundary;
// its weights and constants are how those sections begin.
//
// Every byte is accounted for. One checksum covers header, manifest, sums and code, another the tables in the constants
// that become addresses: both are checked when loading, as are the zeros. `sums` has one sum for each 64 KiB of weights
// and constants; comparing them reads all weights, so it happens at the first run, or when loading if asked for.
//
// An artifact contains machine code: load only what you would also execute. The file must not be changed while it is
// loaded (replace it by a new file of the same name instead, as every writer of Lapis does).
#pragma once

#include "base/file.h"
#include "base/host.h"
#include "runtime/program.h"

namespace lapis {

// The bytes of the file, borrowing code and constants from the program.
class ArtifactImage {
 public:
  // The weights and constants of each variant begin those of the one that has most
  // (driver's compile_variants makes them so).
  explicit ArtifactImage(std::span<const Program> variants);
  explicit ArtifactImage(const Program& program) : ArtifactImage(std::span(&program, 1)) {}
  std::vector<std::span<const std::byte>> parts() const;

 private:
  std::string head_;  // header, manifest and sums with the zeros behind them
  std::vector<std::span<const std::byte>> codes_;
  std::string gap_;  // zeros, at least as many as there are behind any code
  Parts weights_;
  std::span<const std::byte> constants_;
};

struct LoadOptions {
  bool verify = false;  // compare the sums of the constants now instead of at the first run
};

// Names the steps that need what no file can hold (ErrorKind::Unsupported).
Status check_storable(const Program& program);
Status save_artifact(std::span<const Program> variants, const Path& path);
inline Status save_artifact(const Program& program, const Path& path) {
  return save_artifact(std::span(&program, 1), path);
}
// Every failure is a located diagnostic.
Result<std::vector<Program>> load_variants(const Path& path, const LoadOptions& options = {});
// The only variant, or the one that asks most of this host among those that it can run.
// ErrorKind::Target if it can run none of several.
Result<Program> load_artifact(const Path& path, const LoadOptions& options = {});
// What load_artifact chooses on another machine.
Result<Program> best_variant(std::vector<Program> variants, const Machine& machine = this_machine());
// Compares the constants with their sums; ok for a program that has none.
Status verify_constants(const Program& program);
// True if the file starts with the artifact's magic, whatever its name.
bool is_artifact(const Path& path);

}  // namespace lapis
