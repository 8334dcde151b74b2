#include "driver/runner.h"

#include "driver/family.h"
#include "ir/infer.h"
#include "runtime/artifact.h"

namespace lapis {
namespace {

class CompiledRunner final : public Runner {
 public:
  explicit CompiledRunner(Session session) : session_(std::move(session)) {}
  const std::vector<IoInfo>& inputs() const override { return session_.program().inputs; }
  const std::vector<IoInfo>& outputs() const override { return session_.program().outputs; }
  Result<std::vector<Tensor>> run(const std::vector<Tensor>& inputs) override { return session_.run(inputs); }
  Session* session() override { return &session_; }

 private:
  Session session_;
};

class FamilyRunner final : public Runner {
 public:
  explicit FamilyRunner(FlexibleSession session) : session_(std::move(session)) {}
  const std::vector<IoInfo>& inputs() const override { return session_.family().inputs(); }
  const std::vector<IoInfo>& outputs() const override { return session_.family().outputs(); }
  Result<std::vector<Tensor>> run(const std::vector<Tensor>& inputs) override { return session_.run(inputs); }
  Status prepare(const std::vector<Tensor>& inputs) override {
    std::vector<Shape> shapes;
    shapes.reserve(inputs.size());
    for (const Tensor& input : inputs) shapes.push_back(input.shape());
    LAPIS_CHECK(session_.session(shapes));
    return ok();
  }

 private:
  FlexibleSession session_;
};

class ReferenceRunner final : public Runner {
 public:
  explicit ReferenceRunner(std::unique_ptr<Graph> graph) : graph_(std::move(graph)) {
    for (const Value* v : graph_->inputs()) inputs_.push_back({v->name(), v->dtype(), v->type().shape()});
    for (const Value* v : graph_->outputs())
      outputs_.push_back({v->name(), v->dtype(), v->type().static_shape().value_or(Shape{})});
  }
  const std::vector<IoInfo>& inputs() const override { return inputs_; }
  const std::vector<IoInfo>& outputs() const override { return outputs_; }
  Result<std::vector<Tensor>> run(const std::vector<Tensor>& inputs) override {
    Feeds feeds;
    for (size_t i = 0; i < inputs.size(); ++i) feeds[inputs_[i].name] = inputs[i];
    return as_step(*graph_, "evaluation", [&] { return evaluate(*graph_, feeds); });
  }

