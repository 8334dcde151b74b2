// lapis inspect M [--text] [--shapes]
#include <map>

#include "base/hash.h"
#include "base/printable.h"
#include "frontends/frontend.h"
#include "frontends/onnx/export.h"
#include "ir/op.h"
#include "runtime/artifact.h"
#include "tools/lapis/options.h"

namespace lapis::cli {
namespace {

struct Flags {
  ModelFlags model;
  bool text = false, shapes = false, check = false;
};

nlohmann::ordered_json as_json(const std::vector<IoInfo>& list) {
  auto json = nlohmann::ordered_json::array();
  for (const IoInfo& io : list) json.push_back({{"name", io.name}, {"dtype", name_of(io.dtype)}, {"dims", io.shape}});
  return json;
}

// A dimension is a number, the text of a symbol or formula, or null.
nlohmann::ordered_json as_json(const std::optional<Dims>& dims) {
  if (!dims) return nullptr;
  auto json = nlohmann::ordered_json::array();
  for (const Dim& d : *dims) {
    if (d.is_constant())
      json.push_back(d.value());
    else if (d.is_known())
      json.push_back(d.to_string());
    else
      json.push_back(nullptr);
  }
  return json;
}

// {"dtype": "float", "dims": [1, "S", null]}, or {"kind": "sequence", "element": {...}}. Without a rank, dims is null.
void add_type(nlohmann::ordered_json& json, const Type& type) {
  if (type.is_tensor()) {
    json["dtype"] = type.dtype == DType::Undefined ? nlohmann::ordered_json() : name_of(type.dtype);
    json["dims"] = as_json(type.dims);
    return;
  }
  json["kind"] = type.kind == Type::Kind::Sequence ? "sequence" : "optional";
  json["element"] = nlohmann::ordered_json::object();
  if (type.element) add_type(json["element"], *type.element);
}

nlohmann::ordered_json as_json(const Value& value) {
  nlohmann::ordered_json json = {{"name", value.name()}};
  add_type(json, value.type());
  return json;
}

// What depends on the machine.
nlohmann::ordered_json variant_as_json(const Program& p) {
  return {{"target", p.target},
          {"plan", hex(p.plan_hash)},
          {"steps", p.steps.size()},
          {"code_bytes", p.code.size()},
          {"arena_bytes", p.arena_bytes}};
}

Result<Report> inspect_artifact(const Path& file, bool check) {
  LAPIS_TRY(const std::vector<Program> variants, load_variants(file, {check}));
  const Program& p = variants.front();
  Report report;
  report.json = {{"kind", "artifact"}};
  report.json.update(variant_as_json(p));
  report.json.update({{"producer", p.producer},
                      {"source", hex(p.source_hash)},
                      {"constant_bytes", constant_bytes(p)},
                      {"inputs", as_json(p.inputs)},
                      {"outputs", as_json(p.outputs)}});
  if (check) report.json["checked"] = true;
  for (const auto& [key, value] : report.json.items())
    if (!value.is_array())
      report.text += key + ": " + (value.is_string() ? value.get<std::string>() : value.dump()) + "\n";
  for (const Program& v : variants) {
    report.json["variants"].push_back(variant_as_json(v));
    if (&v != &p)
      report.text += "also for " + v.target + ": " + std::to_string(v.steps.size()) + " steps, " +
                     std::to_string(v.code.size()) + " bytes of code\n";
  }
  for (const auto* list : {&p.inputs, &p.outputs})
    for (const IoInfo& io : *list)
      report.text += std::string(list == &p.inputs ? "input " : "output ") + printable(io.name) + ": " +
                     std::string(name_of(io.dtype)) + to_string(io.shape) + "\n";
  return report;
}

void describe_io(const Graph& graph, Report& report) {
  report.json["inputs"] = report.json["outputs"] = nlohmann::ordered_json::array();
  for (const Value* v : graph.inputs()) {
    report.text += "input " + printable(v->name()) + ": " + printable(v->type().to_string()) + "\n";
    report.json["inputs"].push_back(as_json(*v));
  }
  for (const Value* v : graph.outputs()) {
    report.text += "output " + printable(v->name()) + ": " + printable(v->type().to_string()) + "\n";
    report.json["outputs"].push_back(as_json(*v));
  }
}

void describe_operators(const Graph& graph, Report& report) {
  std::map<std::string, int> counts;
  for (const Node* node : graph.nodes()) ++counts[std::string(node->op().name)];
  for (const auto& [name, count] : counts) report.text += "  " + std::to_string(count) + " x " + name + "\n";
  report.json["operators"] = counts;
}

void describe_shapes(const Graph& graph, Report& report) {
  std::vector<std::vector<std::string>> rows = {{"node", "operator", "output", "type"}};
  report.json["values"] = nlohmann::ordered_json::array();
  for (const Node* node : graph.nodes())
    for (const Value* v : node->outputs()) {
      if (!v) continue;
      rows.push_back({node->name(), std::string(node->op().name), v->name(), v->type().to_string()});
      nlohmann::ordered_json json = {{"node", node->name()}, {"operator", node->op().name}};
      json.update(as_json(*v));
      report.json["values"].push_back(std::move(json));
    }
  report.text += table(rows);
}

Result<Report> inspect(const Flags& flags) {
  LAPIS_TRY(const ModelKind kind, model_kind(flags.model.model, true));  // of any name: nothing in it is run
  if (kind == ModelKind::Artifact || flags.check) {
    LAPIS_CHECK(flags.model.check_artifact(flags.model.model));
    return inspect_artifact(flags.model.model, flags.check);
  }
  LAPIS_TRY(const ModelOptions options, flags.model.model_options());
  LAPIS_TRY(const std::unique_ptr<Graph> graph, flags.model.import(flags.model.model, options));
  Report report;
  if (flags.text) {
    report.text = to_onnx_text(*graph);
    report.json["text"] = report.text;
    return report;
  }
  if (const Frontend* f = frontend_of(flags.model.model)) report.json["kind"] = f->name;
  report.text = printable(graph->name()) + ": " + std::to_string(graph->node_count()) + " nodes, opset " +
                std::to_string(lowest_opset(*graph)) + " or newer\n";
  describe_io(*graph, report);
  describe_operators(*graph, report);
  if (flags.shapes) describe_shapes(*graph, report);
  return report;
}

}  // namespace

Action declare_inspect(Arguments& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.add_model(app, ModelFlags::Takes::ArtifactsToo);
  app.add_flag("--text", flags->text, "The whole model in ONNX's text syntax");
  app.add_flag("--shapes", flags->shapes, "Every value with its type");
  app.add_flag("--check", flags->check, "Compare every byte of an artifact with its checksums");
  return [flags] { return inspect(*flags); };
}

}  // namespace lapis::cli
