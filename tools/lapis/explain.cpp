// lapis explain M [--require Conv:int8]: one line a generated function: time, share, kernel, precision, and the nodes
// in it; then why steps are not int8 or not fused, and what that costs.
#include <map>
#include <regex>

#include "base/printable.h"
#include "base/suggest.h"
#include "ir/op.h"
#include "tools/lapis/inputs.h"
#include "tools/lapis/options.h"
#include "tools/lapis/reasons.h"
#include "tools/lapis/sensitivity.h"
#include "tools/lapis/steps.h"
#include "tuning/recipe.h"

namespace lapis::cli {
namespace {

struct Flags {
  ModelFlags model;
  std::string recipe;
  SensitivityFlags sensitivity;
  std::vector<std::string> required;
  int runs = 20;
  bool wide = false, ranges = false;
};

// What decides comes first; the nodes, which may be many, are cut last.
constexpr size_t kWidth = 100;

std::vector<std::string> row_of(const MeasuredStep& step, double total) {
  const StepInfo& s = *step.info;
  const double us = step.microseconds;
  const double gmacs = s.macs && us > 0 ? static_cast<double>(s.macs) / us / 1e3 : 0;
  return {fixed(us, 1),
          fixed(total > 0 ? 100 * us / total : 0, 1),
          s.kernel,
          s.precision,
          s.macs ? fixed(gmacs, 1) : "",
          std::to_string(step.number),
          s.op,
          joined(s.nodes, " + ")};
}

nlohmann::ordered_json json_of(const MeasuredStep& step, const std::string& not_int8) {
  const StepInfo& s = *step.info;
  const double us = step.microseconds;
  return {{"op", s.op},          {"precision", s.precision},
          {"kernel", s.kernel},  {"nodes", s.nodes},
          {"microseconds", us},  {"gmac_per_second", s.macs && us > 0 ? static_cast<double>(s.macs) / us / 1e3 : 0},
          {"units", s.units},    {"note", s.note},
          {"not_int8", not_int8}};
}

// Of an elementwise step that could have been computed with what it reads.
// Pairs that quantization put in stand for no node of the model.
std::string why_not_fused(const StepInfo& s) {
  if (s.note.empty()) return "";
  return s.op + (s.nodes.empty() ? "" : " '" + s.nodes.front() + "'") + ": " + s.note;
}

bool in_floats(const StepInfo& s) { return s.precision == "fp32" || s.precision == "bf16" || s.precision == "float16"; }

// Of a step in floats: what is said about its first node that something is said about.
std::string why_not_int8(const StepInfo& s, const std::optional<Reasons>& reasons) {
  if (!reasons || !in_floats(s)) return "";
  for (const std::string& node : s.nodes)
    if (std::string why = reasons->why(node); !why.empty()) return why;
  return "";
}

// ---- what reasons cost ----------------------------------------------------------------------------------------------

struct Cost {
  double microseconds = 0;
  int steps = 0;
};
using Costs = std::map<std::string, Cost>;

void add_cost(Costs& costs, const std::string& reason, double microseconds) {
  if (reason.empty()) return;
  costs[reason].microseconds += microseconds;
  ++costs[reason].steps;
}

// The most expensive first.
std::vector<std::pair<std::string, Cost>> sorted(const Costs& costs) {
  std::vector<std::pair<std::string, Cost>> list(costs.begin(), costs.end());
  std::stable_sort(list.begin(), list.end(),
                   [](const auto& a, const auto& b) { return a.second.microseconds > b.second.microseconds; });
  return list;
}

std::string as_text(const Costs& costs, const std::string& what, double total, size_t width) {
  if (costs.empty()) return "";
  std::vector<std::vector<std::string>> rows = {{"us", "%", "steps", what}};
  for (const auto& [reason, cost] : sorted(costs))
    rows.push_back({fixed(cost.microseconds, 1), fixed(total > 0 ? 100 * cost.microseconds / total : 0, 1),
                    std::to_string(cost.steps), printable(reason)});
  return "\n" + table(rows, width);
}

nlohmann::ordered_json as_json(const Costs& costs) {
  auto json = nlohmann::ordered_json::array();
  for (const auto& [reason, cost] : sorted(costs))
    json.push_back({{"reason", reason}, {"steps", cost.steps}, {"microseconds", cost.microseconds}});
  return json;
}

// ---- the gate -------------------------------------------------------------------------------------------------------

struct Requirement {
  std::string text, precision;
  const OpDef* op = nullptr;  // null: nodes by name
  std::regex names = {};
};

Result<Requirement> parse_requirement(const std::string& text) {
  const size_t at = text.rfind(':');
  const std::string hint = "write --require OPERATOR:PRECISION or REGEX:PRECISION, as --require Conv:int8";
  Requirement r{text, at == std::string::npos ? "" : text.substr(at + 1)};
  if (r.precision != "int8" && r.precision != "bf16" && r.precision != "fp32")
    return error(ErrorKind::Usage, "--require '" + text + "' names no precision (int8, bf16, fp32)").help(hint);
  const std::string nodes = text.substr(0, at);
  r.op = find_op(nodes);
  if (r.op) return r;
  try {
    r.names = std::regex(nodes);
  } catch (const std::regex_error& e) {
    return error(ErrorKind::Usage, "--require '" + text + "': not an operator, and no regular expression: " + e.what())
        .help(hint);
  }
  return r;
}

bool computes_in(const StepInfo& s, const std::string& precision) {
  if (precision == "int8") return s.precision == "int8" || s.precision == "uint8";
  return s.precision == precision || s.precision == (precision == "bf16" ? "bfloat16" : "float");  // copies
}

// Nodes that a requirement is about, and are not as it says.
class Gate {
 public:
  Gate(const std::vector<MeasuredStep>& steps, const std::optional<Reasons>& reasons)
      : steps_(steps), reasons_(reasons) {}

