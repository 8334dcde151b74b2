#include "passes/precision/bf16.h"

#include <algorithm>
#include <unordered_set>

#include "ir/infer.h"
#include "ir/ops/attributes.h"
#include "ir/ops/ops.h"
#include "passes/quantize/sample_runner.h"

namespace lapis {

namespace {

constexpr int64_t kFewChannels = 8;  // outputs of a group, for which there is no kernel but a depthwise one

using Nodes = std::unordered_set<const Node*>;

bool is_float(const Value* v) { return v && v->dtype() == DType::Float32; }

bool takes_bf16(const Node& node) {
  for (size_t i = 0; i < node.inputs().size(); ++i)
    if (is_float(node.input(i)) && !allows(node.op().input(i).types, DType::BFloat16)) return false;
  return std::all_of(node.outputs().begin(), node.outputs().end(), [](const Value* v) { return !v || is_float(v); });
}

bool is_dequantized(const Value* v) { return v->producer() && v->producer()->is(ops::DequantizeLinear); }

// ---- which nodes ----------------------------------------------------------------------------------------------------

class Chooser {
 public:
  Chooser(const Graph& graph, const NodeRecipes& recipes, const Nodes& refused)
      : graph_(graph), recipes_(recipes), refused_(refused) {}

  Nodes run() {
    for (const Node* node : graph_.nodes())
      if (wanted(*node)) decide(*node);
    drop_unread();
    return std::move(chosen_);
  }

  // Of those that the recipe asks for.
  std::vector<Bf16Decision> decisions(const Nodes& chosen) const {
    std::vector<Bf16Decision> list;
    for (const Node* node : graph_.nodes()) {
      if (!wanted(*node) || !node->output() || !is_float(node->output())) continue;
      const auto reason = reasons_.find(node);
      const bool bf16 = chosen.contains(node);
      list.push_back(
          {node->name(), std::string(node->op().name), bf16, bf16 || reason == reasons_.end() ? "" : reason->second});
    }
    return list;
  }

 private:
  bool wanted(const Node& node) const { return recipes_.of(node).floats == DType::BFloat16; }

  void decide(const Node& node) {
    const auto reason = refusal(node);
    if (reason)
      reasons_[&node] = *reason;
    else
      chosen_.insert(&node);
  }

  std::optional<std::string> refusal(const Node& node) const {
    if (refused_.contains(&node)) return "in bf16 it costs too much of the results";
    if (!takes_bf16(node)) return "there is no bf16 form of " + std::string(node.op().name);
    if (node.op().has(Trait::Contraction)) return refusal_of_contraction(node);
    const bool carries = node.op().has(Trait::Elementwise) || node.op().has(Trait::Movement) || node.is(ops::MaxPool);
    if (!carries) return "it sums up or normalizes, which is done in fp32";
    bool any = false;
    for (const Value* v : node.inputs()) {
      if (!is_float(v) || v->is_constant()) continue;
      if (!v->producer() || !chosen_.contains(v->producer())) return "'" + v->name() + "' is not in bf16";
      any = true;
    }
    return any ? std::nullopt : std::optional<std::string>("it has no operand in bf16");
  }

  std::optional<std::string> refusal_of_contraction(const Node& node) const {
    if (is_dequantized(node.input(0)) && is_dequantized(node.input(1))) return "it computes in int8";
    if (is_dequantized(node.input(1))) return "its weights alone are in fewer bits";
    if (!node.input(1)->is_constant() && node.is(ops::Conv)) return "its weights are computed";
    if (!node.is(ops::Conv)) return std::nullopt;
    const int64_t groups = node.attrs<ops::ConvAttrs>().group;
    if (groups > 1 && node.input(1)->constant().dim(0) / groups < kFewChannels)
      return "a depthwise convolution has no bf16 kernel";
    return std::nullopt;
  }

  // Backward: a node that only carries is worth it as long as someone in bf16 reads it.
  void drop_unread() {
    std::vector<const Node*> order;
    for (const Node* node : graph_.nodes()) order.push_back(node);
    for (auto it = order.rbegin(); it != order.rend(); ++it) {
      if (!chosen_.contains(*it) || (*it)->op().has(Trait::Contraction) || is_read(**it)) continue;
      chosen_.erase(*it);
      reasons_[*it] = "nothing behind it computes in bf16";
    }
  }
  bool is_read(const Node& node) const {
    for (const Value* v : node.outputs())
      for (const Use& use : v ? v->uses() : std::vector<Use>())
        if (chosen_.contains(use.node)) return true;
    return false;
  }

