// Random quantized networks in QDQ form: what a quantizer writes, and what it does not but ONNX allows (unsigned
// weights, zero points at the ends, scales tiny and huge, biases that are not quantized, results in the middle).
#include <algorithm>
#include <cmath>

#include "ir/ops/ops.h"
#include "tests/random/graphs/generate.h"
#include "tests/random/graphs/propose.h"

namespace lapis::random_graphs {
namespace {

using Ints = std::vector<int64_t>;

class QdqDraft {
 public:
  explicit QdqDraft(uint64_t seed) : d_(seed), random_(d_.random) {
    d_.views = false;
    unsigned_ = random_.chance(70);
    wild_ = random_.chance(25);
  }

  Sample draw();

 private:
  float scale();
  Tensor zero(DType dtype);
  Value* parameter(float value) { return d_.constant(Tensor::scalar(value)); }
  Value* node(const OpDef& op, Proposal proposal) {
    Node* n = d_.apply(op, std::move(proposal));
    return n && n->output()->type().is_static() ? n->output() : nullptr;
  }
  Value* quantized(Value* x);
  Value* shared_quantized(Value* x, Value* like);
  Value* weight(const Shape& shape, size_t axis);
  Value* bias(Value* x, Value* w, int64_t count, int64_t axis);
  Value* input(const Shape& shape);
  Value* any() { return random_.chance(65) ? values_.back() : random_.pick(values_); }
  Value* of_rank(int64_t rank);
  Value* same_shape(Value* x);

  Value* conv();
  Value* matrix();
  Value* pair();
  Value* concat();
  Value* pool();
  Value* activation(Value* x);
  Value* moved();
  Value* reduced();
  Value* step();

