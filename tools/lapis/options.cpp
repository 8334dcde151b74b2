#include "tools/lapis/options.h"

#include <algorithm>
#include <utility>

#include "base/suggest.h"
#include "frontends/frontend.h"
#include "ir/infer.h"
#include "tuning/data/npy.h"

namespace lapis::cli {

Argument ModelFlags::add_model(Arguments& app, Takes takes) {
  const Argument argument =
      app.add_option("model", model,
                     takes == Takes::Models
                         ? "A model of any format that Lapis reads"
                         : "A model of any format that Lapis reads, or an artifact made by `lapis compile`")
          .required()
          .type_name("MODEL");
  app.add_option("--dim", dims, "Value of a symbolic dimension, e.g. --dim S=64 (a batch dimension defaults to 1)")
      .type_name("NAME=VALUE");
  app.add_option("--shape", shapes, "Shape of an input, e.g. --shape image=1x3x224x224").type_name("INPUT=SHAPE");
  app.add_option("--value", values,
                 "Number that an input always is, which the model then has no more, e.g. --value sr=16000")
      .type_name("INPUT=NUMBER");
  app.add_option("--inputs", part.inputs, "Values at which the wanted part of a TensorFlow model begins")
      .delimiter(',')
      .type_name("NAME,...");
  app.add_option("--outputs", part.outputs, "Values at which it ends").delimiter(',').type_name("NAME,...");
  app.add_option("--signature", part.signature,
                 "Signature of a SavedModel or a TFLite model; serving_default, or the first graph")
      .type_name("NAME");
  return argument;
}

void ModelFlags::add_running(Arguments& app) {
  app.add_option("--target", target, "Machine to generate code for, e.g. x86-64+avx2").capture_default_str();
  app.add_option("--threads", threads, "Threads; 0: one per core")
      .capture_default_str()
      .check(integer_between(0, 1024));
  add_code_cache(app);
  app.add_flag("--perf-map", perf_map, "Write /tmp/perf-PID.map, so that `perf report` names generated functions");
  app.add_flag("--artifact", artifact, "Run machine code from an artifact that is not named .lapis");
  app.add_option("--backend", backend,
                 "jit; reference: the slow evaluator on the model as it was read, which defines the results;\n"
                 "reference-after-passes: the same on what the compile pipeline makes of it")
      .capture_default_str()
      .check(one_of({"jit", "reference", "reference-after-passes"}));
}

void ModelFlags::add_schedules(Arguments& app) {
  app.add_option("--schedules", schedules, "Kernels and tiles to use instead of those that the cost model chooses")
      .type_name("FILE");
}

Result<codegen::Schedules> ModelFlags::read_schedules() const {
  if (schedules.empty()) return codegen::Schedules{};
  LAPIS_TRY(const std::string text, read_file(schedules));
  return codegen::parse_schedules(text, schedules);
}

void ModelFlags::add_code_cache(Arguments& app) {
  app.add_option("--code-cache", code_cache, "Take code from this file, and keep what is new there for the next time")
      .type_name("FILE");
}

std::shared_ptr<Caches> ModelFlags::caches() const {
  return code_cache.empty() ? process_caches() : std::make_shared<Caches>(code_cache);
}

static Result<std::pair<std::string, std::string>> split(const std::string& text, const std::string& flag,
                                                         const std::string& form) {
  const size_t at = text.find('=');
  if (at == std::string::npos || at == 0 || at + 1 >= text.size())
    return error(ErrorKind::Usage, flag + " '" + text + "' is incomplete").help("write " + flag + " " + form);
  return std::pair(text.substr(0, at), text.substr(at + 1));
}

static constexpr size_t kMostDigits = 12;

static std::optional<int64_t> parse_size(const std::string& text) {
  if (text.empty() || text.size() > kMostDigits ||
      !std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); }))
    return std::nullopt;
  return std::stoll(text);
}

static Diagnostic given_twice(const std::string& flag, const std::string& name) {
  return error(ErrorKind::Usage, flag + " gives '" + name + "' twice").help("leave one of them out");
}

static Result<Shape> parse_shape(const std::string& text, const std::string& flag) {
  Shape shape;
  const std::string rest = text + "x";
  for (size_t at = 0, end; (end = rest.find('x', at)) != std::string::npos; at = end + 1) {
    const auto value = parse_size(rest.substr(at, end - at));
    if (!value)
      return error(ErrorKind::Usage, "--shape '" + flag + "' is not a shape").help("write --shape INPUT=1x3x224x224");
    shape.push_back(*value);
  }
  return shape;
}

