// Contractions: Conv, ConvInteger, QLinearConv, Gemm, MatMul and MatMulInteger with constant weights become one kernel region.
#include <cmath>
#include <cstring>

#include "codegen/lower/lowering.h"
#include "ir/op.h"

namespace lapis::codegen {
namespace {

bool is_convolution(const Node& node) { return node.op().name.find("Conv") != std::string_view::npos; }

class ContractionBuilder {
 public:
  ContractionBuilder(Lowering& lowering, const FusedRegion& region)
      : l_(lowering), region_(region), node_(*region.anchor) {
    axis_ = channel_axis(node_);
    shape_ = node_.output()->type().shape();
  }

  Status build() {
    c_.name = region_.result()->name();
    c_.a = node_.input(0)->dtype();
    c_.b = integer() ? DType::Int8 : DType::Float32;
    c_.channels = shape_[static_cast<size_t>(axis_)];
    c_.pixels = element_count(shape_) / c_.channels;
    is_convolution(node_) ? convolution() : matrix();
    bias();
    epilogue();
    c_.output = l_.allocate(region_.result(), true);
    build_pixel_table();
    l_.emit(std::move(c_), region_, integer() ? "int8" : "fp32");
    return ok();
  }

 private:
  bool integer() const { return node_.input(0)->dtype() != DType::Float32; }
  bool qlinear() const { return node_.op().name == "QLinearConv"; }
  const Tensor& weights() const { return node_.input(qlinear() ? 3 : 1)->constant(); }

  // ---- convolutions ----

  void convolution() {
    const Window window = window_of(node_);
    c_.groups = attribute_or<int64_t>(node_, "group", 1);
    const Shape w = weights().shape();  // [OC, IC/groups, kernel...]
    c_.input_zero_point = integer() ? static_cast<int32_t>(scalar_constant(node_.input(2)).value_or(0)) : 0;
    c_.input = l_.windowed_input(node_.input(0), required_halo(node_), integer());
    c_.group_stride = w[1];
    const size_t last = window.rank() - 1;
    // Where a filter row is one run of bytes, it is one tap: fewer, longer inner loops, and no waste when there are 3 channels.
    const bool rows = c_.groups == 1 && window.dilations[last] == 1 && c_.input.strides[last + 2] == w[1];
    std::vector<int64_t> tap_shape = window.kernel;
    if (rows) tap_shape[last] = 1;
    c_.k = rows ? w[1] * window.kernel[last] : w[1];
    for_each_index(tap_shape, [&](const Shape& tap) {
      int64_t elements = 0;
      for (size_t i = 0; i < tap.size(); ++i) elements += tap[i] * window.dilations[i] * c_.input.strides[i + 2];
      c_.taps.push_back(static_cast<int32_t>(elements * bit_width(c_.a) / 8));
    });
    c_.weights = convolution_weights();
    for (size_t i = 0; i <= last; ++i) {
      input_origin_ -= window.begin[i] * c_.input.strides[i + 2];
      input_strides_.push_back(window.strides[i] * c_.input.strides[i + 2]);
    }
    input_strides_.insert(input_strides_.begin(), c_.input.strides[0]);
  }

  // [OC, IC, taps...] -> [OC, taps..., IC]: the channels of one pixel are contiguous in memory.
  Tensor convolution_weights() const {
    const Tensor& w = weights();
    const int64_t oc = w.dim(0), ic = w.dim(1), taps = w.size() / (oc * ic);
    Tensor packed(w.dtype(), {c_.groups, oc / c_.groups, static_cast<int64_t>(c_.taps.size()), c_.k});
    const int64_t bytes = bit_width(w.dtype()) / 8;
    std::byte* to = packed.mutable_raw();
    for (int64_t o = 0; o < oc; ++o)
      for (int64_t t = 0; t < taps; ++t)
        for (int64_t i = 0; i < ic; ++i, to += bytes)
          std::memcpy(to, w.raw() + ((o * ic + i) * taps + t) * bytes, static_cast<size_t>(bytes));
    return packed;
  }

  // ---- matrix products ----

  void matrix() {
    c_.input_zero_point =
        node_.op().name == "MatMulInteger" ? static_cast<int32_t>(scalar_constant(node_.input(2)).value_or(0)) : 0;
    const Tensor& w = weights();
    const bool transposed = attribute_or<int64_t>(node_, "transB", 0) != 0;
    c_.k = w.dim(transposed ? 1 : 0);
    c_.input = l_.row_contiguous_input(node_.input(0), integer() && c_.k % 4 != 0);
    c_.taps = {0};
    c_.weights = transposed ? w.reshaped({1, c_.channels, 1, c_.k}) : transpose(w);
    input_strides_.assign(c_.input.strides.begin(), c_.input.strides.end() - 1);
  }

  Tensor transpose(const Tensor& w) const {
    Tensor result(w.dtype(), {1, c_.channels, 1, c_.k});
    const int64_t bytes = bit_width(w.dtype()) / 8;
    std::byte* to = result.mutable_raw();
    for (int64_t n = 0; n < c_.channels; ++n)
      for (int64_t k = 0; k < c_.k; ++k, to += bytes)
        std::memcpy(to, w.raw() + (k * c_.channels + n) * bytes, static_cast<size_t>(bytes));
    return result;
  }

  // ---- bias and epilogue ----

