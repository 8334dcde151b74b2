#include "passes/prune/moments.h"

#include <limits>

#include "ir/ops/attributes.h"
#include "ir/ops/ops.h"
#include "ir/ops/window.h"
#include "passes/quantize/sample_runner.h"
#include "passes/quantize/typed.h"

namespace lapis {

namespace {

constexpr int64_t kBytesAtOnce = int64_t{256} << 20;
constexpr int64_t kToTheEnd = std::numeric_limits<int64_t>::max();

bool takes_bias(const WeightMatrix& m) {
  if (m.node->is(ops::MatMul)) return false;
  const Value* bias = m.node->input(2);
  return !bias || (bias->is_constant() && bias->constant().size() == m.rows() && bias->constant().dim(-1) == m.rows() &&
                   bias->dtype() == DType::Float32);
}

// Builds what computes the moments of one node beside a copy of the model.
class Builder {
 public:
  Builder(Graph& copy, const WeightMatrix& matrix)
      : graph_(copy), m_(matrix), data_(copy.find_value(matrix.node->input(0)->name())) {}

  // float[groups][size][size]
  Value* moments(bool with_bias) {
    Value* inputs = m_.node->is(ops::Conv) ? under_the_window() : rows_of_matrices();
    if (with_bias) inputs = padded(inputs, {0, 0, 0, 0, 1, 0}, 1);
    return add_typed(graph_, ops::MatMul, {inputs, transposed(inputs, {0, 2, 1})});
  }

 private:
  // [1][inputs][rows]
  Value* rows_of_matrices() {
    Value* rows = add_typed(graph_, ops::Reshape, {data_, ints({1, -1, m_.inputs()})});
    return transposed(rows, {0, 2, 1});
  }

  // [groups][inputs][positions]: a slice of the padded data for every tap, one behind the other.
  Value* under_the_window() {
    const ops::Window w = ops::conv_window(m_.node->attrs<ops::ConvAttrs>(), m_.weight->constant().shape());
    Value* x = data_;
    std::vector<int64_t> pads(2 * (w.rank() + 2), 0);
    for (size_t a = 0; a < w.rank(); ++a) {
      pads[a + 2] = w.begins[a];
      pads[w.rank() + a + 4] = w.ends[a];
    }
    if (std::any_of(pads.begin(), pads.end(), [](int64_t p) { return p != 0; })) x = padded(x, pads, 0);
    std::vector<Value*> taps;
    for (int64_t tap = 0; tap < m_.taps; ++tap) taps.push_back(slice(x, w, tap));
    Value* all = taps.size() == 1 ? taps[0] : add_typed(graph_, ops::Concat, taps, {{"axis", int64_t{1}}});
    all = add_typed(graph_, ops::Reshape, {all, ints({0, m_.taps, m_.groups, m_.channels, -1})});
    return add_typed(graph_, ops::Reshape, {transposed(all, {2, 1, 3, 0, 4}), ints({m_.groups, m_.inputs(), -1})});
  }

  Value* slice(Value* x, const ops::Window& w, int64_t tap) {
    std::vector<int64_t> starts, ends, axes, steps;
    for (size_t a = w.rank(); a-- > 0; tap /= w.kernel[a]) {
      const int64_t start = tap % w.kernel[a] * w.dilations[a], behind = w.reach(a) - 1 - start;
      starts.push_back(start);
      ends.push_back(behind == 0 ? kToTheEnd : -behind);
      axes.push_back(static_cast<int64_t>(a) + 2);
      steps.push_back(w.strides[a]);
    }
    return add_typed(graph_, ops::Slice, {x, ints(starts), ints(ends), ints(axes), ints(steps)});
  }

  Value* padded(Value* x, std::vector<int64_t> pads, float with) {
    return add_typed(graph_, ops::Pad, {x, ints(std::move(pads)), graph_.add_constant(Tensor::scalar(with))});
  }
  Value* transposed(Value* x, std::vector<int64_t> perm) {
    return add_typed(graph_, ops::Transpose, {x}, {{"perm", std::move(perm)}});
  }
  Value* ints(std::vector<int64_t> values) { return graph_.add_constant(Tensor::vector(std::move(values))); }

  Graph& graph_;
  const WeightMatrix& m_;
  Value* data_;
};

struct Measured {
  InputMoments* to;
  std::string name;  // of the value that holds the moments in one sample
};

Status measure(const Graph& graph, std::span<const WeightMatrix> matrices, InputMomentsOf& all, Evaluator& evaluator,
               const SampleSource& source, int64_t samples) {
  const std::unique_ptr<Graph> copy = graph.clone();
  std::vector<Measured> measured;
  std::vector<Value*> outputs;
  for (const WeightMatrix& m : matrices) {
    InputMoments& moments = all.at(m.node);
    outputs.push_back(Builder(*copy, m).moments(moments.bias));
    measured.push_back({&moments, outputs.back()->name()});
  }
  copy->set_outputs(outputs);
  SampleRunner runner(*copy, {}, evaluator);
  return runner.run_all(source, samples, [&](const Feeds& results) -> Status {
    for (const Measured& m : measured) {
      const auto seen = results.at(m.name).data<float>();
      size_t at = 0;
      for (Moments& sums : m.to->groups)
        for (double& sum : sums) sum += seen[at++];
    }
    return ok();
  });
}

}  // namespace

std::optional<std::string> has_no_moments(const Node& node) {
  const Value* data = node.input(0);
  if (data->is_constant()) return "its data is constant";
  if (!data->type().ranked()) return "the rank of its data is not known";
  if (node.is(ops::Gemm) && node.attrs<ops::GemmAttrs>().transA) return "A is transposed";
  if (node.is(ops::Gemm) && (node.attrs<ops::GemmAttrs>().alpha != 1 || node.attrs<ops::GemmAttrs>().beta != 1))
    return "alpha or beta is not 1";
  if (!node.is(ops::Conv)) return std::nullopt;
  const std::string pad = node.attrs<ops::ConvAttrs>().auto_pad;
  if (pad != "NOTSET" && pad != "VALID") return "it pads by auto_pad";
  return std::nullopt;
}

Result<InputMomentsOf> measure_input_moments(const Graph& graph, const std::vector<WeightMatrix>& matrices,
                                             Evaluator& evaluator, const SampleSource& source, int64_t samples) {
  InputMomentsOf all;
  std::span<const WeightMatrix> left(matrices);
  while (!left.empty()) {
    size_t count = 0;
    int64_t bytes = 0;
    while (count < left.size() && (count == 0 || bytes < kBytesAtOnce)) {
      const WeightMatrix& m = left[count++];
      InputMoments& moments = all[m.node];
      moments.bias = takes_bias(m);
      moments.size = m.inputs() + (moments.bias ? 1 : 0);
      const auto square = static_cast<size_t>(moments.size * moments.size);
      moments.groups.assign(static_cast<size_t>(m.groups), Moments(square, 0));
      bytes += m.groups * static_cast<int64_t>(square * sizeof(double));
    }
    LAPIS_CHECK(measure(graph, left.first(count), all, evaluator, source, samples));
    left = left.subspan(count);
  }
  return all;
}

}  // namespace lapis