static void append(Diagnostics& found, Diagnostics more) {
  for (Diagnostic& d : more) found.push_back(std::move(d));
}

static Status add_dim(ModelOptions& options, const std::string& text) {
  LAPIS_TRY(const auto pair, split(text, "--dim", "NAME=VALUE"));
  const auto value = parse_size(pair.second);
  if (!value)
    return error(ErrorKind::Usage, "--dim '" + text + "': the value is not a size")
        .help("write --dim NAME=VALUE, a whole number from 0 to " + std::string(kMostDigits, '9'));
  if (!options.dims.emplace(pair.first, *value).second) return given_twice("--dim", pair.first);
  return ok();
}

static Status add_shape(ModelOptions& options, const std::string& text) {
  LAPIS_TRY(const auto pair, split(text, "--shape", "INPUT=1x3x224x224"));
  LAPIS_TRY(Shape parsed, parse_shape(pair.second, text));
  if (!options.shapes.emplace(pair.first, std::move(parsed)).second) return given_twice("--shape", pair.first);
  return ok();
}

static Status add_value(ModelOptions& options, const std::string& text) {
  LAPIS_TRY(const auto pair, split(text, "--value", "INPUT=NUMBER"));
  const auto value = Number::parse(pair.second);
  if (!value)
    return error(ErrorKind::Usage, "--value '" + text + "' is not a number").help("write --value INPUT=NUMBER");
  if (!options.values.emplace(pair.first, *value).second) return given_twice("--value", pair.first);
  return ok();
}

Result<ModelOptions> ModelFlags::model_options() const {
  ModelOptions options;
  Diagnostics found;
  const auto add_all = [&](const std::vector<std::string>& texts, Status (&add)(ModelOptions&, const std::string&)) {
    for (const std::string& text : texts)
      if (Status added = add(options, text); !added.ok()) append(found, std::move(added).diagnostics());
  };
  add_all(dims, add_dim);
  add_all(shapes, add_shape);
  add_all(values, add_value);
  if (!found.empty()) return found;
  return options;
}

Result<RunnerOptions> ModelFlags::runner_options() const {
  RunnerOptions options;
  LAPIS_TRY(options.model, model_options());
  LAPIS_TRY(options.target, Target::parse(target));
  LAPIS_TRY(options.schedules, read_schedules());
  if (backend == "reference") options.backend = Backend::Reference;
  if (backend == "reference-after-passes") options.backend = Backend::ReferenceAfterPasses;
  options.threads = threads;
  options.caches = caches();
  options.perf_map = perf_map;
  options.artifact_of_any_name = artifact;
  return options;
}

static std::vector<std::string> input_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const Value* v : graph.inputs()) names.push_back(v->name());
  return names;
}

