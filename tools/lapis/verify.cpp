// lapis verify M --input name=@x.npy [--against reference|onnxruntime] [--each-pass] [--seed 1,2,3]
//
// Two questions a model: does the code compute what the imported model says (so that a wrong pass is seen), and, where
// passes turned Q/DQ pairs into integer operators, does it compute the integer form byte for byte? The two forms round
// at different places.
#include <fmt/format.h>

#include "base/printable.h"
#include "frontends/frontend.h"
#include "frontends/onnx/export.h"
#include "ir/op.h"
#include "ir/ops/ops.h"
#include "passes/quantize/integer.h"
#include "tools/lapis/compare.h"
#include "tools/lapis/inputs.h"
#include "tools/lapis/interrupt.h"
#include "tools/lapis/onnxruntime.h"
#include "tools/lapis/options.h"

namespace lapis::cli {
namespace {

struct Flags {
  ModelFlags model;
  std::vector<std::string> inputs;
  std::vector<int64_t> seeds = {1};
  std::string against = "reference", source;
  double tolerance = 1e-4, requantization = 0.05;
  bool each_pass = false;
};

// What a line of the report is about, and how strict it is.
struct Question {
  std::string stage;  // "model", "integer form", "01-simplify"
  double tolerance;
  bool rounded = false;       // the two sides requantize at different places, so
  std::vector<double> steps;  // an output may be off by two steps of its scale, where it has one; by output
  bool by_steps(size_t output, double error) const { return output < steps.size() && error <= 2 * steps[output]; }
};

double largest_of(const Value* scale) {
  double largest = 0;
  if (scale && scale->is_constant())
    for (int64_t i = 0; i < scale->constant().size(); ++i) largest = std::max(largest, scale->constant().as_double(i));
  return largest;
}

// What lies between two neighbouring values of an output that ends in a quantized one: its scale; 0 for others.
double step_of(const Value* output) {
  for (const Node* node = output->producer(); node; node = node->input(0) ? node->input(0)->producer() : nullptr) {
    if (node->is(ops::DequantizeLinear)) return largest_of(node->input(1));
    if (node->is(ops::QuantizeLinear) || node->is(ops::QLinearConv) || node->is(ops::QLinearMatMul)) return 1;
    if (!node->op().has(Trait::ValuePreserving)) return 0;
  }
  return 0;
}

std::vector<double> steps_of(const Graph& graph) {
  std::vector<double> steps;
  for (const Value* output : graph.outputs()) steps.push_back(step_of(output));
  return steps;
}

// The model's values as somebody else computes them: the reference evaluator, or ONNX Runtime.
class Judge {
 public:
  Judge(const Flags& flags, const std::vector<IoInfo>& inputs, const std::vector<IoInfo>& outputs)
      : flags_(flags), inputs_(inputs), outputs_(outputs) {}

  Result<std::vector<Tensor>> operator()(const Graph& graph, const std::vector<Tensor>& tensors) const {
    if (flags_.against == "reference") return by_reference(graph, tensors);
    LAPIS_TRY(const TemporaryFolder folder, TemporaryFolder::make());
    const Path file = folder.path() / "model.onnx";
    LAPIS_CHECK(export_onnx(graph, file));
    return run_onnxruntime(file, inputs_, tensors, outputs_);
  }

  // The model as its author wrote it. ONNX Runtime reads the file itself, unless it is text or of another format.
  Result<std::vector<Tensor>> source(const Path& file, const Graph& graph, const std::vector<Tensor>& tensors) const {
    const Frontend* format = frontend_of(file);
    const bool is_read = format && format->name == "onnx" && file.extension() != ".onnxtxt";
    if (flags_.against == "reference" || !is_read) return (*this)(graph, tensors);
    return run_onnxruntime(file, inputs_, tensors, outputs_);
  }

 private:
  Result<std::vector<Tensor>> by_reference(const Graph& graph, const std::vector<Tensor>& tensors) const {
    Feeds feeds;
    for (size_t i = 0; i < tensors.size(); ++i) feeds[inputs_[i].name] = tensors[i];
    return evaluate(graph, feeds);
  }

