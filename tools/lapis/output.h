// Where a verb puts its result: a file, looked at before the work begins, or standard output for "-".
//
//   LAPIS_TRY(const Output output, Output::open(flags.output, flags.model.model));
//   ...hours of work...
//   LAPIS_CHECK(output.write_model(*graph));
#pragma once

#include <optional>

#include "base/file.h"
#include "frontends/onnx/export.h"

namespace lapis::cli {

class Output {
 public:
  // `source` is the model that is read: it may be replaced by the result, while no other file that was read may.
  static Result<Output> open(const std::string& path, const std::string& source);
  // A further result of the same command, if its flag is given; once all is open that is read: not one of the `others`,
  // and no file that was read, not even the model.
  static Result<std::optional<Output>> beside(const std::string& path, const std::vector<std::string>& others);

  bool is_stdout() const { return path_ == "-"; }
  Status write(std::span<const std::span<const std::byte>> parts) const;
  Status write(std::string_view text) const;
  // As ONNX; a large one to a file has its weights beside it.
  Status write_model(const Graph& graph, const ExportOptions& options = {}) const;

 private:
  Output(std::string path, std::string source) : path_(std::move(path)), source_(std::move(source)) {}
  Status check_place(const std::vector<Path>& files) const;
  std::string path_, source_;
};

// The same as Output::open for results that are several files.
Status check_files(const std::vector<Path>& files);
// An error if one of these results would replace a file that was read to make them.
Status spare_sources(const std::vector<Path>& files);
// Whether a folder exists and can be written, or can be made.
Status check_folder(const Path& folder);

}  // namespace lapis::cli
