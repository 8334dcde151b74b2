#include "codegen/lower/computed_weights.h"

#include <algorithm>

#include "codegen/kernels/blocking.h"
#include "codegen/kernels/pack.h"
#include "codegen/lower/loop_builder.h"

namespace lapis::codegen {
namespace {

using Over = Loop::Over;

constexpr int64_t kByteWeights = 4;  // in a step of a lane

class Packer {
 public:
  Packer(Lowering& lowering, Contraction& c, const View& w)
      : l_(lowering), c_(c), w_(w), blocking_(c), batch_(w.shape.begin(), w.shape.end() - 2) {}

  void run() {
    c_.computed = ComputedWeights{element_count(batch_), storage(".panels", blocking_.all_weight_bytes(c_)), {}};
    for (const Part& part : panels()) pack_panels(part);
    const int32_t start = kernels::start_per_weight(c_, kernels::row_of(c_));
    if (start == 0) return;
    c_.computed->starts = storage(".starts", blocking_.all_param_bytes(c_));
    for (const Part& part : blocks()) pack_starts(part, start);
  }

 private:
  // Panels or blocks of one width: how many of so many channels, the first channel and byte, bytes of each,
  // channels with padding.
  struct Part {
    int64_t count, channels, channel, at, bytes, width;
  };

  std::vector<Part> panels() const {
    using kernels::kPanel;
    std::vector<Part> parts;
    const int64_t whole = c_.channels / kPanel, rest = c_.channels % kPanel, bytes = blocking_.panel_bytes(kPanel);
    if (whole > 0) parts.push_back({whole, kPanel, 0, 0, bytes, kPanel});
    if (rest > 0)
      parts.push_back(
          {1, rest, whole * kPanel, whole * bytes, blocking_.panel_bytes(rest), blocking_.pitch_of(rest) / 4});
    return parts;
  }

  std::vector<Part> blocks() const {
    std::vector<Part> parts;
    int64_t channel = 0, at = 0;
    for (size_t kind = 0; kind < blocking_.kinds.size(); ++kind) {
      const kernels::Block& b = blocking_.kinds[kind];
      const int64_t count = blocking_.blocks_of_kind(kind), bytes = blocking_.param_bytes(b);
      parts.push_back({count, b.channels, channel, at, bytes, int64_t{b.nr} * blocking_.lanes});
      channel += count * b.channels;
      at += count * bytes;
    }
    return parts;
  }

  View storage(const std::string& what, int64_t bytes) {
    return l_.plain_storage(c_.name + what, DType::UInt8, {element_count(batch_), bytes});
  }

  // A view for loops over [batches..., blocks, rest...] of 32-bit elements of an image.
  View in_image(const View& image, DType type, int64_t first_byte, int64_t block_bytes, const Shape& rest) const {
    View v{image.buffer, type, {}, row_major_strides(batch_), first_byte / 4};
    for (int64_t& stride : v.strides) stride *= image.shape[1] / 4;
    v.strides.push_back(block_bytes / 4);
    v.strides.insert(v.strides.end(), rest.begin(), rest.end());
    return v;
  }

  int64_t k_stride() const { return w_.strides[batch_.size()]; }
  int64_t channel_stride() const { return w_.strides.back(); }

  // The weights at row `k` of the first channel of a part, for the same loops.
  View in_weights(const Part& part, int64_t k, const Shape& rest) const {
    View v{w_.buffer,
           w_.dtype,
           {},
           Shape(w_.strides.begin(), w_.strides.end() - 2),
           w_.offset + part.channel * channel_stride() + k * k_stride()};
    v.strides.push_back(part.channels * channel_stride());
    v.strides.insert(v.strides.end(), rest.begin(), rest.end());
    return v;
  }

  LoopBuilder loop(const Part& part, const std::string& what, const Shape& rest, int reduced = 0) {
    Shape domain = batch_;
    domain.push_back(part.count);
    domain.insert(domain.end(), rest.begin(), rest.end());
    return {l_, c_.name + what, std::move(domain), reduced};
  }

  void emit(LoopBuilder& b) { l_.emit(b.finish(), "pack weights of " + c_.name, std::string(lapis::name_of(c_.b))); }

  // ---- panels ----

  void pack_panels(const Part& part) {
    if (c_.a == DType::Float32) {
      pack_steps(part, 0, c_.k, 1);
      if (const int64_t idle = part.width - part.channels; idle > 0) clear(part, idle);
      return;
    }
    pack_steps(part, 0, c_.k / kByteWeights, kByteWeights);
    if (c_.k % kByteWeights) pack_steps(part, c_.k / kByteWeights, 1, c_.k % kByteWeights);
  }

  // Steps [first, first + count), `each` rows of weights in every one of them.
  void pack_steps(const Part& part, int64_t first, int64_t count, int64_t each) {
    const int64_t width = part.width, rows = c_.a == DType::Float32 ? 1 : kByteWeights;
    LoopBuilder b = loop(part, ".panels", {count, part.channels});
    const Shape along = {rows * k_stride(), channel_stride()};
    const int value = c_.a == DType::Float32 ? b.load_view(b.add_placed_view(in_weights(part, first, along)))
                                             : word(b, part, first * rows, each, along);
    const View to = in_image(c_.computed->panels, c_.a == DType::Float32 ? DType::Float32 : DType::Int32,
                             part.at + first * width * 4, part.bytes, {width, 1});
    b.store(b.add_placed_view(to), value);
    b.end_phase(Over::Row);
    emit(b);
  }

