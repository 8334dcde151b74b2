#include "passes/quantize/bias_correction.h"

#include <algorithm>
#include <cmath>

#include "ir/ops/ops.h"
#include "passes/quantize/params.h"
#include "passes/quantize/roles.h"
#include "passes/quantize/sample_runner.h"
#include "passes/quantize/typed.h"

namespace lapis {

namespace {

// A contraction whose bias is to be corrected, and where that bias is an operand:
// of itself, or of the Add behind a MatMul.
struct Biased {
  Node* node;
  ContractionRole role;
  Node* reader;
  size_t index;
  std::string name = {};           // of the value that holds the shift of each channel, in one sample
  std::vector<double> shift = {};  // summed over samples
  int64_t channels() const { return role.weight->constant().dim(role.axis); }
};

bool is_bias(const Value* v, int64_t channels) {
  return v && v->is_constant() && v->dtype() == DType::Float32 && v->constant().size() == channels &&
         v->constant().dim(-1) == channels;
}

std::optional<Biased> biased(Node& node) {
  const auto role = contraction_role(node);
  if (!role.ok() || !role->data->type().ranked()) return std::nullopt;
  if (!node.is(ops::MatMul)) return Biased{&node, *role, &node, 2};
  if (!node.output()->used_once() || !node.output()->uses()[0].node->is(ops::Add)) return std::nullopt;
  Node* sum = node.output()->uses()[0].node;
  const size_t other = 1 - node.output()->uses()[0].index;
  if (!is_bias(sum->input(other), role->weight->constant().dim(role->axis))) return std::nullopt;
  return Biased{&node, *role, sum, other};
}

// The integers that the weights of a node become.
IntegerTensors integers_of(const Biased& b, const Placement& placement, const RoundedOf& rounded) {
  if (const auto own = rounded.find(b.node); own != rounded.end()) return own->second;
  const bool per_channel = placement.recipes.of(*b.node).weights.granularity == Granularity::Channel;
  const QuantizedWeight q = quantize_weight(b.role.weight->constant(), b.role.axis, {}, 1, per_channel);
  return {q.values, q.scales, {}};
}

// What rounding takes from the weights.
Tensor rounding_errors(const Biased& b, const IntegerTensors& q) {
  const Tensor& w = b.role.weight->constant();
  Tensor errors(DType::Float32, w.shape());
  int64_t inner = 1;
  for (int64_t a = b.role.axis + 1; a < w.rank(); ++a) inner *= w.dim(a);
  for (int64_t i = 0; i < w.size(); ++i) {
    const auto at = static_cast<size_t>(i);
    const float scale = q.scales.data<float>()[static_cast<size_t>(i / inner % b.channels())];
    errors.mutable_data<float>()[at] = w.data<float>()[at] - static_cast<float>(q.values.data<int8_t>()[at]) * scale;
  }
  return errors;
}

// The mean over all axes but the channels' of what the errors of the weights make of the data.
Value* shift_of(Graph& graph, const Biased& b, const Tensor& errors) {
  Value* product = add_typed(graph, b.node->op(), {graph.find_value(b.role.data->name()), graph.add_constant(errors)},
                             b.node->attributes());
  return reduce_all_but(graph, ops::ReduceMean, product, b.node->is(ops::Conv) ? 1 : product->type().rank() - 1);
}

std::vector<Biased> wanted(const Graph& graph, const Placement& placement) {
  std::vector<Biased> found;
  for (Node* node : graph.nodes()) {
    if (!placement.is_int8(*node) || quant_of(*node) != Quant::Contraction) continue;
    if (!placement.recipes.of(*node).correct_bias.value_or(node->is(ops::Conv))) continue;
    if (const auto b = biased(*node)) found.push_back(*b);
  }
  return found;
}

// The bias as one value a channel, with the mean shift added.
Tensor corrected(const Biased& b, const Tensor& old, int64_t samples) {
  Tensor bias(DType::Float32, old.defined() && old.size() == b.channels() ? old.shape() : Shape{b.channels()});
  for (size_t c = 0; c < b.shift.size(); ++c) {
    const float before = old.defined() ? old.data<float>()[old.size() == 1 ? 0 : c] : 0;
    const double shift = b.shift[c] / static_cast<double>(samples);
    bias.mutable_data<float>()[c] = std::isfinite(shift) ? before + static_cast<float>(shift) : before;
  }
  return bias;
}

}  // namespace

Result<bool> correct_biases(Graph& graph, const Placement& placement, Evaluator& evaluator, const SampleSource& source,
                            int64_t samples, const RoundedOf& rounded) {
  std::vector<Biased> all = wanted(graph, placement);
  if (all.empty()) return false;
  const std::unique_ptr<Graph> copy = graph.clone();
  std::vector<Value*> outputs;
  for (Biased& b : all) {
    outputs.push_back(shift_of(*copy, b, rounding_errors(b, integers_of(b, placement, rounded))));
    b.name = outputs.back()->name();
    b.shift.resize(static_cast<size_t>(b.channels()), 0);
  }
  copy->set_outputs(outputs);
  int64_t seen = 0;
  SampleRunner runner(*copy, {}, evaluator);
  LAPIS_CHECK(runner.run_all(source, samples, [&](const Feeds& results) -> Status {
    for (Biased& b : all)
      for (size_t c = 0; c < b.shift.size(); ++c) b.shift[c] += results.at(b.name).as_double(static_cast<int64_t>(c));
    ++seen;
    return ok();
  }));
  for (const Biased& b : all) {
    const Value* old = b.reader->input(b.index);
    const std::string name = (old ? old->name() : b.node->output()->name() + "_bias") + "_corrected";
    b.reader->set_input(
        b.index, graph.add_constant(corrected(b, old ? old->constant() : Tensor(), std::max<int64_t>(seen, 1)), name));
  }
  graph.erase_unused_constants();
  return true;
}

}  // namespace lapis
