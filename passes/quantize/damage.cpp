#include "passes/quantize/damage.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <unordered_map>
#include <unordered_set>

#include "ir/ops/ops.h"
#include "passes/quantize/copier.h"
#include "passes/quantize/pairs.h"
#include "passes/quantize/roles.h"
#include "passes/quantize/sample_runner.h"
#include "passes/quantize/typed.h"

namespace lapis {

namespace {

// ---- which values correspond ----------------------------------------------------------------------------------------

// The value that a Q/DQ pair stores, or `v` itself.
const Value* before_pair(const Value* v) {
  const Node* dq = v->producer();
  if (!dq || !dq->is(ops::DequantizeLinear) || !dq->input(0)->producer()) return v;
  const Node* q = dq->input(0)->producer();
  return q->is(ops::QuantizeLinear) ? q->input(0) : v;
}

bool reads_bytes(const Node& node) {
  return std::any_of(node.inputs().begin(), node.inputs().end(),
                     [](const Value* v) { return v && v->producer() && v->producer()->is(ops::DequantizeLinear); });
}

// The node of the quantized model that computes a value takes or gives fewer bits.
bool in_fewer_bits(const Node& original, const Value* twin) {
  const Value* result = before_pair(twin);
  const Node* node = result->producer();
  return !node || !node->is(original.op()) || reads_bytes(*node) || result != twin || behind_pair(twin);
}

// What has a length: the results of a node that are floats, of any precision that models compute in.
std::vector<Value*> float_outputs(const Node& node) {
  static constexpr DType kTypes[] = {DType::Float32, DType::Float16, DType::BFloat16, DType::Float64};
  std::vector<Value*> outputs;
  for (Value* v : node.outputs())
    if (v && std::find(std::begin(kTypes), std::end(kTypes), v->dtype()) != std::end(kTypes)) outputs.push_back(v);
  return outputs;
}

// Pruned channels are in one of the models only.
bool same_sizes(const Type& a, const Type& b) {
  if (!a.ranked() || !b.ranked() || a.rank() != b.rank()) return true;
  for (int64_t i = 0; i < a.rank(); ++i)
    if (a.dim(i).is_constant() && b.dim(i).is_constant() && a.dim(i).value() != b.dim(i).value()) return false;
  return true;
}

// ---- both models as one graph ---------------------------------------------------------------------------------------

// A result of both models.
struct Compared {
  const Node* node = nullptr;  // of the float model
  bool quantized = false;
  Value *signal = nullptr, *noise = nullptr;  // their lengths, in one sample
  double signal_power = 0, noise_power = 0;   // over the samples that are finite in the float model
  bool measured = false;                      // there is one
  void add(double signal_squares, double noise_squares) {
    if (!std::isfinite(signal_squares)) return;
    measured = true;
    signal_power += signal_squares;
    noise_power += noise_squares;
  }
  double ratio() const {
    if (!measured) return NAN;
    return noise_power == 0 ? 0 : noise_power / signal_power;
  }
  double sqnr() const { return -10 * std::log10(ratio()); }
};

class SideBySide {
 public:
  SideBySide(const Graph& original, const Graph& quantized) : graph(std::make_unique<Graph>("both")) {
    for (const Value* input : original.inputs()) graph->add_input(input->name(), input->type());
    find_pairs(original, quantized);
    build(original, quantized);
    std::erase_if(values, [](const auto& entry) { return !entry.second.signal; });  // another stands for what is read
  }

  std::unique_ptr<Graph> graph;
  std::unordered_map<const Value*, Compared> values;  // by value of the float model

 private:
  void find_pairs(const Graph& original, const Graph& quantized) {
    for (const Node* node : original.nodes())
      for (const Value* expected : float_outputs(*node)) {
        Value* twin = quantized.find_value(expected->name());
        if (!twin || !twin->producer() || !same_sizes(expected->type(), twin->type())) continue;
        values[expected] = {node, in_fewer_bits(*node, twin)};
        // A pair that both models have is compared for itself.
        const Value* read = as_read(twin);
        expected_of_[original.find_value(read->name()) ? twin : read] = expected;
      }
  }

