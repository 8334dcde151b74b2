// LSTMs of pictures: gates are convolutions of the data and of the state.
// ONNX has no such operator, so that steps stand one behind the other.
#include <algorithm>

#include "frontends/keras/windows.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"

namespace lapis::keras_frontend {
namespace {

enum Operand : size_t { kData, kState, kCell, kMask, kKernel, kRecurrentKernel, kBias };
constexpr int64_t kGates = 4;  // i f c o

std::vector<int64_t> ones(size_t count) { return std::vector<int64_t>(count, 1); }

// Kernels [pixels..., in, gates * filters].
Status check_weights(const Translation& t, size_t axes, int64_t filters) {
  constexpr int64_t kMost = int64_t{1} << 40;
  if (filters < 1 || filters > kMost) return error(ErrorKind::Input, "has " + std::to_string(filters) + " filters");
  const auto fits = [&](size_t operand) {
    const Tensor& kernel = t.input(operand).constant;
    return kernel.defined() && kernel.rank() == static_cast<int64_t>(axes + 2) && kernel.size() > 0 &&
           kernel.dim(-1) == kGates * filters;
  };
  const bool has_bias = t.has(kBias);
  if (fits(kKernel) && fits(kRecurrentKernel) && t.input(kRecurrentKernel).constant.dim(-2) == filters &&
      (!has_bias || t.input(kBias).constant.size() == kGates * filters))
    return ok();
  return error(ErrorKind::Input, "its weights do not fit its " + std::to_string(filters) + " filters");
}

Result<int64_t> step_count(const Translation& t, const Type& data) {
  constexpr int64_t kMost = 256;
  const Dim& steps = data.dim(1);
  if (steps.is_constant() && steps.value() >= 1 && steps.value() <= kMost) return steps.value();
  return Translation::unsupported(steps.is_constant()
                                      ? "more than " + std::to_string(kMost) + " steps of " + t.node().op
                                      : "an open number of steps of " + t.node().op);
}

class Pictures {
 public:
  Pictures(Translation& t, size_t axes) : t_(t), axes_(axes) {}

  // The outputs of all steps, in the order in which they are taken.
  Result<std::vector<Value*>> run() {
    LAPIS_TRY(Value * x, data());
    LAPIS_TRY(const int64_t steps, step_count(t_, x->type()));
    if (t_.has(kState)) {
      LAPIS_TRY(h_, t_.real(kState, image_layout(t_)));
      LAPIS_TRY(c_, t_.real(kCell, image_layout(t_)));
    }
    const bool backwards = t_.get<bool>("go_backwards", false);
    std::vector<Value*> outputs;
    for (int64_t i = 0; i < steps; ++i) {
      Value* at = t_.constant(Tensor::scalar(backwards ? steps - 1 - i : i));
      LAPIS_TRY(Value * picture, t_.add(ops::Gather, {x, at}, ops::AxisAttrs{.axis = 1}));
      LAPIS_TRY(outputs.emplace_back(), t_.has(kMask) ? counted_step(picture, at) : step(picture));
    }
    return outputs;
  }

  Value* state() const { return h_; }
  Value* cell() const { return c_; }

 private:
  // [N, steps, C, pixels...]
  Result<Value*> data() {
    LAPIS_TRY(Value * x, t_.real(kData, Layout::AsWritten));
    if (has_channels_first(t_)) return x;
    Axes perm = {0, 1, static_cast<int64_t>(axes_) + 2};
    for (int64_t axis = 2; axis < static_cast<int64_t>(axes_) + 2; ++axis) perm.push_back(axis);
    return frontend::transpose(t_, x, std::move(perm));
  }

  Result<Value*> of_data(Value* picture) {
    const Shape kernel = t_.input(kKernel).constant.shape();
    if (!picture->type().dim(1).is(kernel[axes_]))
      return error(ErrorKind::Input, "its kernel " + t_.input(kKernel).type.to_string() + " does not fit its data " +
                                         t_.input(kData).type.to_string());
    LAPIS_TRY(const frontend::Window w, window(t_, {kernel.begin(), kernel.end() - 2}, ones(axes_), picture->type()));
    return convolved(picture, kKernel, w);
  }

  Result<Value*> of_state() {
    const Shape kernel = t_.input(kRecurrentKernel).constant.shape();
    frontend::Window w{{kernel.begin(), kernel.end() - 2}, ones(axes_), ones(axes_)};
    frontend::pad_same(w, h_->type());
    return convolved(h_, kRecurrentKernel, w);
  }

  Result<Value*> convolved(Value* x, size_t kernel, const frontend::Window& w) {
    std::vector<Value*> inputs = {x};
    LAPIS_TRY(inputs.emplace_back(), t_.parameter(kernel, frontend::filters_first(axes_ + 2, true)));
    if (kernel == kKernel && t_.has(kBias)) {
      LAPIS_TRY(inputs.emplace_back(), t_.real(kBias, Layout::AsWritten));
    }
    return t_.add(ops::Conv, inputs, ops::ConvAttrs{w.auto_pad, w.dilations, 1, w.kernel, w.pads, w.strides});
  }

  Result<Value*> gate(Value* x) {
    return activated(t_, x, image_layout(t_), t_.get<std::string>("recurrent_activation", "sigmoid"));
  }
  Result<Value*> shown(Value* x) {
    return activated(t_, x, image_layout(t_), t_.get<std::string>("activation", "tanh"));
  }

