// lapis reduce M -o small.onnx [--with 'COMMAND {}' | --check verify|crash]: the smallest model found that still fails.
//
// Every attempt is a change to a copy of the best model so far;
// it counts if the copy is a valid model and the failure is still there.
// Attempts run in child processes, and the best model is saved at once, so neither a crash nor ctrl-C loses anything.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "frontends/onnx/export.h"
#include "ir/infer.h"
#include "ir/verify.h"
#include "tools/lapis/child.h"
#include "tools/lapis/interrupt.h"
#include "tools/lapis/options.h"

namespace lapis::cli {
namespace {

struct Flags {
  ModelFlags model;
  std::string output, with, check = "any";
  double timeout = 30, tolerance = 1e-4;
};

// ---- does it still fail? --------------------------------------------------------------------------------------------

constexpr int kInternalError = 70;

enum class Outcome { Fine, Mismatch, Crash, Hang };

const char* name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::Fine: return "no failure";
    case Outcome::Mismatch: return "mismatch";
    case Outcome::Crash: return "crash";
    case Outcome::Hang: return "hang";
  }
  return "";
}

std::string quoted(const std::string& text) {
  std::string result = "'";
  for (char c : text) result += c == '\'' ? "'\\''" : std::string(1, c);
  return result + "'";
}

// The user's command with the file in the place of {}, or behind it.
std::string shell_command(std::string command, const std::string& file) {
  bool placed = false;
  for (size_t at = 0; (at = command.find("{}", at)) != std::string::npos; placed = true) {
    command.replace(at, 2, quoted(file));
    at += quoted(file).size();
  }
  return placed ? command : command + " " + quoted(file);
}

class Predicate {
 public:
  explicit Predicate(const Flags& flags) : flags_(flags) {}

  // What the model does before anything is changed; that is what must stay.
  Result<Outcome> first(const Path& file) {
    LAPIS_TRY(wanted_, outcome(file));
    return wanted_;
  }
  Result<bool> holds(const Path& file) const {
    LAPIS_TRY(const Outcome o, outcome(file));
    return o == wanted_;
  }

 private:
  std::vector<std::string> command_for(const Path& file) const {
    if (!flags_.with.empty()) return {"/bin/sh", "-c", shell_command(flags_.with, file.string())};
    std::error_code ignored;
    std::vector<std::string> command = {std::filesystem::read_symlink("/proc/self/exe", ignored).string(),
                                        "verify",
                                        file.string(),
                                        "--target",
                                        flags_.model.target,
                                        "--threads",
                                        std::to_string(flags_.model.threads),
                                        "--tolerance",
                                        std::to_string(flags_.tolerance)};
    return command;
  }

  Result<Outcome> outcome(const Path& file) const {
    LAPIS_TRY(const ChildEnd end, run_child(command_for(file), flags_.timeout));
    if (!flags_.with.empty()) return end.exit_code == 0 ? Outcome::Mismatch : Outcome::Fine;
    if (flags_.check != "verify") {
      if (end.timed_out) return Outcome::Hang;
      if (end.signal || end.exit_code == kInternalError) return Outcome::Crash;
    }
    return flags_.check != "crash" && end.exit_code == kCheckFailed ? Outcome::Mismatch : Outcome::Fine;
  }

  const Flags& flags_;
  Outcome wanted_ = Outcome::Fine;
};

// ---- changes to a graph ---------------------------------------------------------------------------------------------

std::vector<Node*> nodes_of(const Graph& graph) {
  std::vector<Node*> nodes;
  for (Node* node : graph.nodes()) nodes.push_back(node);
  return nodes;
}

bool is_needed(const Node& node) {
  return std::any_of(node.outputs().begin(), node.outputs().end(), [](const Value* v) { return v && !v->unused(); });
}

// What nothing leads from any more goes: nodes, constants, inputs.
void remove_unused(Graph& graph) {
  std::vector<Node*> nodes = nodes_of(graph);
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node)
    if (!is_needed(**node)) graph.erase(*node);
  graph.erase_unused_constants();
  for (Value* input : std::vector<Value*>(graph.inputs()))
    if (input->unused()) graph.remove_input(input);
}