  // Each node beside its twin, so that few values are alive at a time.
  void build(const Graph& original, const Graph& quantized) {
    Copier floats(original, *graph), bits(quantized, *graph);
    std::vector<Value*> outputs;
    for (const Node* node : quantized.nodes()) {
      bits.copy_until(*node);
      for (const Value* got : node->outputs()) {
        const auto it = expected_of_.find(got);
        if (it == expected_of_.end()) continue;
        Compared& c = values.at(it->second);
        floats.copy_until(*c.node);
        Value* expected = as_double(floats.of(it->second));
        c.signal = length(expected);
        c.noise = length(add_typed(*graph, ops::Sub, {expected, as_double(bits.of(got))}));
        outputs.insert(outputs.end(), {c.signal, c.noise});
      }
    }
    graph->set_outputs(std::move(outputs));
  }

  // Models have values in several types, and the squares of a float can be more or less than a float holds.
  Value* as_double(Value* v) {
    if (v->dtype() == DType::Float64) return v;
    return add_typed(*graph, ops::Cast, {v}, {{"to", static_cast<int64_t>(DType::Float64)}});
  }
  Value* length(Value* v) { return add_typed(*graph, ops::ReduceL2, {v}, {{"keepdims", int64_t{0}}}); }

  std::unordered_map<const Value*, const Value*> expected_of_;  // by value of the quantized model
};

double squared(const Feeds& results, const Value& v) { return std::pow(results.at(v.name()).as_double(0), 2); }

// ---- what the sums say ----------------------------------------------------------------------------------------------

class Judge {
 public:
  Judge(const Graph& original, const std::unordered_map<const Value*, Compared>& values)
      : original_(original), values_(values) {
    for (const Node* node : original.nodes())
      for (const Value* v : node->outputs())
        if (v) ratios_[v] = ratio(*v);
  }

  Damage run() const {
    Damage damage;
    for (const Value* v : original_.outputs())
      if (const auto it = values_.find(v); it != values_.end())
        damage.outputs.push_back({v->name(), it->second.sqnr(), cause(*v)});
    std::vector<const Compared*> nodes;
    for (const Node* node : original_.nodes()) consider(*node, nodes);
    std::stable_sort(nodes.begin(), nodes.end(), [&](auto* a, auto* b) { return added(*a) > added(*b); });
    if (nodes.size() > 5) nodes.resize(5);
    for (const Compared* c : nodes) damage.worst.push_back(describe(*c));
    for (const Node* node : original_.nodes())
      if (const Compared* c = of(*node)) damage.nodes.push_back(describe(*c));
    return damage;
  }

 private:
  // Of its first float result that both models have.
  const Compared* of(const Node& node) const {
    for (const Value* v : float_outputs(node))
      if (const auto it = values_.find(v); it != values_.end()) return &it->second;
    return nullptr;
  }
  void consider(const Node& node, std::vector<const Compared*>& nodes) const {
    const Compared* c = of(node);
    if (c && added(*c) > 0) nodes.push_back(c);
  }

  // Noise to signal; of a value that has none (it is not finite, or not in both
  // models) that of the worst it is computed from.
  double ratio(const Value& v) const {
    const auto it = values_.find(&v);
    if (it != values_.end() && !std::isnan(it->second.ratio())) return it->second.ratio();
    return operands_ratio(*v.producer());
  }
  double operands_ratio(const Node& node) const {
    double worst = 0;
    for (const Value* v : node.inputs())
      if (const auto it = ratios_.find(v); it != ratios_.end()) worst = std::max(worst, it->second);
    return worst;
  }
  // Noise relative to the signal that arises in the node. Not a number compares false: such nodes are in no list.
  double added(const Compared& c) const { return c.ratio() - operands_ratio(*c.node); }

  NodeDamage describe(const Compared& c) const {
    return {c.node->name(), std::string(c.node->op().name), c.quantized, c.sqnr(),
            -10 * std::log10(operands_ratio(*c.node))};
  }

  enum class Way { Up, Down };
  static std::vector<const Node*> neighbours(const Node& node, Way way) {
    std::vector<const Node*> found;
    for (const Value* v : way == Way::Up ? node.inputs() : std::vector<Value*>())
      if (v && v->producer()) found.push_back(v->producer());
    for (const Value* v : way == Way::Down ? node.outputs() : std::vector<Value*>())
      for (const Use& use : v ? v->uses() : std::vector<Use>()) found.push_back(use.node);
    return found;
  }
  // A node and those that it is computed from, or that are computed from it, the nearest first.
  // `enter`: whether to go on behind one.
  template <class Enter> static std::vector<const Node*> along(const Node& first, Way way, Enter&& enter) {
    std::vector<const Node*> found{&first};
    std::unordered_set<const Node*> seen{&first};
    for (size_t i = 0; i < found.size(); ++i) {
      if (!enter(*found[i])) continue;
      for (const Node* next : neighbours(*found[i], way))
        if (seen.insert(next).second) found.push_back(next);
    }
    return found;
  }

