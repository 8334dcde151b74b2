// lapis diff A B: two models of one network (before and after quantization, say) by node: precision, error, time, size.
// Two recipes with --model: what they ask for differently.
#include <algorithm>
#include <map>
#include <set>

#include "base/printable.h"
#include "base/suggest.h"
#include "ir/op.h"
#include "passes/pipeline.h"
#include "passes/quantize/damage.h"
#include "tools/lapis/compression.h"
#include "tools/lapis/inputs.h"
#include "tools/lapis/steps.h"
#include "tuning/recipe.h"

namespace lapis::cli {
namespace {

struct Flags {
  ModelFlags model;  // the first of both
  std::string other, data, network;
  int runs = 20;
  int64_t samples = 4;
  bool wide = false;
};

constexpr size_t kWidth = 120;

// ---- one side -------------------------------------------------------------------------------------------------------

struct Side {
  std::string file;
  std::unique_ptr<Graph> graph;  // null: an artifact
  std::unique_ptr<Runner> runner;
  std::vector<MeasuredStep> steps;
  std::unordered_map<std::string, int64_t> bytes;  // of the constants that a node reads
};

// Weights in fewer bits are behind a DequantizeLinear.
int64_t constant_bytes(const Node& node) {
  int64_t bytes = 0;
  for (const Value* v : node.inputs()) {
    if (!v) continue;
    if (v->is_constant()) bytes += v->constant().bytes();
    const Node* made = v->producer();
    const auto constant = [](const Value* operand) { return !operand || operand->is_constant(); };
    if (made && std::all_of(made->inputs().begin(), made->inputs().end(), constant)) bytes += constant_bytes(*made);
  }
  return bytes;
}

// Sizes that exporters compute from constants (the amounts of a Pad) are known only then.
Status fold_sizes(Graph& graph) {
  PassContext context;
  LAPIS_TRY(const auto ran, PassRunner({}).run(graph, *parse_pipeline("fold-constants"), context));
  static_cast<void>(ran);
  return ok();
}

Result<Side> open_side(const Flags& flags, const std::string& file) {
  Side side{file, nullptr, nullptr, {}, {}};
  LAPIS_TRY(RunnerOptions options, flags.model.runner_options());
  options.profile = true;
  LAPIS_TRY(const ModelKind kind, model_kind(file, flags.model.artifact));
  if (kind == ModelKind::Model) {
    LAPIS_TRY(side.graph, flags.model.load(file, options.model));
    for (const Node* node : side.graph->nodes()) side.bytes[node->name()] = constant_bytes(*node);
    LAPIS_CHECK(fold_sizes(*side.graph));
  }
  LAPIS_TRY(side.runner, flags.model.open(file, options));
  if (!side.runner->session())
    return error(ErrorKind::Usage, "diff compares generated code; the reference backend generates none")
        .help("leave out --backend");
  LAPIS_TRY(side.steps, measured_steps(*side.runner, flags.runs));
  return side;
}

// ---- which steps correspond -----------------------------------------------------------------------------------------

struct Half {
  std::set<std::string> precisions;
  double microseconds = 0;
  int64_t bytes = 0;
  bool there = false;
};

// Nodes that are computed together in one of the models.
struct Row {
  std::vector<std::string> nodes;
  Half halves[2];
  std::optional<double> sqnr;  // of the last of them that both models have
};

class Table {
 public:
  Table(const Side& a, const Side& b) {
    const Side* sides[2] = {&a, &b};
    for (const Side* side : sides)
      for (const MeasuredStep& step : side->steps) join(step.info->nodes);
    for (size_t i = 0; i < 2; ++i)
      for (const MeasuredStep& step : sides[i]->steps) add(step, *sides[i], i);
  }

  void add_errors(const Damage& damage) {
    for (const NodeDamage& n : damage.nodes)
      if (const auto it = row_of_.find(root(n.node)); it != row_of_.end()) rows[it->second].sqnr = n.sqnr;
  }

  std::vector<Row> rows;
  Row helpers;  // steps that are no node's: copies, fills of borders

  bool have_common_nodes() const {
    return std::any_of(rows.begin(), rows.end(), [](const Row& r) { return r.halves[0].there && r.halves[1].there; });
  }

 private:
  std::string root(std::string node) const {
    for (auto it = parent_.find(node); it != parent_.end() && it->second != node; it = parent_.find(node))
      node = it->second;
    return node;
  }
  void join(const std::vector<std::string>& nodes) {
    for (const std::string& node : nodes) {
      parent_.emplace(node, node);
      const std::string a = root(nodes[0]), b = root(node);
      if (a != b) parent_[b] = a;
    }
  }

  void add(const MeasuredStep& step, const Side& side, size_t which) {
    Row& row = row_for(step.info->nodes);
    Half& half = row.halves[which];
    half.there = true;
    half.microseconds += step.microseconds;
    half.precisions.insert(step.info->precision);
    for (const std::string& node : step.info->nodes) {
      if (std::find(row.nodes.begin(), row.nodes.end(), node) == row.nodes.end()) row.nodes.push_back(node);
      if (const auto it = side.bytes.find(node); it != side.bytes.end()) half.bytes += it->second;
    }
  }
  Row& row_for(const std::vector<std::string>& nodes) {
    if (nodes.empty()) return helpers;
    const auto [it, added] = row_of_.emplace(root(nodes[0]), rows.size());
    if (added) rows.emplace_back();
    return rows[it->second];
  }

