// Contractions: Conv, ConvInteger, QLinearConv, Gemm, MatMul and MatMulInteger become one kernel region.
#include <algorithm>
#include <limits>

#include "codegen/kernels/schedule.h"
#include "codegen/kernels/units.h"
#include "codegen/lower/computed_weights.h"
#include "codegen/lower/loop_builder.h"
#include "codegen/lower/lowering.h"
#include "ir/op.h"
#include "ir/ops/attributes.h"
#include "ir/ops/ops.h"
#include "ir/ops/window.h"

namespace lapis::codegen {
namespace {

constexpr int64_t kReadAtOnce = 64;  // bytes of a group of channels that a kernel may read where it needs fewer

class ContractionBuilder {
 public:
  ContractionBuilder(Lowering& lowering, const FusedRegion& region)
      : l_(lowering), region_(region), node_(*region.anchor), operands_(*row_of(node_)->product) {
    axis_ = channel_axis(node_);
    shape_ = node_.output()->type().shape();
  }

  void build() {
    c_.name = region_.result()->name();
    c_.schedule = l_.schedule_for(c_.name);
    c_.a = type_of_factors();
    c_.b = integer() ? DType::Int8 : c_.a;
    c_.axis = static_cast<int>(axis_);
    c_.input_zero_point = input_zero_point();
    c_.channels = shape_[static_cast<size_t>(axis_)];
    c_.pixels = element_count(shape_) / c_.channels;
    input_strides_.assign(shape_.size() - 1, 0);
    if (!has_constant_weights(node_))
      computed_matrix();
    else if (weights().size() == 0)
      sum_of_nothing();
    else if (has_window(node_))
      convolution();
    else
      matrix();
    bias();
    epilogue();
    c_.output = l_.allocate(region_.result());
    build_grid();
    if (too_large_) return report(too_large_);
    if (c_.computed) pack();
    l_.emit(std::move(c_), region_, precision());
  }

 private:
  bool integer() const { return is_integer(node_.input(0)->dtype()); }
  DType sum_type() const { return integer() ? DType::Int32 : DType::Float32; }
  const Tensor& weights() const { return node_.input(static_cast<size_t>(operands_.weights))->constant(); }
  std::string precision() const { return integer() ? "int8" : c_.a == DType::BFloat16 ? "bf16" : "fp32"; }

  // Halves are multiplied as floats where the target has no kernel for them.
  DType type_of_factors() const {
    const DType type = node_.input(0)->dtype();
    return integer() || kernels::multiplies(type, type, l_.plan().target) ? type : DType::Float32;
  }
  int32_t input_zero_point() const {
    return static_cast<int32_t>(scalar_constant(operand_of(node_, operands_.x_zero)).value_or(0).as_int());
  }

  void report(const char* what) {
    l_.report(error(ErrorKind::Unsupported, "'" + node_.origin() + "' cannot be compiled: " + what +
                                                " is larger than 2 GiB, which its kernel cannot address")
                  .help("make the batch or the image smaller"));
  }

  // No channels or no rows: a product with one weight of zero, which reads a zero, is the same sum.
  void sum_of_nothing() {
    c_.groups = has_window(node_) ? node_.attrs<ops::ConvAttrs>().group : 1;
    c_.k = 1;
    c_.taps = {0};
    c_.weights = Tensor(c_.b, {c_.groups, c_.channels / c_.groups, 1, 1});
    c_.input = l_.constant(Tensor(c_.a, {kReadAtOnce}), c_.name + ".zeros");
  }

  // ---- convolutions ----

