#include "frontends/pytorch/tensors.h"

#include <cstring>

#include "base/truth.h"
#include "frontends/common/bytes.h"

namespace lapis::pytorch_frontend {
namespace {

// One behind the last element that the view reaches; nullopt if it leaves 64 bits or goes backwards.
std::optional<int64_t> reach(const Strided& view) {
  int64_t end = view.offset;
  if (view.offset < 0) return std::nullopt;
  for (size_t axis = 0; axis < view.shape.size(); ++axis) {
    int64_t span = 0;
    if (view.strides[axis] < 0 || __builtin_mul_overflow(view.shape[axis] - 1, view.strides[axis], &span) ||
        __builtin_add_overflow(end, span, &end))
      return std::nullopt;
  }
  return end < INT64_MAX ? std::optional(end + 1) : std::nullopt;
}

bool is_contiguous(const Strided& view) {
  const Shape dense = row_major_strides(view.shape);
  for (size_t axis = 0; axis < view.shape.size(); ++axis)
    if (view.shape[axis] != 1 && view.strides[axis] != dense[axis]) return false;
  return true;
}

// Element by element in row-major order.
Tensor gathered(const Strided& view, const std::byte* storage) {
  Tensor tensor(view.dtype, view.shape);
  const auto width = static_cast<size_t>(byte_size(view.dtype, 1));
  std::byte* to = tensor.mutable_raw();
  Shape at(view.shape.size(), 0);
  int64_t from = view.offset;
  for (int64_t i = 0; i < tensor.size(); ++i) {
    std::memcpy(to + static_cast<size_t>(i) * width, storage + static_cast<size_t>(from) * width, width);
    for (size_t axis = at.size(); axis-- > 0;) {
      from += view.strides[axis];
      if (++at[axis] < view.shape[axis]) break;
      from -= view.strides[axis] * view.shape[axis];
      at[axis] = 0;
    }
  }
  return tensor;
}

}  // namespace

Result<Tensor> tensor_over(const Strided& view, const MappedFile& storage, frontend::Expansion& copies) {
  if (view.strides.size() != view.shape.size()) return error(ErrorKind::Input, "has not as many strides as axes");
  if (const auto problem = shape_problem(view.dtype, view.shape))
    return error(ErrorKind::Input, "cannot be: " + *problem);
  const int64_t count = element_count(view.shape);
  if (count == 0) return Tensor(view.dtype, view.shape);
  const auto end = reach(view);
  const int64_t width = byte_size(view.dtype, 1);
  if (!end || static_cast<uint64_t>(*end) > storage.size / static_cast<uint64_t>(width))
    return error(ErrorKind::Input, "reaches beyond the " + std::to_string(storage.size) + " bytes that hold it")
        .help("the file is damaged or cut off: copy or save it again");
  const std::byte* begin = storage.data.get() + view.offset * width;
  const bool is_dense = is_contiguous(view);
  const bool borrows = is_dense && frontend::can_borrow(view.dtype, begin, count * width);
  if (!borrows && !copies.add_bytes(static_cast<size_t>(count * width)))
    return copies.explosion("tensors that share their bytes");
  if (!is_dense) return with_truth_values(gathered(view, storage.data.get()));
  return with_truth_values(frontend::over_bytes(view.dtype, view.shape, {storage.data, begin}));
}

}  // namespace lapis::pytorch_frontend
