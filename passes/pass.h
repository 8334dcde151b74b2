// Pass: a name, a one-sentence contract, options, a function from Graph to Graph.
// Pipeline: a list of passes to be read aloud. The runner verifies around every pass, times it, dumps and prints what
// it made, and says which pass it was that broke an invariant.
//
//   PassRunner runner({.dump_directory = "stages", .dump = save_onnx});
//   LAPIS_TRY(auto reports, runner.run(graph, simplify_pipeline(), context));
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/file.h"
#include "base/target.h"
#include "ir/rewrite.h"
#include "passes/options.h"
#include "passes/samples.h"

namespace lapis {

struct QuantizeReport;
struct Recipe;

// What a pass may ask for besides the graph and its options.
struct PassContext {
  Target target = Target::host();  // what the model is made for
  std::set<std::string, std::less<>> disabled_rules;
  ExplainSink explain;  // every distinct explanation once
  std::shared_ptr<const Recipe>
      recipe;  // how each node is to compute (passes/quantize/recipe.h); null: the default recipe
  Evaluator* evaluator =
      nullptr;  // runs the model for passes that need its values; the driver hands in the JIT, tests the reference
  SampleSource samples;                                    // what passes that need values run it on
  std::function<void(int64_t done, int64_t of)> progress;  // after each sample; may be empty
  std::function<void(const QuantizeReport&)> quantized;    // is told what `quantize` did; may be empty

  RewriteOptions rewriting() const { return {disabled_rules, explain}; }
};

// What a pass does. One without options leaves out the second parameter.
class PassFunction {
 public:
  PassFunction() = default;
  template <class F>
  requires std::is_invocable_r_v<Status, F, Graph&, PassContext&> PassFunction(F f)
      : run_([f = std::move(f)](Graph& graph, const Options&, PassContext& context) { return f(graph, context); }) {}
  template <class F>
  requires(std::is_invocable_r_v<Status, F, Graph&, const Options&, PassContext&> && !std::is_same_v<F, PassFunction>)
      PassFunction(F f)
      : run_(std::move(f)) {}
  Status operator()(Graph& graph, const Options& options, PassContext& context) const {
    return run_(graph, options, context);
  }

 private:
  std::function<Status(Graph&, const Options&, PassContext&)> run_;
};

struct Pass {
  std::string name;      // "fold-constants"
  std::string contract;  // what holds afterwards, in one sentence
  PassFunction run;
  std::vector<OptionDef> options = {};  // that it has
  Options set = {};                     // those that this run of it sets
};
using Pipeline = std::vector<Pass>;

// A pass with options of the type T (passes/options.h).
template <class T> Pass pass(std::string name, std::string contract, Status (*run)(Graph&, const T&, PassContext&)) {
  const auto decode_and_run = [run](Graph& graph, const Options& options, PassContext& context) {
    return run(graph, decode_options<T>(options), context);
  };
  return {std::move(name), std::move(contract), decode_and_run, options_of<T>()};
}

struct PassReport {
  std::string name;
  double seconds = 0;                        // of the pass alone
  size_t nodes_before = 0, nodes_after = 0;  // subgraphs included
  bool changed = false;
};

// How a graph leaves the process; passes know no file format, so whoever does fills these in.
using GraphWriter = std::function<Status(const Graph&, const Path&)>;
using GraphPrinter = std::function<std::string(const Graph&)>;

// A bug, with what is needed to see it again: the step that met it and the model before that step (null: not kept).
class Crash : public InternalError {
 public:
  Crash(const std::string& what, std::string step, std::shared_ptr<const Graph> model)
      : InternalError(step + ": " + what), step_(std::move(step)), model_(std::move(model)) {}
  // The same, holding a model.
  Crash on(std::shared_ptr<const Graph> model) const {
    Crash crash = *this;
    crash.model_ = std::move(model);
    return crash;
  }
  const std::string& step() const { return step_; }  // "pass 'simplify'"
  const std::shared_ptr<const Graph>& model() const { return model_; }

 private:
  std::string step_;
  std::shared_ptr<const Graph> model_;
};

// f() as a step of working on `graph`: a bug in it is a Crash that names the step and holds the model.
template <class Function> auto as_step(const Graph& graph, const std::string& name, Function&& f) -> decltype(f()) {
  try {
    return f();
  } catch (const Crash& crash) {
    if (crash.model()) throw;
    throw crash.on(graph.clone());
  } catch (const InternalError& e) {
    throw Crash(e.what(), name, graph.clone());
  }
}

struct PassRunnerOptions {
  bool verify =
      true;  // fully before the first pass and after every pass that changed the graph; structure is always checked
  Path dump_directory;  // if given: the graph after each pass as NN-name.onnx, the one before as 00-input.onnx
  GraphWriter dump;     // needed by dump_directory
  bool print_on_change = false;
  GraphPrinter print;                            // if empty: ir/printer.h
  std::function<void(std::string_view)> output;  // where prints go; if empty: stderr
  std::string stop_after;                        // name of the last pass to run; it must be in the pipeline
  bool keep_model = false;                       // a Crash holds the graph as it was before the pass
};

class PassRunner {
 public:
  explicit PassRunner(PassRunnerOptions options) : options_(std::move(options)) {}
  // Fails if the graph was invalid to begin with or a pass found fault with the model; throws Crash if a pass breaks an
  // invariant.
  Result<std::vector<PassReport>> run(Graph& graph, const Pipeline& pipeline, PassContext& context);

 private:
  Status check_options(const Pipeline& pipeline) const;
  // `now` is the graph's fingerprint.
  Result<PassReport> run_pass(Graph& graph, const Pass& pass, PassContext& context, uint64_t& now);
  Result<PassReport> run_checked(Graph& graph, const Pass& pass, PassContext& context, uint64_t& now);
  Status show(const Graph& graph, const std::string& name, size_t number, bool changed) const;
  PassRunnerOptions options_;
};

}  // namespace lapis