static bool contains(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

// Flags that name what the model does not have: a slip of the pen, which must not go unnoticed.
// They are said, and gone from what the graph is bound to, so that what else is wrong is said too.
static Diagnostics take_unknown(const Graph& graph, const ModelOptions& flags, ModelOptions& left) {
  const std::vector<std::string> symbols = free_symbols(graph), inputs = input_names(graph);
  Diagnostics found;
  for (const auto& [name, value] : flags.dims)
    if (!contains(symbols, name)) {
      left.dims.erase(name);
      found.push_back(error(ErrorKind::Usage, "--dim: the model has no symbolic dimension '" + name + "'")
                          .help(symbols.empty() ? "leave it out: the inputs have fixed shapes (`lapis inspect`)"
                                                : suggestion(name, symbols)));
    }
  const auto check_input = [&](const std::string& flag, const std::string& name, auto& bound) {
    if (contains(inputs, name)) return;
    bound.erase(name);
    found.push_back(error(ErrorKind::Usage, flag + ": the model has no input '" + name + "'")
                        .help(inputs.empty() ? "leave it out: the model has no inputs" : suggestion(name, inputs)));
  };
  for (const auto& [name, shape] : flags.shapes) check_input("--shape", name, left.shapes);
  for (const auto& [name, value] : flags.values) check_input("--value", name, left.values);
  return found;
}

Result<std::unique_ptr<Graph>> ModelFlags::import(const Path& file, const ModelOptions& options) const {
  LAPIS_TRY(ModelOptions flags, model_options());
  ModelOptions left = options;
  LAPIS_TRY(std::unique_ptr<Graph> graph, import_with(file, part, left));
  const auto is_taken = [](const auto& of) { return [&](const auto& flag) { return !of.contains(flag.first); }; };
  std::erase_if(flags.dims, is_taken(left.dims));
  std::erase_if(flags.values, is_taken(left.values));
  Diagnostics found = take_unknown(*graph, flags, left);
  if (left.dims.empty() && left.shapes.empty() && left.values.empty() && found.empty()) return graph;
  if (Status bound = bind_model(*graph, left); !bound.ok()) append(found, std::move(bound).diagnostics());
  LAPIS_CHECK(status_of(in_file(std::move(found), file, graph->name())));
  return graph;
}

Result<std::unique_ptr<Graph>> ModelFlags::load(const Path& file, const ModelOptions& options) const {
  LAPIS_TRY(std::unique_ptr<Graph> graph, import(file, options));
  if (options.all_free) return graph;
  LAPIS_CHECK(in_file(bind_model(*graph, {}), file, graph->name()));
  return graph;
}

// Shapes and machine were fixed when the artifact was compiled.
Status ModelFlags::check_artifact(const Path& file) const {
  const char* flag = !dims.empty()             ? "--dim"
                     : !shapes.empty()         ? "--shape"
                     : !values.empty()         ? "--value"
                     : !part.inputs.empty()    ? "--inputs"
                     : !part.outputs.empty()   ? "--outputs"
                     : !part.signature.empty() ? "--signature"
                     : target != "host"        ? "--target"
                     : !schedules.empty()      ? "--schedules"
                     : !code_cache.empty()     ? "--code-cache"
                                               : nullptr;
  if (!flag) return ok();
  return error(ErrorKind::Usage, std::string(flag) + " does nothing for an artifact, whose code is generated already")
      .at(file.string())
      .help("compile the model again with " + std::string(flag));
}

// What has no code makes a model slow, and keeps it out of artifacts.
static void warn_of_host_calls(const Program& program, const Path& file) {
  std::vector<std::string> names;
  for (const StepInfo& s : program.steps)
    if (const auto* call = std::get_if<CallInfo>(&s.action); call && call->host)
      names.push_back("'" + s.name + "' (" + s.op + ")");
  if (names.empty()) return;
  const size_t shown = std::min<size_t>(names.size(), 4);
  std::string list = joined({names.begin(), names.begin() + static_cast<ptrdiff_t>(shown)}, ", ");
  if (shown < names.size()) list += ", ...";
  std::fputs(to_string({warning(std::to_string(names.size()) + " of " + std::to_string(program.steps.size()) +
                                " steps have no code and run in the reference evaluator: " + list)
                            .at(file.string())
                            .help("`lapis explain` shows what they cost; an artifact or object cannot hold them")})
                 .c_str(),
             stderr);
}

Result<std::unique_ptr<Runner>> ModelFlags::open(const Path& file, const RunnerOptions& options) const {
  LAPIS_TRY(const ModelKind kind, model_kind(file, options.artifact_of_any_name));
  if (kind == ModelKind::Artifact) {
    LAPIS_CHECK(check_artifact(file));
    return open_model(file, options);
  }
  LAPIS_TRY(const std::unique_ptr<Graph> graph, load(file, options.model));
  LAPIS_TRY(std::unique_ptr<Runner> runner, in_file(open_graph(*graph, options), file, graph->name()));
  std::fputs(to_string(options.caches->warnings()).c_str(), stderr);
  if (Session* session = runner->session()) warn_of_host_calls(session->program(), file);
  return runner;
}

Result<Dataset> load_dataset(const std::string& path, const std::string& first_input) {
  return path.ends_with(".npy") ? Dataset::from_npy(path, first_input) : Dataset::load(path);
}

Result<Feeds> read_feeds(const std::vector<std::string>& inputs) {
  Feeds feeds;
  for (const std::string& input : inputs) {
    LAPIS_TRY(const auto pair, split(input, "--input", "NAME=@FILE.npy"));
    const std::string file = pair.second.starts_with("@") ? pair.second.substr(1) : pair.second;
    if (feeds.contains(pair.first)) return given_twice("--input", pair.first);
    LAPIS_TRY(feeds[pair.first], read_npy(file));
  }
  return feeds;
}

void bind_to(const Feeds& feeds, ModelOptions& options) {
  for (const auto& [name, tensor] : feeds) options.shapes.emplace(name, tensor.shape());
}

double percentile(std::vector<double> values, double p) {
  LAPIS_ASSERT(!values.empty(), "percentile of nothing");
  std::sort(values.begin(), values.end());
  const double at = p / 100 * static_cast<double>(values.size() - 1);
  const auto low = static_cast<size_t>(at);
  const size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (values[high] - values[low]) * (at - static_cast<double>(low));
}

}  // namespace lapis::cli