  // Bytes of rows k, k + 1, ... of a channel, as one number. Kernels take them signed.
  int word(LoopBuilder& b, const Part& part, int64_t k, int64_t count, const Shape& along) {
    const View from = in_weights(part, k, along);
    const int value = count == kByteWeights && is_word(from) ? loaded_word(b, from) : joined_bytes(b, from, count);
    if (w_.dtype == DType::Int8) return value;
    const auto signs = static_cast<int32_t>(count == kByteWeights ? 0x80808080u : 0x80808080u >> (32 - 8 * count));
    return b.op(Op::Xor, {value, b.k(DType::Int32, signs)});
  }

  static int loaded_word(LoopBuilder& b, View from) {
    for (int64_t& stride : from.strides) stride /= kByteWeights;
    from.offset /= kByteWeights;
    from.dtype = DType::Int32;
    return b.load_view(b.add_placed_view(from));
  }

  int joined_bytes(LoopBuilder& b, View from, int64_t count) const {
    from.dtype = DType::UInt8;  // so that no sign gets into the other bytes
    int value = -1;
    for (int64_t i = 0; i < count; ++i, from.offset += k_stride()) {
      const int byte = b.to(DType::Int32, b.load_view(b.add_placed_view(from)));
      Instr shift{Op::ShiftLeft, DType::Int32, {byte, -1, -1}};
      shift.imm = 8 * i;
      value = i == 0 ? byte : b.op(Op::Or, {value, b.program.add(shift)});
    }
    return value;
  }

  // The four bytes lie side by side, where a number of 32 bits may.
  bool is_word(const View& v) const {
    const auto whole = [](int64_t stride) { return stride % kByteWeights == 0; };
    return k_stride() == 1 && whole(v.offset) && std::ranges::all_of(v.strides, whole) &&
           l_.plan().buffers[static_cast<size_t>(v.buffer)].space == Space::Arena;
  }

  // Lanes behind the last channel: their sums are never stored, but subnormal numbers would take time.
  void clear(const Part& part, int64_t idle) {
    View v = in_image(c_.computed->panels, DType::Float32, part.at + part.channels * 4, part.bytes, {part.width, 1});
    v.shape = batch_;
    v.shape.insert(v.shape.end(), {part.count, c_.k, idle});
    l_.emit_fill(v, 0, c_.name + ".panels");
  }

  // ---- what sums start from ----

  // The zero point's part, and the operands of channels, which are where the parameters are.
  void pack_starts(const Part& part, int32_t start) {
    LoopBuilder b = loop(part, ".starts", {part.channels, c_.k}, 1);
    int weight =
        b.to(DType::Int32, b.load_view(b.add_placed_view(in_weights(part, 0, {channel_stride(), k_stride()}))));
    if (w_.dtype == DType::UInt8) weight = b.op(Op::Sub, {weight, b.k(DType::Int32, 128)});
    const int sum = b.reduce(Loop::Reduce::Sum, weight);
    b.end_phase(Over::Inner);
    store_row(b, part, 0, b.op(Op::Mul, {b.reduced(sum), b.k(DType::Int32, start)}));
    int row = 1;
    for (const EpilogueOperand& operand : c_.operands) {
      if (operand.kind != EpilogueOperand::Kind::PerChannel) continue;
      const View& v = operand.view;
      View along{v.buffer, v.dtype, {}, Shape(batch_.size(), 0), v.offset + part.channel * v.strides[0]};
      along.strides.insert(along.strides.end(), {part.channels * v.strides[0], v.strides[0], 0});
      const int value = b.load_view(b.add_placed_view(along));
      store_row(b, part, row++, is_integer(v.dtype) ? b.to(DType::Int32, value) : value);
    }
    b.end_phase(Over::Row);
    emit(b);
  }

  void store_row(LoopBuilder& b, const Part& part, int row, int value) {
    const View to =
        in_image(*c_.computed->starts, b.program[value].type, part.at + row * part.width * 4, part.bytes, {1, 0});
    b.store(b.add_placed_view(to), value);
  }

  Lowering& l_;
  Contraction& c_;
  const View w_;
  const kernels::Blocking blocking_;
  const Shape batch_;
};

const Value* weights_of(const Node& contraction) {
  return operand_of(contraction, row_of(contraction)->product->weights);
}

}  // namespace

bool has_constant_weights(const Node& contraction) {
  const Value* w = weights_of(contraction);
  if (has_window(contraction)) return true;
  return w->is_constant() && w->type().rank() == 2 &&
         (allows(kKernelFloats, w->dtype()) || w->dtype() == DType::Int8) &&
         zero_or_absent(operand_of(contraction, row_of(contraction)->product->w_zero));
}

int32_t weight_zero_point(const Node& contraction) {
  const Value* w = weights_of(contraction);
  if (has_constant_weights(contraction) || is_float(w->dtype())) return 0;
  const Value* zero = operand_of(contraction, row_of(contraction)->product->w_zero);
  return static_cast<int32_t>((zero ? scalar_constant(zero)->as_int() : 0) - (w->dtype() == DType::UInt8 ? 128 : 0));
}

void pack_at_run_time(Lowering& lowering, Contraction& c, const View& w) { Packer(lowering, c, w).run(); }

}  // namespace lapis::codegen
