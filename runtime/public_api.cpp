// include/lapis/executable.h over the runtime's own classes.
#define LAPIS_IMPLEMENTATION
#include "runtime/public_api.h"

#include "runtime/artifact.h"
#include "runtime/thread_pool.h"

namespace lapis::v1 {

Error to_public(const Diagnostics& diagnostics) {
  for (const Diagnostic& d : diagnostics)
    if (d.severity == Severity::Error) return {static_cast<ErrorCode>(d.kind), to_string(diagnostics)};
  return {ErrorCode::Input, to_string(diagnostics)};
}

static std::vector<ValueInfo> describe(const std::vector<IoInfo>& list) {
  std::vector<ValueInfo> infos;
  for (const IoInfo& io : list) infos.push_back({io.name, static_cast<DType>(io.dtype), io.shape});
  return infos;
}

std::shared_ptr<Executable::Impl> make_impl(lapis::Executable executable) {
  const Program& program = executable.program();
  return std::make_shared<Executable::Impl>(
      Executable::Impl{executable, nullptr, describe(program.inputs), describe(program.outputs), program.target});
}

std::shared_ptr<Executable::Impl> make_impl(std::shared_ptr<ExecutableFamily> family, std::string target) {
  std::vector<ValueInfo> inputs = describe(family->inputs()), outputs = describe(family->outputs());
  return std::make_shared<Executable::Impl>(
      Executable::Impl{{}, std::move(family), std::move(inputs), std::move(outputs), std::move(target)});
}

Result<Executable> make_public(lapis::Result<std::shared_ptr<Executable::Impl>> impl) {
  if (!impl.ok()) return to_public(impl.diagnostics());
  return Executable(*std::move(impl));
}

struct Session::Impl {
  explicit Impl(lapis::Session session) : fixed(std::move(session)) {}
  explicit Impl(FlexibleSession session) : flexible(std::move(session)) {}

  const std::vector<IoInfo>& inputs() const { return fixed ? fixed->program().inputs : flexible->family().inputs(); }
  const std::vector<IoInfo>& outputs() const { return fixed ? fixed->program().outputs : flexible->family().outputs(); }
  lapis::Result<std::vector<lapis::Tensor>> run(const std::vector<lapis::Tensor>& tensors) {
    return fixed ? fixed->run(tensors) : flexible->run(tensors);
  }