  void convolution() {
    const ops::Window window = ops::window_of(node_);
    c_.groups = node_.attrs<ops::ConvAttrs>().group;
    const Shape w = weights().shape();  // [OC, IC/groups, kernel...]
    c_.input = l_.windowed_input(node_.input(0), required_halo(node_), c_.a, integer());
    c_.group_stride = w[1];
    const size_t last = window.rank() - 1;
    // Where a filter row is one run of bytes, it is one tap:
    // fewer, longer inner loops, and no waste when there are 3 channels.
    const bool rows = c_.groups == 1 && window.dilations[last] == 1 && c_.input.strides[last + 2] == w[1];
    std::vector<int64_t> tap_shape = window.kernel;
    if (rows) tap_shape[last] = 1;
    c_.k = rows ? w[1] * window.kernel[last] : w[1];
    for_each_index(tap_shape, [&](const Shape& tap) {
      int64_t elements = 0;
      for (size_t i = 0; i < tap.size(); ++i) elements += tap[i] * window.dilations[i] * c_.input.strides[i + 2];
      c_.taps.push_back(offset_in("its window", elements, c_.a));
    });
    c_.weights = convolution_weights();
    input_strides_[0] = c_.input.strides[0];
    for (size_t i = 0; i <= last; ++i) {
      input_origin_ -= window.begins[i] * c_.input.strides[i + 2];
      input_strides_[i + 1] = window.strides[i] * c_.input.strides[i + 2];
    }
  }

  // [OC, IC, taps...] -> [OC, taps..., IC]: the channels of one pixel are contiguous in memory.
  Weights convolution_weights() const {
    const Tensor w = as_factors(weights());
    const int64_t oc = w.dim(0), ic = w.dim(1), taps = w.size() / (oc * ic);
    return {w, {c_.groups, oc / c_.groups, static_cast<int64_t>(c_.taps.size()), c_.k}, ic, taps};
  }

  // ---- matrix products ----

  void matrix() {
    const ops::GemmAttrs gemm = factors_of(node_);
    const Tensor& w = weights();
    c_.k = w.dim(gemm.transB ? 1 : 0);
    const Value* x = node_.input(0);
    const View view = gemm.transA ? permuted(l_.view_of(x), {1, 0}) : l_.view_of(x);
    const auto last = static_cast<int64_t>(view.shape.size()) - 1;
    c_.input = l_.contiguous_along(view, last, c_.a, integer() && c_.k % 4 != 0, x->name() + ".packed");
    c_.taps = {0};
    const Shape in_order{1, c_.channels, 1, c_.k};
    const Tensor factors = as_factors(w);
    c_.weights = gemm.transB ? Weights(factors.reshaped(in_order)) : Weights(factors, in_order, c_.k, c_.channels);
    input_strides_.assign(c_.input.strides.begin(), c_.input.strides.end() - 1);
  }

  Tensor as_factors(const Tensor& w) const {
    if (w.dtype() == c_.b) return w;
    Tensor floats(DType::Float32, w.shape());
    const auto to = floats.mutable_data<float>();
    for (size_t i = 0; i < to.size(); ++i) to[i] = to_float(w.data<BFloat16>()[i]);
    return floats;
  }

  // ---- products of two computed operands ----

  void computed_matrix() {
    const ops::GemmAttrs gemm = factors_of(node_);
    const View x = gemm.transA ? permuted(l_.view_of(node_.input(0)), {1, 0}) : l_.view_of(node_.input(0)),
               w = gemm.transB ? permuted(l_.view_of(node_.input(1)), {1, 0}) : l_.view_of(node_.input(1));
    c_.k = x.shape.back();
    c_.taps = {0};
    c_.input = l_.contiguous_along(x, static_cast<int64_t>(x.shape.size()) - 1, c_.a, integer() && c_.k % 4 != 0,
                                   node_.input(0)->name() + ".packed");
    const View all = broadcast_to(c_.input, with_batch(c_.input, shape_.size() - 2));
    input_strides_.assign(all.strides.begin(), all.strides.end() - 1);
    const View stacked = broadcast_to(w, with_batch(w, shape_.size() - 2));
    size_t varying = shape_.size() - 2;  // what does not vary with the last batches is shared by them
    while (varying > 0 && (stacked.shape[varying - 1] == 1 || stacked.strides[varying - 1] == 0)) --varying;
    w_ = stacked;
    w_.shape.erase(w_.shape.begin() + static_cast<int64_t>(varying), w_.shape.end() - 2);
    w_.strides.erase(w_.strides.begin() + static_cast<int64_t>(varying), w_.strides.end() - 2);
    batch_dimensions_ = varying;
    c_.computed = ComputedWeights{element_count(w_.shape) / (c_.k * c_.channels), {}, {}};
  }

