#include "runtime/routines.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "base/order.h"

namespace lapis {
namespace {

// ---- topk ------------------------------------------------------------------------------------------------------------------------

float ordered(Float16 x) { return to_float(x); }
float ordered(BFloat16 x) { return to_float(x); }
template <class T> T ordered(T x) { return x; }

// The numbers of the `k` best of `keys`, best first.
template <class T> void select(const std::vector<T>& keys, int64_t k, bool largest, std::vector<int64_t>& order) {
  std::iota(order.begin(), order.end(), 0);
  const auto better = [&](int64_t a, int64_t b) {
    const T x = keys[static_cast<size_t>(a)], y = keys[static_cast<size_t>(b)];
    const bool wins = largest ? above(x, y) : above(y, x), loses = largest ? above(y, x) : above(x, y);
    return wins || (!loses && a < b);
  };
  std::partial_sort(order.begin(), order.begin() + k, order.end(), better);
}

template <class T> void top_k(const CallInfo& call, const T* x, T* values, int64_t* indices) {
  const Shape& shape = call.inputs[0].shape;
  const auto axis = static_cast<size_t>(call.parameters[0]);
  const bool largest = call.parameters[1] != 0;
  const int64_t count = shape[axis], k = call.outputs[0].shape[axis];
  int64_t inner = 1;
  for (size_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
  const int64_t lines = count == 0 ? 0 : element_count(shape) / count;
  std::vector<decltype(ordered(T{}))> keys(static_cast<size_t>(count));
  std::vector<int64_t> order(static_cast<size_t>(count));
  for (int64_t line = 0; line < lines; ++line) {
    const T* from = x + line / inner * count * inner + line % inner;
    const int64_t to = line / inner * k * inner + line % inner;
    for (int64_t i = 0; i < count; ++i) keys[static_cast<size_t>(i)] = ordered(from[i * inner]);
    select(keys, k, largest, order);
    for (int64_t i = 0; i < k; ++i) {
      indices[to + i * inner] = order[static_cast<size_t>(i)];
      values[to + i * inner] = from[order[static_cast<size_t>(i)] * inner];
    }
  }
}

void top_k_of_any_type(const CallInfo& call, std::span<const std::byte* const> inputs,
                       std::span<std::byte* const> outputs) {
  visit_dtype(call.inputs[0].dtype, [&]<class T>(T) {
    top_k(call, reinterpret_cast<const T*>(inputs[0]), reinterpret_cast<T*>(outputs[0]),
          reinterpret_cast<int64_t*>(outputs[1]));
  });
}

std::optional<std::string> flaw_of_top_k(const CallInfo& call) {
  if (call.inputs.size() != 1 || call.outputs.size() != 2 || call.parameters.size() != 2) return "it takes one tensor";
  const TensorPlace &x = call.inputs[0], &values = call.outputs[0], &indices = call.outputs[1];
  const int64_t axis = call.parameters[0];
  if (axis < 0 || axis >= static_cast<int64_t>(x.shape.size())) return "there is no such axis";
  Shape selected = x.shape;
  const auto a = static_cast<size_t>(axis);
  if (values.shape.size() != x.shape.size() || values.shape[a] > x.shape[a]) return "it selects more than there is";
  selected[a] = values.shape[a];
  const bool fits = values.shape == selected && indices.shape == selected && values.dtype == x.dtype &&
                    indices.dtype == DType::Int64 && visit_dtype(x.dtype, [](auto) {});
  return fits ? std::nullopt : std::optional<std::string>("its results do not fit its operand");
}

// ---- the table -------------------------------------------------------------------------------------------------------------------

struct Row {
  std::string_view name;
  Routine routine;
  std::optional<std::string> (*flaw)(const CallInfo&);
};
constexpr Row kRoutines[] = {{"topk", top_k_of_any_type, flaw_of_top_k}};

const Row* find(std::string_view name) {
  const auto row =
      std::find_if(std::begin(kRoutines), std::end(kRoutines), [&](const Row& r) { return r.name == name; });
  return row == std::end(kRoutines) ? nullptr : row;
}

}  // namespace

Routine find_routine(std::string_view name) {
  const Row* row = find(name);
  return row ? row->routine : nullptr;
}

std::optional<std::string> flaw_of_call(const CallInfo& call) {
  if (call.host) return std::nullopt;
  const Row* row = find(call.routine);
  if (!row) return "there is no routine '" + call.routine + "'";
  return row->flaw(call);
}

}  // namespace lapis