  const Flags& flags_;
  const std::vector<IoInfo>&inputs_, &outputs_;
};

// The graph after each pass of the compile pipeline.
struct Stage {
  std::string name;  // "01-simplify"
  std::unique_ptr<Graph> graph;
  bool integer = false;  // this pass or one before it made integer operators
};

Result<std::vector<Stage>> stages_of(const Graph& graph) {
  std::vector<Stage> stages;
  std::unique_ptr<Graph> work = graph.clone();
  PassRunnerOptions options;
  use_onnx_writers(options);
  PassContext context;
  bool integer = false;
  for (const Pass& pass : compile_pipeline()) {
    LAPIS_TRY(const std::vector<PassReport> reports, PassRunner(options).run(*work, {pass}, context));
    integer = integer || (pass.name == "integer" && reports[0].changed);
    const std::string number = std::to_string(stages.size() + 1);
    stages.push_back({(number.size() < 2 ? "0" : "") + number + "-" + pass.name, work->clone(), integer});
  }
  return stages;
}

std::string number(double value) { return fmt::format("{:.3g}", value); }

void add(Report& report, const Question& question, size_t index, const std::string& output, const Comparison& c) {
  const bool good = passes(c, question.tolerance, question.rounded) || question.by_steps(index, c.largest);
  if (!good) report.exit_code = kCheckFailed;
  const std::string errors = std::to_string(c.differing_bytes) + " of " + std::to_string(c.bytes) +
                             " bytes differ, largest error " + number(c.largest) + " (relative " +
                             number(c.largest_relative) + (question.rounded ? ", behind other roundings" : "") +
                             "): " + (good ? "ok" : "MISMATCH");
  report.text += question.stage + ": " + printable(output) + ": " +
                 (c.bytes > 0 ? errors : "has no elements, nothing is compared") + "\n";
  report.json["outputs"].push_back({{"stage", question.stage},
                                    {"name", output},
                                    {"bytes", c.bytes},
                                    {"differing_bytes", c.differing_bytes},
                                    {"largest_error", c.largest},
                                    {"largest_relative_error", c.largest_relative},
                                    {"tolerance", question.tolerance},
                                    {"ok", good}});
}

void add_misfit(Report& report, const Question& question, const std::string& output, const Tensor& got,
                const Tensor& wanted) {
  report.exit_code = kCheckFailed;
  report.text += question.stage + ": " + printable(output) + ": is " + to_string(got, 0) + " here and " +
                 to_string(wanted, 0) + " there: MISMATCH\n";
  report.json["outputs"].push_back({{"stage", question.stage},
                                    {"name", output},
                                    {"got", to_string(got, 0)},
                                    {"wanted", to_string(wanted, 0)},
                                    {"ok", false}});
}

void compare_all(Report& report, const Question& question, const std::vector<IoInfo>& outputs,
                 const std::vector<Tensor>& got, const std::vector<Tensor>& wanted) {
  for (size_t i = 0; i < got.size(); ++i) {
    const bool fits = got[i].shape() == wanted[i].shape() && got[i].dtype() == wanted[i].dtype();
    if (fits)
      add(report, question, i, outputs[i].name, compare(got[i], wanted[i]));
    else
      add_misfit(report, question, outputs[i].name, got[i], wanted[i]);
  }
}

// The model behind the code: the model itself, or what --source names for an artifact, which holds machine code only.
Result<Path> source_of(const Flags& flags) {
  LAPIS_TRY(const ModelKind kind, model_kind(flags.model.model, flags.model.artifact));
  if (kind == ModelKind::Model) return Path(flags.model.model);
  if (flags.source.empty())
    return error(ErrorKind::Usage, "an artifact holds machine code only; there is nothing to compare it with")
        .at(flags.model.model)
        .help("name the model it was compiled from with --source MODEL");
  return Path(flags.source);
}

class Verification {
 public:
  Verification(const Flags& flags, Path source, const Graph& graph, Runner& runner, std::vector<Stage> stages)
      : flags_(flags),
        source_(std::move(source)),
        graph_(graph),
        runner_(runner),
        stages_(std::move(stages)),
        judge_(flags, runner.inputs(), runner.outputs()) {}

  Status run(Report& report, const std::string& prefix, const std::vector<Tensor>& inputs) const {
    LAPIS_TRY(const std::vector<Tensor> got, runner_.run(inputs));
    LAPIS_TRY(const std::vector<Tensor> wanted, judge_.source(source_, graph_, inputs));
    const Stage& last = stages_.back();
    if (flags_.each_pass) LAPIS_CHECK(judge_stages(report, prefix, inputs, wanted));
    compare_all(report, question(prefix + "model", last), runner_.outputs(), got, wanted);
    if (!last.integer && !flags_.each_pass) return ok();
    LAPIS_TRY(const std::vector<Tensor> final, judge_(*last.graph, inputs));
    const std::string name = last.integer ? "integer form" : "after the passes";
    compare_all(report, final_question(prefix + name, last), runner_.outputs(), got, final);
    return ok();
  }

 private:
  // Before integer operators the question is the given tolerance; behind them values sit on other roundings.
  Question question(const std::string& name, const Stage& stage) const {
    if (!stage.integer) return {name, flags_.tolerance, false, {}};
    return {name, std::max(flags_.tolerance, flags_.requantization), true, steps_of(graph_)};
  }

