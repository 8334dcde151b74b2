#include "tools/lapis/inputs.h"

#include <algorithm>
#include <limits>
#include <random>
#include <unordered_set>

#include "ir/op.h"
#include "ir/ops/ops.h"

namespace lapis::cli {
namespace {

using Random = std::mt19937_64;

// What an integer input is for: numbers to compute with, or values in [0, limit).
struct Purpose {
  bool number = true;
  int64_t limit = std::numeric_limits<int64_t>::max();
  void narrow(int64_t to) {
    number = false;
    limit = std::min(limit, std::max<int64_t>(to, 1));
  }
};

// Follows an integer value to whatever reads it.
class Readers {
 public:
  static Purpose of(const Value& input) {
    Readers readers;
    readers.visit(input, true);
    while (!readers.pending_.empty()) {
      const auto [value, unchanged] = readers.pending_.back();
      readers.pending_.pop_back();
      for (const Use& use : value->uses()) readers.read(use, unchanged);
    }
    return readers.purpose_;
  }

 private:
  static constexpr int64_t kSmall = 2;  // 0 and 1: masks, segments, sizes

  void visit(const Value& value, bool unchanged) {
    if (seen_.insert(&value).second) pending_.emplace_back(&value, unchanged);
  }

  void read(const Use& use, bool unchanged) {
    const Node& node = *use.node;
    if (is_table_index(use)) return purpose_.narrow(unchanged ? table_extent(node) : kSmall);
    const bool number = computes_with(use);
    if (!number) return purpose_.narrow(kSmall);
    for (const Value* output : node.outputs()) {
      if (!output || !output->type().is_tensor()) continue;
      if (is_float(output->dtype()) && !node.op().has(Trait::Contraction)) purpose_.narrow(kSmall);
      if (is_integer(output->dtype())) visit(*output, unchanged && node.op().has(Trait::Movement));
    }
  }

  static bool is_table_index(const Use& use) {
    return use.index == 1 && (use.node->is(ops::Gather) || use.node->is(ops::GatherElements));
  }

  // Rows of the axis that Gather or GatherElements indexes.
  static int64_t table_extent(const Node& node) {
    const Type& table = node.input(0)->type();
    const auto* axis = node.attribute_as<int64_t>("axis");
    if (!table.ranked() || table.rank() == 0) return kSmall;
    const int64_t at = axis ? *axis : 0;
    if (at < -table.rank() || at >= table.rank()) return kSmall;
    return table.dim(at).constant().value_or(kSmall);
  }

  static bool computes_with(const Use& use) {
    const OpDef& op = use.node->op();
    if (op.has(Trait::Contraction)) return true;
    if (use.node->is(ops::Pow) || use.node->is(ops::BitShift)) return use.index == 0;  // not how often
    if (op.has(Trait::Elementwise)) return true;
    return use.index == 0 && (op.has(Trait::Movement) || op.has(Trait::Reduction));
  }

  Purpose purpose_;
  std::unordered_set<const Value*> seen_;
  std::vector<std::pair<const Value*, bool>> pending_;
};

template <class T> T any_bits(Random& random) { return static_cast<T>(random()); }

// Mostly small, so that sums and products stay in range, and one in eight of any size.
template <class T> T number(Random& random) {
  if (random() % 8 == 0) return any_bits<T>(random);
  const auto small = static_cast<int64_t>(random() % 201) - (std::is_signed_v<T> ? 100 : 0);
  return static_cast<T>(small);
}

template <class T> T draw(Random& random, const Purpose& purpose) {
  if constexpr (std::is_same_v<T, bool>) {
    return random() % 2 != 0;
  } else if constexpr (std::is_same_v<T, Float16>) {
    return to_float16(std::uniform_real_distribution<float>(-1, 1)(random));
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return to_bfloat16(std::uniform_real_distribution<float>(-1, 1)(random));
  } else if constexpr (std::is_floating_point_v<T>) {
    return std::uniform_real_distribution<T>(-1, 1)(random);
  } else {
    if (sizeof(T) == 1) return any_bits<T>(random);
    if (purpose.number) return number<T>(random);
    return static_cast<T>(random() % static_cast<uint64_t>(purpose.limit));
  }
}

// A finite float of 8 bits: the upper half of the exponents is left out, and minus zero, which is NaN in some formats.
std::byte finite_byte(DType dtype, Random& random) {
  if (dtype == DType::Float8E8M0) return std::byte{static_cast<uint8_t>(0x70 + random() % 0x20)};
  const auto bits = static_cast<uint8_t>(random() & 0xBF);
  return std::byte{bits == 0x80 ? uint8_t{0} : bits};
}

Result<Tensor> random_tensor(const IoInfo& input, const Purpose& purpose, Random& random) {
  if (input.dtype == DType::String || input.dtype == DType::Complex64 || input.dtype == DType::Complex128)
    return error(ErrorKind::Unsupported, "there are no random values of type " + std::string(name_of(input.dtype)))
        .at("input '" + input.name + "'")
        .help("generated code takes numbers; cut the model behind this input");
  Tensor t(input.dtype, input.shape);
  const bool known = visit_dtype(input.dtype, [&](auto tag) {
    using T = decltype(tag);
    for (T& v : t.mutable_data<T>()) v = draw<T>(random, purpose);
  });
  if (known) return t;
  const bool packed = bit_width(input.dtype) < 8;
  std::byte* raw = t.mutable_raw();
  for (int64_t i = 0; i < t.bytes(); ++i)
    raw[i] = packed ? std::byte{static_cast<uint8_t>(random())} : finite_byte(input.dtype, random);
  return t;
}

}  // namespace

Result<std::vector<Tensor>> random_inputs(const std::vector<IoInfo>& inputs, uint64_t seed, const Graph* graph) {
  Random random(seed);
  std::vector<Tensor> tensors;
  for (const IoInfo& input : inputs) {
    Purpose purpose;
    const Value* value = nullptr;
    if (graph)
      for (const Value* v : graph->inputs())
        if (v->name() == input.name) value = v;
    if (value)
      purpose = Readers::of(*value);
    else
      purpose.narrow(2);
    LAPIS_TRY(Tensor t, random_tensor(input, purpose, random));
    tensors.push_back(std::move(t));
  }
  return tensors;
}

}  // namespace lapis::cli
