#include <type_traits>

#include "base/dtype.h"
#include "runtime/routines/entries.h"

namespace lapis {
namespace {

template <class T> constexpr bool kSummed = std::is_arithmetic_v<T> && sizeof(T) >= 4;

template <class T> void cum_sum(void* const* operands, const int64_t* parameters) {
  using Sum = std::conditional_t<std::is_floating_point_v<T>, double, uint64_t>;
  const int64_t outer = parameters[1], count = parameters[2], inner = parameters[3];
  const bool exclusive = parameters[4] != 0, reverse = parameters[5] != 0;
  for (int64_t line = 0; line < outer * inner; ++line) {
    const int64_t start = line / inner * count * inner + line % inner;
    const T* x = static_cast<const T*>(operands[0]) + start;
    T* y = static_cast<T*>(operands[1]) + start;
    Sum sum = 0;
    for (int64_t step = 0; step < count; ++step) {
      const int64_t at = (reverse ? count - 1 - step : step) * inner;
      const Sum before = sum;
      sum += static_cast<Sum>(x[at]);
      y[at] = static_cast<T>(exclusive ? before : sum);
    }
  }
}

}  // namespace
}  // namespace lapis

void lapis_routine_cumsum(void* const* operands, const int64_t* parameters) {
  lapis::visit_dtype(static_cast<lapis::DType>(parameters[0]), [&]<class T>(T) {
    if constexpr (lapis::kSummed<T>) lapis::cum_sum<T>(operands, parameters);
  });
}
