// lapis convert M -o N.onnx
#include "base/printable.h"
#include "frontends/onnx/export.h"
#include "tools/lapis/options.h"
#include "tools/lapis/output.h"

namespace lapis::cli {
namespace {

struct Flags {
  ModelFlags model;
  std::string output;
  bool bind = false;
};

size_t constant_bytes(const Graph& graph) {
  size_t bytes = 0;
  for (const Value* c : graph.constants()) bytes += static_cast<size_t>(c->constant().bytes());
  return bytes;
}

Result<Report> convert(const Flags& flags) {
  LAPIS_TRY(const ModelOptions options, flags.model.model_options());
  LAPIS_TRY(const Output output, Output::open(flags.output, flags.model.model));
  LAPIS_TRY(const std::unique_ptr<Graph> graph,
            flags.bind ? flags.model.load(flags.model.model, options) : flags.model.import(flags.model.model, options));
  LAPIS_CHECK(output.write_model(*graph));
  const int opset = lowest_opset(*graph);
  Report report;
  report.on_stderr = output.is_stdout();
  report.text = printable(flags.output) + ": " + std::to_string(graph->node_count()) + " nodes, " +
                std::to_string(constant_bytes(*graph)) + " bytes of constants, opset " + std::to_string(opset) + "\n";
  report.json = {{"output", flags.output},
                 {"nodes", graph->node_count()},
                 {"constant_bytes", constant_bytes(*graph)},
                 {"opset", opset}};
  return report;
}

}  // namespace

Action declare_convert(Arguments& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.add_model(app);
  app.add_option("-o,--output", flags->output, "Where to write the model; - for standard output")
      .required()
      .type_name("N.onnx");
  app.add_flag("--bind", flags->bind, "Fix symbolic dimensions, a batch becomes 1");
  return [flags] { return convert(*flags); };
}

}  // namespace lapis::cli
