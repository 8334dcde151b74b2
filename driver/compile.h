// The one place that knows frontends, passes, codegen and runtime:
// a model file becomes a Graph, a Graph becomes a Program.
//
//   LAPIS_TRY(auto graph, load_model("resnet50.onnx", {.dims = {{"N", 1}}}));
//   LAPIS_TRY(auto compiled, compile(*graph));                      // for this host, in memory
//   LAPIS_TRY(auto executable, Executable::from(compiled.program));
#pragma once

#include "base/target.h"
#include "codegen/schedules.h"
#include "driver/caches.h"
#include "frontends/frontend.h"
#include "ir/evaluate.h"
#include "ir/number.h"
#include "passes/pass.h"
#include "runtime/program.h"

namespace lapis {

struct ModelOptions {
  std::map<std::string, int64_t> dims;  // values of symbolic dimensions
  std::map<std::string, Shape> shapes;  // concrete input shapes
  // Inputs that are always the same number: constants of the model, which has no such inputs then. What follows from
  // them is decided before shapes are fixed, so that the branch of an If that other shapes are meant for is gone.
  std::map<std::string, Number> values = {};
  std::set<std::string> free;                             // symbols that stay: a batch among them does not become 1
  bool all_free = false;                                  // all that have no value stay
  std::vector<frontend::OwnTranslator> translators = {};  // for operators that Lapis does not know
};

// Imports a model file of any format (frontends/frontend.h) and fixes its shapes. Symbols that are only ever the
// leading dimension of inputs (a batch) and are not given become 1; any other free symbol stays, and compile() asks for
// it.
Result<std::unique_ptr<Graph>> load_model(const Path& file, const ModelOptions& options = {});
Status bind_model(Graph& graph, const ModelOptions& options);
// Imports a part of a model. What its frontend takes of `left` on the way is gone from there afterwards.
Result<std::unique_ptr<Graph>> import_with(const Path& file, ImportOptions wanted, ModelOptions& left);

// Ifs whose conditions are known become the branches that are taken, until nothing changes: a branch that is taken
// tells the sizes behind it, which may decide the next one. An error if one that is taken cannot work; the others may
// be ones that never could.
Status decide_branches(Graph& graph);

// Findings about the graph of a file name the file: nobody knows what the graph in it is called.
Diagnostics in_file(Diagnostics diagnostics, const Path& file, const std::string& graph_name = "");
template <class T> Result<T> in_file(Result<T> result, const Path& file, const std::string& graph_name = "") {
  if (result.ok()) return result;
  return in_file(std::move(result).diagnostics(), file, graph_name);
}

struct CompileOptions {
  Target target = Target::host();
  Pipeline pipeline;  // empty: compile_pipeline()
  bool fuse = true;
  // Nodes without code are evaluated by the reference, between steps of code: slow, named by `explain`, and only in
  // this process, so that the program cannot be saved. Off: such nodes are an error.
  bool host_calls = false;
  codegen::Schedules schedules;  // of contractions by name, instead of what the cost model chooses
  uint64_t source_hash = 0;      // of the model file; recorded in artifacts
  bool identify = true;          // by Program::plan_hash; recorded in artifacts
  std::shared_ptr<Caches> caches = process_caches();
  std::function<void(Plan&)> forms;               // gives loops their forms (codegen/forms.h); may be empty
  const kernels::TensorHashes* hashes = nullptr;  // of tensors that outlive the compilation, to hash them once for many
  PassRunnerOptions passes;                       // dump and print are filled in with ONNX writers where empty
  PassContext context;
};

// Changes nothing, but checks the graph: for who wants the model as it is.
Pipeline empty_pipeline();
// What happens to every model before code is generated: simplify, then Q/DQ pairs become integer operators.
Pipeline compile_pipeline();
// Fills in how passes write and print graphs (as ONNX) where the options leave it open.
void use_onnx_writers(PassRunnerOptions& options);

// The part of compile() that knows no target: a copy of the graph after the pipeline.
struct Prepared {
  std::unique_ptr<Graph> graph;
  std::vector<PassReport> passes;
};
Result<Prepared> run_passes(const Graph& graph, CompileOptions options = {});
// The same for a graph that may have free symbols, which are fixed later (driver/family.h).
Result<Prepared> run_symbolic_passes(const Graph& graph, CompileOptions options = {});

// Passes and lowering only.
Result<Plan> lower_model(const Graph& graph, const CompileOptions& options);

struct Compiled : Prepared {  // evaluate(*graph) is the reference for the bytes of `program`
  Plan plan;
  CodeImage code;
  Program program;
  struct Seconds {
    double passes, lower, emit;
  } seconds{};
};

// `graph` is left alone. Fails if it has free symbols or nodes without code generation, all of them listed. A bug is a
// Crash (passes/pass.h) that names the pass or step and holds the graph.
Result<Compiled> compile(const Graph& graph, CompileOptions options = {});

// The same for several machines: programs of one artifact (runtime/artifact.h), in the order of `targets`. Passes run
// once, and constants that variants have in common are in the image of the last one once; those of the others are how
// it begins.
Result<std::vector<Compiled>> compile_variants(const Graph& graph, const std::vector<Target>& targets,
                                               CompileOptions options = {});

// The same of a graph that is given away, which saves memory and a copy.
// A Crash holds `named`, the model that it comes from, if there is one.
Result<Compiled> compile(std::unique_ptr<Graph> graph, CompileOptions options, const Graph* named = nullptr);
Result<std::vector<Compiled>> compile_variants(std::unique_ptr<Graph> graph, const std::vector<Target>& targets,
                                               CompileOptions options, const Graph* named = nullptr);

// "x86-64+avx2,x86-64+avx512vnni": one target or several, no two alike.
Result<std::vector<Target>> parse_targets(std::string_view text);

// Runs graphs as generated code on this host, with every watched value as an output: for calibration.
std::unique_ptr<Evaluator> jit_evaluator(int threads = 1);

}  // namespace lapis
