// Loop regions: elementwise, reductions, softmax, normalizations, pools, matrix products of two computed operands, Gather.
#include <algorithm>
#include <cmath>
#include <limits>

#include "codegen/lower/loop_builder.h"
#include "ir/op.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"
#include "ir/ops/window.h"

namespace lapis::codegen {
namespace {

using Ints = std::vector<int64_t>;
using Over = Loop::Over;
using Reduce = Loop::Reduce;

Shape shape_of(const Value* v) { return v->type().shape(); }
int64_t normalized(int64_t axis, int64_t rank) { return axis < 0 ? axis + rank : axis; }
std::string precision_of(const Value* v) {
  return v->dtype() == DType::Float32 ? "fp32" : std::string(name_of(v->dtype()));
}

void elementwise(Lowering& l, const FusedRegion& region) {
  const Value* out = region.result();
  const Placement here = straight(shape_of(out));
  LoopBuilder b(l, out->name(), here.shape);
  const int result = b.compute(*region.anchor, here);
  b.store(b.add_view(l.allocate(out), here), result);
  b.end_phase(Over::Row);
  l.emit(b.finish(), region, precision_of(out));
}

// ---- reductions ---------------------------------------------------------------------------------------------------------------

// Domain of a reduction of `shape` over `axes`: the kept axes, then the reduced ones. Results have 1s or nothing at reduced axes.
struct Reducing {
  Reducing(const Shape& shape, const std::vector<bool>& reduce) : inner{shape, {}}, outer{shape, {}} {
    for (int pass = 0; pass < 2; ++pass)
      for (size_t i = 0; i < shape.size(); ++i)
        if (reduce[i] == (pass == 1)) {
          domain.push_back(shape[i]);
          inner.axis.push_back(static_cast<int64_t>(i));
          reduced += pass;
          if (pass == 1) outer.shape[i] = 1;
        }
    outer.axis = inner.axis;
  }
  int64_t inner_size() const {
    int64_t n = 1;
    for (size_t i = domain.size() - static_cast<size_t>(reduced); i < domain.size(); ++i) n *= domain[i];
    return n;
  }
  Shape domain;
  int reduced = 0;
  Placement inner, outer;  // outer: values shaped like the result with 1s at the reduced axes
};

std::vector<bool> mask_of(const Ints& axes, int64_t rank) {
  std::vector<bool> mask(static_cast<size_t>(rank), axes.empty());
  for (int64_t a : axes) mask[static_cast<size_t>(normalized(a, rank))] = true;
  return mask;
}

// Where results drop the reduced axes, their placement skips them.
Placement result_placement(const Reducing& r, const Shape& result) {
  if (result.size() == r.outer.shape.size()) return {result, r.outer.axis};
  Placement p{result, {}};
  int64_t next = 0;
  for (size_t i = 0; i < r.domain.size(); ++i)
    p.axis.push_back(i + static_cast<size_t>(r.reduced) < r.domain.size() ? next++ : -1);
  return p;
}

void finish_rows(Lowering& l, const FusedRegion& region, LoopBuilder& b, int result, const Reducing& r) {
  const Value* out = region.result();
  const Placement placement = result_placement(r, shape_of(out));
  result = b.apply_chain(region, result, placement);
  b.store(b.add_view(l.allocate(out), placement), result);
  b.end_phase(Over::Row);
  l.emit(b.finish(), region, precision_of(out));
}

// What elements are accumulated in: halves in float, integers in their own type, where they wrap.
DType accumulator(DType type) { return type == DType::Float16 || type == DType::BFloat16 ? DType::Float32 : type; }
// Integer sums that something else is made of, a mean or a root: they may not wrap earlier than 64 bits do.
DType wide_accumulator(DType type) {
  return !is_integer(type) ? accumulator(type) : is_signed(type) ? DType::Int64 : DType::UInt64;
}

// What ReduceX accumulates in, does to each element, how elements combine, and what happens to the combined value.
struct ReduceRow {
  std::string_view name;
  DType (*accumulator)(DType);
  int (*before)(LoopBuilder&, int);
  Reduce kind;
  int (*after)(LoopBuilder&, int, double count);
};

int keep(LoopBuilder&, int x) { return x; }
int keep_sum(LoopBuilder&, int x, double) { return x; }
int square(LoopBuilder& b, int x) { return b.op(Op::Mul, x, x); }
int absolute(LoopBuilder& b, int x) { return b.op(Op::Abs, x); }
int as_real(LoopBuilder& b, int x) { return is_float(b.program[x].type) ? x : b.to(DType::Float64, x); }
int root(LoopBuilder& b, int x, double) { return b.op(Op::Sqrt, as_real(b, x)); }
int logarithm(LoopBuilder& b, int x, double) { return b.op(Op::Log, as_real(b, x)); }
int average(LoopBuilder& b, int x, double count) { return b.op(Op::Div, x, b.k(b.program[x].type, count)); }

constexpr ReduceRow kReductions[] = {
    {"ReduceSum", accumulator, keep, Reduce::Sum, keep_sum},
    {"ReduceMean", wide_accumulator, keep, Reduce::Sum, average},
    {"ReduceMax", accumulator, keep, Reduce::Max, keep_sum},
    {"ReduceMin", accumulator, keep, Reduce::Min, keep_sum},
    {"ReduceProd", accumulator, keep, Reduce::Prod, keep_sum},
    {"ReduceL1", accumulator, absolute, Reduce::Sum, keep_sum},
    {"ReduceL2", wide_accumulator, square, Reduce::Sum, root},
    {"ReduceSumSquare", accumulator, square, Reduce::Sum, keep_sum},
    {"ReduceLogSum", wide_accumulator, keep, Reduce::Sum, logarithm},
    {"GlobalAveragePool", accumulator, keep, Reduce::Sum, average},
    {"GlobalMaxPool", accumulator, keep, Reduce::Max, keep_sum},
};

std::vector<bool> reduced_axes(const Node& node) {
  const int64_t rank = node.input(0)->type().rank();
  if (node.op().name.starts_with("Global")) {
    std::vector<bool> mask(static_cast<size_t>(rank), true);
    mask[0] = mask[1] = false;
    return mask;
  }
  const Ints axes = node.input(1) ? node.input(1)->constant().as_ints() : Ints{};
  if (axes.empty() && node.attrs<ops::ReduceAttrs>().noop_with_empty_axes)
    return std::vector<bool>(static_cast<size_t>(rank), false);
  return mask_of(axes, rank);
}

// log(sum(exp(x))) as max + log(sum(exp(x - max))), so that no exp overflows; an infinite maximum is not taken out.
void log_sum_exp(Lowering& l, const FusedRegion& region, const Reducing& r) {
  const Value* x = region.anchor->input(0);
  const DType type = is_float(x->dtype()) ? accumulator(x->dtype()) : DType::Float64;
  LoopBuilder b(l, region.result()->name(), r.domain, r.reduced);
  const int max = b.reduce(Reduce::Max, b.to(type, b.load(x, r.inner)));
  b.end_phase(Over::Inner);
  auto shift = [&] {
    const int highest = b.reduced(max), infinite = b.program.add(Op::IsInf, DType::Bool, {highest, -1, -1});
    return b.program.add(Op::Select, type, {infinite, b.k(type, 0), highest});
  };
  const int loaded = b.to(type, b.load(x, r.inner));
  const int sum = b.reduce(Reduce::Sum, b.op(Op::Exp, b.op(Op::Sub, loaded, shift())));
  b.end_phase(Over::Inner);
  const int total = b.op(Op::Log, b.reduced(sum));
  finish_rows(l, region, b, b.op(Op::Add, total, shift()), r);
}

void reduction(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  const Reducing r(shape_of(node.input(0)), reduced_axes(node));
  if (node.is(ops::ReduceLogSumExp)) return log_sum_exp(l, region, r);
  const auto row = std::find_if(std::begin(kReductions), std::end(kReductions),
                                [&](const ReduceRow& x) { return x.name == node.op().name; });
  LAPIS_ASSERT(row != std::end(kReductions), "no row for " << node.op().name);
  LoopBuilder b(l, region.result()->name(), r.domain, r.reduced);
  const int x = b.to(row->accumulator(node.input(0)->dtype()), b.load(node.input(0), r.inner));
  const int total = b.reduce(row->kind, row->before(b, x));
  b.end_phase(Over::Inner);
  const int reduced = b.reduced(total);
  finish_rows(l, region, b, row->after(b, reduced, static_cast<double>(r.inner_size())), r);
}

// ---- softmax and normalizations -----------------------------------------------------------------------------------------------

// The lines of a Softmax or LogSoftmax; a number is a line of one.
Reducing softmax_lines(const Node& node) {
  const int64_t rank = node.input(0)->type().rank();
  const Ints axes = rank ? Ints{node.attrs<ops::SoftmaxAttrs>().axis} : Ints{};
  return {shape_of(node.input(0)), mask_of(axes, rank)};
}

// What both begin with: a phase that finds the largest element of each line. shifted() is x - max from then on.
struct ShiftedLines {
  ShiftedLines(Lowering& l, const FusedRegion& region)
      : x(region.anchor->input(0)),
        type(accumulator(x->dtype())),
        r(softmax_lines(*region.anchor)),
        b(l, region.result()->name(), r.domain, r.reduced),
        max(b.reduce(Reduce::Max, loaded())) {
    b.end_phase(Over::Inner);
  }
  int loaded() { return b.to(type, b.load(x, r.inner)); }
  int shifted() {
    const int value = loaded();
    return b.op(Op::Sub, value, b.reduced(max));
  }

