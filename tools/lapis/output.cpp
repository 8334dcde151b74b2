#include "tools/lapis/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "frontends/onnx/export.h"

namespace lapis::cli {
namespace {

Diagnostic stdout_error() {
  return error(ErrorKind::Io, std::string("cannot write to standard output: ") + std::strerror(errno))
      .help("check what reads it, and that the disk has room");
}

}  // namespace

Result<Output> Output::open(const std::string& path, const std::string& source) {
  if (path != "-") {
    LAPIS_CHECK(check_writable(path));
  } else if (::isatty(STDOUT_FILENO)) {
    return error(ErrorKind::Usage, "the result is binary, and standard output is a terminal")
        .help("redirect it (... -o - > FILE), or name a file");
  }
  return Output(path, source);
}

Status Output::spare_sources(const std::vector<Path>& files) const {
  std::error_code failed;
  if (std::filesystem::equivalent(path_, source_, failed)) return ok();  // replaced together with its weights
  for (const Path& file : files)
    if (was_read(file))
      return error(ErrorKind::Io, "the result would replace a file that it was made from: weights or samples")
          .at(file.string())
          .help("choose another name for the result");
  return ok();
}

Status Output::write(std::span<const std::span<const std::byte>> parts) const {
  if (!is_stdout()) {
    LAPIS_CHECK(spare_sources({path_}));
    return write_file(path_, parts);
  }
  for (const auto part : parts)
    if (!write_all(STDOUT_FILENO, part)) return stdout_error();
  return ok();
}

Status Output::write_model(const Graph& graph, const ExportOptions& options) const {
  if (!is_stdout()) {
    LAPIS_CHECK(spare_sources({path_, path_ + ".data"}));
    return export_onnx(graph, path_, options);
  }
  LAPIS_TRY(const std::string bytes, export_onnx(graph, options));
  const auto part = std::as_bytes(std::span(bytes));
  return write({&part, 1});
}

Status check_files(const std::vector<Path>& files) {
  for (const Path& file : files) LAPIS_CHECK(check_writable(file));
  return ok();
}

Status check_folder(const Path& folder) {
  std::error_code failed;
  Path there = std::filesystem::absolute(folder, failed);
  while (there.has_relative_path() && !std::filesystem::exists(there, failed) && !failed) there = there.parent_path();
  const bool is_folder = std::filesystem::is_directory(there, failed);
  if (is_folder && ::access(there.c_str(), W_OK | X_OK) == 0) return ok();
  return error(ErrorKind::Io, "cannot create the folder: " + std::string(std::strerror(is_folder ? errno : ENOTDIR)))
      .at(folder.string())
      .help("name a folder where you may write");
}

}  // namespace lapis::cli
