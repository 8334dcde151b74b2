#include "driver/compile.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "base/stopwatch.h"
#include "codegen/emit.h"
#include "codegen/kernels/blocking.h"
#include "codegen/kernels/schedule.h"
#include "codegen/kernels/slabs.h"
#include "codegen/lower/lower.h"
#include "driver/crash.h"
#include "frontends/frontend.h"
#include "frontends/onnx/export.h"
#include "ir/infer.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"
#include "ir/verify.h"
#include "passes/pipeline.h"
#include "runtime/memory.h"

namespace lapis {
namespace {

// Symbols that occur only as the first dimension of inputs.
std::vector<std::string> batch_symbols(const Graph& graph) {
  std::set<std::string> leading, inner;
  for (const Value* input : graph.inputs()) {
    if (!input->type().is_tensor() || !input->type().ranked()) continue;
    const Dims& dims = *input->type().dims;
    for (size_t i = 0; i < dims.size(); ++i)
      for (const std::string& symbol : dims[i].symbols()) (i == 0 ? leading : inner).insert(symbol);
  }
  std::vector<std::string> batch;
  for (const std::string& symbol : leading)
    if (!inner.contains(symbol)) batch.push_back(symbol);
  return batch;
}

// ---- what the interpreter does, with addresses instead of buffers ---------------------------------------------------

class Actions {
 public:
  explicit Actions(const Plan& plan) : plan_(plan) {}

  Action operator()(const Loop&) const { return {}; }
  Action operator()(const Contraction&) const { return {}; }
  Action operator()(const Call& call) const {
    CallInfo info{call.routine, {}, {}, call.parameters, call.host};
    for (const View& view : call.inputs) info.inputs.push_back(tensor(view));
    for (const View& view : call.outputs) info.outputs.push_back(tensor(view));
    return info;
  }
  Action operator()(const Branch& branch) const {
    return BranchInfo{place(branch.condition), static_cast<uint64_t>(branch.otherwise),
                      static_cast<uint64_t>(branch.end)};
  }
  Action operator()(const Repeat& repeat) const {
    RepeatInfo info;
    if (repeat.trips) info.trips = place(*repeat.trips);
    if (repeat.condition) info.condition = place(*repeat.condition);
    info.counter = place(repeat.counter);
    for (const Repeat::Collection& c : repeat.collections)
      info.collections.push_back({place(c.part), place(c.all), byte_size(c.part.dtype, element_count(c.part.shape)),
                                  c.all.shape[0], c.backwards});
    info.end = static_cast<uint64_t>(repeat.end);
    return info;
  }

 private:
  Place place(const View& view) const {
    const Buffer& b = plan_.buffers[static_cast<size_t>(view.buffer)];
    const auto within = static_cast<uint64_t>(view.offset * bit_width(view.dtype) / 8),
               at = static_cast<uint64_t>(b.offset);
    if (b.space == Space::Constant) return {Place::Base::Constants, at + within, 0};
    if (b.space == Space::Weights) return {Place::Base::Weights, at + within, 0};
    if (b.space == Space::Arena) return {Place::Base::Arena, at + within, 0};
    return {Place::Base::Io, within, at};
  }
  TensorPlace tensor(const View& view) const { return {place(view), view.dtype, view.shape}; }