// Types of what nodes compute follow from their operands again. False if the graph is no model any more.
bool settle(Graph& graph) {
  remove_unused(graph);
  std::set<const Value*> seen;
  std::vector<Value*> outputs;
  for (Value* v : graph.outputs())
    if (seen.insert(v).second) outputs.push_back(v);
  graph.set_outputs(std::move(outputs));
  for (Node* node : nodes_of(graph))
    for (Value* v : node->outputs())
      if (v) v->set_type(Type());
  return infer_types(graph).ok() && !has_errors(verify(graph));
}

// Its readers read `to` instead; graph outputs too, as far as there are others.
bool replace(Graph& graph, Value* from, Value* to) {
  if (from == to) return false;
  graph.replace_all_uses(from, to);
  return true;
}

bool to_input(Graph& graph, Value* value) {
  if (!value->type().is_tensor() || !value->type().ranked()) return false;
  return replace(graph, value, graph.add_input("", value->type()));
}

// All ones: of all numbers the one that hides least of what comes behind it.
Tensor ones(DType dtype, const Shape& shape) {
  Tensor t(dtype, shape);
  visit_dtype(dtype, [&]<class T>(T) {
    for (T& v : t.mutable_data<T>()) {
      if constexpr (std::is_same_v<T, Float16>)
        v = to_float16(1);
      else if constexpr (std::is_same_v<T, BFloat16>)
        v = to_bfloat16(1);
      else
        v = T(1);
    }
  });
  return t;
}

bool to_ones(Graph& graph, Value* value) {
  const auto shape = value->type().is_tensor() ? value->type().static_shape() : std::nullopt;
  constexpr int64_t kLargest = int64_t{1} << 24;
  if (!shape || bit_width(value->dtype()) == 0 || element_count(*shape) > kLargest) return false;
  return replace(graph, value, graph.add_constant(ones(value->dtype(), *shape)));
}

bool bypass(Graph& graph, Value* value, size_t operand) {
  Value* input = value->producer()->input(operand);
  return input && input->type() == value->type() && replace(graph, value, input);
}

// ---- changes to tensors ---------------------------------------------------------------------------------------------

