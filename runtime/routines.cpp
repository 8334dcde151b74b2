#include "runtime/routines.h"

#include <algorithm>

#include "runtime/routines/entries.h"

namespace lapis {
namespace {

// outer * count * inner elements of the type, as parameters[1], [3] and `count` say.
bool has_lines(const TensorPlace& t, DType dtype, const std::vector<int64_t>& parameters, int64_t count) {
  int64_t elements = 0;
  return t.dtype == dtype && !__builtin_mul_overflow(parameters[1], count, &elements) &&
         !__builtin_mul_overflow(elements, parameters[3], &elements) && elements == element_count(t.shape);
}

std::optional<std::string> flaw_of_top_k(const CallInfo& call) {
  const std::vector<int64_t>& p = call.parameters;
  if (call.inputs.size() != 1 || call.outputs.size() != 2 || p.size() != 6) return "it takes one tensor";
  const DType dtype = dtype_of_number(p[0]);
  const int64_t count = p[2], k = p[4];
  if (!visit_dtype(dtype, [](auto) {}) || std::min({p[1], p[3], k}) < 0) return "its parameters cannot be";
  if (k > count) return "it selects more than there is";
  const bool fits = has_lines(call.inputs[0], dtype, p, count) && has_lines(call.outputs[0], dtype, p, k) &&
                    has_lines(call.outputs[1], DType::Int64, p, k);
  return fits ? std::nullopt : std::optional<std::string>("its results do not fit its operand");
}

std::optional<std::string> flaw_of_cum_sum(const CallInfo& call) {
  const std::vector<int64_t>& p = call.parameters;
  if (call.inputs.size() != 1 || call.outputs.size() != 1 || p.size() != 6) return "it takes one tensor and gives one";
  const DType dtype = dtype_of_number(p[0]);
  if (bit_width(dtype) < 32 || !visit_dtype(dtype, [](auto) {}) || std::min({p[1], p[2], p[3]}) < 0)
    return "its parameters cannot be";
  const bool fits = has_lines(call.inputs[0], dtype, p, p[2]) && has_lines(call.outputs[0], dtype, p, p[2]);
  return fits ? std::nullopt : std::optional<std::string>("its result does not fit its operand");
}

struct Row {
  std::string_view name;
  Routine routine;
  std::optional<std::string> (*flaw)(const CallInfo&);
};
constexpr Row kRoutines[] = {
    {"cumsum", lapis_routine_cumsum, flaw_of_cum_sum},
    {"topk", lapis_routine_topk, flaw_of_top_k},
};

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
