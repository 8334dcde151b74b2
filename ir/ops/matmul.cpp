// The matrix products: MatMul, MatMulInteger, QLinearMatMul and Gemm.
#include <algorithm>

#include "ir/ops/attributes.h"
#include "ir/ops/extents.h"
#include "ir/ops/loops.h"
#include "ir/ops/numerics.h"
#include "ir/ops/ops.h"
#include "ir/ops/product.h"

namespace lapis::ops {
namespace {

constexpr TypeSet kBytes = types(DType::Int8, DType::UInt8);
constexpr TypeSet kFactors = kFloats | types(DType::Int32, DType::Int64, DType::UInt32, DType::UInt64);

// ---- shapes -------------------------------------------------------------------------------------------------------

// numpy.matmul's rule: a vector gets an axis of 1 that the result loses again; leading axes broadcast.
Result<Type> infer_product(const InferContext& c, size_t a_index, size_t b_index, DType dtype) {
  const Type &a = c.in(a_index), &b = c.in(b_index);
  if (!a.ranked() || !b.ranked()) return Type::tensor(dtype);
  if (a.rank() == 0 || b.rank() == 0) return c.error("a scalar cannot be multiplied as a matrix");
  const Dim &inner_a = a.dim(-1), &inner_b = b.rank() == 1 ? b.dim(0) : b.dim(-2);
  if (differ(inner_a, inner_b))
    return c.error("the inner dimensions differ: " + a.to_string() + " times " + b.to_string());
  const auto leading = [](const Type& t) {
    return Type::tensor(t.dtype, Dims(t.dims->begin(), t.dims->end() - std::min<int64_t>(2, t.rank())));
  };
  const Type lead_a = leading(a), lead_b = leading(b);
  LAPIS_TRY(auto dims, broadcast(c, {&lead_a, &lead_b}));
  if (a.rank() > 1) dims->push_back(a.dim(-2));
  if (b.rank() > 1) dims->push_back(b.dim(-1));
  return Type::tensor(dtype, *dims);
}

struct Operands {
  size_t a, b;
};
constexpr Operands kPlain{0, 1}, kQLinear{0, 3};

Result<Types> infer_matmul(const InferContext& c) {
  LAPIS_TRY(Type y, infer_product(c, kPlain.a, kPlain.b, c.in(0).dtype));
  return Types{y};
}

bool is_single(const Type& t) {
  return std::all_of(t.dims->begin(), t.dims->end(), [](const Dim& d) { return d.is(1); });
}

// Of one rank, and the same extents along all axes but one.
bool fits_but_for(const Type& a, const Type& b, int64_t axis) {
  for (int64_t d = 0; d < a.rank(); ++d)
    if (d != axis && differ(a.dim(d), b.dim(d))) return false;
  return true;
}

// Scale or zero point of a matrix (or a stack of them): one value, a vector over its rows or columns, or the same for
// each matrix of the stack, which then has the matrix' shape but for the other axis.
Status check_parameter(const InferContext& c, size_t input, size_t matrix, bool of_rows, bool stacks) {
  if (!c.has(input) || !c.in(input).ranked() || !c.in(matrix).ranked() || is_single(c.in(input))) return ok();
  const Type &p = c.in(input), &m = c.in(matrix);
  const auto wrong = [&] {
    return c.error("input '" + std::string(c.node().op().input(input).name) + "' is " + p.to_string() + ", one value" +
                   " or one for each " + (of_rows ? "row" : "column") + " of " + m.to_string() + " is needed");
  };
  const int64_t axis = of_rows ? -2 : -1, other = of_rows ? -1 : -2;
  const Dim wanted = m.rank() > 1 ? m.dim(axis) : Dim(1);
  if (p.rank() == 1) return differ(p.dim(0), wanted) ? Status(wrong()) : ok();
  if (!stacks || p.rank() != m.rank() || !p.dim(other).is(1) || !fits_but_for(p, m, p.rank() + other)) return wrong();
  return ok();
}

Result<Types> infer_integer(const InferContext& c) {
  LAPIS_TRY(Type y, infer_product(c, kPlain.a, kPlain.b, DType::Int32));
  LAPIS_CHECK(check_parameter(c, 2, kPlain.a, true, true));
  LAPIS_CHECK(check_parameter(c, 3, kPlain.b, false, true));
  return Types{y};
}

Result<Types> infer_qlinear(const InferContext& c) {
  LAPIS_TRY(Type y, infer_product(c, kQLinear.a, kQLinear.b, c.in(7).dtype));
  for (size_t input : {1, 2}) LAPIS_CHECK(check_parameter(c, input, kQLinear.a, true, input == 2));
  for (size_t input : {4, 5}) LAPIS_CHECK(check_parameter(c, input, kQLinear.b, false, input == 5));
  return Types{y};
}

// ---- evaluation ---------------------------------------------------------------------------------------------------

// One matrix of a stack, found by broadcasting the result's leading index.
struct Stack {
  Shape lead;  // leading axes
  int64_t rows, columns;
  int64_t matrix(const Shape& index) const {
    int64_t at = 0;
    const size_t shift = index.size() - lead.size();
    for (size_t i = 0; i < lead.size(); ++i) at = at * lead[i] + (lead[i] == 1 ? 0 : index[shift + i]);
    return at;
  }
};

Stack left_of(const Shape& s) {
  return s.size() == 1 ? Stack{{}, 1, s[0]} : Stack{{s.begin(), s.end() - 2}, s[s.size() - 2], s.back()};
}
Stack right_of(const Shape& s) { return s.size() == 1 ? Stack{{}, s[0], 1} : left_of(s); }

struct Product {
  Product(const Shape& a_shape, const Shape& b_shape) : a(left_of(a_shape)), b(right_of(b_shape)) {
    const size_t rank = std::max(a.lead.size(), b.lead.size());
    for (size_t i = 0; i < rank; ++i) {
      auto at = [&](const Shape& s) { return i + s.size() < rank ? 1 : s[i + s.size() - rank]; };
      lead.push_back(at(a.lead) == 1 ? at(b.lead) : at(a.lead));
    }
    shape = lead;
    if (a_shape.size() > 1) shape.push_back(a.rows);
    if (b_shape.size() > 1) shape.push_back(b.columns);
  }
  Stack a, b;
  Shape lead, shape;  // of the result
};

template <class T>
std::vector<Accumulator<T>> multiply(const Product& p, const std::vector<T>& a, const std::vector<T>& b) {
  const int64_t m = p.a.rows, k = p.a.columns, n = p.b.columns;
  constexpr int64_t kTile = 256;  // columns at a time: the rows of b stay in the cache for all rows of a
  std::vector<Accumulator<T>> sums(static_cast<size_t>(element_count(p.lead) * m * n), 0);
  if (sums.empty()) return sums;
  Shape index(p.lead.size(), 0);
  const std::span<const T> lefts(a), rights(b);
  std::span<Accumulator<T>> out(sums);
  do {
    const auto left = lefts.subspan(static_cast<size_t>(p.a.matrix(index) * m * k)),
               right = rights.subspan(static_cast<size_t>(p.b.matrix(index) * k * n));
    for (int64_t j = 0; j < n; j += kTile) {
      const auto from = static_cast<size_t>(j);
      accumulate_product<T>(m, std::min(kTile, n - j), k, left, right.subspan(from), n, out.subspan(from), n);
    }
    out = out.subspan(static_cast<size_t>(m * n));
  } while (next_index(index, p.lead));
  return sums;
}

Status evaluate_matmul(EvalContext& c) {
  const Product p(c.in(0).shape(), c.in(1).shape());
  visit_operand(c.in(0).dtype(), [&](auto tag) {
    using T = decltype(tag);
    c.set_out(0, result_tensor(c.in(0).dtype(), p.shape, multiply<T>(p, operand<T>(c.in(0)), operand<T>(c.in(1)))));
  });
  return ok();
}

// Which quantization parameter belongs to element i: one for all, one a row (of a), one a column (of b), or one a row
// or column of each matrix.
int64_t row_parameter(const Tensor& parameter, int64_t element, int64_t rows, int64_t columns) {
  if (parameter.size() == 1) return 0;
  const int64_t row = element / columns;  // counted through the whole stack
  return parameter.rank() <= 1 ? row % rows : row;
}
int64_t column_parameter(const Tensor& parameter, int64_t element, int64_t rows, int64_t columns) {
  if (parameter.size() == 1) return 0;
  const int64_t column = element % columns;
  return parameter.rank() <= 1 ? column : element / (rows * columns) * columns + column;
}
using ParameterIndex = int64_t (*)(const Tensor&, int64_t, int64_t, int64_t);

std::vector<int16_t> centered(const Tensor& tensor, const Tensor* zero_point, const Stack& stack,
                              ParameterIndex index) {
  std::vector<int16_t> values = operand<int16_t>(tensor);
  if (!zero_point) return values;
  const std::vector<int64_t> zeros = to_integers(*zero_point);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<int16_t>(
        values[i] - zeros[static_cast<size_t>(index(*zero_point, static_cast<int64_t>(i), stack.rows, stack.columns))]);
  return values;
}

std::vector<uint32_t> integer_sums(const Product& p, const Tensor& a, const Tensor* a_zero, const Tensor& b,
                                   const Tensor* b_zero) {
  return multiply<int16_t>(p, centered(a, a_zero, p.a, row_parameter), centered(b, b_zero, p.b, column_parameter));
}

Status evaluate_integer(EvalContext& c) {
  const Product p(c.in(0).shape(), c.in(1).shape());
  const Tensor *a_zero = c.has(2) ? &c.in(2) : nullptr, *b_zero = c.has(3) ? &c.in(3) : nullptr;
  c.set_out(0, result_tensor(DType::Int32, p.shape, integer_sums(p, c.in(0), a_zero, c.in(1), b_zero)));
  return ok();
}

Status evaluate_qlinear(EvalContext& c) {
  const Product p(c.in(0).shape(), c.in(3).shape());
  const std::vector<uint32_t> sums = integer_sums(p, c.in(0), &c.in(2), c.in(3), &c.in(5));
  const IntegerRange range = integer_range(c.in(7).dtype());
  std::vector<int64_t> y(sums.size());
  for (size_t i = 0; i < y.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    const float a_scale = scale_of(c.in(1), row_parameter(c.in(1), at, p.a.rows, p.b.columns));
    const float b_scale = scale_of(c.in(4), column_parameter(c.in(4), at, p.a.rows, p.b.columns));
    y[i] = requantize(static_cast<int32_t>(sums[i]), requantize_multiplier(a_scale, b_scale, scale_of(c.in(6), 0)),
                      c.in(7).as_int(0), range);
  }
  c.set_out(0, from_integers(c.in(7).dtype(), p.shape, y));
  return ok();
}

// ---- Gemm ---------------------------------------------------------------------------------------------------------

// C may be broadcast to the product, not the other way round.
Status check_addend(const InferContext& c, const Type& y) {
  LAPIS_TRY(const auto dims, broadcast(c, {&y, &c.in(2)}));
  bool grows = dims->size() > 2;
  for (int64_t d = 0; d < 2; ++d) grows |= y.dim(d).is(1) && differ((*dims)[static_cast<size_t>(d)], y.dim(d));
  if (grows) return c.error("C " + c.in(2).to_string() + " does not broadcast to the product " + y.to_string());
  return ok();
}

Result<Types> infer_gemm(const InferContext& c) {
  const Type &a = c.in(0), &b = c.in(1);
  if (!a.ranked() || !b.ranked()) return Types{Type::tensor(a.dtype, Dims(2))};
  if (a.rank() != 2 || b.rank() != 2)
    return c.error("A and B must be matrices, they are " + a.to_string() + " and " + b.to_string());
  const GemmAttrs g = c.attrs<GemmAttrs>();
  const Dim &inner_a = a.dim(g.transA ? 0 : 1), &inner_b = b.dim(g.transB ? 1 : 0);
  if (differ(inner_a, inner_b))
    return c.error("the inner dimensions differ: A has " + inner_a.to_string() + ", B has " + inner_b.to_string());
  const Type y = Type::tensor(a.dtype, Dims{a.dim(g.transA ? 1 : 0), b.dim(g.transB ? 0 : 1)});
  if (c.has(2) && c.in(2).ranked()) LAPIS_CHECK(check_addend(c, y));
  return Types{y};
}

template <class T> std::vector<T> transposed(const std::vector<T>& values, int64_t rows, int64_t columns) {
  std::vector<T> turned(values.size());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t col = 0; col < columns; ++col)
      turned[static_cast<size_t>(col * rows + r)] = values[static_cast<size_t>(r * columns + col)];
  return turned;
}

template <class T> std::vector<T> matrix_of(const Tensor& tensor, bool transpose) {
  return transpose ? transposed(operand<T>(tensor), tensor.dim(0), tensor.dim(1)) : operand<T>(tensor);
}

// Element of C under [row, column] of the product.
template <class T> T broadcast_element(const std::vector<T>& values, const Shape& shape, int64_t row, int64_t column) {
  const int64_t columns = shape.empty() ? 1 : shape.back(), rows = shape.size() < 2 ? 1 : shape[0];
  return values[static_cast<size_t>((rows == 1 ? 0 : row) * columns + (columns == 1 ? 0 : column))];
}

template <class T> Tensor gemm(const EvalContext& c) {
  const GemmAttrs g = c.attrs<GemmAttrs>();
  const Shape &a = c.in(0).shape(), &b = c.in(1).shape();
  const Product p(g.transA ? Shape{a[1], a[0]} : a, g.transB ? Shape{b[1], b[0]} : b);
  auto sums = multiply<T>(p, matrix_of<T>(c.in(0), g.transA), matrix_of<T>(c.in(1), g.transB));
  using Sum = Accumulator<T>;
  const auto scaled = [](Sum value, float factor) {
    if constexpr (std::is_integral_v<Sum>)
      return factor == 1
                 ? value
                 : static_cast<Sum>(static_cast<int64_t>(static_cast<double>(static_cast<int64_t>(value)) * factor));
    else
      return value * factor;
  };
  const std::vector<T> bias = c.has(2) ? operand<T>(c.in(2)) : std::vector<T>();
  for (size_t i = 0; i < sums.size(); ++i) {
    sums[i] = scaled(sums[i], g.alpha);
    const auto row = static_cast<int64_t>(i) / p.b.columns, column = static_cast<int64_t>(i) % p.b.columns;
    if (!bias.empty())
      sums[i] += scaled(static_cast<Sum>(broadcast_element(bias, c.in(2).shape(), row, column)), g.beta);
  }
  return result_tensor(c.in(0).dtype(), p.shape, sums);
}

Status evaluate_gemm(EvalContext& c) {
  visit_operand(c.in(0).dtype(), [&](auto tag) { c.set_out(0, gemm<decltype(tag)>(c)); });
  return ok();
}

constexpr TypeSet kScales = types(DType::Float32, DType::Float16, DType::BFloat16);

// Weights in few bits, dequantized in front of a product of floats.
Capability weights_alone() {
  Capability row{Quant::Contraction, Precision::Int8, {{DType::Float32}}, {}, {}};
  for (const DType type : {DType::Int8, DType::UInt8, DType::Int4, DType::UInt4}) {
    const bool symmetric = type == DType::Int8 || type == DType::Int4;
    row.weights.push_back({type, symmetric, Granularity::Channel, 0});
    for (const int64_t block : {16, 32, 64, 128, 256})
      row.weights.push_back({type, symmetric, Granularity::Block, block});
  }
  return row;
}

}  // namespace

