#include "base/dtype.h"
#include "base/order.h"
#include "runtime/routines/entries.h"

namespace lapis {
namespace {

// Halves by their bits: how far from zero, NaN above all.
int32_t half_order(uint16_t bits, int32_t infinity) {
  const int32_t size = bits & 0x7FFF;
  return size > infinity ? INT32_MAX : bits & 0x8000 ? -size : size;
}
int32_t ordered(Float16 x) { return half_order(x.bits, 0x7C00); }
int32_t ordered(BFloat16 x) { return half_order(x.bits, 0x7F80); }
template <class T> T ordered(T x) { return x; }

// One line. The indices of the best so far are a heap where they will be sorted, the worst of them first.
template <class T> struct Selection {
  const T* x;
  T* values;
  int64_t* indices;
  int64_t count, inner, k;
  bool largest;

  int64_t& at(int64_t i) const { return indices[i * inner]; }

  bool better(int64_t a, int64_t b) const {
    const auto p = ordered(x[a * inner]), q = ordered(x[b * inner]);
    const bool wins = largest ? above(p, q) : above(q, p), loses = largest ? above(q, p) : above(p, q);
    return wins || (!loses && a < b);
  }

  void sink(int64_t node, int64_t size) const {
    for (int64_t child; (child = 2 * node + 1) < size; node = child) {
      if (child + 1 < size && better(at(child), at(child + 1))) ++child;
      if (!better(at(node), at(child))) return;
      const int64_t moved = at(node);
      at(node) = at(child);
      at(child) = moved;
    }
  }

  void select() const {
    for (int64_t i = 0; i < k; ++i) at(i) = i;
    for (int64_t i = k / 2; i-- > 0;) sink(i, k);
    for (int64_t i = k; i < count && k > 0; ++i)
      if (better(i, at(0))) {
        at(0) = i;
        sink(0, k);
      }
  }

  void sort() const {
    for (int64_t size = k - 1; size > 0; --size) {
      const int64_t worst = at(0);
      at(0) = at(size);
      at(size) = worst;
      sink(0, size);
    }
    for (int64_t i = 0; i < k; ++i) values[i * inner] = x[at(i) * inner];
  }
};

template <class T> void top_k(void* const* operands, const int64_t* parameters) {
  const int64_t outer = parameters[1], count = parameters[2], inner = parameters[3], k = parameters[4];
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < inner; ++i) {
      const int64_t from = o * count * inner + i, to = o * k * inner + i;
      const Selection<T> line{static_cast<const T*>(operands[0]) + from,
                              static_cast<T*>(operands[1]) + to,
                              static_cast<int64_t*>(operands[2]) + to,
                              count,
                              inner,
                              k,
                              parameters[5] != 0};
      line.select();
      line.sort();
    }
}

}  // namespace
}  // namespace lapis

void lapis_routine_topk(void* const* operands, const int64_t* parameters) {
  lapis::visit_dtype(static_cast<lapis::DType>(parameters[0]),
                     [&]<class T>(T) { lapis::top_k<T>(operands, parameters); });
}