  const Plan& plan_;
};

// The row of the kernel table, "loop", or the routine.
std::string kernel_of(const Region& region) {
  if (const auto* c = std::get_if<Contraction>(&region)) return std::string(kernels::name_of_row(c->schedule.row));
  if (const auto* call = std::get_if<Call>(&region)) return "call " + call->routine;
  return std::holds_alternative<Loop>(region) ? "loop" : "control";
}

int64_t macs_of(const Region& region) {
  const auto* c = std::get_if<Contraction>(&region);
  return c ? c->pixels * c->channels * static_cast<int64_t>(c->taps.size()) * c->k : 0;
}

StepInfo describe(const Step& step, const CodeImage::Symbol& symbol, const Plan& plan) {
  StepInfo info;
  info.name = symbol.name;
  info.op = step.op;
  info.precision = step.precision;
  info.kernel = kernel_of(step.region);
  info.nodes = step.nodes;
  info.note = step.note;
  info.code_offset = symbol.offset;
  info.code_size = symbol.size;
  info.units = symbol.units;
  info.arguments = symbol.arguments;
  info.macs = macs_of(step.region);
  info.action = std::visit(Actions(plan), step.region);
  return info;
}

std::vector<IoInfo> describe(const std::vector<PlanIo>& list) {
  std::vector<IoInfo> infos;
  infos.reserve(list.size());
  for (const PlanIo& io : list) infos.push_back({io.name, io.dtype, io.shape});
  return infos;
}

// What a program keeps alive.
struct Owned {
  std::shared_ptr<std::byte> memory;
  std::vector<std::shared_ptr<const void>> libraries;  // what its code calls
};

std::vector<std::shared_ptr<const void>> libraries_of(const Plan& plan) {
  std::vector<std::shared_ptr<const void>> libraries;
  for (const Step& step : plan.steps)
    if (const auto* c = std::get_if<Contraction>(&step.region); c && c->library)
      libraries.push_back(c->library->context);
  return libraries;
}

// Code and constants in one allocation: aligned, on huge pages where they are large.
Status own_bytes(Program& program, const Plan& plan, const CodeImage& code) {
  const auto constants = static_cast<int64_t>(plan.constants.size());
  LAPIS_TRY(auto memory, allocate_arena(constants + static_cast<int64_t>(code.bytes.size())));
  if (constants) std::memcpy(memory.get(), plan.constants.data(), plan.constants.size());
  if (!code.bytes.empty()) std::memcpy(memory.get() + constants, code.bytes.data(), code.bytes.size());
  program.constants = {memory.get(), plan.constants.size()};
  program.code = {memory.get() + constants, code.bytes.size()};
  program.owner = std::make_shared<const Owned>(Owned{memory, libraries_of(plan)});
  return ok();
}

// The highest entry of a column that the last slab of a batch reads, which may be a row shorter than the table.
int64_t reach_of_last(const Contraction& c, const kernels::Slabs& slabs, size_t column) {
  const int64_t most = slabs.most_pixels(), last = slabs.pixels_of(slabs.of_batch() - 1);
  const int64_t missing = most == last ? 0 : c.grid.address(column, most) - c.grid.address(column, last);
  return slabs.reach(column) - missing;
}

// Where the addresses in the tables of a contraction may lie.
void add_tables(Program& program, const Contraction& c, const Plan& plan) {
  const auto buffer_bytes = [&](int buffer) {
    return static_cast<uint64_t>(plan.buffers[static_cast<size_t>(buffer)].bytes);
  };
  enum Part : size_t { kWeights, kParameters, kPixels, kUnits };
  const auto offset = [&](Part p) { return static_cast<uint64_t>(c.packed_offset[p]); };
  const auto bytes = [&](Part p) { return static_cast<uint64_t>(c.packed_bytes[p]); };
  const ComputedWeights* const computed = c.computed ? &*c.computed : nullptr;
  const uint64_t weights = computed ? buffer_bytes(computed->panels.buffer) : bytes(kWeights),
                 params = computed && computed->starts ? buffer_bytes(computed->starts->buffer) : bytes(kParameters);
  std::vector<uint64_t> buffers(c.grid.columns.size());
  buffers[0] = buffer_bytes(c.input.buffer);
  buffers[1] = buffer_bytes(c.output.buffer);
  for (const EpilogueOperand& o : c.operands)
    if (o.has_column()) buffers[static_cast<size_t>(o.column)] = buffer_bytes(o.view.buffer);
  // An address is the sum of an entry of the unit and one of the table: each has its share of the buffer.
  const kernels::Slabs slabs(c);
  const auto rows = static_cast<uint64_t>(slabs.most_pixels());
  TableInfo table{offset(kPixels), rows, {}};
  // The words of kernels::Unit.
  TableInfo units{offset(kUnits),
                  static_cast<uint64_t>(c.units),
                  {weights, params, bytes(kPixels), rows + 1, rows + 1, kernels::kMostKinds}};
  for (size_t column = 0; column < buffers.size(); ++column) {
    table.limits.push_back(static_cast<uint64_t>(slabs.reach(column)) + 1);
    const auto reach = static_cast<uint64_t>(reach_of_last(c, slabs, column));
    units.limits.push_back(buffers[column] - std::min(reach, buffers[column]));
  }
  program.tables.push_back(std::move(table));
  program.tables.push_back(std::move(units));
}

Result<Program> make_program(const Plan& plan, const CodeImage& code, uint64_t source_hash) {
  Program program;
  program.target = plan.target.to_string();
  program.source_hash = source_hash;
  program.producer = std::string(kVersion);
  program.inputs = describe(plan.inputs);
  program.outputs = describe(plan.outputs);
  for (size_t s = 0; s < plan.steps.size(); ++s)
    program.steps.push_back(describe(plan.steps[s], code.symbols[s], plan));
  program.arena_bytes = plan.arena_bytes;
  program.weights = plan.weights;
  LAPIS_CHECK(own_bytes(program, plan, code));
  for (const Step& step : plan.steps)
    if (const auto* c = std::get_if<Contraction>(&step.region); c && !c->library) add_tables(program, *c, plan);
  const auto flaw = flaw_of_tables(program);
  LAPIS_ASSERT(!flaw, *flaw);
  return program;
}

Status check_symbols(const Graph& graph) {
  Diagnostics diagnostics;
  for (const std::string& symbol : free_symbols(graph))
    diagnostics.push_back(
        error(ErrorKind::Usage, "the dimension '" + symbol + "' has no value, but code is generated for fixed shapes")
            .help("give it one with --dim " + symbol + "=VALUE"));
  return status_of(std::move(diagnostics));
}

Diagnostic io_error(ErrorKind kind, const char* what, const Value& value, const std::string& why) {
  return error(kind, std::string(what) + " '" + value.name() + "' is " + value.type().to_string() + why);
}

// What goes in and out are single tensors, whose shapes the inputs fix.
Status check_io(const Graph& graph) {
  Diagnostics found;
  for (const Value* v : graph.inputs()) {
    if (!v->type().is_tensor())
      found.push_back(io_error(ErrorKind::Unsupported, "input", *v, ", but only tensors can be given"));
    else if (!v->type().ranked())
      found.push_back(io_error(ErrorKind::Usage, "input", *v, ", of any shape, but shapes are fixed first")
                          .help("give it one with --shape " + v->name() + "=1x2x3"));
  }
  for (const Value* v : graph.outputs())
    if (!v->type().is_tensor())
      found.push_back(io_error(ErrorKind::Unsupported, "output", *v, ", but only tensors can be returned"));
  return status_of(std::move(found));
}

}  // namespace

static Diagnostics at_input(Diagnostics found, const std::string& name) {
  for (Diagnostic& d : found) d.at("input '" + name + "'");
  return found;
}

// An input that is one number becomes a constant.
static Status fix_input(Graph& graph, const std::string& name, const Number& value) {
  Value* input = graph.find_value(name);
  if (!input || !input->is_input())
    return error(ErrorKind::Mismatch, "the model has no input '" + name + "' to give a value");
  const Type& type = input->type();
  if (!type.is_tensor() || !type.is_static() || element_count(type.shape()) != 1 || input->is_graph_output())
    return error(ErrorKind::Mismatch, "the input '" + name + "' is " + type.to_string() + ", not one number")
        .help("give it at run time");
  Result<Tensor> constant = value.as(type);
  if (!constant.ok()) return at_input(std::move(constant).diagnostics(), name);
  graph.replace_all_uses(input, graph.add_constant(*std::move(constant)));
  graph.remove_input(input);
  return ok();
}

Status decide_branches(Graph& graph) {
  LAPIS_TRY(const Pipeline pipeline, parse_pipeline("fold-constants,inline-branches,dce"));
  PassRunnerOptions options;
  options.verify = false;
  for (bool inlined = true; inlined;) {
    PassContext context;
    LAPIS_TRY(const std::vector<PassReport> reports, PassRunner(options).run(graph, pipeline, context));
    inlined = reports[1].changed;
    if (inlined) LAPIS_CHECK(infer_types(graph));
  }
  return ok();
}

static Status fix_inputs(Graph& graph, const std::map<std::string, Number>& values) {
  if (values.empty()) return ok();
  for (const auto& [name, value] : values) LAPIS_CHECK(fix_input(graph, name, value));
  return decide_branches(graph);
}

// Exporters write "squeeze this axis if it can be" as an If, one of whose branches is wrong for any shape.
static bool has_branch_that_cannot_work(const Graph& graph) {
  bool any_if = false;
  for (const Node* node : graph.nodes()) any_if |= node->is(ops::If);
  return any_if && has_errors(verify(graph));
}

Status bind_model(Graph& graph, const ModelOptions& options) {
  LAPIS_CHECK(fix_inputs(graph, options.values));
  if (!options.dims.empty()) LAPIS_CHECK(bind_symbols(graph, options.dims));
  if (!options.shapes.empty()) LAPIS_CHECK(bind_shapes(graph, options.shapes));
  std::map<std::string, int64_t> batch;
  for (const std::string& symbol : batch_symbols(graph))
    if (!options.all_free && !options.free.contains(symbol)) batch.emplace(symbol, 1);
  if (!batch.empty()) LAPIS_CHECK(bind_symbols(graph, batch));
  if (!has_branch_that_cannot_work(graph)) return ok();
  LAPIS_CHECK(decide_branches(graph));
  return infer_types(graph);
}

Diagnostics in_file(Diagnostics diagnostics, const Path& file, const std::string& graph_name) {
  const std::string name = file.filename().string();
  for (Diagnostic& d : diagnostics) {
    if (d.location.empty() || d.location == graph_name)
      d.at(name);
    else if (!d.location.starts_with(name))
      d.at(name + ": " + d.location);
  }
  return diagnostics;
}

static bool has_input(const Graph& graph, const std::string& name) {
  return std::ranges::any_of(graph.inputs(), [&](const Value* v) { return v->name() == name; });
}

Result<std::unique_ptr<Graph>> import_with(const Path& file, ImportOptions wanted, ModelOptions& left) {
  const Frontend* frontend = frontend_of(file);
  if (frontend && frontend->imports_parts) wanted.values = std::exchange(left.values, {});
  if (!frontend || !frontend->asks_for_sizes) return import_model(file, wanted);
  wanted.dims = std::exchange(left.dims, {});
  wanted.shapes = left.shapes;
  wanted.values = left.values;
  LAPIS_TRY(std::unique_ptr<Graph> graph, import_model(file, wanted));
  std::erase_if(left.values, [&](const auto& value) { return !has_input(*graph, value.first); });
  return graph;
}

Result<std::unique_ptr<Graph>> load_model(const Path& file, const ModelOptions& options) {
  ModelOptions left = options;
  LAPIS_TRY(std::unique_ptr<Graph> graph, import_with(file, {.translators = options.translators}, left));
  LAPIS_CHECK(in_file(bind_model(*graph, left), file, graph->name()));
  return graph;
}

Pipeline empty_pipeline() {
  return {{"as-is", "nothing is changed", [](Graph&, PassContext&) { return ok(); }}};
}

Pipeline compile_pipeline() {
  auto pipeline =
      // Again: what `integer` frees (scales, bias sums) folds now.
      // Last what leaves bodies: rules do not look across their border.
      parse_pipeline("simplify,expand,integer,simplify,hoist-invariants");
  LAPIS_ASSERT(pipeline.ok(), to_string(pipeline.diagnostics()));
  return *std::move(pipeline);
}

void use_onnx_writers(PassRunnerOptions& options) {
  if (!options.dump) options.dump = [](const Graph& graph, const Path& path) { return export_onnx(graph, path); };
  if (!options.print) options.print = [](const Graph& graph) { return to_onnx_text(graph); };
}

static Result<Prepared> prepare(std::unique_ptr<Graph> graph, CompileOptions options, const Graph* named) {
  LAPIS_CHECK(check_io(*graph));
  Prepared result{std::move(graph), {}};
  use_onnx_writers(options.passes);
  options.context.target = options.target;
  const Pipeline pipeline = options.pipeline.empty() ? compile_pipeline() : options.pipeline;
  const auto run = [&] { return PassRunner(options.passes).run(*result.graph, pipeline, options.context); };
  LAPIS_TRY(result.passes, named ? as_step(*named, "passes", run) : run());
  return result;
}

Result<Prepared> run_passes(const Graph& graph, CompileOptions options) {
  LAPIS_CHECK(check_symbols(graph));
  return run_symbolic_passes(graph, std::move(options));
}

Result<Prepared> run_symbolic_passes(const Graph& graph, CompileOptions options) {
  return prepare(graph.clone(), std::move(options), &graph);
}

static Result<Plan> lower_prepared(const Graph& graph, const CompileOptions& options, const Plan* beside) {
  codegen::LowerOptions lower{options.target, options.fuse, beside};
  lower.weights = &options.caches->weights;
  lower.hashes = options.hashes;
  lower.schedules = options.schedules;
  lower.host_calls = options.host_calls;
  LAPIS_TRY(Plan plan, codegen::lower(graph, lower));
  if (options.forms) options.forms(plan);
  return plan;
}

Result<Plan> lower_model(const Graph& graph, const CompileOptions& options) {
  LAPIS_TRY(const Prepared prepared, run_passes(graph, options));
  return as_step(graph, "lowering", [&] { return lower_prepared(*prepared.graph, options, nullptr); });
}

// From a graph that the passes are done with to a program; `named` is the model as it was given.
static Status generate(const Graph& named, const CompileOptions& options, const Plan* beside, Compiled& result) {
  const Stopwatch lowering;
  LAPIS_TRY(result.plan, as_step(named, "lowering", [&] { return lower_prepared(*result.graph, options, beside); }));
  result.seconds.lower = lowering.seconds();
  const Stopwatch emission;
  LAPIS_TRY(result.code,
            as_step(named, "code generation", [&] { return codegen::emit(result.plan, options.caches->code); }));
  LAPIS_TRY(result.program,
            as_step(named, "linking", [&] { return make_program(result.plan, result.code, options.source_hash); }));
  if (options.identify) result.program.plan_hash = result.plan.hash();
  result.seconds.emit = emission.seconds();
  return ok();
}

Result<Compiled> compile(const Graph& graph, CompileOptions options) {
  return compile(graph.clone(), std::move(options), &graph);
}

Result<Compiled> compile(std::unique_ptr<Graph> graph, CompileOptions options, const Graph* named) {
  const Target target = options.target;
  LAPIS_TRY(auto variants, compile_variants(std::move(graph), {target}, std::move(options), named));
  return std::move(variants.front());
}

Result<std::vector<Compiled>> compile_variants(const Graph& graph, const std::vector<Target>& targets,
                                               CompileOptions options) {
  return compile_variants(graph.clone(), targets, std::move(options), &graph);
}

Result<std::vector<Compiled>> compile_variants(std::unique_ptr<Graph> graph, const std::vector<Target>& targets,
                                               CompileOptions options, const Graph* named) {
  LAPIS_CHECK(check_symbols(*graph));
  const Stopwatch passes;
  LAPIS_TRY(Prepared prepared, prepare(std::move(graph), options, named));
  const double seconds = passes.seconds();
  std::vector<Compiled> variants;
  variants.reserve(targets.size());
  for (const Target& target : targets) {
    options.target = target;
    const Plan* const beside = variants.empty() ? nullptr : &variants.back().plan;
    Compiled& next = variants.emplace_back();
    next.passes = prepared.passes;
    next.seconds.passes = seconds;
    next.graph = variants.size() == targets.size() ? std::move(prepared.graph) : prepared.graph->clone();
    LAPIS_CHECK(generate(named ? *named : *next.graph, options, beside, next));
  }
  options.caches->keep_code();
  return variants;
}

Result<std::vector<Target>> parse_targets(std::string_view text) {
  std::vector<Target> targets;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    LAPIS_TRY(const Target target, Target::parse(text.substr(at, end - at)));
    if (std::ranges::find(targets, target) != targets.end())
      return error(ErrorKind::Usage,
                   "the target " + target.to_string() + " is given twice in '" + std::string(text) + "'")
          .help("name each machine once");
    targets.push_back(target);
    at = end + 1;
  }
  return targets;
}

}  // namespace lapis
