#include "passes/quantize/equalize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "ir/ops/attributes.h"
#include "ir/ops/ops.h"
#include "passes/quantize/roles.h"

namespace lapis {

namespace {

constexpr int kRounds = 20;

// The weight of a Conv or Gemm as channels, and where each stands.
class Weights {
 public:
  Weights(Node& node, const ContractionRole& role) : node_(&node), axis_(role.axis), weight_(role.weight->constant()) {
    if (role.bias) bias_ = role.bias->constant();
    if (node.is(ops::Conv)) group_ = node.attrs<ops::ConvAttrs>().group;
    for (int64_t a = 2; a < weight_.rank(); ++a) inner_ *= weight_.dim(a);
  }

  int64_t outputs() const { return weight_.dim(axis_); }
  int64_t inputs() const { return weight_.dim(1 - axis_) * group_; }
  // [1,n] and a single value are biases too, but not by channel in a way that can be scaled.
  bool bias_is_by_channel() const { return !bias_.defined() || bias_.size() == outputs(); }

  // The channel that element i belongs to, of the outputs or of the inputs.
  size_t channel(int64_t i, bool of_outputs) const {
    const int64_t row = i / inner_ / weight_.dim(1), column = i / inner_ % weight_.dim(1);
    const int64_t output = axis_ == 0 ? row : column, input = axis_ == 0 ? column : row;
    if (of_outputs) return static_cast<size_t>(output);
    return static_cast<size_t>(output / std::max<int64_t>(outputs() / group_, 1) * weight_.dim(1 - axis_) + input);
  }

  std::vector<float> ranges(bool of_outputs) const {
    std::vector<float> largest(static_cast<size_t>(of_outputs ? outputs() : inputs()), 0);
    for (int64_t i = 0; i < weight_.size(); ++i) {
      float& r = largest[channel(i, of_outputs)];
      r = std::max(r, std::abs(weight_.data<float>()[static_cast<size_t>(i)]));
    }
    return largest;
  }

  void multiply(const std::vector<float>& s, bool of_outputs) {
    for (int64_t i = 0; i < weight_.size(); ++i)
      weight_.mutable_data<float>()[static_cast<size_t>(i)] *= s[channel(i, of_outputs)];
    if (!of_outputs || !bias_.defined()) return;
    for (size_t c = 0; c < s.size(); ++c) bias_.mutable_data<float>()[c] *= s[c];
  }

  void store(Graph& graph) const {
    node_->set_input(1, graph.add_constant(weight_, node_->input(1)->name() + "_equalized"));
    if (bias_.defined()) node_->set_input(2, graph.add_constant(bias_, node_->input(2)->name() + "_equalized"));
  }

 private:
  Node* node_;
  int64_t axis_, group_ = 1, inner_ = 1;
  Tensor weight_, bias_;
};

bool commutes_with_factors(const Node& node) {
  static const std::array kOperators = {&ops::Relu,        &ops::LeakyRelu,         &ops::MaxPool,
                                        &ops::AveragePool, &ops::GlobalAveragePool, &ops::GlobalMaxPool};
  if (node.is(ops::Pad)) return !refuses_bytes(node);  // pads with 0
  return std::any_of(kOperators.begin(), kOperators.end(), [&](const OpDef* op) { return node.is(*op); });
}

class Equalizer {
 public:
  Equalizer(Graph& graph, const Placement& placement) : graph_(graph), placement_(placement) {}

  bool run() {
    for (Node* node : graph_.nodes()) find_pair(*node);
    for (int round = 0; round < kRounds; ++round)
      for (const auto& [first, second] : pairs_) balance(weights_.at(first), weights_.at(second));
    for (const auto& [node, weights] : weights_) weights.store(graph_);
    for (Value* v : between_) graph_.rename(v, v->name() + "_equalized");
    graph_.erase_unused_constants();
    return !pairs_.empty();
  }

 private:
  bool is_wanted(const Node& node) const {
    return (node.is(ops::Conv) || node.is(ops::Gemm)) && placement_.in_fewer_bits(node) &&
           placement_.recipes.of(node).equalize && contraction_role(node).ok();
  }

  void find_pair(Node& first) {
    if (!is_wanted(first)) return;
    std::vector<Value*> between = {first.output()};
    const Value* v = between.front();
    while (v->used_once() && commutes_with_factors(*v->uses()[0].node) && v->uses()[0].index == 0) {
      between.push_back(v->uses()[0].node->output());
      v = between.back();
    }
    if (!v->used_once() || v->uses()[0].index != 0 || !is_wanted(*v->uses()[0].node)) return;
    Node& second = *v->uses()[0].node;
    const Weights a(first, *contraction_role(first)), b(second, *contraction_role(second));
    if (a.outputs() != b.inputs() || !a.bias_is_by_channel()) return;
    weights_.try_emplace(&first, a);
    weights_.try_emplace(&second, b);
    pairs_.emplace_back(&first, &second);
    between_.insert(between_.end(), between.begin(), between.end());
  }

  static void balance(Weights& first, Weights& second) {
    const std::vector<float> in_front = first.ranges(true), behind = second.ranges(false);
    std::vector<float> s(in_front.size(), 1), inverse = s;
    for (size_t c = 0; c < s.size(); ++c) {
      const float factor = std::sqrt(in_front[c] / behind[c]);
      if (!(factor > 1e-6f && factor < 1e6f)) continue;  // a channel that is 0 on one side
      s[c] = factor;
      inverse[c] = 1 / factor;
    }
    first.multiply(inverse, true);
    second.multiply(s, false);
  }

  Graph& graph_;
  const Placement& placement_;
  std::vector<std::pair<const Node*, const Node*>> pairs_;
  std::map<const Node*, Weights> weights_;
  std::vector<Value*> between_;  // not what they were, so that they cannot keep their names
};

}  // namespace

bool equalize(Graph& graph, const Placement& placement) { return Equalizer(graph, placement).run(); }

}  // namespace lapis