  // The first dimensions of the result, then the last two of the view.
  Shape with_batch(const View& view, size_t batch) const {
    Shape shape(shape_.begin(), shape_.begin() + static_cast<int64_t>(batch));
    shape.insert(shape.end(), view.shape.end() - 2, view.shape.end());
    return shape;
  }

  // What the zero point of the weights adds to all sums of a pixel.
  int add_zero_point_of_weights(int sum) {
    const int32_t zero = weight_zero_point(node_);
    if (zero == 0) return sum;
    View x = c_.input;
    const Shape rows(x.shape.begin(), x.shape.end() - 1);
    View to = l_.plain_storage(c_.name + ".rows", DType::Int32, rows);
    LoopBuilder b(l_, c_.name + ".rows", x.shape, 1);
    const int value =
        b.op(Op::Sub, {b.to(DType::Int32, b.load_view(b.add_placed_view(x))), b.k(DType::Int32, c_.input_zero_point)});
    const int total = b.reduce(Loop::Reduce::Sum, value);
    b.end_phase(Loop::Over::Inner);
    to.shape.push_back(1);
    to.strides.push_back(0);
    const int slot = b.add_placed_view(to);
    b.store(slot, b.op(Op::Mul, {b.reduced(total), b.k(DType::Int32, -zero)}));
    b.end_phase(Loop::Over::Row);
    l_.emit(b.finish(), "sums of rows for " + c_.name, "int32");
    const int part = load(EpilogueOperand::Kind::PerPixel, broadcast_to(to, shape_), DType::Int32);
    return program_.add(Op::Add, DType::Int32, {sum, part});
  }

  // Without a schedule the contraction is emitted as it is: scheduling reports why there is none.
  void pack() {
    const Result<Schedule> schedule = kernels::choose(c_, l_.plan().target, c_.schedule);
    if (!schedule.ok()) return;
    c_.schedule = *schedule;
    pack_at_run_time(l_, c_, w_);
  }

  // ---- bias and epilogue ----

  void bias() {
    c_.bias = Tensor(sum_type(), {c_.channels});
    if (!is_bias(node_)) return;
    const Tensor& t = addend_of(node_)->constant();
    const float beta = factors_of(node_).beta;
    for (int64_t o = 0; o < c_.channels; ++o) {
      const auto to = static_cast<size_t>(o), from = t.size() == 1 ? 0 : to;
      if (integer())
        c_.bias.mutable_data<int32_t>()[to] = t.data<int32_t>()[from];
      else
        c_.bias.mutable_data<float>()[to] = static_cast<float>(t.as_double(static_cast<int64_t>(from))) * beta;
    }
  }

  void epilogue() {
    int result = add_addend(add_zero_point_of_weights(program_.add(Op::Accumulator, sum_type())));
    result = operands_.requantizes ? requantize(result) : in_type(node_.output()->dtype(), result);
    std::unordered_map<const Value*, int> known = {{node_.output(), result}};
    for (const Node* next : region_.chain) {
      result = translate(*next, program_, [&](size_t i) {
        const auto computed = known.find(next->input(i));
        return computed != known.end() ? computed->second : operand(*next, i);
      });
      known[next->output()] = result;
    }
    // The emitter stores the last instruction; a reused earlier one must become the last.
    if (result != static_cast<int>(program_.instrs.size()) - 1)
      program_.instrs.push_back({Op::Cast, program_[result].type, {result, -1, -1}});
    c_.epilogue = scalar::without_dead(program_.instrs);
  }

