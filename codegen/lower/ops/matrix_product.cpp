// Matrix products: by a kernel where the right operand is constant or worth packing, else by a loop.
#include <algorithm>

#include "codegen/lower/computed_weights.h"
#include "codegen/lower/loop_builder.h"
#include "codegen/lower/ops/families.h"
#include "codegen/lower/reducing.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::codegen {
namespace {

using Over = Loop::Over;
using Reduce = Loop::Reduce;

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

// Halves are multiplied and summed as float32, as the reference does; bytes less their zero point as int32.
DType sum_type(const Node& node) {
  return row_of(node)->product->x_zero >= 0 ? DType::Int32 : accumulator(node.input(0)->dtype());
}

int converted(LoopBuilder& b, int x, DType type) {
  return b.program[x].type == type ? x : b.program.add(Op::Cast, type, {x});
}

int factor_at(LoopBuilder& b, const View& placed, DType type, const Value* zero_point) {
  const int x = converted(b, b.load_view(b.add_placed_view(placed)), type);
  const int64_t zero = zero_point ? scalar_constant(zero_point)->as_int() : 0;
  return zero == 0 ? x : b.op(Op::Sub, {x, b.k(type, zero)});
}

View factor(Lowering& l, const Value* v, bool transposed) {
  return transposed ? permuted(l.view_of(v), {1, 0}) : l.view_of(v);
}

// alpha * sum + beta * C
int finish_product(LoopBuilder& b, const Node& node, int sum, const Mapping& rows) {
  const ops::GemmAttrs factors = factors_of(node);
  const DType type = b.program[sum].type;
  if (factors.alpha != 1) sum = b.op(Op::Mul, {sum, b.k(type, factors.alpha)});
  const Value* addend = addend_of(node);
  if (!addend) return sum;
  int added = converted(b, b.load(addend, rows), type);
  if (factors.beta != 1) added = b.op(Op::Mul, {added, b.k(type, factors.beta)});
  return b.op(Op::Add, {sum, added});
}

void matrix_product(Lowering& l, const FusedRegion& region) {
  const Node& node = *region.anchor;
  const Value* out = region.result();
  const Shape result_shape = out->type().shape();
  const ops::GemmAttrs turns = factors_of(node);
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
  Mapping rows{result_shape, {}};
  for (size_t i = 0; i < n; ++i) rows.axis.push_back(static_cast<int64_t>(i));
  rows.axis.push_back(row_vector ? -1 : static_cast<int64_t>(n));
  rows.axis.push_back(column_vector ? -1 : static_cast<int64_t>(n) + (row_vector ? 0 : 1));
  rows.axis.push_back(-1);

  LoopBuilder b(l, out->name(), domain, 1);
  const DType type = sum_type(node);
  const Product& product = *row_of(node)->product;
  const int x = factor_at(b, left, type, operand_of(node, product.x_zero)),
            y = factor_at(b, right, type, operand_of(node, product.w_zero));
  const int sum = b.reduce(Reduce::Sum, b.op(Op::Mul, {x, y}));
  b.end_phase(Over::Inner);
  int result = finish_product(b, node, b.reduced(sum), rows);
  result = b.apply_chain(region, converted(b, result, node.output()->dtype()), rows);
  b.store(b.add_view(l.allocate(out), rows), result);
  b.end_phase(Over::Row);
  l.emit(b.finish(), region, precision_of(out));
}

// Rows and columns of what one right operand is for, length of the sums, and how many there are.
struct Sizes {
  int64_t rows, columns, length, batches;
};
Sizes sizes_of(const Node& node) {
  const ops::GemmAttrs turns = factors_of(node);
  const Shape x = node.input(0)->type().shape(), out = node.output()->type().shape();
  const bool shared = node.input(1)->type().rank() == 2;  // by all rows of all batches
  const int64_t columns = out.back(),
                rows = shared ? element_count(out) / std::max<int64_t>(columns, 1) : out[out.size() - 2];
  return {rows, columns, x[x.size() - (turns.transA ? 2 : 1)],
          element_count(out) / std::max<int64_t>(rows * columns, 1)};
}

// The columns of the right operand do not lie beside each other, so that a loop over them would gather.
bool is_turned(const Node& node) {
  const Node* view = node.input(1)->producer();
  bool turned = false;
  if (view && view->is(ops::Transpose)) {
    const auto permutation = view->attrs<ops::TransposeAttrs>().perm;
    turned = permutation.empty() || permutation.back() + 1 != node.input(1)->type().rank();
  }
  return turned != (factors_of(node).transB != 0);
}

// Large enough for a kernel to be worth packing the right operand, which is read as often as the left has rows. Bytes
// gain five times and more over loops; loops over floats are as fast as kernels where they need not gather.
bool gains(const Node& node, const Sizes& s) {
  constexpr int64_t kLeastColumns = 8, kLeastLength = 8, kLeastWork = 1 << 14;
  const bool bytes = is_quantized_storage(node.input(0)->dtype());
  const bool large =
      s.columns >= kLeastColumns && s.length >= kLeastLength && s.rows * s.columns * s.length >= kLeastWork;
  return large && s.batches > 0 && s.rows >= (bytes ? 8 : 16) && (bytes || is_turned(node));
}

// A kernel multiplies with constant weights, and with computed ones where that gains and its tables can address them.
Status has_kernel(const Node& node) {
  constexpr int64_t kMostWeights = int64_t{1} << 26, kMostRows = int64_t{1} << 24, kMostElements = int64_t{1} << 28;
  if (node.input(0)->type().rank() < 2 || node.input(1)->type().rank() < 2) return refuse("no kernel");
  if (has_constant_weights(node)) return ok();
  const Sizes s = sizes_of(node);
  const bool fits = s.batches * s.length * (s.columns + 64) < kMostWeights && s.batches * s.rows < kMostRows &&
                    s.batches * s.rows * std::max(s.columns, s.length) < kMostElements;
  return gains(node, s) && fits ? ok() : Status(refuse("no kernel"));
}

Status float_kernel(const Node& node) {
  const DType type = node.input(0)->dtype();
  if (type != DType::Float32 && !(allows(kKernelFloats, type) && has_constant_weights(node)))
    return refuse("no kernel");
  return has_kernel(node);
}

Status product_loop(const Node& node) {
  const DType type = node.input(0)->dtype();
  if (!allows(kFloats | types(DType::Int32, DType::Int64, DType::UInt32, DType::UInt64), type))
    return refuse("products of " + std::string(name_of(type)));
  return ok();
}

Status gemm_loop(const Node& node) {
  const auto a = node.attrs<ops::GemmAttrs>();
  if (is_integer(node.input(0)->dtype()) && (a.alpha != 1 || a.beta != 1))
    return refuse("alpha or beta other than 1 on integers");
  return product_loop(node);
}

Status integer_kernel(const Node& node) {
  const bool bytes = is_quantized_storage(node.input(0)->dtype()) && is_quantized_storage(node.input(1)->dtype());
  if (!bytes || !constant_scalar_or_absent(node.input(2))) return refuse("no kernel");
  if (!has_constant_weights(node) && !constant_scalar_or_absent(node.input(3))) return refuse("no kernel");
  return has_kernel(node);
}
Status integer_loop(const Node& node) { return constant_scalars(node, {2, 3}); }

Status only_its_parts(const Node& node) {
  LAPIS_CHECK(constant_scalars(node, {1, 2, 6, 7}));
  for (size_t i : {4, 5})
    if (!node.input(i)->is_constant()) return refuse(name_of_operand(node, i) + " is not constant");
  return refuse("there is code for its parts only", "the pass `integer` makes a MatMulInteger of it");
}

constexpr Product kMatMul{1, -1, -1, -1, false}, kGemm{1, 2, -1, -1, false}, kMatMulInteger{1, -1, 2, 3, false};

}  // namespace

OpLowerings matrix_product_rows() {
  return {
      code_for(ops::MatMul).contraction(float_kernel, kMatMul).loop(matrix_product, product_loop),
      code_for(ops::Gemm).contraction(float_kernel, kGemm).loop(matrix_product, gemm_loop),
      code_for(ops::MatMulInteger).contraction(integer_kernel, kMatMulInteger).loop(matrix_product, integer_loop),
      code_for(ops::QLinearMatMul).contraction(only_its_parts, {}),
  };
}

}  // namespace lapis::codegen
