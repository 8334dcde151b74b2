#include "passes/pass.h"

#include <cstdio>
#include <unordered_set>
#include <utility>

#include "base/stopwatch.h"
#include "base/suggest.h"
#include "ir/infer.h"
#include "ir/printer.h"
#include "ir/structure.h"
#include "ir/verify.h"

namespace lapis {
namespace {

// Fixpoint passes meet the same obstacle in every round; the user wants to read it once.
ExplainSink once_each(ExplainSink sink) {
  if (!sink) return sink;
  auto seen = std::make_shared<std::unordered_set<std::string>>();
  return [sink = std::move(sink), seen](const Explanation& e) {
    if (seen->insert(e.rule + '\n' + e.where + '\n' + (e.applied ? "+" : "-") + e.text).second) sink(e);
  };
}

// What inference forgives and the verifier does not: a branch of an If that cannot work, beside one that can.
bool is_forgiven(const Graph& graph) {
  if (has_errors(verify(graph, VerifyLevel::Structure))) return false;
  const std::unique_ptr<Graph> again = graph.clone();
  return infer_types(*again).ok() && has_errors(verify(*again));
}

// Passes find sizes, and with them what is wrong in a branch of the model itself. Everything else is theirs.
Status check_valid(const Graph& graph, VerifyLevel level) {
  Diagnostics broken = verify(graph, level);
  LAPIS_ASSERT(!has_errors(broken) || is_forgiven(graph), "the graph is broken now:\n" << to_string(broken));
  return status_of(std::move(broken));
}

}  // namespace

Status PassRunner::check_options(const Pipeline& pipeline) const {
  const std::string& stop = options_.stop_after;
  if (!stop.empty() && std::none_of(pipeline.begin(), pipeline.end(), [&](const Pass& p) { return p.name == stop; })) {
    std::vector<std::string> names;
    for (const Pass& p : pipeline) names.push_back(p.name);
    return error(ErrorKind::Usage, "cannot stop after '" + stop + "': it is not in the pipeline")
        .help(suggestion(stop, names));
  }
  LAPIS_ASSERT(options_.dump || options_.dump_directory.empty(), "dumping graphs needs a writer");
  if (options_.dump_directory.empty()) return ok();
  std::error_code failed;
  std::filesystem::create_directories(options_.dump_directory, failed);
  if (failed)
    return error(ErrorKind::Io, "cannot create the directory: " + failed.message())
        .at(options_.dump_directory.string());
  return ok();
}

Result<std::vector<PassReport>> PassRunner::run(Graph& graph, const Pipeline& pipeline, PassContext& context) {
  LAPIS_CHECK(check_options(pipeline));
  LAPIS_CHECK(status_of(verify(graph, options_.verify ? VerifyLevel::Full : VerifyLevel::Structure)));
  PassContext own = context;
  own.explain = once_each(context.explain);
  std::vector<PassReport> reports;
  LAPIS_CHECK(show(graph, "input", 0, false));
  uint64_t now = fingerprint(graph);
  for (const Pass& pass : pipeline) {
    LAPIS_TRY(PassReport report, run_pass(graph, pass, own, now));
    LAPIS_CHECK(show(graph, pass.name, reports.size() + 1, report.changed));
    reports.push_back(std::move(report));
    if (pass.name == options_.stop_after) break;
  }
  return reports;
}

Result<PassReport> PassRunner::run_pass(Graph& graph, const Pass& pass, PassContext& context, uint64_t& now) {
  const std::shared_ptr<const Graph> before = options_.keep_model ? graph.clone() : nullptr;
  try {
    return run_checked(graph, pass, context, now);
  } catch (const Crash&) {
    throw;  // of a model that the pass compiled
  } catch (const InternalError& e) {
    throw Crash(e.what(), "pass '" + pass.name + "'", before);
  }
}

Result<PassReport> PassRunner::run_checked(Graph& graph, const Pass& pass, PassContext& context, uint64_t& now) {
  PassReport report{pass.name, 0, total_node_count(graph), 0, false};
  const uint64_t revision = graph.revision();
  const Stopwatch watch;
  LAPIS_CHECK(pass.run(graph, pass.set, context));
  report.seconds = watch.seconds();
  report.nodes_after = total_node_count(graph);
  report.changed = graph.revision() != revision && std::exchange(now, fingerprint(graph)) != now;
  LAPIS_CHECK(check_valid(graph, options_.verify && report.changed ? VerifyLevel::Full : VerifyLevel::Structure));
  return report;
}

Status PassRunner::show(const Graph& graph, const std::string& name, size_t number, bool changed) const {
  if (options_.print_on_change && changed) {
    const std::string text = "# after " + name + "\n" + (options_.print ? options_.print(graph) : print(graph));
    if (options_.output)
      options_.output(text);
    else
      std::fputs(text.c_str(), stderr);
  }
  if (options_.dump_directory.empty()) return ok();
  const std::string digits = (number < 10 ? "0" : "") + std::to_string(number);
  return options_.dump(graph, options_.dump_directory / (digits + "-" + name + ".onnx"));
}

}  // namespace lapis
