// The artifact file (.lapis): a Program on disk. Loading maps it: weights are read from the page cache on first use and shared between
// processes; nothing is parsed but a small manifest, nothing is packed or compiled.
//
//   header | manifest | code | constants      sections start at page boundaries; little endian
//
// An artifact contains machine code: load only what you would also execute.
#pragma once

#include "base/file.h"
#include "runtime/program.h"

namespace lapis {

Status save_artifact(const Program& program, const Path& path);
// Checks magic, version, section bounds, the checksum over header, manifest and code, and the manifest; every failure is a located
// diagnostic. Constants are not summed: that would read all of them.
Result<Program> load_artifact(const Path& path);
// True if the file starts with the artifact's magic: how the CLI tells an artifact from an .onnx.
bool is_artifact(const Path& path);

}  // namespace lapis
