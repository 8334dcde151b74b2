#include "codegen/kernels/pack.h"

#include <algorithm>
#include <bit>

namespace lapis::kernels {
namespace {

// Calls visit(first channel of the block, group, number of the block in it) for every block of every group.
template <class Visit> void for_each_block(const Contraction& c, const Blocking& blocking, Visit visit) {
  for (int64_t g = 0; g < blocking.groups_of(c); ++g)
    for (int64_t b = 0; b < blocking.blocks(); ++b) visit(g * blocking.per_group + blocking.first_channel(b), g, b);
}

// A channel's weights and its lane of the image.
struct Row {
  const std::byte* from;
  std::byte* to;
};

// The k elements of every tap of each channel, spread over its lane's steps of four bytes; the last step of a tap is
// filled with zeros. A cache line of every row in turn: the image is written from one end to the other.
void pack_rows(std::span<const Row> rows, int64_t taps, int64_t tap_bytes, int64_t steps, int64_t stride) {
  constexpr int64_t kLine = 16;
  const int64_t whole = tap_bytes / 4;
  for (int64_t t = 0; t < taps; ++t)
    for (int64_t first = 0; first < steps; first += kLine)
      for (const Row& row : rows) {
        const std::byte* from = row.from + t * tap_bytes;
        std::byte* to = row.to + t * steps * stride;
        const int64_t end = std::min(first + kLine, steps);
        for (int64_t s = first; s < std::min(end, whole); ++s) std::memcpy(to + s * stride, from + 4 * s, 4);
        if (end > whole) std::memcpy(to + whole * stride, from + 4 * whole, static_cast<size_t>(tap_bytes - 4 * whole));
      }
}

// Rows of three taps, each for the left and then for the right pixel of a pair.
void pack_paired_channel(const std::byte* from, std::byte* to, int64_t rows, int64_t stride) {
  for (int64_t row = 0; row < rows; ++row, from += 3, to += 2 * stride) {
    std::memcpy(to, from, 3);
    std::memcpy(to + stride + 1, from, 3);
  }
}

// Vectors of four bytes a lane, each followed by an empty one, become the words of bytes 0 and 2 and those of bytes 1
// and 3.
void widen(std::span<std::byte> image, int lanes) {
  for (size_t pair = 0; pair < image.size(); pair += static_cast<size_t>(lanes) * 8)
    for (int lane = 0; lane < lanes; ++lane) {
      std::byte* even = image.data() + pair + lane * 4;
      int8_t bytes[4];
      std::memcpy(bytes, even, 4);
      const int16_t words[2][2] = {{bytes[0], bytes[2]}, {bytes[1], bytes[3]}};
      std::memcpy(even, words[0], 4);
      std::memcpy(even + lanes * 4, words[1], 4);
    }
}

void add_sums(std::vector<int32_t>& sums, const int8_t* weights, int64_t channels, int64_t per_channel) {
  for (int64_t c = 0; c < channels; ++c, weights += per_channel) {
    uint32_t sum = 0;
    for (int64_t i = 0; i < per_channel; ++i) sum += static_cast<uint32_t>(int32_t{weights[i]});
    sums.push_back(static_cast<int32_t>(sum));
  }
}

// The 32-bit pattern the sum of a channel starts from.
uint32_t initial_sum(const Contraction& c, int64_t channel, std::span<const int32_t> sums) {
  if (!is_integer(c.a)) return std::bit_cast<uint32_t>(c.bias.data<float>()[static_cast<size_t>(channel)]);
  const auto bias = static_cast<uint32_t>(c.bias.data<int32_t>()[static_cast<size_t>(channel)]);
  const auto start = static_cast<uint32_t>(start_per_weight(c, row_of(c)));
  return start == 0 ? bias : bias + start * static_cast<uint32_t>(sums[static_cast<size_t>(channel)]);
}

// Element of a per-channel constant; integers widened to int32, halves to float.
uint32_t operand_word(const View& view, const Plan& plan, int64_t channel) {
  uint32_t word = 0;
  const auto base = static_cast<size_t>(plan.buffers[static_cast<size_t>(view.buffer)].offset);
  visit_dtype(view.dtype, [&](auto tag) {
    using T = decltype(tag);
    T value;
    std::memcpy(
        &value,
        plan.constants.data() + base + (view.offset + channel * view.strides[0]) * static_cast<int64_t>(sizeof(T)),
        sizeof(T));
    if constexpr (std::is_same_v<T, float>)
      word = std::bit_cast<uint32_t>(value);
    else if constexpr (std::is_same_v<T, BFloat16>)
      word = std::bit_cast<uint32_t>(to_float(value));
    else if constexpr (std::is_integral_v<T>)
      word = static_cast<uint32_t>(static_cast<int32_t>(value));
  });
  return word;
}

}  // namespace

int32_t start_per_weight(const Contraction& c, const Kernel& kernel) {
  if (!is_integer(c.a)) return 0;
  const bool flipped = kernel.dot == Dot::Vnni && c.a == DType::Int8;  // the kernel multiplies input + 128
  return -(c.input_zero_point + (flipped ? 128 : 0));
}

std::string weight_format(const Contraction& c, const Blocking& blocking) {
  std::string text = std::string(name_of(c.b)) + to_string(c.weights.shape);
  if (!row_of(c).depthwise()) return text + " panels";
  text += " lanes " + std::to_string(blocking.lanes) + " quad " + std::to_string(blocking.quad);
  for (const bool flag : {blocking.interleaved, blocking.paired, blocking.words}) text += flag ? " yes" : " no";
  for (const Block& kind : blocking.kinds) text += " " + std::to_string(kind.nr) + "x" + std::to_string(kind.channels);
  return text;
}

std::vector<int32_t> pack_weights(const Contraction& c, const Blocking& blocking, std::span<std::byte> to) {
  const int64_t channel_bytes = c.weights.bytes() / c.channels, tap_bytes = channel_bytes / blocking.taps;
  const int64_t group_bytes = blocking.group_weight_bytes(), vector_bytes = blocking.lanes * (blocking.words ? 8 : 4);
  OrderedChannels channels(c.weights, c.channels);
  std::vector<int32_t> sums;
  std::vector<Row> rows;
  for_each_block(c, blocking, [&](int64_t first, int64_t group, int64_t index) {
    const Block& b = blocking.block(index);
    const std::byte* const from = channels.of(first, b.channels);
    std::byte* const block = to.data() + group * group_bytes + blocking.weight_offset(index);
    if (c.b == DType::Int8) add_sums(sums, reinterpret_cast<const int8_t*>(from), b.channels, channel_bytes);
    rows.clear();
    for (int v = 0; v < blocking.weight_vectors(b); ++v)
      for (int lane = 0; lane < blocking.lanes; ++lane)
        if (const int64_t channel = blocking.weight_channel(v, lane); channel < b.channels)
          rows.push_back({from + channel * channel_bytes, block + v * vector_bytes + lane * 4});
    if (!blocking.paired) return pack_rows(rows, blocking.taps, tap_bytes, blocking.steps, b.pitch);
    for (const Row& row : rows) pack_paired_channel(row.from, row.to, blocking.steps / 2, b.pitch);
  });
  if (blocking.words) widen(to, blocking.lanes);
  return sums;
}

std::vector<uint8_t> pack_parameters(const Contraction& c, const Blocking& blocking, const Plan& plan,
                                     std::span<const int32_t> sums) {
  if (c.computed && c.computed->starts) return {};
  std::vector<uint32_t> image;
  for_each_block(c, blocking, [&](int64_t first, int64_t, int64_t index) {
    const Block& b = blocking.block(index);
    auto row = [&](auto word) {
      for (int v = 0; v < b.nr; ++v)
        for (int lane = 0; lane < blocking.lanes; ++lane) {
          const int64_t channel = blocking.channel(v, lane);
          image.push_back(channel < b.channels ? word(first + channel) : 0);
        }
    };
    row([&](int64_t channel) { return initial_sum(c, channel, sums); });
    for (const EpilogueOperand& o : c.operands)
      if (o.kind == EpilogueOperand::Kind::PerChannel)
        row([&](int64_t channel) { return operand_word(o.view, plan, channel); });
  });
  return bytes_of(std::span<const uint32_t>(image));
}

}  // namespace lapis::kernels