  // alpha * sum + beta * C, and what else is added and cannot be in the sums from the start.
  int add_addend(int sum) {
    const ops::GemmAttrs gemm = factors_of(node_);
    const DType type = program_[sum].type;
    if (gemm.alpha != 1) sum = program_.add(Op::Mul, type, {sum, program_.constant(type, gemm.alpha)});
    const Value* added = addend_of(node_);
    if (!added || is_bias(node_)) return sum;
    int addend = in_type(type, load_broadcast(*added));
    if (gemm.beta != 1) addend = program_.add(Op::Mul, type, {addend, program_.constant(type, gemm.beta)});
    return program_.add(Op::Add, type, {sum, addend});
  }

  int in_type(DType type, int id) { return program_[id].type == type ? id : program_.add(Op::Cast, type, {id}); }

  // C of a Gemm against the product, the bias of a convolution along its channels.
  int load_broadcast(const Value& value) {
    if (const auto scalar = scalar_constant(&value)) return program_.constant(value.dtype(), *scalar);
    View view = l_.view_of(&value);
    if (has_window(node_)) {
      Shape per_channel(shape_.size(), 1);
      per_channel[1] = c_.channels;
      view = *reshaped(view, per_channel);
    }
    return load_element(broadcast_to(view, shape_), value.name());
  }

  // float(acc) * ((sx * sw[c]) / sy), rounded, plus the zero point: the contract's one multiply.
  int requantize(int accumulator) {
    const auto sx = static_cast<float>(scalar_constant(node_.input(1))->as_double()),
               sy = static_cast<float>(scalar_constant(node_.input(6))->as_double());
    const Tensor& sw = node_.input(4)->constant();
    Tensor multiplier(DType::Float32, {c_.channels});
    for (int64_t o = 0; o < c_.channels; ++o)
      multiplier.mutable_data<float>()[static_cast<size_t>(o)] =
          (sx * static_cast<float>(sw.as_double(sw.size() == 1 ? 0 : o))) / sy;
    const int m =
        load(EpilogueOperand::Kind::PerChannel, l_.constant(multiplier, c_.name + ".multiplier"), DType::Float32);
    const int scaled =
        program_.add(Op::Mul, DType::Float32, {program_.add(Op::Cast, DType::Float32, {accumulator, -1, -1}), m});
    return program_.add(
        Instr{Op::Quantize, node_.output()->dtype(), {scaled, -1, -1}, -1, 1.0, *scalar_constant(node_.input(7))});
  }

  int load(EpilogueOperand::Kind kind, const View& view, DType type) {
    c_.operands.push_back({kind, view, -1});
    return program_.add({Op::Load, type, {-1, -1, -1}, static_cast<int32_t>(c_.operands.size()) - 1});
  }

  // An operand of the result's shape, at the current pixel. Kernels load vectors of its channels.
  int load_element(const View& view, const std::string& name) {
    return load(EpilogueOperand::Kind::PerElement,
                l_.contiguous_along(view, axis_, view.dtype, false, name + ".aligned"), view.dtype);
  }