  Status check(const Requirement& r, Report& report) const {
    if (r.op && !reasons_)
      return error(ErrorKind::Usage,
                   "--require '" + r.text + "': an artifact does not say what operators its nodes were")
          .help("name nodes by a regular expression, or explain the model it was compiled from");
    int matched = 0;
    for (const MeasuredStep& step : steps_)
      for (const std::string& node : step.info->nodes) {
        if (!is_about(r, node)) continue;
        ++matched;
        if (!computes_in(*step.info, r.precision)) fail(r, node, *step.info, report);
      }
    if (matched == 0)
      return error(ErrorKind::Usage, "--require '" + r.text + "' is about no node of this model")
          .help("the column `nodes` of `lapis explain --wide` lists them");
    return ok();
  }

 private:
  bool is_about(const Requirement& r, const std::string& node) const {
    return r.op ? reasons_->op(node) == r.op : std::regex_match(node, r.names);
  }

  void fail(const Requirement& r, const std::string& node, const StepInfo& s, Report& report) const {
    const std::string why = r.precision == "int8" ? why_not_int8(s, reasons_) : "";
    report.exit_code = kCheckFailed;
    report.text += "required " + r.text + ": '" + printable(node) + "' computes in " + s.precision +
                   (why.empty() ? "" : ": " + printable(why)) + "\n";
    report.json["failed"].push_back({{"required", r.text}, {"node", node}, {"precision", s.precision}, {"why", why}});
  }

