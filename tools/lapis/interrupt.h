// Being told to end: ctrl-C, SIGTERM and a closed terminal leave no temporary file behind, never break a set of results
// in half, and say what had been written.
#pragma once

#include "base/file.h"

namespace lapis::cli {

// A thread waits for the signals, so that what happens then is ordinary code;
// to be called once, before any other thread exists.
Status watch_for_interrupts();

// A folder that disappears with the object, or when the program is interrupted.
class TemporaryFolder {
 public:
  static Result<TemporaryFolder> make();
  ~TemporaryFolder();
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  const Path& path() const { return path_; }

 private:
  explicit TemporaryFolder(Path path) : path_(std::move(path)) {}
  Path path_;
};

}  // namespace lapis::cli