// The first `extent` slices along an axis; nothing for types without whole bytes.
Tensor first_slices(const Tensor& t, size_t axis, int64_t extent) {
  const int64_t width = bit_width(t.dtype()) / 8;
  if (!width) return {};
  Shape shape = t.shape();
  int64_t outer = 1, inner = width;
  for (size_t i = 0; i < axis; ++i) outer *= shape[i];
  for (size_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
  const int64_t before = shape[axis] * inner, after = extent * inner;
  shape[axis] = extent;
  Tensor result(t.dtype(), shape);
  for (int64_t i = 0; i < outer && after; ++i)
    std::memcpy(result.mutable_raw() + i * after, t.raw() + i * before, static_cast<size_t>(after));
  return result;
}

bool holds_sizes(const Tensor& t) { return t.dtype() == DType::Int64 && t.rank() == 1 && t.size() <= 16; }

// A constant as it is when sizes of `from` become `to`:
// smaller along such axes, and with the other size where it lists sizes.
Tensor resized(const Tensor& t, int64_t from, int64_t to) {
  Tensor result = t;
  for (size_t axis = 0; axis < t.shape().size(); ++axis)
    if (t.shape()[axis] == from) result = result.defined() ? first_slices(result, axis, to) : result;
  if (result.defined() && holds_sizes(result))
    for (int64_t& v : result.mutable_data<int64_t>())
      if (v == from) v = to;
  return result;
}

bool resize_everywhere(Graph& graph, int64_t from, int64_t to) {
  for (Value* input : graph.inputs()) {
    if (!input->type().is_tensor() || !input->type().ranked()) continue;
    Type type = input->type();
    for (Dim& dim : *type.dims)
      if (dim.is(from)) dim = to;
    input->set_type(std::move(type));
  }
  for (Value* c : graph.constants()) {
    const Tensor t = resized(c->constant(), from, to);
    if (!t.defined()) return false;
    if (!(t == c->constant())) replace(graph, c, graph.add_constant(t));
  }
  return true;
}

std::set<int64_t, std::greater<>> sizes_of(const Graph& graph) {
  std::set<int64_t, std::greater<>> sizes;
  for (const Value* input : graph.inputs())
    if (input->type().is_tensor() && input->type().ranked())
      for (const Dim& dim : *input->type().dims)
        if (dim.is_constant()) sizes.insert(dim.value());
  for (const Value* c : graph.constants()) sizes.insert(c->constant().shape().begin(), c->constant().shape().end());
  return sizes;
}

// All elements like the first one; nothing for types without whole bytes.
Tensor flattened(const Tensor& t) {
  const int64_t width = bit_width(t.dtype()) / 8;
  if (!width || t.size() == 0) return {};
  Tensor result(t.dtype(), t.shape());
  for (int64_t i = 0; i < t.size(); ++i)
    std::memcpy(result.mutable_raw() + i * width, t.raw(), static_cast<size_t>(width));
  return result;
}

// ---- the search -----------------------------------------------------------------------------------------------------

class Reducer {
 public:
  Reducer(std::unique_ptr<Graph> graph, Predicate& predicate, const Path& output, Path folder)
      : best_(std::move(graph)),
        predicate_(predicate),
        output_(output),
        folder_(std::move(folder)),
        show_(isatty(STDERR_FILENO) != 0) {}

  Status run() {
    size_t before = 0;
    do {
      before = successes_;
      LAPIS_CHECK(round());
    } while (successes_ != before);
    if (show_) fmt::print(stderr, "\r\x1b[K");
    return ok();
  }

  const Graph& best() const { return *best_; }
  int64_t attempts() const { return attempts_; }

 private:
  using Edit = std::function<bool(Graph&)>;  // false: nothing to change

  Status round() {
    LAPIS_CHECK(outputs());
    LAPIS_CHECK(tails());
    LAPIS_CHECK(values([](Graph& g, Value* v) { return to_input(g, v); }));
    LAPIS_CHECK(bypasses());
    LAPIS_CHECK(values([](Graph& g, Value* v) { return to_ones(g, v); }));
    LAPIS_CHECK(operands());
    LAPIS_CHECK(attributes());
    LAPIS_CHECK(sizes());
    return constants();
  }

  // True if the change leaves a model that still fails; it is the best one then.
  Result<bool> attempt(const Edit& edit) {
    std::unique_ptr<Graph> copy = best_->clone();
    if (!edit(*copy) || !settle(*copy)) return false;
    const Path file = folder_ / "candidate.onnx";
    LAPIS_CHECK(export_onnx(*copy, file));
    ++attempts_;
    show();
    LAPIS_TRY(const bool holds, predicate_.holds(file));
    if (!holds) return false;
    ++successes_;
    best_ = std::move(copy);
    LAPIS_CHECK(export_onnx(*best_, output_));
    return true;
  }

  void show() const {
    if (show_)
      fmt::print(stderr, "\rreduce: {} nodes, {} inputs, {} constants after {} attempts \x1b[K", best_->node_count(),
                 best_->inputs().size(), best_->constants().size(), attempts_);
  }

  // One output instead of all, else all but one.
  Status outputs() {
    for (size_t i = 0; i < best_->outputs().size() && best_->outputs().size() > 1; ++i) {
      LAPIS_TRY(const bool alone, attempt([&](Graph& g) { return g.set_outputs({g.outputs()[i]}), true; }));
      if (alone) return ok();
    }
    for (size_t i = best_->outputs().size(); i-- > 0 && best_->outputs().size() > 1;) {
      LAPIS_CHECK(attempt([&](Graph& g) {
        std::vector<Value*> fewer = g.outputs();
        fewer.erase(fewer.begin() + static_cast<int64_t>(i));
        return g.set_outputs(std::move(fewer)), true;
      }));
    }
    return ok();
  }

  // The model ends at an earlier node: by halves, then by single nodes near its end.
  Status tails() {
    for (size_t step = best_->node_count() / 2; step > 0; step /= 2) {
      while (best_->node_count() > step) {
        const size_t last = best_->node_count() - 1 - step;
        LAPIS_TRY(const bool shorter, attempt([&](Graph& g) { return end_at(g, last); }));
        if (!shorter) break;
      }
    }
    return ok();
  }

  static bool end_at(Graph& g, size_t last) {
    std::vector<Value*> outputs;
    for (Value* v : nodes_of(g)[last]->outputs())
      if (v) outputs.push_back(v);
    if (outputs == g.outputs()) return false;
    g.set_outputs(std::move(outputs));
    return true;
  }

  // Every value that a node computes is changed by `edit`, those near the end first: what succeeds there removes most.
  Status values(const std::function<bool(Graph&, Value*)>& edit) {
    for (size_t n = best_->node_count(); n-- > 0;) {
      if (n >= best_->node_count()) continue;
      const size_t outputs = nodes_of(*best_)[n]->outputs().size();
      for (size_t i = 0; i < outputs; ++i) {
        LAPIS_TRY(const bool done, attempt([&](Graph& g) {
                    Value* v = nodes_of(g)[n]->output(i);
                    return v && !v->is_graph_output() && edit(g, v);
                  }));
        if (done) break;
      }
    }
    return ok();
  }

  Status bypasses() {
    for (size_t n = best_->node_count(); n-- > 0;) {
      if (n >= best_->node_count()) continue;
      const size_t operands = nodes_of(*best_)[n]->inputs().size();
      for (size_t i = 0; i < std::min<size_t>(operands, 8); ++i) {
        LAPIS_TRY(const bool done, attempt([&](Graph& g) {
                    Node* node = nodes_of(g)[n];
                    return node->output() && node->outputs().size() == 1 && bypass(g, node->output(), i);
                  }));
        if (done) break;
      }
    }
    return ok();
  }

  // Optional operands are left out.
  Status operands() {
    for (size_t n = best_->node_count(); n-- > 0;)
      for (size_t i = n < best_->node_count() ? nodes_of(*best_)[n]->inputs().size() : 0; i-- > 0;)
        LAPIS_CHECK(attempt([&](Graph& g) {
          Node* node = nodes_of(g)[n];
          if (!node->input(i) || !node->op().input(i).optional) return false;
          return node->set_input(i, nullptr), true;
        }));
    return ok();
  }

  Status attributes() {
    for (size_t n = best_->node_count(); n-- > 0;) {
      if (n >= best_->node_count()) continue;
      for (const auto& [name, value] : Attributes(nodes_of(*best_)[n]->attributes()))
        LAPIS_CHECK(attempt([&](Graph& g) {
          const AttrDef* declared = nodes_of(g)[n]->op().attribute(name);
          if (declared && declared->required) return false;
          return nodes_of(g)[n]->remove_attribute(name), true;
        }));
    }
    return ok();
  }

  Status sizes() {
    for (int64_t from : sizes_of(*best_))
      for (int64_t to : {int64_t{1}, int64_t{2}, from / 2, from - 1}) {
        if (to >= from || to < 1) continue;
        LAPIS_TRY(const bool done, attempt([&](Graph& g) { return resize_everywhere(g, from, to); }));
        if (done) break;
      }
    return ok();
  }

  Status constants() {
    for (size_t i = best_->constants().size(); i-- > 0;)
      for (bool one : {true, false}) {
        LAPIS_TRY(const bool done, attempt([&](Graph& g) {
                    if (i >= g.constants().size()) return false;
                    Value* c = g.constants()[i];
                    const Tensor simple = one ? ones(c->dtype(), c->constant().shape()) : flattened(c->constant());
                    return simple.defined() && !(simple == c->constant()) && replace(g, c, g.add_constant(simple));
                  }));
        if (done) break;
      }
    return ok();
  }

  std::unique_ptr<Graph> best_;
  Predicate& predicate_;
  const Path output_;
  const Path folder_;
  const bool show_;
  size_t successes_ = 0;
  int64_t attempts_ = 0;
};

// ---- the verb -------------------------------------------------------------------------------------------------------

Report describe(const Graph& before, const Reducer& reducer, Outcome outcome, const Flags& flags) {
  Report report;
  const Graph& after = reducer.best();
  const std::string kept = flags.with.empty() ? name_of(outcome) : "exit code 0 of " + flags.with;
  report.text =
      fmt::format("{}: {} of {} nodes, {} of {} inputs, {} of {} constants left after {} attempts; kept: {}\n",
                  flags.output, after.node_count(), before.node_count(), after.inputs().size(), before.inputs().size(),
                  after.constants().size(), before.constants().size(), reducer.attempts(), kept);
  report.json = {{"output", flags.output},
                 {"kept", kept},
                 {"attempts", reducer.attempts()},
                 {"nodes_before", before.node_count()},
                 {"nodes_after", after.node_count()},
                 {"inputs_before", before.inputs().size()},
                 {"inputs_after", after.inputs().size()},
                 {"constants_before", before.constants().size()},
                 {"constants_after", after.constants().size()}};
  return report;
}

Diagnostic nothing_to_keep(const Flags& flags) {
  if (!flags.with.empty())
    return error(ErrorKind::Usage, "the command does not exit with 0 on the model itself, so there is nothing to keep")
        .at(flags.model.model)
        .help("a command says \"still interesting\" by exit code 0; {} in it stands for the model");
  return error(ErrorKind::Usage, "`lapis verify` finds no fault with the model, so there is nothing to keep")
      .at(flags.model.model)
      .help("name what must stay with --with 'COMMAND {}'");
}

Result<Report> reduce(const Flags& flags) {
  LAPIS_TRY(const ModelOptions options, flags.model.model_options());
  LAPIS_TRY(std::unique_ptr<Graph> graph, flags.model.import(flags.model.model, options));
  const std::unique_ptr<Graph> before = graph->clone();
  LAPIS_CHECK(check_writable(flags.output));
  LAPIS_TRY(const TemporaryFolder folder, TemporaryFolder::make());
  const Path whole = folder.path() / "candidate.onnx";
  LAPIS_CHECK(export_onnx(*graph, whole));
  Predicate predicate(flags);
  LAPIS_TRY(const Outcome outcome, predicate.first(whole));
  if (outcome == Outcome::Fine) return nothing_to_keep(flags);
  LAPIS_CHECK(export_onnx(*graph, flags.output));
  Reducer reducer(std::move(graph), predicate, flags.output, folder.path());
  LAPIS_CHECK(reducer.run());
  return describe(*before, reducer, outcome, flags);
}

}  // namespace

Action declare_reduce(Arguments& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.add_model(app);
  flags->model.add_running(app);
  app.add_option("-o,--output", flags->output, "Where to keep the smallest model so far")
      .required()
      .type_name("SMALL.onnx");
  const Argument with =
      app.add_option("--with", flags->with,
                     "A shell command that exits with 0 as long as the model in the place of {} is of interest")
          .type_name("'COMMAND {}'");
  app.add_option("--check", flags->check, "Which failure of `lapis verify` must stay; any: the one it has now")
      .capture_default_str()
      .check(one_of({"any", "verify", "crash"}))
      .excludes(with);
  app.add_option("--tolerance", flags->tolerance, "As for `lapis verify`")
      .capture_default_str()
      .check(number_between(0, 1e30));
  app.add_option("--timeout", flags->timeout, "Seconds after which an attempt counts as a hang")
      .capture_default_str()
      .check(number_between(0.1, 1e6));
  return [flags] { return reduce(*flags); };
}

}  // namespace lapis::cli