  std::optional<DamageCause> cause(const Value& output) const {
    const Compared* worst = nullptr;
    for (const Node* node : along(*output.producer(), Way::Up, [](const Node&) { return true; })) {
      const Compared* c = of(*node);
      if (c && added(*c) > (worst ? added(*worst) : 0)) worst = c;
    }
    if (!worst) return std::nullopt;
    return DamageCause{describe(*worst), blamed(*worst)};
  }

  static bool is_contraction(const Node& node) { return quant_of(node) == Quant::Contraction; }

  // Contractions in fewer bits: the node itself, those that read what it stores in bytes,
  // or those whose errors it magnifies.
  std::vector<std::string> blamed(const Compared& worst) const {
    if (worst.quantized && is_contraction(*worst.node)) return {worst.node->name()};
    std::vector<std::string> names;
    for (const Node* node :
         along(*worst.node, worst.quantized ? Way::Down : Way::Up, [](const Node& n) { return !is_contraction(n); }))
      if (const Compared* c = of(*node); c && c->quantized && is_contraction(*node)) names.push_back(node->name());
    return names;
  }

  const Graph& original_;
  const std::unordered_map<const Value*, Compared>& values_;
  std::unordered_map<const Value*, double> ratios_;
};

std::string quoted_list(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < std::min<size_t>(names.size(), 4); ++i) text += (i ? ", '" : "'") + names[i] + "'";
  return names.size() > 4 ? text + ", ..." : text;
}

// What to do about a loud output: what arises by pruning no range mends.
std::string advice(const DamageCause& cause, const std::string& blamed) {
  if (cause.pruned) return "prune less of '" + cause.node.node + "': a smaller `sparsity` for it in the recipe";
  return blamed.empty() ? "give better ranges: more samples, or another `range` (docs/quantization.md)"
                        : "keep " + blamed + " fp32: --exclude, or a rule `precision: fp32` in the recipe";
}

}  // namespace

std::string print_sqnr(double sqnr) {
  if (std::isnan(sqnr)) return "not finite";
  if (std::isinf(sqnr)) return sqnr > 0 ? "exact" : "no signal";
  char text[32];
  const double rounded = std::round(sqnr * 10) / 10;
  std::snprintf(text, sizeof text, "%.1f dB", rounded + 0.0);  // 0.0 for -0.04 too
  return text;
}

Result<Damage> measure_damage(const Graph& original, const Graph& quantized, Evaluator& evaluator,
                              const std::vector<Feeds>& samples) {
  SideBySide both(original, quantized);
  if (both.values.empty()) return Damage();  // nothing but integers has a name in both
  SampleRunner runner(*both.graph, {}, evaluator);
  for (size_t i = 0; i < samples.size(); ++i) {
    LAPIS_TRY(const Feeds results, runner.run(samples[i], static_cast<int64_t>(i)));
    for (auto& [value, c] : both.values) c.add(squared(results, *c.signal), squared(results, *c.noise));
  }
  Damage damage = Judge(original, both.values).run();
  damage.samples = static_cast<int64_t>(samples.size());
  return damage;
}

Diagnostics warnings_of(const Damage& damage) {
  Diagnostics found;
  for (const OutputDamage& o : damage.outputs) {
    if (!(o.sqnr < kLoudDamage)) continue;
    std::string text = print_sqnr(o.sqnr) + " of signal to quantization noise: far from the float model";
    Diagnostic d = warning("");
    if (o.cause) {
      const NodeDamage& n = o.cause->node;
      text += "; most of the noise arises at '" + n.node + "' (" + n.op + "), with " + print_sqnr(n.operands) +
              " before and " + print_sqnr(n.sqnr) + " behind it";
      const std::string blamed = quoted_list(o.cause->quantized);
      if (!n.quantized && !blamed.empty()) text += ", which magnifies the errors of " + blamed;
      d.help(advice(*o.cause, blamed));
    }
    d.message = std::move(text);
    found.push_back(std::move(d.at("output '" + o.output + "'")));
  }
  return found;
}

}  // namespace lapis
