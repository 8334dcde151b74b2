// lapis verify M --input name=@x.npy [--against reference|onnxruntime] [--each-pass]
#include <cmath>
#include <cstring>

#include "frontends/onnx/export.h"
#include "tools/lapis/interrupt.h"
#include "tools/lapis/onnxruntime.h"
#include "tools/lapis/options.h"

namespace lapis::cli {
namespace {

struct Flags {
  ModelFlags model;
  std::vector<std::string> inputs;
  std::string against = "reference", source;
  double tolerance = 1e-4;
  bool each_pass = false;
};

struct Comparison {
  int64_t bytes = 0, differing_bytes = 0;
  double largest = 0, largest_relative = 0;  // relative to the largest magnitude of the tensor
};

Comparison compare(const Tensor& got, const Tensor& wanted) {
  Comparison c;
  c.bytes = got.bytes();
  for (int64_t i = 0; i < c.bytes; ++i) c.differing_bytes += got.raw()[i] != wanted.raw()[i];
  double magnitude = 0;
  for (int64_t i = 0; i < got.size(); ++i) {
    const double g = got.as_double(i), w = wanted.as_double(i);
    const bool same = g == w || (std::isnan(g) && std::isnan(w));
    if (!same) c.largest = std::isfinite(g - w) ? std::max(c.largest, std::abs(g - w)) : INFINITY;
    if (std::isfinite(w)) magnitude = std::max(magnitude, std::abs(w));
  }
  c.largest_relative = c.largest == 0 ? 0 : c.largest / std::max(magnitude, 1e-30);
  return c;
}

// Exact unless float arithmetic is involved: then a relative error within the tolerance passes.
bool passes(const Comparison& c, double tolerance) { return c.differing_bytes == 0 || c.largest_relative <= tolerance; }

void add(Report& report, const std::string& stage, const std::string& output, const Comparison& c, double tolerance) {
  const bool good = passes(c, tolerance);
  if (!good) report.exit_code = kCheckFailed;
  report.text += (stage.empty() ? "" : stage + ": ") + output + ": " + std::to_string(c.differing_bytes) + " of " +
                 std::to_string(c.bytes) + " bytes differ, largest error " + nlohmann::json(c.largest).dump() +
                 " (relative " + nlohmann::json(c.largest_relative).dump() + "): " + (good ? "ok" : "MISMATCH") + "\n";
  report.json["outputs"].push_back({{"stage", stage},
                                    {"name", output},
                                    {"bytes", c.bytes},
                                    {"differing_bytes", c.differing_bytes},
                                    {"largest_error", c.largest},
                                    {"largest_relative_error", c.largest_relative},
                                    {"ok", good}});
}

Status compare_runs(Report& report, const std::string& stage, Runner& runner, const std::vector<Tensor>& inputs,
                    const std::vector<Tensor>& wanted, double tolerance) {
  LAPIS_TRY(const std::vector<Tensor> got, runner.run(inputs));
  for (size_t i = 0; i < got.size(); ++i) {
    if (got[i].shape() != wanted[i].shape() || got[i].dtype() != wanted[i].dtype())
      return error(ErrorKind::Mismatch, "output '" + runner.outputs()[i].name + "' is " + to_string(got[i], 0) +
                                            " here and " + to_string(wanted[i], 0) + " there");
    add(report, stage, runner.outputs()[i].name, compare(got[i], wanted[i]), tolerance);
  }
  return ok();
}

// The model after every pass of the compile pipeline, in Lapis and in ONNX Runtime.
Status verify_each_pass(Report& report, const Graph& graph, const RunnerOptions& options,
                        const std::vector<Tensor>& inputs, const Flags& flags) {
  LAPIS_TRY(const TemporaryFolder folder, TemporaryFolder::make());
  std::unique_ptr<Graph> work = graph.clone();
  PassRunnerOptions run;
  use_onnx_writers(run);
  run.dump_directory = folder.path();
  PassContext context;
  LAPIS_TRY(const std::vector<PassReport> passes, PassRunner(run).run(*work, compile_pipeline(), context));
  static_cast<void>(passes);
  std::vector<Path> stages;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) stages.push_back(entry.path());
  std::sort(stages.begin(), stages.end());
  for (const Path& stage : stages) {
    LAPIS_TRY(const std::unique_ptr<Runner> runner, open_model(stage, options));
    LAPIS_TRY(const std::vector<Tensor> wanted, run_onnxruntime(stage, runner->inputs(), inputs, runner->outputs()));
    LAPIS_CHECK(compare_runs(report, stage.stem().string(), *runner, inputs, wanted, flags.tolerance));
  }
  return ok();
}

// The .onnx behind the model: the model itself, or what --source names for an artifact, which holds machine code only.
Result<Path> source_of(const Flags& flags) {
  LAPIS_TRY(const ModelKind kind, model_kind(flags.model.model, flags.model.artifact));
  if (kind == ModelKind::Onnx) return Path(flags.model.model);
  if (flags.source.empty())
    return error(ErrorKind::Usage, "an artifact holds machine code only; there is nothing to compare it with")
        .at(flags.model.model)
        .help("name the model it was compiled from with --source MODEL.onnx");
  return Path(flags.source);
}

Result<Report> verify(const Flags& flags) {
  LAPIS_TRY(const Feeds feeds, read_feeds(flags.inputs));
  LAPIS_TRY(RunnerOptions options, flags.model.runner_options());
  for (const auto& [name, tensor] : feeds) options.model.shapes.emplace(name, tensor.shape());
  LAPIS_TRY(const Path source, source_of(flags));
  LAPIS_TRY(const std::unique_ptr<Graph> graph, load_model(source, options.model));
  LAPIS_TRY(const std::unique_ptr<Runner> runner, open_model(flags.model.model, options));
  std::vector<Tensor> inputs = random_inputs(runner->inputs());
  if (!feeds.empty()) {
    LAPIS_TRY(inputs, ordered(feeds, runner->inputs()));
  }
  Report report;
  report.json["against"] = flags.against;
  if (flags.each_pass) {
    LAPIS_CHECK(verify_each_pass(report, *graph, options, inputs, flags));
    return report;
  }
  std::vector<Tensor> wanted;
  if (flags.against == "reference") {
    RunnerOptions reference = options;
    reference.backend = Backend::ReferenceAfterPasses;
    LAPIS_TRY(const std::unique_ptr<Runner> other, open_graph(*graph, reference));
    LAPIS_TRY(wanted, other->run(inputs));
  } else {
    LAPIS_TRY(wanted, run_onnxruntime(source, runner->inputs(), inputs, runner->outputs()));
  }
  LAPIS_CHECK(compare_runs(report, "", *runner, inputs, wanted, flags.tolerance));
  return report;
}

}  // namespace

Action declare_verify(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.add_model(app);
  flags->model.add_running(app);
  app.add_option("--input", flags->inputs, "Value of an input, repeatable; default: random values")
      ->type_name("NAME=@FILE.npy");
  app.add_option("--against,--with", flags->against, "What to compare with")
      ->capture_default_str()
      ->check(CLI::IsMember({"reference", "onnxruntime"}));
  app.add_option("--tolerance", flags->tolerance,
                 "Largest error that passes, relative to the largest magnitude of the output; 0: bytes must be equal")
      ->capture_default_str();
  app.add_option("--source", flags->source, "The model that an artifact was compiled from")->type_name("MODEL.onnx");
  app.add_flag("--each-pass", flags->each_pass, "Compare with ONNX Runtime after every pass of the compile pipeline");
  return [flags] { return verify(*flags); };
}

}  // namespace lapis::cli