  int operand(const Node& node, size_t i) {
    const Value* v = node.input(i);
    if (const auto scalar = scalar_constant(v)) return program_.constant(v->dtype(), *scalar);
    if (is_table(node, i)) return load(EpilogueOperand::Kind::Table, l_.constant(v->constant(), v->name()), v->dtype());
    if (v->is_constant())
      return load(EpilogueOperand::Kind::PerChannel, l_.constant(v->constant().reshaped({c_.channels}), v->name()),
                  v->dtype());
    if (!l_.is_inlined(v)) return load_element(l_.view_of(v), v->name());
    const Node& cheap = *v->producer();
    const int inner = load_element(l_.view_of(cheap.input(0)), cheap.input(0)->name());
    return translate(cheap, program_, [&](size_t k) {
      return k == 0 ? inner : program_.constant(cheap.input(k)->dtype(), *scalar_constant(cheap.input(k)));
    });
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

  // The view's elements along its pixels, `elements` behind where it begins.
  PixelGrid::Column column(const Shape& strides, int64_t first_element, DType type) {
    const int64_t bytes = bit_width(type) / 8;
    PixelGrid::Column column{first_element * bytes, strides};
    for (int64_t& stride : column.strides) stride *= bytes;
    return column;
  }

  void build_grid() {
    PixelGrid& grid = c_.grid;
    grid.extents = pixel_shape();
    grid.columns = {column(input_strides_, c_.input.offset + input_origin_, c_.a),
                    column(pixel_strides(c_.output), c_.output.offset, c_.output.dtype)};
    for (EpilogueOperand& operand : c_.operands) {
      if (!operand.has_column()) continue;
      operand.column = static_cast<int>(grid.columns.size());
      grid.columns.push_back(column(pixel_strides(operand.view), operand.view.offset, operand.view.dtype));
    }
    merge_dimensions();
    for (size_t i = 0; i < grid.columns.size(); ++i)
      check_reach(grid.columns[i], kernels::bytes_to_last_channel(c_, i));
  }

  // Dimensions that all columns pass through at one distance are one: longer runs.
  // Those of batches stay apart from the others.
  void merge_dimensions() {
    PixelGrid merged{{}, c_.grid.columns};
    for (PixelGrid::Column& column : merged.columns) column.strides.clear();
    bool apart = true;
    for (size_t d = 0; d < c_.grid.extents.size(); ++d) {
      const int64_t extent = c_.grid.extents[d];
      apart |= d == batch_dimensions_;
      if (extent == 1) continue;
      if (!apart && follows(merged, d)) {
        merged.extents.back() *= extent;
        for (size_t i = 0; i < merged.columns.size(); ++i)
          merged.columns[i].strides.back() = c_.grid.columns[i].strides[d];
        continue;
      }
      merged.extents.push_back(extent);
      for (size_t i = 0; i < merged.columns.size(); ++i)
        merged.columns[i].strides.push_back(c_.grid.columns[i].strides[d]);
      apart = false;
    }
    c_.grid = std::move(merged);
  }

  // Dimension d fills the distance of the last one that was merged.
  bool follows(const PixelGrid& merged, size_t d) const {
    for (size_t i = 0; i < merged.columns.size(); ++i)
      if (merged.columns[i].strides.back() != c_.grid.columns[i].strides[d] * c_.grid.extents[d]) return false;
    return true;
  }

  // All addresses are 32-bit numbers in the tables, those of a pixel's last channel too.
  void check_reach(const PixelGrid::Column& column, int64_t last_channel) {
    int64_t highest = column.origin + last_channel;
    bool fits = true;
    for (size_t d = 0; d < column.strides.size(); ++d) {
      int64_t distance = 0;
      fits &= !__builtin_mul_overflow(column.strides[d], c_.grid.extents[d] - 1, &distance) &&
              !__builtin_add_overflow(highest, std::max<int64_t>(distance, 0), &highest);
    }
    if (!fits || highest > std::numeric_limits<int32_t>::max()) too_large_ = "an operand";
  }

  // Bytes from a table's origin as the 32-bit number that tables hold; remembers what is too far away for one.
  int32_t offset_in(const char* what, int64_t elements, DType type) {
    int64_t bytes = 0;
    const bool fits =
        !__builtin_mul_overflow(elements, bit_width(type) / 8, &bytes) && bytes == static_cast<int32_t>(bytes);
    if (!fits) too_large_ = what;
    return fits ? static_cast<int32_t>(bytes) : 0;
  }

  Lowering& l_;
  const FusedRegion& region_;
  const Node& node_;
  const Product& operands_;
  int64_t axis_;
  Shape shape_;
  Contraction c_;
  Program program_;
  Shape input_strides_;  // elements between neighbouring pixels, per pixel dimension
  View w_;               // computed weights: [batches..., k, channels]
  size_t batch_dimensions_ = 0;
  const char* too_large_ = nullptr;
  int64_t input_origin_ = 0;  // of the first pixel's first tap, relative to the input view's offset
};

}  // namespace

void lower_contraction(Lowering& lowering, const FusedRegion& region) { ContractionBuilder(lowering, region).build(); }

}  // namespace lapis::codegen
