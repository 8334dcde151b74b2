// Conversion between element types.
#include "ir/ops/data_attributes.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"

namespace lapis::ops {
namespace {

constexpr TypeSet kPacked = types(DType::Int4, DType::UInt4, DType::Int2, DType::UInt2);
constexpr TypeSet kSmallFloats = types(DType::Float8E4M3FN, DType::Float8E4M3FNUZ, DType::Float8E5M2,
                                       DType::Float8E5M2FNUZ, DType::Float8E8M0, DType::Float4E2M1);
constexpr TypeSet kCastTypes = kNumbers | types(DType::Bool) | kPacked | kSmallFloats;

// Integers keep their low bits when they get narrower; everything but zero is true.
template <class To, class From> To converted(From value) {
  const auto x = load(value);
  if constexpr (std::is_same_v<To, bool>)
    return x != 0;
  else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<decltype(x)>)
    return truncated<To>(x);
  else if constexpr (std::is_same_v<To, Float16> && std::is_same_v<From, double>)
    return to_float16(rounded_to_odd(x));
  else
    return store<To>(static_cast<Arithmetic<To>>(x));
}

}  // namespace

// To and from 4 and 2 bits by way of wide integers: also a float out of range keeps its low bits then, as ONNX's cases
// expect.
Tensor cast(const Tensor& x, DType to) {
  if (x.dtype() == to) return x;
  if (is_small_float(to)) return from_doubles(to, x.shape(), to_doubles(x));
  if (is_small_float(x.dtype())) return cast(from_doubles(DType::Float32, x.shape(), to_doubles(x)), to);
  if (allows(kPacked, x.dtype())) return cast(from_integers(DType::Int8, x.shape(), x.as_ints()), to);
  if (allows(kPacked, to)) return from_integers(to, x.shape(), to_integers(cast(x, DType::Int64)));
  Tensor y(to, x.shape());
  visit_dtype(x.dtype(), [&]<class From>(From) {
    visit_dtype(to, [&]<class To>(To) {
      const auto source = x.data<From>();
      const auto target = y.mutable_data<To>();
      for (size_t i = 0; i < source.size(); ++i) target[i] = converted<To>(source[i]);
    });
  });
  return y;
}

namespace {

Result<Types> infer_to(const InferContext& c, DType to) {
  if (!allows(kCastTypes, to)) return c.unsupported("cannot convert to " + std::string(name_of(to)));
  return Types{Type::tensor(to, c.in(0).dims)};
}

Result<Types> infer_cast(const InferContext& c) {
  const int64_t to = c.attrs<CastAttrs>().to;
  if (dtype_of_number(to) == DType::Undefined)
    return c.error("attribute 'to' is " + std::to_string(to) + ", which is no element type");
  return infer_to(c, dtype_of_number(to));
}
Result<Types> infer_cast_like(const InferContext& c) { return infer_to(c, c.in(1).dtype); }

template <class Attrs> std::optional<SmallFloatRounding> rounding_of(const Attrs& a) {
  if (a.round_mode == "up") return SmallFloatRounding{a.saturate, ScaleRounding::Up};
  if (a.round_mode == "down") return SmallFloatRounding{a.saturate, ScaleRounding::Down};
  if (a.round_mode == "nearest") return SmallFloatRounding{a.saturate, ScaleRounding::Nearest};
  return std::nullopt;
}

template <class Attrs> Status evaluate_to(EvalContext& c, DType to) {
  const auto rounding = rounding_of(c.attrs<Attrs>());
  const bool rounds = is_small_float(to) && c.in(0).dtype() != to;
  if (rounds && !rounding) return c.error("attribute 'round_mode' must be up, down or nearest");
  c.set_out(0, rounds ? from_doubles(to, c.in(0).shape(), to_doubles(c.in(0)), *rounding) : cast(c.in(0), to));
  return ok();
}

Status evaluate_cast(EvalContext& c) { return evaluate_to<CastAttrs>(c, dtype_of_number(c.attrs<CastAttrs>().to)); }
Status evaluate_cast_like(EvalContext& c) { return evaluate_to<CastLikeAttrs>(c, c.in(1).dtype()); }

// Sizes fit every integer type that models compute shapes in.
std::optional<Dims> propagate_as(const InferContext& c, DType to) {
  return to == DType::Int64 || to == DType::Int32 ? c.contents(0) : std::nullopt;
}
std::optional<Dims> propagate_cast(const InferContext& c) {
  return propagate_as(c, dtype_of_number(c.attrs<CastAttrs>().to));
}
std::optional<Dims> propagate_cast_like(const InferContext& c) { return propagate_as(c, c.in(1).dtype); }

constexpr Traits kElementwise = Trait::Pure | Trait::Elementwise;

}  // namespace

const OpDef Cast =
    op("Cast")
        .since(25)
        .doc("The same numbers in another element type; real numbers truncate and saturate, integers wrap.")
        .in("input", kCastTypes)
        .out("output", kCastTypes)
        .attrs<CastAttrs>()
        .infer(infer_cast)
        .evaluate(evaluate_cast)
        .propagate(propagate_cast)
        .traits(kElementwise);

const OpDef CastLike = op("CastLike")
                           .since(25)
                           .doc("The first operand in the element type of the second.")
                           .in("input", kCastTypes)
                           .in("target_type", kCastTypes)
                           .out("output", kCastTypes)
                           .attrs<CastLikeAttrs>()
                           .infer(infer_cast_like)
                           .evaluate(evaluate_cast_like)
                           .propagate(propagate_cast_like)
                           .traits(kElementwise | Trait::OneSided);

}  // namespace lapis::ops