  std::map<std::string, std::string> parent_;
  std::map<std::string, size_t> row_of_;  // by the node that stands for all in it
};

// ---- errors ---------------------------------------------------------------------------------------------------------

Status check_same_inputs(const Graph& a, const Graph& b) {
  const auto described = [](const Graph& graph) {
    std::map<std::string, std::string> types;
    for (const Value* v : graph.inputs()) types[v->name()] = v->type().to_string();
    std::vector<std::string> list;
    for (const auto& [name, type] : types) list.push_back("'" + name + "' " + type);
    return joined(list);
  };
  if (described(a) == described(b)) return ok();
  return error(ErrorKind::Mismatch, "the models take other inputs: " + described(a) + " and " + described(b))
      .help("diff compares two models of one network");
}

// Samples of the data, or one of random numbers.
Result<std::vector<Feeds>> samples_for(const Flags& flags, const Side& side) {
  std::vector<Feeds> samples;
  if (flags.data.empty()) {
    LAPIS_TRY(const std::vector<Tensor> inputs, random_inputs(side.runner->inputs(), 1, side.graph.get()));
    Feeds feeds;
    for (size_t i = 0; i < inputs.size(); ++i) feeds[side.runner->inputs()[i].name] = inputs[i];
    return std::vector{std::move(feeds)};
  }
  LAPIS_TRY(const Dataset data,
            load_dataset(flags.data, side.graph->inputs().empty() ? "" : side.graph->inputs()[0]->name()));
  const Dataset some = data.limited_to(flags.samples);
  for (int64_t i = 0; i < some.size(); ++i) {
    LAPIS_TRY(Feeds feeds, some.sample(i));
    samples.push_back(std::move(feeds));
  }
  return samples;
}

Result<std::optional<Damage>> errors_of(const Flags& flags, const Side& a, const Side& b) {
  if (!a.graph || !b.graph) return std::optional<Damage>();
  LAPIS_CHECK(check_same_inputs(*a.graph, *b.graph));
  LAPIS_TRY(const std::vector<Feeds> samples, samples_for(flags, a));
  const std::unique_ptr<Evaluator> evaluator = jit_evaluator(flags.model.threads);
  LAPIS_TRY(Damage damage, measure_damage(*a.graph, *b.graph, *evaluator, samples));
  return std::optional(std::move(damage));
}

// ---- the report -----------------------------------------------------------------------------------------------------

std::string types_of(const Half& half) {
  return half.there ? joined({half.precisions.begin(), half.precisions.end()}, "+") : "-";
}

std::vector<std::string> cells(const Row& row, const std::string& nodes) {
  const Half &a = row.halves[0], &b = row.halves[1];
  return {fixed(a.microseconds, 1),
          fixed(b.microseconds, 1),
          types_of(a),
          types_of(b),
          row.sqnr ? print_sqnr(*row.sqnr) : "",
          std::to_string(a.bytes),
          std::to_string(b.bytes),
          nodes};
}

nlohmann::ordered_json half_json(const Half& half) {
  return {{"precision", types_of(half)}, {"microseconds", half.microseconds}, {"bytes", half.bytes}};
}

void add_total(Row& total, const Row& row) {
  for (size_t i = 0; i < 2; ++i) {
    total.halves[i].there = true;
    total.halves[i].microseconds += row.halves[i].microseconds;
    total.halves[i].bytes += row.halves[i].bytes;
  }
}

Report describe(const Table& diff, const std::optional<Damage>& damage, bool wide) {
  Report report;
  report.json["nodes"] = nlohmann::ordered_json::array();
  std::vector<std::vector<std::string>> lines = {
      {"a us", "b us", "a type", "b type", "b to a", "a bytes", "b bytes", "nodes"}};
  Row total = diff.helpers;
  for (const Row& row : diff.rows) {
    add_total(total, row);
    lines.push_back(cells(row, printable(joined(row.nodes, " + "))));
    nlohmann::ordered_json json = {
        {"nodes", row.nodes}, {"a", half_json(row.halves[0])}, {"b", half_json(row.halves[1])}};
    if (row.sqnr) json["sqnr"] = sqnr_json(*row.sqnr);
    report.json["nodes"].push_back(std::move(json));
  }
  lines.push_back(cells(diff.helpers, "(copies and borders)"));
  for (Half& half : total.halves) half.precisions = {""};
  lines.push_back(cells(total, "total"));
  report.json["total"] = {{"a", half_json(total.halves[0])}, {"b", half_json(total.halves[1])}};
  report.text = table(lines, wide ? 0 : kWidth);
  if (damage) report.json["damage"] = as_json(*damage);
  for (const OutputDamage& o : damage ? damage->outputs : std::vector<OutputDamage>())
    report.text += "output '" + printable(o.output) + "': " + print_sqnr(o.sqnr) + "\n";
  return report;
}

Result<Report> diff_models(const Flags& flags) {
  LAPIS_TRY(const Side a, open_side(flags, flags.model.model));
  LAPIS_TRY(const Side b, open_side(flags, flags.other));
  Table diff(a, b);
  if (!diff.have_common_nodes())
    return error(ErrorKind::Mismatch, "no node of the first model has the name of one of the second")
        .help("diff compares two models of one network, whose nodes kept their names");
  LAPIS_TRY(const std::optional<Damage> damage, errors_of(flags, a, b));
  if (damage) diff.add_errors(*damage);
  return describe(diff, damage, flags.wide);
}

// ---- recipes --------------------------------------------------------------------------------------------------------

bool is_recipe(const std::string& file) { return file.ends_with(".yaml") || file.ends_with(".yml"); }

std::string described(const NodeRecipe& r) {
  std::string text(name_of(r.precision));
  if (r.precision == Precision::Int8) {
    text += ", data " + r.data.to_string() + ", weights " + r.weights.to_string() + " by " +
            std::string(name_of(r.algorithm)) + ", range " + std::string(name_of(r.range.method));
    if (r.range.method == RangeMethod::Percentile) text += " " + fixed(r.range.percentile, 3);
    if (r.smooth) text += r.smooth->automatic ? ", smooth auto" : ", smooth " + fixed(r.smooth->alpha, 2);
    if (r.equalize) text += ", equalized";
    if (r.correct_bias) text += *r.correct_bias ? ", bias corrected" : ", bias not corrected";
  }
  if (r.sparsity.on())
    text += ", " + fixed(100 * r.sparsity.ratio, 1) + " % pruned, " + name_of(r.sparsity.pattern) + " in each " +
            std::string(name_of(r.sparsity.scope)) + (r.sparsity.compensate ? ", compensated" : "");
  return text;
}

Result<Report> diff_recipes(const Flags& flags) {
  if (flags.network.empty())
    return error(ErrorKind::Usage, "recipes are compared by the nodes of a model").help("name it: --model M.onnx");
  LAPIS_TRY(const Recipe a, read_recipe(flags.model.model));
  LAPIS_TRY(const Recipe b, read_recipe(flags.other));
  LAPIS_TRY(const ModelOptions options, flags.model.model_options());
  LAPIS_TRY(const Target target, Target::parse(flags.model.target));
  LAPIS_TRY(const std::unique_ptr<Graph> graph, flags.model.import(flags.network, options));
  PassContext context;
  LAPIS_TRY(const auto ran, PassRunner({}).run(*graph, *parse_pipeline("simplify,expand"), context));
  static_cast<void>(ran);
  LAPIS_TRY(const NodeRecipes of_a, resolve(a, *graph, target));
  LAPIS_TRY(const NodeRecipes of_b, resolve(b, *graph, target));
  Report report;
  report.json["nodes"] = nlohmann::ordered_json::array();
  for (const Node* node : graph->nodes()) {
    if (of_a.of(*node) == of_b.of(*node)) continue;
    const std::string in_a = described(of_a.of(*node)), in_b = described(of_b.of(*node));
    report.json["nodes"].push_back({{"node", node->name()}, {"operator", node->op().name}, {"a", in_a}, {"b", in_b}});
    report.text +=
        std::string(node->op().name) + " '" + printable(node->name()) + "'\n  a: " + in_a + "\n  b: " + in_b + "\n";
  }
  report.text += std::to_string(report.json["nodes"].size()) + " of " + std::to_string(graph->node_count()) +
                 " nodes are asked for differently\n";
  return report;
}

Result<Report> diff(const Flags& flags) {
  const bool recipe = is_recipe(flags.model.model);
  if (recipe != is_recipe(flags.other))
    return error(ErrorKind::Usage, "one is a recipe, the other a model").help("give two of a kind");
  if (!recipe && !flags.network.empty())
    return error(ErrorKind::Usage, "--model is for two recipes").help("leave it out");
  return recipe ? diff_recipes(flags) : diff_models(flags);
}

}  // namespace

Action declare_diff(Arguments& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.add_model(app, ModelFlags::Takes::ArtifactsToo);
  app.add_option("other", flags->other, "Another model of the same network, or an artifact; or both are recipes")
      .required()
      .type_name("OTHER");
  flags->model.add_running(app);
  app.add_option("--model", flags->network, "The model that two recipes are for").type_name("M.onnx");
  app.add_option("--data", flags->data, "Samples to measure errors on (docs/datasets.md), or a .npy; else random ones")
      .type_name("DATA");
  app.add_option("--samples", flags->samples, "Samples of them, evenly spread")
      .capture_default_str()
      .check(at_least(1));
  app.add_option("--runs", flags->runs, "Runs; times are medians over them")
      .capture_default_str()
      .check(integer_between(1, 100000));
  app.add_flag("--wide", flags->wide, "Every node of every row, however long the lines become");
  return [flags] { return diff(*flags); };
}

}  // namespace lapis::cli
