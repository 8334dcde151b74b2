#include "passes/prune/weights.h"

#include "ir/ops/attributes.h"
#include "ir/ops/ops.h"

namespace lapis {

namespace {

Diagnostic refuse(std::string reason) { return error(ErrorKind::Unsupported, std::move(reason)); }

}  // namespace

size_t WeightMatrix::place(int64_t row, int64_t input) const {
  const int64_t channel = input % channels, tap = input / channels;
  const Tensor& w = weight->constant();
  return static_cast<size_t>(output_axis == 0 ? (row * channels + channel) * taps + tap : channel * w.dim(1) + row);
}

std::vector<double> WeightMatrix::read() const {
  const auto floats = weight->constant().data<float>();
  std::vector<double> values;
  values.reserve(floats.size());
  for (int64_t r = 0; r < rows(); ++r)
    for (int64_t i = 0; i < inputs(); ++i) values.push_back(floats[place(r, i)]);
  return values;
}

Tensor WeightMatrix::stored(const std::vector<double>& values) const {
  Tensor tensor(DType::Float32, weight->constant().shape());
  const auto floats = tensor.mutable_data<float>();
  size_t at = 0;
  for (int64_t r = 0; r < rows(); ++r)
    for (int64_t i = 0; i < inputs(); ++i) floats[place(r, i)] = static_cast<float>(values[at++]);
  return tensor;
}

Result<WeightMatrix> weight_matrix(Node& node) {
  if (!node.is(ops::Conv) && !node.is(ops::Gemm) && !node.is(ops::MatMul))
    return refuse("only the weights of Conv, Gemm and MatMul are pruned");
  Value* w = node.input(1);
  if (!w->is_constant()) return refuse("the second operand is not constant");
  if (w->dtype() != DType::Float32) return refuse("the weights are not float32");
  const Tensor& t = w->constant();
  if (t.size() == 0) return refuse("there are no weights");
  if (node.is(ops::Conv)) {
    const int64_t groups = node.attrs<ops::ConvAttrs>().group;
    int64_t taps = 1;
    for (int64_t a = 2; a < t.rank(); ++a) taps *= t.dim(a);
    return WeightMatrix{&node, w, groups, t.dim(0) / groups, taps, t.dim(1), 0, 1};
  }
  if (t.rank() != 2) return refuse("the weights are not a matrix");
  const bool turned = node.is(ops::MatMul) || !node.attrs<ops::GemmAttrs>().transB;
  return WeightMatrix{&node, w, 1, t.dim(turned ? 1 : 0), 1, t.dim(turned ? 0 : 1), turned ? 1 : 0, turned ? 0 : 1};
}

}  // namespace lapis
