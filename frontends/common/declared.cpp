#include "frontends/common/declared.h"

#include <algorithm>

#include "ir/ops/ops.h"

namespace lapis::frontend {
namespace {

Type complete(Type inferred, const Type& declared) {
  if (!inferred.is_tensor() || !declared.is_tensor()) return inferred;
  if (inferred.dtype == DType::Undefined) return declared;
  if (!inferred.dims) inferred.dims = declared.dims;
  if (!declared.dims || declared.dims->size() != inferred.dims->size()) return inferred;
  for (size_t i = 0; i < inferred.dims->size(); ++i)
    if (!(*inferred.dims)[i].is_known()) (*inferred.dims)[i] = (*declared.dims)[i];
  return inferred;
}

// Models keep declarations that no longer fit their operators. Where the shape itself is computed, what an operator
// does with its elements still tells a stale one, which is then worth nothing.
bool fits_operand(const Node& node, const Type& declared) {
  const bool reshapes = node.is(ops::Reshape), expands = node.is(ops::Expand);
  if ((!reshapes && !expands) || !declared.is_static() || !node.input(0)->type().is_static()) return true;
  const Shape from = node.input(0)->type().shape(), to = declared.shape();
  if (reshapes) return element_count(from) == element_count(to);
  for (size_t i = 0; i < std::min(from.size(), to.size()); ++i)
    if (from.rbegin()[static_cast<ptrdiff_t>(i)] != 1 &&
        from.rbegin()[static_cast<ptrdiff_t>(i)] != to.rbegin()[static_cast<ptrdiff_t>(i)])
      return false;
  return from.size() <= to.size();
}

}  // namespace

Status complete_type(Value& value, const Type& declared) {
  const bool contradicts = value.type().is_tensor() && declared.is_tensor() && value.dtype() != DType::Undefined &&
                           declared.dtype != DType::Undefined && value.dtype() != declared.dtype;
  if (contradicts)
    return error(ErrorKind::Input, "output '" + value.name() + "' is declared as " + declared.to_string() + " but is " +
                                       value.type().to_string());
  Type completed = complete(value.type(), declared);
  if (const auto problem = completed.size_problem())
    return error(ErrorKind::Input, "output '" + value.name() + "' is declared as what cannot be: " + *problem);
  if (fits_operand(*value.producer(), completed)) value.set_type(std::move(completed));
  return ok();
}

}  // namespace lapis::frontend