  const Value* x;
  DType type;
  Reducing r;
  LoopBuilder b;
  int max;
};

void softmax(Lowering& l, const FusedRegion& region) {
  const Value* out = region.result();
  ShiftedLines lines(l, region);
  const DType type = lines.type;
  const Reducing& r = lines.r;
  LoopBuilder& b = lines.b;
  const int sum = b.reduce(Reduce::Sum, b.op(Op::Exp, lines.shifted()));
  // Unfused, the exponentials wait in the output for their division instead of being computed twice.
  const bool reuse = region.chain.empty() && lines.x->dtype() == type;
  const int slot = reuse ? b.add_view(l.allocate(out), r.inner) : -1;
  if (reuse) b.store(slot, b.op(Op::Exp, lines.shifted()));
  b.end_phase(Over::Inner);
  int y = reuse ? b.load_view(slot) : b.op(Op::Exp, lines.shifted());
  y = b.op(Op::Div, y, b.reduced(sum));
  y = b.apply_chain(region, y, r.inner);
  b.store(reuse ? slot : b.add_view(l.allocate(out), r.inner), y);
  b.end_phase(Over::Inner);
  l.emit(b.finish(), region, precision_of(out));
}

// x - max - log(sum(exp(x - max))). The largest elements, whose exp is 1, are counted apart: next to a 1 the others would
// vanish, and with them the logarithm of a probability near 1.
void log_softmax(Lowering& l, const FusedRegion& region) {
  const Value* out = region.result();
  ShiftedLines lines(l, region);
  const DType type = lines.type;
  const Reducing& r = lines.r;
  LoopBuilder& b = lines.b;
  const int distance = lines.shifted(), none = b.k(type, 0);
  const int largest = b.program.add(Op::Equal, DType::Bool, {distance, none, -1});
  const int count = b.reduce(Reduce::Sum, b.program.add(Op::Select, type, {largest, b.k(type, 1), none}));
  const int others = b.reduce(Reduce::Sum, b.program.add(Op::Select, type, {largest, none, b.op(Op::Exp, distance)}));
  b.end_phase(Over::Inner);
  const int beside_one = b.op(Op::Add, b.op(Op::Sub, b.reduced(count), b.k(type, 1)), b.reduced(others));
  int y = b.op(Op::Sub, lines.shifted(), b.op(Op::Log1p, beside_one));
  y = b.apply_chain(region, y, r.inner);
  b.store(b.add_view(l.allocate(out), r.inner), y);
  b.end_phase(Over::Inner);
  l.emit(b.finish(), region, precision_of(out));
}

// (x - mean) / sqrt(variance + epsilon) * scale + bias over the inner axes; scale and bias are placed by the caller.
void normalize(Lowering& l, const FusedRegion& region, const std::vector<bool>& axes, float added, View scale,
               std::optional<View> bias) {
  const Value *x = region.anchor->input(0), *out = region.result();
  const Reducing r(shape_of(x), axes);
  const DType type = accumulator(x->dtype());
  LoopBuilder b(l, out->name(), r.domain, r.reduced);
  const int sum = b.reduce(Reduce::Sum, b.to(type, b.load(x, r.inner)));
  b.end_phase(Over::Inner);
  const auto count = [&] { return b.k(type, r.inner_size()); };
  auto centred = [&] {
    const int loaded = b.to(type, b.load(x, r.inner)), total = b.reduced(sum);
    return b.op(Op::Sub, loaded, b.op(Op::Div, total, count()));
  };
  const int deviation = centred();
  const int squares = b.reduce(Reduce::Sum, b.op(Op::Mul, deviation, deviation));
  b.end_phase(Over::Inner);
  const int total = b.reduced(squares);
  const int variance = b.op(Op::Div, total, count());
  const int epsilon = b.k(type, added);
  int y = b.op(Op::Div, centred(), b.op(Op::Sqrt, b.op(Op::Add, variance, epsilon)));
  y = b.op(Op::Mul, y, b.to(type, b.load_view(b.add_view(std::move(scale), r.inner))));
  if (bias) y = b.op(Op::Add, y, b.to(type, b.load_view(b.add_view(*std::move(bias), r.inner))));
  y = b.apply_chain(region, y, r.inner);
  b.store(b.add_view(l.allocate(out), r.inner), y);
  b.end_phase(Over::Inner);
  l.emit(b.finish(), region, precision_of(out));
}

void layer_normalization(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  const auto a = node.attrs<ops::LayerNormalizationAttrs>();
  const int64_t rank = node.input(0)->type().rank(), axis = normalized(a.axis, rank);
  std::vector<bool> axes(static_cast<size_t>(rank));
  for (int64_t i = axis; i < rank; ++i) axes[static_cast<size_t>(i)] = true;
  const Value* bias = node.input(2);
  normalize(l, region, axes, a.epsilon, l.view_of(node.input(1)), bias ? std::optional(l.view_of(bias)) : std::nullopt);
}

void instance_normalization(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  const Shape shape = shape_of(node.input(0));
  std::vector<bool> axes(shape.size(), true);
  axes[0] = axes[1] = false;
  Shape per_channel(shape.size(), 1);
  per_channel[1] = shape[1];
  const float epsilon = node.attrs<ops::InstanceNormalizationAttrs>().epsilon;
  normalize(l, region, axes, epsilon, *reshaped(l.view_of(node.input(1)), per_channel),
            *reshaped(l.view_of(node.input(2)), per_channel));
}

// ---- pools --------------------------------------------------------------------------------------------------------------------

// How many input elements each output of an AveragePool averages, as a constant along its spatial axes.
Tensor window_counts(const Node& node, const ops::Window& w) {
  const Shape in = shape_of(node.input(0)), out = shape_of(node.output());
  const bool include_pad = node.attrs<ops::AveragePoolAttrs>().count_include_pad;
  Shape shape(out.begin(), out.end());
  shape[0] = shape[1] = 1;
  Tensor counts(DType::Float32, shape);
  float* to = counts.mutable_data<float>().data();
  for_each_index(shape, [&](const Shape& at) {
    int64_t count = 1;
    for (size_t i = 0; i < w.rank(); ++i) {
      const int64_t lowest = include_pad ? -w.begins[i] : 0, limit = in[i + 2] + (include_pad ? w.ends[i] : 0);
      int64_t along = 0;
      for (int64_t t = 0; t < w.kernel[i]; ++t) {
        const int64_t position = at[i + 2] * w.strides[i] - w.begins[i] + t * w.dilations[i];
        along += position >= lowest && position < limit;
      }
      count *= along;
    }
    *to++ = static_cast<float>(count);
  });
  return counts;
}

void pool(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  const Value* out = region.result();
  const Shape shape = shape_of(node.output());
  const ops::Window w = ops::window_of(node);
  const View in = l.windowed_input(node.input(0), required_halo(node), false);
  Shape domain = shape;
  View window{in.buffer, in.dtype, {}, {in.strides[0], in.strides[1]}, in.offset};
  for (size_t i = 0; i < w.rank(); ++i) {
    window.strides.push_back(w.strides[i] * in.strides[i + 2]);
    window.offset -= w.begins[i] * in.strides[i + 2];
  }
  for (size_t i = 0; i < w.rank(); ++i) {
    domain.push_back(w.kernel[i]);
    window.strides.push_back(w.dilations[i] * in.strides[i + 2]);
  }
  Placement rows{shape, {}};
  for (size_t i = 0; i < domain.size(); ++i) rows.axis.push_back(i < shape.size() ? static_cast<int64_t>(i) : -1);
  LoopBuilder b(l, out->name(), domain, static_cast<int>(w.rank()));
  const bool max = node.is(ops::MaxPool);
  const DType type = accumulator(in.dtype);
  const int total = b.reduce(max ? Reduce::Max : Reduce::Sum, b.to(type, b.load_view(b.add_placed_view(window))));
  b.end_phase(Over::Inner);
  int result = b.reduced(total);
  if (!max) {
    const View counts = l.constant(window_counts(node, w), out->name() + ".count");
    result = b.op(Op::Div, result, b.to(type, b.load_view(b.add_view(counts, rows))));
  }
  result = b.apply_chain(region, result, rows);
  b.store(b.add_view(l.allocate(out), rows), result);
  b.end_phase(Over::Row);
  l.emit(b.finish(), region, precision_of(out));
}

// ---- matrix products of two computed operands ---------------------------------------------------------------------------------

// Operand as a batch of matrices, broadcast over the batch: a vector counts as a row (left) or a column (right).
View as_matrices(const View& view, bool left, const Shape& batch) {
  View v = view;
  if (v.shape.size() == 1) {
    v.shape.insert(left ? v.shape.begin() : v.shape.end(), 1);
    v.strides.insert(left ? v.strides.begin() : v.strides.end(), 0);
  }
  Shape target = batch;
  target.insert(target.end(), v.shape.end() - 2, v.shape.end());
  return broadcast_to(v, target);
}

int centred_int32(LoopBuilder& b, int x, const Value* zero_point) {
  const int wide = b.program.add(Op::Cast, DType::Int32, {x, -1, -1});
  const int64_t zero = zero_point ? scalar_constant(zero_point)->as_int() : 0;
  return zero == 0 ? wide : b.op(Op::Sub, wide, b.k(DType::Int32, zero));
}

// Halves are multiplied and summed as float32, as the reference does.
DType sum_type(DType type) { return type == DType::Float16 || type == DType::BFloat16 ? DType::Float32 : type; }

int converted(LoopBuilder& b, int x, DType type) {
  return b.program[x].type == type ? x : b.program.add(Op::Cast, type, {x, -1, -1});
}

View factor(Lowering& l, const Value* v, bool transposed) {
  return transposed ? permuted(l.view_of(v), {1, 0}) : l.view_of(v);
}

// alpha * sum + beta * C
int finish_gemm(LoopBuilder& b, const Node& node, int sum, const Placement& rows) {
  const auto a = node.attrs<ops::GemmAttrs>();
  const DType type = b.program[sum].type;
  if (a.alpha != 1) sum = b.op(Op::Mul, sum, b.k(type, a.alpha));
  if (!node.input(2)) return sum;
  int added = converted(b, b.load(node.input(2), rows), type);
  if (a.beta != 1) added = b.op(Op::Mul, added, b.k(type, a.beta));
  return b.op(Op::Add, sum, added);
}

void matrix_product(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  const Value* out = region.result();
  const Shape result_shape = shape_of(out);
  const bool gemm = node.is(ops::Gemm);
  const auto turns = gemm ? node.attrs<ops::GemmAttrs>() : ops::GemmAttrs{};
  const bool row_vector = node.input(0)->type().rank() == 1, column_vector = node.input(1)->type().rank() == 1;
  Shape batch(result_shape.begin(), result_shape.end() - (row_vector ? 0 : 1) - (column_vector ? 0 : 1));
  const View a = as_matrices(factor(l, node.input(0), turns.transA), true, batch),
             w = as_matrices(factor(l, node.input(1), turns.transB), false, batch);
  const size_t n = batch.size();
  Shape domain = batch;
  domain.insert(domain.end(), {a.shape[n], w.shape[n + 1], a.shape[n + 1]});
  View left{a.buffer, a.dtype, {}, a.strides, a.offset}, right{w.buffer, w.dtype, {}, w.strides, w.offset};
  left.strides.insert(left.strides.begin() + static_cast<int64_t>(n) + 1, 0);             // [.., m, 0, k]
  right.strides = Shape(w.strides.begin(), w.strides.begin() + static_cast<int64_t>(n));  // [.., 0, n, k]
  right.strides.insert(right.strides.end(), {0, w.strides[n + 1], w.strides[n]});
  Placement rows{result_shape, {}};
  for (size_t i = 0; i < n; ++i) rows.axis.push_back(static_cast<int64_t>(i));
  rows.axis.push_back(row_vector ? -1 : static_cast<int64_t>(n));
  rows.axis.push_back(column_vector ? -1 : static_cast<int64_t>(n) + (row_vector ? 0 : 1));
  rows.axis.push_back(-1);

  LoopBuilder b(l, out->name(), domain, 1);
  int x = b.load_view(b.add_placed_view(left)), y = b.load_view(b.add_placed_view(right));
  const bool integer = node.is(ops::MatMulInteger);
  x = integer ? centred_int32(b, x, node.input(2)) : converted(b, x, sum_type(a.dtype));
  y = integer ? centred_int32(b, y, node.input(3)) : converted(b, y, sum_type(w.dtype));
  const int sum = b.reduce(Reduce::Sum, b.op(Op::Mul, x, y));
  b.end_phase(Over::Inner);
  int result = b.reduced(sum);
  if (gemm) result = finish_gemm(b, node, result, rows);
  result = b.apply_chain(region, converted(b, result, node.output()->dtype()), rows);
  b.store(b.add_view(l.allocate(out), rows), result);
  b.end_phase(Over::Row);
  l.emit(b.finish(), region, precision_of(out));
}

// ---- Gather -------------------------------------------------------------------------------------------------------------------

void gather(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  const Value* out = region.result();
  const View data = l.view_of(node.input(0)), indices = l.view_of(node.input(1));
  const auto axis =
      static_cast<size_t>(normalized(node.attrs<ops::AxisAttrs>().axis, static_cast<int64_t>(data.shape.size())));
  const Shape shape = shape_of(out);
  const size_t index_rank = indices.shape.size();
  View table{data.buffer, data.dtype, {}, {}, data.offset},
      index{indices.buffer, indices.dtype, {}, Shape(shape.size(), 0), indices.offset};
  for (size_t i = 0; i < axis; ++i) table.strides.push_back(data.strides[i]);
  table.strides.insert(table.strides.end(), index_rank, 0);
  for (size_t i = axis + 1; i < data.shape.size(); ++i) table.strides.push_back(data.strides[i]);
  for (size_t i = 0; i < index_rank; ++i) index.strides[axis + i] = indices.strides[i];

  LoopBuilder b(l, out->name(), shape);
  int at = b.load_view(b.add_placed_view(index));
  if (index.dtype != DType::Int64) at = b.program.add(Op::Cast, DType::Int64, {at, -1, -1});
  const Instr gather{Op::Gather,         data.dtype,      {at, -1, -1}, b.add_placed_view(table),
                     data.strides[axis], data.shape[axis]};
  const Placement here = straight(shape);
  const int result = b.apply_chain(region, b.program.add(gather), here);
  b.store(b.add_view(l.allocate(out), here), result);
  b.end_phase(Over::Row);
  l.emit(b.finish(), region, precision_of(out));
}

}  // namespace

Status lower_loop(Lowering& l, const FusedRegion& region) {
  const std::string_view name = region.anchor->op().name;
  if (region.kind == Lowered::Scalar)
    elementwise(l, region);
  else if (name.starts_with("Reduce") || name.starts_with("Global"))
    reduction(l, region);
  else if (name == "Softmax")
    softmax(l, region);
  else if (name == "LogSoftmax")
    log_softmax(l, region);
  else if (name == "LayerNormalization")
    layer_normalization(l, region);
  else if (name == "InstanceNormalization")
    instance_normalization(l, region);
  else if (name == "MaxPool" || name == "AveragePool")
    pool(l, region);
  else if (name == "Gemm" || name == "MatMul" || name == "MatMulInteger")
    matrix_product(l, region);
  else if (name == "Gather")
    gather(l, region);
  else
    LAPIS_UNREACHABLE("no loop for " << name);
  return ok();
}

}  // namespace lapis::codegen
