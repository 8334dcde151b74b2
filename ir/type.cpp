#include "ir/type.h"

#include <algorithm>

namespace lapis {

int64_t Type::rank() const {
  LAPIS_ASSERT(dims.has_value(), "the rank of " << to_string() << " is not known");
  return static_cast<int64_t>(dims->size());
}

const Dim& Type::dim(int64_t axis) const {
  const int64_t at = axis < 0 ? axis + rank() : axis;
  LAPIS_ASSERT(at >= 0 && at < rank(), "axis " << axis << " of " << to_string());
  return (*dims)[static_cast<size_t>(at)];
}

bool Type::is_static() const {
  return is_tensor() && dims && std::all_of(dims->begin(), dims->end(), [](const Dim& d) { return d.is_constant(); });
}

std::optional<Shape> Type::static_shape() const { return is_static() ? std::optional(shape()) : std::nullopt; }

Shape Type::shape() const {
  LAPIS_ASSERT(is_static(), to_string() << " has no static shape");
  Shape shape;
  for (const Dim& d : *dims) shape.push_back(d.value());
  return shape;
}

std::optional<std::string> Type::size_problem() const {
  if (element) return element->size_problem();
  if (!dims) return std::nullopt;
  Shape known;
  for (const Dim& d : *dims) {
    if (d.is_too_large()) return to_string() + " is larger than any memory";
    known.push_back(d.constant().value_or(1));
  }
  return shape_problem(dtype, known);
}

static bool same_knowledge(const Dim& a, const Dim& b) { return a == b || (!a.is_known() && !b.is_known()); }

bool Type::operator==(const Type& other) const {
  if (kind != other.kind || dtype != other.dtype || dims.has_value() != other.dims.has_value()) return false;
  if ((element == nullptr) != (other.element == nullptr) || (element && !(*element == *other.element))) return false;
  return !dims || std::equal(dims->begin(), dims->end(), other.dims->begin(), other.dims->end(), same_knowledge);
}

std::string to_string(const Dims& dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) text += (i ? "," : "") + dims[i].to_string();
  return text + "]";
}

std::string Type::to_string() const {
  if (kind == Kind::Sequence) return "seq(" + element->to_string() + ")";
  if (kind == Kind::Optional) return "optional(" + element->to_string() + ")";
  return std::string(name_of(dtype)) + (dims ? lapis::to_string(*dims) : "[...]");
}

static std::optional<Dim> merge(const Dim& a, const Dim& b) {
  if (!a.is_known() || a == b) return b;
  if (!b.is_known()) return a;
  if (a.is_constant() && b.is_constant()) return std::nullopt;
  return a.is_constant() ? a : b;
}

std::optional<Type> merge(const Type& a, const Type& b) {
  if (a.kind != b.kind) return std::nullopt;
  if (!a.is_tensor()) {
    auto element = merge(*a.element, *b.element);
    if (!element) return std::nullopt;
    Type t = a;
    t.element = std::make_shared<const Type>(*std::move(element));
    return t;
  }
  Type t = a;
  if (a.dtype == DType::Undefined)
    t.dtype = b.dtype;
  else if (b.dtype != DType::Undefined && a.dtype != b.dtype)
    return std::nullopt;
  if (!a.dims) t.dims = b.dims;
  if (!a.dims || !b.dims) return t;
  if (a.dims->size() != b.dims->size()) return std::nullopt;
  for (size_t i = 0; i < a.dims->size(); ++i) {
    auto dim = merge((*a.dims)[i], (*b.dims)[i]);
    if (!dim) return std::nullopt;
    (*t.dims)[i] = *std::move(dim);
  }
  return t;
}

}  // namespace lapis
