// Running compiled models: load -> Executable (immutable, shareable) -> Session (one per thread) -> run.
// Everything here is in the small runtime library (Lapis::runtime), which contains no compiler.
//
//   auto executable = lapis::load("resnet50.lapis").value();
//   auto session = executable.session({.threads = 4}).value();
//   auto outputs = session.run({{"image", image}}).value();
//   float best = outputs.at("prob").view<float>()[0];
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lapis/executor.h"
#include "lapis/result.h"
#include "lapis/tensor.h"

namespace lapis {
LAPIS_PUBLIC_NAMESPACE {
  struct ValueInfo {
    std::string name;
    DType dtype = DType::Float32;
    std::vector<int64_t> shape;  // -1: any extent (CompileOptions::ranges)
  };

  // Results never depend on them.
  struct SessionOptions {
    // The most threads that a run uses. 0: one per available core, or all of the executor's.
    // Absent: 1, or all of the executor's.
    std::optional<int> threads = std::nullopt;
    // Whose threads do the work: the caller's, or a thread_pool() that sessions share.
    // Without one a session has threads of its own.
    std::shared_ptr<Executor> executor = nullptr;
  };

  // Threads for sessions to share: the one that calls run() and threads - 1 that sleep between runs. A run takes those
  // that are idle and never waits for the others, so sessions may run at the same time or inside of each other's work.
  // In a forked child it starts threads anew.
  //   auto pool = lapis::thread_pool(4).value();
  //   auto a = first.session({.executor = pool}).value();
  //   auto b = second.session({.threads = 2, .executor = pool}).value();
  // Errors: ErrorCode::Usage for a number outside of 0 (one per available core) to 1024,
  // ErrorCode::Resource if they cannot be had.
  LAPIS_EXPORT Result<std::shared_ptr<Executor>> thread_pool(int threads = 0);

  using Inputs = std::map<std::string, TensorView>;
  using Outputs = std::map<std::string, Tensor>;

  // What one caller needs to run a model: working memory and threads.
  // Movable; while it runs on one thread, a second one gets an error.
  // A forked child may use a session of its parent: Lapis' own threads are started anew there.
  class LAPIS_EXPORT Session {
   public:
    ~Session();
    Session(Session&&) noexcept;
    Session& operator=(Session&&) noexcept;

    // Errors: ErrorCode::Mismatch for missing, unknown, null or ill-fitting inputs (all named at once), extents out of
    // range, or an index input out of range; where dimensions are free, those of compile() for a shape that comes
    // first; ErrorCode::Usage if it is running already, or if its executor breaks its contract; ErrorCode::Input if the
    // artifact's constants turn out to be damaged at the first run.
    Result<Outputs> run(const Inputs& inputs);

   private:
    friend class Executable;
    struct Impl;
    explicit Session(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
  };

  // A compiled model: code and packed weights. Copies share them; safe to use from any number of threads.
  class LAPIS_EXPORT Executable {
   public:
    const std::vector<ValueInfo>& inputs() const;
    const std::vector<ValueInfo>& outputs() const;
    const std::string& target() const;  // the machine the code is for: "x86-64+avx512vnni"
    // Errors: ErrorCode::Resource if memory or threads cannot be had.
    Result<Session> session(const SessionOptions& options = {}) const;
    // Writes an artifact for load(), of the variant that is loaded.
    // Errors: ErrorCode::Io; ErrorCode::Usage if dimensions are free.
    Result<std::filesystem::path> save(const std::filesystem::path& file) const;

    struct Impl;
    explicit Executable(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

   private:
    std::shared_ptr<const Impl> impl_;
  };

  struct LoadOptions {
    bool verify =
        false;  // compare the checksums of all constants now, which reads them; otherwise the first run does it
  };

  // Maps an artifact written by `lapis compile` or Executable::save; weights are paged in on first use. An artifact is
  // machine code: load only files you would execute, and do not change a file that is loaded (replacing it is fine).
  // Errors: ErrorCode::Input for a damaged file, ErrorCode::Target if this host lacks the instructions of every variant
  // in it, with what it lacks.
  LAPIS_EXPORT Result<Executable> load(const std::filesystem::path& artifact, const LoadOptions& options = {});

}  // namespace v1
}  // namespace lapis
