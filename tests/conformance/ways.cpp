#include "conformance/ways.h"

#include <algorithm>
#include <regex>

#include "base/guard.h"
#include "driver/compile.h"
#include "frontends/onnx/import.h"
#include "ir/evaluate.h"
#include "ir/infer.h"
#include "runtime/executable.h"

namespace lapis::conformance {
namespace {

// "Conv: weights are not constant" of "node 'a' (Conv): weights are not constant".
std::string reason_of(const Diagnostics& diagnostics) {
  std::string reason;
  std::smatch op;
  static const std::regex in_parentheses(R"(\((\w+)\)$)");
  for (const Diagnostic& d : diagnostics) {
    if (d.severity != Severity::Error) continue;
    const std::string where = std::regex_search(d.location, op, in_parentheses) ? op[1].str() + ": " : "";
    reason = where + d.message;
    break;
  }
  return reason;
}

Outcome of_diagnostics(const Diagnostics& diagnostics) { return {Outcome::Refused, reason_of(diagnostics)}; }

Result<std::unique_ptr<Graph>> imported(const Case& c, const std::string& bytes) {
  return import_onnx(std::as_bytes(std::span(bytes)), c.id);
}

// The tensors of a data set in the order of the graph's inputs, or why there are none.
Result<std::vector<Tensor>> arguments(const Graph& graph, const DataSet& data) {
  std::vector<Tensor> tensors;
  for (size_t i = 0; i < graph.inputs().size(); ++i) {
    const Value& input = *graph.inputs()[i];
    if (i >= data.inputs.size() || !data.inputs[i])
      return error(ErrorKind::Unsupported, "values of type " + input.type().to_string() + " cannot be fed");
    tensors.push_back(*data.inputs[i]);
  }
  return tensors;
}

Feeds feeds_of(const Graph& graph, const std::vector<Tensor>& tensors) {
  Feeds feeds;
  for (size_t i = 0; i < tensors.size(); ++i) feeds[graph.inputs()[i]->name()] = tensors[i];
  return feeds;
}

Outcome compared(const Tensor& got, const Tensor& wanted, const Case& c) {
  constexpr double kTwoSteps = 0x1p-9;  // of float16; the cases' tolerance is one
  const std::string text = difference(got, wanted, c.rtol, c.atol);
  if (text.empty()) return {};
  const bool rounding = got.dtype() == DType::Float16 && difference(got, wanted, kTwoSteps, c.atol).empty();
  return {rounding ? Outcome::Rounding : Outcome::Wrong, text};
}

Outcome compared(const std::vector<Tensor>& got, const DataSet& data, const Case& c) {
  if (got.size() != data.outputs.size())
    return {Outcome::Wrong, std::to_string(got.size()) + " outputs, wanted " + std::to_string(data.outputs.size())};
  Outcome worst;
  for (size_t i = 0; i < got.size(); ++i) {
    if (!data.outputs[i]) return {Outcome::Wrong, "output " + std::to_string(i) + " should not be a tensor"};
    const Outcome outcome = compared(got[i], *data.outputs[i], c);
    if (outcome.kind > worst.kind) worst = outcome;
  }
  return worst;
}

// What inference says must hold for the results too.
Outcome check_types(const Graph& graph, const std::vector<Tensor>& got) {
  for (size_t i = 0; i < got.size(); ++i)
    if (const Type& inferred = graph.outputs()[i]->type(); !merge(inferred, Type::of(got[i])))
      return {Outcome::Wrong, "inferred " + inferred.to_string() + ", got " + Type::of(got[i]).to_string()};
  return {};
}

Outcome run_reference(const Case& c, const DataSet& data) {
  const auto graph = imported(c, model_bytes(c));
  if (!graph.ok()) return of_diagnostics(graph.diagnostics());
  const auto tensors = arguments(**graph, data);
  if (!tensors.ok()) return of_diagnostics(tensors.diagnostics());
  const auto got = evaluate(**graph, feeds_of(**graph, *tensors));
  if (!got.ok()) return of_diagnostics(got.diagnostics());
  if (Outcome o = check_types(**graph, *got); o.kind != Outcome::Pass) return o;
  return compared(*got, data, c);
}

// Compiled for the shapes of `tensors`, which dynamic models need.
Result<Executable> executable_of(Graph& graph, const std::vector<Tensor>& tensors) {
  std::map<std::string, Shape> shapes;
  for (size_t i = 0; i < tensors.size(); ++i) shapes[graph.inputs()[i]->name()] = tensors[i].shape();
  LAPIS_CHECK(bind_model(graph, {{}, shapes}));
  LAPIS_TRY(Compiled compiled, compile(graph));
  return Executable::from(std::move(compiled.program));
}

Result<std::vector<Tensor>> run_threads(const Executable& executable, int threads, const std::vector<Tensor>& tensors) {
  LAPIS_TRY(Session session, executable.session({threads, false}));
  return session.run(tensors);
}

Outcome run_code(const Case& c, const DataSet& data, const std::string& bytes) {
  const auto graph = imported(c, bytes);
  if (!graph.ok()) return of_diagnostics(graph.diagnostics());
  const auto tensors = arguments(**graph, data);
  if (!tensors.ok()) return of_diagnostics(tensors.diagnostics());
  const auto executable = executable_of(**graph, *tensors);
  if (!executable.ok()) return of_diagnostics(executable.diagnostics());
  const auto one = run_threads(*executable, 1, *tensors), two = run_threads(*executable, 2, *tensors);
  if (!one.ok()) return of_diagnostics(one.diagnostics());
  if (!two.ok()) return of_diagnostics(two.diagnostics());
  for (size_t i = 0; i < one->size(); ++i)
    if (!((*one)[i] == (*two)[i])) return {Outcome::Wrong, "2 threads give other bytes than one"};
  return compared(*one, data, c);
}

Outcome run_set(const Case& c, Way way, const DataSet& data) {
  switch (way) {
    case Way::Reference: return run_reference(c, data);
    case Way::Compiled: return run_code(c, data, model_bytes(c));
    case Way::Constants: return run_code(c, data, model_with_constants(c));
  }
  return {};
}

}  // namespace

std::string_view name_of(Way way) {
  constexpr std::string_view kNames[] = {"reference", "compiled", "constants"};
  return kNames[static_cast<size_t>(way)];
}

std::string_view name_of(Outcome::Kind kind) {
  constexpr std::string_view kNames[] = {"pass", "refused", "rounding", "wrong", "crash"};
  return kNames[kind];
}

Outcome run(const Case& c, Way way) try {
  Outcome worst;
  for (const DataSet& data : read_data(c)) {
    const Outcome outcome = run_set(c, way, data);
    if (outcome.kind > worst.kind) worst = outcome;
    if (way == Way::Constants) break;  // the constants are those of the first set
  }
  return worst;
} catch (...) {
  return of_diagnostics({current_exception_diagnostic()});
}

}  // namespace lapis::conformance