 private:
  std::unique_ptr<Graph> graph_;
  std::vector<IoInfo> inputs_, outputs_;
};

// An extent that may be any is -1 in the shape of an input.
std::string described(DType dtype, const Shape& shape) {
  Dims dims;
  for (const int64_t extent : shape) dims.push_back(extent < 0 ? Dim::unknown() : Dim(extent));
  return Type::tensor(dtype, std::move(dims)).to_string();
}

std::string described(const std::vector<IoInfo>& list) {
  std::string text;
  for (const IoInfo& io : list) text += (text.empty() ? "'" : ", '") + io.name + "' " + described(io.dtype, io.shape);
  return text;
}

Result<std::unique_ptr<Runner>> reference_runner(const Graph& graph, Backend backend) {
  CompileOptions options;
  if (backend == Backend::Reference) options.pipeline = empty_pipeline();
  LAPIS_TRY(Prepared prepared, run_passes(graph, std::move(options)));
  return std::unique_ptr<Runner>(std::make_unique<ReferenceRunner>(std::move(prepared.graph)));
}

Result<std::unique_ptr<Runner>> session_runner(const Executable& executable, const RunnerOptions& options) {
  LAPIS_TRY(Session session, executable.session({options.threads, options.profile}));
  return std::unique_ptr<Runner>(std::make_unique<CompiledRunner>(std::move(session)));
}

Result<std::unique_ptr<Runner>> family_runner(const std::shared_ptr<ModelFamily>& family,
                                              const RunnerOptions& options) {
  LAPIS_TRY(FlexibleSession session, FlexibleSession::make(family, {options.threads}));
  return std::unique_ptr<Runner>(std::make_unique<FamilyRunner>(std::move(session)));
}

template <class Make> Result<std::vector<std::unique_ptr<Runner>>> repeated(int times, Make&& make) {
  std::vector<std::unique_ptr<Runner>> runners;
  for (int i = 0; i < times; ++i) {
    LAPIS_TRY(runners.emplace_back(), make());
  }
  return runners;
}

}  // namespace

Result<std::unique_ptr<Runner>> open_program(Program program, const RunnerOptions& options) {
  LAPIS_TRY(const Executable executable, Executable::from(std::move(program)));
  if (options.perf_map) executable.write_perf_map();
  return session_runner(executable, options);
}

Result<std::unique_ptr<Runner>> open_graph(const Graph& graph, const RunnerOptions& options) {
  LAPIS_TRY(std::vector<std::unique_ptr<Runner>> runners, open_graph(graph, options, 1));
  return std::move(runners.front());
}

Result<std::vector<std::unique_ptr<Runner>>> open_graph(const Graph& graph, const RunnerOptions& options, int callers) {
  if (options.backend != Backend::Jit)
    return repeated(callers, [&] { return reference_runner(graph, options.backend); });
  CompileOptions compile_options;
  compile_options.target = options.target;
  compile_options.host_calls = true;
  compile_options.schedules = options.schedules;
  compile_options.caches = options.caches;
  if (options.model.all_free && !free_symbols(graph).empty()) {
    LAPIS_TRY(const std::shared_ptr<ModelFamily> family, ModelFamily::make(graph, {}, std::move(compile_options)));
    return repeated(callers, [&] { return family_runner(family, options); });
  }
  LAPIS_TRY(Compiled compiled, compile(graph, std::move(compile_options)));
  LAPIS_TRY(const Executable executable, Executable::from(std::move(compiled.program)));
  if (options.perf_map) executable.write_perf_map();
  return repeated(callers, [&] { return session_runner(executable, options); });
}

Result<ModelKind> model_kind(const Path& file, bool any_name) {
  if (file.extension() == ".lapis") return ModelKind::Artifact;
  if (!is_artifact(file)) return ModelKind::Model;
  if (any_name) return ModelKind::Artifact;
  return error(ErrorKind::Input,
               "it is no model but a compiled artifact, and machine code is run only from a file named .lapis")
      .at(file.string())
      .help("if you trust where it comes from, rename it to NAME.lapis or add --artifact");
}

Result<std::unique_ptr<Runner>> open_model(const Path& file, const RunnerOptions& options) {
  LAPIS_TRY(const ModelKind kind, model_kind(file, options.artifact_of_any_name));
  if (kind == ModelKind::Artifact) {
    if (options.backend != Backend::Jit)
      return error(ErrorKind::Usage, "an artifact holds machine code only, which the reference backend cannot evaluate")
          .at(file.string())
          .help("give the model it was compiled from");
    LAPIS_TRY(Program program, load_artifact(file));
    return open_program(std::move(program), options);
  }
  LAPIS_TRY(const std::unique_ptr<Graph> graph, load_model(file, options.model));
  return in_file(open_graph(*graph, options), file, graph->name());
}

Result<std::vector<Tensor>> ordered(const Feeds& feeds, const std::vector<IoInfo>& wanted) {
  Diagnostics findings;
  std::vector<Tensor> tensors;
  for (const IoInfo& input : wanted) {
    const auto it = feeds.find(input.name);
    if (it == feeds.end())
      findings.push_back(error(ErrorKind::Mismatch, "input '" + input.name + "' is missing"));
    else if (it->second.dtype() != input.dtype || !fits(it->second.shape(), input.shape))
      findings.push_back(error(ErrorKind::Mismatch, "input '" + input.name + "' must be " +
                                                        described(input.dtype, input.shape) + ", got " +
                                                        described(it->second.dtype(), it->second.shape())));
    else
      tensors.push_back(it->second);
  }
  for (const auto& [name, tensor] : feeds) {
    bool found = false;
    for (const IoInfo& input : wanted) found = found || input.name == name;
    if (!found) findings.push_back(error(ErrorKind::Mismatch, "the model has no input '" + name + "'"));
  }
  for (Diagnostic& d : findings) d.help("its inputs are " + described(wanted));
  if (!findings.empty()) return findings;
  return tensors;
}

}  // namespace lapis
