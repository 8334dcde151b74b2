#include "driver/crash.h"

#include <unistd.h>

#include <algorithm>

#include "base/hash.h"
#include "base/target.h"
#include "frontends/onnx/export.h"
#include "passes/pass.h"

namespace lapis {
namespace {

namespace fs = std::filesystem;

Path parent_of(const Invocation& invocation) {
  if (!invocation.parent.empty()) return invocation.parent;
  std::error_code failed;
  return ::access(".", W_OK) == 0 ? Path(".") : fs::temp_directory_path(failed);
}

// The same bug met again writes the same folder.
std::string name_of_folder(const std::string& message, const Invocation& invocation) {
  Hasher h;
  h.add(message);
  h.add(invocation.command);
  return "lapis-crash-" + hex(h.value());
}

std::string described(const std::string& message, const Crash* crash, const Invocation& invocation, const Path& model) {
  std::string text = "version: " + std::string(kVersion) + "\nhost: " + Target::host().to_string() +
                     "\ncommand: " + invocation.command + "\n";
  if (crash) text += "step: " + crash->step() + "\n";
  text += model.empty() ? "model: none was read\n" : "model: " + model.filename().string() + "\n";
  return text + "message: " + message + "\n";
}

// The graph as it was before the step, or else the file that was read; empty if there is neither.
Result<Path> write_model(const Crash* crash, const Invocation& invocation, const Path& folder) {
  if (crash && crash->model()) {
    const Path model = folder / "model.onnx";
    const Status written = guarded([&] { return export_onnx(*crash->model(), model); });
    if (written.ok()) return model;
  }
  std::error_code failed;
  if (!fs::is_regular_file(invocation.model, failed)) return Path();
  const Path copy = folder / ("input" + invocation.model.extension().string());
  fs::copy_file(invocation.model, copy, fs::copy_options::overwrite_existing, failed);
  if (failed) return error(ErrorKind::Io, failed.message()).at(copy.string());
  return copy;
}

Result<Path> write_folder(const std::string& message, const Crash* crash, const Invocation& invocation) {
  const Path folder = parent_of(invocation) / name_of_folder(message, invocation);
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) return error(ErrorKind::Io, failed.message()).at(folder.string());
  LAPIS_TRY(const Path model, write_model(crash, invocation, folder));
  LAPIS_CHECK(write_file(folder / "report.txt", described(message, crash, invocation, model)));
  return folder;
}

Diagnostics with_reproducer(Diagnostics found, const Crash* crash, const Invocation& invocation) {
  const auto bug =
      std::find_if(found.begin(), found.end(), [](const Diagnostic& d) { return d.kind == ErrorKind::Internal; });
  if (bug == found.end()) return found;
  const Result<Path> folder = guarded([&] { return write_folder(bug->message, crash, invocation); });
  if (folder.ok())
    bug->note("the model, the command and this message are in '" + folder->string() + "'");
  else
    bug->note("no reproducer could be written: " + to_string(folder.diagnostics()));
  return found;
}

}  // namespace

Diagnostics crash_diagnostics(const Invocation& invocation) {
  try {
    throw;
  } catch (const Crash& crash) {
    return with_reproducer({current_exception_diagnostic()}, &crash, invocation);
  } catch (...) {
    return with_reproducer({current_exception_diagnostic()}, nullptr, invocation);
  }
}

Diagnostics crash_diagnostics(Diagnostics found, const Invocation& invocation) {
  return with_reproducer(std::move(found), nullptr, invocation);
}

}  // namespace lapis