const OpDef Gemm = op("Gemm")
                       .since(13)
                       .doc("alpha * A' * B' + beta * C, where A' and B' may be transposed.")
                       .in("A", kFactors, "T")
                       .in("B", kFactors, "T")
                       .optional_in("C", kFactors, "T")
                       .out("Y", kFactors)
                       .attrs<GemmAttrs>()
                       .infer(infer_gemm)
                       .evaluate(evaluate_gemm)
                       .traits(Trait::Pure | Trait::Contraction)
                       .quant(Quant::Contraction)
                       .quant(weights_alone());

const OpDef MatMul = op("MatMul")
                         .since(13)
                         .doc("Matrix product; leading axes broadcast.")
                         .in("A", kFactors, "T")
                         .in("B", kFactors, "T")
                         .out("Y", kFactors)
                         .infer(infer_matmul)
                         .evaluate(evaluate_matmul)
                         .traits(Trait::Pure | Trait::Contraction)
                         .quant(Quant::Contraction)
                         .quant(weights_alone());

const OpDef MatMulInteger = op("MatMulInteger")
                                .since(10)
                                .doc("Matrix product of 8-bit integers minus their zero points, summed in int32.")
                                .in("A", kBytes, "T1")
                                .in("B", kBytes, "T2")
                                .optional_in("a_zero_point", kBytes, "T1")
                                .optional_in("b_zero_point", kBytes, "T2")
                                .out("Y", types(DType::Int32))
                                .infer(infer_integer)
                                .evaluate(evaluate_integer)
                                .traits(Trait::Pure | Trait::Contraction);

const OpDef QLinearMatMul = op("QLinearMatMul")
                                .since(21)
                                .doc("Matrix product of quantized values, requantized to the output's scale.")
                                .in("a", kBytes, "T1")
                                .in("a_scale", kScales, "TS")
                                .in("a_zero_point", kBytes, "T1")
                                .in("b", kBytes, "T2")
                                .in("b_scale", kScales, "TS")
                                .in("b_zero_point", kBytes, "T2")
                                .in("y_scale", kScales, "TS")
                                .in("y_zero_point", kBytes)
                                .out("y", kBytes)
                                .infer(infer_qlinear)
                                .evaluate(evaluate_qlinear)
                                .traits(Trait::Pure | Trait::Contraction);

}  // namespace lapis::ops
