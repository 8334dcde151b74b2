// Operators that work on each element, whatever the order of axes, and Softmax.
#include <numeric>

#include "frontends/tensorflow/translators.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/ops.h"

namespace lapis::tensorflow_frontend {
namespace {

using frontend::Aligned;
using frontend::aligned;
using frontend::of_one;
using frontend::of_two;
using frontend::plain_layout;
using frontend::scalar_like;

// x + number, number - x, ...
Result<Value*> with_number(Translation& t, const OpDef& op, Value* x, double number) {
  LAPIS_TRY(Value * c, scalar_like(t, number, x));
  return t.add(op, {x, c});
}

Status like(Translation& t, double number) {
  return of_one(t, [&](Value* x) -> Result<Value*> {
    LAPIS_TRY(Value * c, scalar_like(t, number, x));
    if (const auto shape = x->type().static_shape()) return t.add(ops::Expand, {c, ints(t, *shape)});
    LAPIS_TRY(Value * shape, t.add(ops::ShapeOf, {x}));
    return t.add(ops::Expand, {c, shape});
  });
}

// The last axis of the written order.
Status along_last(Translation& t, const OpDef& op) {
  LAPIS_TRY(const int64_t rank, rank_of(t, 0));
  if (rank == 0) return error(ErrorKind::Input, "a single number has no last axis");
  const Layout layout = plain_layout(t);
  const int64_t axis = frontend::axis_in(layout, rank - 1, static_cast<size_t>(rank));
  return of_one(t, [&](Value* x) { return t.add(op, {x}, ops::SoftmaxAttrs{.axis = axis == rank - 1 ? -1 : axis}); });
}

bool is_floating(const Translation& t) { return is_float(t.input(0).type.dtype); }

Result<Value*> of_rows(Translation& t, int64_t rank) {
  std::vector<int64_t> axes(static_cast<size_t>(rank - 1));
  std::iota(axes.begin(), axes.end(), 1);
  LAPIS_TRY(Value * condition, t.real(0, Layout::AsWritten));
  LAPIS_TRY(condition, t.add(ops::Unsqueeze, {condition, ints(t, std::move(axes))}));
  LAPIS_TRY(Value * x, t.real(1, Layout::AsWritten));
  LAPIS_TRY(Value * y, t.real(2, Layout::AsWritten));
  return t.add(ops::Where, {condition, x, y});
}

}  // namespace

Status identity(Translation& t) { return frontend::apply(t, ops::Identity); }
Status elu(Translation& t) { return frontend::apply(t, ops::Elu); }
Status zeros_like(Translation& t) { return like(t, 0); }
Status ones_like(Translation& t) { return like(t, 1); }
Status softmax(Translation& t) { return along_last(t, ops::Softmax); }
Status log_softmax(Translation& t) { return along_last(t, ops::LogSoftmax); }

Status add_n(Translation& t) {
  std::vector<size_t> all(t.input_count());
  std::iota(all.begin(), all.end(), 0);
  LAPIS_TRY(const Aligned terms, aligned(t, all));
  Value* y = terms.operands[0];
  for (size_t i = 1; i < terms.operands.size(); ++i) {
    LAPIS_TRY(y, t.add(ops::Add, {y, terms.operands[i]}));
  }
  if (terms.operands.size() == 1) {
    LAPIS_TRY(y, t.add(ops::Identity, {y}));
  }
  return t.set(0, y, terms.layout);
}

// Of one number for each channel.
Status bias_add(Translation& t) {
  if (!has_channels_first(t)) return frontend::combine(t, ops::Add);
  LAPIS_TRY(const int64_t rank, rank_of(t, 0));
  if (rank < 2) return error(ErrorKind::Input, "has no channels: its data is " + t.input(0).type.to_string());
  LAPIS_TRY(Value * x, t.real(0, Layout::AsWritten));
  LAPIS_TRY(Value * bias, t.real(1, Layout::AsWritten));
  std::vector<int64_t> shape(static_cast<size_t>(rank), 1);
  shape[1] = -1;
  LAPIS_TRY(bias, t.add(ops::Reshape, {bias, ints(t, std::move(shape))}));
  LAPIS_TRY(Value * y, t.add(ops::Add, {x, bias}));
  return t.set(0, y, Layout::AsWritten);
}

Status cast(Translation& t) {
  const DType to = dtype_of_number(t.get<int64_t>("DstT", 0));
  if (to == DType::Undefined || to == DType::String) return Translation::unsupported("a cast to its type");
  return frontend::apply(t, ops::Cast, encode_attributes(ops::CastAttrs{.to = static_cast<int64_t>(to)}));
}

Status clip_by_value(Translation& t) {
  LAPIS_TRY(const Aligned all, aligned(t, {0, 1, 2}));
  LAPIS_TRY(Value * y, t.add(ops::Min, {all.operands[0], all.operands[2]}));
  LAPIS_TRY(y, t.add(ops::Max, {y, all.operands[1]}));
  return t.set(0, y, all.layout);
}

// x / y, and 0 where y is 0.
Status div_no_nan(Translation& t) {
  return of_two(t, [&](Value* x, Value* y) -> Result<Value*> {
    LAPIS_TRY(Value * zero, scalar_like(t, 0, y));
    LAPIS_TRY(Value * nothing, t.add(ops::Equal, {y, zero}));
    LAPIS_TRY(Value * quotient, t.add(ops::Div, {x, y}));
    return t.add(ops::Where, {nothing, zero, quotient});
  });
}

Status erfc(Translation& t) {
  return of_one(t, [&](Value* x) -> Result<Value*> {
    LAPIS_TRY(Value * erf, t.add(ops::Erf, {x}));
    LAPIS_TRY(Value * one, scalar_like(t, 1, x));
    return t.add(ops::Sub, {one, erf});
  });
}

Status expm1(Translation& t) {
  return of_one(t, [&](Value* x) -> Result<Value*> {
    LAPIS_TRY(Value * e, t.add(ops::Exp, {x}));
    return with_number(t, ops::Sub, e, 1);
  });
}

// Towards minus infinity, while ONNX divides integers towards 0.
Status floor_div(Translation& t) {
  const bool floats = is_floating(t);
  return of_two(t, [&](Value* x, Value* y) -> Result<Value*> {
    if (!floats) {
      LAPIS_TRY(Value * rest, t.add(ops::Mod, {x, y}));
      LAPIS_TRY(Value * whole, t.add(ops::Sub, {x, rest}));
      return t.add(ops::Div, {whole, y});
    }
    LAPIS_TRY(Value * quotient, t.add(ops::Div, {x, y}));
    return t.add(ops::Floor, {quotient});
  });
}

// With the sign of the divisor; what ONNX has of that is for integers.
Status floor_mod(Translation& t) {
  const bool floats = is_floating(t);
  return of_two(t, [&](Value* x, Value* y) -> Result<Value*> {
    if (!floats) return t.add(ops::Mod, {x, y});
    LAPIS_TRY(Value * quotient, t.add(ops::Div, {x, y}));
    LAPIS_TRY(quotient, t.add(ops::Floor, {quotient}));
    LAPIS_TRY(Value * whole, t.add(ops::Mul, {quotient, y}));
    return t.add(ops::Sub, {x, whole});
  });
}

Status is_finite(Translation& t) {
  return of_one(t, [&](Value* x) -> Result<Value*> {
    LAPIS_TRY(Value * infinite, t.add(ops::IsInf, {x}));
    LAPIS_TRY(Value * nan, t.add(ops::IsNaN, {x}));
    LAPIS_TRY(Value * neither, t.add(ops::Or, {infinite, nan}));
    return t.add(ops::Not, {neither});
  });
}

Status leaky_relu(Translation& t) {
  constexpr double kDefault = 0.2;
  const ops::LeakyReluAttrs attributes{.alpha = static_cast<float>(t.get<double>("alpha", kDefault))};
  return frontend::apply(t, ops::LeakyRelu, encode_attributes(attributes));
}

Status log1p(Translation& t) {
  return of_one(t, [&](Value* x) -> Result<Value*> {
    LAPIS_TRY(Value * more, with_number(t, ops::Add, x, 1));
    return t.add(ops::Log, {more});
  });
}

Status not_equal(Translation& t) {
  return of_two(t, [&](Value* x, Value* y) -> Result<Value*> {
    LAPIS_TRY(Value * equal, t.add(ops::Equal, {x, y}));
    return t.add(ops::Not, {equal});
  });
}

Status relu6(Translation& t) {
  constexpr double kMost = 6;
  return of_one(t, [&](Value* x) -> Result<Value*> {
    LAPIS_TRY(Value * low, scalar_like(t, 0, x));
    LAPIS_TRY(Value * high, scalar_like(t, kMost, x));
    return t.add(ops::Clip, {x, low, high});
  });
}

Status rsqrt(Translation& t) {
  return of_one(t, [&](Value* x) -> Result<Value*> {
    LAPIS_TRY(Value * root, t.add(ops::Sqrt, {x}));
    return t.add(ops::Reciprocal, {root});
  });
}

// The first kind may choose rows by a vector.
Status select(Translation& t) {
  LAPIS_TRY(const int64_t rank, rank_of(t, 1));
  LAPIS_TRY(const int64_t condition_rank, rank_of(t, 0));
  if (condition_rank != 1 || rank <= 1) return select_v2(t);
  LAPIS_TRY(Value * chosen, of_rows(t, rank));
  return t.set(0, chosen, Layout::AsWritten);
}

Status select_v2(Translation& t) {
  LAPIS_TRY(const Aligned all, aligned(t, {0, 1, 2}));
  LAPIS_TRY(Value * chosen, t.add(ops::Where, all.operands));
  return t.set(0, chosen, all.layout);
}

Status square(Translation& t) {
  return of_one(t, [&](Value* x) { return t.add(ops::Mul, {x, x}); });
}

Status squared_difference(Translation& t) {
  return of_two(t, [&](Value* x, Value* y) -> Result<Value*> {
    LAPIS_TRY(Value * d, t.add(ops::Sub, {x, y}));
    return t.add(ops::Mul, {d, d});
  });
}

// With the sign of the dividend.
Status truncate_mod(Translation& t) {
  return of_two(t, [&](Value* x, Value* y) { return t.add(ops::Mod, {x, y}, ops::ModAttrs{.fmod = true}); });
}

}  // namespace lapis::tensorflow_frontend