  std::optional<lapis::Session> fixed;
  std::optional<FlexibleSession> flexible;
};

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

static std::string described(lapis::DType dtype, const Shape& shape) {
  const bool known = dtype <= lapis::DType::Int2;
  return (known ? std::string(name_of(dtype)) : "type " + std::to_string(static_cast<int>(dtype))) + to_string(shape);
}

// What is wrong with a view, which may hold anything.
static std::optional<Diagnostic> finding_about(const TensorView& view, const IoInfo& wanted) {
  const auto refused = [&](const std::string& what) {
    return error(ErrorKind::Mismatch, "input '" + wanted.name + "' " + what)
        .help("convert or reshape the tensor, or compile the model for this shape");
  };
  const auto dtype = static_cast<lapis::DType>(view.dtype);
  if (dtype != wanted.dtype || !lapis::fits(view.shape, wanted.shape))
    return refused("must be " + described(wanted.dtype, wanted.shape) + ", got " + described(dtype, view.shape));
  if (shape_problem(dtype, view.shape)) return refused("cannot be " + described(dtype, view.shape));
  if (!view.data && element_count(view.shape) > 0) return refused("has no elements: its data is null");
  return std::nullopt;
}

// A Tensor of the runtime that borrows the caller's elements for the duration of a call.
static lapis::Tensor borrowed(const TensorView& view) {
  return {static_cast<lapis::DType>(view.dtype), view.shape,
          std::shared_ptr<const std::byte>(std::shared_ptr<void>(), static_cast<const std::byte*>(view.data))};
}

static lapis::Result<std::vector<lapis::Tensor>> in_order(const Inputs& inputs, const std::vector<IoInfo>& all) {
  Diagnostics findings;
  std::vector<lapis::Tensor> tensors;
  for (const IoInfo& wanted : all) {
    const auto it = inputs.find(wanted.name);
    if (it == inputs.end())
      findings.push_back(error(ErrorKind::Mismatch, "input '" + wanted.name + "' is missing"));
    else if (auto finding = finding_about(it->second, wanted))
      findings.push_back(*std::move(finding));
    else
      tensors.push_back(borrowed(it->second));
  }
  for (const auto& [name, view] : inputs)
    if (std::none_of(all.begin(), all.end(), [&](const IoInfo& i) { return i.name == name; }))
      findings.push_back(error(ErrorKind::Mismatch, "the model has no input '" + name + "'"));
  if (!findings.empty()) return findings;
  return tensors;
}

static Outputs by_name(const std::vector<lapis::Tensor>& results, const std::vector<IoInfo>& all) {
  Outputs outputs;
  for (size_t i = 0; i < results.size(); ++i) {
    const auto owner = std::make_shared<const lapis::Tensor>(results[i]);
    outputs.emplace(all[i].name, Tensor(std::shared_ptr<const void>(owner, owner->raw()),
                                        static_cast<DType>(owner->dtype()), owner->shape()));
  }
  return outputs;
}

// Of an Executable or Session that was moved from.
static Error moved_from(const std::string& what) {
  return to_public({error(ErrorKind::Usage, "this " + what + " was moved from").help("use the one it was moved to")});
}

Result<Outputs> Session::run(const Inputs& inputs) {
  return at_the_edge([&]() -> Result<Outputs> {
    if (!impl_) return moved_from("Session");
    const lapis::Result<std::vector<lapis::Tensor>> tensors = in_order(inputs, impl_->inputs());
    if (!tensors.ok()) return to_public(tensors.diagnostics());
    const lapis::Result<std::vector<lapis::Tensor>> results = impl_->run(*tensors);
    if (!results.ok()) return to_public(results.diagnostics());
    return by_name(*results, impl_->outputs());
  });
}

static const Executable::Impl& empty_impl() {
  static const Executable::Impl empty{};
  return empty;
}

const std::vector<ValueInfo>& Executable::inputs() const { return (impl_ ? *impl_ : empty_impl()).inputs; }
const std::vector<ValueInfo>& Executable::outputs() const { return (impl_ ? *impl_ : empty_impl()).outputs; }
const std::string& Executable::target() const { return (impl_ ? *impl_ : empty_impl()).target; }

Result<Session> Executable::session(const SessionOptions& options) const {
  return at_the_edge([&]() -> Result<Session> {
    if (!impl_) return moved_from("Executable");
    const lapis::SessionOptions wanted{.threads = options.threads, .executor = options.executor};
    const auto wrapped = [](auto session) -> Result<Session> {
      if (!session.ok()) return to_public(session.diagnostics());
      return Session(std::make_unique<Session::Impl>(*std::move(session)));
    };
    return impl_->family ? wrapped(FlexibleSession::make(impl_->family, wanted))
                         : wrapped(impl_->executable.session(wanted));
  });
}

static Diagnostic dimensions_are_free() {
  return error(ErrorKind::Usage, "an artifact holds code for fixed shapes, but dimensions of this model are free")
      .help("give every dimension a value when compiling: CompileOptions::dims, or --dim NAME=VALUE");
}

Result<std::filesystem::path> Executable::save(const std::filesystem::path& file) const {
  return at_the_edge([&]() -> Result<std::filesystem::path> {
    if (!impl_) return moved_from("Executable");
    if (impl_->family) return to_public({dimensions_are_free()});
    const Status saved = save_artifact(impl_->executable.program(), file);
    if (!saved.ok()) return to_public(saved.diagnostics());
    return file;
  });
}

Result<std::shared_ptr<Executor>> thread_pool(int threads) {
  return at_the_edge([&]() -> Result<std::shared_ptr<Executor>> {
    lapis::Result<std::unique_ptr<ThreadPool>> pool = ThreadPool::create(threads);
    if (!pool.ok()) return to_public(pool.diagnostics());
    return std::shared_ptr<Executor>(*std::move(pool));
  });
}

Result<Executable> load(const std::filesystem::path& artifact, const LoadOptions& options) {
  return at_the_edge([&]() -> Result<Executable> {
    lapis::Result<lapis::Executable> executable = lapis::Executable::load(artifact, {options.verify});
    if (!executable.ok()) return to_public(executable.diagnostics());
    return Executable(make_impl(*std::move(executable)));
  });
}

}  // namespace lapis::v1