  const Graph& graph_;
  const NodeRecipes& recipes_;
  const Nodes& refused_;
  Nodes chosen_;
  std::unordered_map<const Node*, std::string> reasons_;
};

// ---- placing casts --------------------------------------------------------------------------------------------------

Tensor as_bf16(const Tensor& floats) {
  Tensor halves(DType::BFloat16, floats.shape());
  const auto from = floats.data<float>();
  const auto to = halves.mutable_data<BFloat16>();
  for (size_t i = 0; i < from.size(); ++i) to[i] = to_bfloat16(from[i]);
  return halves;
}

class Converter {
 public:
  Converter(Graph& graph, Nodes chosen) : graph_(graph), chosen_(std::move(chosen)) {}

  int64_t run() {
    std::vector<Node*> order;
    for (Node* node : graph_.nodes()) order.push_back(node);
    for (size_t i = 0; i < order.size(); ++i)
      if (chosen_.contains(order[i])) convert(*order[i], i + 1 < order.size() ? order[i + 1] : nullptr);
    graph_.erase_unused_constants();
    return casts_;
  }

 private:
  void convert(Node& node, Node* next) {
    for (size_t i = 0; i < node.inputs().size(); ++i)
      if (is_float(node.input(i))) node.set_input(i, in_bf16(node.input(i), node));
    for (Value* v : node.outputs())
      if (v) v->set_type({});
    const Status inferred = infer_types(node);
    LAPIS_ASSERT(inferred.ok(), to_string(inferred.diagnostics()));
    for (Value* v : node.outputs())
      if (v) give_floats(*v, next);
  }

  Value* in_bf16(Value* v, Node& reader) {
    Value*& known = halves_[v];
    if (known) return known;
    known = v->is_constant() ? graph_.add_constant(as_bf16(v->constant()), v->name() + "_bf16")
                             : cast(v, DType::BFloat16, v->name() + "_bf16", &reader, reader.origin());
    return known;
  }

  Value* cast(Value* v, DType to, const std::string& name, Node* before, const std::string& origin) {
    Node* node = graph_.add_node(ops::Cast, {v}, {{"to", static_cast<int64_t>(to)}}, {name}, before);
    node->set_origin(origin);
    const Status inferred = infer_types(*node);
    LAPIS_ASSERT(inferred.ok(), to_string(inferred.diagnostics()));
    ++casts_;
    return node->output();
  }

  // Readers that stay float, and the model's outputs.
  void give_floats(Value& v, Node* next) {
    std::vector<Use> floats;
    for (const Use& use : v.uses())
      if (!chosen_.contains(use.node)) floats.push_back(use);
    if (floats.empty() && !v.is_graph_output()) return;
    const std::string name = v.name();
    if (v.is_graph_output()) graph_.rename(&v, graph_.unique_name(name + "_bf16"));
    Value* back = cast(&v, DType::Float32, v.is_graph_output() ? name : name + "_float", next, v.producer()->origin());
    for (const Use& use : floats) use.node->set_input(use.index, back);
    for (size_t i = 0; i < graph_.outputs().size(); ++i)
      if (graph_.outputs()[i] == &v) graph_.set_output(i, back);
  }