  // Whether a step counts in each sequence: [N, 1, ...].
  Result<Value*> counts_at(Value* step) {
    LAPIS_TRY(Value * mask, step_mask(t_, kMask));
    LAPIS_TRY(const int64_t rank, frontend::rank_of(mask));
    if (rank != 2) return Translation::unsupported("a mask that is not [N, steps]");
    LAPIS_TRY(mask, t_.add(ops::Gather, {mask, step}, ops::AxisAttrs{.axis = 1}));
    Axes axes;
    for (int64_t axis = 1; axis < static_cast<int64_t>(axes_) + 2; ++axis) axes.push_back(axis);
    return frontend::unsqueeze(t_, mask, std::move(axes));
  }

  // Of what does not count it is what was there before, or 0.
  Result<Value*> where_counts(Value* counts, Value* fresh, Value* before) {
    return t_.add(ops::Where, {counts, fresh, before ? before : frontend::scalar(t_, 0, fresh->dtype())});
  }

  // What does not count leaves the states as they were, and shows what the last one did that counts;
  // 0 if there is none.
  Result<Value*> counted_step(Value* picture, Value* at) {
    LAPIS_TRY(Value * counts, counts_at(at));
    Value *const h = h_, *const c = c_;
    LAPIS_TRY(Value * y, step(picture));
    LAPIS_TRY(h_, where_counts(counts, h_, h));
    LAPIS_TRY(c_, where_counts(counts, c_, c));
    const bool gives_zeros = t_.get<int64_t>("keras_version", 2) >= 3 && t_.get<bool>("zero_output_for_mask", false);
    LAPIS_TRY(last_, where_counts(counts, y, gives_zeros ? nullptr : last_));
    return last_;
  }

  // Without a state from before there is nothing to forget.
  Result<Value*> step(Value* picture) {
    LAPIS_TRY(Value * sums, of_data(picture));
    if (h_) {
      LAPIS_TRY(Value * before, of_state());
      LAPIS_TRY(sums, t_.add(ops::Add, {sums, before}));
    }
    LAPIS_TRY(const std::vector<Value*> parts,
              t_.add_all(ops::Split, {sums}, encode_attributes(ops::SplitAttrs{1, kGates}), kGates));
    LAPIS_TRY(Value * in, gate(parts[0]));
    LAPIS_TRY(Value * fresh, shown(parts[2]));
    LAPIS_TRY(Value * cell, t_.add(ops::Mul, {in, fresh}));
    if (c_) {
      LAPIS_TRY(Value * forget, gate(parts[1]));
      LAPIS_TRY(Value * kept, t_.add(ops::Mul, {forget, c_}));
      LAPIS_TRY(cell, t_.add(ops::Add, {kept, cell}));
    }
    c_ = cell;
    LAPIS_TRY(Value * out, gate(parts[3]));
    LAPIS_TRY(Value * seen, shown(c_));
    LAPIS_TRY(h_, t_.add(ops::Mul, {out, seen}));
    return h_;
  }

  Translation& t_;
  const size_t axes_;
  Value *h_ = nullptr, *c_ = nullptr;  // [N, filters, pixels...]
  Value* last_ = nullptr;              // that was shown, where steps may not count
};

// All steps as [N, steps, ...], in the order of axes that the file has.
Status set_steps(Translation& t, std::vector<Value*> outputs, size_t axes) {
  for (Value*& y : outputs) {
    LAPIS_TRY(y, frontend::unsqueeze(t, y, {1}));
  }
  LAPIS_TRY(Value * all, t.add(ops::Concat, outputs, ops::ConcatAttrs{1}));
  if (!has_channels_first(t)) {
    Axes perm = {0, 1};
    for (int64_t axis = 3; axis < static_cast<int64_t>(axes) + 3; ++axis) perm.push_back(axis);
    perm.push_back(2);
    LAPIS_TRY(all, frontend::transpose(t, all, std::move(perm)));
  }
  return t.set(0, all, Layout::AsWritten);
}

}  // namespace

Status conv_lstm(Translation& t) {
  if (t.get<bool>("stateful", false)) return Translation::unsupported("stateful");
  if (t.has(kState) != t.has(kCell)) return Translation::unsupported("some of its states as operands, and others not");
  LAPIS_TRY(const int64_t rank, rank_of(t));
  if (rank < 4 || rank > 6)
    return error(ErrorKind::Input, "its data is " + t.input(0).type.to_string() + ", not steps of pictures");
  const auto axes = static_cast<size_t>(rank - 3);
  LAPIS_CHECK(check_weights(t, axes, t.get<int64_t>("filters", 0)));
  Pictures pictures(t, axes);
  LAPIS_TRY(const std::vector<Value*> outputs, pictures.run());
  if (t.get<bool>("return_sequences", false))
    LAPIS_CHECK(set_steps(t, outputs, axes));
  else
    LAPIS_CHECK(t.set(0, outputs.back(), image_layout(t)));
  if (t.output_count() < 3) return ok();
  LAPIS_CHECK(t.set(1, pictures.state(), image_layout(t)));
  return t.set(2, pictures.cell(), image_layout(t));
}

}  // namespace lapis::keras_frontend