  Draft d_;
  Random& random_;
  bool unsigned_, wild_;
  std::vector<Value*> values_;  // dequantized activations
};

float QdqDraft::scale() {
  if (wild_ && random_.chance(15)) return random_.pick<float>({1e-10f, 1e5f, 3e-5f, 1e-38f, 1e30f});
  return random_.chance(30) ? std::ldexp(1.0f, static_cast<int>(random_.between(-8, 0)))
                            : static_cast<float>(random_.uniform(0.004, 0.2));
}

Tensor QdqDraft::zero(DType dtype) {
  const bool is_unsigned = dtype == DType::UInt8;
  int64_t value = is_unsigned ? 128 : 0;
  if (random_.chance(60)) value = is_unsigned ? random_.between(0, 255) : random_.between(-128, 127);
  if (random_.chance(20)) value = is_unsigned ? random_.one_of({0, 255}) : random_.one_of({-128, 127});
  return is_unsigned ? Tensor::scalar(static_cast<uint8_t>(value)) : Tensor::scalar(static_cast<int8_t>(value));
}

// Q and DQ with one scale and zero point.
Value* QdqDraft::quantized(Value* x) {
  if (!x) return nullptr;
  const DType dtype = random_.chance(90) == unsigned_ ? DType::UInt8 : DType::Int8;
  Value *s = parameter(scale()), *z = d_.constant(zero(dtype));
  Value* q = node(ops::QuantizeLinear, {{x, s, z}, {}, 1});
  return q ? node(ops::DequantizeLinear, {{q, s, z}, {}, 1}) : nullptr;
}

// With the parameters of `like`, as quantizers do behind operators that move values.
Value* QdqDraft::shared_quantized(Value* x, Value* like) {
  const Node* dq = like->producer();
  if (!x || !dq || !dq->is(ops::DequantizeLinear) || random_.chance(20)) return quantized(x);
  Value* q = node(ops::QuantizeLinear, {{x, dq->input(1), dq->input(2)}, {}, 1});
  return q ? node(ops::DequantizeLinear, {{q, dq->input(1), dq->input(2)}, {}, 1}) : nullptr;
}

Value* QdqDraft::weight(const Shape& shape, size_t axis) {
  const DType dtype = random_.chance(90) ? DType::Int8 : DType::UInt8;
  const bool per_channel = random_.chance(60);
  const Shape parameters = per_channel ? Shape{shape[axis]} : Shape{};
  Tensor q(dtype, shape), s(DType::Float32, parameters), z(dtype, parameters);
  for (int64_t i = 0; i < q.bytes(); ++i) q.mutable_raw()[i] = static_cast<std::byte>(random_.next());
  for (float& v : s.mutable_data<float>()) v = scale();
  const bool asymmetric = random_.chance(dtype == DType::UInt8 ? 80 : 10);
  for (int64_t i = 0; i < z.bytes(); ++i)
    z.mutable_raw()[i] = static_cast<std::byte>(asymmetric ? random_.next() : dtype == DType::UInt8 ? 128 : 0);
  Proposal p{{d_.constant(q), d_.constant(s), random_.chance(90) ? d_.constant(z) : nullptr}, {}, 1};
  if (per_channel) p.attributes["axis"] = static_cast<int64_t>(axis);
  return node(ops::DequantizeLinear, std::move(p));
}

// int32 at the product of the scales, as quantizers write it; or plain floats; or none.
Value* QdqDraft::bias(Value* x, Value* w, int64_t count, int64_t axis) {
  if (random_.chance(30)) return nullptr;
  const Node *dx = x->producer(), *dw = w->producer();
  if (!dx || !dx->is(ops::DequantizeLinear) || !dw->input(1)->is_constant() || random_.chance(20))
    return d_.constant(draw_tensor(random_, DType::Float32, {count}, Mood::Ordinary));
  const Tensor& ws = dw->input(1)->constant();
  Tensor s(DType::Float32, ws.shape()), b(DType::Int32, {count});
  for (size_t i = 0; i < s.data<float>().size(); ++i)
    s.mutable_data<float>()[i] = dx->input(1)->constant().data<float>()[0] * ws.data<float>()[i];
  for (int32_t& v : b.mutable_data<int32_t>()) v = static_cast<int32_t>(random_.between(-5000, 5000));
  Proposal p{
      {d_.constant(b), d_.constant(s), random_.chance(50) ? d_.constant(Tensor(DType::Int32, ws.shape())) : nullptr},
      {},
      1};
  if (ws.rank()) p.attributes["axis"] = axis;
  return node(ops::DequantizeLinear, std::move(p));
}

Value* QdqDraft::input(const Shape& shape) {
  Tensor t(DType::Float32, shape);
  for (float& v : t.mutable_data<float>()) v = static_cast<float>(random_.uniform(-6, 6));
  const int kept = std::exchange(d_.constants, 5);
  Value* x = quantized(d_.fresh(std::move(t)));
  d_.constants = kept;
  return x;
}

Value* QdqDraft::of_rank(int64_t rank) {
  std::vector<Value*> fitting;
  for (Value* v : values_)
    if (v->type().rank() == rank) fitting.push_back(v);
  if (!fitting.empty()) return random_.chance(60) ? fitting.back() : random_.pick(fitting);
  Shape shape = {1};
  while (static_cast<int64_t>(shape.size()) < rank) shape.push_back(random_.between(1, 6));
  return input(shape);
}

Value* QdqDraft::same_shape(Value* x) {
  std::vector<Value*> fitting;
  for (Value* v : values_)
    if (v->type().static_shape() == x->type().static_shape()) fitting.push_back(v);
  return random_.chance(75) ? random_.pick(fitting) : input(x->type().shape());
}

Value* QdqDraft::conv() {
  Value* x = of_rank(random_.chance(90) ? 4 : 3);
  if (!x) return nullptr;
  const Shape in = x->type().shape();
  const int64_t channels = in[1];
  int64_t group = 1, out = random_.one_of({1, 2, 3, 4, 8, 16, 17, 20});
  if (random_.chance(30) && channels) group = channels, out = channels * random_.one_of({1, 1, 1, 2});
  if (group == 1 && channels % 2 == 0 && channels && random_.chance(15)) group = 2, out *= 2;
  Shape w = {out, channels / std::max<int64_t>(group, 1)};
  Proposal p{{x}, {}, 1};
  Ints pads, strides;
  const int64_t kernel = random_.one_of({1, 1, 3, 3, 2, 5});
  for (size_t i = 2; i < in.size(); ++i) {
    w.push_back(random_.chance(85) ? std::min(kernel, in[i] + 1) : 1);
    pads.push_back(random_.chance(70) ? w.back() / 2 : random_.between(0, w.back() - 1));
    strides.push_back(random_.one_of({1, 1, 1, 2}));
  }
  Ints both = pads;
  both.insert(both.end(), pads.begin(), pads.end());
  p.attributes = {{"pads", both}, {"strides", strides}, {"group", group}};
  if (random_.chance(10)) p.attributes["dilations"] = Ints(in.size() - 2, 2);
  Value* weights = weight(w, 0);
  if (!weights) return nullptr;
  p.inputs.push_back(weights);
  p.inputs.push_back(bias(x, weights, out, 0));
  Value* y = node(ops::Conv, std::move(p));
  return y ? activation(y) : nullptr;
}

Value* QdqDraft::matrix() {
  Value* x = of_rank(random_.chance(70) ? 2 : 3);
  if (!x) return nullptr;
  const int64_t k = x->type().shape().back(), n = random_.one_of({1, 2, 3, 5, 8, 16, 17, 33});
  const bool gemm = x->type().rank() == 2 && random_.chance(60), transposed = gemm && random_.chance(60);
  Value* w = random_.chance(90) || !gemm ? weight(transposed ? Shape{n, k} : Shape{k, n}, transposed ? 0 : 1)
                                         : input(transposed ? Shape{n, k} : Shape{k, n});
  if (!w) return nullptr;
  Proposal p{{x, w}, {}, 1};
  if (gemm) {
    if (w->producer()->input(0)->is_constant()) p.inputs.push_back(bias(x, w, n, 0));
    if (transposed) p.attributes["transB"] = int64_t{1};
  }
  Value* y = node(gemm ? ops::Gemm : ops::MatMul, std::move(p));
  if (y && !gemm && random_.chance(50))
    y = node(ops::Add, {{y, d_.constant(draw_tensor(random_, DType::Float32, {n}, Mood::Ordinary))}, {}, 1});
  return y ? activation(y) : nullptr;
}

Value* QdqDraft::activation(Value* x) {
  switch (random_.between(0, 7)) {
    case 0:
    case 1: return node(ops::Relu, {{x}, {}, 1});
    case 2: return node(ops::Clip, {{x, parameter(0), parameter(6)}, {}, 1});
    case 3:
      return node(
          *random_.pick<const OpDef*>({&ops::LeakyRelu, &ops::HardSigmoid, &ops::HardSwish, &ops::Sigmoid, &ops::Tanh}),
          {{x}, {}, 1});
    default: return x;
  }
}

Value* QdqDraft::pair() {
  Value* x = any();
  static const std::vector<const OpDef*> kOps = {&ops::Add, &ops::Add, &ops::Add, &ops::Mul, &ops::Sub, &ops::Max};
  Value* y = same_shape(x);
  if (random_.chance(15) && x->type().rank() == 4) y = input({1, x->type().shape()[1], 1, 1});
  Value* sum = y ? node(*random_.pick(kOps), {{x, y}, {}, 1}) : nullptr;
  return sum ? activation(sum) : nullptr;
}

Value* QdqDraft::concat() {
  Value* x = any();
  if (x->type().rank() < 2) return nullptr;
  Proposal p{{x}, {{"axis", int64_t{1}}}, 1};
  for (int64_t more = random_.between(1, 2); more > 0; --more) {
    Shape shape = x->type().shape();
    shape[1] = random_.between(1, 5);
    p.inputs.push_back(random_.chance(50) ? same_shape(x) : input(shape));
  }
  return node(ops::Concat, std::move(p));
}

Value* QdqDraft::pool() {
  Value* x = of_rank(4);
  if (!x) return nullptr;
  if (random_.chance(30)) return node(random_.chance(70) ? ops::GlobalAveragePool : ops::GlobalMaxPool, {{x}, {}, 1});
  const int64_t kernel = random_.between(1, 3);
  Proposal p{{x}, {{"kernel_shape", Ints{kernel, kernel}}}, 1};
  if (random_.chance(50)) p.attributes["strides"] = Ints{2, 2};
  if (random_.chance(40)) p.attributes["pads"] = Ints(4, kernel / 2);
  return node(random_.chance(60) ? ops::MaxPool : ops::AveragePool, std::move(p));
}

Value* QdqDraft::moved() {
  Value* x = any();
  return shared_quantized(propose_view(d_, x), x);
}

Value* QdqDraft::reduced() {
  Value* x = any();
  if (x->type().rank() < 2) return nullptr;
  if (random_.chance(30)) return node(ops::Softmax, {{x}, {}, 1});
  return node(ops::ReduceMean, {{x, d_.ints({random_.chance(50) ? x->type().rank() - 1 : 1})}, {}, 1});
}

Value* QdqDraft::step() {
  switch (random_.between(0, 11)) {
    case 0:
    case 1:
    case 2:
    case 3: return quantized(conv());
    case 4:
    case 5: return quantized(matrix());
    case 6:
    case 7: return quantized(pair());
    case 8: return quantized(concat());
    case 9: {
      Value* y = pool();
      return y && y->producer()->is(ops::MaxPool) ? shared_quantized(y, y->producer()->input(0)) : quantized(y);
    }
    case 10: return moved();
    default: return quantized(reduced());
  }
}

Sample QdqDraft::draw() {
  const bool image = random_.chance(75);
  Value* first = image ? input({random_.one_of({1, 1, 2}), random_.one_of({1, 2, 3, 4, 8, 16}), random_.between(1, 8),
                                random_.between(1, 8)})
                       : input({random_.between(1, 5), random_.one_of({1, 3, 4, 8, 16, 17, 32})});
  if (first) values_.push_back(first);
  for (int64_t steps = random_.between(1, 6); steps > 0 && !values_.empty(); --steps)
    if (Value* y = step()) values_.push_back(y);
  d_.choose_outputs();
  Sample sample;
  sample.feeds = std::move(d_.feeds);
  sample.graph = std::move(d_.graph);
  return sample;
}

}  // namespace

Sample draw_qdq_graph(uint64_t seed) { return QdqDraft(seed).draw(); }

}  // namespace lapis::random_graphs