  Graph& graph_;
  const Nodes chosen_;
  int64_t casts_ = 0;
  std::unordered_map<const Value*, Value*> halves_;  // by the value in floats
};

// ---- the whole ------------------------------------------------------------------------------------------------------

// The same nodes of a copy of the graph.
Nodes counterparts(const Graph& graph, const Graph& copy, const Nodes& nodes) {
  Nodes found;
  auto there = copy.nodes().begin();
  for (const Node* node : graph.nodes()) {
    if (nodes.contains(node)) found.insert(*there);
    ++there;
  }
  return found;
}

bool asks_for_bf16(const Graph& graph, const NodeRecipes& recipes) {
  for (const Node* node : graph.nodes())
    if (recipes.of(*node).floats == DType::BFloat16) return true;
  return false;
}

bool good_enough(const Damage& damage, double min_sqnr) {
  return std::all_of(damage.outputs.begin(), damage.outputs.end(),
                     [&](const OutputDamage& o) { return o.sqnr >= min_sqnr; });
}

// The nodes in bf16 where most noise arises: they are to stay fp32.
Nodes worst_of(const Graph& graph, const Damage& damage, const Nodes& chosen) {
  std::unordered_map<std::string_view, const Node*> by_name;
  for (const Node* node : graph.nodes())
    if (chosen.contains(node)) by_name[node->name()] = node;
  Nodes worst;
  for (const NodeDamage& n : damage.worst)
    if (const auto it = by_name.find(n.node); it != by_name.end()) worst.insert(it->second);
  for (const Node* node : graph.nodes())  // noise that no node is blamed for: the first one left
    if (worst.empty() && chosen.contains(node)) worst.insert(node);
  return worst;
}

struct PassOptions {
  int64_t min_sqnr = 0, samples = 16;
  static constexpr auto fields =
      std::tuple(option("min_sqnr", &PassOptions::min_sqnr,
                        "dB that outputs keep; nodes that cost most stay fp32 until they do", 0, 200),
                 option("samples", &PassOptions::samples, "Samples to measure that on, at most", 0));
};

Status run_pass(Graph& graph, const PassOptions& options, PassContext& context) {
  const Bf16Options bf16{context.recipe ? *context.recipe : Recipe(), context.target,
                         static_cast<double>(options.min_sqnr), options.samples};
  LAPIS_TRY(const Bf16Report report, to_bf16(graph, bf16, context.evaluator, context.samples));
  static_cast<void>(report);
  return ok();
}

}  // namespace

Status check_bf16(const Target& target) {
  if (target.has(Isa::Avx512Bf16)) return ok();
  return error(ErrorKind::Usage,
               "the target " + target.to_string() + " multiplies no bfloat16: AVX-512 BF16 is missing")
      .help("leave bf16 out of the recipe, or name a machine that has it: --target x86-64+avx512bf16");
}

size_t Bf16Report::bf16_count() const {
  return static_cast<size_t>(
      std::count_if(decisions.begin(), decisions.end(), [](const Bf16Decision& d) { return d.bf16; }));
}

Result<Bf16Report> to_bf16(Graph& graph, const Bf16Options& options, Evaluator* evaluator, const SampleSource& source) {
  // Decided on a copy whose nodes stay what they are, so that a second try begins where the first one did.
  const std::unique_ptr<Graph> original = graph.clone();
  LAPIS_TRY(const NodeRecipes recipes, resolve(options.recipe, *original, options.target));
  if (!asks_for_bf16(*original, recipes)) return Bf16Report();
  LAPIS_CHECK(check_bf16(options.target));
  LAPIS_TRY(const std::vector<Feeds> samples, first_samples(source, evaluator ? options.samples : 0));
  if (options.min_sqnr > 0 && samples.empty())
    return error(ErrorKind::Usage, "a bound on the noise needs samples to measure it on")
        .help("give --calibration DATA, or leave out the bound");
  Nodes refused;
  for (;;) {
    Chooser chooser(*original, recipes, refused);
    const Nodes chosen = chooser.run();
    const std::unique_ptr<Graph> trial = original->clone();
    Bf16Report report;
    report.decisions = chooser.decisions(chosen);
    report.casts = Converter(*trial, counterparts(*original, *trial, chosen)).run();
    if (!samples.empty()) {
      LAPIS_TRY(report.damage, measure_damage(*original, *trial, *evaluator, samples));
    }
    if (chosen.empty() || !report.damage || good_enough(*report.damage, options.min_sqnr)) {
      Converter(graph, counterparts(*original, graph, chosen)).run();
      return report;
    }
    const Nodes worst = worst_of(*original, *report.damage, chosen);
    refused.insert(worst.begin(), worst.end());
  }
}

Pipeline precision_passes() {
  return {pass<PassOptions>("bf16", "what the recipe asks for, and can be, is computed in bfloat16", run_pass)};
}

}  // namespace lapis
