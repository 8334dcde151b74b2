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

Status spare_sources(const std::vector<Path>& files) {
  for (const Path& file : files)
    if (was_read(file))
      return error(ErrorKind::Io,
                   "the result would replace a file that it was made from: the model, weights or samples")
          .at(file.string())
          .help("choose another name for the result");
  return ok();
}

// Also of files that are not there yet.
static Path place_of(const std::string& file) {
  std::error_code failed;
  return std::filesystem::weakly_canonical(std::filesystem::absolute(file, failed), failed);
}

static bool is_same_file(const std::string& a, const std::string& b) {
  std::error_code failed;
  if (a == "-" || b == "-") return a == b;
  return std::filesystem::equivalent(a, b, failed) || place_of(a) == place_of(b);
}

Result<std::optional<Output>> Output::beside(const std::string& path, const std::vector<std::string>& others) {
  if (path.empty()) return std::optional<Output>();
  for (const std::string& other : others)
    if (is_same_file(path, other))
      return error(ErrorKind::Usage, "two results of one command would be the same file")
          .at(path)
          .help("choose another name for one of them");
  LAPIS_CHECK(spare_sources({path}));
  LAPIS_TRY(Output output, open(path, ""));
  return std::optional(std::move(output));
}

// A model is replaced together with its weights.
Status Output::check_place(const std::vector<Path>& files) const {
  std::error_code failed;
  return std::filesystem::equivalent(path_, source_, failed) ? ok() : spare_sources(files);
}

Status Output::write(std::span<const std::span<const std::byte>> parts) const {
  if (!is_stdout()) {
    LAPIS_CHECK(check_place({path_}));
    return write_file(path_, parts);
  }
  for (const auto part : parts)
    if (!write_all(STDOUT_FILENO, part)) return stdout_error();
  return ok();
}

Status Output::write(std::string_view text) const {
  const auto part = std::as_bytes(std::span(text));
  return write({&part, 1});
}

Status Output::write_model(const Graph& graph, const ExportOptions& options) const {
  if (!is_stdout()) {
    LAPIS_CHECK(check_place({path_, path_ + ".data"}));
    return export_onnx(graph, path_, options);
  }
  LAPIS_TRY(const std::string bytes, export_onnx(graph, options));
  return write(bytes);
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
