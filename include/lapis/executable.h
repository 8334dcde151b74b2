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
#include <string>
#include <vector>

#include "lapis/result.h"
#include "lapis/tensor.h"

namespace lapis {
LAPIS_PUBLIC_NAMESPACE {
  struct ValueInfo {
    std::string name;
    DType dtype = DType::Float32;
    std::vector<int64_t> shape;
  };

  struct SessionOptions {
    int threads = 1;  // 0: one per available core. Results never depend on it.
  };

  using Inputs = std::map<std::string, TensorView>;
  using Outputs = std::map<std::string, Tensor>;

  // What one caller needs to run a model: working memory and threads. Movable; while it runs on one thread, a second one gets an error.
  // A forked child may use a session of its parent: it gets threads of its own.
  class LAPIS_EXPORT Session {
   public:
    ~Session();
    Session(Session&&) noexcept;
    Session& operator=(Session&&) noexcept;

    // Errors: ErrorCode::Mismatch for missing, unknown, null or ill-fitting inputs (all named at once), or an index input out of range;
    // ErrorCode::Usage if it is running already; ErrorCode::Input if the artifact's constants turn out to be damaged at the first run.
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
    // Writes an artifact for load(). Errors: ErrorCode::Io.
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

  // Maps an artifact written by `lapis compile` or Executable::save; weights are paged in on first use. An artifact is machine code: load
  // only files you would execute, and do not change a file that is loaded (replacing it is fine). Errors: ErrorCode::Input for a damaged
  // file, ErrorCode::Target if this host lacks the instructions.
  LAPIS_EXPORT Result<Executable> load(const std::filesystem::path& artifact, const LoadOptions& options = {});

}  // namespace v1
}  // namespace lapis