  // The code computes this very graph: what is not exact in it has its tolerance, and where such floats are quantized
  // again a step may lie between. Who asks for bytes gets them compared.
  Question final_question(const std::string& name, const Stage& last) const {
    if (last.integer && flags_.tolerance > 0 && quantizes_inexact_floats(*last.graph)) return question(name, last);
    return {name, flags_.tolerance, false, {}};
  }

  Status judge_stages(Report& report, const std::string& prefix, const std::vector<Tensor>& inputs,
                      const std::vector<Tensor>& wanted) const {
    for (const Stage& stage : stages_) {
      LAPIS_TRY(const std::vector<Tensor> got, judge_(*stage.graph, inputs));
      compare_all(report, question(prefix + stage.name, stage), runner_.outputs(), got, wanted);
    }
    return ok();
  }

  const Flags& flags_;
  const Path source_;
  const Graph& graph_;
  Runner& runner_;
  const std::vector<Stage> stages_;
  const Judge judge_;
};

// The model behind an artifact has the shapes that this was compiled for.
void take_shapes(const std::vector<IoInfo>& inputs, std::map<std::string, Shape>& shapes) {
  const auto is_known = [](int64_t extent) { return extent >= 0; };
  for (const IoInfo& input : inputs)
    if (std::ranges::all_of(input.shape, is_known)) shapes.emplace(input.name, input.shape);
}

// Without elements in any output, everything would be equal.
Status check_comparable(const std::vector<IoInfo>& outputs) {
  const bool none = !outputs.empty() && std::all_of(outputs.begin(), outputs.end(), [](const IoInfo& output) {
    return element_count(output.shape) == 0;
  });
  if (!none) return ok();
  return error(ErrorKind::Usage, "there is nothing to compare: no output has an element")
      .help("choose sizes above 0 with --dim or --shape");
}

Result<Report> verify(const Flags& flags) {
  LAPIS_TRY(const Feeds feeds, read_feeds(flags.inputs));
  LAPIS_TRY(RunnerOptions options, flags.model.runner_options());
  bind_to(feeds, options.model);
  LAPIS_TRY(const Path source, source_of(flags));
  LAPIS_TRY(const std::unique_ptr<Runner> runner, flags.model.open(flags.model.model, options));
  if (source != flags.model.model) take_shapes(runner->inputs(), options.model.shapes);
  LAPIS_TRY(const std::unique_ptr<Graph> graph, flags.model.load(source, options.model));
  LAPIS_CHECK(in_file(check_comparable(runner->outputs()), flags.model.model));
  LAPIS_TRY(std::vector<Stage> stages, stages_of(*graph));
  const Verification verification(flags, source, *graph, *runner, std::move(stages));
  Report report;
  report.json["against"] = flags.against;
  if (!feeds.empty()) {
    LAPIS_TRY(const std::vector<Tensor> inputs, in_file(ordered(feeds, runner->inputs()), flags.model.model));
    LAPIS_CHECK(verification.run(report, "", inputs));
    return report;
  }
  for (const int64_t seed : flags.seeds) {
    LAPIS_TRY(const std::vector<Tensor> inputs,
              random_inputs(runner->inputs(), static_cast<uint64_t>(seed), graph.get()));
    LAPIS_CHECK(verification.run(report, flags.seeds.size() > 1 ? "seed " + std::to_string(seed) + ": " : "", inputs));
  }
  return report;
}

}  // namespace

Action declare_verify(Arguments& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.add_model(app, ModelFlags::Takes::ArtifactsToo);
  flags->model.add_running(app);
  flags->model.add_schedules(app);
  const Argument inputs =
      app.add_option("--input", flags->inputs, "Value of an input, repeatable; default: random values")
          .type_name("NAME=@FILE.npy");
  app.add_option("--seed", flags->seeds, "Seeds of the random inputs, comma separated")
      .delimiter(',')
      .capture_default_str()
      .check(at_least(0))
      .excludes(inputs);
  app.add_option("--against,--with", flags->against, "What to compare with")
      .capture_default_str()
      .check(one_of({"reference", "onnxruntime"}));
  app.add_option(
         "--tolerance", flags->tolerance,
         "Largest error of floats that passes, relative to the largest magnitude of the output; 0: bytes must be "
         "equal")
      .capture_default_str()
      .check(number_between(0, 1e30));
  app.add_option("--requantization-tolerance", flags->requantization,
                 "The same between a Q/DQ model and its integer form, which round at different places")
      .capture_default_str()
      .check(number_between(0, 1e30));
  app.add_option("--source", flags->source, "The model that an artifact was compiled from").type_name("MODEL");
  app.add_flag("--each-pass", flags->each_pass, "Also compare the model after every pass of the compile pipeline");
  return [flags] { return verify(*flags); };
}

}  // namespace lapis::cli