  void bias() {
    const DType type = integer() ? DType::Int32 : DType::Float32;
    c_.bias = Tensor(type, {c_.channels});
    const std::string_view name = node_.op().name;
    const Value* b = qlinear() ? node_.input(8) : name == "Conv" || name == "Gemm" ? node_.input(2) : nullptr;
    if (!b) return;
    const Tensor& t = b->constant();
    for (int64_t o = 0; o < c_.channels; ++o) {
      const int64_t from = t.size() == 1 ? 0 : o;
      if (integer())
        c_.bias.mutable_data<int32_t>()[static_cast<size_t>(o)] = t.data<int32_t>()[static_cast<size_t>(from)];
      else
        c_.bias.mutable_data<float>()[static_cast<size_t>(o)] = t.data<float>()[static_cast<size_t>(from)];
    }
  }

  void epilogue() {
    int result = program_.add(Op::Accumulator, integer() ? DType::Int32 : DType::Float32);
    if (qlinear()) result = requantize(result);
    const Value* chained = node_.output();
    for (const Node* next : region_.chain) {
      result = translate(*next, program_, [&](size_t i) { return operand(*next, i, chained, result); });
      chained = next->output();
    }
    // The emitter stores the last instruction; a reused earlier one must become the last.
    if (result != static_cast<int>(program_.instrs.size()) - 1)
      program_.instrs.push_back({Op::Cast, program_[result].type, {result, -1, -1}});
    c_.epilogue = program_.instrs;
  }

  // float(acc) * ((sx * sw[c]) / sy), rounded, plus the zero point: the contract's one multiply.
  int requantize(int accumulator) {
    const auto sx = static_cast<float>(*scalar_constant(node_.input(1))),
               sy = static_cast<float>(*scalar_constant(node_.input(6)));
    const Tensor& sw = node_.input(4)->constant();
    Tensor multiplier(DType::Float32, {c_.channels});
    for (int64_t o = 0; o < c_.channels; ++o)
      multiplier.mutable_data<float>()[static_cast<size_t>(o)] =
          (sx * static_cast<float>(sw.as_double(sw.size() == 1 ? 0 : o))) / sy;
    const int m =
        load(EpilogueOperand::Kind::PerChannel, l_.constant(multiplier, c_.name + ".multiplier"), DType::Float32);
    const int scaled =
        program_.add(Op::Mul, DType::Float32, {program_.add(Op::Cast, DType::Float32, {accumulator, -1, -1}), m, -1});
    return program_.add(
        Instr{Op::Quantize, node_.output()->dtype(), {scaled, -1, -1}, -1, 1, *scalar_constant(node_.input(7))});
  }

  int load(EpilogueOperand::Kind kind, const View& view, DType type) {
    c_.operands.push_back({kind, view, -1});
    return program_.add({Op::Load, type, {-1, -1, -1}, static_cast<int32_t>(c_.operands.size()) - 1});
  }

  int operand(const Node& node, size_t i, const Value* chained, int previous) {
    const Value* v = node.input(i);
    if (v == chained) return previous;
    if (const auto scalar = scalar_constant(v)) return program_.constant(v->dtype(), *scalar);
    if (v->is_constant())
      return load(EpilogueOperand::Kind::PerChannel, l_.constant(v->constant().reshaped({c_.channels}), v->name()),
                  v->dtype());
    if (l_.is_inlined(v)) {
      const Node& cheap = *v->producer();
      const int inner = load(EpilogueOperand::Kind::PerElement, l_.view_of(cheap.input(0)), cheap.input(0)->dtype());
      return translate(cheap, program_, [&](size_t k) {
        return k == 0 ? inner : program_.constant(cheap.input(k)->dtype(), *scalar_constant(cheap.input(k)));
      });
    }
    return load(EpilogueOperand::Kind::PerElement, l_.view_of(v), v->dtype());
  }

  // ---- pixels ----

  Shape pixel_shape() const {
    Shape dims = shape_;
    dims.erase(dims.begin() + axis_);
    return dims;
  }
  Shape pixel_strides(const View& view) const {
    Shape strides = view.strides;
    strides.erase(strides.begin() + axis_);
    return strides;
  }

  void build_pixel_table() {
    std::vector<std::pair<Shape, int64_t>> columns;  // element strides over pixel dims, origin
    std::vector<int64_t> sizes;
    auto column = [&](Shape strides, int64_t origin, DType dtype) {
      columns.emplace_back(std::move(strides), origin);
      sizes.push_back(bit_width(dtype) / 8);
    };
    column(input_strides_, c_.input.offset + input_origin_, c_.a);
    column(pixel_strides(c_.output), c_.output.offset, c_.output.dtype);
    for (EpilogueOperand& operand : c_.operands) {
      if (operand.kind != EpilogueOperand::Kind::PerElement) continue;
      operand.column = static_cast<int>(columns.size());
      column(pixel_strides(operand.view), operand.view.offset, operand.view.dtype);
    }
    c_.pixel_table = Tensor(DType::Int32, {c_.pixels, static_cast<int64_t>(columns.size())});
    int32_t* to = c_.pixel_table.mutable_data<int32_t>().data();
    for_each_index(pixel_shape(), [&](const Shape& pixel) {
      for (size_t col = 0; col < columns.size(); ++col) {
        int64_t element = columns[col].second;
        for (size_t i = 0; i < pixel.size(); ++i) element += pixel[i] * columns[col].first[i];
        *to++ = static_cast<int32_t>(element * sizes[col]);
      }
    });
  }

  Lowering& l_;
  const FusedRegion& region_;
  const Node& node_;
  int64_t axis_;
  Shape shape_;
  Contraction c_;
  Program program_;
  Shape input_strides_;       // elements between neighbouring pixels, per pixel dimension
  int64_t input_origin_ = 0;  // of the first pixel's first tap, relative to the input view's offset
};

}  // namespace

Status lower_contraction(Lowering& lowering, const FusedRegion& region) {
  return ContractionBuilder(lowering, region).build();
}

}  // namespace lapis::codegen