  const std::vector<MeasuredStep>& steps_;
  const std::optional<Reasons>& reasons_;
};

// ---- the verb -------------------------------------------------------------------------------------------------------

// Nothing of an artifact, which has no graph.
Result<std::unique_ptr<Graph>> graph_of(const Flags& flags, const RunnerOptions& options) {
  LAPIS_TRY(const ModelKind kind, model_kind(flags.model.model, flags.model.artifact));
  if (kind == ModelKind::Artifact) return std::unique_ptr<Graph>();
  return flags.model.load(flags.model.model, options.model);
}

void add_ranges(const Graph* graph, Report& report) {
  std::vector<std::vector<std::string>> rows = {{"type", "low", "high", "scale", "zero", "value"}};
  report.json["ranges"] = nlohmann::ordered_json::array();
  for (const QuantizedRange& r : graph ? ranges_of(*graph) : std::vector<QuantizedRange>()) {
    rows.push_back({r.type, fixed(r.low, 4), fixed(r.high, 4), fixed(r.scale, 7), std::to_string(r.zero_point),
                    printable(r.value)});
    report.json["ranges"].push_back({{"value", r.value},
                                     {"type", r.type},
                                     {"low", r.low},
                                     {"high", r.high},
                                     {"scale", r.scale},
                                     {"zero_point", r.zero_point}});
  }
  report.text += "\n" + table(rows);
}

// The steps, and what it costs that some are not int8 or not fused.
Report report_of(const std::vector<MeasuredStep>& steps, const std::optional<Reasons>& reasons, const Program& program,
                 size_t width) {
  double total = 0;
  for (const MeasuredStep& s : steps) total += s.microseconds;
  Report report;
  report.json["steps"] = nlohmann::ordered_json::array();
  std::vector<std::vector<std::string>> rows = {{"us", "%", "kernel", "type", "GMAC/s", "step", "operator", "nodes"}};
  Costs not_int8, not_fused;
  for (const MeasuredStep& s : steps) {
    const std::string why = why_not_int8(*s.info, reasons);
    rows.push_back(row_of(s, total));
    report.json["steps"].push_back(json_of(s, why));
    add_cost(not_int8, why, s.microseconds);
    add_cost(not_fused, why_not_fused(*s.info), s.microseconds);
  }
  report.json["not_int8"] = as_json(not_int8);
  report.json["not_fused"] = as_json(not_fused);
  report.json["target"] = program.target;
  report.json["total_microseconds"] = total;
  report.text = table(rows, width) + "total " + fixed(total, 1) + " us, arena " + std::to_string(program.arena_bytes) +
                " bytes, target " + program.target + "\n" + as_text(not_int8, "why not int8", total, width) +
                as_text(not_fused, "why not fused", total, width);
  return report;
}

// Only a float model has something that int8 could disturb.
Status check_float(const Graph* graph, const std::optional<Reasons>& reasons, const std::string& model) {
  if (graph && !reasons->quantized()) return ok();
  return error(ErrorKind::Usage, graph ? "--sensitivity wants a float model, and this one is quantized already"
                                       : "--sensitivity wants a float model, and this is an artifact")
      .at(model)
      .help("explain the float model, or compare the two: lapis diff FLOAT QUANTIZED --data DATA");
}

Result<Report> explain(const Flags& flags) {
  std::vector<Requirement> required;
  for (const std::string& text : flags.required) {
    LAPIS_TRY(Requirement r, parse_requirement(text));
    required.push_back(std::move(r));
  }
  Recipe recipe;
  if (!flags.recipe.empty()) {
    LAPIS_TRY(recipe, read_recipe(flags.recipe));
  }
  LAPIS_TRY(RunnerOptions options, flags.model.runner_options());
  options.profile = true;
  LAPIS_TRY(const std::unique_ptr<Runner> runner, flags.model.open(flags.model.model, options));
  if (!runner->session())
    return error(ErrorKind::Usage, "explain shows generated code; the reference backend generates none")
        .help("leave out --backend");
  LAPIS_TRY(const std::unique_ptr<Graph> graph, graph_of(flags, options));
  std::optional<Reasons> reasons;
  if (graph) {
    LAPIS_TRY(reasons, Reasons::of(*graph, recipe, options.target));
  }
  LAPIS_TRY(const std::vector<MeasuredStep> steps, measured_steps(*runner, flags.runs));
  Report report = report_of(steps, reasons, runner->session()->program(), flags.wide ? 0 : kWidth);
  if (flags.ranges) add_ranges(graph.get(), report);
  if (!flags.sensitivity.data.empty()) {
    LAPIS_CHECK(check_float(graph.get(), reasons, flags.model.model));
    LAPIS_CHECK(add_sensitivity_table(flags.sensitivity, flags.model, recipe, report));
  }
  for (const Requirement& r : required) LAPIS_CHECK(Gate(steps, reasons).check(r, report));
  return report;
}

}  // namespace

Action declare_explain(Arguments& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.add_model(app, ModelFlags::Takes::ArtifactsToo);
  flags->model.add_running(app);
  flags->model.add_schedules(app);
  app.add_option("--runs", flags->runs, "Runs; times are medians over them")
      .capture_default_str()
      .check(integer_between(1, 100000));
  app.add_option(
         "--require", flags->required,
         "Exit with 1 unless all nodes of an operator, or whose name matches, compute so: Conv:int8, repeatable")
      .type_name("NODES:PRECISION");
  app.add_option("--recipe", flags->recipe, "Why nodes of a float model would not be int8 by this recipe")
      .type_name("R.yaml");
  add_sensitivity(app, flags->sensitivity);
  app.add_flag("--ranges", flags->ranges, "List what the integers of every Q/DQ pair stand for");
  app.add_flag("--wide", flags->wide, "Every node of every step, however long the lines become");
  return [flags] { return explain(*flags); };
}

}  // namespace lapis::cli
